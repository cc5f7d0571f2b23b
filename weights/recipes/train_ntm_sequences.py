#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a Neural Turing Machine on a task of its paper, and writes it as a model directory.

    train_ntm_sequences.py train    copy --work=DIR --output=DIR
    train_ntm_sequences.py evaluate --model=DIR [--sizes="length=20 length=80"]

Tasks: copy, repeat-copy, recall. Data are random bits, made as needed; docs/ntm-config.md says how they are framed.
Each step draws one size (such as a length) and a batch of it. Memory and weights at the start are not trained: 1e-6
everywhere, and all weight of every head on slot 0. Biases of the heads begin so that heads move by location and write
heads advance; see --strength-bias, --gate-bias and --shift-bias. The weights kept are those of the lowest bit error on
fixed validation sequences, of equal ones those of the lowest loss. A call that finds a checkpoint in --work goes
on from it. Where there is a C++ compiler, a machine of one write head and then read heads, interleaved, trains several
times as fast on a CPU. Needs PyTorch (1.13 or newer) and numpy; runs on CPU or GPU.
"""

import argparse
import math
import os
import sys
import time

import torch
import torch.nn.functional as F

import graph_training
import ntm
import ntm_kernels
import ntm_tasks
from graph_file import BadInput

VALIDATION_SEQUENCES = 64  # of each validation size

TASKS = {
    "copy": {
        "frame": {"task": "copy", "data_width": 8},
        "train": "length=1-20",
        "validate": "length=5 length=20 length=80",
        "report": "length=1 length=5 length=10 length=20 length=40 length=80 length=120",
    },
    "repeat-copy": {
        "frame": {"task": "repeat-copy", "data_width": 8, "max_repeats": 10},
        "train": "length=1-10,repeats=1-10",
        "validate": "length=3,repeats=10 length=10,repeats=3 length=10,repeats=10",
        "report": "length=1,repeats=1 length=5,repeats=5 length=10,repeats=10 length=20,repeats=10 length=10,repeats=20"
        " length=20,repeats=20",
    },
    "recall": {
        "frame": {"task": "recall", "data_width": 6, "item_rows": 3},
        "train": "items=2-6",
        "validate": "items=3 items=6 items=10",
        "report": "items=2 items=4 items=6 items=8 items=12 items=16 items=20",
    },
}


def read_ranges(text, task):
    """{"length": (1, 20)} of "length=1-20"."""
    ranges = {}
    for part in text.split(","):
        name, _, numbers = part.partition("=")
        first, _, last = numbers.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise BadInput(f"{text}: {part!r} is not of the form name=5 or name=1-20")
        ranges[name] = (int(first), int(last or first))
    if set(ranges) != set(task.sizes):
        raise BadInput(f"{text}: the sizes of {task.frame['task']} are {', '.join(task.sizes)}")
    return ranges


def read_sizes(text, task):
    """A list of sizes such as {"length": 20}."""
    return [{name: first for name, (first, _) in read_ranges(part, task).items()} for part in text.split()]


def show(size):
    return ",".join(f"{name}={number}" for name, number in size.items())


def make_config(arguments, task):
    return {
        "model_type": "ntm",
        "task": "sequences",
        "input_width": task.input_width,
        "slots": arguments.slots,
        "slot_width": arguments.slot_width,
        "heads": arguments.heads.split(","),
        "shifts": [-1, 0, 1],
        "order": arguments.order,
        "key_activation": "tanh",
        "add_activation": "tanh",
        "cosine": {"form": "added", "epsilon": 1e-8},
        "sharpening": {"base_epsilon": 1e-8, "sum_epsilon": 0.0},
        "controller": {"type": "lstm", "width": arguments.controller, "layers": 1},
        "output": {"width": task.data_width, "reads": "new", "activation": "sigmoid"},
        "frame": task.frame,
    }


def bias_heads(model, strength, gate, shift):
    """Adds to the biases of every head's beta and g, and to that of the write heads' move by +1."""
    for kind, head in zip(model.head_kinds, model.heads):
        numbers = head.fc.bias.data[model.slot_width :]
        numbers[0] += strength
        numbers[1] += gate
        if kind == "write":
            numbers[2 + model.shifts.index(1)] += shift


def make_model(arguments, config):
    torch.manual_seed(arguments.seed)
    model = ntm.SequenceModel(config)
    bias_heads(model, arguments.strength_bias, arguments.gate_bias, arguments.shift_bias)
    if arguments.start:
        try:
            model.load_state_dict(ntm.load_model(arguments.start)[0].state_dict())
        except RuntimeError as error:
            raise BadInput(f"--start={arguments.start}: {str(error).splitlines()[-1].strip()}") from None
    model.initial.memory.requires_grad_(False)
    model.initial.weights.requires_grad_(False)
    return model


class Training:
    """A model under training and all that a checkpoint needs to go on with it."""

    def __init__(self, arguments, model, task, device):
        self.arguments, self.model, self.task, self.device = arguments, model.to(device), task, device
        self.ranges = [read_ranges(text, task) for text in (arguments.train or TASKS[arguments.task]["train"]).split()]
        self.validation = read_sizes(arguments.validate or TASKS[arguments.task]["validate"], task)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=arguments.lr)
        self.generator = torch.Generator().manual_seed(arguments.seed)
        self.step, self.best, self.loss = 0, {"score": math.inf, "weights": None}, math.nan

    def state(self):
        return {
            "step": self.step,
            "best": self.best,
            "loss": self.loss,
            "network": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load(self, state):
        self.step, self.best, self.loss = state["step"], state["best"], state["loss"]
        self.model.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])

    def train_step(self):
        """One update; lr falls linearly in the second half of --steps."""
        self.step += 1
        left = 1 - self.step / self.arguments.steps
        for group in self.optimizer.param_groups:
            group["lr"] = self.arguments.lr * min(1.0, 2 * left)
        ranges = self.ranges[int(torch.randint(len(self.ranges), (), generator=self.generator))]
        size = ntm_tasks.random_size(self.generator, ranges)
        rows, answer = self.task.batch(self.generator, self.arguments.batch, **size)
        rows, answer = rows.to(self.device), answer.to(self.device)
        outputs, _ = self.model(rows, activate=False)
        loss = F.binary_cross_entropy_with_logits(ntm_tasks.answers_of(outputs, answer), answer)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.arguments.clip)
        self.optimizer.step()
        self.loss = loss.item() if math.isnan(self.loss) else 0.99 * self.loss + 0.01 * loss.item()
        if math.isnan(self.loss):
            raise BadInput(f"step {self.step}: the loss is no number; try a smaller --lr or --clip")

    def validate(self):
        generator = torch.Generator().manual_seed(12345)
        errors = [
            ntm_tasks.bit_error(self.model, self.task, generator, size, VALIDATION_SEQUENCES, self.device)
            for size in self.validation
        ]
        score = (sum(errors), self.loss)
        if self.best["weights"] is None or score < tuple(self.best["score"]):
            weights = {name: value.cpu().clone() for name, value in self.model.state_dict().items()}
            self.best = {"step": self.step, "score": score, "weights": weights}
        shown = ", ".join(f"{show(size)} {100 * error:.3f} %" for size, error in zip(self.validation, errors))
        print(
            f"step {self.step}: loss {self.loss:.5f}, bit error {shown}; best of step {self.best['step']}", flush=True
        )
        return max(errors)


class SequenceRuns(graph_training.Runs):
    CHANGE_NO_RUN = graph_training.Runs.CHANGE_NO_RUN + ("minutes", "patience")

    def run(self, name):
        return graph_training.Run(self.directory, name)


def run_train(arguments):
    torch.set_num_threads(1)
    task = ntm_tasks.task_of(TASKS[arguments.task]["frame"])
    config = make_config(arguments, task)
    run = SequenceRuns(arguments.work, arguments).run(arguments.task)
    training = Training(arguments, make_model(arguments, config), task, graph_training.device(arguments))
    if not ntm_kernels.attach(training.model, arguments.work):
        print("trains with PyTorch's own operations, which takes several times as long", flush=True)
    if os.path.exists(run.checkpoint):
        training.load(graph_training.load(run.checkpoint))
        print(f"goes on after step {training.step}", flush=True)
    started, clean = time.monotonic(), 0
    while training.step < arguments.steps and clean < arguments.patience:
        training.train_step()
        if training.step % arguments.validate_every == 0:
            clean = clean + 1 if training.validate() == 0 else 0
            graph_training.save(run.checkpoint, training.state())
            if time.monotonic() - started > 60 * arguments.minutes:
                print(f"stops after {arguments.minutes} minutes; the same call goes on", flush=True)
                break
    training.model.load_state_dict(training.best["weights"])
    ntm.save_model(arguments.output, config, training.model)
    print(f"{arguments.output}: the weights of step {training.best['step']}")


def run_evaluate(arguments):
    torch.set_num_threads(1)
    model, _ = ntm.load_model(arguments.model)
    if "frame" not in model.config:
        raise BadInput(f"{arguments.model}/config.json: has no frame, which says what the task is")
    task, device = ntm_tasks.task_of(model.config["frame"]), graph_training.device(arguments)
    model = model.to(device).eval()
    for size in read_sizes(arguments.sizes or TASKS[task.frame["task"]]["report"], task):
        generator = torch.Generator().manual_seed(arguments.seed)
        errors = [
            ntm_tasks.bit_error(model, task, generator, size, 50, device) for _ in range(arguments.sequences // 50)
        ]
        print(
            f"{show(size)}: bit error {100 * sum(errors) / len(errors):.4f} % of {50 * len(errors)} sequences",
            flush=True,
        )


def add_train_flags(command):
    command.add_argument("task", choices=TASKS, help="which task")
    graph_training.add_run_flags(command, seeds=False)
    command.add_argument("--output", required=True, metavar="DIR", help="model directory to write")
    command.add_argument("--seed", type=int, default=0, help="of the weights and the data")
    command.add_argument(
        "--train", metavar="RANGES", help="sizes to train on, such as 'length=1-20'; of several, one is drawn"
    )
    command.add_argument(
        "--validate", metavar="SIZES", help="sizes to choose the weights by, such as 'length=20 length=80'"
    )
    command.add_argument("--start", metavar="DIR", help="begin with the weights of a model directory of the same shape")
    command.add_argument("--slots", type=int, default=128, help="N")
    command.add_argument("--slot-width", type=int, default=20, help="M")
    command.add_argument("--controller", type=int, default=100, help="width of the LSTM")
    command.add_argument("--heads", default="write,read", help="in order, at least one of read and one of write")
    command.add_argument("--order", default="interleaved", choices=ntm.CHOICES["order"], help="of reading and writing")
    command.add_argument("--strength-bias", type=float, default=0.0, help="added to every head's beta at the start")
    command.add_argument("--gate-bias", type=float, default=-2.0, help="added to every head's g at the start")
    command.add_argument(
        "--shift-bias", type=float, default=2.0, help="added to the write heads' move by +1 at the start"
    )
    command.add_argument("--lr", type=float, default=1e-3, help="Adam's learning rate; it falls in the second half")
    command.add_argument(
        "--clip", type=float, default=0.1, help="largest norm of the gradient; larger ones make training collapse"
    )
    command.add_argument("--batch", type=int, default=16, help="sequences a step, all of one size")
    command.add_argument("--steps", type=int, default=5000, help="at most so many")
    command.add_argument("--minutes", type=float, default=math.inf, help="stop after these; a later call goes on")
    command.add_argument("--validate-every", type=int, default=250, metavar="STEPS", help="steps between validations")
    command.add_argument(
        "--patience", type=int, default=10, help="stop after so many validations in a row without any error"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    defaults = argparse.ArgumentDefaultsHelpFormatter

    command = commands.add_parser("train", formatter_class=defaults, help="train, go on, write the best weights")
    command.set_defaults(run=run_train)
    add_train_flags(command)

    command = commands.add_parser("evaluate", formatter_class=defaults, help="bit errors of a model directory by size")
    command.set_defaults(run=run_evaluate)
    command.add_argument("--model", required=True, metavar="DIR", help="model directory")
    command.add_argument("--sizes", help="such as 'length=20 length=80'; default: the task's own list")
    command.add_argument("--sequences", type=int, default=1000, help="of each size")
    command.add_argument("--seed", type=int, default=7, help="of the sequences")
    command.add_argument("--device", help="cpu or cuda; a GPU if there is one")

    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (BadInput, OSError, ValueError) as error:
        sys.exit(f"train_ntm_sequences.py: {error}")


if __name__ == "__main__":
    main()
