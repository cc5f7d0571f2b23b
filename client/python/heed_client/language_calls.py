# SPDX-License-Identifier: Apache-2.0
"""LanguageModelingService's calls: how requests are made, and answers read as the types of heed_client.texts."""

from __future__ import annotations

import collections
import threading
import uuid
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Protocol,
    Sequence,
    TextIO,
    Tuple,
    Union,
)

from heed.v1 import language_modeling_pb2 as pb

from heed_client.async_transport import AnyIterable, each
from heed_client.calls import Call, Known, MaybeCall, Method, Repeat, nothing, strings
from heed_client.texts import (
    Embedding,
    FilledText,
    Filling,
    FoundAnswer,
    FoundAnswers,
    Generation,
    Indices,
    Offsets,
    ReadPart,
    SameOffsets,
    Score,
    TaggedWord,
    TextLabels,
    attention_of,
    enum_number,
    generation_of,
    make_generate_options,
    make_message,
    make_score_options,
    overlong_number,
    score_of,
    split_text_options,
)

if TYPE_CHECKING:
    pass


class NamedSession(Protocol):
    """A TextSession of either client, or the message."""

    @property
    def name(self) -> str: ...


PIECE_CHARACTERS = 1 << 13  # of a text that is read as a stream: 32 KiB at most, so that a slow model answers often

Ids = Sequence[int]
ScoreItem = Union[str, Ids, Tuple[str, Union[str, Ids]]]  # a text, ids, (context, text), or (context, ids)
Gaps = Sequence[Tuple[int, int]]
FillInText = Union[str, Tuple[str, Gaps]]
LabelItem = Union[str, Tuple[str, Union[str, Sequence[str]]]]  # a text, (text, second text), or (text, choices)
AnySession = Union[None, str, NamedSession]
TextSource = Union[str, TextIO, Iterable[str]]

_SERVICE = "heed.v1.LanguageModelingService"
SCORE = Method(f"{_SERVICE}/Score", pb.ScoreRequest, pb.ScoreResponse)
GENERATE = Method(f"{_SERVICE}/Generate", pb.GenerateRequest, pb.GenerateResponse)
GENERATE_STREAM = Method(f"{_SERVICE}/GenerateStream", pb.GenerateStreamRequest, pb.GenerateStreamResponse)
FILL_IN = Method(f"{_SERVICE}/FillIn", pb.FillInRequest, pb.FillInResponse)
CLASSIFY_TEXTS = Method(f"{_SERVICE}/ClassifyTexts", pb.ClassifyTextsRequest, pb.ClassifyTextsResponse)
TAG_TEXTS = Method(f"{_SERVICE}/TagTexts", pb.TagTextsRequest, pb.TagTextsResponse)
ANSWER_FROM_TEXT = Method(f"{_SERVICE}/AnswerFromText", pb.AnswerFromTextRequest, pb.AnswerFromTextResponse)
EMBED_TEXTS = Method(f"{_SERVICE}/EmbedTexts", pb.EmbedTextsRequest, pb.EmbedTextsResponse)
OPEN_TEXT_SESSION = Method(f"{_SERVICE}/OpenTextSession", pb.OpenTextSessionRequest, pb.OpenTextSessionResponse)
READ_TEXT = Method(f"{_SERVICE}/ReadText", pb.ReadTextRequest, pb.ReadTextResponse)
READ_TEXT_STREAM = Method(f"{_SERVICE}/ReadTextStream", pb.ReadTextStreamRequest, pb.ReadTextStreamResponse)
FORK_TEXT_SESSION = Method(f"{_SERVICE}/ForkTextSession", pb.ForkTextSessionRequest, pb.ForkTextSessionResponse)
EXPORT_TEXT_SESSION = Method(f"{_SERVICE}/ExportTextSession", pb.ExportTextSessionRequest, pb.ExportTextSessionResponse)
IMPORT_TEXT_SESSION = Method(f"{_SERVICE}/ImportTextSession", pb.ImportTextSessionRequest, pb.ImportTextSessionResponse)
CLOSE_TEXT_SESSION = Method(f"{_SERVICE}/CloseTextSession", pb.CloseTextSessionRequest, pb.CloseTextSessionResponse)


def _name(session: AnySession) -> str:
    if session is None:
        return ""
    return session if isinstance(session, str) else session.name


def _score_item(value: ScoreItem) -> Tuple[pb.ScoreRequest.Item, Offsets]:
    context, content = ("", value) if not isinstance(value, tuple) else (str(value[0]), value[1])
    if isinstance(content, str):
        return pb.ScoreRequest.Item(context=context, text=content), Indices(content)
    ids = pb.ScoreRequest.Tokens(ids=[int(token) for token in content])
    return pb.ScoreRequest.Item(context=context, tokens=ids), SameOffsets()


def score_call(
    items: Iterable[ScoreItem],
    model: str,
    model_version: int,
    session: AnySession,
    expected_version: Optional[int],
    options: Dict[str, Any],
) -> MaybeCall[List[Score]]:
    pairs = [_score_item(item) for item in strings(items, "items", "texts")]
    if not pairs:
        return Known([])
    request = pb.ScoreRequest(
        model=model,
        model_version=model_version,
        items=[item for item, _ in pairs],
        session=_name(session),
        expected_version=expected_version,
        options=make_score_options(**options),
    )
    return SCORE.call(
        request, lambda response: [score_of(score, offsets) for score, (_, offsets) in zip(response.scores, pairs)]
    )


def generate_call(
    prompt: str,
    model: str,
    model_version: int,
    session: AnySession,
    commit: bool,
    request_id: Optional[str],
    expected_version: Optional[int],
    options: Dict[str, Any],
) -> Call[Generation]:
    if request_id is None:
        request_id = uuid.uuid4().hex if commit else ""
    request = pb.GenerateRequest(
        model=model,
        model_version=model_version,
        prompt=prompt,
        session=_name(session),
        commit=commit,
        request_id=request_id,
        expected_version=expected_version,
        options=make_generate_options(**options),
    )
    repeat = Repeat.ALWAYS if request_id or not commit else Repeat.IF_REFUSED
    return GENERATE.call(request, generation_of, repeat)


def generate_stream_call(
    prompt: str,
    model: str,
    model_version: int,
    session: AnySession,
    expected_version: Optional[int],
    options: Dict[str, Any],
) -> Call[Optional[Union[str, Generation]]]:
    """What the text grew by, and at the end the whole."""
    request = pb.GenerateStreamRequest(
        model=model,
        model_version=model_version,
        prompt=prompt,
        session=_name(session),
        expected_version=expected_version,
        options=make_generate_options(**options),
    )
    return GENERATE_STREAM.call(
        request, lambda event: generation_of(event.result) if event.HasField("result") else event.delta
    )


def fill_in_call(
    texts: Iterable[FillInText],
    model: str,
    model_version: int,
    candidates: Iterable[str],
    pieces: Optional[int],
    marker: Optional[str],
    context: str,
    order: Optional[str],
    top_k: Optional[int],
    return_attention: bool,
    text_options: Dict[str, Any],
) -> MaybeCall[List[FilledText]]:
    text_message, rest = split_text_options(text_options)
    request = make_message(
        pb.FillInRequest,
        "fill_in",
        model=model,
        model_version=model_version,
        marker=marker,
        context=context,
        order=None if order is None else enum_number(pb.FillInRequest, "Order", order, "order"),
        top_k=top_k,
        text_options=text_message,
        return_attention=return_attention,
        **rest,
    )
    words = list(candidates)
    for value in strings(texts, "texts", "texts"):
        text, gaps = (value, ()) if isinstance(value, str) else value
        if gaps:
            at = Indices(text)
            spans = [(at.offset(start), at.offset(end)) for start, end in gaps]
            made = [pb.FillInRequest.Gap(start=s, end=e, candidates=words, pieces=pieces) for s, e in spans]
            request.texts.add(text=text, gaps=made)
        else:
            request.texts.add(text=text, candidates=words, pieces=pieces)
    if not request.texts:
        return Known([])
    return FILL_IN.call(request, lambda response: [_filled(text) for text in response.texts])


def _filled(text: pb.FillInResponse.Text) -> FilledText:
    gaps = [[Filling(one.text, list(one.tokens), one.log_probability) for one in gap.top] for gap in text.gaps]
    return FilledText(text.filled_text, text.log_probability, gaps, attention_of(text.attention))


def classify_texts_call(
    items: Iterable[LabelItem],
    model: str,
    model_version: int,
    top_k: Optional[int],
    function: Optional[str],
    overlong: Optional[str],
    max_tokens: Optional[int],
    options: Dict[str, Any],
) -> MaybeCall[List[TextLabels]]:
    text_options, rest = split_text_options(options)
    request = make_message(
        pb.ClassifyTextsRequest,
        "classify_texts",
        model=model,
        model_version=model_version,
        top_k=top_k,
        function=None if function is None else enum_number(pb.ClassifyTextsRequest, "Function", function, "function"),
        overlong=overlong_number(overlong),
        max_tokens=max_tokens,
        text_options=text_options,
        **rest,
    )
    for item in strings(items, "items", "texts"):
        text, second = (item, "") if isinstance(item, str) else item
        if isinstance(second, str):
            request.items.add(text=text, pair=second)
        else:
            request.items.add(text=text, choices=second)
    if not request.items:
        return Known([])
    return CLASSIFY_TEXTS.call(request, lambda response: [_labels(item) for item in response.items])


def _labels(item: pb.ClassifyTextsResponse.Item) -> TextLabels:
    labels = [(label.label, label.score) for label in item.labels]
    return TextLabels(labels, item.token_count, item.truncated, attention_of(item.attention))


def tag_call(
    texts: Iterable[str],
    model: str,
    model_version: int,
    overlong: Optional[str],
    max_tokens: Optional[int],
    options: Dict[str, Any],
) -> MaybeCall[List[List[TaggedWord]]]:
    listed = strings(texts, "texts", "texts")
    if not listed:
        return Known([])
    text_options, rest = split_text_options(options)
    request = make_message(
        pb.TagTextsRequest,
        "tag",
        model=model,
        model_version=model_version,
        texts=listed,
        overlong=overlong_number(overlong),
        max_tokens=max_tokens,
        text_options=text_options,
        **rest,
    )
    return TAG_TEXTS.call(
        request, lambda response: [_words(text, answer) for text, answer in zip(listed, response.texts)]
    )


def _words(text: str, answer: pb.TagTextsResponse.Text) -> List[TaggedWord]:
    at = Indices(text)
    return [TaggedWord(w.word, at.start(w.start), at.end(w.end), w.label, w.score) for w in answer.words]


def answer_from_text_call(
    context: str,
    questions: Iterable[str],
    model: str,
    model_version: int,
    top_k: Optional[int],
    max_answer_tokens: Optional[int],
    allow_no_answer: bool,
    overlong: Optional[str],
    max_tokens: Optional[int],
    options: Dict[str, Any],
) -> MaybeCall[List[FoundAnswers]]:
    listed = strings(questions, "questions", "texts")
    if not listed:
        return Known([])
    text_options, rest = split_text_options(options)
    request = make_message(
        pb.AnswerFromTextRequest,
        "answer_from_text",
        model=model,
        model_version=model_version,
        context=context,
        questions=listed,
        top_k=top_k,
        max_answer_tokens=max_answer_tokens,
        allow_no_answer=allow_no_answer,
        overlong=overlong_number(overlong),
        max_tokens=max_tokens,
        text_options=text_options,
        **rest,
    )
    at = Indices(context)
    return ANSWER_FROM_TEXT.call(request, lambda response: [_found(question, at) for question in response.questions])


def _found(question: pb.AnswerFromTextResponse.Question, at: Indices) -> FoundAnswers:
    return FoundAnswers(
        [FoundAnswer(one.text, at.start(one.start), at.end(one.end), one.score) for one in question.answers],
        question.no_answer_score if question.HasField("no_answer_score") else None,
        question.token_count,
        attention_of(question.attention),
    )


def embed_call(
    texts: Iterable[str],
    model: str,
    model_version: int,
    pooling: Optional[str],
    layer: Optional[int],
    normalize: bool,
    overlong: Optional[str],
    max_tokens: Optional[int],
    options: Dict[str, Any],
) -> MaybeCall[List[Embedding]]:
    listed = strings(texts, "texts", "texts")
    if not listed:
        return Known([])
    text_options, rest = split_text_options(options)
    request = make_message(
        pb.EmbedTextsRequest,
        "embed",
        model=model,
        model_version=model_version,
        texts=listed,
        pooling=None if pooling is None else enum_number(pb.EmbedTextsRequest, "Pooling", pooling, "pooling"),
        layer=layer,
        normalize=normalize,
        overlong=overlong_number(overlong),
        max_tokens=max_tokens,
        text_options=text_options,
        **rest,
    )
    return EMBED_TEXTS.call(
        request, lambda response: [_embedding(text, answer) for text, answer in zip(listed, response.texts)]
    )


def _embedding(text: str, answer: pb.EmbedTextsResponse.Text) -> Embedding:
    values, width = list(answer.values), answer.width
    vectors = [values[i : i + width] for i in range(0, len(values), width)] if width else []
    at = Indices(text)
    tokens = [
        (token.token, at.start(token.start), at.end(token.end), vector) for token, vector in zip(answer.tokens, vectors)
    ]
    vector = [] if tokens or not vectors else vectors[0]
    return Embedding(vector, answer.token_count, answer.truncated, tokens, attention_of(answer.attention))


def open_text_session_call(model: str, model_version: int, segment_tokens: Optional[int]) -> Call[pb.TextSession]:
    request = pb.OpenTextSessionRequest(model=model, model_version=model_version, segment_tokens=segment_tokens)
    return OPEN_TEXT_SESSION.call(request, lambda response: response.session)


def import_text_session_call(data: bytes, model: str) -> Call[pb.TextSession]:
    request = pb.ImportTextSessionRequest(data=data, model=model)
    return IMPORT_TEXT_SESSION.call(request, lambda response: response.session)


def read_text_call(
    session: str, text: str, request_id: Optional[str], expected_version: Optional[int], options: Dict[str, Any]
) -> Call[Tuple[pb.TextSession, Score]]:
    request = pb.ReadTextRequest(
        session=session,
        text=text,
        options=make_score_options(**options),
        request_id=uuid.uuid4().hex if request_id is None else request_id,
        expected_version=expected_version,
    )
    repeat = Repeat.ALWAYS if request.request_id else Repeat.IF_REFUSED
    return READ_TEXT.call(request, lambda answer: (answer.session, score_of(answer.score, Indices(text))), repeat)


def fork_text_session_call(session: str, expected_version: Optional[int]) -> Call[pb.TextSession]:
    request = pb.ForkTextSessionRequest(session=session, expected_version=expected_version)
    return FORK_TEXT_SESSION.call(request, lambda response: response.session)


def export_text_session_call(session: str, expected_version: Optional[int]) -> Call[bytes]:
    request = pb.ExportTextSessionRequest(session=session, expected_version=expected_version)
    return EXPORT_TEXT_SESSION.call(request, lambda response: response.data)


def close_text_session_call(session: str) -> Call[None]:
    return CLOSE_TEXT_SESSION.call(pb.CloseTextSessionRequest(session=session), nothing)


class _ShiftedIndices:
    """Of a text's pieces: the offsets count from the text's beginning."""

    def __init__(self, pieces: str, bytes_before: int, characters_before: int) -> None:
        self._at = Indices(pieces)
        self._bytes = bytes_before
        self._characters = characters_before

    def start(self, offset: int) -> int:
        return self._at.start(offset - self._bytes) + self._characters

    def end(self, offset: int) -> int:
        return self._at.end(offset - self._bytes) + self._characters


class StreamedText:
    """A text of any length on its way: makes its requests and reads its responses. Holds what was sent and not yet answered,
    for offsets that count from the text's beginning. One thread may send while another receives."""

    def __init__(self, first: pb.ReadTextStreamRequest) -> None:
        self.first = first
        self._lock = threading.Lock()
        self._pieces: Deque[str] = collections.deque()
        self._bytes = 0  # before the pieces
        self._characters = 0

    def requests(self, text: Any) -> Iterator[pb.ReadTextStreamRequest]:
        """Of a part of the text."""
        if not isinstance(text, str):
            raise TypeError(f"a piece of the text is {type(text).__name__}, not str; open files as text")
        for begin in range(0, len(text), PIECE_CHARACTERS):
            piece = text[begin : begin + PIECE_CHARACTERS]
            with self._lock:
                self._pieces.append(piece)
            yield pb.ReadTextStreamRequest(text=piece)

    def part(self, response: pb.ReadTextStreamResponse) -> ReadPart:
        has_tokens = response.HasField("score") and len(response.score.token_scores) > 0
        part = ReadPart(
            score_of(response.score, self._indices() if has_tokens else SameOffsets())
            if response.HasField("score")
            else None,
            score_of(response.total, SameOffsets()) if response.HasField("total") else None,
            response.bytes_read,
            response.tokens_read,
            response.session if response.HasField("session") else None,
        )
        self._forget(response.bytes_read)
        return part

    def _indices(self) -> Offsets:
        with self._lock:
            return _ShiftedIndices("".join(self._pieces), self._bytes, self._characters)

    def _forget(self, bytes_read: int) -> None:
        with self._lock:
            while self._pieces and self._bytes + len(self._pieces[0].encode("utf-8")) <= bytes_read:
                piece = self._pieces.popleft()
                self._bytes += len(piece.encode("utf-8"))
                self._characters += len(piece)


def streamed_text(
    model: str, model_version: int, session: AnySession, segment_tokens: Optional[int], options: Dict[str, Any]
) -> StreamedText:
    first = pb.ReadTextStreamRequest(options=make_score_options(**options))
    if session is None:
        first.open.CopyFrom(
            pb.OpenTextSessionRequest(model=model, model_version=model_version, segment_tokens=segment_tokens)
        )
    else:
        first.session = _name(session)
    return StreamedText(first)


def _texts_of(source: Any) -> Any:
    """The iterable of strings that a string or a file is."""
    if isinstance(source, str):
        return [source]
    if hasattr(source, "read"):
        return iter(lambda: source.read(PIECE_CHARACTERS), "")
    return source


def text_requests(text: StreamedText, source: TextSource) -> Iterator[pb.ReadTextStreamRequest]:
    yield text.first
    for part in _texts_of(source):
        yield from text.requests(part)


async def text_requests_async(
    text: StreamedText, source: Union[TextSource, AnyIterable[str]]
) -> AsyncIterator[pb.ReadTextStreamRequest]:
    yield text.first
    async for part in each(_texts_of(source)):
        for request in text.requests(part):
            yield request
