#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scoring and generating with a Transformer-XL at full memory, Heed against transformers, on the same threads in one run.

    pip install torch==2.5.1 transformers==4.30.2
    transformer_xl_pytorch.py MODEL_DIR build/bin/transformer_xl_bench [--threads=1] [--sessions=1,8] [--rounds=2]
        [--score_steps=3] [--generate_steps=4]

transformers runs TransfoXLLMHeadModel in float32 without gradients: scoring passes segments of 128 tokens with `labels`,
as its users do, so that only the targets' log-probabilities are computed; generating passes one token and takes the
argmax of its prediction scores, as `generate` does. Both start with memories of mem_len tokens. The rivals take turns;
medians of the rounds and their ratios are
printed. Seconds are CPU seconds divided by the threads, so that a busy machine can be measured on. MODEL_DIR is what weights/recipes/random_transformer_xl.py writes.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import warnings

import torch
from transformers import TransfoXLConfig, TransfoXLLMHeadModel, logging

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "weights", "recipes"))
import safetensors_file  # noqa: E402

SEGMENT = 128


def load(directory):
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = TransfoXLConfig(**json.load(file))
    model = TransfoXLLMHeadModel(config)
    tensors = safetensors_file.read(os.path.join(directory, "model.safetensors"))
    missing, unexpected = model.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    assert not unexpected, unexpected
    assert all(name.startswith(("crit.", "transformer.pos_emb")) for name in missing), missing
    model.tie_weights()
    return model.eval()


class Rival:
    """Streams of random tokens with full memories."""

    def __init__(self, model, sessions):
        self.model = model
        self.sessions = sessions
        self.generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            self.mems = [
                torch.randn(model.config.mem_len, sessions, model.config.d_model, generator=self.generator)
                for _ in range(model.config.n_layer)
            ]

    def tokens(self, count):
        return torch.randint(self.model.config.vocab_size, (self.sessions, count), generator=self.generator)

    @torch.no_grad()
    def step(self, count, score):
        ids = self.tokens(count)
        begin = time.process_time()
        outputs = self.model(ids, mems=self.mems, labels=ids if score else None)
        if not score:
            outputs.prediction_scores[:, -1].argmax(-1)
        return (time.process_time() - begin) / torch.get_num_threads()


def heed(arguments, sessions):
    """{"score": tokens/s, "generate": tokens/s}, and the lines as they are."""
    output = subprocess.run(
        [arguments.bench, arguments.directory, f"--threads={arguments.threads}", f"--sessions={sessions}",
         f"--score_tokens={arguments.score_steps * SEGMENT * sessions}", f"--generate_tokens={4 * arguments.generate_steps}"],
        check=True, capture_output=True, text=True,
    ).stdout
    rates = {m[1]: float(m[2]) for m in re.finditer(r"^(score|generate) \d+ sessions ([\d.]+)", output, re.MULTILINE)}
    return rates, output


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", metavar="MODEL_DIR")
    parser.add_argument("bench", metavar="BENCH")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sessions", default="1,8")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--score_steps", type=int, default=3)
    parser.add_argument("--generate_steps", type=int, default=4)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    torch.set_num_threads(arguments.threads)
    model = load(arguments.directory)
    for sessions in map(int, arguments.sessions.split(",")):
        rival = Rival(model, sessions)
        ours, theirs = {"score": [], "generate": []}, {"score": [], "generate": []}
        for _ in range(arguments.rounds):
            rates, output = heed(arguments, sessions)
            print(output, end="", flush=True)
            for what, rate in rates.items():
                ours[what].append(rate)
            scoring = statistics.median(rival.step(SEGMENT, True) for _ in range(arguments.score_steps))
            generating = statistics.median(rival.step(1, False) for _ in range(arguments.generate_steps))
            theirs["score"].append(sessions * SEGMENT / scoring)
            theirs["generate"].append(sessions / generating)
        for what, rates in ours.items():
            mine, other = statistics.median(rates), statistics.median(theirs[what])
            print(f"{what} {sessions} sessions: heed {mine:.2f} tokens/s, transformers {other:.2f}: {mine / other:.1f}x", flush=True)


if __name__ == "__main__":
    main()
