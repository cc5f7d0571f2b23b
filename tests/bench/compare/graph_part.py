# SPDX-License-Identifier: Apache-2.0
"""One layer's pass over all edges: build/bin/graph_bench against PyTorch Geometric's layers, in turns.

Both get rows that are already multiplied by the layer's matrix (PyTorch Geometric's `lin` is an identity), and both
compute attention, softmax and the sum over neighbors, self-loops included.
"""

import importlib.util
import os
import re
import statistics
import subprocess
import sys
import time

from closed_loop import ratio_text
from report import progress

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
WIDTH = 64
GRAPHS = {
    "power law, 170,000 nodes, 1.2 million edges": ("170k", ()),
    "as large as Cora, in the caches": ("small", ("--nodes=2708", "--edges=10556", "--features=8")),
}
ROW = re.compile(r"^(gat|gatv2|gcn), (?:(\d+) heads? of )?(\d+)\s+([\d.]+) ms\s+([\d.]+) M edges/s")


def graph_file(cache, name, flags):
    path = os.path.join(cache, f"graph-{name}.safetensors")
    if not os.path.exists(path):
        command = [sys.executable, os.path.join(BENCH, "make_power_law_graph.py"), f"--out={path}", *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def heed_rates(bin_dir, path, threads):
    """{(kind, heads, channels): million edges a second}"""
    command = [os.path.join(bin_dir, "graph_bench"), "layer", path, str(threads)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [match for line in text.splitlines() if (match := ROW.match(line))]
    if not rows:
        raise RuntimeError(f"{' '.join(command)} printed no rate:\n{text}")
    return {(row[1], int(row[2] or 1), int(row[3])): float(row[5]) for row in rows}


class PyTorchGeometric:
    """Its layers on one graph file."""

    def __init__(self, path, threads):
        import safetensors.torch
        import torch
        import torch_geometric.nn
        import torch_geometric.utils

        torch.set_num_threads(threads)
        self.torch, self.layers = torch, torch_geometric.nn
        tensors = safetensors.torch.load_file(path)
        nodes = len(tensors["x"])
        self.edges, _ = torch_geometric.utils.add_self_loops(tensors["edge_index"], num_nodes=nodes)
        self.rows = torch.rand(nodes, WIDTH, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def layer(self, kind, heads, channels):
        identity = self.torch.nn.Identity()
        if kind == "gat":
            layer = self.layers.GATConv(WIDTH, channels, heads, add_self_loops=False)
            layer.lin = identity
        elif kind == "gatv2":
            layer = self.layers.GATv2Conv(WIDTH, channels, heads, add_self_loops=False, share_weights=True)
            layer.lin_l = layer.lin_r = identity
        else:
            layer = self.layers.GCNConv(WIDTH, channels, add_self_loops=False, cached=True)
            layer.lin = identity
        return layer.eval()

    def rate(self, key, seconds):
        """Million edges a second: the median pass of at least `seconds`."""
        layer, times = self.layer(*key), []
        with self.torch.inference_mode():
            layer(self.rows, self.edges)
            end = time.monotonic() + seconds
            while len(times) < 3 or time.monotonic() < end:
                began = time.perf_counter()
                layer(self.rows, self.edges)
                times.append(time.perf_counter() - began)
        return self.edges.shape[1] / statistics.median(times) * 1e-6


class GraphPart:
    def __init__(self, options, report, peers):
        self.options, self.report, self.peers = options, report, peers

    def run(self):
        self.report.section("Graphs: one layer's pass over all edges")
        if not os.access(os.path.join(self.options.bin, "graph_bench"), os.X_OK):
            self.report.skipped("graphs", f"{self.options.bin} has no graph_bench (scripts/build.sh builds it)")
            return
        if not importlib.util.find_spec("numpy"):
            self.report.skipped("graphs", "without numpy there is no graph to run on")
            return
        for title, (name, flags) in GRAPHS.items():
            if name != "small" and self.options.quick:
                continue
            self.compare(title, graph_file(self.options.cache, name, flags))

    def compare(self, title, path):
        self.report.section(title, 3)
        threads, both = self.options.threads, "torch_geometric" in self.peers
        theirs = PyTorchGeometric(path, threads) if both else None
        ours_of, theirs_of = {}, {}
        for round_number in range(self.options.rounds):
            progress(f"{title}, round {round_number + 1}")
            for key, rate in heed_rates(self.options.bin, path, threads).items():
                ours_of.setdefault(key, []).append(rate)
                if theirs:
                    theirs_of.setdefault(key, []).append(theirs.rate(key, min(1.0, self.options.seconds)))
        self.report.table(["layer", "Heed, million edges/s", *(["PyTorch Geometric", "Heed / it"] if both else [])])
        for key, ours in ours_of.items():
            kind, heads, channels = key
            name = f"{kind}, {heads} x {channels}"
            peer = theirs_of.get(key)
            cells = [f"{statistics.median(peer):.2f}", ratio_text(ours, peer)] if peer else []
            self.report.row(name, f"{statistics.median(ours):.1f}", *cells)
