"""What the trainers of graph networks share: early stopping, finished runs that a later call takes up, the model directory."""

import json
import math
import os
import statistics
import time

import torch

import graph_file
import safetensors_file
from graph_file import BadInput

PROGRESS_SECONDS = 10


class EarlyStopping:
    """Keeps the weights of the best epoch and says when to stop looking for a better one.

    The rule of the GAT paper's code: training goes on until for `patience` epochs neither the validation loss nor the
    validation accuracy has been at its best; kept are the weights of the last epoch at which both were.
    """

    def __init__(self, network, patience):
        self.network, self.patience = network, patience
        self.lowest_loss, self.highest_accuracy, self.waited = math.inf, -math.inf, 0
        self.best = None

    def update(self, epoch, loss, accuracy):
        low, high = loss <= self.lowest_loss, accuracy >= self.highest_accuracy
        if (low and high) or self.best is None:
            weights = {name: value.clone() for name, value in self.network.state_dict().items()}
            self.best = {"epoch": epoch, "val_loss": loss, "val_accuracy": accuracy, "weights": weights}
        self.waited = 0 if low or high else self.waited + 1
        self.lowest_loss, self.highest_accuracy = min(loss, self.lowest_loss), max(accuracy, self.highest_accuracy)

    @property
    def stop(self):
        return self.waited >= self.patience


def train(name, network, optimizer, loss, validate, epochs, patience):
    """Minimises loss() and returns the best epoch's {"epoch", "val_loss", "val_accuracy", "weights"} by validate(), which
    gives (loss, accuracy); the network holds those weights afterwards."""
    stopping, shown = EarlyStopping(network, patience), time.monotonic()
    for epoch in range(1, epochs + 1):
        network.train()
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        network.eval()
        with torch.no_grad():
            stopping.update(epoch, *validate())
        if stopping.stop:
            break
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            print(f"{name}: epoch {epoch} of at most {epochs}, best val loss {stopping.lowest_loss:.4f},"
                  f" val accuracy {stopping.highest_accuracy:.4f}", flush=True)
    network.load_state_dict(stopping.best["weights"])
    return stopping.best


class Runs:
    """Finished runs by name, in a directory, so that an interrupted call goes on where it was. Runs made with other settings
    are refused."""

    def __init__(self, directory, settings):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        path, text = os.path.join(directory, "settings.json"), json.dumps(settings, indent=1, sort_keys=True)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                if file.read() != text:
                    raise BadInput(f"{path}: the runs there were made with other settings; name another --work or remove it")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def result(self, name, make):
        """What make() returned for that name, now or in an earlier call."""
        path = os.path.join(self.directory, f"{name}.pt")
        if not os.path.exists(path):
            torch.save(make(), f"{path}.partial")
            os.replace(f"{path}.partial", path)
        return torch.load(path, map_location="cpu", weights_only=True)


def mean_and_deviation(values):
    return f"{statistics.mean(values):.2f} +- {statistics.pstdev(values):.2f}"


def numbers(text):
    """[0, 1, 2, 5] of "0-2,5", for flags."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


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


def read_model(directory):
    """(config, weights) of a model directory."""
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    return config, graph_file.read_tensors(os.path.join(directory, "model.safetensors"))
