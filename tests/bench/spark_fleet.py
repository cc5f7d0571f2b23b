#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A table of lines over one server, over two, and over two of which one is killed and starts again: rows lost and doubled,
lines a second, and what Spark itself takes.

build/spark-tests/bin/python3 tests/bench/spark_fleet.py LINES.tsv.gz [--server=build/bin/heed-server] [--rows=100000]
    [--model=translator-en-de] [--down_s=5] [--only=one,two,killed]

scripts/spark_tests.sh makes that Python. The lines are the first column of a file of tab-separated values, a sample of them with
a fixed seed. Each server has a core and one thread of its own; Spark (local[2]) has both cores, so it competes with them. CPU
seconds are those of the servers and of Spark's processes, which do not depend on what else the machine does. Every row of every
run is compared with the first run's.
"""

import argparse
import gzip
import os
import random
import shutil
import sys
import tempfile
import threading
import time

from pyspark.sql import SparkSession

from heed_client import spark as heed

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from heed_server import HeedServer  # noqa: E402

REQUESTS = "heed_requests_total"
PARTITIONS = 16


def cpu_seconds(pids):
    """Of processes and of the children that they have waited for; of this process without them, since these are servers."""
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                ticks += sum(map(int, file.read().rpartition(")")[2].split()[11 : 13 if pid == os.getpid() else 15]))
        except OSError:
            pass  # it has ended
    return ticks / os.sysconf("SC_CLK_TCK")


def descendants(pid):
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children", encoding="utf-8") as file:
                    waiting += [child for child in map(int, file.read().split()) if child not in found]
        except OSError:
            continue
        found.add(one)
    return found


class Server:
    """Of a core; comes back on its port."""

    def __init__(self, options, core):
        self.options, self.core, self.address, self.used_s = options, core, "127.0.0.1:0", 0.0
        self.start()

    def start(self):
        self.process = HeedServer(
            self.options.server, f"--models={os.path.join(self.options.models, self.options.model)}", "--threads=1",
            f"--listen={self.address}", prefix=("taskset", "-c", str(self.core)))
        self.address = self.process.address

    def requests(self):
        return sum(value for (name, _), value in self.process.metrics().items() if name == REQUESTS)

    def cpu_s(self):
        return self.used_s + cpu_seconds([self.process.pid])

    def kill(self):
        self.used_s = self.cpu_s()
        self.process.kill()


def read_lines(path, count):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [line.split("\t")[0].strip() for line in file]
    if len(lines) < count:
        raise SystemExit(f"spark_fleet: {path} has {len(lines)} lines, but --rows is {count}")
    return random.Random(1).sample(lines, count)


def kill_and_restart(server, expected_requests, down_s, events):
    """When it has answered a third of what it will."""
    while server.requests() < expected_requests / 3:
        time.sleep(0.1)
    answered = server.requests()
    server.kill()
    events.append(f"killed (SIGKILL) after {answered:.0f} requests")
    time.sleep(down_s)
    server.start()
    events.append(f"started again after {down_s:g} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines", metavar="LINES.tsv.gz")
    parser.add_argument("--server", default="build/bin/heed-server")
    parser.add_argument("--models", default="weights")
    parser.add_argument("--model", default="translator-en-de")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--down_s", type=float, default=5)
    parser.add_argument("--only", default="one,two,killed")
    parser.add_argument("--rows_per_request", type=int, default=64)
    parser.add_argument("--requests_in_flight", type=int, default=4)
    options = parser.parse_args()

    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
             .config("spark.ui.showConsoleProgress", "false").config("spark.driver.host", "127.0.0.1")
             .config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    folder = tempfile.mkdtemp(prefix="heed-spark-")
    try:
        lines = read_lines(options.lines, options.rows)
        words = sum(len(line.split()) for line in lines)
        print(f"{len(lines)} lines, {words} words; pyspark {spark.version}; load average {os.getloadavg()[0]:.1f}")
        spark.createDataFrame(list(enumerate(lines)), "id long, text string").repartition(PARTITIONS).write.parquet(f"{folder}/in")
        df = spark.read.parquet(f"{folder}/in")
        for name in options.only.split(","):
            measure(options, spark, df, folder, name)
    finally:
        spark.stop()
        shutil.rmtree(folder)


def measure(options, spark, df, folder, name):
    servers = [Server(options, core) for core in range(1 if name == "one" else 2)]
    metrics, events = heed.Metrics(spark), []
    try:
        if name == "killed":
            expected = options.rows / options.rows_per_request / 2
            fault = threading.Thread(target=kill_and_restart, args=(servers[0], expected, options.down_s, events))
            fault.start()
        ours = descendants(os.getpid()) - {server.process.pid for server in servers}
        spark_before, load = cpu_seconds(ours), os.getloadavg()[0]
        began = time.monotonic()
        heed.translate(
            df, "text", [server.address for server in servers], model=options.model, beam_size=1, metrics=metrics,
            rows_per_request=options.rows_per_request, requests_in_flight=options.requests_in_flight,
        ).write.parquet(f"{folder}/{name}")
        seconds = time.monotonic() - began
        if name == "killed":
            fault.join()
        ours = descendants(os.getpid()) - {server.process.pid for server in servers}
        spark_s, server_s = cpu_seconds(ours) - spark_before, sum(server.cpu_s() for server in servers)
    finally:
        for server in servers:
            server.process.terminate()
    print(f"\n{name}: {options.rows / seconds:.0f} lines/s ({seconds:.1f} s); CPU: servers {server_s:.1f} s, Spark {spark_s:.1f} s; "
          f"load average {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    for event in events:
        print(f"  {servers[0].address} {event}")
    print(f"  {metrics}")
    out = spark.read.parquet(f"{folder}/{name}")
    rows, distinct = out.count(), out.select("id").distinct().count()
    print(f"  lost {options.rows - distinct}, doubled {rows - distinct}, failed {out.where('heed_error is not null').count()}")
    first = options.only.split(",")[0]
    if name != first:
        other = spark.read.parquet(f"{folder}/{first}").withColumnRenamed("translation", "wanted")
        different = out.join(other, ["id", "text"]).where("not (translation <=> wanted)").count()
        print(f"  translations that differ from those of '{first}': {different}")


if __name__ == "__main__":
    main()
