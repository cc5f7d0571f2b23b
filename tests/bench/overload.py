#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a server makes of ten times the load that it can bear, and of the time after it.

    overload.py BIN_DIR --models=DIRECTORY --model=NAME [--deadline=S] [--times=10] [--duration=60] [--threads=N]

Starts BIN_DIR/heed-server, measures what it sustains (closed loop, 64 in flight), and then, with a deadline for each request,
an open loop at 70 % of that, one at --times that, and one at 70 % again, in windows of half a second. Prints for each phase
the latencies of answered and of refused requests, how many of the accepted ones missed their deadline, and for the windows
after the overload how long ago it ended. Needs no packages.
"""
import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from heed_server import HeedServer  # noqa: E402


def bench(bin_dir, address, model, *flags):
    """The row of a run of `heed bench translate`; its errors are refusals and missed deadlines, which the row counts."""
    command = [f"{bin_dir}/heed", "bench", "translate", f"--server={address}", f"--model={model}", "--beam=1", "--json"]
    result = subprocess.run(command + [*flags], capture_output=True, text=True)
    if not result.stdout:
        sys.exit(f"{' '.join(command + [*flags])}: {result.stderr}")
    return json.loads(result.stdout)


def show(name, row):
    accepted = row["requests"] + row["expired"]
    print(
        f"{name:>22}  answered {row['requests']:6d}  p50 {row['p50_ms']:7.1f}  p99 {row['p99_ms']:7.1f} ms  "
        f"missed {row['expired']:4d} ({100 * row['expired'] / max(1, accepted):.2f} %)  refused {row['refused']:7d}  "
        f"p50 {row['refused_p50_ms']:5.2f}  p99 {row['refused_p99_ms']:6.2f} ms  "
        f"other errors {row['errors'] - row['refused'] - row['expired']}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("--models", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--deadline", type=float, default=1)
    parser.add_argument("--times", type=float, default=10)
    parser.add_argument("--duration", type=float, default=60)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--server_flag", action="append", default=[], help="one more flag of heed-server")
    arguments = parser.parse_args()

    with HeedServer(f"{arguments.bin_dir}/heed-server", f"--models={arguments.models}", "--metrics_listen=",
                    f"--threads={arguments.threads}", *arguments.server_flag) as server:
        load = [f"--connections={arguments.connections}"]
        sustained = bench(arguments.bin_dir, server.address, arguments.model, *load, "--concurrency=64", "--duration=5",
                          "--warmup=1")
        rate = sustained["requests"] / sustained["seconds"]
        show("closed loop, 64", sustained)
        print(f"sustains {rate:.0f} requests/s; deadline {arguments.deadline} s")
        load += ["--mode=open", f"--deadline={arguments.deadline}"]
        calm = [*load, f"--rate={0.7 * rate}", "--warmup=0"]
        show("70 %", bench(arguments.bin_dir, server.address, arguments.model, *calm, "--duration=10"))
        overload = bench(arguments.bin_dir, server.address, arguments.model, *load, f"--rate={arguments.times * rate}",
                         "--warmup=0", f"--duration={arguments.duration}")
        ended = time.monotonic()
        show(f"{arguments.times:g} times", overload)
        for window in range(6):
            begin = time.monotonic() - ended
            row = bench(arguments.bin_dir, server.address, arguments.model, *calm, "--duration=0.5",
                        f"--load_seed={window + 1}")
            show(f"70 %, {begin:.1f} s after", row)


if __name__ == "__main__":
    main()
