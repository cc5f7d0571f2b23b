#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two servers, one core each, restarted one after the other under a client-side balanced channel: failed requests.

python3 tests/bench/rolling_restart.py [--build=build] [--models=weights] [--model=translator-en-de] [--rounds=3]
                                       [--share=0.7] [--lame_duck_s=2]

Finds what one server sustains alone, offers that share of it (open loop, Poisson) to both, and meanwhile ends each with
SIGTERM, waits until it has exited, starts it again on its port, and waits until it is SERVING. Nothing is tried again:
`heed bench` counts what a server refuses as an error. The channel takes servers in turn and watches their health.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from heed_server import HeedServer  # noqa: E402


class Server:
    """Comes back on the port that the kernel gave it first."""

    def __init__(self, options, core):
        self.options, self.core, self.address = options, core, "127.0.0.1:0"
        self.start()

    def start(self):
        self.process = HeedServer(
            os.path.join(self.options.build, "bin/heed-server"), f"--models={self.options.models}",
            f"--listen={self.address}", "--metrics_listen=", "--threads=1", f"--lame_duck_s={self.options.lame_duck_s}",
            prefix=("taskset", "-c", str(self.core)))
        self.address = self.process.address

    def stop(self):
        return self.process.terminate()


def bench(options, address, *flags):
    run = subprocess.run([os.path.join(options.build, "bin/heed"), "bench", "translate", f"--server={address}",
                          f"--model={options.model}", "--beam=1", "--json", *flags],
                         capture_output=True, text=True, check=False)
    if not run.stdout:
        raise SystemExit(f"rolling_restart: heed bench: {run.stderr}")
    return json.loads(run.stdout.splitlines()[-1]), run.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--models", default="weights")
    parser.add_argument("--model", default="translator-en-de")
    parser.add_argument("--rounds", type=int, default=3, help="restarts of each server")
    parser.add_argument("--share", type=float, default=0.7)
    parser.add_argument("--lame_duck_s", type=float, default=2)
    options = parser.parse_args()

    servers = [Server(options, core) for core in (0, 1)]
    try:
        alone, _ = bench(options, servers[0].address, "--concurrency=16", "--duration=5", "--warmup=1")
        rate = options.share * alone["sentences_per_second"]
        print(f"one server alone sustains {alone['sentences_per_second']:.0f} requests/s; offered to both: {rate:.0f}")
        seconds = options.rounds * 2 * (options.lame_duck_s + 3) + 2
        result = {}

        def load():
            result["row"], result["errors"] = bench(
                options, ",".join(server.address for server in servers), "--mode=open", f"--rate={rate}",
                f"--duration={seconds}", "--warmup=0", "--connections=1")

        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(1)
        restarts = 0
        for _ in range(options.rounds):
            for server in servers:
                started = time.monotonic()
                code = server.stop()
                down = time.monotonic() - started
                server.start()
                restarts += 1
                print(f"restart {restarts}: exit code {code} after {down:.2f} s, back after "
                      f"{time.monotonic() - started:.2f} s", flush=True)
                time.sleep(2)
        thread.join()
        row = result["row"]
        print(f"{restarts} restarts, {row['requests']} requests, {row['errors']} failed; "
              f"p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms")
        if result["errors"]:
            print(result["errors"].strip())
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()
