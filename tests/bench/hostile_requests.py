#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one careless or hostile client costs all others.

    hostile_requests.py BIN_DIR --models=DIRECTORY [--translator=NAME] [--questions=NAME] [--nodes=NAME] [--only=A|B|C]

  A  more idle connections than the process has descriptors, all closed again: how long until the port accepts
  B  four texts of 16 MB at once: the worst answers of health checks and of short sentences meanwhile
  C  requests whose answers or messages would take gigabytes: what comes, after how long, and the most memory
  and the memory 10 s after all of it.

Starts servers of its own. Needs grpcio; messages are written by hand, so no stubs. A takes 300 descriptors.
"""
import argparse
import os
import resource
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from heed_server import HeedServer  # noqa: E402

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
DESCRIPTORS = 300
IDLE_CONNECTIONS = 320


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    """A text or message of a protobuf message; a number if content is one."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def call(address, path, message, deadline=120, compression=None):
    """(what came, seconds)."""
    with grpc.insecure_channel(address, options=UNLIMITED) as channel:
        start = time.monotonic()
        try:
            answer = channel.unary_unary(path)(message, timeout=deadline, compression=compression)
            what = f"OK, {len(answer):,} bytes"
        except grpc.RpcError as error:
            what = f"{error.code().name} {error.details()[:110]}"
        return what, time.monotonic() - start


class Watch:
    """Calls again and again, 50 ms after each answer, until stopped. `worst` seconds, `failed` of `calls`."""

    def __init__(self, address, path, message):
        self.worst, self.failed, self.calls = 0.0, 0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(address, path, message))
        self._thread.start()

    def _run(self, address, path, message):
        while not self._stop.wait(0.05):
            what, seconds = call(address, path, message, deadline=20)
            self.worst = max(self.worst, seconds)
            self.failed += not what.startswith("OK")
            self.calls += 1

    def stop(self):
        self._stop.set()
        self._thread.join()
        return f"worst {self.worst:.3f} s, {self.failed} of {self.calls} failed"


def memory_mb(pid, name):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    raise ValueError(name)


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def is_ready(metrics_address):
    try:
        with urllib.request.urlopen(f"http://{metrics_address}/readyz", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def descriptors(args):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * IDLE_CONNECTIONS), hard))
    with HeedServer(f"{args.bin_dir}/heed-server", f"--models={args.models}", prefix=server) as heed:
        host, port = heed.address.rsplit(":", 1)
        idle = [socket.create_connection((host, int(port))) for _ in range(IDLE_CONNECTIONS)]
        time.sleep(0.3)
        print(f"A  {IDLE_CONNECTIONS} idle connections, {DESCRIPTORS} descriptors: /readyz {'ready' if is_ready(heed.metrics_address) else 'not ready'}")
        for connection in idle:
            connection.close()
        start = time.monotonic()
        what = "never"
        while time.monotonic() - start < 60:
            what, _ = call(heed.address, "/grpc.health.v1.Health/Check", b"", deadline=1)
            if what.startswith("OK"):
                break
        print(f"A  {time.monotonic() - start:.2f} s after they were closed: health {what.split(',')[0]}, "
              f"/readyz {'ready' if is_ready(heed.metrics_address) else 'not ready'}")


def vast_texts(args, heed):
    message = field(1, args.translator) + field(2, b"a" * 16_000_000)
    short = field(1, args.translator) + field(2, "Two dogs.")
    for deadline in (5, 60):
        forget_peak(heed.pid)
        watches = {"health": Watch(heed.address, "/grpc.health.v1.Health/Check", b""),
                   "short sentences": Watch(heed.address, "/heed.v1.TranslationService/Translate", short)}
        came = []
        texts = [threading.Thread(target=lambda: came.append(
            call(heed.address, "/heed.v1.TranslationService/Translate", message, deadline))) for _ in range(4)]
        for text in texts:
            text.start()
        for text in texts:
            text.join()
        for name, watch in watches.items():
            print(f"B  four texts of 16 MB, deadline {deadline} s: {name} {watch.stop()}")
        print(f"B  they ended after {', '.join(f'{seconds:.1f}' for _, seconds in came)} s; "
              f"most memory {memory_mb(heed.pid, 'VmHWM'):.0f} MB")


def vast_answers(args, heed):
    translate, answer = "/heed.v1.TranslationService/Translate", "/heed.v1.QuestionAnsweringService/Answer"
    to_model = field(1, args.translator)
    questions = field(1, args.questions) + field(2, "Mary went home.")
    options = field(4, field(1, 0) + field(2, 1) + field(3, 1))
    width = args.nodes_width
    identity = b"".join(b"\0\0\x80\x3f" if row == column else bytes(4) for row in range(2) for column in range(width))
    graph = field(1, field(1, width) + field(2, identity))
    nodes = lambda count: field(1, args.nodes) + field(2, field(1, graph) + field(3, bytes(count)))  # noqa: E731
    cases = [
        ("100,000 questions, all reads and facts", answer, questions + field(3, field(1, "Q")) * 100_000 + options, None),
        ("50,000 questions, all reads and facts", answer, questions + field(3, field(1, "Q")) * 50_000 + options, None),
        ("15,000,000 asked nodes", "/heed.v1.GraphService/ClassifyNodes", nodes(15_000_000), None),
        ("1,000,000 asked nodes", "/heed.v1.GraphService/ClassifyNodes", nodes(1_000_000), None),
        ("8,000,000 empty texts", translate, to_model + field(2, b"") * 8_000_000, None),
        ("1,000,000 empty texts", translate, to_model + field(2, b"") * 1_000_000, None),
        ("gzip: 1,200 MB of zeros", "/heed.v1.QuestionAnsweringService/ImportSession", field(1, bytes(1_200_000_000)),
         grpc.Compression.Gzip),
        ("bytes that are no message", translate, b"\x12\x7fgarbage", None),
        ("a text that is not UTF-8", translate, to_model + field(2, b"A caf\xe9"), None),
        ("gzip: a sentence", translate, to_model + field(2, "Two dogs. " * 20), grpc.Compression.Gzip),
    ]
    for name, path, message, compression in cases:
        forget_peak(heed.pid)
        what, seconds = call(heed.address, path, message, compression=compression)
        print(f"C  {name}: {what}; {seconds:.2f} s, most memory {memory_mb(heed.pid, 'VmHWM'):.0f} MB", flush=True)
        if heed.process.poll() is not None:
            sys.exit("C  the server has ended")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("--models", required=True)
    parser.add_argument("--translator", default="translator-en-de")
    parser.add_argument("--questions", default="ntm-babi")
    parser.add_argument("--nodes", default="gat-karate", help="a node classifier")
    parser.add_argument("--nodes_width", type=int, default=34, help="of its features")
    parser.add_argument("--only", choices="ABC")
    args = parser.parse_args()
    if args.only in (None, "A"):
        descriptors(args)
    if args.only in (None, "B", "C"):
        with HeedServer(f"{args.bin_dir}/heed-server", f"--models={args.models}") as heed:
            print(f"   fresh: {memory_mb(heed.pid, 'VmRSS'):.0f} MB")
            if args.only != "C":
                vast_texts(args, heed)
            if args.only != "B":
                vast_answers(args, heed)
            time.sleep(10)
            print(f"   10 s after: {memory_mb(heed.pid, 'VmRSS'):.0f} MB")


if __name__ == "__main__":
    main()
