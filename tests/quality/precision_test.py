#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests precision.py on a real server, with a stand-in for sacrebleu. Standard library only.

    python3 tests/quality/precision_test.py BIN_DIR
"""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SENTENCES = ["A man is riding a bike.", "Two dogs run through the grass.", "Good evening, Dr. Baker."]
SACREBLEU = """
def corpus_bleu(translations, references, tokenize):
    class Score:
        score = 100 * sum(bool(line) for line in translations) / len(translations)
    return Score
"""
BIN_DIR = ""


class PrecisionTest(unittest.TestCase):
    def run_script(self, *flags):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "sacrebleu.py"), "w", encoding="utf-8") as file:
                file.write(SACREBLEU)
            text = os.path.join(folder, "text")
            with open(text, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in SENTENCES)
            command = [sys.executable, os.path.join(HERE, "precision.py"), BIN_DIR, f"--source={text}", f"--reference={text}", *flags]
            environment = {**os.environ, "PYTHONPATH": folder}
            return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def test_compares_each_precision_with_the_first(self):
        result = self.run_script("--precisions=f32,int8,bf16", "--beams=1,2")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for beam in (1, 2):
            self.assertRegex(result.stdout, rf"\| f32 \| f32 \| \S+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| {beam} \| 100.00 \| \+0.00 \| 100.0 \|")
            self.assertRegex(result.stdout, rf"\| int8 \| int8 \| \S+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| {beam} \| 100.00 \| \+0.00 \| [\d.]+ \|")
            self.assertRegex(result.stdout, rf"\| bf16 \| (bf16|f32) \| \S+ \| .* \| {beam} \| ")
        self.assertEqual("\nbf16 is served as f32" in result.stdout, "| bf16 | f32 |" in result.stdout)

    def test_fails_if_too_much_is_lost(self):
        result = self.run_script("--precisions=f32,int8", "--beams=1", "--max_int8_loss=0")
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("int8, beam 1: loses 0.00 BLEU; the limit is 0", result.stdout)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: precision_test.py BIN_DIR")
    BIN_DIR = os.path.abspath(sys.argv.pop(1))
    unittest.main()
