# SPDX-License-Identifier: Apache-2.0
"""What the scripts beside this folder print that compare one kind of network with PyTorch."""

import os
import subprocess
import sys

from report import progress
from translation_part import REPOSITORY, lines_of

BENCH = os.path.join(REPOSITORY, "tests/bench")


class ScriptPart:
    def __init__(self, options, report, peers):
        self.options, self.report, self.peers = options, report, peers

    def scripts(self):
        """(title, program of Heed, script, its model and flags) of each."""
        path = os.path.join(self.options.cache, "lines")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines_of(self.options))
        rounds = f"--rounds={self.options.rounds}"
        sentences = f"--sentences={min(200, self.options.lines)}"
        model = os.path.join(REPOSITORY, "weights/translator-en-de-rnn")
        yield "A recurrent translator, one thread", "translation_bench", "rnn_pytorch.py", (model, path, rounds, sentences)
        model = os.path.join(REPOSITORY, "weights/ntm-babi")
        yield "A Neural Turing Machine, one thread", "ntm_bench", "ntm_pytorch.py", (model, rounds)

    def run(self):
        self.report.section("Networks beside PyTorch alone")
        if "torch" not in self.peers:
            self.report.skipped("scripts", "they need PyTorch")
            return
        for title, program, script, (model, *flags) in self.scripts():
            path = os.path.join(self.options.bin, program)
            if not os.access(path, os.X_OK):
                self.report.skipped(script, f"{self.options.bin} has no {program} (scripts/build.sh builds it)")
                continue
            progress(f"{script} ...")
            command = [sys.executable, os.path.join(BENCH, script), model, path, *flags]
            result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            self.report.section(f"{title}: tests/bench/{script}", 3)
            self.report.line(f"```\n{result.stdout.rstrip()}\n```")
