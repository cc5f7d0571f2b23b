# SPDX-License-Identifier: Apache-2.0
"""Sends calls as coroutines, over grpc.aio. Whoever cancels the task cancels the call."""

from __future__ import annotations

import asyncio
from typing import (
    Any,
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Dict,
    Iterable,
    List,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

import grpc
import grpc.aio
from google.protobuf.message import Message

from heed_client.base import ClientBase, deadline_error
from heed_client.calls import Call, Known, Listing, MaybeCall, Method
from heed_client.channel import ChannelSettings
from heed_client.errors import HeedError

_EOF: Any = getattr(grpc.aio, "EOF")  # which the types of older releases lack

MAX_UNSENT = 20  # tries of a conversation that the server ends before its first request is written; most say why

T = TypeVar("T")
AnyIterable = Union[Iterable[T], AsyncIterable[T]]


async def each(values: AnyIterable[T]) -> AsyncIterator[T]:
    """Of an iterable of either kind."""
    if isinstance(values, AsyncIterable):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value


class AsyncConnection:
    """A channel of one event loop, opened by the first call, and its methods as grpc.aio calls them."""

    def __init__(self, settings: ChannelSettings) -> None:
        self._settings = settings
        self._channel: Optional[grpc.aio.Channel] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._methods: Dict[Tuple[str, str], Any] = {}
        self._closed = False

    def callable(self, kind: str, method: Method[Any, Any]) -> Any:
        """`kind` is "unary_unary", "unary_stream", "stream_unary" or "stream_stream"."""
        if self._closed:
            raise ValueError("the client is closed")
        loop = asyncio.get_running_loop()
        if self._channel is None:
            self._loop = loop
            settings = self._settings
            options, compression = settings.options, settings.compression
            if settings.credentials is None:
                self._channel = grpc.aio.insecure_channel(settings.target, options, compression)
            else:
                self._channel = grpc.aio.secure_channel(settings.target, settings.credentials, options, compression)
        if loop is not self._loop:
            raise RuntimeError("the client belongs to another event loop; make one in each")
        made = self._methods.get((kind, method.name))
        if made is None:
            made = getattr(self._channel, kind)(
                f"/{method.name}",
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
            )
            self._methods[kind, method.name] = made
        return made

    async def wait_until_ready(self, timeout_s: float) -> bool:
        """False: no server could be reached. Behind callable(), which opens the channel."""
        assert self._channel is not None
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def close(self) -> None:
        self._closed = True
        if self._channel is not None:
            await self._channel.close()


class AsyncSent:
    """As Sent of transport.py."""

    def __init__(self, requests: AsyncIterable[Message]) -> None:
        self._requests = requests
        self.failure: Optional[Exception] = None

    async def __aiter__(self) -> AsyncIterator[Message]:
        try:
            async for request in self._requests:
                yield request
        except Exception as error:
            self.failure = error
            raise


def error_of(error: grpc.RpcError, method: str) -> HeedError:
    """Where the server ends a call while a request is being written, grpc.aio loses the server's reason."""
    failure = HeedError.of(error, method)
    if failure.code() == grpc.StatusCode.INTERNAL and failure.message == "Internal error from Core":
        message = "the server ended the call while requests were sent; grpc.aio does not know why"
        return HeedError(grpc.StatusCode.INTERNAL, message, method)
    return failure


class AsyncConversation:
    """A call with many requests and many responses, one at a time, each of which may take timeout_s. One task."""

    def __init__(
        self, begin: Callable[..., Any], options: Dict[str, Any], first: Call[None], timeout_s: float
    ) -> None:
        self._method = first.method.name
        self._timeout_s = timeout_s
        self._call = begin(**options)

    async def send(self, request: Message, left_s: Optional[float] = None) -> bool:
        """False: the call has ended. receive() raises why. left_s: less than timeout_s, of which other tries had a part."""
        try:
            await self._within(left_s, self._call.write(request))
        except (grpc.RpcError, asyncio.InvalidStateError):
            return False
        return True

    async def receive(self, left_s: Optional[float] = None) -> Any:
        try:
            response = await self._within(left_s, self._call.read())
        except grpc.RpcError as error:
            raise error_of(error, self._method) from None
        if response is not _EOF:
            return response
        code = await self._call.code()
        if code == grpc.StatusCode.OK:
            raise HeedError(grpc.StatusCode.CANCELLED, "the server ended the conversation", self._method)
        trailing = tuple(await self._call.trailing_metadata() or ())
        raise error_of(HeedError(code, await self._call.details() or "", self._method, trailing), self._method)

    async def finish(self) -> None:
        """Says that there is no more, and waits until the server has seen it."""
        try:
            await self._call.done_writing()
            while await self._within(None, self._call.read()) is not _EOF:
                pass
        except grpc.RpcError as error:
            raise error_of(error, self._method) from None

    def cancel(self) -> None:
        self._call.cancel()

    async def _within(self, left_s: Optional[float], step: Awaitable[T]) -> T:
        try:
            return await asyncio.wait_for(step, self._timeout_s if left_s is None else left_s)
        except asyncio.TimeoutError:
            raise deadline_error(self._method) from None


class AsyncTransport(ClientBase):
    """What AsyncClient's methods use."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._connection = AsyncConnection(self._settings)

    async def _run(self, call: MaybeCall[T]) -> T:
        if isinstance(call, Known):
            return call.value
        send, tries = self._connection.callable("unary_unary", call.method), self._try(call)
        while True:
            try:
                response = await send(call.request, **tries.options())
            except grpc.RpcError as error:
                delay_s = tries.delay_s(error)
            else:
                return call.read(response)
            await asyncio.sleep(delay_s)

    async def _list(self, listing: Listing[T]) -> List[T]:
        """The items of all pages."""
        items, token = await self._run(listing.page(""))
        while token:
            more, token = await self._run(listing.page(token))
            items += more
        return items

    async def _stream(self, call: Call[Optional[T]]) -> AsyncGenerator[T, None]:
        """What is read of each answer, if it is not None. The call runs again only before the first answer. A reader that
        leaves early cancels it."""
        send, tries = self._connection.callable("unary_stream", call.method), self._try(call)
        answered = False
        while True:
            stream = send(call.request, **tries.options())
            try:
                async for response in stream:
                    answered = True
                    value = call.read(response)
                    if value is not None:
                        yield value
                return
            except grpc.RpcError as error:
                delay_s = tries.delay_s(error, answered)
            finally:
                stream.cancel()
            await asyncio.sleep(delay_s)

    async def _upload(self, method: Method[Any, Any], requests: AsyncIterable[Message], read: Callable[[Any], T]) -> T:
        """Never runs again: the requests may come from a generator."""
        sent = AsyncSent(requests)
        call = self._connection.callable("stream_unary", method)(sent, **self._call_options(self._timeout_s))
        try:
            response = await call
        except (grpc.RpcError, asyncio.CancelledError) as error:
            if sent.failure is not None:  # on which gRPC cancels the call
                raise sent.failure from None
            if isinstance(error, grpc.RpcError):
                raise error_of(error, method.name) from None
            raise
        return read(response)

    async def _exchange(
        self, method: Method[Any, Any], requests: AsyncIterable[Message], read: Callable[[Any], T]
    ) -> AsyncGenerator[T, None]:
        """Requests go out while responses come in. Never runs again. The timeout limits the wait for a server, not what
        follows."""
        sent, send = AsyncSent(requests), self._connection.callable("stream_stream", method)
        if self._wait_for_ready and not await self._connection.wait_until_ready(self._timeout_s):
            raise deadline_error(method.name)
        stream = send(sent, **{**self._call_options(None), "wait_for_ready": None})
        try:
            async for response in stream:
                yield read(response)
        except (grpc.RpcError, asyncio.CancelledError) as error:
            if sent.failure is not None:
                raise sent.failure from None
            if isinstance(error, grpc.RpcError):
                raise error_of(error, method.name) from None
            raise
        finally:
            stream.cancel()

    async def _converse(self, first: Call[None]) -> AsyncConversation:
        """A conversation whose first request was answered."""
        send, tries = self._connection.callable("stream_stream", first.method), self._try(first)
        unsent = 0
        while True:
            conversation = AsyncConversation(send, self._call_options(None), first, self._timeout_s)
            try:
                if not await conversation.send(first.request, tries.left_s()) and unsent < MAX_UNSENT:
                    unsent += 1  # The server knows nothing of the request; the next try may say why.
                    continue
                first.read(await conversation.receive(tries.left_s()))
                return conversation
            except grpc.RpcError as error:
                conversation.cancel()
                delay_s = tries.delay_s(error)
            except BaseException:
                conversation.cancel()
                raise
            await asyncio.sleep(delay_s)
