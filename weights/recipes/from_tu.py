#!/usr/bin/env python3
"""Writes a file of many graphs from a TU Dortmund data set in the text format of the DGCNN authors: MUTAG, PROTEINS.

    from_tu.py MUTAG.txt[.gz] --output=mutag.safetensors

The text is: the number of graphs; for each graph a line `n label`, then for each of its n nodes a line
`tag degree neighbour...`, neighbours counted from 0 within the graph. A node's features are its tag as a one-hot row (one
column for each tag that occurs, in ascending order); classes are numbered in ascending order of their labels. graph_ptr cuts
the file into its graphs and y holds a class for each. Edges are made symmetric, without duplicates and loops. Needs PyTorch and
numpy.
"""

import argparse
import gzip
import sys

import torch

import graph_file
from graph_file import BadInput


def read_graphs(path):
    """A list of (label, tags, neighbours of each node)."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    position = 0

    def numbers():
        nonlocal position
        position += 1
        try:
            return [int(word) for word in lines[position - 1].split()]
        except (IndexError, ValueError):
            found = lines[position - 1] if position <= len(lines) else "the end of the file"
            raise BadInput(f"{path}:{position}: expected whole numbers, found {found}") from None

    graphs = []
    for _ in range(numbers()[0]):
        head = numbers()
        if len(head) != 2:
            raise BadInput(f"{path}:{position}: a graph begins with `n label`, found {len(head)} numbers")
        tags, neighbours = [], []
        for _ in range(head[0]):
            node = numbers()
            if len(node) < 2 or len(node) != 2 + node[1]:
                raise BadInput(f"{path}:{position}: a node is `tag degree neighbour...`, found {len(node)} numbers")
            tags.append(node[0])
            neighbours.append(node[2:])
        graphs.append((head[1], tags, neighbours))
    return graphs


def convert(graphs):
    """(graph, labels as in the file, tags as in the file)"""
    labels = sorted({label for label, _, _ in graphs})
    columns = sorted({tag for _, tags, _ in graphs for tag in tags})
    rows, pairs, pointers = [], [], [0]
    for number, (_, tags, neighbours) in enumerate(graphs):
        first, nodes = len(rows), len(tags)
        for node, others in enumerate(neighbours):
            for other in others:
                if not 0 <= other < nodes:
                    raise BadInput(f"graph {number}: node {node} has neighbour {other}, the nodes are 0 to {nodes - 1}")
                pairs.append((first + node, first + other))
        rows += [{columns.index(tag): 1.0} for tag in tags]
        pointers.append(len(rows))
    x = graph_file.sparse_rows(rows, len(columns))
    y = torch.tensor([labels.index(label) for label, _, _ in graphs])
    graph = graph_file.Graph(x, graph_file.undirected(pairs, len(rows)), y, torch.tensor(pointers))
    return graph, labels, columns


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="TEXT", help="the data set's text, gzipped or not")
    parser.add_argument("--output", required=True, metavar="FILE", help="the graph file to write")
    arguments = parser.parse_args()
    try:
        graph, labels, columns = convert(read_graphs(arguments.input))
        graph_file.write(arguments.output, graph)
    except (BadInput, OSError) as error:
        sys.exit(f"from_tu.py: {error}")
    graph_file.describe(arguments.output, graph)
    print(f"classes are labels {labels}, features are tags {columns}")


if __name__ == "__main__":
    main()
