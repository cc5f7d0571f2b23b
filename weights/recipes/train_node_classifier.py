#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a GAT or GCN that classifies the nodes of one graph, and writes it as a model directory.

    train_node_classifier.py train    --graph=cora.safetensors --work=DIR --output=DIR [--model=gcn] [--seeds=0-9]
    train_node_classifier.py evaluate --graph=cora.safetensors --nodes=cora.test.txt --model=DIR

The graph file comes from from_planetoid.py, from_musae.py or karate_club.py; the lists of nodes beside it (cora.train.txt,
cora.val.txt, cora.test.txt) are the split, cora.labels.txt the classes' names. Whole graph in each step, Adam, L2, dropout;
stops when for --patience epochs neither the validation loss nor accuracy was at its best, and keeps the last epoch at which
both were. Of several seeds the one written is that of the highest validation accuracy, and of those the lowest validation
loss; test nodes choose nothing. A finished seed is kept in --work and not trained again,
an interrupted one goes on. Needs PyTorch (1.13 or newer) and
numpy; runs on CPU or GPU.
"""

import argparse
import os
import sys

import torch
import torch.nn.functional as F

import graph_file
import graph_training
from graph_file import BadInput
from graph_layers import Network


def read_labels(path, classes):
    if not os.path.exists(path):
        return [str(index) for index in range(classes)]
    labels = graph_file.read_lines(path)
    if len(labels) != classes:
        raise BadInput(f"{path}: {len(labels)} names, but the graph has {classes} classes")
    return labels


def make_config(arguments, features, labels):
    hidden = {"name": "conv1", "out_channels": arguments.hidden}
    last = {"name": "conv2", "out_channels": len(labels)}
    if arguments.model == "gat":
        hidden.update(heads=arguments.heads, concat=True, activation="elu")
        last.update(heads=arguments.output_heads, concat=False)
    else:
        hidden.update(activation="relu")
    return {
        "model_type": arguments.model,
        "task": "node",
        "in_channels": features,
        "layers": [hidden, last],
        "output": "softmax",
        "labels": labels,
    }


def accuracy(logits, y, nodes):
    return (logits[nodes].argmax(-1) == y[nodes]).float().mean().item()


def train_seed(run, arguments, config, graph, split, seed):
    torch.manual_seed(seed)
    network = Network(config, arguments.dropout, arguments.attention_dropout).to(graph.y.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=arguments.lr, weight_decay=arguments.l2)
    train, validation = split["train"], split["val"]

    def losses():
        yield F.cross_entropy(network(graph)[train], graph.y[train])

    def validate():
        logits = network(graph)
        return F.cross_entropy(logits[validation], graph.y[validation]).item(), accuracy(logits, graph.y, validation)

    best = graph_training.train(run, network, optimizer, losses, validate, arguments.epochs, arguments.patience,
                                "both")
    with torch.no_grad():
        best["test_score"] = accuracy(network(graph), graph.y, split["test"])
    return best


def run_train(arguments):
    device = graph_training.device(arguments)
    graph = graph_file.read(arguments.graph)
    if graph.y is None:
        raise BadInput(f"{arguments.graph}: has no y")
    labels = read_labels(graph_file.beside(arguments.graph, "labels"), int(graph.y.max()) + 1)
    config = make_config(arguments, graph.x.shape[1], labels)
    split = {part: graph_file.read_nodes(graph_file.beside(arguments.graph, part), graph.nodes).to(device)
             for part in ("train", "val", "test")}
    graph = graph.to(device)
    graph_training.train_seeds(arguments, config, lambda run, seed: train_seed(run, arguments, config, graph, split, seed), "accuracy")


def run_evaluate(arguments):
    graph, network = graph_file.read(arguments.graph), graph_training.read_network(arguments.model)
    nodes = graph_file.read_nodes(arguments.nodes, graph.nodes)
    with torch.no_grad():
        print(f"accuracy {100 * accuracy(network(graph), graph.y, nodes):.2f} % on {len(nodes)} nodes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    defaults = argparse.ArgumentDefaultsHelpFormatter

    command = commands.add_parser("train", formatter_class=defaults, help="train seeds, write the one that validates best")
    command.set_defaults(run=run_train)
    command.add_argument("--graph", required=True, metavar="FILE", help="graph file with y; its split lies beside it")
    graph_training.add_run_flags(command, seeds=True)
    command.add_argument("--model", choices=("gat", "gcn"), default="gat", help="which convolution")
    command.add_argument("--hidden", type=int, default=8, help="width of a head (gat) or of the hidden layer (gcn)")
    command.add_argument("--heads", type=int, default=8, help="heads of the hidden layer (gat)")
    command.add_argument("--output-heads", type=int, default=1, help="heads of the last layer, whose mean is taken (gat)")
    command.add_argument("--dropout", type=float, default=0.6, help="share of each layer's inputs dropped")
    command.add_argument("--attention-dropout", type=float, default=0.6, help="share of attention coefficients dropped (gat)")
    command.add_argument("--lr", type=float, default=0.005, help="Adam's learning rate")
    command.add_argument("--l2", type=float, default=5e-4, help="Adam's weight_decay")
    command.add_argument("--epochs", type=int, default=2000, help="at most so many")
    command.add_argument("--patience", type=int, default=100, help="epochs without a better one")

    command = commands.add_parser("evaluate", formatter_class=defaults, help="the accuracy of a model directory")
    command.set_defaults(run=run_evaluate)
    command.add_argument("--graph", required=True, metavar="FILE", help="graph file with y")
    command.add_argument("--nodes", required=True, metavar="FILE", help="the nodes to score, one id a line")
    command.add_argument("--model", required=True, metavar="DIR", help="model directory")

    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (BadInput, OSError) as error:
        sys.exit(f"train_node_classifier.py: {error}")


if __name__ == "__main__":
    main()
