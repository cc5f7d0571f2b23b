#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything at once: load of every kind on all models that ship, while what can go wrong does.

    chaos.py BIN_DIR [--models=weights] [--duration=S] [--seed=N] [--sanitized] [--log=FILE]

Two servers one after the other, one with sessions in a directory, one with sessions in Redis, both with stored graphs in a
directory. Each is warmed up by the full load, its memory noted, then for half of --duration it meets the faults that the
report counts. Then the load stops: what the server keeps is compared with what it had acknowledged, everything is closed, and
memory, file descriptors and threads have to be back. Then the load goes on, SIGTERM comes into it, the server is started again
on what it left, and the comparison is made anew. The load (heed_chaos_load) sends requests that each have to end once, with a
status that is right at that moment, and with the answer that they got alone.

Exit code 0: everything held. The same seed gives the same requests and faults, not the same moments. Where no file system can
be mounted (no root, no user namespaces) disks do not fill up, and the report says so. Linux; needs Debian's redis-server,
without which exit code 77 (ctest: skipped).
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

MIB = 1 << 20
REDIS = "/usr/bin/redis-server"
READER_LAG_S = 1
DRAIN_S = 30
KEEPALIVE_S = 5  # as long again for the answer
REDIS_START_S = 30
LOAD_END_S = 120
# Memory that may be more than after the warm-up: what the allocator keeps, and histograms that fill up.
MEMORY_SHARE, MEMORY_BYTES = 0.15, 24 * MIB
DESCRIPTORS, THREADS = 8, 8
IDLE_END_S = 15
LIVENESS_S = 5  # of a loaded machine; the report has the longest
# What a fault may have the server log as an error.
EXPECTED_ERRORS = [r" model name=\S+ version=3 ", r" sessions redis=\S+ state=failed ", r" session id=\S+ state=unavailable ",
                   r" sessions state=failed ", r" graph name=\S+ state=unsaved "]


class Load:
    """heed_chaos_load and its commands."""

    def __init__(self, program, address, seed):
        # An idle connection has to answer the server's keepalive: gRPC looks into it every five seconds, unless told otherwise.
        environment = {**os.environ, "GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS": "200"}
        self.process = subprocess.Popen([program, f"--server={address}", f"--seed={seed}"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)
        self.lock = threading.Lock()

    def __call__(self, command):
        with self.lock:
            with contextlib.suppress(BrokenPipeError):  # it has ended, as the empty line tells
                self.process.stdin.write(command + "\n")
                self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"heed_chaos_load ended with {self.process.wait()} at '{command}'")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"heed_chaos_load: {answer['error']}")
        return answer

    def close(self):
        """Whether it ended by itself."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(LOAD_END_S)
            return True
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False


class Redis:
    """On a port and in a directory of its own. Writes every change to disk before it answers."""

    def __init__(self, directory):
        self.directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self):
        path = os.path.join(self.directory, "log")
        with open(path, "wb") as log:
            self.process = subprocess.Popen(
                [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory, "--save", "", "--appendonly",
                 "yes", "--appendfsync", "always", "--daemonize", "no"], stdout=log)
        end = time.monotonic() + REDIS_START_S
        while True:
            with open(path, encoding="utf-8") as file:
                said = file.read()
            if "Ready to accept connections" in said:
                return
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"redis-server has not started: {said}")
            time.sleep(0.01)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Disk:
    """A small file system of its own, which can be filled up. Without the right to mount one: a directory."""

    def __init__(self, directory, mounted, mebibytes):
        self.directory, self.mounted = directory, mounted
        os.mkdir(directory)
        if mounted:
            run = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs", directory],
                                 check=False, capture_output=True, text=True)
            if run.returncode != 0:
                raise RuntimeError(f"no file system can be mounted at {directory}: {run.stderr.strip()}")

    def fill(self):
        with open(os.path.join(self.directory, ".filler"), "wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (MIB, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self):
        os.unlink(os.path.join(self.directory, ".filler"))

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.directory], check=False)


class StoppingProxy:
    """Forwards bytes until it is told to stop: from then on both ends are connected and hear nothing more, as if the machine
    in between had been switched off."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.server, self.stopped = (host, int(port)), threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listening.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                server = socket.create_connection(self.server)
                self.sockets += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source, target):
        with contextlib.suppress(OSError):
            while not self.stopped.is_set():
                data = source.recv(1 << 16)
                if self.stopped.is_set():
                    return  # and reads nothing more: buffers fill up
                if not data:
                    target.close()
                    return
                target.sendall(data)

    def stop(self):
        self.stopped.set()

    def close(self):
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # for whoever waits in recv
        for one in (self.listening, *self.sockets):
            one.close()


class Liveness:
    """Asks /livez ten times a second."""

    def __init__(self, address):
        self.address, self.longest, self.asked, self.problems = address, 0.0, 0, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stopping.wait(0.1):
            start = time.monotonic()
            try:
                connection = http.client.HTTPConnection(self.address, timeout=30)
                connection.request("GET", "/livez")
                code = connection.getresponse().status
                connection.close()
                if code != 200:
                    self.problems.append(f"/livez answered {code}")
            except OSError as error:
                self.problems.append(f"/livez: {error}")
            self.asked += 1
            self.longest = max(self.longest, time.monotonic() - start)

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Chaos:
    def __init__(self, options, directory, mounts):
        self.options, self.directory, self.mounts = options, directory, mounts
        self.random = random.Random(options.seed)
        self.patience = 10 if options.sanitized else 1
        self.server_program = os.path.join(options.bin_dir, "heed-server")
        self.load_program = os.path.join(options.bin_dir, "heed_chaos_load")
        self.heed = os.path.join(options.bin_dir, "heed")
        self.failures, self.faults, self.reports, self.memory = [], {}, [], []
        self.phase = "preparation"
        self.longest = {"/livez": 0.0, "grpc.health.v1": 0.0}
        self.logs, self.started = [], time.monotonic()
        self.models = os.path.join(directory, "models")
        for name in sorted(os.listdir(options.models)):
            if not os.path.exists(os.path.join(options.models, name, "config.json")):
                continue
            for version in ("1", "2"):
                shutil.copytree(os.path.join(options.models, name), os.path.join(self.models, name, version))

    def load_model(self, name, *flags):
        return subprocess.run([self.heed, "models", "load", name, f"--server={self.server.address}", *flags],
                              capture_output=True, text=True, check=False)

    # What goes wrong. Each is called again and again on a thread of its own, does it once, and leaves everything as it was.

    def count(self, fault, times=1):
        self.faults[fault] = self.faults.get(fault, 0) + times

    def reload(self, stop):
        names = sorted(os.listdir(self.models))
        name = names[self.faults.get("models reloaded", 0) % len(names)]
        broken = self.faults.get("models reloaded", 0) % 5 == 4
        directory = os.path.join(self.models, name, "3")
        flags = []
        if broken:
            shutil.copytree(os.path.join(self.models, name, "1"), directory)
            weights = os.path.join(directory, "model.safetensors")
            os.truncate(weights, os.path.getsize(weights) // 2)
        else:
            flags = [f"--versions={self.random.choice('12')}"]
        run = self.load_model(name, *flags)
        if broken:
            shutil.rmtree(directory)
            self.count("broken versions refused")
        self.count("models reloaded")
        if (run.returncode == 0) == broken:
            self.failures.append(f"heed models load {name}: exit code {run.returncode}, {run.stderr.strip()}"
                                 + (", although the version is broken" if broken else ""))
        stop.wait(1)

    def kill_clients(self, stop):
        sent_file = os.path.join(self.directory, "sent")
        proxy = StoppingProxy(self.server.address) if self.random.random() < 0.3 else None
        address = proxy.address if proxy else self.server.address
        client = subprocess.Popen([self.load_program, f"--server={address}", "--doomed", f"--sent_file={sent_file}",
                                   f"--seed={self.random.randrange(1 << 30)}"], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stop.wait(self.random.uniform(0.5, 1.5))
        if proxy:
            proxy.stop()
            stop.wait(1.5)
        client.kill()
        client.wait()
        client.stdin.close()
        with open(sent_file, "rb") as file:
            self.sent_by_killed += struct.unpack("=q", file.read(8))[0]
        if proxy:
            self.silent.append(proxy)  # and stays so: the server has to find out by itself
        self.count("connections whose peer fell silent" if proxy else "clients killed under way")

    def half_open(self, stop):
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = b"\0\0\0\4\0\0\0\0\0"
        beginnings = [b"", preface, preface + settings, preface + settings + b"\0\1\0\1\4\0\0\0\1" + b"x" * 20,
                      b"GET / HTTP/1.1\r\nHost: heed\r\n\r\n", b"\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03" + b"x" * 64,
                      self.random.randbytes(200), preface + self.random.randbytes(200)]
        host, port = self.server.address.rsplit(":", 1)
        connections = []
        for beginning in beginnings * 4:
            connection = socket.create_connection((host, int(port)), timeout=30)
            with contextlib.suppress(OSError):
                connection.sendall(beginning)
            connections.append(connection)
        stop.wait(self.random.uniform(0.5, 3))
        for connection in connections:
            if self.random.random() < 0.5:  # a reset in place of an orderly end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self.count("half-open connections", len(connections))

    def fill_disk(self, stop):
        disk, fault = self.random.choice([one for one in [(self.graphs, "graph_files"), (self.sessions, "session_place")]
                                          if one[0] is not None])
        self.load(f"fault {fault} on")
        disk.fill()
        stop.wait(self.random.uniform(0.5, 2))
        disk.free()
        time.sleep(0.5)
        self.load(f"fault {fault} off")
        self.count("disks of graphs filled up" if disk is self.graphs else "disks of sessions filled up")
        stop.wait(self.random.uniform(0.5, 2))

    def stop_redis(self, stop):
        stop.wait(self.random.uniform(1, 2))
        self.load("fault session_place on")
        if self.random.random() < 0.5:
            self.redis.signal(signal.SIGSTOP)
            stop.wait(self.random.uniform(0.5, 4))
            self.redis.signal(signal.SIGCONT)
            self.count("Redis stopped and went on")
        else:
            self.redis.kill()
            stop.wait(self.random.uniform(0.2, 2))
            self.redis.start()
            self.count("Redis killed and started again")
        time.sleep(4)  # also at the end: a server tries again every two seconds at the latest
        self.load("fault session_place off")

    def scrape(self, stop):
        self.peak = max(self.peak, self.server.resident_bytes())
        self.server.metrics()
        stop.wait(0.5)

    # The run.

    def check(self, right, what):
        if not right:
            self.failures.append(f"{self.phase}: {what}")

    def flags(self, address):
        place = f"redis://127.0.0.1:{self.redis.port}" if self.redis else self.sessions.directory
        return [f"--models={self.models}", f"--listen={address}", "--management=true", f"--graphs={self.graphs.directory}",
                f"--sessions={place}", "--graph_save_interval_s=0.5", "--max_sessions=40",
                "--model_limits=translator-en-de:max_queued_requests=64", "--max_stream_events=8", "--lame_duck_s=0.5",
                f"--keepalive_s={KEEPALIVE_S}",
                f"--max_reader_lag_s={READER_LAG_S}", f"--drain_timeout_s={DRAIN_S}"]

    def start(self, address="127.0.0.1:0"):
        self.server = HeedServer(self.server_program, *self.flags(address))
        self.logs.append(self.server)

    def settled(self):
        """The metrics, once nothing is under way; what still is after 20 s is a failure."""
        end = time.monotonic() + 20
        while True:
            metrics = self.server.metrics()
            busy = {f"{name}{dict(labels)}": value for (name, labels), value in metrics.items()
                    if name in ("heed_requests_in_flight", "heed_queued_requests", "heed_queued_tasks", "heed_running_tasks")
                    and value != 0}
            if not busy or time.monotonic() > end:
                self.check(not busy, f"nothing is sent any more, and yet there are {busy}")
                return metrics
            time.sleep(0.1)

    def footprint(self):
        """Resident bytes, file descriptors and threads, once nothing is under way, silent connections are gone, and freed memory
        has gone back to the system: two seconds after a model was changed."""
        if self.silent:
            time.sleep(2 * KEEPALIVE_S + 2)  # the server's timers, and some for a busy machine
        self.settled()
        self.check(self.load_model("gat-karate", "--versions=1").returncode == 0, "gat-karate could not be loaded anew")
        time.sleep(3)
        metrics = self.settled()
        return (self.server.resident_bytes(), int(metrics["process_open_fds", ()]), int(metrics["process_threads", ()]))

    def tell(self, what):
        print(f"{time.monotonic() - self.started:6.1f} s  {self.phase}: {what}", flush=True)

    def run_phase(self, phase, faults, seconds):
        self.phase, self.peak, self.sent_by_killed, self.silent = phase, 0, 0, []
        self.start()
        pid = self.server.pid
        self.load = Load(self.load_program, self.server.address, self.options.seed)
        liveness = Liveness(self.server.metrics_address)
        try:
            self.load("learn")
            self.tell("warm-up")
            self.load("start")
            time.sleep(min(30, seconds / 2))
            self.kill_clients(threading.Event())
            for name in sorted(os.listdir(self.models)):
                self.check(self.load_model(name, "--versions=1").returncode == 0, f"{name} could not be loaded anew")
            self.load("stop")
            self.load("verify")
            self.load("clear")
            base = self.footprint()

            self.tell(f"faults for {seconds:g} s")
            self.load("start")
            stop = threading.Event()
            threads = [threading.Thread(target=self.repeat, args=(fault, stop)) for fault in (*faults, self.scrape)]
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            stop.set()
            for thread in threads:
                thread.join()
            self.load("stop")
            self.tell("what is kept, and what is left of it")
            self.load("verify")
            self.load("clear")
            end = self.footprint()
            self.compare_counts()
            self.check(self.server.process.poll() is None and self.server.pid == pid, "the server has ended")
            limit = base[0] + max(MEMORY_SHARE * base[0], MEMORY_BYTES)
            self.check(self.options.sanitized or end[0] <= limit, f"{end[0] / MIB:.1f} MiB are resident, {base[0] / MIB:.1f} were after the warm-up")
            self.check(end[1] <= base[1] + DESCRIPTORS, f"{end[1]} file descriptors, {base[1]} after the warm-up")
            self.check(end[2] <= base[2] + THREADS, f"{end[2]} threads, {base[2]} after the warm-up")
            self.memory.append((phase, base, self.peak, end))

            self.load("start")
            time.sleep(2)
            liveness.stop()
            self.tell("SIGTERM under load")
            self.terminate()
            self.load("stop")
            self.start(self.server.address)
            self.tell("started again")
            self.load("fault server off")
            self.load("verify")
            self.load("clear")
            self.settled()
            started = time.monotonic()
            self.check(self.server.terminate() == 0, "the second server's exit code is not 0")
            took = time.monotonic() - started
            self.check(took < IDLE_END_S * self.patience, f"a server that has nothing to do took {took:.1f} s to end")
            self.take_report()
        except Exception:
            # What the load found may be the cause; but it may be the load that has ended.
            with contextlib.suppress(Exception):
                self.take_report()
            raise
        finally:
            liveness.stop()
            self.failures += [f"{phase}: {one}" for one in liveness.problems]
            for proxy in self.silent:
                proxy.close()
            self.check(self.load.close(), f"heed_chaos_load did not end in {LOAD_END_S} s")
        for name, longest in (("/livez", liveness.longest), ("grpc.health.v1", self.reports[-1]["most"]["health check, s"])):
            self.check(longest < LIVENESS_S * self.patience, f"{name} took {longest:.1f} s")
        self.longest["/livez"] = max(self.longest["/livez"], liveness.longest)
        self.longest["grpc.health.v1"] = max(self.longest["grpc.health.v1"], self.reports[-1]["most"]["health check, s"])
        self.count("checks of /livez and grpc.health.v1", liveness.asked + self.reports[-1]["counts"]["health checks"])
        for server in self.logs:
            for line in server.log().splitlines():
                if re.match(r"\S+ (error|critical) ", line) and not any(re.search(one, line) for one in EXPECTED_ERRORS):
                    self.failures.append(f"{phase}: logged: {line}")

    def take_report(self):
        report = self.load("report")
        self.reports.append(report)
        self.failures += [f"{self.phase}: {one}" for one in report["failures"]]
        more = report["failed"] - len(report["failures"])
        if more > 0:
            self.failures.append(f"{self.phase}: and {more} more")

    def repeat(self, fault, stop):
        try:
            while not stop.is_set():
                fault(stop)
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(f"{self.phase}: {fault.__name__}: {error!r}")

    def compare_counts(self):
        """The server's numbers agree with the load's."""
        report, metrics = self.load("report"), self.settled()
        taken = {}
        for (name, labels), value in metrics.items():
            if name == "heed_requests_total":
                labels = dict(labels)
                key = labels["method"], labels["code"]
                taken[key] = taken.get(key, 0) + int(value)
        ours = [method for method in report["methods"] if " " not in method]
        for method in ours:
            for code, ended in report["methods"][method]["ended"].items():
                if code in ("OK", "ABORTED", "NOT_FOUND", "INVALID_ARGUMENT"):  # that only the server gives
                    self.check(taken.get((method, code), 0) >= ended,
                               f"{method}: {ended} requests ended with {code}, {taken.get((method, code), 0)} by the metrics")
        total = sum(value for (method, _), value in taken.items() if method in ours)
        sent = report["sent"] + self.sent_by_killed
        self.check(total <= sent, f"the server took {total} requests, sent were {sent}")
        self.count("requests that the server took and ended", total)

    def terminate(self):
        self.load("fault server on")
        started = time.monotonic()
        self.server.process.send_signal(signal.SIGTERM)
        codes = set()
        with contextlib.suppress(OSError, http.client.HTTPException):  # until there is no page any more
            while self.server.process.poll() is None:
                connection = http.client.HTTPConnection(self.server.metrics_address, timeout=30)
                connection.request("GET", "/readyz")
                codes.add(connection.getresponse().status)
                connection.close()
                time.sleep(0.02)
        self.check(503 in codes, f"after SIGTERM /readyz answered {sorted(codes)}, never 503")
        self.check(self.server.wait(DRAIN_S + 20) == 0, "the exit code after SIGTERM is not 0")
        self.count("SIGTERM under load")
        self.check(re.search(r" stopped cut_off=0 ", self.server.log()),
                   f"requests were cut off by the drain ({time.monotonic() - started:.1f} s)")

    def run(self):
        self.graphs = self.sessions = self.redis = None
        disk_faults = [self.fill_disk] if self.mounts else []
        shared = [self.reload, self.kill_clients, self.half_open]
        try:
            self.graphs = Disk(os.path.join(self.directory, "graphs"), self.mounts, 32)
            # Sessions whose opener never heard of them, for its deadline, stay until they have been idle for an hour.
            self.sessions = Disk(os.path.join(self.directory, "sessions"), self.mounts, 32 + int(self.options.duration / 4))
            self.run_phase("directory", shared + disk_faults, self.options.duration / 2)
            self.sessions.close()
            self.sessions = None
            os.mkdir(os.path.join(self.directory, "redis"))
            self.redis = Redis(os.path.join(self.directory, "redis"))
            self.run_phase("redis", shared + disk_faults + [self.stop_redis], self.options.duration / 2)
        finally:
            for server in self.logs:
                if server.process.poll() is None:
                    server.kill()
            if self.redis:
                self.redis.kill()
            for disk in (self.graphs, self.sessions):
                if disk:
                    disk.close()

    def print_report(self):
        methods = {}
        counts = {}
        for report in self.reports:
            for method, one in report["methods"].items():
                total = methods.setdefault(method, {"begun": 0, "ended": {}, "longest_s": 0})
                total["begun"] += one["begun"]
                total["longest_s"] = max(total["longest_s"], one["longest_s"])
                for code, ended in one["ended"].items():
                    total["ended"][code] = total["ended"].get(code, 0) + ended
            for what, times in report["counts"].items():
                counts[what] = counts.get(what, 0) + times
        codes = sorted({code for one in methods.values() for code in one["ended"]}, key=lambda code: (code != "OK", code))
        short = [code if len(code) <= 9 else "".join(word[:4] for word in code.split("_")) for code in codes]
        print(f"\n{'method':44} {'sent':>8} " + " ".join(f"{code:>9}" for code in short) + "  longest")
        sums = [0] * (len(codes) + 1)
        for method, one in sorted(methods.items()):
            row = [one["begun"], *(one["ended"].get(code, 0) for code in codes)]
            sums = [left + right for left, right in zip(sums, row)]
            print(f"{method:44} {row[0]:8} " + " ".join(f"{value:9}" for value in row[1:]) + f"  {one['longest_s']:6.2f} s")
            self.check(row[0] == sum(row[1:]), f"{method}: {row[0]} requests were sent, {sum(row[1:])} ended")
        print(f"{'all':20} {sums[0]:8} " + " ".join(f"{value:9}" for value in sums[1:]))
        print()
        for what, times in sorted({**counts, **self.faults}.items()):
            print(f"{times:10}  {what}")
        if not self.mounts:
            print(f"{'none':>10}  disks filled up: no file system could be mounted")
        print(f"\nlongest answer of /livez {self.longest['/livez']:.3f} s, of grpc.health.v1 "
              f"{self.longest['grpc.health.v1']:.3f} s")
        for phase, base, peak, end in self.memory:
            print(f"{phase}: resident {base[0] / MIB:.1f} MiB after the warm-up, {peak / MIB:.1f} at most, {end[0] / MIB:.1f} "
                  f"at the end; file descriptors {base[1]}, {end[1]}; threads {base[2]}, {end[2]}")


def can_mount():
    """Becomes a process with mounts of its own, where that can be had."""
    if os.environ.get("HEED_CHAOS_MOUNTS"):
        return os.environ["HEED_CHAOS_MOUNTS"] == "yes"
    for flags in (["--mount"], ["--mount", "--map-root-user"]):
        if shutil.which("unshare") and subprocess.run(["unshare", *flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False,
                                                      stderr=subprocess.DEVNULL).returncode == 0:
            os.environ["HEED_CHAOS_MOUNTS"] = "yes"
            os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("--models", default=os.path.join(HERE, "../../weights"))
    parser.add_argument("--duration", type=float, default=30, help="seconds of faults, in all (default 30)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sanitized", action="store_true",
                        help="of a build with sanitizers: slow, and it keeps freed memory, which is then not held to its base")
    parser.add_argument("--log", help="where the servers' logs go if something fails (default: the end of them is printed)")
    options = parser.parse_args()
    if not os.access(REDIS, os.X_OK):
        print("skipped: there is no redis-server; scripts/setup.sh installs it")
        return 77
    mounts = can_mount()
    print(f"seed {options.seed}, faults for {options.duration:g} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="heed-chaos-") as directory:
        chaos = Chaos(options, directory, mounts)
        try:
            chaos.run()
        except Exception as error:  # pylint: disable=broad-except
            chaos.failures.append(f"{chaos.phase}: {error!r}")
        chaos.print_report()
    if not chaos.failures:
        print("\neverything held")
        return 0
    log = "\n".join(server.log() for server in chaos.logs)
    if options.log:
        with open(options.log, "w", encoding="utf-8") as file:
            file.write(log)
    else:
        print("\nthe servers' logs end with\n" + "\n".join(log.splitlines()[-60:]))
    print(f"\n{len(chaos.failures)} failures, seed {options.seed}:")
    for failure in chaos.failures:
        print(f"  {failure}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
