# SPDX-License-Identifier: Apache-2.0
"""What the trainers of language models share: the budget and its learning rate, an average of the weights, checkpoints to
resume from, the choice of weights by a development set, lines of progress.

WORK gets `checkpoint.pt`, all that a run needs to go on, and `best.pt`, the averaged weights that did best on `dev`.
"""

import contextlib
import copy
import json
import math
import os
import sys
import time

import numpy
import torch

import safetensors_file

SEED = 20
AVERAGE_DECAY = 0.999  # of the average of weights, for each update


def add_budget(command, rate, warmup, weight_decay):
    """The arguments that Training reads."""
    budget = command.add_mutually_exclusive_group(required=True)
    budget.add_argument("--seconds", type=float, default=0.0, help="budget: wall-clock time of all runs on WORK")
    budget.add_argument("--updates", type=int, default=0, help="budget: updates of all runs on WORK")
    command.add_argument("--rate", type=float, default=rate, help="full learning rate (%(default)s)")
    command.add_argument("--warmup", type=int, default=warmup, help="updates until the full learning rate (%(default)s)")
    command.add_argument("--weight-decay", type=float, default=weight_decay, help="of matrices (%(default)s)")
    command.add_argument("--saves", type=int, default=20, help="checkpoints in the whole budget (%(default)s)")
    command.add_argument("--report-every", type=int, default=100, help="updates between lines of progress (%(default)s)")
    add_device(command)


def add_device(command):
    command.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of matrix products (%(default)s)")
    command.add_argument("--threads", type=int, default=0, help="CPU threads; 0: PyTorch's own choice")
    command.add_argument("--device", default="", help="cpu or cuda; empty: cuda if there is one")


def device_of(arguments):
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)
    return torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def autocast(device, dtype):
    return torch.autocast(device.type, torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()


def load_ids(path, device):
    """{part: ids [tokens]} on the device"""
    with numpy.load(path) as arrays:
        return {name: torch.from_numpy(arrays[name].astype(numpy.int64)).to(device) for name in arrays.files}


def weight_count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def load_best(work, build):
    """The model that `build` makes of the shape, with best.pt's weights, ready to evaluate."""
    path = f"{work}/best.pt"
    if not os.path.exists(path):
        sys.exit(f"no {path}: run `train` first")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = build(saved["shape"])
    model.load_state_dict(saved["model"])
    print(f"{path}: update {saved['step']}, dev {saved['figure']:.4f}")
    return model.eval()


def write_directory(output, model, configurations):
    """model.safetensors in f16 and {name: content} as NAME.json."""
    os.makedirs(output, exist_ok=True)
    tensors = {name: tensor.half() for name, tensor in model.state_dict().items()}
    safetensors_file.write(f"{output}/model.safetensors", tensors)
    for name, content in configurations.items():
        with open(f"{output}/{name}.json", "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
    size = os.path.getsize(f"{output}/model.safetensors")
    print(f"{output}: {size / 1e6:.2f} MB, {sum(tensor.numel() for tensor in tensors.values())} weights")


class Training:
    """A run. `batch_loss(fraction, step)` gives the loss of the next batch and its number of tokens; `validate(model)` a
    figure that is the lower the better. Neither changes the random state of the other."""

    def __init__(self, model, arguments, device):
        self.model, self.arguments, self.device = model, arguments, device
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
        others = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": arguments.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=device.type == "cuda")
        self.step, self.seconds, self.tokens, self.best = 0, 0.0, 0, math.inf
        path = f"{arguments.work}/checkpoint.pt"
        if os.path.exists(path):
            saved = torch.load(path, map_location=device, weights_only=True)
            if saved["shape"] != model.shape:
                sys.exit(f"{path} was trained as {saved['shape']}, not {model.shape}")
            for name in ("model", "average", "optimizer"):
                getattr(self, name).load_state_dict(saved[name])
            self.step, self.seconds, self.tokens, self.best = (saved[name] for name in ("step", "seconds", "tokens", "best"))
        torch.manual_seed(SEED + self.step)  # a resumed run draws other batches and masks than the first part did
        self.began = time.monotonic() - self.seconds
        print(f"{weight_count(model)} weights on {device}, from update {self.step}", flush=True)

    def fraction(self):
        """The part of the budget that is spent."""
        if self.arguments.updates:
            return self.step / self.arguments.updates
        return (time.monotonic() - self.began) / self.arguments.seconds

    def learning_rate(self, fraction):
        """Warm-up, then half a cosine to nearly zero at the end of the budget."""
        rate = self.arguments.rate * min(1.0, (self.step + 1) / self.arguments.warmup)
        return rate * max(0.01, 0.5 + 0.5 * math.cos(math.pi * min(1.0, fraction)))

    def update(self, loss, fraction):
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(fraction)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        decay = min(AVERAGE_DECAY, self.step / (self.step + 9))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)

    def save(self, validate):
        arguments, state = self.arguments, torch.random.get_rng_state()
        with torch.no_grad(), autocast(self.device, arguments.dtype):
            figure = validate(self.average)
        torch.random.set_rng_state(state)
        common = {"shape": self.model.shape, "step": self.step}
        if figure < self.best:
            self.best = figure
            self.write("best.pt", {**common, "model": self.average.state_dict(), "figure": figure})
        self.seconds = time.monotonic() - self.began
        parts = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")}
        self.write("checkpoint.pt", {**common, **parts, "seconds": self.seconds, "tokens": self.tokens, "best": self.best})
        print(f"checkpoint at update {self.step}, {self.seconds:.0f} s: dev {figure:.4f}, best {self.best:.4f}", flush=True)

    def write(self, name, content):
        path = f"{self.arguments.work}/{name}"
        torch.save(content, f"{path}.partial")
        os.replace(f"{path}.partial", path)

    def run(self, batch_loss, validate):
        arguments, fraction = self.arguments, self.fraction()
        next_save = int(fraction * arguments.saves) + 1
        loss_sum, reported = torch.zeros((), device=self.device), (time.monotonic(), self.step, self.tokens)
        self.model.train()
        while fraction < 1:
            with autocast(self.device, arguments.dtype):
                loss, tokens = batch_loss(fraction, self.step)
            self.update(loss, fraction)
            self.tokens += tokens
            loss_sum += loss.detach()
            fraction = self.fraction()
            if self.step % arguments.report_every == 0:
                mean, now = float(loss_sum) / (self.step - reported[1]), time.monotonic()
                seconds = now - reported[0]
                print(
                    f"update {self.step} {min(fraction, 1):.1%} loss {mean:.3f} rate {self.learning_rate(fraction):.1e} "
                    f"{self.tokens / 1e6:.1f} M tokens {(self.tokens - reported[2]) / seconds:.0f} tokens/s "
                    f"{1000 * seconds / (self.step - reported[1]):.1f} ms/update",
                    flush=True,
                )
                if not math.isfinite(mean):
                    sys.exit(f"the loss is {mean} at update {self.step}")
                loss_sum, reported = torch.zeros_like(loss_sum), (now, self.step, self.tokens)
            if fraction * arguments.saves >= next_save or fraction >= 1:
                self.save(validate)
                next_save = int(self.fraction() * arguments.saves) + 1
