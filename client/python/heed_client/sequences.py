# SPDX-License-Identifier: Apache-2.0
"""SequenceService: rows of numbers through a recurrent model."""

from __future__ import annotations

from typing import Iterable, List, Optional, Sequence

from heed.v1 import sequences_pb2 as pb

from heed_client.async_transport import AsyncTransport
from heed_client.calls import Call, Method
from heed_client.transport import Transport

RUN_SEQUENCE = Method("heed.v1.SequenceService/RunSequence", pb.RunSequenceRequest, pb.RunSequenceResponse)


def rows_of(values: Iterable[float], width: int) -> List[List[float]]:
    """Rows of a message's numbers, which lie one row after the other."""
    numbers = list(values)
    return [numbers[i : i + width] for i in range(0, len(numbers), width)] if width else []


def run_call(
    rows: Iterable[Sequence[float]], model: str, repeats: Optional[int], answer_rows: Optional[int], model_version: int
) -> Call[List[List[float]]]:
    listed = list(rows)
    if any(len(row) != len(listed[0]) for row in listed):
        raise ValueError("rows have different lengths")
    request = pb.RunSequenceRequest(
        model=model,
        model_version=model_version,
        width=len(listed[0]) if listed else 0,
        values=[float(number) for row in listed for number in row],
        repeat_count=repeats,
        answer_row_count=answer_rows,
    )
    return RUN_SEQUENCE.call(request, lambda response: rows_of(response.values, response.width))


class SequenceMethods(Transport):
    """Of Client."""

    def run(
        self,
        rows: Iterable[Sequence[float]],
        model: str = "",
        repeats: Optional[int] = None,
        answer_rows: Optional[int] = None,
        model_version: int = 0,
    ) -> List[List[float]]:
        """Rows of numbers (a list of lists, or an array [rows, width]) through a sequence model: the rows that come back,
        as a list of lists."""
        return self._run(run_call(rows, model, repeats, answer_rows, model_version))


class AsyncSequenceMethods(AsyncTransport):
    """Of AsyncClient: SequenceMethods as coroutines."""

    async def run(
        self,
        rows: Iterable[Sequence[float]],
        model: str = "",
        repeats: Optional[int] = None,
        answer_rows: Optional[int] = None,
        model_version: int = 0,
    ) -> List[List[float]]:
        """As Client.run."""
        return await self._run(run_call(rows, model, repeats, answer_rows, model_version))
