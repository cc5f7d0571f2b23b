#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests tests/bench/compare.sh and its modules: the closed loop, wrong flags, and a smoke run of the real server without any
peer, whose absence the page must name. Standard library only, no network.

    python3 tests/bench/compare_test.py BIN_DIR
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "compare"))
import closed_loop  # noqa: E402

BIN_DIR = ""


class ClosedLoopTest(unittest.TestCase):
    def test_counts_answers_of_the_window_only(self):
        load = closed_loop.closed_loop(lambda request: time.sleep(0.01), ["a"], in_flight=2, seconds=0.3, warmup_s=0.1)
        self.assertLessEqual(load.rate, 200)
        self.assertGreater(load.rate, 20)  # a busy machine sleeps longer
        self.assertGreaterEqual(load.p50_ms, 10)
        self.assertGreaterEqual(load.p99_ms, load.p50_ms)

    def test_goes_round_the_requests(self):
        seen, lock = [], threading.Lock()

        def answer(request):
            with lock:
                seen.append(request)
            time.sleep(0.001)

        closed_loop.closed_loop(answer, ["a", "b", "c"], in_flight=1, seconds=0.1, warmup_s=0)
        self.assertEqual(seen[:7], ["a", "a", "b", "c", "a", "b", "c"])

    def test_an_answer_that_comes_late_counts_by_the_time_it_took(self):
        load = closed_loop.closed_loop(lambda request: time.sleep(0.3), ["a"], in_flight=1, seconds=0.1, warmup_s=0)
        self.assertLessEqual(load.rate, 1 / 0.3)
        self.assertGreaterEqual(load.p50_ms, 300)

    def test_an_error_reaches_the_caller(self):
        with self.assertRaises(ZeroDivisionError):
            closed_loop.closed_loop(lambda request: 1 // 0, ["a"], in_flight=3, seconds=5, warmup_s=0)

    def test_ratios_are_those_of_the_rounds(self):
        self.assertEqual(closed_loop.ratio_text([2, 9, 4], [1, 3, 1]), "3.00 (2.00 to 4.00)")
        self.assertEqual(closed_loop.ratio_text([3], [2]), "1.50")


class CompareTest(unittest.TestCase):
    def compare(self, *flags):
        """Without site-packages, so that there is no peer even where one is installed."""
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, "-S", os.path.join(HERE, "compare"), f"--cache={cache}", f"--bin={BIN_DIR}", *flags]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            path = os.path.join(cache, "compare.md")
            page = ""
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    page = file.read()
            return result, page

    def test_runs_without_peers_and_says_so(self):
        result, page = self.compare("--quick", "--weights=translator-en-de", "--precisions=f32", "--core_hour_price=0.1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, page)
        for peer in ("CTranslate2", "PyTorch with transformers", "ONNX Runtime", "PyTorch Geometric", "graphs", "scripts"):
            self.assertIn(f"**Skipped: {peer}**", page)
            self.assertIn(f"SKIPPED: {peer}", result.stderr)
        self.assertRegex(page, r"\| 1 \| 8 \| Heed \| [\d.]+ \|")
        self.assertRegex(page, r"\| translator-en-de \| 1 \| f32 \| Heed \| [\d,]+ \| [\d.]+ \|")
        self.assertIn("At 0.1 USD", page)

    def test_wrong_flags_exit_2(self):
        for flag in ("--precisions=f64", "--parts=all", "--beams=0", "--input=nowhere", "--bin=nowhere"):
            result, page = self.compare(flag)
            self.assertEqual(result.returncode, 2, flag)
            self.assertEqual(page, "")

    def test_help(self):
        result = subprocess.run([os.path.join(HERE, "compare.sh"), "--help"], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        for flag in ("--cache", "--python", "--quick", "--core_hour_price"):
            self.assertIn(flag, result.stdout)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: compare_test.py BIN_DIR")
    BIN_DIR = os.path.abspath(sys.argv.pop(1))
    unittest.main()
