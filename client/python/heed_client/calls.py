# SPDX-License-Identifier: Apache-2.0
"""A call as data: what is sent, how the answer is read, and whether it may be repeated. The modules for the kinds of models
make calls; transport.py and async_transport.py send them. Nothing here opens a connection or waits."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Callable, Generic, Iterable, List, Optional, Tuple, Type, TypeVar, Union

from google.protobuf.message import Message

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
T = TypeVar("T")


class Repeat(enum.Enum):
    """Whether a call may run again after a try that failed."""

    ALWAYS = "always"  # it changes nothing, or the server knows it by its request_id
    IF_REFUSED = "if refused"  # only if the server says that it did not begin, by asking for a delay


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how each response to it is read. `repeat` None: what the service config says of the method."""

    method: Method[Any, Any]
    request: Message
    read: Callable[[Any], T]
    repeat: Optional[Repeat] = None


@dataclass(frozen=True)
class Known(Generic[T]):
    """The answer to what needs no call: an empty list was asked about."""

    value: T


MaybeCall = Union[Call[T], Known[T]]


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list that comes in pages."""

    method: Method[Any, Any]
    request: Any
    items: Callable[[Any], Iterable[T]]

    def page(self, token: str) -> Call[Tuple[List[T], str]]:
        """The items of the page that `token` names, and the token of the next one, "" after the last."""
        request = type(self.request)()
        request.CopyFrom(self.request)
        request.page_token = token
        # Lists report a missing server at once: people ask for them to see whether it is there.
        return self.method.call(
            request, lambda page: (list(self.items(page)), page.next_page_token), repeat=Repeat.IF_REFUSED
        )


@dataclass(frozen=True)
class Method(Generic[Request, Response]):
    """A method of a service, as "heed.v1.TranslationService/Translate", and its messages."""

    name: str
    request_type: Type[Request]
    response_type: Type[Response]

    def call(self, request: Request, read: Callable[[Response], T], repeat: Optional[Repeat] = None) -> Call[T]:
        return Call(self, request, read, repeat)

    def listing(self, request: Request, items: Callable[[Response], Iterable[T]]) -> Listing[T]:
        return Listing(self, request, items)


def whole(response: Response) -> Response:
    """Reads a response as it is."""
    return response


def nothing(_response: Message) -> None:
    """Reads a response that holds nothing."""


def strings(values: Iterable[T], name: str, items: str) -> List[T]:
    """The values of a list. TypeError: it is one string, whose characters would be taken for its members."""
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} is a list of {items}, not one {items[:-1]}")
    return list(values)


def options_message(message_type: Callable[..., Response], what: str, **fields: Any) -> Response:
    """A message from keywords; None leaves a field to the server's default. ValueError: a field is unknown or of a wrong
    type."""
    try:
        return message_type(**{name: value for name, value in fields.items() if value is not None})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{what}: {error}") from None
