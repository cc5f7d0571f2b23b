# SPDX-License-Identifier: Apache-2.0
"""A column of a Spark DataFrame over a fleet of Heed servers.

    from heed_client import spark as heed

    fleet = ["heed-1:50051", "heed-2:50051"]
    german = heed.translate(df, "text", servers=fleet, model="translator-en-de", beam_size=1)
    german.where("heed_error is null").select("id", "translation")

Each function returns the table with the result's columns behind its own, and the column heed_error: null, or why this row has
no result. Rows that fail harm no others, and no row is lost or doubled. run() makes a job resumable. Executors need this
package, gRPC and pyarrow. docs/spark.md in Heed's tree explains what happens when servers fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Optional, Sequence, Tuple

from heed_client.spark.failures import FleetError
from heed_client.spark.resumable import RunSummary, run
from heed_client.spark.settings import FleetSettings, split_settings
from heed_client.spark.tasks import Answer, ClassifyTexts, Score, Task, Translate

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType

    from heed_client.spark.metrics import Metrics

__all__ = [
    "FleetError",
    "FleetSettings",
    "Metrics",
    "RunSummary",
    "answer",
    "classify_texts",
    "run",
    "score",
    "split",
    "translate",
]


def __getattr__(name: str) -> Any:
    if name == "Metrics":  # it needs pyspark
        from heed_client.spark import metrics

        return metrics.Metrics
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def translate(
    df: DataFrame,
    column: str,
    servers: Sequence[str],
    model: str = "",
    model_version: int = 0,
    output: str = "translation",
    details: Sequence[str] = (),
    metrics: Optional[Metrics] = None,
    error: str = "heed_error",
    **options: Any,
) -> DataFrame:
    """The DataFrame with the column's translations. details: "score", "finish_reason", "source_language", "model",
    "model_version"; each is a column output_detail. Options: the fields of FleetSettings, and those of
    heed_client.Client.translate: beam_size, source, target, format, glossary, ..."""
    settings, rest = split_settings(servers, options)
    return _apply(df, Translate([column], output, details, model, model_version, rest), settings, metrics, error)


def classify_texts(
    df: DataFrame,
    column: str,
    servers: Sequence[str],
    model: str = "",
    model_version: int = 0,
    output: str = "label",
    details: Sequence[str] = ("score",),
    pair_column: Optional[str] = None,
    metrics: Optional[Metrics] = None,
    error: str = "heed_error",
    **options: Any,
) -> DataFrame:
    """The DataFrame with the best label of each text, or of each pair of texts. details: "score", "labels" (top_k of them, an
    array of structs), "tokens", "truncated". Options: the fields of FleetSettings, and those of
    heed_client.Client.classify_texts: top_k, function, overlong, max_tokens, ..."""
    settings, rest = split_settings(servers, options)
    columns = [column] if pair_column is None else [column, pair_column]
    return _apply(df, ClassifyTexts(columns, output, details, model, model_version, rest), settings, metrics, error)


def answer(
    df: DataFrame,
    column: str,
    servers: Sequence[str],
    question: Optional[str] = None,
    question_column: Optional[str] = None,
    model: str = "",
    model_version: int = 0,
    output: str = "answer",
    details: Sequence[str] = ("probability",),
    metrics: Optional[Metrics] = None,
    error: str = "heed_error",
    **options: Any,
) -> DataFrame:
    """The DataFrame with the answer to a question about each row's facts: an array of strings, or a string with one on each
    line. The question is the same for all rows, or a column. details: "probability", "unknown_words". Options: the fields
    of FleetSettings."""
    settings, rest = split_settings(servers, options)
    columns = [column] if question_column is None else [column, question_column]
    task = Answer(columns, output, details, model, model_version, rest, question=question)
    return _apply(df, task, settings, metrics, error)


def score(
    df: DataFrame,
    column: str,
    servers: Sequence[str],
    model: str = "",
    model_version: int = 0,
    output: str = "score",
    details: Sequence[str] = ("perplexity", "tokens"),
    context_column: Optional[str] = None,
    metrics: Optional[Metrics] = None,
    error: str = "heed_error",
    **options: Any,
) -> DataFrame:
    """The DataFrame with the log-probability of each text (natural logarithm), behind its context if there is a column of them.
    details: "perplexity", "bits_per_byte", "tokens", "words", "unknown_tokens", "is_greedy". Options: the fields of
    FleetSettings, and those of heed_client.Client.score: begin, order, tokenization, ..."""
    settings, rest = split_settings(servers, options)
    columns = [column] if context_column is None else [column, context_column]
    return _apply(df, Score(columns, output, details, model, model_version, rest), settings, metrics, error)


def split(result: DataFrame, error: str = "heed_error") -> Tuple[DataFrame, DataFrame]:
    """(the rows that have their result, without the column of errors; the rows that failed). The result is persisted, since
    Spark would otherwise ask the servers twice: result.unpersist() when both are written."""
    from pyspark import StorageLevel
    from pyspark.sql import functions as F

    result.persist(StorageLevel.MEMORY_AND_DISK)
    return result.where(F.col(error).isNull()).drop(error), result.where(F.col(error).isNotNull())


def _apply(
    df: DataFrame, task: Task, settings: FleetSettings, metrics: Optional[Metrics], error: str
) -> DataFrame:
    task.call([task.sample()])  # a wrong option fails here, and not on the executors
    columns = [_find(df, name, task.takes_lists and i == 0) for i, name in enumerate(task.columns)]
    added = [name for name, _ in task.results()] + [error]
    names = [name.lower() for name in (*df.columns, *added)]  # Spark takes Text and text for the same
    for name in added:
        if names.count(name.lower()) > 1:
            raise ValueError(f"the table has a column {name!r} already; output and error choose other names")
    schema = type(df.schema)([*df.schema.fields])
    for name, kind in [*task.results(), (error, "string")]:
        schema = schema.add(name, _spark_type(kind), True)
    sums = None if metrics is None else metrics.accumulator

    def run_partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from heed_client.spark.column import ColumnJob

        job = ColumnJob(task, columns, settings, error)
        return job.run(batches, (lambda counts: None) if sums is None else sums.add)

    return df.mapInArrow(run_partition, schema)


def _find(df: DataFrame, name: str, may_be_lists: bool) -> int:
    """The number of a column of texts."""
    names: List[str] = df.columns
    if names.count(name) != 1:
        many = f"{names.count(name)} columns of this name" if name in names else ", ".join(names)
        raise ValueError(f"column is {name!r}, but the table has {many}")
    kind = df.schema[names.index(name)].dataType.simpleString()
    allowed = ("string", "array<string>") if may_be_lists else ("string",)
    if kind not in allowed:
        raise ValueError(f"column {name!r} is of type {kind}, but must be {' or '.join(allowed)}")
    return names.index(name)


def _spark_type(kind: str) -> DataType:
    from pyspark.sql import types as T

    if kind == "labels":
        return T.ArrayType(T.StructType().add("label", T.StringType()).add("score", T.DoubleType()))
    return {
        "string": T.StringType(),
        "double": T.DoubleType(),
        "bigint": T.LongType(),
        "boolean": T.BooleanType(),
        "strings": T.ArrayType(T.StringType()),
    }[kind]
