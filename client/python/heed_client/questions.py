# SPDX-License-Identifier: Apache-2.0
"""QuestionAnsweringService: answers about a story, sessions that remember one, conversations."""

from __future__ import annotations

import contextlib
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncGenerator,
    AsyncIterator,
    Dict,
    Generator,
    Iterable,
    Iterator,
    List,
    Optional,
    Tuple,
    Union,
)

from heed.v1 import questions_pb2 as pb

from heed_client.async_transport import AnyIterable, AsyncTransport, each
from heed_client.calls import Call, Method, Repeat, nothing, options_message, strings
from heed_client.transport import Transport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from heed_client.options import AnswerOptions

Session = Union[str, pb.QuestionSession]  # a name, or the message
Question = Union[str, Tuple[str, int]]  # a text, or (text, number of facts told before it)
Sentence = Union[str, Tuple[str, str]]  # a text, or ("fact" or "question", text)

ANSWER = Method("heed.v1.QuestionAnsweringService/Answer", pb.AnswerRequest, pb.AnswerResponse)
OPEN_SESSION = Method("heed.v1.QuestionAnsweringService/OpenSession", pb.OpenSessionRequest, pb.OpenSessionResponse)
TELL = Method("heed.v1.QuestionAnsweringService/Tell", pb.TellRequest, pb.TellResponse)
ASK = Method("heed.v1.QuestionAnsweringService/Ask", pb.AskRequest, pb.AskResponse)
CHAT = Method("heed.v1.QuestionAnsweringService/Chat", pb.ChatRequest, pb.ChatResponse)
FORK_SESSION = Method("heed.v1.QuestionAnsweringService/ForkSession", pb.ForkSessionRequest, pb.ForkSessionResponse)
EXPORT_SESSION = Method(
    "heed.v1.QuestionAnsweringService/ExportSession", pb.ExportSessionRequest, pb.ExportSessionResponse
)
IMPORT_SESSION = Method(
    "heed.v1.QuestionAnsweringService/ImportSession", pb.ImportSessionRequest, pb.ImportSessionResponse
)
CLOSE_SESSION = Method("heed.v1.QuestionAnsweringService/CloseSession", pb.CloseSessionRequest, pb.CloseSessionResponse)


def make_answer_options(**options: Unpack[AnswerOptions]) -> pb.QuestionAnswerOptions:
    """QuestionAnswerOptions from keywords: its fields' names. None leaves a field to the server's default."""
    return options_message(pb.QuestionAnswerOptions, "answer options", **options)


def _name(session: Session) -> str:
    return session if isinstance(session, str) else session.name


def answer_call(
    facts: Iterable[str], questions: Iterable[Question], model: str, model_version: int, options: Dict[str, Any]
) -> Call[List[pb.QuestionAnswer]]:
    request = pb.AnswerRequest(
        model=model,
        model_version=model_version,
        facts=strings(facts, "facts", "sentences"),
        options=make_answer_options(**options),
    )
    for question in strings(questions, "questions", "sentences"):
        text, after_facts = (question, None) if isinstance(question, str) else question
        request.questions.add(text=text, after_fact_count=after_facts)
    return ANSWER.call(request, lambda response: list(response.answers))


def open_call(model: str, model_version: int) -> Call[pb.QuestionSession]:
    request = pb.OpenSessionRequest(model=model, model_version=model_version)
    return OPEN_SESSION.call(request, lambda response: response.session)


def tell_call(
    session: Session, facts: Iterable[str], request_id: str, expected_version: Optional[int]
) -> Call[pb.TellResponse]:
    request = pb.TellRequest(
        session=_name(session),
        facts=strings(facts, "facts", "sentences"),
        request_id=request_id,
        expected_version=expected_version,
    )
    return TELL.call(request, lambda response: response, Repeat.ALWAYS if request_id else Repeat.IF_REFUSED)


def ask_call(
    session: Session,
    questions: Iterable[str],
    commit: bool,
    request_id: str,
    expected_version: Optional[int],
    options: Dict[str, Any],
) -> Call[List[pb.QuestionAnswer]]:
    request = pb.AskRequest(
        session=_name(session),
        questions=strings(questions, "questions", "sentences"),
        options=make_answer_options(**options),
        commit=commit,
        request_id=request_id,
        expected_version=expected_version,
    )
    repeat = Repeat.ALWAYS if request_id or not commit else Repeat.IF_REFUSED
    return ASK.call(request, lambda response: list(response.answers), repeat)


def fork_call(session: Session, expected_version: Optional[int]) -> Call[pb.QuestionSession]:
    request = pb.ForkSessionRequest(session=_name(session), expected_version=expected_version)
    return FORK_SESSION.call(request, lambda response: response.session)


def export_call(session: Session, expected_version: Optional[int]) -> Call[bytes]:
    request = pb.ExportSessionRequest(session=_name(session), expected_version=expected_version)
    return EXPORT_SESSION.call(request, lambda response: response.data)


def import_call(data: bytes, model: str) -> Call[pb.QuestionSession]:
    return IMPORT_SESSION.call(pb.ImportSessionRequest(data=data, model=model), lambda response: response.session)


def close_call(session: Session) -> Call[None]:
    return CLOSE_SESSION.call(pb.CloseSessionRequest(session=_name(session)), nothing)


def chat_call(session: Optional[Session], model: str, model_version: int) -> Call[None]:
    """A conversation's first request."""
    if session is None:
        opening = pb.OpenSessionRequest(model=model, model_version=model_version)
        return CHAT.call(pb.ChatRequest(open_session=opening), nothing)
    return CHAT.call(pb.ChatRequest(session=_name(session)), nothing)


def chat_request(sentence: Sentence, options: pb.QuestionAnswerOptions) -> pb.ChatRequest:
    if isinstance(sentence, str):
        kind, text = "question" if sentence.rstrip().endswith("?") else "fact", sentence
    else:
        kind, text = sentence
    if kind == "question":
        return pb.ChatRequest(question=text, options=options)
    if kind == "fact":
        return pb.ChatRequest(fact=text, options=options)
    raise ValueError(f"a sentence is a {kind!r}; it can be 'fact' or 'question'")


class QuestionMethods(Transport):
    """Of Client."""

    def answer(
        self,
        facts: Iterable[str],
        questions: Iterable[Question],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[AnswerOptions],
    ) -> List[pb.QuestionAnswer]:
        """The QuestionAnswer to each question about a story, in order. A question is a text, asked when all facts are told,
        or (text, number of facts told before it). Options: see make_answer_options."""
        return self._run(answer_call(facts, questions, model, model_version, {**options}))

    def open(self, model: str = "", model_version: int = 0) -> pb.QuestionSession:
        """A new QuestionSession. Where a session is asked for below, it may be such a message or its name."""
        return self._run(open_call(model, model_version))

    @contextlib.contextmanager
    def question_session(self, model: str = "", model_version: int = 0) -> Iterator[pb.QuestionSession]:
        """A new QuestionSession that is closed at the end:
        with client.question_session("ntm-babi") as session: client.tell(session, facts)"""
        session = self.open(model, model_version)
        try:
            yield session
        finally:
            self.close_session(session)

    def tell(
        self, session: Session, facts: Iterable[str], request_id: str = "", expected_version: Optional[int] = None
    ) -> pb.TellResponse:
        """Tells facts, all or none: a TellResponse, with the changed QuestionSession and the unknown words."""
        return self._run(tell_call(session, facts, request_id, expected_version))

    def ask(
        self,
        session: Session,
        questions: Iterable[str],
        commit: bool = False,
        request_id: str = "",
        expected_version: Optional[int] = None,
        **options: Unpack[AnswerOptions],
    ) -> List[pb.QuestionAnswer]:
        """The QuestionAnswer to each question, in order. Options: see make_answer_options."""
        return self._run(ask_call(session, questions, commit, request_id, expected_version, {**options}))

    def fork(self, session: Session, expected_version: Optional[int] = None) -> pb.QuestionSession:
        """A new QuestionSession with the same memory."""
        return self._run(fork_call(session, expected_version))

    def export_session(self, session: Session, expected_version: Optional[int] = None) -> bytes:
        """The session as bytes, for import_session here or elsewhere."""
        return self._run(export_call(session, expected_version))

    def import_session(self, data: bytes, model: str = "") -> pb.QuestionSession:
        """A new QuestionSession from export_session's bytes."""
        return self._run(import_call(data, model))

    def close_session(self, session: Session) -> None:
        """Ends a session."""
        self._run(close_call(session))

    def chat(
        self,
        sentences: Iterable[Sentence],
        session: Optional[Session] = None,
        model: str = "",
        model_version: int = 0,
        **options: Unpack[AnswerOptions],
    ) -> Generator[pb.ChatResponse, None, None]:
        """Yields a ChatResponse for each sentence of an iterable as it comes: its answer, told or refusal, and the session
        as it is then. A sentence is a text, a question if it ends with "?", or a pair ("fact" or "question", text).
        Without `session` a new one is opened, which close_session ends. Options: see make_answer_options."""
        message = make_answer_options(**options)
        if isinstance(sentences, str):
            raise TypeError("sentences is a list of sentences, not one sentence")
        conversation = self._converse(chat_call(session, model, model_version))
        try:
            for sentence in sentences:
                conversation.send(chat_request(sentence, message))
                yield conversation.receive()
            conversation.finish()
        finally:
            conversation.cancel()


class AsyncQuestionMethods(AsyncTransport):
    """Of AsyncClient: QuestionMethods as coroutines and asynchronous iterators."""

    async def answer(
        self,
        facts: Iterable[str],
        questions: Iterable[Question],
        model: str = "",
        model_version: int = 0,
        **options: Unpack[AnswerOptions],
    ) -> List[pb.QuestionAnswer]:
        """As Client.answer."""
        return await self._run(answer_call(facts, questions, model, model_version, {**options}))

    async def open(self, model: str = "", model_version: int = 0) -> pb.QuestionSession:
        """As Client.open."""
        return await self._run(open_call(model, model_version))

    @contextlib.asynccontextmanager
    async def question_session(self, model: str = "", model_version: int = 0) -> AsyncIterator[pb.QuestionSession]:
        """As Client.question_session."""
        session = await self.open(model, model_version)
        try:
            yield session
        finally:
            await self.close_session(session)

    async def tell(
        self, session: Session, facts: Iterable[str], request_id: str = "", expected_version: Optional[int] = None
    ) -> pb.TellResponse:
        """As Client.tell."""
        return await self._run(tell_call(session, facts, request_id, expected_version))

    async def ask(
        self,
        session: Session,
        questions: Iterable[str],
        commit: bool = False,
        request_id: str = "",
        expected_version: Optional[int] = None,
        **options: Unpack[AnswerOptions],
    ) -> List[pb.QuestionAnswer]:
        """As Client.ask."""
        return await self._run(ask_call(session, questions, commit, request_id, expected_version, {**options}))

    async def fork(self, session: Session, expected_version: Optional[int] = None) -> pb.QuestionSession:
        """As Client.fork."""
        return await self._run(fork_call(session, expected_version))

    async def export_session(self, session: Session, expected_version: Optional[int] = None) -> bytes:
        """As Client.export_session."""
        return await self._run(export_call(session, expected_version))

    async def import_session(self, data: bytes, model: str = "") -> pb.QuestionSession:
        """As Client.import_session."""
        return await self._run(import_call(data, model))

    async def close_session(self, session: Session) -> None:
        """As Client.close_session."""
        await self._run(close_call(session))

    async def chat(
        self,
        sentences: AnyIterable[Sentence],
        session: Optional[Session] = None,
        model: str = "",
        model_version: int = 0,
        **options: Unpack[AnswerOptions],
    ) -> AsyncGenerator[pb.ChatResponse, None]:
        """As Client.chat; the sentences may come from an asynchronous iterable."""
        message = make_answer_options(**options)
        if isinstance(sentences, str):
            raise TypeError("sentences is a list of sentences, not one sentence")
        conversation = await self._converse(chat_call(session, model, model_version))
        try:
            async for sentence in each(sentences):
                await conversation.send(chat_request(sentence, message))
                yield await conversation.receive()
            await conversation.finish()
        finally:
            conversation.cancel()
