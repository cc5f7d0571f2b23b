#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models replaced under load: failures, latency before and during, and memory.

python3 tests/bench/hot_reload.py [--build=build] [--model=weights/translator-en-de] [--pairs=5] [--seconds=8]
                                  [--reloads=20] [--share=0.7]

Starts heed-server on a directory with two versions of the model, finds what it sustains (closed loop), and offers that
share of it (open loop, Poisson). Windows come in pairs: one quiet, one in which the model is loaded anew --reloads
times, versions 1 and 2 in turn. Prints both p99 of each pair and their ratio, the failed requests, and the resident
memory before, at its peak and after.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from heed_server import HeedServer  # noqa: E402

MIB = 1 << 20


def bench(heed, address, *flags):
    run = subprocess.run([heed, "bench", "translate", f"--server={address}", "--beam=1", "--json", *flags],
                         capture_output=True, text=True, check=False)
    if not run.stdout:
        raise SystemExit(f"hot_reload: heed bench: {run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--model", default="weights/translator-en-de")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--reloads", type=int, default=20, help="in each pair's second window")
    parser.add_argument("--share", type=float, default=0.7)
    options = parser.parse_args()
    heed = os.path.join(options.build, "bin/heed")

    with tempfile.TemporaryDirectory() as models:
        for version in ("1", "2"):
            shutil.copytree(options.model, os.path.join(models, "model", version))
        with HeedServer(os.path.join(options.build, "bin/heed-server"), f"--models={models}", "--metrics_listen=",
                        "--management=true") as server:
            run(options, heed, server)
            print(f"server's exit code {server.terminate()}")


def run(options, heed, server):
    sustained = bench(heed, server.address, "--concurrency=16", "--duration=4", "--warmup=1")["sentences_per_second"]
    rate = options.share * sustained
    print(f"sustains {sustained:.0f} requests/s; offered {rate:.0f}")
    window = ["--mode=open", f"--rate={rate}", f"--duration={options.seconds}", "--warmup=1"]

    def load(version):
        subprocess.run([heed, "models", "load", "model", f"--versions={version}", f"--server={server.address}"],
                       check=True, stdout=subprocess.DEVNULL)

    for version in (2, 1):  # what the allocator and the caches keep after a first change is not growth
        load(version)
    time.sleep(4)
    base = server.resident_bytes()
    ratios, failed, reloads = [], 0, 0
    for _ in range(options.pairs):
        quiet = bench(heed, server.address, *window)
        result = {}
        thread = threading.Thread(target=lambda: result.update(bench(heed, server.address, *window)))
        thread.start()
        time.sleep(1)
        for _ in range(options.reloads):
            started = time.monotonic()
            reloads += 1
            load(1 + reloads % 2)
            time.sleep(max(0, options.seconds / options.reloads - (time.monotonic() - started)))
        thread.join()
        ratios.append(result["p99_ms"] / quiet["p99_ms"])
        failed += quiet["errors"] + result["errors"]
        print(f"p99 quiet {quiet['p99_ms']:.2f} ms, reloading {result['p99_ms']:.2f} ms: {ratios[-1]:.2f}; "
              f"p50 {quiet['p50_ms']:.2f}, {result['p50_ms']:.2f} ms; errors {quiet['errors']}, {result['errors']}",
              flush=True)
    time.sleep(4)  # memory goes back two seconds after the last change
    print(f"{reloads} reloads, {failed} failed requests, p99 ratio {statistics.median(ratios):.2f} (median)")
    print(f"resident {base / MIB:.1f} MiB before, {server.resident_bytes() / MIB:.1f} MiB after, peak "
          f"{server.peak_resident_bytes() / MIB:.1f} MiB")


if __name__ == "__main__":
    main()
