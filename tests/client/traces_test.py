#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traces of a real server in a real collector, OpenTelemetry's (scripts/otel_collector.sh): translations over gRPC, as
stream and over HTTP with a traceparent, and what the collector wrote of them.

    traces_test.py HEED_SERVER HEED COLLECTOR

Exit code 77: there is no collector."""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from heed_server import HeedServer  # noqa: E402

TREE = pathlib.Path(__file__).resolve().parents[2]
SERVER = 2  # a span's kind
TRANSLATE = "heed.v1.TranslationService/Translate"
PARTS = ["prepare", "wait", "steps", "answer"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Collector:
    """A collector that writes what it gets to a file, a line of JSON for each batch."""

    def __init__(self, program, folder):
        self.port = free_port()
        self.file = pathlib.Path(folder) / "spans.json"
        config = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{self.port}"}}}},
            "exporters": {"file": {"path": str(self.file), "flush_interval": "50ms"}},
            "service": {
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
                "telemetry": {"metrics": {"level": "none"}},
            },
        }
        self.log = open(pathlib.Path(folder) / "collector.log", "w", encoding="utf-8")
        # JSON is YAML.
        self.process = subprocess.Popen([program, f"--config=yaml:{json.dumps(config)}"], stdout=self.log, stderr=self.log)

    def wait_until_ready(self, limit_s=60):
        end = time.monotonic() + limit_s
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        self.process.wait()
        self.log.close()
        raise RuntimeError(f"the collector is not ready:\n{pathlib.Path(self.log.name).read_text(encoding='utf-8')}")

    def stop(self):
        """All that it got, as [(resource, span)], in the order in which it came."""
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
        found = []
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        for line in lines:
            for of_resource in json.loads(line)["resourceSpans"]:
                for scope in of_resource["scopeSpans"]:
                    found += [(of_resource["resource"], span) for span in scope["spans"]]
        return found


def attributes(message):
    """By key. Values of int are texts in this JSON."""
    found = {}
    for attribute in message.get("attributes", []):
        assert attribute["key"] not in found, f"{attribute['key']} is there twice"
        (value,) = attribute["value"].values()
        found[attribute["key"]] = value
    return found


class TracesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            collector = Collector(arguments[2], folder)
            collector.wait_until_ready()
            flags = [f"--models={TREE}/weights", "--http_listen=127.0.0.1:0", f"--trace_endpoint=127.0.0.1:{collector.port}"]
            with HeedServer(arguments[0], *flags, "--log_level=debug") as server:
                cls.translate_over_grpc(server)
                cls.translate_over_http(server)
                cls.log = server.log()
                server.terminate()  # which sends the last spans
                cls.exit_code = server.process.returncode
            cls.spans = collector.stop()
        cls.by_trace = {}
        for resource, span in cls.spans:
            cls.by_trace.setdefault(span["traceId"], []).append(span)

    @classmethod
    def translate_over_grpc(cls, server):
        command = [arguments[1], "translate", f"--server={server.address}", "--model=translator-en-de", "--json"]
        subprocess.run(command, input="Two dogs play.\n", text=True, check=True, capture_output=True, timeout=120)

    @classmethod
    def translate_over_http(cls, server):
        def post(path, body, traceparent):
            request = urllib.request.Request(
                f"http://{server.http_address}{path}",
                json.dumps(body).encode(),
                {"Content-Type": "application/json", "traceparent": traceparent, "tracestate": "rojo=00f067aa0ba902b7"},
            )
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)

        body = {"model": "translator-en-de", "texts": ["A man sleeps."]}
        post(f"/{TRANSLATE}", body, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        post(f"/{TRANSLATE}", body, "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00")
        post("/translate", {"q": "A girl runs.", "source": "en", "target": "de"},
             "00-0af7651916cd43dd8448eb211c80319e-b7ad6b7169203331-01")

    def server_span(self, trace):
        (span,) = [span for span in self.by_trace[trace] if span["kind"] == SERVER]
        return span

    def check_parts(self, trace):
        """The server's span has its parts as children, one after the other and within it."""
        server = self.server_span(trace)
        parts = [span for span in self.by_trace[trace] if span is not server]
        self.assertEqual([part["name"] for part in sorted(parts, key=lambda part: int(part["startTimeUnixNano"]))], PARTS)
        end = int(server["startTimeUnixNano"])
        for part in sorted(parts, key=lambda part: int(part["startTimeUnixNano"])):
            self.assertEqual(part["parentSpanId"], server["spanId"])
            self.assertGreaterEqual(int(part["startTimeUnixNano"]), end, part["name"])
            end = int(part["endTimeUnixNano"])
            self.assertGreaterEqual(end, int(part["startTimeUnixNano"]), part["name"])
        self.assertLessEqual(end, int(server["endTimeUnixNano"]))
        (steps,) = [part for part in parts if part["name"] == "steps"]
        self.assertGreater(int(attributes(steps)["heed.steps"]), 1)
        self.assertGreater(int(attributes(steps)["heed.target_tokens"]), 1)

    def test_a_call_over_grpc_begins_a_trace(self):
        (trace,) = [trace for trace, spans in self.by_trace.items()
                    if any(attributes(span).get("rpc.system") == "grpc" for span in spans if span["name"].endswith("/Translate"))]
        span = self.server_span(trace)
        self.assertEqual(span["name"], TRANSLATE)
        self.assertEqual(span.get("parentSpanId", ""), "")
        self.assertEqual(attributes(span)["client.address"], "127.0.0.1")
        self.assertEqual(attributes(span)["heed.model"], "translator-en-de")
        self.check_parts(trace)

    def test_a_request_over_http_goes_on_with_its_callers_trace(self):
        trace = "0af7651916cd43dd8448eb211c80319c"
        span = self.server_span(trace)
        self.assertEqual(span["parentSpanId"], "b7ad6b7169203331")
        self.assertEqual(span["traceState"], "rojo=00f067aa0ba902b7")
        self.assertEqual(attributes(span)["http.request.method"], "POST")
        self.assertEqual(attributes(span)["url.path"], f"/{TRANSLATE}")
        self.check_parts(trace)

    def test_other_apis_are_traced_as_the_method_that_they_call(self):
        trace = "0af7651916cd43dd8448eb211c80319e"
        self.assertEqual(self.server_span(trace)["name"], TRANSLATE)
        self.assertEqual(attributes(self.server_span(trace))["url.path"], "/translate")
        self.check_parts(trace)

    def test_what_the_caller_does_not_record_is_not_sent(self):
        self.assertNotIn("0af7651916cd43dd8448eb211c80319d", self.by_trace)

    def test_the_resource_names_the_server(self):
        for resource, _ in self.spans:
            found = attributes(resource)
            self.assertEqual(found["service.name"], "heed-server")
            for key in ("service.version", "service.instance.id", "host.name"):
                self.assertTrue(found[key], key)

    def test_the_log_names_the_spans(self):
        span = self.server_span("0af7651916cd43dd8448eb211c80319c")
        self.assertIn(f"trace_id=0af7651916cd43dd8448eb211c80319c parent_id=b7ad6b7169203331 span_id={span['spanId']}", self.log)

    def test_nothing_else_is_there(self):
        names = sorted({span["name"] for _, span in self.spans if span["kind"] == SERVER})
        for name in names:
            self.assertNotIn("Health", name)
        self.assertEqual(self.exit_code, 0)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if not pathlib.Path(arguments[2]).exists():
        print("traces: skipped, there is no collector: scripts/otel_collector.sh builds one", file=sys.stderr)
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
