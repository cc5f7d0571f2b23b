#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What sessions of a language model take, and whether a book passes through a server of bounded memory.

    build/python-client/bin/python3 tests/bench/text_sessions.py BIN_DIR --models=DIRECTORY --model=NAME --text=FILE
        [--sessions=1000] [--tokens=600] [--concurrency=8] [--book=FILE] [--threads=N]

Starts BIN_DIR/heed-server, fills --sessions sessions with --tokens tokens of FILE each, and prints the bytes of a session as
the server counts them and as its process grew. Then each session reads one more line (Read), and each goes on by 20 tokens
(Generate), --concurrency at a time: p50 and p99. With --book, that text goes through ReadTextStream, and the server's memory
is watched meanwhile. Needs the stubs and grpcio: scripts/python_client.sh build.
"""
import argparse
import concurrent.futures
import os
import statistics
import sys
import threading
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from heed.v1 import language_modeling_pb2 as pb  # noqa: E402
from heed.v1 import language_modeling_pb2_grpc as rpc  # noqa: E402
from heed_server import HeedServer  # noqa: E402

PIECE = 65536  # bytes of a book in one message


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def timed(calls, concurrency):
    """Milliseconds of each call, `concurrency` at a time."""
    def one(call):
        start = time.monotonic()
        call()
        return 1000 * (time.monotonic() - start)

    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        return sorted(pool.map(one, calls))


def show(name, times):
    print(f"{name:>10}  p50 {statistics.median(times):7.1f} ms  p99 {times[int(0.99 * (len(times) - 1))]:7.1f} ms  "
          f"{len(times)} calls", flush=True)


def pieces_of(text, words):
    """Stretches of so many words, one after the other, for as long as they are asked for."""
    every = text.split()
    at = 0
    while True:
        yield " ".join(every[at : at + words])
        at = at + words if at + 2 * words < len(every) else 0


def fill(stub, arguments, text):
    pieces = pieces_of(text, 100)
    sessions = []
    for _ in range(arguments.sessions):
        session = stub.OpenTextSession(pb.OpenTextSessionRequest(model=arguments.model)).session
        while session.tokens_read < arguments.tokens:
            session = stub.ReadText(pb.ReadTextRequest(session=session.name, text=next(pieces))).session
        sessions.append(session)
    return sessions


def read_book(stub, server, arguments):
    with open(arguments.book, encoding="utf-8") as file:
        text = file.read()

    def messages():
        for at in range(0, len(text), PIECE):
            message = pb.ReadTextStreamRequest(text=text[at : at + PIECE])
            if at == 0:
                message.open.model = arguments.model
            yield message

    before, most, done = resident_mib(server.pid), 0, threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.2):
            most = max(most, resident_mib(server.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.monotonic()
    last = None
    for last in stub.ReadTextStream(messages()):
        pass
    seconds = time.monotonic() - start
    done.set()
    watcher.join()
    print(f"book: {len(text.encode())} bytes, {last.tokens_read} tokens in {seconds:.1f} s, "
          f"{last.tokens_read / seconds:.0f} tokens/s, perplexity {last.total.perplexity:.1f}; server "
          f"{before:.1f} MiB before, {most:.1f} at most, {resident_mib(server.pid):.1f} after")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("--models", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True, help="what sessions read")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=600, help="that each session reads to begin with, at least")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--book", help="a text for ReadTextStream")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()

    with open(arguments.text, encoding="utf-8") as file:
        text = file.read()
    with HeedServer(f"{arguments.bin_dir}/heed-server", f"--models={arguments.models}", "--metrics_listen=",
                    f"--threads={arguments.threads}", "--max_session_bytes=17179869184") as server:
        stub = rpc.LanguageModelingServiceStub(grpc.insecure_channel(server.address))
        before = resident_mib(server.pid)
        start = time.monotonic()
        sessions = fill(stub, arguments, text)
        if sessions:
            grown = (resident_mib(server.pid) - before) * 1048576 / len(sessions)
            held = statistics.mean(session.memory_tokens for session in sessions)
            print(f"{len(sessions)} sessions of {held:.0f} tokens held, filled in {time.monotonic() - start:.0f} s; bytes a "
                  f"session: {statistics.mean(session.memory_bytes for session in sessions):.0f} as counted, "
                  f"{grown:.0f} as the process grew", flush=True)
            lines = pieces_of(text, 20)
            show("Read", timed([lambda s=session, t=next(lines): stub.ReadText(pb.ReadTextRequest(session=s.name, text=t))
                                for session in sessions], arguments.concurrency))
            options = pb.GenerateOptions(greedy=True, max_tokens=20)
            show("Generate", timed([lambda s=session: stub.Generate(pb.GenerateRequest(session=s.name, options=options))
                                    for session in sessions], arguments.concurrency))
        if arguments.book:
            read_book(stub, server, arguments)


if __name__ == "__main__":
    main()
