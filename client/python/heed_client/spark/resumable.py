# SPDX-License-Identifier: Apache-2.0
"""A job that goes on where it was cut off."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LOG = logging.getLogger("heed_client.spark")
STATUS = "heed_status"  # the column that the output is partitioned by
DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class RunSummary:
    rows: int  # of the table
    done_before: int  # by earlier runs
    done: int  # by this run
    failed: int

    def __str__(self) -> str:
        return f"{self.rows} rows: {self.done_before} done before, {self.done} done now, {self.failed} failed"


def run(
    df: DataFrame,
    job: Callable[[DataFrame], DataFrame],
    key: str,
    output_path: str,
    rows_per_commit: int = 100_000,
    error: str = "heed_error",
    on_commit: Optional[Callable[[int, int], None]] = None,
) -> RunSummary:
    """Writes job(df) to output_path as Parquet, in parts that Spark commits one by one; job is a function of this package
    over a DataFrame. Another run with the same path computes what is missing and what failed. `key` names a column with a
    value of its own in each row, the same at every run. Below output_path, heed_status=done holds the rows without an
    error, each once, and heed_status=failed those of the last run that failed. on_commit is called with the number of
    parts that are written, and of all. One run at a time may write to a path: a run deletes what others have not committed.
    ValueError: the key is null, not unique or not in the result, or the output is of other columns. FleetError, inside of
    Spark's own exception: the job could not go on; what was committed stays. RuntimeError: the output has more or fewer
    rows than this run and those before it wrote."""
    from pyspark.sql import functions as F

    if rows_per_commit < 1:
        raise ValueError(f"rows_per_commit is {rows_per_commit}, but must be at least 1")
    if key not in df.columns:
        raise ValueError(f"key is {key!r}, but the table has {', '.join(df.columns)}")
    result = job(df)  # nothing runs yet: wrong options fail here
    for name in (key, error):
        if name not in result.columns:
            raise ValueError(f"job returns no column {name!r}, but {', '.join(result.columns)}")
    for name in result.columns:
        if name.lower() == STATUS:
            raise ValueError(f"the result has a column {name!r}, which names the parts of the output")
    rows = _check_key(df, key)
    spark = df.sparkSession
    done = _read_done(spark, output_path, result, key)
    _delete_uncommitted(spark, output_path)
    _forget_failed(spark, output_path, result)
    todo, done_before, held = df, 0, 0
    if done is not None:
        held = done.count()
        todo = df.join(done, key, "left_anti")
        done_before = rows - todo.count()
    parts = -(-(rows - done_before) // rows_per_commit)
    for part in range(parts):
        chosen = todo.where(F.pmod(F.xxhash64(F.col(_quote(key))), F.lit(parts)) == part)
        status = F.when(F.col(_quote(error)).isNull(), DONE).otherwise(FAILED)
        job(chosen).withColumn(STATUS, status).write.mode("append").partitionBy(STATUS).parquet(output_path)
        LOG.info("%s: part %d of %d is written", output_path, part + 1, parts)
        if on_commit is not None:
            on_commit(part + 1, parts)
    failed = _count(spark, output_path, FAILED) if parts else 0
    summary = RunSummary(rows, done_before, rows - done_before - failed, failed)
    holds = _count(spark, output_path, DONE)
    if holds != held + summary.done:
        raise RuntimeError(
            f"{output_path}/{STATUS}={DONE} holds {holds} rows after this run, and not {held + summary.done}: "
            "did another run write there, or does the table change?"
        )
    return summary


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _check_key(df: DataFrame, key: str) -> int:
    """The number of rows."""
    from pyspark.sql import functions as F

    column = F.col(_quote(key))
    rows, keys, distinct = df.agg(F.count(F.lit(1)), F.count(column), F.countDistinct(column)).collect()[0]
    if keys < rows:
        raise ValueError(f"key {key!r} is null in {rows - keys} of {rows} rows, but must name each row")
    if distinct < rows:
        raise ValueError(f"key {key!r} has {distinct} values in {rows} rows, but must have one for each row")
    return int(rows)


def _read(spark: SparkSession, path: str) -> Optional[DataFrame]:
    """None: there is nothing yet."""
    from pyspark.errors import AnalysisException

    try:
        return spark.read.parquet(path)
    except AnalysisException as missing:
        if any(name in str(missing) for name in ("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA")):
            return None
        raise


def _delete_uncommitted(spark: SparkSession, output_path: str) -> None:
    """The tasks of a driver that was killed, which Spark's next job on this path would commit together with its own: both
    have the number 0 (FileOutputCommitter)."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(output_path, "_temporary")
    path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf()).delete(path, True)


def _read_done(spark: SparkSession, output_path: str, result: DataFrame, key: str) -> Optional[DataFrame]:
    """The keys that earlier runs have done; None: there was no run."""
    done = _read(spark, f"{output_path}/{STATUS}={DONE}")
    if done is None:
        return None
    before, now = ({field.name: field.dataType.simpleString() for field in one.schema} for one in (done, result))
    if before != now:
        raise ValueError(f"{output_path} holds the columns {before}, but the job makes {now}; use another path")
    return done.select(_quote(key))


def _forget_failed(spark: SparkSession, output_path: str, result: DataFrame) -> None:
    """The rows that failed in earlier runs are computed again."""
    path = f"{output_path}/{STATUS}={FAILED}"
    if _read(spark, path) is not None:
        result.limit(0).write.mode("overwrite").parquet(path)


def _count(spark: SparkSession, output_path: str, status: str) -> int:
    rows = _read(spark, f"{output_path}/{STATUS}={status}")
    return 0 if rows is None else int(rows.count())
