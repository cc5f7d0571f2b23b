#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a GAT or GCN that classifies whole graphs, such as MUTAG's molecules.

    train_graph_classifier.py crossvalidate --graph=mutag.safetensors --work=DIR
    train_graph_classifier.py train         --graph=mutag.safetensors --epochs=N --output=DIR --labels=A,B
    train_graph_classifier.py evaluate      --graph=mutag.safetensors --model=DIR

The file, with graph_ptr and y, comes from from_tu.py. `crossvalidate` cuts it into ten stratified folds and prints two
figures. Honest: for each fold a stratified tenth of the other nine chooses the epoch (the highest accuracy, of equal ones the
lowest loss), the rest of them trains, and the fold is looked at once. Customary: the other nine train, and the epoch is that of
the best mean accuracy over all folds, so that the folds have chosen it themselves. A finished fold is kept in --work and not
trained again. `train` trains on all graphs for --epochs epochs, such as the median of those that cross-validation chose. Needs
PyTorch (1.13 or newer) and numpy; runs on CPU or GPU.
"""

import argparse
import statistics
import sys

import torch
import torch.nn.functional as F

import graph_file
import graph_training
from graph_file import BadInput
from graph_layers import POOLINGS, Network


def stratified_folds(y, count, seed):
    """A list of tensors of indices of y, together all of them, each with the classes in equal shares as far as they go."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.cat([(y == label).nonzero()[:, 0][torch.randperm(int((y == label).sum()), generator=generator)]
                       for label in y.unique()])
    return [order[start::count] for start in range(count)]


def without(indices, total):
    keep = torch.ones(total, dtype=torch.bool)
    keep[indices] = False
    return keep.nonzero()[:, 0]


def make_config(arguments, features, labels):
    layers = []
    for index in range(arguments.layers):
        layer = {"name": f"conv{index + 1}", "out_channels": arguments.hidden}
        if arguments.model == "gat":
            layer.update(heads=arguments.heads, concat=True)
        if arguments.residual:
            layer["residual"] = True
        layers.append({**layer, "activation": "elu"})
    return {
        "model_type": arguments.model,
        "task": "graph",
        "in_channels": features,
        "layers": layers,
        "readout": {"pooling": arguments.pooling},
        "mlp": [{"name": "lin1", "activation": "relu"}, {"name": "lin2"}],
        "output": "softmax",
        "labels": labels,
    }


class Training:
    """A network, its optimizer, and the batches of its training graphs in an order drawn anew for each epoch."""

    def __init__(self, arguments, config, graphs, seed):
        torch.manual_seed(seed)
        self.graphs, self.batch = graphs, arguments.batch
        self.network = Network(config, arguments.dropout, arguments.attention_dropout).to(graphs.y.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=arguments.lr, weight_decay=arguments.l2)

    def losses(self):
        order = torch.randperm(len(self.graphs.y)).to(self.graphs.y.device)
        for batch in order.split(self.batch):
            chosen = self.graphs.select_graphs(batch)
            yield F.cross_entropy(self.network(chosen), chosen.y)

    def epoch(self):
        graph_training.train_epoch(self.network, self.optimizer, self.losses)


def score(network, graphs):
    """(loss, accuracy)"""
    with torch.no_grad():
        logits = network(graphs)
    return F.cross_entropy(logits, graphs.y).item(), (logits.argmax(-1) == graphs.y).float().mean().item()


def honest_fold(run, arguments, config, graphs, fold, test):
    others = without(test, len(graphs.y))
    inner = others[stratified_folds(graphs.y[others], arguments.folds, arguments.seed)[0]]
    training = Training(arguments, config, graphs.select_graphs(without(torch.cat([test, inner]), len(graphs.y))), fold)
    validation = graphs.select_graphs(inner)
    best = graph_training.train(run, training.network, training.optimizer, training.losses,
                                lambda: score(training.network, validation), arguments.epochs, arguments.patience,
                                "score")
    best["test_score"] = score(training.network, graphs.select_graphs(test))[1]
    return best


def customary_fold(arguments, config, graphs, fold, test):
    """The test accuracy after each epoch."""
    training = Training(arguments, config, graphs.select_graphs(without(test, len(graphs.y))), fold)
    held_out, curve = graphs.select_graphs(test), []
    for _ in range(arguments.epochs):
        training.epoch()
        curve.append(score(training.network, held_out)[1])
    return curve


def run_crossvalidate(arguments):
    graphs, config = prepare(arguments)
    runs = graph_training.Runs(arguments.work, arguments)
    honest, curves = [], []
    for fold, test in enumerate(stratified_folds(graphs.y, arguments.folds, arguments.seed)):
        best = runs.result(f"fold-{fold}", lambda run: honest_fold(run, arguments, config, graphs, fold, test))
        curves.append(runs.result(f"fold-{fold}-curve", lambda run: customary_fold(arguments, config, graphs, fold, test)))
        honest.append(best)
        print(f"fold {fold}: epoch {best['epoch']}, val loss {best['val_loss']:.4f}, accuracy: val"
              f" {100 * best['val_score']:.2f} %, test {100 * best['test_score']:.2f} %", flush=True)
    print(f"chosen epochs: median {statistics.median_low([result['epoch'] for result in honest])};"
          f" mean val loss {statistics.mean(result['val_loss'] for result in honest):.4f}")
    print(f"honest: {graph_training.mean_and_deviation([100 * result['test_score'] for result in honest])} %")
    means = [statistics.mean(curve[epoch] for curve in curves) for epoch in range(arguments.epochs)]
    epoch = means.index(max(means))
    print(f"customary: {graph_training.mean_and_deviation([100 * curve[epoch] for curve in curves])} % at epoch {epoch + 1}")


def run_train(arguments):
    graphs, config = prepare(arguments)
    training = Training(arguments, config, graphs, arguments.seed)
    for epoch in range(1, arguments.epochs + 1):
        training.epoch()
        if epoch % 10 == 0 or epoch == arguments.epochs:
            print(f"epoch {epoch} of {arguments.epochs}: training loss {score(training.network, graphs)[0]:.4f}", flush=True)
    graph_training.write_model(arguments.output, config, training.network.state_dict())


def run_evaluate(arguments):
    graphs, network = graph_file.read(arguments.graph), graph_training.read_network(arguments.model)
    print(f"accuracy {100 * score(network, graphs)[1]:.2f} % on {len(graphs.y)} graphs")


def prepare(arguments):
    graphs = graph_file.read(arguments.graph)
    if graphs.y is None or graphs.graph_ptr is None:
        raise BadInput(f"{arguments.graph}: has no {'y' if graphs.y is None else 'graph_ptr'}")
    classes = int(graphs.y.max()) + 1
    labels = arguments.labels.split(",") if arguments.labels else [str(index) for index in range(classes)]
    if len(labels) != classes:
        raise BadInput(f"--labels has {len(labels)} names, the file {classes} classes")
    return graphs.to(graph_training.device(arguments)), make_config(arguments, graphs.x.shape[1], labels)


def add_training_flags(command):
    command.add_argument("--graph", required=True, metavar="FILE", help="graph file with graph_ptr and y")
    command.add_argument("--labels", help="the classes' names, comma-separated")
    command.add_argument("--model", choices=("gat", "gcn"), default="gat", help="which convolution")
    command.add_argument("--layers", type=int, default=2, help="convolutions")
    command.add_argument("--hidden", type=int, default=8, help="width of a head (gat) or of a layer (gcn)")
    command.add_argument("--heads", type=int, default=4, help="heads of a layer (gat)")
    command.add_argument("--residual", action="store_true", help="layers add a linear map of their input")
    command.add_argument("--pooling", choices=POOLINGS, default="sum", help="from nodes to graphs")
    command.add_argument("--dropout", type=float, default=0.0, help="share of each layer's inputs dropped")
    command.add_argument("--attention-dropout", type=float, default=0.0, help="share of attention coefficients dropped (gat)")
    command.add_argument("--batch", type=int, default=32, help="graphs a step")
    command.add_argument("--lr", type=float, default=0.01, help="Adam's learning rate")
    command.add_argument("--l2", type=float, default=1e-4, help="Adam's weight_decay")
    command.add_argument("--seed", type=int, default=0, help="draws the folds, or the weights trained on all graphs")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    defaults = argparse.ArgumentDefaultsHelpFormatter

    command = commands.add_parser("crossvalidate", formatter_class=defaults, help="ten-fold cross-validation, both protocols")
    command.set_defaults(run=run_crossvalidate)
    add_training_flags(command)
    graph_training.add_run_flags(command, seeds=False)
    command.add_argument("--folds", type=int, default=10, help="and of the rest one in so many chooses the epoch")
    command.add_argument("--epochs", type=int, default=200, help="at most so many; the customary protocol runs all")
    command.add_argument("--patience", type=int, default=100, help="epochs without a better one")

    command = commands.add_parser("train", formatter_class=defaults, help="train on all graphs, write a model directory")
    command.set_defaults(run=run_train)
    add_training_flags(command)
    command.add_argument("--epochs", type=int, required=True, help="exactly so many")
    command.add_argument("--output", required=True, metavar="DIR", help="model directory to write")
    command.add_argument("--device", help="cpu or cuda; a GPU if there is one")

    command = commands.add_parser("evaluate", formatter_class=defaults, help="the accuracy of a model directory")
    command.set_defaults(run=run_evaluate)
    command.add_argument("--graph", required=True, metavar="FILE", help="graph file with graph_ptr and y")
    command.add_argument("--model", required=True, metavar="DIR", help="model directory")

    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (BadInput, OSError) as error:
        sys.exit(f"train_graph_classifier.py: {error}")


if __name__ == "__main__":
    main()
