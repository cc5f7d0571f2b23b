#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds edges of an undirected graph out, to train and measure a link predictor.

    hold_out_edges.py cora.safetensors --output=cora-visible.safetensors [--seed=0]

The output is the graph without the held-out edges, in either direction: all that a predictor may see. Beside it go lists of
pairs SOURCE:TARGET, one a line, as `heed classify edges --edges=@FILE` reads them: cora-visible.val-links.txt and
cora-visible.test-links.txt, the held-out edges, and as many pairs that no edge of the whole graph joins,
cora-visible.val-others.txt and cora-visible.test-others.txt. Needs PyTorch and numpy.
"""

import argparse
import sys

import numpy

import graph_file
from graph_file import BadInput


def draw_others(codes, nodes, count, rng):
    """[count, 2]: different pairs source < target whose codes (source * nodes + target) are not among `codes`."""
    if nodes * (nodes - 1) // 2 - len(codes) < count:
        raise BadInput(f"{count} pairs without an edge are wanted, the graph has {nodes * (nodes - 1) // 2 - len(codes)}")
    found = numpy.empty(0, dtype=numpy.int64)
    while len(found) < count:
        pairs = numpy.sort(rng.randint(nodes, size=(count, 2)), axis=1)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        drawn = pairs[:, 0] * nodes + pairs[:, 1]
        drawn = drawn[~numpy.isin(drawn, codes)]
        found = numpy.concatenate([found, drawn])
        found = found[numpy.sort(numpy.unique(found, return_index=True)[1])]
    return numpy.stack([found[:count] // nodes, found[:count] % nodes], axis=1)


def split(graph, shares, seed):
    """(visible graph, {"val-links" | "val-others" | "test-links" | "test-others": pairs [n, 2]})"""
    edges = graph.edge_index.numpy()
    undirected = edges[:, edges[0] < edges[1]].T
    rng = numpy.random.RandomState(seed)  # the same in all versions of numpy
    undirected = undirected[rng.permutation(len(undirected))]
    counts = {part: round(share * len(undirected)) for part, share in shares.items()}
    others = draw_others(undirected[:, 0] * graph.nodes + undirected[:, 1], graph.nodes, sum(counts.values()), rng)
    lists, start = {}, 0
    for part, count in counts.items():
        lists[f"{part}-links"] = undirected[start : start + count]
        lists[f"{part}-others"] = others[start : start + count]
        start += count
    visible = graph_file.undirected(undirected[start:], graph.nodes)
    return graph_file.Graph(graph.x, visible, graph.y), lists


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", metavar="FILE", help="graph file with every edge in both directions")
    parser.add_argument("--output", required=True, metavar="FILE", help="the visible graph's file to write")
    parser.add_argument("--val", type=float, default=0.05, help="share of edges held out to validate (default: %(default)s)")
    parser.add_argument("--test", type=float, default=0.1, help="share of edges held out to test (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws edges and pairs (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        visible, lists = split(graph_file.read(arguments.graph), {"val": arguments.val, "test": arguments.test}, arguments.seed)
        graph_file.write(arguments.output, visible)
        graph_file.describe(arguments.output, visible)
        for what, pairs in lists.items():
            path = graph_file.beside(arguments.output, what)
            graph_file.write_lines(path, (f"{source}:{target}" for source, target in pairs.tolist()))
            print(f"{path}: {len(pairs)} pairs")
    except (BadInput, OSError) as error:
        sys.exit(f"hold_out_edges.py: {error}")


if __name__ == "__main__":
    main()
