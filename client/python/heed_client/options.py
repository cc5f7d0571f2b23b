# SPDX-License-Identifier: Apache-2.0
"""The options of what is asked, for type checkers. They have the names of the messages' fields in Heed's proto/heed/v1,
where each is explained. None leaves a field to the server's default."""

from __future__ import annotations

from typing import Iterable, Mapping, Optional, Sequence, Tuple, TypedDict, Union

from heed.v1 import graphs_pb2


class Sampling(TypedDict, total=False):
    temperature: float
    top_k: int
    top_p: float
    seed: int


class TranslateOptions(TypedDict, total=False):
    """Of heed.v1.TranslateOptions."""

    beam_size: Optional[int]
    length_penalty: Optional[float]
    early_stopping: Optional[str]  # "heuristic", "first" or "never"
    no_repeat_ngram: Optional[int]
    min_tokens: Optional[int]
    max_tokens: Optional[int]
    n_best: Optional[int]
    target_prefix: Optional[str]
    sampling: Optional[Sampling]
    split_sentences: Optional[bool]
    stop_loops: Optional[bool]
    return_tokens: Optional[bool]
    return_attention: Optional[bool]
    return_sentences: Optional[bool]
    return_scores: Optional[bool]


class TranslationFields(TypedDict, total=False):
    """What a translation's request says beside its texts and options."""

    source: Optional[str]  # "auto": detected
    target: Optional[str]
    format: Optional[str]  # "plain", "html" or "xml"
    glossary: Optional[Mapping[str, str]]
    keep: Optional[Iterable[str]]
    placeholders: Optional[bool]


class TranslationOptions(TranslateOptions, TranslationFields, total=False):
    pass


class ClassifyOptions(TypedDict, total=False):
    """Of heed.v1.GraphQueryOptions."""

    top_k: Optional[int]
    return_embeddings: Optional[bool]
    return_attention: Optional[bool]
    fan_out: Optional[int]
    seed: Optional[int]
    compute: Optional[bool]
    ignore_edge_features: Optional[bool]


EdgeIds = Iterable[Tuple[int, int]]
Rows = Union[Sequence[Sequence[float]], graphs_pb2.NodeFeatures]


class GraphUpdate(TypedDict, total=False):
    """Of heed.v1.GraphUpdate; edges are pairs of ids, features rows of numbers."""

    remove_edges: EdgeIds
    remove_nodes: Iterable[int]
    add_nodes: Iterable[int]
    add_features: Rows
    change_nodes: Iterable[int]
    change_features: Rows
    add_edges: EdgeIds
    add_edge_features: Iterable[float]


class AnswerOptions(TypedDict, total=False):
    """Of heed.v1.QuestionAnswerOptions."""

    top_k: Optional[int]
    return_attribution: Optional[bool]
    return_reads: Optional[bool]


class TextOptions(TypedDict, total=False):
    """Of heed.v1.TextOptions."""

    tokenization: Optional[str]  # "moses" or "whitespace"
    append_line_end: Optional[bool]
    special_tokens: Optional[bool]


class ScoreOptions(TextOptions, total=False):
    """Of heed.v1.ScoreOptions."""

    begin: Optional[str]  # "nothing" or "end-of-text"
    order: Optional[str]  # "left-to-right" or "all-context"
    top_k: Optional[int]
    segment_tokens: Optional[int]
    return_tokens: Optional[bool]
    return_attention: Optional[bool]


class StreamScoreOptions(TextOptions, total=False):
    """Of heed.v1.ScoreOptions, for a text that is read as a stream."""

    begin: Optional[str]
    order: Optional[str]
    top_k: Optional[int]
    return_tokens: Optional[bool]
    return_attention: Optional[bool]


class GenerateOptions(TextOptions, total=False):
    """Of heed.v1.GenerateOptions."""

    sampling: Optional[Sampling]
    greedy: Optional[bool]
    beam_size: Optional[int]
    length_penalty: Optional[float]
    early_stopping: Optional[str]  # "heuristic", "first" or "never"
    no_repeat_ngram: Optional[int]
    repetition_penalty: Optional[float]
    max_tokens: Optional[int]
    min_tokens: Optional[int]
    stop: Union[None, str, Sequence[str]]
    stop_at_end: Optional[bool]
    stop_loops: Optional[bool]
    ban_unknown: Optional[bool]
    n: Optional[int]
    return_tokens: Optional[bool]
    top_k_alternatives: Optional[int]
    mode: Optional[str]  # "causal" or "as-hugging-face"
    return_attention: Optional[bool]


class LabelOptions(TextOptions, total=False):
    """What the requests for labels, tags, answers and vectors have beside what is named."""

    return_attention: Optional[bool]
