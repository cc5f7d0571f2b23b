#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has a real Prometheus scrape a real heed-server under mixed load, and asks it every query that deploy/ holds.

python3 tests/deploy/prometheus_check.py [--build=build] [--models=weights] [--seconds=60] [--picture=FILE] [--cgroup]

The load: translations in closed and open loops, streams, graphs sent and stored, sessions, sequences, models loaded anew; in
the middle third more than the server sustains, some of it with deadlines too short for it. Then every recording rule, every
alert's expression, every query of the dashboard and of the autoscaler's rule is evaluated through Prometheus' HTTP API:
each has to be answered without an error, and all but those that name a fault or a limit that is not there have to return data;
of an alert's expression, which is quiet at its best, what it compares.
Prints a line for each. Exit code 1 where one fails.

--picture draws the dashboard from the same Prometheus (needs matplotlib). --cgroup runs the server in a memory and CPU cgroup of
its own (as root), so that limit and throttling are there. Needs prometheus.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/support"), str(TREE / "tests/deploy")]
import dashboard  # noqa: E402
import yaml  # noqa: E402
from heed_server import HeedServer  # noqa: E402

SCRAPE_S = 2
TRANSLATOR = "--model=translator-en-de"
RATE_INTERVAL = "10s"
# No data is right for these: nothing went wrong in such a way. With --cgroup those of limits have data, too.
FAULTS = ["failures/s", "heed_session_place_failures_total", 'outcome="failed"', "absent(", "model:heed_request_faults"]
LIMITS = ["heed_memory_limit_bytes", "heed_cpu_throttled_seconds_total"]


class Prometheus:
    """A process of its own with our rules, which scrapes `target` as job "heed"."""

    def __init__(self, directory, target):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        config = {"global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": "5s"},
                  "rule_files": [str(TREE / "deploy/prometheus/rules.yml")],
                  "scrape_configs": [{"job_name": "heed", "static_configs": [{"targets": [target]}]}]}
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        self.log = open(os.path.join(directory, "prometheus.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address={self.address}", "--log.level=warn"], stderr=self.log)
        end = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=2):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.log.seek(0)
                    raise SystemExit(f"prometheus_check: prometheus did not start:\n{self.log.read()}") from None
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def ask(self, path, **parameters):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
        if answer["status"] != "success":
            raise ValueError(f"{answer['errorType']}: {answer['error']}")
        return answer["data"]


@contextlib.contextmanager
def cgroup():
    """Words before a program that put it into a cgroup of 384 MiB and one core."""
    name = f"heed-check-{os.getpid()}"
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    if unified:
        limits = {f"/sys/fs/cgroup/{name}": {"memory.max": 384 << 20, "cpu.max": "100000 100000"}}
    else:
        limits = {f"/sys/fs/cgroup/memory/{name}": {"memory.limit_in_bytes": 384 << 20},
                  f"/sys/fs/cgroup/cpu/{name}": {"cpu.cfs_period_us": 100000, "cpu.cfs_quota_us": 100000}}
    try:
        for path, values in limits.items():
            os.mkdir(path)
            for file, value in values.items():
                with open(os.path.join(path, file), "w", encoding="ascii") as limit:
                    limit.write(str(value))
        join = " && ".join(f"echo $$ > {path}/cgroup.procs" for path in limits)
        yield ("sh", "-c", join + ' && exec "$0" "$@"')
    finally:
        for path in limits:
            with contextlib.suppress(OSError):
                os.rmdir(path)


class Load:
    """Mixed load on the server for `seconds`, in threads that run `heed`."""

    def __init__(self, heed, server, seconds, models, work):
        self.heed, self.server, self.seconds, self.models, self.work = heed, server, seconds, models, work
        self.end = time.monotonic() + seconds
        self.said = []

    def call(self, *words, text=None):
        run = subprocess.run([self.heed, *words, f"--server={self.server.address}"], input=text,
                             capture_output=True, text=True, check=False)
        self.said.append((" ".join(words), run.returncode, run.stdout, run.stderr))
        return run

    def bench(self, *words, start=0.0, share=1.0):
        time.sleep(start * self.seconds)
        self.call("bench", *words, f"--duration={share * self.seconds - 1:.1f}", "--warmup=0", "--json")

    def steadily(self, every_s, action):
        while time.monotonic() < self.end:
            action()
            time.sleep(every_s)

    def graph_with_ids(self):
        """A copy of the karate club's features with node_id, as updates name their rows."""
        content = pathlib.Path(self.models, "gat-karate/karate.safetensors").read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8:8 + size])
        nodes = header["y"]["shape"][0]
        tensors, data = {}, b""
        for name, tensor in header.items():
            if name.startswith("x"):  # dense or sparse
                begin, end = tensor["data_offsets"]
                tensors[name] = {**tensor, "data_offsets": [len(data), len(data) + end - begin]}
                data += content[8 + size + begin:8 + size + end]
        tensors["node_id"] = {"dtype": "I64", "shape": [nodes], "data_offsets": [len(data), len(data) + 8 * nodes]}
        data += struct.pack(f"<{nodes}q", *range(nodes))
        text = json.dumps(tensors).encode()
        path = pathlib.Path(self.work, "changed.safetensors")
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return path

    def hang_up(self):
        """A client that leaves in the middle of its request."""
        client = subprocess.Popen([self.heed, "translate", f"--server={self.server.address}", TRANSLATOR, "--beam=8"],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client.stdin.write(b"The old man walked slowly along the river and thought about the war. " * 20 + b"\n")
        client.stdin.flush()
        time.sleep(0.5)
        client.kill()
        client.wait()
        client.stdin.close()

    def run(self):
        karate = f"{self.models}/gat-karate/karate.safetensors"
        put = self.call("graph", "put", "karate", f"--graph={karate}", "--precompute=gat-karate")
        if put.returncode != 0:
            raise SystemExit(f"prometheus_check: {put.stderr}")
        changed = self.graph_with_ids()
        tasks = [
            lambda: self.bench("translate", TRANSLATOR, "--concurrency=4", "--beam=1"),
            lambda: self.bench("translate", TRANSLATOR, "--mode=open", "--rate=10", "--beam=4"),
            lambda: self.bench("classify", "--model=gat-karate", f"--graph={karate}", "--mode=open", "--rate=60"),
            lambda: self.bench("classify", "--model=gat-karate", "--stored=karate", "--mode=open", "--rate=40", "--compute"),
            lambda: self.bench("ask", "--model=ntm-babi", "--concurrency=4", "--sessions=24", "--tell", share=0.9),
            # More than it sustains, for a third of the time.
            lambda: self.bench("translate", TRANSLATOR, "--concurrency=200", start=0.4, share=0.27),
            lambda: self.bench("translate", TRANSLATOR, "--mode=open", "--rate=60", "--deadline=0.4", start=0.4, share=0.3),
            lambda: self.steadily(2, lambda: self.call("translate", TRANSLATOR, "--stream", text="Two dogs play in the snow.\n")),
            lambda: self.steadily(1, lambda: self.call("run", "--model=ntm-copy", text="01101001\n11100010\n")),
            lambda: self.steadily(0.5, lambda: self.call("chat", text="Sandra travelled to the office.\nWhere is Sandra?\n")),
            lambda: self.steadily(5, lambda: self.call("graph", "update", "karate", f"--change={changed}")),
            lambda: self.steadily(7, self.hang_up),
            lambda: self.steadily(max(10, self.seconds / 6), lambda: self.call("models", "load", "gat-mutag")),
            lambda: self.steadily(max(15, self.seconds / 4), lambda: self.call("models", "load", "translator-en-de")),
        ]
        threads = [threading.Thread(target=task) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def compared(expression):
    """What an alert's expression compares, each a query that has data while all is well."""
    for side in re.split(r"\s+(?:and|or|unless|==|!=|>=|<=|>|<)\s+", expression):
        absent = re.fullmatch(r"absent\((.*)\)", side)
        if absent:
            yield absent[1]
        elif not re.fullmatch(r"[\d.e+-]+", side):
            yield side


def queries():
    """(kind, name, query)"""
    with open(TREE / "deploy/prometheus/rules.yml", encoding="utf-8") as file:
        for group in yaml.safe_load(file)["groups"]:
            for rule in group["rules"]:
                yield ("record", rule["record"], rule["record"]) if "record" in rule else ("alert", rule["alert"], rule["expr"])
    with open(TREE / "deploy/grafana/dashboards/heed.json", encoding="utf-8") as file:
        for panel, target in dashboard.targets(json.load(file)):
            name = target["legendFormat"]
            if panel["type"] == "table":
                name = dashboard.columns(panel)[target["refId"]]
            yield ("panel", f"{panel['title']}: {name}" if name else panel["title"],
                   dashboard.substitute(target["expr"], interval=RATE_INTERVAL))
    with open(TREE / "deploy/kubernetes/components/autoscaling/adapter-values.yaml", encoding="utf-8") as file:
        for rule in yaml.safe_load(file)["rules"]["custom"]:
            yield "adapter", rule["name"]["as"], dashboard.substitute_adapter(rule["metricsQuery"])


def finite_values(series):
    values = [float(value) for one in series for _, value in one["values"]]
    return [value for value in values if value == value]


def check(prometheus, start, end, limits):
    """Asks every query over the time of the load; prints a line for each. The number that failed."""
    failed = 0
    empty_is_right = FAULTS + ([] if limits else LIMITS + ["instance:heed_memory", "instance:heed_cpu"])
    step = max(1, (end - start) / 120)
    for kind, name, query in queries():
        try:
            series = prometheus.ask("query_range", query=query, start=start, end=end, step=step)["result"]
        except ValueError as error:
            print(f"FAILED  {kind:8} {name:60} {error}")
            failed += 1
            continue
        finite = finite_values(series)
        range_text = f"{min(finite):.4g} to {max(finite):.4g}" if finite else "-"
        if kind == "alert":
            # Its data are the moments at which its condition held.
            empty = [side for side in compared(query) if not any(text in side for text in empty_is_right)
                     and not finite_values(prometheus.ask("query_range", query=side, start=start, end=end, step=step)["result"])]
            failed += bool(empty)
            print(f"{'NO DATA' if empty else 'ok     '} {kind:8} {name:60} "
                  + ("compares what has no data: " + ", ".join(empty) if empty else
                     "condition held: " + range_text if series else "quiet"))
            continue
        missing = not finite and not any(text in name + query for text in empty_is_right)
        failed += missing
        print(f"{'NO DATA' if missing else 'ok     '} {kind:8} {name:60} {len(series):3} series, {len(finite):5} points: {range_text}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--models", default="weights")
    parser.add_argument("--seconds", type=float, default=60, help="of load")
    parser.add_argument("--picture", help="a PNG file for the dashboard")
    parser.add_argument("--cgroup", action="store_true", help="the server in a cgroup of 384 MiB and one core")
    options = parser.parse_args()
    if shutil.which("prometheus") is None:
        print("prometheus_check: SKIPPED: there is no prometheus: apt-get install --no-install-recommends prometheus")
        return 77
    if options.picture:
        import draw_dashboard  # fails now rather than after the load

    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory())
        prefix = stack.enter_context(cgroup()) if options.cgroup else ()
        server = stack.enter_context(HeedServer(
            f"{options.build}/bin/heed-server", f"--models={options.models}", "--management", f"--sessions={work}/sessions",
            f"--graphs={work}/graphs", "--graph_save_interval_s=2", "--slow_request_ms=1000",
            "--model_limits=translator-en-de:max_queued_requests=100,max_running_tasks=64", prefix=prefix))
        prometheus = Prometheus(work, server.metrics_address)
        stack.callback(prometheus.stop)
        start = time.time()
        load = Load(f"{options.build}/bin/heed", server, options.seconds, options.models, work)
        load.run()
        time.sleep(2 * SCRAPE_S)
        end = time.time()
        for words, code, out, err in load.said:
            if words.startswith("bench") or code not in (0, 1):
                print(f"{words}: exit code {code}: {(out.splitlines() or err.splitlines() or ['-'])[-1]}")
        failed = check(prometheus, start, end, bool(options.cgroup))
        rules = prometheus.ask("rules")["groups"]
        for rule in (rule for group in rules for rule in group["rules"]):
            if rule["health"] != "ok":
                print(f"FAILED  rule     {rule['name']}: {rule['health']} {rule.get('lastError', '')}")
                failed += 1
        firing = prometheus.ask("alerts")["alerts"]
        print("alerts at the end: " + (", ".join(sorted(f"{alert['labels']['alertname']} ({alert['state']})"
                                                        for alert in firing)) or "none"))
        print(f"{sum(1 for _ in queries())} queries, {failed} failed")
        if options.picture:
            draw_dashboard.draw(prometheus.ask, start + 6 * SCRAPE_S, start + options.seconds - SCRAPE_S, RATE_INTERVAL, options.picture)
            print(f"drawn: {options.picture}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
