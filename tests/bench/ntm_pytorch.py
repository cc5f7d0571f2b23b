#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steps of a Neural Turing Machine a second, Heed against PyTorch, on one thread each, taking turns in one run.

    ntm_pytorch.py MODEL_DIR build/bin/ntm_bench [--rounds=5] [--seconds=1]

A step tells each session one fact: the sentence's vector, the controller, the heads, the memory. PyTorch runs the recipes' model
(weights/recipes/ntm.py) without gradients on the same facts, all sessions in one batch. Prints medians of the rounds and their
ratios; needs PyTorch.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "weights", "recipes"))
import babi  # noqa: E402
import ntm  # noqa: E402

FACTS = 100
SESSIONS = (1, 16, 64)


def story(vocabulary):
    """ids [FACTS, words] of ntm_bench's facts."""
    people, places = ("Mary", "John", "Daniel", "Sandra"), ("bathroom", "hallway", "kitchen", "office", "garden")
    texts = [f"{people[i % 4]} went back to the {places[i % 5]}." for i in range(FACTS)]
    return torch.tensor([[vocabulary.get(word, len(vocabulary)) for word in babi.split_words(text)] for text in texts])


def pytorch_steps(model, ids, sessions, seconds):
    """Facts told a second over all sessions, for `seconds`."""
    rates, begin = [], time.perf_counter()
    batch = ids.expand(sessions, *ids.shape)
    while time.perf_counter() - begin < seconds:
        state, packed = model.initial_state(sessions), model.packed_heads()
        start = time.perf_counter()
        for t in range(FACTS):
            x = model.facts(batch[:, t : t + 1], t)[:, 0]
            _, _, state = model.step(x, state, packed)
        rates.append(sessions * FACTS / (time.perf_counter() - start))
    return statistics.median(rates)


def heed_steps(program, directory, sessions, seconds):
    """(facts told a second over all sessions, bytes of one session)"""
    line = subprocess.run(
        [program, directory, str(seconds), str(sessions)], check=True, capture_output=True, text=True
    ).stdout.split()
    return float(line[1]), int(line[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()

    torch.set_num_threads(1)
    model, vocabulary = ntm.load_model(options.model)
    model.eval()
    ids = story(vocabulary)
    heed, pytorch, size = {n: [] for n in SESSIONS}, {n: [] for n in SESSIONS}, 0
    with torch.inference_mode():
        for _ in range(options.rounds):
            for n in SESSIONS:
                rate, size = heed_steps(options.program, options.model, n, options.seconds)
                heed[n].append(rate)
                pytorch[n].append(pytorch_steps(model, ids, n, options.seconds))
    alone = statistics.median(pytorch[1])
    print("sessions  Heed steps/s  PyTorch steps/s  Heed / PyTorch  (rounds)          Heed / PyTorch one at a time")
    for n in SESSIONS:
        ratios = [a / b for a, b in zip(heed[n], pytorch[n])]
        ours, theirs = statistics.median(heed[n]), statistics.median(pytorch[n])
        print(
            f"{n:8} {ours:13.0f} {theirs:16.0f} {statistics.median(ratios):13.1f}x"
            f"  ({min(ratios):.1f} to {max(ratios):.1f}) {ours / alone:21.1f}x"
        )
    print(f"bytes of a session of {FACTS} facts: {size}")


if __name__ == "__main__":
    main()
