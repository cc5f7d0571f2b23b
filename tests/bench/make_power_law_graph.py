#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a synthetic graph for measurements, and on request a model with random weights that takes it.

    make_power_law_graph.py --out=large.safetensors [--model=DIR/gat-large]
    make_power_law_graph.py --graphs=1000 --nodes=30 --edges=66 --features=11 --out=small.safetensors

The graph is a Chung-Lu graph: both ends of an edge are drawn in proportion to weights that follow a power law, so that
degrees do too; no loops, no edge twice, each edge in both directions, no order among the nodes. Features are normal
random numbers. --graphs writes many graphs of that size into one file (graph_ptr). The model is a two-layer GAT (8 heads
of 8, then 1 head) in PyTorch Geometric's names; with --task=graph it pools the nodes' mean. The same seed, the same
files. Needs numpy.
"""

import argparse
import json
import os
import sys

import numpy

DTYPE_NAMES = {"float32": "F32", "int64": "I64", "int32": "I32"}


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": DTYPE_NAMES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.nbytes],
        }
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".partial", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(numpy.ascontiguousarray(tensor).tobytes())
    os.replace(path + ".partial", path)


def power_law_edges(nodes, edges, exponent, random):
    """Sources and targets of `edges` directed edges, both directions of each pair."""
    weights = numpy.arange(1, nodes + 1, dtype=numpy.float64) ** (-1.0 / (exponent - 1.0))
    ends = numpy.cumsum(weights / weights.sum())
    names = random.permutation(nodes)  # hubs anywhere
    codes = numpy.empty(0, dtype=numpy.int64)
    while len(codes) < edges // 2:
        drawn = numpy.searchsorted(ends, random.random((edges // 2 - len(codes) + 16, 2))).clip(max=nodes - 1)
        low, high = drawn.min(axis=1), drawn.max(axis=1)
        fresh = (low * nodes + high)[low != high]
        # In the order of drawing, each once.
        codes = numpy.concatenate([codes, fresh])
        codes = codes[numpy.sort(numpy.unique(codes, return_index=True)[1])][: edges // 2]
    low, high = names[codes // nodes], names[codes % nodes]
    return numpy.stack([numpy.concatenate([low, high]), numpy.concatenate([high, low])])


def make_graphs(graphs, nodes, edges, features, exponent, random):
    parts = [power_law_edges(nodes, edges, exponent, random) + graph * nodes for graph in range(graphs)]
    tensors = {
        "edge_index": numpy.concatenate(parts, axis=1).astype(numpy.int64),
        "x": random.standard_normal((graphs * nodes, features), dtype=numpy.float32),
    }
    if graphs > 1:
        tensors["graph_ptr"] = numpy.arange(graphs + 1, dtype=numpy.int64) * nodes
    return tensors


def write_model(folder, features, classes, task, random):
    heads, channels = 8, 8
    hidden = heads * channels

    def weights(*shape):
        return random.standard_normal(shape, dtype=numpy.float32) / numpy.float32(numpy.sqrt(shape[-1]))

    def layer(name, inputs, count, width):
        return {
            f"{name}.lin.weight": weights(count * width, inputs),
            f"{name}.att_src": weights(1, count, width),
            f"{name}.att_dst": weights(1, count, width),
            f"{name}.bias": weights(count * width),
        }

    os.makedirs(folder, exist_ok=True)
    tensors = {**layer("conv1", features, heads, channels), **layer("conv2", hidden, 1, classes)}
    write_safetensors(os.path.join(folder, "model.safetensors"), tensors)
    config = {
        "model_type": "gat",
        "task": task,
        "in_channels": features,
        "layers": [
            {"name": "conv1", "out_channels": channels, "heads": heads, "concat": True, "activation": "elu"},
            {"name": "conv2", "out_channels": classes, "heads": 1, "concat": False},
        ],
        "output": "softmax",
    }
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FILE", help="the graph file to write")
    parser.add_argument("--model", metavar="DIR", help="the model directory to write")
    parser.add_argument("--task", choices=["node", "graph"], default="node", help="of the model (default: %(default)s)")
    parser.add_argument("--classes", type=int, default=40, help="of the model (default: %(default)s)")
    parser.add_argument("--graphs", type=int, default=1, help="graphs in the file (default: %(default)s)")
    parser.add_argument("--nodes", type=int, default=170_000, help="of a graph (default: %(default)s)")
    parser.add_argument("--edges", type=int, default=1_200_000, help="directed, of a graph (default: %(default)s)")
    parser.add_argument("--features", type=int, default=128, help="of a node (default: %(default)s)")
    parser.add_argument("--exponent", type=float, default=2.5, help="of the degrees' power law (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    arguments = parser.parse_args()
    for name in ("graphs", "nodes", "features", "classes"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name}={getattr(arguments, name)} must be at least 1")
    if arguments.exponent <= 2:
        parser.error(f"--exponent={arguments.exponent} must be more than 2")
    # A denser graph would be drawn for ever.
    most = arguments.nodes * (arguments.nodes - 1) // 4
    if not 0 <= arguments.edges <= most or arguments.edges % 2:
        parser.error(f"--edges={arguments.edges} must be even, from 0 to {most}: a quarter of all pairs in two directions")

    random = numpy.random.default_rng(arguments.seed)
    tensors = make_graphs(
        arguments.graphs, arguments.nodes, arguments.edges, arguments.features, arguments.exponent, random
    )
    try:
        write_safetensors(arguments.out, tensors)
        if arguments.model:
            write_model(arguments.model, arguments.features, arguments.classes, arguments.task, random)
    except OSError as error:
        sys.exit(f"make_power_law_graph.py: {error}")
    degrees = numpy.bincount(tensors["edge_index"][1], minlength=len(tensors["x"]))
    print(
        f"{arguments.out}: {arguments.graphs} graphs, {len(degrees)} nodes, {len(tensors['edge_index'][0])} directed edges, "
        f"{arguments.features} features; in-degrees: median {int(numpy.median(degrees))}, most {degrees.max()}, "
        f"none {int((degrees == 0).sum())}"
    )


if __name__ == "__main__":
    main()
