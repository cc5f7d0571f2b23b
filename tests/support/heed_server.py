# SPDX-License-Identifier: Apache-2.0
"""A heed-server of its own for a test or a benchmark. Standard library only.

    with HeedServer("build/bin/heed-server", "--models=weights") as server:
        ... server.address, server.metrics()[("heed_requests_in_flight", (("method", "heed.v1.TranslationService/Translate"),))] ...

Ports are the kernel's choice unless a flag says otherwise. The constructor returns once every model is loaded; whoever leaves
the block has stopped the server. A thread reads its log, so that it never waits for a reader.
"""

import collections
import json
import re
import signal
import subprocess
import threading
import time
import urllib.request

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')
_ESCAPE = re.compile(r"\\(.)")


def parse_metrics(page):
    """{(name, ((label, value), ...) by label): number} of a page in Prometheus' text format."""
    samples = {}
    for line in page.splitlines():
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a sample: {line}")
        name, labels, value = match.groups()
        unescaped = lambda text: _ESCAPE.sub(lambda one: "\n" if one[1] == "n" else one[1], text)
        pairs = sorted((label, unescaped(text)) for label, text in _LABEL.findall(labels or ""))
        samples[name, tuple(pairs)] = float(value)
    return samples


class HeedServer:
    """A running process. `address`, `metrics_address`, `http_address` (None where they are not served) and `pid` stay what they are."""

    def __init__(self, binary, *flags, prefix=(), ready_s=120):
        """`prefix`: words before the program, as in ("taskset", "-c", "0"). Raises with the log if it is not ready in time."""
        flags = list(flags)
        for name in ("listen", "metrics_listen"):
            if not any(flag.startswith(f"--{name}=") for flag in flags):
                flags.append(f"--{name}=127.0.0.1:0")
        self._lines = collections.deque(maxlen=10_000)
        self._news = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen([*prefix, binary, *flags], stderr=subprocess.PIPE, text=True, errors="replace")
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for_line(r"ready models=", ready_s)
            self.address = self.wait_for_line(r" listening address=(\S+)", 0)[1]
            metrics = self._find(r" metrics address=(\S+)")
            self.metrics_address = metrics[1] if metrics else None
            http = self._find(r" http address=(\S+)")
            self.http_address = http[1] if http else None
        except BaseException:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process.poll() is None:
            self.terminate()

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _find(self, pattern):
        return next((match for line in self._lines if (match := re.search(pattern, line))), None)

    def log(self):
        """Its last 10,000 lines."""
        with self._news:
            return "\n".join(self._lines)

    def wait_for_line(self, pattern, limit_s):
        """The match of a line that was logged, or is within the time; else raises with the log."""
        end = time.monotonic() + limit_s
        with self._news:
            while True:
                match = self._find(pattern)
                if match:
                    return match
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = f"ended with exit code {self.process.poll()}" if self._ended else f"took longer than {limit_s} s"
                    log = "\n".join(self._lines)
                    raise RuntimeError(f"heed-server {why} before it logged '{pattern}':\n{log}")
                self._news.wait(left)

    def _status_bytes(self, field):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as status:
            return int(re.search(field + r":\s+(\d+) kB", status.read())[1]) * 1024

    def resident_bytes(self):
        return self._status_bytes("VmRSS")

    def peak_resident_bytes(self):
        """Since the process began."""
        return self._status_bytes("VmHWM")

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=10) as response:
            return parse_metrics(response.read().decode())

    def models(self, client):
        """What `heed models --json` says of each; `client` is the program."""
        command = [client, "models", f"--server={self.address}", "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def terminate(self, limit_s=60):
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(limit_s)

    def wait(self, limit_s=60):
        """The exit code; a server that has not ended within the time is killed, and raises with the log."""
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"heed-server had not ended within {limit_s} s:\n{self.log()}") from None
        self._close()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self):
        self._reader.join()
        self.process.stderr.close()
