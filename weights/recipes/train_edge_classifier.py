#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a link predictor: a GAT or GCN encodes the nodes, the inner product of two nodes' rows says how likely a link is.

    train_edge_classifier.py train    --graph=cora-visible.safetensors --work=DIR --output=DIR [--seeds=0-9]
    train_edge_classifier.py evaluate --graph=cora-visible.safetensors --model=DIR

The graph and the lists beside it come from hold_out_edges.py. The network sees the graph's edges, and learns to tell them from
as many pairs of nodes drawn at random in each epoch. It stops when for --patience epochs neither the loss nor the area under
the ROC curve on the val lists was at its best, and keeps the last epoch at which both were; of several seeds the one written
has the highest such area. The test lists choose nothing. A finished seed is kept in --work and not trained again,
an interrupted one goes on. Needs
PyTorch (1.13 or newer) and numpy; runs on CPU or GPU.
"""

import argparse
import sys

import numpy
import torch
import torch.nn.functional as F

import graph_file
import graph_training
from graph_file import BadInput
from graph_layers import Network


def read_pairs(path, nodes):
    """[2, P] of a list of SOURCE:TARGET lines."""
    pairs = []
    for number, line in enumerate(graph_file.read_lines(path), 1):
        ends = line.split(":")
        if len(ends) != 2 or not all(end.isdigit() and int(end) < nodes for end in ends):
            raise BadInput(f"{path}:{number}: '{line}' is no pair SOURCE:TARGET; the nodes are 0 to {nodes - 1}")
        pairs.append([int(end) for end in ends])
    return torch.tensor(pairs).t()


def read_examples(graph_path, part, nodes):
    """(pairs [2, P], 1 for each link and 0 for each other pair [P])"""
    links, others = (read_pairs(graph_file.beside(graph_path, f"{part}-{kind}"), nodes) for kind in ("links", "others"))
    return torch.cat([links, others], 1), torch.cat([torch.ones(links.shape[1]), torch.zeros(others.shape[1])])


def area_under_curve(scores, truth):
    """The share of (link, other pair) pairs in which the link scores higher; equal scores count half."""
    scores, truth = numpy.asarray(scores, dtype=numpy.float64), numpy.asarray(truth) == 1
    _, groups, counts = numpy.unique(scores, return_inverse=True, return_counts=True)
    ranks = (numpy.cumsum(counts) - (counts - 1) / 2)[groups]  # the mean rank of equal scores, from 1
    links, others = truth.sum(), (~truth).sum()
    return float((ranks[truth].sum() - links * (links + 1) / 2) / (links * others))


def make_config(arguments, features):
    hidden = {"name": "conv1", "out_channels": arguments.hidden}
    last = {"name": "conv2", "out_channels": arguments.embedding}
    if arguments.model == "gat":
        hidden.update(heads=arguments.heads, concat=True, activation="elu")
        last.update(heads=1, concat=False)
    else:
        hidden.update(activation="relu")
    return {
        "model_type": arguments.model,
        "task": "edge",
        "in_channels": features,
        "layers": [hidden, last],
        "decoder": {"type": "dot"},
        "output": "sigmoid",
        "labels": ["no link", "link"],
    }


def score(network, graph, examples):
    """(loss, area under the curve)"""
    pairs, truth = examples
    logits = network.link_logits(graph, pairs)
    return F.binary_cross_entropy_with_logits(logits, truth).item(), area_under_curve(logits.tolist(), truth.tolist())


def train_seed(run, arguments, config, graph, examples, seed):
    torch.manual_seed(seed)
    device = graph.edge_index.device
    network = Network(config, arguments.dropout, arguments.attention_dropout).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=arguments.lr, weight_decay=arguments.l2)
    links = graph.edge_index[:, graph.edge_index[0] < graph.edge_index[1]]
    truth = torch.cat([torch.ones(links.shape[1]), torch.zeros(links.shape[1])]).to(device)

    def losses():
        others = torch.randint(graph.nodes, links.shape).to(device)
        yield F.binary_cross_entropy_with_logits(network.link_logits(graph, torch.cat([links, others], 1)), truth)

    best = graph_training.train(run, network, optimizer, losses, lambda: score(network, graph, examples["val"]),
                                arguments.epochs, arguments.patience, "both")
    with torch.no_grad():
        best["test_score"] = score(network, graph, examples["test"])[1]
    return best


def run_train(arguments):
    device = graph_training.device(arguments)
    graph = graph_file.read(arguments.graph)
    config = make_config(arguments, graph.x.shape[1])
    examples = {part: tuple(t.to(device) for t in read_examples(arguments.graph, part, graph.nodes)) for part in ("val", "test")}
    graph = graph.to(device)
    graph_training.train_seeds(arguments, config, lambda run, seed: train_seed(run, arguments, config, graph, examples, seed),
                               "area under the curve")


def run_evaluate(arguments):
    graph, network = graph_file.read(arguments.graph), graph_training.read_network(arguments.model)
    with torch.no_grad():
        pairs, truth = read_examples(arguments.graph, "test", graph.nodes)
        logits = network.link_logits(graph, pairs)
    print(f"area under the curve {100 * area_under_curve(logits.tolist(), truth.tolist()):.2f} %, accuracy"
          f" {100 * ((logits > 0) == (truth == 1)).float().mean():.2f} % on {len(truth)} pairs")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    defaults = argparse.ArgumentDefaultsHelpFormatter

    command = commands.add_parser("train", formatter_class=defaults, help="train seeds, write the one that validates best")
    command.set_defaults(run=run_train)
    command.add_argument("--graph", required=True, metavar="FILE", help="the visible graph; the lists of pairs lie beside it")
    graph_training.add_run_flags(command, seeds=True)
    command.add_argument("--model", choices=("gat", "gcn"), default="gat", help="which convolution")
    command.add_argument("--hidden", type=int, default=8, help="width of a head (gat) or of the hidden layer (gcn)")
    command.add_argument("--heads", type=int, default=8, help="heads of the hidden layer (gat)")
    command.add_argument("--embedding", type=int, default=32, help="width of a node's row")
    command.add_argument("--dropout", type=float, default=0.5, help="share of each layer's inputs dropped")
    command.add_argument("--attention-dropout", type=float, default=0.0, help="share of attention coefficients dropped (gat)")
    command.add_argument("--lr", type=float, default=0.005, help="Adam's learning rate")
    command.add_argument("--l2", type=float, default=0.0, help="Adam's weight_decay")
    command.add_argument("--epochs", type=int, default=1000, help="at most so many")
    command.add_argument("--patience", type=int, default=100, help="epochs without a better one")

    command = commands.add_parser("evaluate", formatter_class=defaults, help="the area under the curve of a model directory")
    command.set_defaults(run=run_evaluate)
    command.add_argument("--graph", required=True, metavar="FILE", help="the visible graph; the lists of pairs lie beside it")
    command.add_argument("--model", required=True, metavar="DIR", help="model directory")

    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (BadInput, OSError) as error:
        sys.exit(f"train_edge_classifier.py: {error}")


if __name__ == "__main__":
    main()
