# SPDX-License-Identifier: Apache-2.0
"""What the synchronous and the asyncio client have in common: how they are made, and what goes with each call."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

import grpc

from heed_client.calls import Call, Repeat
from heed_client.channel import Pairs, Path, Server, call_metadata, make_settings
from heed_client.errors import HeedError
from heed_client.retry import Backoff, default_policy

if TYPE_CHECKING:
    from typing_extensions import Self


def deadline_error(method: str) -> HeedError:
    """Of a call whose end gRPC does not watch."""
    return HeedError(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer within timeout_s", method)


class ClientBase:
    def __init__(
        self,
        server: Server = "127.0.0.1:50051",
        timeout_s: float = 60.0,
        max_message_bytes: int = 64 << 20,
        tls: bool = False,
        tls_ca: Optional[Path] = None,
        tls_cert: Optional[Path] = None,
        tls_key: Optional[Path] = None,
        token_file: Optional[Path] = None,
        insecure_token: bool = False,
        priority: Optional[int] = None,
        metadata: Pairs = (),
        *,
        tls_name: Optional[str] = None,
        wait_for_ready: bool = False,
        keepalive_s: Optional[float] = None,
        compression: Optional[str] = None,
        load_balancing: Optional[str] = None,
        service_config: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Makes a client; the connection is opened by its first call.

        server: "host:port", "unix:PATH", "dns:///host:port", or a list of "host:port" whose servers take calls in turn.
        timeout_s: what each call may take with all its tries; in a conversation, each answer.
        max_message_bytes: the largest answer.
        tls: encrypt. tls_ca: file (PEM) of who may have signed the server's certificate (None: whom gRPC trusts).
        tls_cert, tls_key: files of what the client shows. tls_name: the name in the certificate, if it is not the address's.
        token_file: of the token; None: the environment's HEED_TOKEN, if that is set. In plain text the token is sent to this
        machine alone, unless insecure_token=True.
        priority: 1 (the most urgent), 2 or 3; None: the server's default.
        metadata: a dictionary, or pairs.
        wait_for_ready: a call waits for a server that cannot be reached until timeout_s is over, and does not fail before.
        keepalive_s: how often an idle connection is tested; 10 or more.
        compression: "gzip" or "deflate", of what is sent.
        load_balancing: "round_robin" or "pick_first". None: round_robin among several servers and of dns:///.
        service_config: hands gRPC this service config, as heed_client.service_config(). gRPC repeats calls then, and the
        client does not. None: the client repeats calls, as docs/errors.md in Heed's tree says."""
        if not timeout_s > 0:
            raise ValueError(f"timeout_s is {timeout_s}, but must be above 0")
        self._settings = make_settings(
            server,
            max_message_bytes=max_message_bytes,
            tls=tls,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_name=tls_name,
            token_file=token_file,
            insecure_token=insecure_token,
            keepalive_s=keepalive_s,
            compression=compression,
            load_balancing=load_balancing,
            service_config=service_config,
        )
        self._retries = service_config is None
        self._timeout_s = timeout_s
        self._priority = priority
        self._wait_for_ready = wait_for_ready
        self._extra_metadata = metadata if isinstance(metadata, Mapping) else tuple(metadata)
        self._metadata = call_metadata(self._settings.token, priority, self._extra_metadata)

    def with_options(
        self,
        timeout_s: Optional[float] = None,
        priority: Optional[int] = None,
        metadata: Optional[Pairs] = None,
        wait_for_ready: Optional[bool] = None,
    ) -> Self:
        """A client over the same connection whose calls differ in what is given here:
        client.with_options(priority=1, metadata={"x-request-id": "7"}).translate(["Hello."])"""
        if timeout_s is not None and not timeout_s > 0:
            raise ValueError(f"timeout_s is {timeout_s}, but must be above 0")
        other = copy.copy(self)
        other._timeout_s = self._timeout_s if timeout_s is None else timeout_s
        other._priority = self._priority if priority is None else priority
        other._wait_for_ready = self._wait_for_ready if wait_for_ready is None else wait_for_ready
        if metadata is not None:
            other._extra_metadata = metadata if isinstance(metadata, Mapping) else tuple(metadata)
        other._metadata = call_metadata(self._settings.token, other._priority, other._extra_metadata)
        return other

    def _call_options(self, timeout_s: Optional[float]) -> Dict[str, Any]:
        """The arguments of gRPC's calls."""
        return {"timeout": timeout_s, "metadata": self._metadata, "wait_for_ready": self._wait_for_ready or None}

    def _try(self, call: Call[Any]) -> _Tries:
        policy = default_policy()
        repeat = call.repeat
        if repeat is None:
            repeat = Repeat.ALWAYS if call.method.name in policy.repeatable else Repeat.IF_REFUSED
        return _Tries(self, Backoff(policy, repeat, self._timeout_s, time.monotonic()), call.method.name)


class _Tries:
    """Of one call."""

    def __init__(self, client: ClientBase, backoff: Backoff, method: str) -> None:
        self._client = client
        self._backoff = backoff
        self._method = method

    def left_s(self) -> float:
        return self._backoff.left_s(time.monotonic())

    def options(self) -> Dict[str, Any]:
        """The arguments of the next try."""
        return self._client._call_options(self.left_s())

    def delay_s(self, error: Any, answered: bool = False) -> float:
        """How long to wait before another try; raises a HeedError where that would not help. `answered`: the caller has
        seen a part of the answer."""
        failure = HeedError.of(error, self._method)
        delay_s = None
        if self._client._retries and not answered:
            delay_s = self._backoff.delay_s(failure, time.monotonic())
        if delay_s is None:
            raise failure from None
        return delay_s
