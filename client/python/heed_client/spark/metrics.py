# SPDX-License-Identifier: Apache-2.0
"""What jobs did, counted over all tasks of all executors."""

from __future__ import annotations

from typing import Any, Dict

from pyspark import AccumulatorParam


class _Sums(AccumulatorParam[Dict[str, int]]):
    def zero(self, value: Dict[str, int]) -> Dict[str, int]:
        return {}

    def addInPlace(self, value1: Dict[str, int], value2: Dict[str, int]) -> Dict[str, int]:
        for name, count in value2.items():
            value1[name] = value1.get(name, 0) + count
        return value1


class Metrics:
    """Made on the driver, where tasks add to it as they end: `Metrics(spark)`, then `metrics=` of any function of
    heed_client.spark. A task that Spark runs again counts again: these are figures of work, not of the table's rows."""

    def __init__(self, spark: Any) -> None:
        self.accumulator = spark.sparkContext.accumulator({}, _Sums())

    @property
    def counts(self) -> Dict[str, int]:
        """rows, failed_rows, empty_rows (null in the table), requests, retries, "answers from HOST:PORT" and "failures of
        HOST:PORT"."""
        return dict(self.accumulator.value)

    @property
    def rows(self) -> int:
        return self.counts.get("rows", 0)

    @property
    def failed_rows(self) -> int:
        return self.counts.get("failed_rows", 0)

    @property
    def requests(self) -> int:
        return self.counts.get("requests", 0)

    @property
    def retries(self) -> int:
        return self.counts.get("retries", 0)

    @property
    def answers(self) -> Dict[str, int]:
        """Requests that each server answered."""
        return self._of("answers from ")

    @property
    def failures(self) -> Dict[str, int]:
        """Requests that each server lost, refused or put off."""
        return self._of("failures of ")

    def _of(self, prefix: str) -> Dict[str, int]:
        return {name[len(prefix) :]: count for name, count in sorted(self.counts.items()) if name.startswith(prefix)}

    def __str__(self) -> str:
        servers = ", ".join(
            f"{server} {self.answers.get(server, 0)} answers {self.failures.get(server, 0)} failures"
            for server in sorted({*self.answers, *self.failures})
        )
        return f"{self.rows} rows, {self.failed_rows} failed; {self.requests} requests, {self.retries} retries; {servers}"
