# SPDX-License-Identifier: Apache-2.0
"""What language models answer, as Python's types, and the options of what is asked.

Offsets are indices of Python strings; on the wire they are bytes of UTF-8. Enumerations are strings, as "whitespace" or
"end-of-text". Options have the names of the messages' fields in proto/heed/v1/language_modeling.proto. None leaves a field
to the server's default."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Protocol, Tuple, TypeVar

from google.protobuf.message import Message
from heed.v1 import language_modeling_pb2 as pb

from heed_client.calls import options_message

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from heed_client.options import GenerateOptions, ScoreOptions

M = TypeVar("M", bound=Message)

_TEXT_FIELDS = ("tokenization", "append_line_end", "special_tokens")


@dataclass(frozen=True)
class Attention:
    """Of the last layer, the mean of its heads: a row for each token of the answer. Column 0 is all that was read before,
    the others are `columns`."""

    columns: List[str]
    weights: List[List[float]]


@dataclass(frozen=True)
class Token:
    token: str  # as the vocabulary spells it: "▁house"
    id: int
    start: int
    end: int
    unknown: bool
    log_probability: Optional[float]  # None: it was the first, and nothing stood before it
    rank: int  # 1: no token is likelier. 0: it has no probability
    top: List[Tuple[str, float]]  # tokens and their log-probabilities, likeliest first


@dataclass(frozen=True)
class Score:
    log_probability: float  # the sum over the tokens that have one
    tokens: int  # how many have one
    words: int
    bytes: int
    perplexity: float
    bits_per_byte: float
    is_greedy: bool  # each token was the likeliest
    unknown_words: List[str]
    unknown_tokens: int
    token_scores: List[Token] = field(default_factory=list)
    attention: Optional[Attention] = None


@dataclass(frozen=True)
class GeneratedText:
    text: str
    finish_reason: str  # "eos", "length", "loop" or "stop"
    stop: str  # the stop text that ended it
    log_probability: float
    score: float
    token_count: int
    tokens: List[Token] = field(default_factory=list)
    attention: Optional[Attention] = None


@dataclass(frozen=True)
class Generation:
    texts: List[GeneratedText]  # best first; draws in their order
    prompt_tokens: int
    unknown_words: List[str]
    session: Optional[pb.TextSession]
    model: str
    model_version: int

    @property
    def text(self) -> str:
        """Of the best one."""
        return self.texts[0].text


@dataclass(frozen=True)
class Filling:
    text: str
    tokens: List[str]
    log_probability: float


@dataclass(frozen=True)
class FilledText:
    text: str  # with the likeliest filling in each gap
    log_probability: float  # of all that was filled in
    gaps: List[List[Filling]]  # of each gap, likeliest first
    attention: Optional[Attention] = None


@dataclass(frozen=True)
class TextLabels:
    labels: List[Tuple[str, float]]  # with their scores, best first
    token_count: int
    truncated: bool
    attention: Optional[Attention] = None

    @property
    def label(self) -> str:
        """The best one."""
        return self.labels[0][0]

    @property
    def score(self) -> float:
        """Of the best label."""
        return self.labels[0][1]


@dataclass(frozen=True)
class TaggedWord:
    word: str
    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True)
class FoundAnswer:
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class FoundAnswers:
    answers: List[FoundAnswer]  # best first; empty: the text has none
    no_answer_score: Optional[float]
    token_count: int
    attention: Optional[Attention] = None

    @property
    def text(self) -> str:
        """Of the best answer; "" if there is none."""
        return self.answers[0].text if self.answers else ""


@dataclass(frozen=True)
class Embedding:
    vector: List[float]  # [] with pooling="tokens"
    token_count: int
    truncated: bool
    # With pooling="tokens": (token, start, end, vector). Special tokens have start = end.
    tokens: List[Tuple[str, int, int, List[float]]] = field(default_factory=list)
    attention: Optional[Attention] = None


@dataclass(frozen=True)
class ReadPart:
    """What was read since the part before. In the last part `total` is the score of all that was read, and `score` is None
    if nothing was read since."""

    score: Optional[Score]
    total: Optional[Score]
    bytes_read: int
    tokens_read: int
    session: Optional[pb.TextSession]


class Offsets(Protocol):
    """From the wire's offsets of a text to a caller's."""

    def start(self, offset: int) -> int: ...

    def end(self, offset: int) -> int: ...


class Indices:
    """From byte offsets of a text's UTF-8 to indices of the string, and back."""

    def __init__(self, text: str) -> None:
        self._offsets: Optional[List[int]] = None
        if not text.isascii():
            self._offsets = [0]
            for character in text:
                self._offsets.append(self._offsets[-1] + len(character.encode("utf-8")))

    def start(self, offset: int) -> int:
        return offset if self._offsets is None else bisect.bisect_right(self._offsets, offset) - 1

    def end(self, offset: int) -> int:
        return offset if self._offsets is None else bisect.bisect_left(self._offsets, offset)

    def offset(self, index: int) -> int:
        return index if self._offsets is None else self._offsets[index]


class SameOffsets:
    """For ids in place of a text: there are no offsets."""

    def start(self, offset: int) -> int:
        return offset

    def end(self, offset: int) -> int:
        return offset


def enum_number(message: Any, kind: str, name: str, field_name: str) -> int:
    """The number of "end-of-text" in ScoreOptions.Begin: BEGIN_END_OF_TEXT."""
    prefix = "".join("_" + letter if letter.isupper() and i else letter for i, letter in enumerate(kind)).upper() + "_"
    names: Dict[str, int] = {
        key[len(prefix) :].lower().replace("_", "-"): number
        for key, number in getattr(message, kind).items()
        if number != 0
    }
    wanted = str(name).lower().replace("_", "-")
    if wanted not in names:
        raise ValueError(f"{field_name} is {name!r}; it can be {', '.join(map(repr, names))}")
    return names[wanted]


def overlong_number(name: Optional[str]) -> Optional[int]:
    return None if name is None else enum_number(pb, "OverlongText", name, "overlong")


def split_text_options(options: Dict[str, Any]) -> Tuple[pb.TextOptions, Dict[str, Any]]:
    """TextOptions out of the options, and the rest."""
    rest = {name: value for name, value in options.items() if value is not None}
    text = {name: rest.pop(name) for name in _TEXT_FIELDS if name in rest}
    if "tokenization" in text:
        text["tokenization"] = enum_number(pb.TextOptions, "Tokenization", text["tokenization"], "tokenization")
    return make_message(pb.TextOptions, "text", **text), rest


def make_message(message_type: Callable[..., M], what: str, **fields: Any) -> M:
    return options_message(message_type, f"{what} options", **fields)


def make_score_options(**options: Unpack[ScoreOptions]) -> pb.ScoreOptions:
    """ScoreOptions from keywords: its fields' names and those of TextOptions. begin is "nothing" or "end-of-text", order
    "left-to-right" or "all-context", tokenization "moses" or "whitespace"."""
    text, fields = split_text_options({**options})
    for name, kind in (("begin", "Begin"), ("order", "Order")):
        if name in fields:
            fields[name] = enum_number(pb.ScoreOptions, kind, fields[name], name)
    return make_message(pb.ScoreOptions, "score", text=text, **fields)


def make_generate_options(**options: Unpack[GenerateOptions]) -> pb.GenerateOptions:
    """GenerateOptions from keywords: its fields' names and those of TextOptions. early_stopping is "heuristic", "first" or
    "never", mode "causal" or "as-hugging-face", sampling a dictionary of Sampling's fields; stop a text or a list."""
    text, fields = split_text_options({**options})
    for name, kind in (("early_stopping", "EarlyStopping"), ("mode", "Mode")):
        if name in fields:
            fields[name] = enum_number(pb.GenerateOptions, kind, fields[name], name)
    if "sampling" in fields:
        fields["sampling"] = make_message(pb.GenerateOptions.Sampling, "sampling", **fields["sampling"])
    if isinstance(fields.get("stop"), str):
        fields["stop"] = [fields["stop"]]
    return make_message(pb.GenerateOptions, "generate", text=text, **fields)


def attention_of(message: pb.TextAttention) -> Optional[Attention]:
    if message.column_count <= 0:
        return None
    weights, columns = list(message.weights), message.column_count
    rows = [weights[i : i + columns] for i in range(0, len(weights), columns)]
    return Attention(list(message.column_tokens), rows)


def token_of(message: pb.TokenScore, offsets: Offsets) -> Token:
    return Token(
        message.token,
        message.id,
        offsets.start(message.start),
        offsets.end(message.end),
        message.unknown,
        message.log_probability if message.HasField("log_probability") else None,
        message.rank,
        [(other.token, other.log_probability) for other in message.top],
    )


def score_of(message: pb.TextScore, offsets: Offsets) -> Score:
    return Score(
        message.log_probability,
        message.tokens,
        message.words,
        message.bytes,
        message.perplexity,
        message.bits_per_byte,
        message.is_greedy,
        list(message.unknown_words),
        message.unknown_tokens,
        [token_of(token, offsets) for token in message.token_scores],
        attention_of(message.attention),
    )


def generation_of(message: pb.GenerateResponse) -> Generation:
    texts = []
    for text in message.texts:
        indices = Indices(text.text)
        texts.append(
            GeneratedText(
                text.text,
                pb.TextFinishReason.Name(text.finish_reason).removeprefix("TEXT_FINISH_REASON_").lower(),
                text.stop,
                text.log_probability,
                text.score,
                text.token_count,
                [token_of(token, indices) for token in text.tokens],
                attention_of(text.attention),
            )
        )
    session = message.session if message.HasField("session") else None
    unknown = list(message.unknown_words)
    return Generation(texts, message.prompt_token_count, unknown, session, message.model, message.model_version)
