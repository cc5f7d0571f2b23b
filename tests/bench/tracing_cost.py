#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What traces cost: throughput of translations with and without them.

    tracing_cost.py BIN_DIR [--collector=PROGRAM] [--models=DIRECTORY] [--rounds=5] [--duration=5] [--concurrency=64]

Starts a server without traces and some with them, and puts `heed bench translate` on each in turns. Spans go to a sink in this
process, which takes a batch without looking into it, or to a collector of scripts/otel_collector.sh. The first server is
measured twice in each round: what the two differ by is the noise. Prints the medians of throughput and CPU time of the
server, and of each round's ratio to the server without traces. Needs grpcio (scripts/python_client.sh).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent import futures

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../client"))
from heed_server import HeedServer  # noqa: E402
from traces_test import Collector  # noqa: E402

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Sink(grpc.GenericRpcHandler):
    """A collector that throws all away."""

    def __init__(self):
        self.batches = 0
        self.bytes = 0
        self.server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.max_receive_message_length", -1)])
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, handler_call_details):
        return grpc.unary_unary_rpc_method_handler(self.export) if handler_call_details.method == EXPORT else None

    def export(self, request, _context):
        self.batches += 1
        self.bytes += len(request)
        return b""


def so_far(server):
    """(translations, seconds of CPU) of the server."""
    metrics = server.metrics()
    count = sum(value for (name, labels), value in metrics.items()
                if name == "heed_requests_total" and ("method", "heed.v1.TranslationService/Translate") in labels)
    return count, metrics["process_cpu_seconds_total", ()]


def measure(arguments, server):
    """(sentences a second, milliseconds of the server's CPU for each)."""
    command = [
        os.path.join(arguments.bin_dir, "heed"), "bench", "translate", f"--server={server.address}", f"--concurrency={arguments.concurrency}",
        f"--duration={arguments.duration}", "--warmup=1", "--json",
    ]
    count, cpu = so_far(server)
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    count_after, cpu_after = so_far(server)
    return row["sentences_per_second"], 1e3 * (cpu_after - cpu) / (count_after - count)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("--collector", help="otel-collector, for one more server")
    parser.add_argument("--models", default="weights/translator-en-de")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=5)
    parser.add_argument("--concurrency", type=int, default=64)
    arguments = parser.parse_args()
    sink = Sink()
    folder = tempfile.TemporaryDirectory()
    collector = Collector(arguments.collector, folder.name) if arguments.collector else None
    to_sink = f"--trace_endpoint=127.0.0.1:{sink.port}"
    kinds = {
        "off": [],
        "off, again": None,
        "ratio 0.01, to a sink": [to_sink, "--trace_sample_ratio=0.01"],
        "ratio 1, to a sink": [to_sink],
    }
    if collector:
        collector.wait_until_ready()
        kinds["ratio 1, to a collector"] = [f"--trace_endpoint=127.0.0.1:{collector.port}"]
    binary = os.path.join(arguments.bin_dir, "heed-server")
    servers = {name: HeedServer(binary, f"--models={arguments.models}", *flags) for name, flags in kinds.items() if flags is not None}
    servers["off, again"] = servers["off"]
    rows = {name: [] for name in kinds}
    try:
        for round_number in range(arguments.rounds + 1):
            for name in kinds:
                figures = measure(arguments, servers[name])
                if round_number > 0:  # the first one warms up
                    rows[name].append(figures)
            print(f"round {round_number}: " + ", ".join(f"{name} {rows[name][-1][0]:.1f}" for name in kinds if rows[name]),
                  file=sys.stderr)
        for name, measured in rows.items():
            rate = statistics.median(one[0] for one in measured)
            cpu = statistics.median(one[1] for one in measured)
            ratio = statistics.median(one[0] / off[0] for one, off in zip(measured, rows["off"]))
            spans = {key[1][0][1]: int(value) for key, value in servers[name].metrics().items() if key[0] == "heed_trace_spans_total"}
            print(f"{name:>24}  {rate:8.1f} sentences/s  {100 * (ratio - 1):+6.2f} %  {cpu:6.3f} ms of CPU each  {spans or ''}")
        print(f"the sink took {sink.batches} batches of {sink.bytes / max(sink.batches, 1) / 1024:.0f} KiB")
    finally:
        for name, server in servers.items():
            if name != "off, again":
                server.terminate()
        if collector:
            collector.stop()
        sink.server.stop(0)


if __name__ == "__main__":
    main()
