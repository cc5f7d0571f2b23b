# SPDX-License-Identifier: Apache-2.0
"""Sends calls and waits for their answers, on the caller's thread."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Callable, Dict, Generator, Iterable, Iterator, List, Optional, Tuple, TypeVar

import grpc
from google.protobuf.message import Message

from heed_client.base import ClientBase, deadline_error
from heed_client.calls import Call, Known, Listing, MaybeCall, Method
from heed_client.channel import ChannelSettings
from heed_client.errors import HeedError

T = TypeVar("T")


class Connection:
    """A channel, and its methods as gRPC calls them. Thread-safe."""

    def __init__(self, settings: ChannelSettings) -> None:
        options, compression = settings.options, settings.compression
        if settings.credentials is None:
            self.channel = grpc.insecure_channel(settings.target, options, compression)
        else:
            self.channel = grpc.secure_channel(settings.target, settings.credentials, options, compression)
        self._methods: Dict[Tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        self.channel.close()

    def wait_until_ready(self, timeout_s: float) -> bool:
        """False: no server could be reached."""
        ready = grpc.channel_ready_future(self.channel)
        try:
            ready.result(timeout_s)
        except grpc.FutureTimeoutError:
            return False
        finally:
            ready.cancel()
        return True

    def callable(self, kind: str, method: Method[Any, Any]) -> Any:
        """`kind` is "unary_unary", "unary_stream", "stream_unary" or "stream_stream"."""
        with self._lock:
            made = self._methods.get((kind, method.name))
            if made is None:
                made = getattr(self.channel, kind)(
                    f"/{method.name}",
                    request_serializer=method.request_type.SerializeToString,
                    response_deserializer=method.response_type.FromString,
                )
                self._methods[kind, method.name] = made
            return made


class Sent:
    """An iterator for gRPC over what a caller's iterable gives, which remembers the caller's own exception: gRPC would hide
    it."""

    def __init__(self, requests: Iterable[Message]) -> None:
        self._requests = iter(requests)
        self.failure: Optional[Exception] = None

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        try:
            return next(self._requests)
        except StopIteration:
            raise
        except Exception as error:
            self.failure = error
            raise


class Conversation:
    """A call with many requests and many responses, one at a time, each of which may take timeout_s. One thread."""

    def __init__(
        self, send: Callable[..., Any], options: Dict[str, Any], first: Call[None], timeout_s: float
    ) -> None:
        self._method = first.method.name
        self._timeout_s = timeout_s
        self._is_late = False
        self._requests: queue.SimpleQueue[Optional[Message]] = queue.SimpleQueue()
        self._requests.put(first.request)
        self._responses = send(iter(self._requests.get, None), **options)

    def send(self, request: Message) -> None:
        self._requests.put(request)

    def receive(self, left_s: Optional[float] = None) -> Any:
        """left_s: less than timeout_s, of which other tries had a part."""
        try:
            return self._next(self._timeout_s if left_s is None else left_s)
        except StopIteration:
            raise HeedError(grpc.StatusCode.CANCELLED, "the server ended the conversation", self._method) from None

    def finish(self) -> None:
        """Says that there is no more, and waits until the server has seen it."""
        self._requests.put(None)
        try:
            while True:
                self._next(self._timeout_s)
        except StopIteration:
            pass

    def cancel(self) -> None:
        self._requests.put(None)
        self._responses.cancel()

    def _next(self, timeout_s: float) -> Any:
        """StopIteration: there is none."""
        timer = threading.Timer(timeout_s, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return next(self._responses)
        except grpc.RpcError as error:
            if self._is_late:
                raise deadline_error(self._method) from None
            raise HeedError.of(error, self._method) from None
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._is_late = True
        self._responses.cancel()


class Transport(ClientBase):
    """What Client's methods use."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._connection = Connection(self._settings)

    def _run(self, call: MaybeCall[T]) -> T:
        if isinstance(call, Known):
            return call.value
        send, tries = self._connection.callable("unary_unary", call.method), self._try(call)
        while True:
            try:
                response = send(call.request, **tries.options())
            except grpc.RpcError as error:
                delay_s = tries.delay_s(error)
            else:
                return call.read(response)
            time.sleep(delay_s)

    def _list(self, listing: Listing[T]) -> List[T]:
        """The items of all pages."""
        items, token = self._run(listing.page(""))
        while token:
            more, token = self._run(listing.page(token))
            items += more
        return items

    def _stream(self, call: Call[Optional[T]]) -> Generator[T, None, None]:
        """What is read of each answer, if it is not None. The call runs again only before the first answer. A reader that
        leaves early cancels it."""
        send, tries = self._connection.callable("unary_stream", call.method), self._try(call)
        answered = False
        while True:
            stream = send(call.request, **tries.options())
            try:
                for response in stream:
                    answered = True
                    value = call.read(response)
                    if value is not None:
                        yield value
                return
            except grpc.RpcError as error:
                delay_s = tries.delay_s(error, answered)
            finally:
                stream.cancel()
            time.sleep(delay_s)

    def _upload(self, method: Method[Any, Any], requests: Iterable[Message], read: Callable[[Any], T]) -> T:
        """Never runs again: the requests may come from a generator."""
        sent = Sent(requests)
        try:
            response = self._connection.callable("stream_unary", method)(sent, **self._call_options(self._timeout_s))
        except grpc.RpcError as error:
            if sent.failure is not None:
                raise sent.failure from None
            raise HeedError.of(error, method.name) from None
        return read(response)

    def _exchange(
        self, method: Method[Any, Any], requests: Iterable[Message], read: Callable[[Any], T]
    ) -> Generator[T, None, None]:
        """Requests go out while responses come in. Never runs again. The timeout limits the wait for a server, not what
        follows."""
        sent, send = Sent(requests), self._connection.callable("stream_stream", method)
        if self._wait_for_ready and not self._connection.wait_until_ready(self._timeout_s):
            raise deadline_error(method.name)
        stream = send(sent, **{**self._call_options(None), "wait_for_ready": None})
        try:
            for response in stream:
                yield read(response)
        except grpc.RpcError as error:
            if sent.failure is not None:
                raise sent.failure from None
            raise HeedError.of(error, method.name) from None
        finally:
            stream.cancel()

    def _converse(self, first: Call[None]) -> Conversation:
        """A conversation whose first request was answered."""
        send, tries = self._connection.callable("stream_stream", first.method), self._try(first)
        while True:
            conversation = Conversation(send, self._call_options(None), first, self._timeout_s)
            try:
                first.read(conversation.receive(tries.left_s()))
                return conversation
            except grpc.RpcError as error:
                conversation.cancel()
                delay_s = tries.delay_s(error)
            except BaseException:
                conversation.cancel()
                raise
            time.sleep(delay_s)
