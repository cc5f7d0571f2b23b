#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scores a running server on the copy task: has random sequences of bits copied by `heed run` and counts the wrong bits.

    copy_error.py [--lengths=1-20,40,80] [--sequences=2000] [--server=ADDRESS] [--model=NAME] [--client=PATH]

A range of lengths gets one line for all of them, --sequences of each. Needs nothing but Python.
"""

import argparse
import os
import random
import subprocess
import sys

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
BITS = 8


def parse_lengths(text):
    """[(name, lengths)]"""
    groups = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        groups.append((part, range(int(first), int(last or first) + 1)))
    return groups


def copies(command, sequences):
    """What comes back for the sequences, lists of rows of bits as text."""
    text = "\n\n".join("\n".join(rows) for rows in sequences) + "\n"
    result = subprocess.run(command, input=text, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if result.returncode != 0:
        sys.exit(f"copy_error.py: {' '.join(command)} exited with {result.returncode}")
    blocks = result.stdout.strip().split("\n\n")
    return [[row.replace(" ", "") for row in block.split("\n")] for block in blocks]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", default="1-20,40,80", help="rows of the sequences (default: %(default)s)")
    parser.add_argument("--sequences", type=int, default=2000, help="of each length (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--model", default="ntm-copy", help="model to ask (default: %(default)s)")
    parser.add_argument("--client", default=os.path.join(REPOSITORY, "build/bin/heed"), help="client binary")
    arguments = parser.parse_args()
    if not os.access(arguments.client, os.X_OK):
        parser.error(f"--client: {arguments.client} is not there; scripts/build.sh builds it")
    command = [arguments.client, "run", f"--server={arguments.server}", f"--model={arguments.model}", "--round"]
    generator = random.Random(arguments.seed)
    for name, lengths in parse_lengths(arguments.lengths):
        bits = wrong = failed = 0
        for length in lengths:
            sequences = [
                [format(generator.getrandbits(BITS), f"0{BITS}b") for _ in range(length)] for _ in range(arguments.sequences)
            ]
            for rows, copy in zip(sequences, copies(command, sequences), strict=True):
                errors = sum(a != b for row, other in zip(rows, copy, strict=True) for a, b in zip(row, other, strict=True))
                bits, wrong, failed = bits + BITS * length, wrong + errors, failed + (errors > 0)
        total = arguments.sequences * len(lengths)
        print(f"length {name:>6}: bit error {100 * wrong / bits:.4f} %, {failed} of {total} sequences", flush=True)


if __name__ == "__main__":
    main()
