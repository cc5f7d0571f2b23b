#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Heed's XLNet against Hugging Face transformers' on the same weights, on one thread each, taking turns in one run.

    xlnet_pytorch.py MODEL_DIR build/bin/xlnet_bench [--rounds=3] [--work=encode-128,score-512,...]

Works, whose last number is tokens: encode-N (all tokens of a text see each other), score-N (log-probabilities of N tokens
from left to right: perm_mask and target_mapping), generate-N (N tokens behind a prompt of 32, greedily; transformers'
generate against Heed's generate-hf, which gives the same tokens, and against generate, which is causal). Prints medians of
CPU seconds and their ratios. Needs PyTorch and transformers 4.57.
"""

import argparse
import statistics
import subprocess
import time

import torch
import transformers

PROMPT = 32
WORKS = "encode-128,encode-512,score-512,generate-50"


def transformers_work(model, kind, count):
    """A function that does it once."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(9, model.config.vocab_size, (1, count), generator=generator)
    if kind == "encode":
        return lambda: model.transformer(ids, use_mems=False)
    if kind == "score":
        mask = torch.ones(count, count).triu()[None]
        mapping = torch.eye(count)[None]

        def score():
            logits = model(ids, perm_mask=mask, target_mapping=mapping, use_mems=False).logits
            return torch.log_softmax(logits, -1).gather(-1, ids[..., None])
        return score
    prompt = torch.randint(9, model.config.vocab_size, (1, PROMPT), generator=generator)
    return lambda: model.generate(prompt, max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=5)


def measure(work):
    begin = time.process_time()
    work()
    return time.process_time() - begin


def heed_seconds(program, directory, kind, count):
    output = subprocess.run([program, directory, kind, str(count), "1", "1"], check=True, capture_output=True, text=True)
    return float(output.stdout.split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("program", help="xlnet_bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default=WORKS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}", flush=True)
    model = transformers.XLNetLMHeadModel.from_pretrained(arguments.model, torch_dtype=torch.float32).eval()
    with torch.no_grad():
        for name in arguments.work.split(","):
            kind, count = name.rsplit("-", 1)
            kinds = ("generate", "generate-hf") if kind == "generate" else (kind,)
            work = transformers_work(model, kind, int(count))
            measure(work)  # fills caches
            theirs, ours = [], {one: [] for one in kinds}
            for _ in range(arguments.rounds):
                theirs.append(measure(work))
                for one in kinds:
                    ours[one].append(heed_seconds(arguments.program, arguments.model, one, int(count)))
            their = statistics.median(theirs)
            for one in kinds:
                own = statistics.median(ours[one])
                print(f"{one} {count} tokens: transformers {their:.3f} s, Heed {own:.3f} s, ratio {their / own:.2f}", flush=True)


if __name__ == "__main__":
    main()
