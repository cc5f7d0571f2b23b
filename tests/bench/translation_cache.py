#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a sentence costs that the translation cache has, beside one that it computes.

    translation_cache.py BIN_DIR --models=DIRECTORY --model=NAME [--rounds=5] [--sentences=300]

Starts BIN_DIR/heed-server with a cache and one without, and sends the same sentences one at a time to each, in turns: to the
cache twice, so that the second time it has them all. Prints the medians of the rounds. Needs the Python client
(scripts/python_client.sh).
"""
import argparse
import os
import statistics
import sys
import time

from heed_client import Client

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from heed_server import HeedServer  # noqa: E402


def latencies(client, model, sentences):
    """Seconds of each request."""
    times = []
    for sentence in sentences:
        begin = time.perf_counter()
        client.translate([sentence], model, beam_size=4)
        times.append(time.perf_counter() - begin)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("--models", default="weights/translator-en-de")
    parser.add_argument("--model", default="translator-en-de")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sentences", type=int, default=300)
    arguments = parser.parse_args()
    server = os.path.join(arguments.bin_dir, "heed-server")
    rows = {"without a cache": [], "computed, and kept": [], "found": []}
    with HeedServer(server, f"--models={arguments.models}", "--translation_cache_bytes=100000000") as cached:
        with HeedServer(server, f"--models={arguments.models}") as plain:
            with Client(cached.address) as with_cache, Client(plain.address) as without:
                for round_number in range(arguments.rounds):
                    sentences = [f"A man number {round_number} plays with {i} dogs in the snow." for i in range(arguments.sentences)]
                    rows["without a cache"].append(latencies(without, arguments.model, sentences))
                    rows["computed, and kept"].append(latencies(with_cache, arguments.model, sentences))
                    rows["found"].append(latencies(with_cache, arguments.model, sentences))
    for name, rounds in rows.items():
        p50 = statistics.median(statistics.median(times) for times in rounds)
        p99 = statistics.median(statistics.quantiles(times, n=100)[98] for times in rounds)
        print(f"{name:>20}  p50 {1e3 * p50:7.3f} ms  p99 {1e3 * p99:7.3f} ms")


if __name__ == "__main__":
    main()
