# SPDX-License-Identifier: Apache-2.0
"""A task over one partition: batches of Arrow in, the same batches with the results' columns out."""

from __future__ import annotations

import collections
import concurrent.futures
from typing import Any, Callable, Counter, Deque, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import pyarrow as pa

from heed_client.spark.fleet import Fleet
from heed_client.spark.row_requests import Outcome, Row, RowError, RowRequests
from heed_client.spark.settings import FleetSettings
from heed_client.spark.tasks import Task

MAX_BATCHES = 2  # that are not finished: while the last answers of one are awaited, requests of the next are on their way

TYPES: Dict[str, pa.DataType] = {
    "string": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "strings": pa.list_(pa.string()),
    "labels": pa.list_(pa.struct([("label", pa.string()), ("score", pa.float64())])),
}


def read_column(column: pa.Array) -> List[Any]:
    """Strings, or lists of them, as Python has them; a RowError where a value is not UTF-8."""
    if not isinstance(column.type, (pa.ListType, pa.LargeListType)):
        return [_decode(value) for value in column.cast(pa.large_binary()).to_pylist()]
    values: List[Any] = []
    for parts in column.cast(pa.large_list(pa.large_binary())).to_pylist():
        decoded = None if parts is None else [_decode(part) for part in parts]
        values.append(next((one for one in decoded or () if isinstance(one, RowError)), decoded))
    return values


def _decode(value: Optional[bytes]) -> Union[None, str, RowError]:
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        return RowError(f"INVALID_ARGUMENT: the text is not UTF-8: {error.reason} at byte {error.start}")


class _Batch:
    """A batch whose rows are being asked about."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.outcomes: List[Outcome] = [None] * batch.num_rows
        self.requests: List[concurrent.futures.Future[List[Tuple[int, Outcome]]]] = []

    def wait(self) -> None:
        # An error ends the wait for the others: it is the job's.
        done, _ = concurrent.futures.wait(self.requests, return_when=concurrent.futures.FIRST_EXCEPTION)
        for request in done:
            for row, outcome in request.result():
                self.outcomes[row] = outcome


class ColumnJob:
    """May be pickled. `columns`: the numbers of the task's columns in a batch."""

    def __init__(self, task: Task, columns: Sequence[int], settings: FleetSettings, error: str) -> None:
        self._task = task
        self._columns = tuple(columns)
        self._settings = settings
        self._error = error

    def run(
        self, batches: Iterable[pa.RecordBatch], count: Callable[[Dict[str, int]], None] = lambda counts: None
    ) -> Iterator[pa.RecordBatch]:
        """`count` is called once, at the end, with what happened: rows, failed_rows, empty_rows, and the Fleet's counts.
        FleetError: the job cannot go on."""
        counts: Counter[str] = collections.Counter()
        held: Deque[_Batch] = collections.deque()
        fleet = Fleet(self._settings)
        requests = RowRequests(self._task, self._settings, fleet)
        pool = concurrent.futures.ThreadPoolExecutor(self._settings.requests_in_flight, "heed-spark")
        try:
            for batch in batches:
                held.append(self._begin(batch, requests, pool))
                while len(held) >= MAX_BATCHES:
                    yield self._finish(held.popleft(), counts)
            while held:
                yield self._finish(held.popleft(), counts)
        finally:
            fleet.close()
            pool.shutdown(wait=True, cancel_futures=True)
            count({**counts, **fleet.counts})

    def _begin(self, batch: pa.RecordBatch, requests: RowRequests, pool: concurrent.futures.Executor) -> _Batch:
        begun = _Batch(batch)
        rows: List[Row] = []
        for number, values in enumerate(zip(*(read_column(batch.column(i)) for i in self._columns))):
            wrong = next((value for value in values if isinstance(value, RowError)), None)
            if wrong is not None:
                begun.outcomes[number] = wrong
            elif self._task.is_complete(values):
                rows.append((number, self._task.item(values)))
        begun.requests = [pool.submit(requests.ask, request) for request in requests.cut(rows)]
        return begun

    def _finish(self, begun: _Batch, counts: Counter[str]) -> pa.RecordBatch:
        begun.wait()
        outcomes = begun.outcomes
        results = [outcome if isinstance(outcome, tuple) else (None, {}) for outcome in outcomes]
        errors = [outcome.message if isinstance(outcome, RowError) else None for outcome in outcomes]
        counts["rows"] += len(outcomes)
        counts["failed_rows"] += sum(error is not None for error in errors)
        counts["empty_rows"] += sum(outcome is None for outcome in outcomes)
        (output, output_type), *details = self._task.results()
        arrays = [pa.array([result for result, _ in results], TYPES[output_type])]
        fields = [pa.field(output, TYPES[output_type])]
        for detail, (name, kind) in zip(self._task.details, details):
            arrays.append(pa.array([values.get(detail) for _, values in results], TYPES[kind]))
            fields.append(pa.field(name, TYPES[kind]))
        arrays.append(pa.array(errors, pa.string()))
        fields.append(pa.field(self._error, pa.string()))
        return pa.RecordBatch.from_arrays([*begun.batch.columns, *arrays], schema=pa.schema([*begun.batch.schema, *fields]))
