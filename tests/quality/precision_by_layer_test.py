#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the faked precisions of precision_by_layer.py against whole numbers. Needs PyTorch and sacrebleu; without them, exits
77 (ctest: skipped).

    python3 tests/quality/precision_by_layer_test.py
"""

import os
import sys
import unittest

try:
    import sacrebleu  # noqa: F401
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import precision_by_layer  # noqa: E402


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def reference(x, weight, bias, limit):
    """Exact sums of 64-bit whole numbers, a row and an output at a time."""
    rows = []
    for row in x:
        row_scale = row.abs().max() / limit
        q = torch.round(row * (limit / row.abs().max())).long()
        outputs = []
        for w, b in zip(weight, bias):
            w_scale = w.abs().max() / 127
            outputs.append((q * torch.round(w * (127 / w.abs().max())).long()).sum().float() * (row_scale * w_scale) + b)
        rows.append(torch.stack(outputs))
    return torch.stack(rows)


class LayersTest(unittest.TestCase):
    def setUp(self):
        self.layers = precision_by_layer.Layers(rescored=2)

    def test_int8_is_the_exact_sum_times_both_scales(self):
        for inputs in (3, 768, 2048):  # sums of 2048 need more than f32 holds
            x, weight, bias = random(4, inputs, seed=1), random(5, inputs, seed=2), random(5, seed=3)
            for mode, limit in (("int8", 127), ("int8a15", 16383)):
                y = self.layers.reduced(mode, x, weight, bias)
                torch.testing.assert_close(y, reference(x, weight, bias, limit), rtol=1e-6, atol=1e-6)

    def test_a_row_depends_on_nothing_beside_it(self):
        x, weight = random(4, 64, seed=1), random(5, 64, seed=2)
        together = self.layers.reduced("int8", x, weight, None)
        alone = torch.cat([self.layers.reduced("int8", row[None], weight, None) for row in x])
        self.assertTrue(torch.equal(together, alone))

    def test_rows_and_outputs_of_zeros_stay_zeros(self):
        weight = random(5, 64, seed=2)
        weight[1] = 0
        self.assertTrue(torch.equal(self.layers.reduced("int8", torch.zeros(2, 64), weight, None), torch.zeros(2, 5)))
        self.assertEqual(self.layers.reduced("int8", random(1, 64, seed=1), weight, None)[0, 1], 0)

    def test_screening_gives_the_best_of_each_row_exactly(self):
        x, weight = random(6, 64, seed=1), random(40, 64, seed=2)
        exact, screened = x @ weight.t(), self.layers.reduced("screen", x, weight, None)
        rough = self.layers.reduced("int8", x, weight, None)
        best = rough.topk(2, -1).indices
        torch.testing.assert_close(screened.gather(-1, best), exact.gather(-1, best))
        self.assertEqual(int((screened != rough).sum()), best.numel())

    def test_only_named_layers_of_chosen_kinds_are_reduced(self):
        x, one, other, unnamed = random(2, 8, seed=1), random(3, 8, seed=2), random(3, 8, seed=3), random(3, 8, seed=4)
        self.layers.name(one, "one")
        self.layers.name(other, "other")
        with self.layers.active({"one": "bf16", "other": None}):
            results = [torch.nn.functional.linear(x, weight) for weight in (one, other, unnamed)]
        self.assertFalse(torch.equal(results[0], x @ one.t()))
        torch.testing.assert_close(results[0], x.bfloat16().float() @ one.bfloat16().float().t())
        self.assertTrue(torch.equal(results[1], torch.nn.functional.linear(x, other)))
        self.assertTrue(torch.equal(results[2], torch.nn.functional.linear(x, unnamed)))

    def test_errors_are_measured_and_the_answer_is_f32(self):
        x, weight = random(2, 64, seed=1), random(3, 64, seed=2)
        self.layers.name(weight, "one")
        with self.layers.active(measure=True):
            y = torch.nn.functional.linear(x, weight)
        self.assertTrue(torch.equal(y, torch.nn.functional.linear(x, weight)))
        total, rows = self.layers.errors["one", "int8"]
        self.assertEqual(rows, 2)
        self.assertTrue(0 < total / rows < 0.05)


if __name__ == "__main__":
    unittest.main()
