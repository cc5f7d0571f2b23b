#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a file of many graphs from a TU Dortmund data set in the text format of the DGCNN authors: MUTAG, PROTEINS.

    from_tu.py MUTAG.txt[.gz] --output=mutag.safetensors [--tags-only]

The text is: the number of graphs; for each graph a line `n label`, then for each of its n nodes a line
`tag degree neighbour...`, neighbours counted from 0 within the graph. A node's features are its tag and its degree, each as a
one-hot row (one column for each tag that occurs, in ascending order, then one for each degree), or its tag alone: attention
takes means over neighbours and cannot count them. Classes are numbered in ascending order of their labels. graph_ptr cuts
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


def convert(graphs, with_degrees):
    """(graph, labels as in the file, tags as in the file, degrees or [])"""
    labels = sorted({label for label, _, _ in graphs})
    all_tags, pairs, pointers = [], [], [0]
    for number, (_, tags, neighbours) in enumerate(graphs):
        first, nodes = len(all_tags), len(tags)
        for node, others in enumerate(neighbours):
            for other in others:
                if not 0 <= other < nodes:
                    raise BadInput(f"graph {number}: node {node} has neighbour {other}, the nodes are 0 to {nodes - 1}")
                pairs.append((first + node, first + other))
        all_tags += tags
        pointers.append(len(all_tags))
    edge_index = graph_file.undirected(pairs, len(all_tags))
    columns = sorted(set(all_tags))
    rows = [{columns.index(tag): 1.0} for tag in all_tags]
    degrees = []
    if with_degrees:
        degree_of = torch.bincount(edge_index[1], minlength=len(rows)).tolist()
        degrees = sorted(set(degree_of))
        for row, degree in zip(rows, degree_of):
            row[len(columns) + degrees.index(degree)] = 1.0
    x = graph_file.sparse_rows(rows, len(columns) + len(degrees))
    y = torch.tensor([labels.index(label) for label, _, _ in graphs])
    return graph_file.Graph(x, edge_index, y, torch.tensor(pointers)), labels, columns, degrees


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="TEXT", help="the data set's text, gzipped or not")
    parser.add_argument("--output", required=True, metavar="FILE", help="the graph file to write")
    parser.add_argument("--tags-only", action="store_true", help="features without the degree")
    arguments = parser.parse_args()
    try:
        graph, labels, tags, degrees = convert(read_graphs(arguments.input), not arguments.tags_only)
        graph_file.write(arguments.output, graph)
    except (BadInput, OSError) as error:
        sys.exit(f"from_tu.py: {error}")
    graph_file.describe(arguments.output, graph)
    print(f"classes are labels {labels}, features are tags {tags}{f' and degrees {degrees}' if degrees else ''}")


if __name__ == "__main__":
    main()
