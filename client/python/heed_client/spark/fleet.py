# SPDX-License-Identifier: Apache-2.0
"""The servers of one Spark task: a channel to each, requests spread over those that answer, and repeated where one does not."""

from __future__ import annotations

import collections
import logging
import math
import os
import socket
import threading
import time
from typing import Any, Callable, Collection, Counter, Dict, List, Optional, Sequence, Tuple, TypeVar

import grpc

from heed_client.calls import Call
from heed_client.channel import ChannelSettings, call_metadata, make_settings
from heed_client.errors import HeedError
from heed_client.spark.balancer import Balancer, Turn
from heed_client.spark.failures import Failure, FleetError, Kind, RequestRefused, read_failure
from heed_client.spark.settings import FleetSettings

T = TypeVar("T")
LOG = logging.getLogger("heed_client.spark")
MAX_LOST = 3  # tries of a request that fails in ways that nobody expects
# A server that comes back is found at once: by default gRPC waits for up to two minutes between two tries to connect. A
# server that falls silent is noticed by pings, which heed-server allows every 10 s.
CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.primary_user_agent", "heed-client-spark"),
)


def resolve(servers: Collection[str]) -> List[Tuple[str, Optional[str]]]:
    """(address, name) of each server. name is what DNS knows it by, None if the address was given itself.
    dns:/// stands for every address of a name, in one version of IP."""
    addresses: Dict[str, Optional[str]] = {}
    for server in servers:
        if not server.startswith("dns:///"):
            addresses[server] = None
            continue
        host, _, port = server[len("dns:///") :].rpartition(":")
        host = host.strip("[]")
        try:
            found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        except OSError as error:
            raise FleetError(f"{server}: {error.strerror or error}") from None
        family = socket.AF_INET if any(one[0] == socket.AF_INET for one in found) else socket.AF_INET6
        for one in found:
            if one[0] == family:
                ip = one[4][0] if family == socket.AF_INET else f"[{one[4][0]}]"
                addresses[f"{ip}:{port}"] = host
    return list(addresses.items())


def _here(path: Optional[str]) -> Optional[str]:
    """A file of this machine, or one that `spark-submit --files` brought here."""
    if path is None or os.path.isabs(path) or os.path.exists(path):
        return path
    from pyspark import SparkFiles

    brought = SparkFiles.get(path)
    return brought if os.path.exists(brought) else path


def _make_channel(address: str, name: Optional[str], settings: FleetSettings) -> Tuple[grpc.Channel, ChannelSettings]:
    made = make_settings(
        address,
        max_message_bytes=settings.max_message_bytes,
        tls=settings.tls,
        tls_ca=_here(settings.tls_ca),
        tls_cert=_here(settings.tls_cert),
        tls_key=_here(settings.tls_key),
        tls_name=settings.tls_name or (name if settings.tls else None),
        token_file=_here(settings.token_file),
        insecure_token=settings.insecure_token,
    )
    options = [*made.options, *CHANNEL_OPTIONS]
    if made.credentials is None:
        return grpc.insecure_channel(address, options=options), made
    return grpc.secure_channel(address, made.credentials, options=options), made


class _Attempts:
    """What has come of one request so far."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.last: Optional[Failure] = None
        self.refusals: Dict[int, str] = {}  # by server
        self.lost: List[int] = []  # servers that failed in ways that nobody expects

    def add(self, server: int, failure: Failure) -> None:
        """RequestRefused: another attempt would be of no use."""
        self.last = failure
        if failure.kind is Kind.WRONG:
            raise RequestRefused(failure.message, failure.row)
        if failure.kind is Kind.REFUSED:
            self.refusals[server] = failure.message
        elif failure.kind is Kind.LOST:
            self.lost.append(server)
            if len(self.lost) >= MAX_LOST:
                raise RequestRefused(failure.message)


class Fleet:
    """Used by the threads of one task; close() ends what they wait for. Counts what happens in `counts`: requests, retries,
    and for each server its answers ("answers from HOST:PORT") and failures ("failures of HOST:PORT")."""

    def __init__(self, settings: FleetSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._addresses: List[str] = []
        self._channels: List[grpc.Channel] = []
        self._metadata: List[Any] = []
        try:
            for address, name in resolve(settings.servers):
                channel, made = _make_channel(address, name, settings)
                self._addresses.append(address)
                self._channels.append(channel)
                self._metadata.append(call_metadata(made.token, settings.priority, ()))
        except (OSError, ValueError) as error:
            self._close_channels()
            raise FleetError(str(error)) from None
        self._news = threading.Condition()
        # Guarded by _news:
        self._balancer = Balancer(len(self._addresses))
        self._closed = False
        self._last_answer = -math.inf  # to any request: while there are some, a busy fleet will have time for the others, too
        self._last_failures: Dict[int, str] = {}
        self.counts: Counter[str] = collections.Counter()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._close_channels()

    def _close_channels(self) -> None:
        for channel in self._channels:
            channel.close()

    def ask(self, call: Call[T], row_fields: Sequence[str]) -> T:
        """The answer of whichever server gives one. RequestRefused: the request's own fault, or a row's. FleetError: the job
        cannot go on."""
        attempts = _Attempts(self._clock())
        while True:
            turn = self._begin(attempts)
            send = self._channels[turn.server].unary_unary(
                f"/{call.method.name}",
                request_serializer=call.method.request_type.SerializeToString,
                response_deserializer=call.method.response_type.FromString,
            )
            try:
                response = send(call.request, timeout=self._settings.timeout_s, metadata=self._metadata[turn.server])
            except grpc.RpcError as error:
                failure = read_failure(HeedError.of(error, call.method.name), row_fields)
            except ValueError:
                if self._closed:  # gRPC: "Cannot invoke RPC on closed channel!"
                    raise FleetError("the task was ended") from None
                raise
            else:
                self._end(turn, None)
                return call.read(response)
            self._end(turn, failure)
            attempts.add(turn.server, failure)

    def _begin(self, attempts: _Attempts) -> Turn:
        """Waits for a server that may be asked now."""
        with self._news:
            if attempts.last is not None:
                self.counts["retries"] += 1
            while True:
                now = self._clock()
                if self._closed:
                    raise FleetError("the task was ended")
                if len(attempts.refusals) == len(self._addresses):
                    raise FleetError(self._describe("every server refuses the job", attempts.refusals))
                if now - max(attempts.began, self._last_answer) >= self._settings.wait_s:
                    why = f"no server has answered for {self._settings.wait_s:g} s (wait_s)"
                    raise FleetError(self._describe(why, self._last_failures))
                turn = self._balancer.pick(now, {*attempts.refusals, *attempts.lost})
                if turn is None and attempts.lost:
                    turn = self._balancer.pick(now, attempts.refusals)
                if turn is not None:
                    self.counts["requests"] += 1
                    return turn
                next_s = self._balancer.next_s(now)
                self._news.wait(1.0 if next_s is None else min(1.0, next_s))

    def _end(self, turn: Turn, failure: Optional[Failure]) -> None:
        address = self._addresses[turn.server]
        with self._news:
            now = self._clock()
            was_down = self._balancer.is_down(turn.server)
            if failure is None or failure.kind is Kind.WRONG or (failure.kind is Kind.LOST and not failure.timed_out):
                self._balancer.answered(turn)
            elif failure.kind is Kind.BUSY:
                self._balancer.busy(turn, now, failure.delay_s)
            else:
                self._balancer.failed(turn, now)
            if failure is None:
                self._last_answer = now
                self.counts[f"answers from {address}"] += 1
            else:
                self._last_failures[turn.server] = failure.message
                self.counts[f"failures of {address}"] += 1
            is_down = self._balancer.is_down(turn.server)
            self._news.notify_all()
        if self._closed:
            return
        if is_down and not was_down and failure is not None:
            LOG.warning("%s is left out: %s", address, failure.message)
        elif was_down and not is_down:
            LOG.warning("%s is back", address)

    def _describe(self, what: str, messages: Dict[int, str]) -> str:
        return f"{what}: " + "; ".join(f"{self._addresses[i]}: {message}" for i, message in sorted(messages.items()))
