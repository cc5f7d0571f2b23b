#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws a trace as OpenTelemetry's collector has written it (its exporter `file`).

    draw_trace.py SPANS_JSON > trace.svg         the trace with the most spans
    draw_trace.py --record HEED_SERVER COLLECTOR SPANS_JSON
                                                 makes the file: a translation of three sentences over HTTP, beside others

Each span is a bar in its trace's time, below the span that it is a child of, with its attributes.
"""
import concurrent.futures
import json
import pathlib
import sys
import tempfile
import urllib.request
from xml.sax.saxutils import escape

WIDTH, ROW, LEFT, TOP = 1180, 46, 330, 64
COLORS = {"prepare": "#7c8cf8", "wait": "#f0a23c", "steps": "#2f9e6e", "answer": "#b067d6"}
SERVER = 2
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2430 } .small { font-size: 11px; fill: #5b6375 } .name { font-weight: 600 }
.back { fill: #ffffff } .grid { stroke: #dfe3ec } .server { fill: #4a7bd0 }
@media (prefers-color-scheme: dark) { text { fill: #e7eaf2 } .small { fill: #a3abbd } .back { fill: #161a22 } .grid { stroke: #2c3342 } }
"""
SHOWN = {
    "rpc.method", "http.request.method", "url.path", "rpc.grpc.status_code", "heed.model", "heed.wait_for", "heed.tasks", "heed.steps",
    "heed.mean_batch_rows", "heed.source_tokens", "heed.target_tokens",
}


def read(path):
    """The spans of the trace that has most."""
    traces = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        for of_resource in json.loads(line)["resourceSpans"]:
            for scope in of_resource["scopeSpans"]:
                for span in scope["spans"]:
                    traces.setdefault(span["traceId"], []).append(span)
    return max(traces.values(), key=len)


def attributes(span):
    found = []
    for attribute in span.get("attributes", []):
        (value,) = attribute["value"].values()
        if attribute["key"] in SHOWN:
            found.append(f"{attribute['key']}={value:.3g}" if isinstance(value, float) else f"{attribute['key']}={value}")
    return "  ".join(found)


def draw(spans):
    spans = sorted(spans, key=lambda span: (span["kind"] != SERVER, int(span["startTimeUnixNano"])))
    start = min(int(span["startTimeUnixNano"]) for span in spans)
    length = max(int(span["endTimeUnixNano"]) for span in spans) - start
    height = TOP + ROW * len(spans) + 12
    x_of = lambda nanoseconds: LEFT + (WIDTH - LEFT - 20) * (int(nanoseconds) - start) / length
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="8"/>',
        f'<text x="16" y="26" class="name">trace {spans[0]["traceId"]}</text>',
        f'<text x="16" y="44" class="small">caller\'s span {spans[0].get("parentSpanId") or "none"}</text>',
    ]
    for quarter in range(5):
        x = LEFT + (WIDTH - LEFT - 20) * quarter / 4
        out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 8}"/>')
        anchor = "end" if quarter == 4 else "middle"
        out.append(f'<text class="small" x="{x:.1f}" y="{TOP - 14}" text-anchor="{anchor}">{length * quarter / 4e6:.1f} ms</text>')
    for row, span in enumerate(spans):
        y = TOP + ROW * row
        server = span["kind"] == SERVER
        begin, end = x_of(span["startTimeUnixNano"]), x_of(span["endTimeUnixNano"])
        name = span["name"].rsplit(".", 1)[-1] if server else span["name"]
        milliseconds = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e6
        out.append(f'<text class="name" x="{16 if server else 36}" y="{y + 16}">{escape(name)}</text>')
        out.append(f'<text class="small" x="{LEFT - 14}" y="{y + 16}" text-anchor="end">{milliseconds:.2f} ms</text>')
        fill = 'class="server"' if server else f'fill="{COLORS.get(span["name"], "#8a93a6")}"'
        out.append(f'<rect {fill} x="{begin:.1f}" y="{y + 4}" width="{max(end - begin, 2):.1f}" height="15" rx="3"/>')
        for event in span.get("events", []):
            x = x_of(event["timeUnixNano"])
            out.append(f'<path d="M{x:.1f} {y + 2} l4 -6 h-8 z" fill="#d1495b"/>')
            out.append(f'<text class="small" x="{x + 8:.1f}" y="{y + 1}">{escape(event["name"])}</text>')
        out.append(f'<text class="small" x="{LEFT}" y="{y + 34}">{escape(attributes(span))}</text>')
    out.append("</svg>")
    return "\n".join(out)


def record(server, collector_program, path):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
    from heed_server import HeedServer
    from traces_test import TREE, Collector

    def translate(texts, traceparent):
        body = {"model": "translator-en-de", "texts": texts, "options": {"beamSize": 4}}
        request = urllib.request.Request(f"http://{heed.http_address}/heed.v1.TranslationService/Translate", json.dumps(body).encode(),
                                         {"Content-Type": "application/json", "traceparent": traceparent})
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    with tempfile.TemporaryDirectory() as folder:
        collector = Collector(collector_program, folder)
        collector.wait_until_ready()
        flags = [f"--models={TREE}/weights/translator-en-de", "--http_listen=127.0.0.1:0", "--metrics_listen=",
                 f"--trace_endpoint=127.0.0.1:{collector.port}"]
        with HeedServer(server, *flags) as heed, concurrent.futures.ThreadPoolExecutor(9) as pool:
            not_recorded = "00-11111111111111111111111111111111-1111111111111111-00"
            others = [pool.submit(translate, [f"A man plays with {i} dogs in the snow."], not_recorded) for i in range(8)]
            translate(["Two dogs play. A girl reads a book about the sea. The train to Berlin leaves at noon."],
                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            for other in others:
                other.result()
        collector.stop()
        pathlib.Path(path).write_bytes(collector.file.read_bytes())


if __name__ == "__main__":
    if sys.argv[1] == "--record":
        record(*sys.argv[2:])
    else:
        print(draw(read(sys.argv[1])))
