#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the tasks of sequences and their trainer. Needs PyTorch and numpy; without them, exits 77 (ctest: skipped).

python3 tests/recipes/ntm_sequences_test.py
"""

import contextlib
import io
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

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../weights/recipes"))
import ntm  # noqa: E402
import ntm_kernels  # noqa: E402
import ntm_tasks  # noqa: E402
import safetensors_file  # noqa: E402
import train_ntm_sequences  # noqa: E402


def rows_of(*rows):
    return torch.tensor([rows], dtype=torch.float32)


def run(*arguments):
    """(what sys.exit was given or None, what was printed) of train_ntm_sequences.py."""
    sys.argv = ["train_ntm_sequences.py", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            train_ntm_sequences.main()
        except SystemExit as end:
            return end.code, printed.getvalue()
    return None, printed.getvalue()


class Frames(unittest.TestCase):
    def test_copy_marks_the_end_and_asks_for_as_many_rows(self):
        task = ntm_tasks.task_of({"task": "copy", "data_width": 2})
        expected = rows_of([1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0])
        self.assertEqual(task.framed(rows_of([1, 0], [1, 1])).tolist(), expected.tolist())

    def test_repeat_copy_gives_the_share_of_repeats(self):
        task = ntm_tasks.task_of({"task": "repeat-copy", "data_width": 2, "max_repeats": 4})
        expected = rows_of([1, 0, 0], [0, 1, 0], [0, 0, 0.75], *[[0, 0, 0]] * 6)
        self.assertEqual(task.framed(rows_of([1, 0], [0, 1]), 3).tolist(), expected.tolist())

    def test_recall_marks_items_and_puts_the_query_between_marks(self):
        task = ntm_tasks.task_of({"task": "recall", "data_width": 1, "item_rows": 2})
        data = rows_of([1], [1], [0], [1], [1], [1])  # items 11 and 01, query 11
        expected = rows_of([0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0],
                           [1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0])  # fmt: skip
        self.assertEqual(task.framed(data).tolist(), expected.tolist())

    def test_random_batches_ask_for_what_their_data_say(self):
        generator = torch.Generator().manual_seed(1)
        task = ntm_tasks.task_of({"task": "repeat-copy", "data_width": 3, "max_repeats": 10})
        rows, answer = task.batch(generator, 5, length=4, repeats=3)
        self.assertEqual(rows[:, :4, :3].repeat(1, 3, 1).tolist(), answer.tolist())
        task = ntm_tasks.task_of({"task": "recall", "data_width": 6, "item_rows": 3})
        rows, answer = task.batch(generator, 50, items=5)
        items, asked = rows[:, :20, :6].unflatten(1, (5, 4))[:, :, 1:], rows[:, 21:24, :6]
        for one in range(50):
            place = [torch.equal(item, asked[one]) for item in items[one]].index(True)
            self.assertTrue(torch.equal(items[one, place + 1], answer[one]))

    def test_the_bit_error_of_a_machine_that_says_0_is_the_share_of_ones(self):
        task = ntm_tasks.task_of({"task": "copy", "data_width": 8})

        def always_0(rows, activate):
            return torch.full((*rows.shape[:2], 8), -1.0), None

        generator = torch.Generator().manual_seed(1)
        self.assertAlmostEqual(ntm_tasks.bit_error(always_0, task, generator, {"length": 20}, 50), 0.5, delta=0.02)


class Training(unittest.TestCase):
    SMALL = ("--slots=6", "--slot-width=4", "--controller=8", "--train=length=1-2", "--validate=length=2", "--batch=2",
             "--steps=6", "--validate-every=2")  # fmt: skip

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.addCleanup(setattr, ntm_kernels, "attach", ntm_kernels.attach)
        ntm_kernels.attach = (
            lambda model, directory: False
        )  # they have a test of their own, and take seconds to compile

    def train(self, name, *flags):
        code, printed = run("train", "copy", f"--work={self.folder}/work-{name}", f"--output={self.folder}/{name}",
                            *self.SMALL, *flags)  # fmt: skip
        self.assertIsNone(code)
        return printed

    def test_a_run_in_parts_ends_as_one_that_never_stopped(self):
        self.train("whole")
        self.assertIn("stops after 0.0 minutes", self.train("parts", "--minutes=0"))
        self.assertIn("goes on after step 2", self.train("parts", "--minutes=0"))
        self.assertIn("goes on after step 4", self.train("parts"))
        whole, parts = (safetensors_file.read(f"{self.folder}/{name}/model.safetensors") for name in ("whole", "parts"))
        for name, tensor in whole.items():
            self.assertTrue(torch.equal(tensor, parts[name]), name)

    def test_other_flags_do_not_go_on_from_a_checkpoint(self):
        self.train("first", "--minutes=0")
        code, _ = run("train", "copy", f"--work={self.folder}/work-first", f"--output={self.folder}/first", *self.SMALL,
                      "--lr=0.01")  # fmt: skip
        self.assertIn("made with other flags", code)

    def test_the_state_at_the_start_stays_and_the_model_is_evaluated_by_its_frame(self):
        self.train("model")
        model, _ = ntm.load_model(f"{self.folder}/model")
        self.assertTrue(torch.equal(model.initial.memory.data, torch.full((6, 4), 1e-6)))
        self.assertEqual(model.initial.weights.tolist(), [[1.0] + [0.0] * 5] * 2)
        code, printed = run("evaluate", f"--model={self.folder}/model", "--sizes=length=1 length=3", "--sequences=50")
        self.assertIsNone(code)
        self.assertRegex(printed, r"length=1: bit error \d+\.\d+ % of 50 sequences\nlength=3: bit error")

    def test_a_small_machine_learns_to_copy_a_row(self):
        self.train("model", "--train=length=1", "--validate=length=1", "--steps=300", "--validate-every=100",
                   "--lr=0.02", "--controller=24", "--slot-width=10", "--batch=16")  # fmt: skip
        model, _ = ntm.load_model(f"{self.folder}/model")
        task = ntm_tasks.task_of(model.config["frame"])
        error = ntm_tasks.bit_error(model, task, torch.Generator().manual_seed(5), {"length": 1}, 100)
        self.assertLess(error, 0.05)

    def test_a_run_starts_with_the_weights_of_a_model_of_the_same_shape(self):
        self.train("first")
        self.train("second", f"--start={self.folder}/first", "--lr=0")
        first, second = (
            safetensors_file.read(f"{self.folder}/{name}/model.safetensors") for name in ("first", "second")
        )
        for name, tensor in first.items():
            self.assertTrue(torch.equal(tensor, second[name]), name)
        code, _ = run("train", "copy", f"--work={self.folder}/work-third", f"--output={self.folder}/third", *self.SMALL,
                      "--slots=7", f"--start={self.folder}/first")  # fmt: skip
        self.assertRegex(code, r"--start=.*size mismatch for initial\.\w+: .*\[\d, 6\].*\[\d, 7\]")

    def test_sizes_that_a_task_does_not_have_are_refused(self):
        task = ntm_tasks.task_of({"task": "copy", "data_width": 8})
        self.assertEqual(train_ntm_sequences.read_ranges("length=1-20", task), {"length": (1, 20)})
        for text, message in (
            ("items=3", "the sizes of copy are length"),
            ("length=x", "'length=x' is not of the form"),
        ):
            with self.assertRaisesRegex(train_ntm_sequences.BadInput, message):
                train_ntm_sequences.read_ranges(text, task)


class ShippedWeights(unittest.TestCase):
    def assert_error(self, name, size, most):
        model, _ = ntm.load_model(f"{HERE}/../../weights/{name}")
        task, generator = ntm_tasks.task_of(model.config["frame"]), torch.Generator().manual_seed(3)
        self.assertLessEqual(ntm_tasks.bit_error(model, task, generator, size, 20), most, f"{name} {size}")

    def test_ntm_copy_copies_what_is_four_times_as_long_as_in_training(self):
        self.assert_error("ntm-copy", {"length": 20}, 0.001)
        self.assert_error("ntm-copy", {"length": 80}, 0.01)

    def test_ntm_repeat_copy_repeats_as_often_as_in_training(self):
        self.assert_error("ntm-repeat-copy", {"length": 10, "repeats": 10}, 0.001)

    def test_ntm_recall_finds_what_follows_among_as_many_items_as_in_training(self):
        self.assert_error("ntm-recall", {"items": 6}, 0.001)


if __name__ == "__main__":
    unittest.main()
