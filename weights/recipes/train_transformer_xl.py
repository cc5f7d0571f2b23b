#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the Transformer-XL behind weights/txl-novels and writes it as a Hugging Face TransfoXLLMHeadModel directory.

    train_transformer_xl.py prepare  --data=NOVELS --work=WORK      vocabulary and token ids
    train_transformer_xl.py train    --work=WORK --seconds=7200     resumes from the last checkpoint
    train_transformer_xl.py evaluate --work=WORK                    perplexity of `valid` by memory
    train_transformer_xl.py export   --work=WORK --output=DIR       stores f16

NOVELS has train.txt.gz and valid.txt.gz, a paragraph a line (novels_data.py). The first part of the budget reads with a
short memory; from --long-from on the memory is as long as the one that is served. Memories start as zeros, and are set
back to zeros now and then, because that is how a served text begins. The weights that are exported are an average over
updates, and of these the one with the lowest loss on `dev`.

Runs on a GPU if there is one. Needs PyTorch (2.4 or newer) and numpy; `prepare` needs sacremoses 0.2.0, too.
"""

import argparse
import math
import shutil

import torch

import language_model_training
import novels_data
from language_model_training import Training, autocast, device_of, load_best, load_ids, write_directory
from transformer_xl_model import TransformerXL, configuration

SEGMENT = 128  # tokens that are read at once where no memory is carried on
CARRIED_SEGMENT = 512  # the same with memory; the result does not depend on it
CUTOFFS, DIV_VAL = [2000, 6000], 2


def text_loss(model, ids, nothing, carried=True):
    """Mean negative log-likelihood of the tokens of one text after its first. `nothing` is the memory before a text;
    where memory is not `carried`, each segment begins with it."""
    memory, length = nothing, CARRIED_SEGMENT if carried else SEGMENT
    total = torch.zeros((), dtype=torch.float64, device=ids.device)
    with torch.no_grad():
        for start in range(0, len(ids) - 1, length):
            segment = ids[start : start + length + 1]
            hidden, after = model(segment[None, :-1], memory)
            total += model.losses(hidden[0], segment[1:]).double().sum()
            memory = after if carried else memory
    return float(total) / (len(ids) - 1)


class Reader:
    """Gives a training run its losses: the streams, and the memory of each."""

    def __init__(self, model, ids, arguments, seed, nothing):
        """`nothing(fraction)` is the memory before a text [rows, ., .], a list of tensors"""
        self.model, self.forget, self.nothing, self.memory = model, arguments.forget, nothing, []
        self.streams = novels_data.Streams(ids, arguments.rows, arguments.length, seed)

    def batch_loss(self, fraction, _):
        inputs, targets, fresh = self.streams.next()
        nothing = self.nothing(fraction)
        if fresh or [rows.shape for rows in self.memory] != [rows.shape for rows in nothing]:
            self.memory = nothing
        kept = (torch.rand(len(inputs), 1, 1, device=inputs.device) >= self.forget).float()
        hidden, self.memory = self.model(inputs, [rows * kept for rows in self.memory])
        losses = self.model.losses(hidden.flatten(0, 1), targets.flatten())
        return losses.mean(), inputs.numel()


def vocabulary_of(work):
    """The number of words"""
    with open(f"{work}/vocab.txt", encoding="utf-8") as file:
        return sum(1 for _ in file)


def train(arguments):
    device = device_of(arguments)
    ids = load_ids(f"{arguments.work}/words.npz", device)
    shape = {name: getattr(arguments, name) for name in ("d_model", "heads", "ffn", "layers", "memory")}
    shape |= {"vocabulary": vocabulary_of(arguments.work), "cutoffs": CUTOFFS, "div_val": DIV_VAL}
    model = TransformerXL(shape, arguments.dropout, arguments.attention_dropout).to(device)
    training = Training(model, arguments, device)

    def nothing(fraction):
        return model.no_memory(arguments.rows, arguments.short_memory if fraction < arguments.long_from else arguments.memory)

    reader = Reader(model, ids["train"], arguments, language_model_training.SEED + training.step, nothing)
    dev, dev_memory = ids["dev"][: arguments.dev_tokens], model.no_memory(1, arguments.memory)
    training.run(reader.batch_loss, lambda average: text_loss(average, dev, dev_memory))


def evaluate(arguments):
    device = device_of(arguments)
    model = load_best(arguments.work, TransformerXL).to(device)
    ids = load_ids(f"{arguments.work}/words.npz", device)["valid"][: arguments.tokens or None]
    served = model.shape["memory"]
    readings = [(f"memory 0 (each segment of {SEGMENT} begins with zeros)", served, False)]
    readings += [(f"memory {window}", window, True) for window in (served // 8, served // 4, served // 2, served, 2 * served)]
    for name, window, carried in readings:
        with autocast(device, arguments.dtype):
            loss = text_loss(model, ids, model.no_memory(1, window), carried)
        print(f"valid, {name}: loss {loss:.4f}, perplexity {math.exp(loss):.2f}", flush=True)


def export(arguments):
    model = load_best(arguments.work, TransformerXL)
    write_directory(arguments.output, model, {"config": configuration(model.shape, model.shape["memory"])})
    shutil.copyfile(f"{arguments.work}/vocab.txt", f"{arguments.output}/vocab.txt")


def add_reading(command):
    """The arguments of Reader, and of what is measured while training."""
    command.add_argument("--rows", type=int, default=64, help="texts side by side (%(default)s)")
    command.add_argument("--length", type=int, default=128, help="tokens of a segment (%(default)s)")
    command.add_argument("--forget", type=float, default=0.04, help="chance that a text loses its memory (%(default)s)")
    command.add_argument("--dev-tokens", type=int, default=50000, help="tokens of dev that are measured (%(default)s at most)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare", help="vocabulary and token ids")
    command.add_argument("--data", required=True, help="folder of train.txt.gz and valid.txt.gz")
    command.add_argument("--work", required=True, help="folder for tokens and checkpoints, outside the repository")
    command = commands.add_parser("train", help="train, from the last checkpoint if there is one")
    command.add_argument("--work", required=True)
    language_model_training.add_budget(command, rate=1e-3, warmup=400, weight_decay=0.1)
    add_reading(command)
    command.add_argument("--short-memory", type=int, default=128, help="rows of memory at first (%(default)s)")
    command.add_argument("--memory", type=int, default=512, help="rows of memory at the end, and served (%(default)s)")
    command.add_argument("--long-from", type=float, default=0.65, help="part of the budget with --short-memory (%(default)s)")
    command.add_argument("--dropout", type=float, default=0.3)
    command.add_argument("--attention-dropout", type=float, default=0.1)
    command.add_argument("--d-model", type=int, default=256)
    command.add_argument("--heads", type=int, default=8)
    command.add_argument("--ffn", type=int, default=1024)
    command.add_argument("--layers", type=int, default=6)
    command = commands.add_parser("evaluate", help="perplexity of `valid` by memory")
    command.add_argument("--work", required=True)
    command.add_argument("--tokens", type=int, default=0, help="only the first of `valid`; 0: all")
    language_model_training.add_device(command)
    command = commands.add_parser("export", help="write the model directory")
    command.add_argument("--work", required=True)
    command.add_argument("--output", required=True, help="model directory to write")
    arguments = parser.parse_args()
    actions = {"train": train, "evaluate": evaluate, "export": export}
    actions["prepare"] = lambda given: novels_data.prepare_words(given.data, given.work)
    actions[arguments.command](arguments)


if __name__ == "__main__":
    main()
