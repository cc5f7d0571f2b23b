# SPDX-License-Identifier: Apache-2.0
"""LanguageModelingService: scores, texts, labels, vectors, and sessions. Results are of the types of heed_client.texts."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    AsyncContextManager,
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Generator,
    Iterable,
    Iterator,
    List,
    Optional,
    Union,
)

from heed.v1 import language_modeling_pb2 as pb

from heed_client.async_transport import AnyIterable, AsyncTransport
from heed_client.calls import Call
from heed_client.language_calls import (
    READ_TEXT_STREAM,
    AnySession,
    FillInText,
    LabelItem,
    ScoreItem,
    TextSource,
    answer_from_text_call,
    classify_texts_call,
    close_text_session_call,
    embed_call,
    export_text_session_call,
    fill_in_call,
    fork_text_session_call,
    generate_call,
    generate_stream_call,
    import_text_session_call,
    open_text_session_call,
    read_text_call,
    score_call,
    streamed_text,
    tag_call,
    text_requests,
    text_requests_async,
)
from heed_client.texts import (
    Embedding,
    FilledText,
    FoundAnswers,
    Generation,
    ReadPart,
    Score,
    TaggedWord,
    TextLabels,
)
from heed_client.transport import Transport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from heed_client.options import GenerateOptions, LabelOptions, ScoreOptions, StreamScoreOptions, TextOptions


class TextStream:
    """An iterator over what a text grew by. Behind its end `result` is the whole Generation. close() cancels it."""

    def __init__(self, events: Generator[Union[str, Generation], None, None]) -> None:
        self._events = events
        self.result: Optional[Generation] = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            event = next(self._events)
            if isinstance(event, str):
                return event
            self.result = event

    def close(self) -> None:
        self._events.close()


class AsyncTextStream:
    """As TextStream, for asyncio."""

    def __init__(self, events: AsyncGenerator[Union[str, Generation], None]) -> None:
        self._events = events
        self.result: Optional[Generation] = None

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while True:
            event = await self._events.__anext__()
            if isinstance(event, str):
                return event
            self.result = event

    async def aclose(self) -> None:
        await self._events.aclose()


class TextSession:
    """A session of a language model: a memory that grows with what it reads. `info` is the TextSession message as it is now.
    As a context manager it closes the session at the end. Several threads may use it if they do not change it."""

    def __init__(self, client: LanguageMethods, info: pb.TextSession) -> None:
        self._client = client
        self.info = info

    @property
    def name(self) -> str:
        return self.info.name

    def __enter__(self) -> TextSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(
        self,
        text: str,
        request_id: Optional[str] = None,
        expected_version: Optional[int] = None,
        **options: Unpack[ScoreOptions],
    ) -> Score:
        """Reads a text into the memory: its Score. A request_id of its own makes a repetition harmless."""
        self.info, score = self._client._run(read_text_call(self.name, text, request_id, expected_version, {**options}))
        return score

    def read_stream(self, source: TextSource, **options: Unpack[StreamScoreOptions]) -> Generator[ReadPart, None, None]:
        """As Client.read_stream, into this session."""
        for part in self._client.read_stream(source, session=self, **options):
            if part.session is not None:
                self.info = part.session
            yield part

    def score(
        self, items: Iterable[ScoreItem], expected_version: Optional[int] = None, **options: Unpack[ScoreOptions]
    ) -> List[Score]:
        """As Client.score, behind what the session has read. It does not change."""
        return self._client.score(items, session=self, expected_version=expected_version, **options)

    def generate(
        self,
        prompt: str = "",
        commit: bool = False,
        request_id: Optional[str] = None,
        expected_version: Optional[int] = None,
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """As Client.generate, behind what the session has read."""
        generation = self._client.generate(
            prompt,
            session=self,
            commit=commit,
            request_id=request_id,
            expected_version=expected_version,
            **options,
        )
        if generation.session is not None:
            self.info = generation.session
        return generation

    def generate_stream(
        self, prompt: str = "", expected_version: Optional[int] = None, **options: Unpack[GenerateOptions]
    ) -> TextStream:
        """As Client.generate_stream, behind what the session has read."""
        return self._client.generate_stream(prompt, session=self, expected_version=expected_version, **options)

    def fork(self, expected_version: Optional[int] = None) -> TextSession:
        """A new TextSession with the same memory."""
        return TextSession(self._client, self._client._run(fork_text_session_call(self.name, expected_version)))

    def export(self, expected_version: Optional[int] = None) -> bytes:
        """The session as bytes, for Client.import_text_session here or elsewhere."""
        return self._client._run(export_text_session_call(self.name, expected_version))

    def close(self) -> None:
        """Ends the session."""
        self._client._run(close_text_session_call(self.name))


class AsyncTextSession:
    """As TextSession, with coroutines."""

    def __init__(self, client: AsyncLanguageMethods, info: pb.TextSession) -> None:
        self._client = client
        self.info = info

    @property
    def name(self) -> str:
        return self.info.name

    async def __aenter__(self) -> AsyncTextSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def read(
        self,
        text: str,
        request_id: Optional[str] = None,
        expected_version: Optional[int] = None,
        **options: Unpack[ScoreOptions],
    ) -> Score:
        """As TextSession.read."""
        self.info, score = await self._client._run(
            read_text_call(self.name, text, request_id, expected_version, {**options})
        )
        return score

    async def read_stream(
        self, source: Union[TextSource, AnyIterable[str]], **options: Unpack[StreamScoreOptions]
    ) -> AsyncGenerator[ReadPart, None]:
        """As TextSession.read_stream."""
        parts = self._client.read_stream(source, session=self, **options)
        try:
            async for part in parts:
                if part.session is not None:
                    self.info = part.session
                yield part
        finally:
            await parts.aclose()

    async def score(
        self, items: Iterable[ScoreItem], expected_version: Optional[int] = None, **options: Unpack[ScoreOptions]
    ) -> List[Score]:
        """As TextSession.score."""
        return await self._client.score(items, session=self, expected_version=expected_version, **options)

    async def generate(
        self,
        prompt: str = "",
        commit: bool = False,
        request_id: Optional[str] = None,
        expected_version: Optional[int] = None,
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """As TextSession.generate."""
        generation = await self._client.generate(
            prompt,
            session=self,
            commit=commit,
            request_id=request_id,
            expected_version=expected_version,
            **options,
        )
        if generation.session is not None:
            self.info = generation.session
        return generation

    def generate_stream(
        self, prompt: str = "", expected_version: Optional[int] = None, **options: Unpack[GenerateOptions]
    ) -> AsyncTextStream:
        """As TextSession.generate_stream."""
        return self._client.generate_stream(prompt, session=self, expected_version=expected_version, **options)

    async def fork(self, expected_version: Optional[int] = None) -> AsyncTextSession:
        """As TextSession.fork."""
        info = await self._client._run(fork_text_session_call(self.name, expected_version))
        return AsyncTextSession(self._client, info)

    async def export(self, expected_version: Optional[int] = None) -> bytes:
        """As TextSession.export."""
        return await self._client._run(export_text_session_call(self.name, expected_version))

    async def close(self) -> None:
        """As TextSession.close."""
        await self._client._run(close_text_session_call(self.name))


class OpeningTextSession(Awaitable[AsyncTextSession], AsyncContextManager[AsyncTextSession]):
    """A session that is opened by `await`, or by `async with`, which closes it at the end."""

    def __init__(self, client: AsyncLanguageMethods, call: Call[pb.TextSession]) -> None:
        self._client = client
        self._call = call
        self._session: Optional[AsyncTextSession] = None

    async def _open(self) -> AsyncTextSession:
        return AsyncTextSession(self._client, await self._client._run(self._call))

    def __await__(self) -> Generator[Any, Any, AsyncTextSession]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncTextSession:
        self._session = await self._open()
        return self._session

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()


class LanguageMethods(Transport):
    """Of Client."""

    def score(
        self,
        items: Iterable[ScoreItem],
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        expected_version: Optional[int] = None,
        **options: Unpack[ScoreOptions],
    ) -> List[Score]:
        """The Score of each text, in order. An item is a text, or (context, text): the context is read before it and not
        scored. A list of ids takes the place of a text. Options: see make_score_options."""
        return self._run(score_call(items, model, model_version, session, expected_version, {**options}))

    def generate(
        self,
        prompt: str = "",
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        commit: bool = False,
        request_id: Optional[str] = None,
        expected_version: Optional[int] = None,
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """Goes on from a prompt, or from what a session has read: a Generation. With commit the session goes on behind the
        prompt and the first text. Options: see make_generate_options."""
        return self._run(
            generate_call(prompt, model, model_version, session, commit, request_id, expected_version, {**options})
        )

    def generate_stream(
        self,
        prompt: str = "",
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        expected_version: Optional[int] = None,
        **options: Unpack[GenerateOptions],
    ) -> TextStream:
        """The same as a TextStream: an iterator over what the text grew by. The session does not change."""
        call = generate_stream_call(prompt, model, model_version, session, expected_version, {**options})
        return TextStream(self._stream(call))

    def fill_in(
        self,
        texts: Iterable[FillInText],
        model: str = "",
        model_version: int = 0,
        candidates: Iterable[str] = (),
        pieces: Optional[int] = None,
        marker: Optional[str] = None,
        context: str = "",
        order: Optional[str] = None,
        top_k: Optional[int] = None,
        return_attention: bool = False,
        **text_options: Unpack[TextOptions],
    ) -> List[FilledText]:
        """A FilledText for each text. A gap is where the text has the marker, "<mask>"; or a text is (text, [(start, end),
        ...]), the gaps by their indices. order is "at-once", "left-to-right" or "most-certain-first"."""
        return self._run(
            fill_in_call(
                texts,
                model,
                model_version,
                candidates,
                pieces,
                marker,
                context,
                order,
                top_k,
                return_attention,
                {**text_options},
            )
        )

    def classify_texts(
        self,
        items: Iterable[LabelItem],
        model: str = "",
        model_version: int = 0,
        top_k: Optional[int] = None,
        function: Optional[str] = None,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[TextLabels]:
        """The TextLabels of each item: a text, a pair (text, second text), or (text, [choice, ...]), where the label is the
        number of the best choice. function is "softmax", "sigmoid" or "none"; overlong "refuse", "truncate" or "windows"."""
        return self._run(
            classify_texts_call(items, model, model_version, top_k, function, overlong, max_tokens, {**options})
        )

    def tag(
        self,
        texts: Iterable[str],
        model: str = "",
        model_version: int = 0,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[List[TaggedWord]]:
        """The TaggedWords of each text."""
        return self._run(tag_call(texts, model, model_version, overlong, max_tokens, {**options}))

    def answer_from_text(
        self,
        context: str,
        questions: Iterable[str],
        model: str = "",
        model_version: int = 0,
        top_k: Optional[int] = None,
        max_answer_tokens: Optional[int] = None,
        allow_no_answer: bool = False,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[FoundAnswers]:
        """The FoundAnswers to each question: stretches of the context."""
        return self._run(
            answer_from_text_call(
                context,
                questions,
                model,
                model_version,
                top_k,
                max_answer_tokens,
                allow_no_answer,
                overlong,
                max_tokens,
                {**options},
            )
        )

    def embed(
        self,
        texts: Iterable[str],
        model: str = "",
        model_version: int = 0,
        pooling: Optional[str] = None,
        layer: Optional[int] = None,
        normalize: bool = False,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[Embedding]:
        """The Embedding of each text. pooling is "mean", "last", "summary" or "tokens"."""
        return self._run(
            embed_call(texts, model, model_version, pooling, layer, normalize, overlong, max_tokens, {**options})
        )

    def text_session(
        self, model: str = "", model_version: int = 0, segment_tokens: Optional[int] = None
    ) -> TextSession:
        """A new TextSession, which has read nothing:
        with client.text_session("wiki") as session: session.read(chapter); session.generate(max_tokens=100)"""
        return TextSession(self, self._run(open_text_session_call(model, model_version, segment_tokens)))

    def import_text_session(self, data: bytes, model: str = "") -> TextSession:
        """A new TextSession from TextSession.export's bytes."""
        return TextSession(self, self._run(import_text_session_call(data, model)))

    def read_stream(
        self,
        source: TextSource,
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        segment_tokens: Optional[int] = None,
        **options: Unpack[StreamScoreOptions],
    ) -> Generator[ReadPart, None, None]:
        """Yields a ReadPart for each part of a text of any length as it is read. `source` is a string, a file that is open
        for reading text, or an iterable of strings. Neither side holds the whole text. With a session it goes on with the
        text; otherwise the memory ends with the call. timeout_s does not limit it. Options: see make_score_options."""
        text = streamed_text(model, model_version, session, segment_tokens, {**options})
        return self._exchange(READ_TEXT_STREAM, text_requests(text, source), text.part)


class AsyncLanguageMethods(AsyncTransport):
    """Of AsyncClient: LanguageMethods as coroutines and asynchronous iterators."""

    async def score(
        self,
        items: Iterable[ScoreItem],
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        expected_version: Optional[int] = None,
        **options: Unpack[ScoreOptions],
    ) -> List[Score]:
        """As Client.score."""
        return await self._run(score_call(items, model, model_version, session, expected_version, {**options}))

    async def generate(
        self,
        prompt: str = "",
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        commit: bool = False,
        request_id: Optional[str] = None,
        expected_version: Optional[int] = None,
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """As Client.generate."""
        return await self._run(
            generate_call(prompt, model, model_version, session, commit, request_id, expected_version, {**options})
        )

    def generate_stream(
        self,
        prompt: str = "",
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        expected_version: Optional[int] = None,
        **options: Unpack[GenerateOptions],
    ) -> AsyncTextStream:
        """As Client.generate_stream."""
        call = generate_stream_call(prompt, model, model_version, session, expected_version, {**options})
        return AsyncTextStream(self._stream(call))

    async def fill_in(
        self,
        texts: Iterable[FillInText],
        model: str = "",
        model_version: int = 0,
        candidates: Iterable[str] = (),
        pieces: Optional[int] = None,
        marker: Optional[str] = None,
        context: str = "",
        order: Optional[str] = None,
        top_k: Optional[int] = None,
        return_attention: bool = False,
        **text_options: Unpack[TextOptions],
    ) -> List[FilledText]:
        """As Client.fill_in."""
        return await self._run(
            fill_in_call(
                texts,
                model,
                model_version,
                candidates,
                pieces,
                marker,
                context,
                order,
                top_k,
                return_attention,
                {**text_options},
            )
        )

    async def classify_texts(
        self,
        items: Iterable[LabelItem],
        model: str = "",
        model_version: int = 0,
        top_k: Optional[int] = None,
        function: Optional[str] = None,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[TextLabels]:
        """As Client.classify_texts."""
        return await self._run(
            classify_texts_call(items, model, model_version, top_k, function, overlong, max_tokens, {**options})
        )

    async def tag(
        self,
        texts: Iterable[str],
        model: str = "",
        model_version: int = 0,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[List[TaggedWord]]:
        """As Client.tag."""
        return await self._run(tag_call(texts, model, model_version, overlong, max_tokens, {**options}))

    async def answer_from_text(
        self,
        context: str,
        questions: Iterable[str],
        model: str = "",
        model_version: int = 0,
        top_k: Optional[int] = None,
        max_answer_tokens: Optional[int] = None,
        allow_no_answer: bool = False,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[FoundAnswers]:
        """As Client.answer_from_text."""
        return await self._run(
            answer_from_text_call(
                context,
                questions,
                model,
                model_version,
                top_k,
                max_answer_tokens,
                allow_no_answer,
                overlong,
                max_tokens,
                {**options},
            )
        )

    async def embed(
        self,
        texts: Iterable[str],
        model: str = "",
        model_version: int = 0,
        pooling: Optional[str] = None,
        layer: Optional[int] = None,
        normalize: bool = False,
        overlong: Optional[str] = None,
        max_tokens: Optional[int] = None,
        **options: Unpack[LabelOptions],
    ) -> List[Embedding]:
        """As Client.embed."""
        return await self._run(
            embed_call(texts, model, model_version, pooling, layer, normalize, overlong, max_tokens, {**options})
        )

    def text_session(
        self, model: str = "", model_version: int = 0, segment_tokens: Optional[int] = None
    ) -> OpeningTextSession:
        """As Client.text_session: `session = await client.text_session("wiki")`, or
        async with client.text_session("wiki") as session: await session.read(chapter)"""
        return OpeningTextSession(self, open_text_session_call(model, model_version, segment_tokens))

    def import_text_session(self, data: bytes, model: str = "") -> OpeningTextSession:
        """As Client.import_text_session; with `await` or `async with`."""
        return OpeningTextSession(self, import_text_session_call(data, model))

    def read_stream(
        self,
        source: Union[TextSource, AnyIterable[str]],
        model: str = "",
        model_version: int = 0,
        session: AnySession = None,
        segment_tokens: Optional[int] = None,
        **options: Unpack[StreamScoreOptions],
    ) -> AsyncGenerator[ReadPart, None]:
        """As Client.read_stream; the text may come from an asynchronous iterable."""
        text = streamed_text(model, model_version, session, segment_tokens, {**options})
        return self._exchange(READ_TEXT_STREAM, text_requests_async(text, source), text.part)
