#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests what the trainers of graph networks share, and how they cut and score data. Needs PyTorch and numpy; without them,
exits 77 (ctest: skipped).

    python3 tests/recipes/graph_training_test.py
"""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

try:
    import numpy  # noqa: F401
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import graph_file  # noqa: E402
import graph_training  # noqa: E402
import karate_club  # noqa: E402
import train_edge_classifier  # noqa: E402
import train_graph_classifier  # noqa: E402
import train_node_classifier  # noqa: E402
from graph_layers import Network  # noqa: E402


def kept_epochs(rule, curve, patience=100):
    """(epoch kept, epochs run) for a list of (loss, score)."""
    stopping = graph_training.EarlyStopping(torch.nn.Linear(1, 1), patience, rule)
    for epoch, (loss, score) in enumerate(curve, 1):
        stopping.update(epoch, loss, score)
        if stopping.stop:
            break
    return stopping.best["epoch"], epoch


class EarlyStopping(unittest.TestCase):
    def test_both_keeps_the_last_epoch_at_which_loss_and_score_are_best(self):
        self.assertEqual(kept_epochs("both", [(0.9, 0.5), (0.8, 0.6), (0.7, 0.5), (0.7, 0.6), (0.8, 0.7)])[0], 4)

    def test_both_goes_on_while_either_is_at_its_best(self):
        curve = [(0.9, 0.5), (0.8, 0.4), (0.9, 0.5), (0.9, 0.4), (0.9, 0.4), (0.1, 0.9)]
        self.assertEqual(kept_epochs("both", curve, patience=2), (1, 5))

    def test_score_keeps_the_highest_score_and_of_equal_ones_the_lowest_loss(self):
        self.assertEqual(kept_epochs("score", [(0.1, 0.5), (0.9, 0.7), (0.8, 0.7), (0.8, 0.7), (0.2, 0.6)])[0], 3)

    def test_score_stops_when_patience_is_over(self):
        self.assertEqual(kept_epochs("score", [(0.5, 0.5), (0.1, 0.4), (0.1, 0.4), (0.1, 0.9)], patience=2), (1, 3))


class TrainingOnTheKarateClub(unittest.TestCase):
    CONFIG = {
        "model_type": "gat",
        "task": "node",
        "in_channels": 34,
        "layers": [
            {"name": "conv1", "out_channels": 2, "heads": 2, "activation": "elu"},
            {"name": "conv2", "out_channels": 2, "concat": False},
        ],
        "labels": karate_club.LABELS,
    }

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        seconds = graph_training.CHECKPOINT_SECONDS
        self.addCleanup(setattr, graph_training, "CHECKPOINT_SECONDS", seconds)
        graph_training.CHECKPOINT_SECONDS = -1  # after every epoch

    def train(self, name, epochs):
        graph = karate_club.karate_club()
        torch.manual_seed(1)
        network = Network(self.CONFIG, 0.5, 0.5)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)

        def loss():
            return torch.nn.functional.cross_entropy(network(graph), graph.y)

        def losses():
            yield loss()

        with contextlib.redirect_stdout(io.StringIO()):
            return graph_training.train(graph_training.Run(self.folder, name), network, optimizer, losses,
                                        lambda: (loss().item(), 0.0), epochs, 100, "both")

    def test_a_run_that_goes_on_from_its_checkpoint_ends_as_one_that_never_stopped(self):
        whole = self.train("whole", 12)
        self.train("in parts", 5)
        resumed = self.train("in parts", 12)
        self.assertEqual(resumed["epoch"], whole["epoch"])
        for name, value in whole["weights"].items():
            self.assertTrue(torch.equal(resumed["weights"][name], value), name)

    def test_a_model_directory_is_read_as_it_was_written(self):
        best = self.train("run", 2)
        with contextlib.redirect_stdout(io.StringIO()):
            graph_training.write_model(f"{self.folder}/model", self.CONFIG, best["weights"])
        network, graph = Network(self.CONFIG).eval(), karate_club.karate_club()
        network.load_state_dict(best["weights"])
        self.assertTrue(torch.equal(graph_training.read_network(f"{self.folder}/model")(graph), network(graph)))


class Runs(unittest.TestCase):
    def test_a_finished_run_is_not_made_again_and_other_flags_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            runs = graph_training.Runs(folder, argparse.Namespace(lr=0.1, seeds=[1]))
            self.assertEqual(runs.result("seed-1", lambda run: {"epoch": 3}), {"epoch": 3})
            again = graph_training.Runs(folder, argparse.Namespace(lr=0.1, seeds=[1, 2]))
            self.assertEqual(again.result("seed-1", lambda run: self.fail("made again")), {"epoch": 3})
            with self.assertRaisesRegex(graph_file.BadInput, "made with other flags"):
                graph_training.Runs(folder, argparse.Namespace(lr=0.2, seeds=[1]))


class Scores(unittest.TestCase):
    def test_area_under_the_curve_counts_pairs_in_order_and_equal_scores_half(self):
        area = train_edge_classifier.area_under_curve
        self.assertEqual(area([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]), 1.0)
        self.assertEqual(area([0.9, 0.1], [0, 1]), 0.0)
        self.assertEqual(area([0.5, 0.5, 0.5], [1, 0, 0]), 0.5)
        self.assertAlmostEqual(area([3, 1, 2, 1], [1, 1, 0, 0]), (2 + 0.5) / 4)

    def test_lists_of_seeds(self):
        self.assertEqual(graph_training.numbers("0-2,7"), [0, 1, 2, 7])


class Folds(unittest.TestCase):
    def test_folds_are_disjoint_whole_and_stratified(self):
        y = torch.tensor([0] * 63 + [1] * 125)
        folds = train_graph_classifier.stratified_folds(y, 10, 0)
        self.assertEqual(sorted(torch.cat(folds).tolist()), list(range(188)))
        self.assertEqual({int((y[fold] == 0).sum()) for fold in folds}, {6, 7})
        self.assertEqual({len(fold) for fold in folds}, {18, 19})
        self.assertEqual([fold.tolist() for fold in folds],
                         [fold.tolist() for fold in train_graph_classifier.stratified_folds(y, 10, 0)])


class ShippedWeights(unittest.TestCase):
    def test_gat_karate_misses_member_8_alone(self):
        weights = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/gat-karate")
        graph = graph_file.read(f"{weights}/karate.safetensors")
        classes = graph_training.read_network(weights)(graph).argmax(-1)
        self.assertEqual((classes != graph.y).nonzero()[:, 0].tolist(), [8])

    def test_labels_are_as_many_as_the_classes_of_the_tensors(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights")
        for name in ("gat-cora", "gcn-cora", "gat-karate"):
            with open(f"{folder}/{name}/config.json", encoding="utf-8") as file:
                labels = json.load(file)["labels"]
            self.assertEqual(len(labels), len(graph_training.read_network(f"{folder}/{name}").conv2.bias), name)


class Labels(unittest.TestCase):
    def test_a_list_of_labels_for_another_graph_is_refused(self):
        with self.assertRaisesRegex(graph_file.BadInput, "2 names, but the graph has 3 classes"):
            with tempfile.TemporaryDirectory() as folder:
                graph_file.write_lines(f"{folder}/labels.txt", ["a", "b"])
                train_node_classifier.read_labels(f"{folder}/labels.txt", 3)


if __name__ == "__main__":
    unittest.main()
