#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a graph file from the Planetoid files of a citation graph: Cora, Citeseer, Pubmed.

    from_planetoid.py DIR --output=cora.safetensors [--name=cora]

DIR holds ind.NAME.{allx,ally,tx,ty,graph,test.index}. Each feature row is divided by its sum (a row of zeros stays);
edges are made symmetric, without duplicates and loops; y is the label column. The public split goes beside the file as
lists of nodes, cora.train.txt (the first of allx, 20 of each class), cora.val.txt (the next 500) and cora.test.txt
(test.index), and the names of Cora's classes as cora.labels.txt. Nodes that test.index leaves out (Citeseer) have no features
and y -1.

The files are Python pickles, which can hold code; only arrays, sparse matrices and dictionaries are taken from them, anything
else is refused. Needs PyTorch and numpy.
"""

import argparse
import collections
import os
import pickle
import sys

import numpy
import torch

import graph_file
from graph_file import BadInput

VALIDATION = 500
PER_CLASS = 20

# Planetoid's files hold no names. These follow from the classes' sizes in the original Cora (LINQS), which all differ: 351,
# 217, 418, 818, 426, 298, 180.
LABELS = {
    "cora": [
        "Theory",
        "Reinforcement_Learning",
        "Genetic_Algorithms",
        "Neural_Networks",
        "Probabilistic_Methods",
        "Case_Based",
        "Rule_Learning",
    ],
}


class CsrMatrix:
    """Takes the state of a pickled scipy.sparse.csr_matrix: data, indices, indptr and _shape."""

    def __setstate__(self, state):
        self.__dict__.update(state)

    def rows(self):
        """A list of {column: value}."""
        rows = []
        for begin, end in zip(self.indptr[:-1], self.indptr[1:]):
            row = {}
            for column, value in zip(self.indices[begin:end].tolist(), self.data[begin:end].tolist()):
                row[column] = row.get(column, 0.0) + value
            rows.append(row)
        return rows


class PlanetoidUnpickler(pickle.Unpickler):
    ALLOWED = {
        ("scipy.sparse.csr", "csr_matrix"): CsrMatrix,
        ("numpy.core.multiarray", "_reconstruct"): numpy.ndarray(0).__reduce__()[0],
        ("numpy", "ndarray"): numpy.ndarray,
        ("numpy", "dtype"): numpy.dtype,
        ("collections", "defaultdict"): collections.defaultdict,
        ("builtins", "list"): list,
    }
    # What Python 2 and newer versions of the packages call the same.
    NAMES = {"__builtin__": "builtins", "numpy._core.multiarray": "numpy.core.multiarray", "scipy.sparse._csr": "scipy.sparse.csr"}

    def find_class(self, module, name):
        module = self.NAMES.get(module, module)
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no Planetoid file needs")
        return self.ALLOWED[module, name]


def load(directory, name, part):
    path = os.path.join(directory, f"ind.{name}.{part}")
    with open(path, "rb") as file:
        try:
            return PlanetoidUnpickler(file, encoding="latin1").load()
        except (pickle.UnpicklingError, EOFError, ValueError, TypeError) as error:
            raise BadInput(f"{path}: not a Planetoid pickle: {error}") from None


def divided_by_sum(row):
    total = sum(row.values())
    return {column: value / total for column, value in row.items()} if total else {}


def convert(directory, name):
    """(graph, {"train" | "val" | "test": node ids})"""
    allx, ally, tx, ty, links = (load(directory, name, part) for part in ("allx", "ally", "tx", "ty", "graph"))
    test = [int(line) for line in graph_file.read_lines(os.path.join(directory, f"ind.{name}.test.index"))]
    if len(test) != len(ty):
        raise BadInput(f"ind.{name}.test.index: {len(test)} nodes, but ind.{name}.ty has {len(ty)} rows")
    nodes = max(max(test) + 1, len(ally))
    rows, y = [{}] * nodes, torch.full((nodes,), -1)
    for places, features, classes in ((range(len(ally)), allx, ally), (test, tx, ty)):
        for place, row, one_hot in zip(places, features.rows(), classes):
            rows[place] = divided_by_sum(row)
            y[place] = int(one_hot.argmax()) if one_hot.any() else -1
    x = graph_file.sparse_rows(rows, allx._shape[1])
    pairs = [(node, neighbour) for node, neighbours in links.items() for neighbour in neighbours]
    train = PER_CLASS * ally.shape[1]
    split = {"train": range(train), "val": range(train, train + VALIDATION), "test": sorted(test)}
    return graph_file.Graph(x, graph_file.undirected(pairs, nodes), y), split


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", metavar="DIR", help="holds the ind.NAME.* files")
    parser.add_argument("--name", default="cora", help="cora, citeseer or pubmed (default: %(default)s)")
    parser.add_argument("--output", required=True, metavar="FILE", help="the graph file to write")
    arguments = parser.parse_args()
    try:
        graph, split = convert(arguments.directory, arguments.name)
        graph_file.write(arguments.output, graph)
        graph_file.describe(arguments.output, graph)
        for part, nodes in split.items():
            path = graph_file.beside(arguments.output, part)
            graph_file.write_lines(path, nodes)
            print(f"{path}: {len(nodes)} nodes")
        if arguments.name in LABELS:
            graph_file.write_lines(graph_file.beside(arguments.output, "labels"), LABELS[arguments.name])
    except (BadInput, OSError) as error:
        sys.exit(f"from_planetoid.py: {error}")


if __name__ == "__main__":
    main()
