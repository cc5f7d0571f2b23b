# SPDX-License-Identifier: Apache-2.0
"""What a failed call raises."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Tuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

Metadata = Tuple[Tuple[str, Any], ...]


class FieldViolation(NamedTuple):
    """A field of the request that is wrong."""

    field: str  # its path, as "texts[3]" or "options.beam_size"
    description: str


class HeedError(grpc.RpcError):
    """A call that failed, with all its tries. It is a grpc.RpcError with the same methods as gRPC's own: code(), details(),
    trailing_metadata(). docs/errors.md in Heed's tree lists the codes. It may be pickled."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        method: str = "",
        trailing_metadata: Metadata = (),
        initial_metadata: Metadata = (),
        debug_error_string: str = "",
    ) -> None:
        super().__init__(code, message, method, trailing_metadata, initial_metadata, debug_error_string)
        self._code = code
        self._trailing_metadata = trailing_metadata
        self._initial_metadata = initial_metadata
        self._debug_error_string = debug_error_string
        self.message = message
        """What is wrong, with the given and the allowed value where that helps."""
        self.method = method
        """As "heed.v1.TranslationService/Translate"."""

    @staticmethod
    def of(error: grpc.RpcError, method: str) -> HeedError:
        """Of an error of gRPC's, of a synchronous or an asyncio call."""
        if isinstance(error, HeedError):
            return error
        call: Any = error
        return HeedError(
            call.code(),
            call.details() or "",
            method,
            tuple((key, value) for key, value in call.trailing_metadata() or ()),
            tuple((key, value) for key, value in call.initial_metadata() or ()),
            call.debug_error_string() or "",
        )

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self.message

    def trailing_metadata(self) -> Any:
        return self._trailing_metadata

    def initial_metadata(self) -> Any:
        return self._initial_metadata

    def debug_error_string(self) -> str:
        return self._debug_error_string

    @property
    def violations(self) -> Tuple[FieldViolation, ...]:
        """The request's fields that are wrong, where the server names them: those of google.rpc.BadRequest."""
        bad_request = error_details_pb2.BadRequest()
        try:
            status = status_pb2.Status.FromString(self._trailing("grpc-status-details-bin") or b"")
            for detail in status.details:
                if detail.Unpack(bad_request):
                    return tuple(FieldViolation(one.field, one.description) for one in bad_request.field_violations)
        except DecodeError:  # something between us and the server wrote these details
            pass
        return ()

    @property
    def retry_delay_s(self) -> Optional[float]:
        """The delay that the server asks for. None: it asks for none. Below 0: it asks not to come back."""
        asked = self._trailing("grpc-retry-pushback-ms")
        if asked is None:
            return None
        try:
            return max(-1.0, min(int(asked), 60_000) / 1000)
        except ValueError:
            return -1.0

    def _trailing(self, wanted: str) -> Any:
        return next((value for key, value in self._trailing_metadata if key == wanted), None)

    def __str__(self) -> str:
        where = f" ({self.method})" if self.method else ""
        return f"{self._code.name}: {self.message}{where}"

    def __repr__(self) -> str:
        return f"HeedError({self._code.name}, {self.message!r}, {self.method!r})"
