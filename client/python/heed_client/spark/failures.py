# SPDX-License-Identifier: Apache-2.0
"""What a failed request means for a job: for its server, for its rows, or for the whole job."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Optional, Sequence

import grpc

from heed_client.errors import HeedError

_FIELD = re.compile(r"(\w*)(?:\[(\d+)\])?")


class FleetError(Exception):
    """The job cannot go on: every server refuses it, or none has answered for long enough. Spark fails the task with it."""


class RequestRefused(Exception):
    """What was sent is at fault. `row`: the one of the request that the server named; None: it named none."""

    def __init__(self, message: str, row: Optional[int] = None) -> None:
        super().__init__(message)
        self.row = row


class Kind(enum.Enum):
    BUSY = "busy"  # the server asks to come back later
    DOWN = "down"  # the server did not answer, or is shutting down
    LOST = "lost"  # something went wrong, perhaps only this time
    REFUSED = "refused"  # the server would refuse every row: credentials, the model, an option
    WRONG = "wrong"  # a row, or the size of the request


_REFUSALS = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.FAILED_PRECONDITION,
)


@dataclass(frozen=True)
class Failure:
    kind: Kind
    message: str  # "NOT_FOUND: model: there is no ..."
    delay_s: float = 0.0  # that the server asks for
    row: Optional[int] = None
    timed_out: bool = False


def read_failure(error: HeedError, row_fields: Sequence[str]) -> Failure:
    """`row_fields`: the fields of the request that come from rows; the first has an entry for each row."""
    code, delay_s = error.code(), error.retry_delay_s
    message = f"{code.name}: {error.details()}"
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED) and delay_s is not None and delay_s >= 0:
        return Failure(Kind.BUSY, message, delay_s)
    if code == grpc.StatusCode.UNAVAILABLE:
        return Failure(Kind.DOWN, message)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Failure(Kind.WRONG, message)  # what will never fit
    if code in _REFUSALS:
        return Failure(Kind.REFUSED, message)
    if code == grpc.StatusCode.INVALID_ARGUMENT:
        return _read_violation(error, message, row_fields)
    return Failure(Kind.LOST, message, timed_out=code == grpc.StatusCode.DEADLINE_EXCEEDED)


def _read_violation(error: HeedError, message: str, row_fields: Sequence[str]) -> Failure:
    if not error.violations:
        return Failure(Kind.WRONG, message)
    match = _FIELD.match(error.violations[0].field)
    if match is None or match[1] not in row_fields:
        return Failure(Kind.REFUSED, message)
    if match[1] != row_fields[0] or not match[2]:
        return Failure(Kind.WRONG, message)
    # A number that counts the rows of a request says nothing to who reads a table: "texts[3]" is its "text".
    return Failure(Kind.WRONG, message.replace(match[0], match[1][:-1], 1), row=int(match[2]))
