# SPDX-License-Identifier: Apache-2.0
"""What the trainers of graph networks share: early stopping, runs that a later call takes up, the model directory."""

import json
import math
import os
import statistics
import time

import torch

import graph_file
import safetensors_file
from graph_file import BadInput
from graph_layers import Network

PROGRESS_SECONDS = 10
CHECKPOINT_SECONDS = 60


class EarlyStopping:
    """Keeps the weights of the best epoch and says when to stop looking for a better one.

    A score is an accuracy, or what else is better when higher. `rule` "both" is that of the GAT paper's code: training goes on
    until for `patience` epochs neither the validation loss nor the validation score has been at its best; kept are the weights
    of the last epoch at which both were. `rule` "score" looks for the highest score, and among equal ones the lowest loss: for
    validation sets so small that one confident mistake makes up the loss.
    """

    def __init__(self, network, patience, rule):
        self.network, self.patience, self.rule = network, patience, rule
        self.lowest_loss, self.highest_score, self.waited = math.inf, -math.inf, 0
        self.best = None

    def update(self, epoch, loss, score):
        low, high = loss <= self.lowest_loss, score >= self.highest_score
        if self.best is None:
            keep = True
        elif self.rule == "both":
            keep = low and high
        else:
            keep = (score, -loss) > (self.best["val_score"], -self.best["val_loss"])
        if keep:
            weights = {name: value.clone() for name, value in self.network.state_dict().items()}
            self.best = {"epoch": epoch, "val_loss": loss, "val_score": score, "weights": weights}
        goes_on = keep or (self.rule == "both" and (low or high))
        self.waited = 0 if goes_on else self.waited + 1
        self.lowest_loss, self.highest_score = min(loss, self.lowest_loss), max(score, self.highest_score)

    @property
    def stop(self):
        return self.waited >= self.patience


def train_epoch(network, optimizer, losses):
    """One update for each loss of the generator losses()."""
    network.train()
    for loss in losses():
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()


def save(path, content):
    """torch.save that a crash half-way leaves no broken file of."""
    torch.save(content, f"{path}.partial")
    os.replace(f"{path}.partial", path)


def load(path):
    return torch.load(path, map_location="cpu", weights_only=True)


def train(run, network, optimizer, losses, validate, epochs, patience, rule):
    """Trains until EarlyStopping says so and returns the best epoch's {"epoch", "val_loss", "val_score", "weights"} by
    validate(), which gives (loss, score); the network holds those weights afterwards. An interrupted run goes on from its
    checkpoint, and on a CPU as if it had never stopped; a GPU draws other dropout masks."""
    stopping, first = EarlyStopping(network, patience, rule), 1
    if os.path.exists(run.checkpoint):
        state = load(run.checkpoint)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        stopping.__dict__.update(state["stopping"])
        torch.set_rng_state(state["random"])
        first = state["epoch"] + 1
        print(f"{run.name}: goes on after epoch {state['epoch']}", flush=True)
    shown = saved = time.monotonic()
    for epoch in range(first, epochs + 1):
        train_epoch(network, optimizer, losses)
        with torch.no_grad():
            stopping.update(epoch, *validate())
        if stopping.stop:
            break
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            print(f"{run.name}: epoch {epoch} of at most {epochs}, best val loss {stopping.lowest_loss:.4f},"
                  f" val score {stopping.highest_score:.4f}", flush=True)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            saved = time.monotonic()
            save(run.checkpoint, {
                "epoch": epoch,
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "stopping": {name: value for name, value in vars(stopping).items() if name != "network"},
                "random": torch.get_rng_state(),
            })
    network.load_state_dict(stopping.best["weights"])
    return stopping.best


class Run:
    """One training run of a work directory: its name, and where train() keeps a checkpoint of it."""

    def __init__(self, directory, name):
        self.name = name
        self.path = os.path.join(directory, f"{name}.pt")
        self.checkpoint = os.path.join(directory, f"{name}.checkpoint.pt")


class Runs:
    """Runs by name, in a directory, so that an interrupted call goes on where it was. Runs made with other flags are
    refused, but for the flags that change no run."""

    CHANGE_NO_RUN = ("run", "seeds", "work", "output", "device", "labels")

    def __init__(self, directory, arguments):
        self.directory = directory
        settings = {name: value for name, value in vars(arguments).items() if name not in self.CHANGE_NO_RUN}
        os.makedirs(directory, exist_ok=True)
        path, text = os.path.join(directory, "settings.json"), json.dumps(settings, indent=1, sort_keys=True)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                if file.read() != text:
                    raise BadInput(f"{path}: the runs there were made with other flags; name another --work or remove it")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def result(self, name, make):
        """What make(run) returned for that name, now or in an earlier call."""
        run = Run(self.directory, name)
        if not os.path.exists(run.path):
            save(run.path, make(run))
            if os.path.exists(run.checkpoint):
                os.remove(run.checkpoint)
        return load(run.path)


def mean_and_deviation(values):
    return f"{statistics.mean(values):.2f} +- {statistics.pstdev(values):.2f}"


def numbers(text):
    """[0, 1, 2, 5] of "0-2,5", for flags."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def add_run_flags(command, seeds):
    """The flags of train_seeds(), or without `seeds` those of any run."""
    command.add_argument("--work", required=True, metavar="DIR", help="runs are kept here, finished or not")
    command.add_argument("--device", help="cpu or cuda; a GPU if there is one")
    if seeds:
        command.add_argument("--output", metavar="DIR", help="model directory to write")
        command.add_argument("--seeds", type=numbers, default=[0], help="such as 0-9 or 1,2,7")


def train_seeds(arguments, config, train_seed, measure):
    """Makes train_seed(run, seed) for each of --seeds, prints their scores, and writes the one that validates best as --output. A
    run's result is what train() returned and a "test_score"; `measure` says in words what the scores are."""
    runs, results = Runs(arguments.work, arguments), {}
    for seed in arguments.seeds:
        started = time.monotonic()
        best = results[seed] = runs.result(f"seed-{seed}", lambda run: train_seed(run, seed))
        print(f"seed {seed}: epoch {best['epoch']}, val loss {best['val_loss']:.4f}, {measure}: val {100 * best['val_score']:.2f} %,"
              f" test {100 * best['test_score']:.2f} % ({time.monotonic() - started:.0f} s)", flush=True)
    means = {part: mean_and_deviation([100 * best[f"{part}_score"] for best in results.values()]) for part in ("val", "test")}
    print(f"{len(results)} seeds, {measure}: val {means['val']} %, test {means['test']} %")
    chosen = max(results, key=lambda seed: (results[seed]["val_score"], -results[seed]["val_loss"]))
    print(f"chosen by validation: seed {chosen}, {measure}: test {100 * results[chosen]['test_score']:.2f} %")
    if arguments.output:
        write_model(arguments.output, config, results[chosen]["weights"])


def device(arguments):
    return torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def write_model(directory, config, weights):
    """config.json and model.safetensors."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    path = os.path.join(directory, "model.safetensors")
    safetensors_file.write(path, weights)
    print(f"{directory}: {len(weights)} tensors, {sum(t.numel() for t in weights.values())} weights,"
          f" {os.path.getsize(path)} bytes")


def read_network(directory):
    """The network of a model directory, ready to be asked."""
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        network = Network(json.load(file))
    network.load_state_dict(graph_file.read_tensors(os.path.join(directory, "model.safetensors")))
    return network.eval()
