#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a graph file from MUSAE's files (SNAP), such as Facebook's page-page graph.

    from_musae.py DIR --output=facebook.safetensors [--name=facebook] [--split-seed=0]

DIR holds NAME.json (node -> feature ids), NAME_edges.csv and NAME_target.csv, gzipped or not, under these names or SNAP's
(musae_NAME_features.json, musae_NAME_edges.csv, musae_NAME_target.csv). A feature that a node has is 1. Edges are made
symmetric, without duplicates and loops. Classes are numbered in the order of their sorted names, which go beside the file as
facebook.labels.txt. A random split of the nodes into 60 % train, 20 % val and 20 % test, drawn by --split-seed, goes beside
it as lists of nodes. Needs PyTorch and numpy.
"""

import argparse
import csv
import gzip
import json
import os
import sys

import numpy
import torch

import graph_file
from graph_file import BadInput

TRAIN, VALIDATION = 0.6, 0.2


def open_text(directory, *names):
    for name in names:
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return open(path, encoding="utf-8", newline="")
        if os.path.exists(f"{path}.gz"):
            return gzip.open(f"{path}.gz", "rt", encoding="utf-8", newline="")
    raise BadInput(f"{directory}: has none of {', '.join(f'{name}[.gz]' for name in names)}")


def read_targets(directory, name, column):
    """(classes' names, y)"""
    with open_text(directory, f"{name}_target.csv", f"musae_{name}_target.csv") as file:
        reader = csv.DictReader(file)
        for needed in ("id", column):
            if needed not in reader.fieldnames:
                raise BadInput(f"{file.name}: no column '{needed}'; there are {', '.join(reader.fieldnames)}")
        targets = {int(row["id"]): row[column] for row in reader}
    if sorted(targets) != list(range(len(targets))):
        raise BadInput(f"{file.name}: ids are not 0 to {len(targets) - 1}, each once")
    labels = sorted(set(targets.values()))
    return labels, torch.tensor([labels.index(targets[node]) for node in range(len(targets))])


def read_features(directory, name, nodes):
    with open_text(directory, f"{name}.json", f"musae_{name}_features.json") as file:
        features = {int(node): columns for node, columns in json.load(file).items()}
    beyond = [node for node in features if not 0 <= node < nodes]
    if beyond:
        raise BadInput(f"{file.name}: node {beyond[0]} has features, but the nodes are 0 to {nodes - 1}")
    width = max((max(columns) for columns in features.values() if columns), default=-1) + 1
    return graph_file.sparse_rows([dict.fromkeys(features.get(node, ()), 1.0) for node in range(nodes)], width)


def read_pairs(directory, name):
    with open_text(directory, f"{name}_edges.csv", f"musae_{name}_edges.csv") as file:
        reader = csv.reader(file)
        next(reader)
        return [(int(source), int(target)) for source, target in reader]


def random_split(nodes, seed):
    order = numpy.random.RandomState(seed).permutation(nodes)  # the same in all versions of numpy
    train, validation = round(TRAIN * nodes), round((TRAIN + VALIDATION) * nodes)
    parts = {"train": order[:train], "val": order[train:validation], "test": order[validation:]}
    return {part: sorted(ids.tolist()) for part, ids in parts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", metavar="DIR", help="holds MUSAE's three files")
    parser.add_argument("--name", default="facebook", help="the files' name (default: %(default)s)")
    parser.add_argument("--target-column", default="page_type", help="holds the class (default: %(default)s; git: ml_target)")
    parser.add_argument("--split-seed", type=int, default=0, help="draws the split (default: %(default)s)")
    parser.add_argument("--output", required=True, metavar="FILE", help="the graph file to write")
    arguments = parser.parse_args()
    try:
        labels, y = read_targets(arguments.directory, arguments.name, arguments.target_column)
        x = read_features(arguments.directory, arguments.name, len(y))
        edges = graph_file.undirected(read_pairs(arguments.directory, arguments.name), len(y))
        graph = graph_file.Graph(x, edges, y)
        graph_file.write(arguments.output, graph)
        graph_file.describe(arguments.output, graph)
        graph_file.write_lines(graph_file.beside(arguments.output, "labels"), labels)
        for part, nodes in random_split(len(y), arguments.split_seed).items():
            path = graph_file.beside(arguments.output, part)
            graph_file.write_lines(path, nodes)
            print(f"{path}: {len(nodes)} nodes")
    except (BadInput, OSError) as error:
        sys.exit(f"from_musae.py: {error}")


if __name__ == "__main__":
    main()
