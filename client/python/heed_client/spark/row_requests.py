# SPDX-License-Identifier: Apache-2.0
"""Rows as requests, and what becomes of each row when a request is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence, Tuple, Union

from heed_client.spark.failures import FleetError, RequestRefused
from heed_client.spark.fleet import Fleet
from heed_client.spark.settings import FleetSettings
from heed_client.spark.tasks import Task


@dataclass(frozen=True)
class RowError:
    message: str


Row = Tuple[int, Any]  # number in its batch, and item
Outcome = Union[None, RowError, Tuple[Any, Dict[str, Any]]]  # None: the row had nothing to ask


class RowRequests:
    """Used by many threads at once."""

    def __init__(self, task: Task, settings: FleetSettings, fleet: Fleet) -> None:
        self._task = task
        self._settings = settings
        self._fleet = fleet

    def cut(self, rows: Sequence[Row]) -> Iterator[List[Row]]:
        """Into requests, by rows and characters."""
        request: List[Row] = []
        characters = 0
        for row in rows:
            size = self._task.size(row[1])
            if request and (
                len(request) >= self._settings.rows_per_request
                or characters + size > self._settings.characters_per_request
                or not self._task.belong_together(request[-1][1], row[1])
            ):
                yield request
                request, characters = [], 0
            request.append(row)
            characters += size
        if request:
            yield request

    def ask(self, rows: List[Row]) -> List[Tuple[int, Outcome]]:
        """The rows' outcomes, in any order. Of a request that is refused, the row that the server names is taken out; if it
        names none, each row travels by itself. FleetError: the job cannot go on."""
        outcomes: List[Tuple[int, Outcome]] = []
        waiting = [rows]
        while waiting:
            part = waiting.pop()
            try:
                answer = self._fleet.ask(self._task.call([item for _, item in part]), self._task.row_fields)
            except RequestRefused as refused:
                if len(part) == 1:
                    outcomes.append((part[0][0], RowError(str(refused))))
                elif refused.row is not None and refused.row < len(part):
                    outcomes.append((part[refused.row][0], RowError(str(refused))))
                    waiting.append(part[: refused.row] + part[refused.row + 1 :])
                else:
                    waiting.extend([row] for row in part)
                continue
            answers = self._task.answers(answer)
            if len(answers) != len(part):
                raise FleetError(f"a server gave {len(answers)} answers to {len(part)} rows")
            outcomes.extend((row[0], answer) for row, answer in zip(part, answers))
        return outcomes
