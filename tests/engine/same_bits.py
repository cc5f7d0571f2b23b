#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that a translator's logits have the same bits on every instruction set of this machine, in f32 and in int8.

    same_bits.py HEED_LOGITS MODEL_DIR

HEED_LOGITS is build/bin/heed-logits. Each instruction set from AVX2 on is forced by HEED_INSTRUCTION_SET; those that
the machine lacks are named and skipped. Exits with 77 if it has fewer than two.
"""

import hashlib
import json
import os
import subprocess
import sys

SETS = ["avx2", "avx512", "avx512-vnni", "avx512-bf16", "amx"]
NOT_ON_THIS_MACHINE = 2
# Long and short sentences of ids that any vocabulary has; the values do not matter.
LINES = [{"source": [5 + 7 * i % 900 for i in range(length)] + [0], "target": [1] + [11 + 13 * i % 900 for i in range(7)]}
         for length in (1, 5, 17, 40)]


def digest(heed_logits, model, precision, instruction_set):
    """Of the logits; None if the machine lacks the instruction set."""
    run = subprocess.run([heed_logits, model, f"--precision={precision}"], input="\n".join(map(json.dumps, LINES)),
                         env={**os.environ, "HEED_INSTRUCTION_SET": instruction_set}, capture_output=True, text=True)
    if run.returncode == NOT_ON_THIS_MACHINE:
        return None
    if run.returncode != 0:
        sys.exit(f"same_bits: {heed_logits} with {instruction_set}: {run.stderr.strip()}")
    return hashlib.sha256(run.stdout.encode()).hexdigest()


def main():
    if len(sys.argv) != 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        sys.exit(0 if "--help" in sys.argv or "-h" in sys.argv else 2)
    failed, compared = False, 0
    for precision in ("f32", "int8"):
        digests = {name: digest(sys.argv[1], sys.argv[2], precision, name) for name in SETS}
        for name in [name for name in SETS if digests[name] is None]:
            print(f"same_bits: {precision}: SKIPPED {name}: this machine has none")
            del digests[name]
        compared = max(compared, len(digests))
        same = len(set(digests.values())) <= 1
        failed |= not same
        print(f"same_bits: {precision}: {', '.join(digests)}: {'the same bits' if same else f'differ: {digests}'}")
    if failed:
        sys.exit(1)
    if compared < 2:
        sys.exit(77)


if __name__ == "__main__":
    main()
