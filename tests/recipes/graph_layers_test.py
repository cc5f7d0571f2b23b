#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests that the recipes' graph layers give PyTorch Geometric's numbers under its parameter names, gradients included. Needs
PyTorch and torch_geometric; without them, exits 77 (ctest: skipped).

    python3 tests/recipes/graph_layers_test.py
"""

import os
import sys
import unittest

try:
    import torch
    import torch_geometric.nn as pyg
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import graph_file  # noqa: E402
import graph_layers  # noqa: E402
from graph_layers import GATConv, GCNConv, Network  # noqa: E402

NODES, FEATURES = 12, 7

# Multi-edges (0, 1), loops at 3 and 5, no edge points to 9, none touches 11.
EDGES = torch.tensor([
    [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2, 2, 6, 10],
    [1, 1, 0, 3, 3, 2, 5, 7, 6, 2, 8, 4, 0, 10, 10, 2],
])


def sparse_and_dense_features():
    dense = torch.randn(NODES, FEATURES) * (torch.rand(NODES, FEATURES) < 0.4)
    return graph_file.sparse_rows([{c: row[c].item() for c in row.nonzero()[:, 0].tolist()} for row in dense], FEATURES), dense


class LikePyTorchGeometric(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def compare(self, ours, theirs):
        ours, theirs = ours.double(), theirs.double()
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.normal_()
        ours.load_state_dict(theirs.state_dict())
        rows, dense = sparse_and_dense_features()
        dense = dense.double()
        expected = theirs(dense, EDGES)
        expected.square().sum().backward()
        for x in (dense, rows.with_values(rows.values.double())):
            ours.zero_grad()
            found = ours(x, EDGES)
            found.square().sum().backward()
            torch.testing.assert_close(found, expected)
            gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
            for name, parameter in ours.named_parameters():
                torch.testing.assert_close(parameter.grad, gradients[name])

    def test_gat_options(self):
        for options in ({}, {"heads": 3}, {"heads": 3, "concat": False}, {"heads": 2, "add_self_loops": False},
                        {"heads": 2, "negative_slope": 0.05}, {"heads": 2, "bias": False}, {"heads": 2, "residual": True},
                        {"heads": 2, "concat": False, "residual": True}):
            with self.subTest(options):
                self.compare(GATConv(FEATURES, 5, **options), pyg.GATConv(FEATURES, 5, **options))

    def test_gcn_with_each_loop_replaced_by_one(self):
        # PyTorch Geometric keeps a loop that is there, with its weight of 1: the same.
        for options in ({}, {"bias": False}, {"add_self_loops": False}):
            with self.subTest(options):
                self.compare(GCNConv(FEATURES, 5, **options), pyg.GCNConv(FEATURES, 5, **options))

    def test_pooling(self):
        x, graph_ptr = torch.randn(6, 4), torch.tensor([0, 2, 2, 6])
        owner = torch.tensor([0, 0, 2, 2, 2, 2])
        for pooling, theirs in (("mean", pyg.global_mean_pool), ("max", pyg.global_max_pool), ("sum", pyg.global_add_pool)):
            with self.subTest(pooling):
                torch.testing.assert_close(graph_layers.pool(x, graph_ptr, pooling), theirs(x, owner, 3))

    def test_dropped_coefficients_are_scaled_as_theirs_are(self):
        layer = GATConv(FEATURES, 5, heads=2, attention_dropout=0.5)
        _, dense = sparse_and_dense_features()
        expected = layer.eval()(dense, EDGES)
        layer.train()
        mean = torch.stack([layer(dense, EDGES) for _ in range(4000)]).mean(0)
        torch.testing.assert_close(mean, expected, rtol=0, atol=0.1)


class Networks(unittest.TestCase):
    def test_a_graph_network_answers_for_a_union_as_for_each_graph_alone(self):
        torch.manual_seed(0)
        network = Network({
            "model_type": "gat",
            "task": "graph",
            "in_channels": 3,
            "layers": [{"name": "conv1", "out_channels": 4, "heads": 2, "activation": "elu"}],
            "readout": {"pooling": "sum"},
            "mlp": [{"name": "lin1", "activation": "relu"}, {"name": "lin2"}],
            "labels": ["a", "b"],
        }).eval()
        edges = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 5, 4]])
        graphs = graph_file.Graph(torch.randn(7, 3), edges, None, torch.tensor([0, 2, 6, 7]))
        together = network(graphs)
        for number in range(3):
            torch.testing.assert_close(network(graphs.select_graphs(torch.tensor([number])))[0], together[number])

    def test_what_is_not_trained_here_is_refused(self):
        with self.assertRaisesRegex(graph_file.BadInput, "model_type is gin; trained here are gat, gcn"):
            Network({"model_type": "gin", "task": "node", "in_channels": 3, "layers": []})


if __name__ == "__main__":
    unittest.main()
