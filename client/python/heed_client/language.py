# SPDX-License-Identifier: Apache-2.0
"""What a client asks language models: scores, texts, labels, vectors, and sessions. Client has these methods. Results are of
the types of heed_client.texts."""

import collections
import threading
import uuid

from heed.v1 import language_modeling_pb2 as pb

from heed_client.texts import (
    Embedding,
    FilledText,
    Filling,
    FoundAnswer,
    FoundAnswers,
    Indices,
    ReadPart,
    SameOffsets,
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

PIECE_CHARACTERS = 1 << 13  # of a text that is read as a stream: 32 KiB at most, so that a slow model answers often


def _texts(values, name="texts"):
    if isinstance(values, str):
        raise TypeError(f"{name} is a list of texts, not one text")
    return list(values)


def _name(session):
    """Of a TextSession of this module, the message, or a name as it is."""
    if session is None:
        return ""
    return session if isinstance(session, str) else session.name


def _score_item(value):
    """A text, (context, text), ids, or (context, ids)."""
    context, content = value if isinstance(value, tuple) else ("", value)
    if isinstance(content, str):
        return pb.ScoreRequest.Item(context=context, text=content), Indices(content)
    ids = pb.ScoreRequest.Tokens(ids=[int(token) for token in content])
    return pb.ScoreRequest.Item(context=context, tokens=ids), SameOffsets


class TextStream:
    """An iterator over what a text grew by. Behind its end `result` is the whole Generation."""

    def __init__(self, events):
        self._events = events
        self.result = None

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            event = next(self._events)
            if event.HasField("result"):
                self.result = generation_of(event.result)
            else:
                return event.delta


class TextSession:
    """A session of a language model: a memory that grows with what it reads. `info` is the TextSession message as it is now.
    As a context manager it closes the session at the end. Several threads may use it if they do not change it."""

    def __init__(self, client, info):
        self._client = client
        self.info = info

    @property
    def name(self):
        return self.info.name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self, text, request_id=None, expected_version=None, **options):
        """Reads a text into the memory: its Score. A request_id of its own makes a repetition harmless."""
        request = pb.ReadTextRequest(
            session=self.name,
            text=text,
            options=make_score_options(**options),
            request_id=uuid.uuid4().hex if request_id is None else request_id,
            expected_version=expected_version,
        )
        response = self._client._call(self._client._texts.ReadText, request, "always")
        self.info = response.session
        return score_of(response.score, Indices(text))

    def read_stream(self, source, **options):
        """As Client.read_stream, into this session."""
        for part in self._client.read_stream(source, session=self, **options):
            if part.session is not None:
                self.info = part.session
            yield part

    def score(self, items, **options):
        """As Client.score, behind what the session has read. It does not change."""
        return self._client.score(items, session=self, **options)

    def generate(self, prompt="", commit=False, **options):
        """As Client.generate, behind what the session has read."""
        generation = self._client.generate(prompt, session=self, commit=commit, **options)
        if generation.session is not None:
            self.info = generation.session
        return generation

    def generate_stream(self, prompt="", **options):
        return self._client.generate_stream(prompt, session=self, **options)

    def fork(self, expected_version=None):
        """A new TextSession with the same memory."""
        request = pb.ForkTextSessionRequest(session=self.name, expected_version=expected_version)
        return TextSession(self._client, self._client._call(self._client._texts.ForkTextSession, request).session)

    def export(self, expected_version=None):
        """The session as bytes, for Client.import_text_session here or elsewhere."""
        request = pb.ExportTextSessionRequest(session=self.name, expected_version=expected_version)
        return self._client._call(self._client._texts.ExportTextSession, request, "always").data

    def close(self):
        self._client._call(self._client._texts.CloseTextSession, pb.CloseTextSessionRequest(session=self.name))


class _StreamedText:
    """What was sent of a stream and not yet answered, for offsets that count from its beginning."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pieces = collections.deque()
        self._bytes = 0  # before the pieces
        self._characters = 0

    def add(self, piece):
        with self._lock:
            self._pieces.append(piece)

    def indices(self):
        with self._lock:
            text = "".join(self._pieces)
            before, characters = self._bytes, self._characters
        inner = Indices(text)

        class Shifted:
            start = staticmethod(lambda offset: inner.start(offset - before) + characters)
            end = staticmethod(lambda offset: inner.end(offset - before) + characters)

        return Shifted

    def forget(self, bytes_read):
        """What was read."""
        with self._lock:
            while self._pieces and self._bytes + len(self._pieces[0].encode("utf-8")) <= bytes_read:
                piece = self._pieces.popleft()
                self._bytes += len(piece.encode("utf-8"))
                self._characters += len(piece)


def _pieces(source):
    """Pieces of a text, none empty: of a string, of a file that is open for reading text, or of an iterable of strings."""
    if isinstance(source, str):
        source = [source]
    elif hasattr(source, "read"):
        source = iter(lambda file=source: file.read(PIECE_CHARACTERS), "")
    for text in source:
        if not isinstance(text, str):
            raise TypeError(f"a piece of the text is {type(text).__name__}, not str; open files as text")
        for begin in range(0, len(text), PIECE_CHARACTERS):
            yield text[begin : begin + PIECE_CHARACTERS]


class LanguageMethods:
    """Of Client, which has _call, _stream, _texts (the stub), _timeout_s and _metadata."""

    def score(self, items, model="", model_version=0, session=None, expected_version=None, **options):
        """The Score of each text, in order. An item is a text, or (context, text): the context is read before it and not
        scored. A list of ids takes the place of a text. Options: see make_score_options."""
        pairs = [_score_item(item) for item in _texts(items, "items")]
        if not pairs:
            return []
        request = pb.ScoreRequest(
            model=model,
            model_version=model_version,
            items=[item for item, _ in pairs],
            session=_name(session),
            expected_version=expected_version,
            options=make_score_options(**options),
        )
        response = self._call(self._texts.Score, request, "always")
        return [score_of(score, indices) for score, (_, indices) in zip(response.scores, pairs)]

    def generate(
        self,
        prompt="",
        model="",
        model_version=0,
        session=None,
        commit=False,
        request_id=None,
        expected_version=None,
        **options,
    ):
        """Goes on from a prompt, or from what a session has read: a Generation. With commit the session goes on behind the
        prompt and the first text. Options: see make_generate_options."""
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
        repeat = "always" if request_id or not commit else "if refused"
        return generation_of(self._call(self._texts.Generate, request, repeat))

    def generate_stream(self, prompt="", model="", model_version=0, session=None, expected_version=None, **options):
        """The same as a TextStream: an iterator over what the text grew by. The session does not change."""
        request = pb.GenerateStreamRequest(
            model=model,
            model_version=model_version,
            prompt=prompt,
            session=_name(session),
            expected_version=expected_version,
            options=make_generate_options(**options),
        )
        return TextStream(self._stream(self._texts.GenerateStream, request))

    def fill_in(
        self,
        texts,
        model="",
        model_version=0,
        candidates=(),
        pieces=None,
        marker=None,
        context="",
        order=None,
        top_k=None,
        return_attention=False,
        **text_options,
    ):
        """A FilledText for each text. A gap is where the text has the marker, "<mask>"; or a text is (text, [(start, end),
        ...]), the gaps by their indices. order is "at-once", "left-to-right" or "most-certain-first"."""
        text_options, rest = split_text_options(text_options)
        request = make_message(
            pb.FillInRequest,
            "fill_in",
            model=model,
            model_version=model_version,
            marker=marker,
            context=context,
            order=None if order is None else enum_number(pb.FillInRequest, "Order", order, "order"),
            top_k=top_k,
            text_options=text_options,
            return_attention=return_attention,
            **rest,
        )
        for value in _texts(texts):
            text, gaps = (value, ()) if isinstance(value, str) else value
            indices = Indices(text)
            if gaps:
                spans = [(indices.offset(start), indices.offset(end)) for start, end in gaps]
                made = [pb.FillInRequest.Gap(start=s, end=e, candidates=candidates, pieces=pieces) for s, e in spans]
                request.texts.add(text=text, gaps=made)
            else:
                request.texts.add(text=text, candidates=candidates, pieces=pieces)
        if not request.texts:
            return []
        filled = []
        for text in self._call(self._texts.FillIn, request, "always").texts:
            gaps = [[Filling(one.text, list(one.tokens), one.log_probability) for one in gap.top] for gap in text.gaps]
            filled.append(FilledText(text.filled_text, text.log_probability, gaps, attention_of(text.attention)))
        return filled

    def classify_texts(
        self, items, model="", model_version=0, top_k=None, function=None, overlong=None, max_tokens=None, **options
    ):
        """The TextLabels of each item: a text, a pair (text, second text), or (text, [choice, ...]), where the label is the
        number of the best choice. function is "softmax", "sigmoid" or "none"; overlong "refuse", "truncate" or "windows"."""
        text_options, rest = split_text_options(options)
        request = make_message(
            pb.ClassifyTextsRequest,
            "classify_texts",
            model=model,
            model_version=model_version,
            top_k=top_k,
            function=None if function is None else enum_number(pb.ClassifyTextsRequest, "Function", function, "function"),
            overlong=None if overlong is None else overlong_number(overlong),
            max_tokens=max_tokens,
            text_options=text_options,
            **rest,
        )
        for item in _texts(items, "items"):
            text, second = (item, "") if isinstance(item, str) else item
            if isinstance(second, str):
                request.items.add(text=text, pair=second)
            else:
                request.items.add(text=text, choices=second)
        if not request.items:
            return []
        return [
            TextLabels(
                [(label.label, label.score) for label in item.labels],
                item.token_count,
                item.truncated,
                attention_of(item.attention),
            )
            for item in self._call(self._texts.ClassifyTexts, request, "always").items
        ]

    def tag(self, texts, model="", model_version=0, overlong=None, max_tokens=None, **options):
        """The TaggedWords of each text."""
        texts = _texts(texts)
        if not texts:
            return []
        text_options, rest = split_text_options(options)
        request = make_message(
            pb.TagTextsRequest,
            "tag",
            model=model,
            model_version=model_version,
            texts=texts,
            overlong=None if overlong is None else overlong_number(overlong),
            max_tokens=max_tokens,
            text_options=text_options,
            **rest,
        )
        tagged = []
        for text, answer in zip(texts, self._call(self._texts.TagTexts, request, "always").texts):
            at = Indices(text)
            tagged.append(
                [TaggedWord(w.word, at.start(w.start), at.end(w.end), w.label, w.score) for w in answer.words]
            )
        return tagged

    def answer_from_text(
        self,
        context,
        questions,
        model="",
        model_version=0,
        top_k=None,
        max_answer_tokens=None,
        allow_no_answer=False,
        overlong=None,
        max_tokens=None,
        **options,
    ):
        """The FoundAnswers to each question: stretches of the context."""
        questions = _texts(questions, "questions")
        if not questions:
            return []
        text_options, rest = split_text_options(options)
        request = make_message(
            pb.AnswerFromTextRequest,
            "answer_from_text",
            model=model,
            model_version=model_version,
            context=context,
            questions=questions,
            top_k=top_k,
            max_answer_tokens=max_answer_tokens,
            allow_no_answer=allow_no_answer,
            overlong=None if overlong is None else overlong_number(overlong),
            max_tokens=max_tokens,
            text_options=text_options,
            **rest,
        )
        at = Indices(context)
        return [
            FoundAnswers(
                [FoundAnswer(one.text, at.start(one.start), at.end(one.end), one.score) for one in question.answers],
                question.no_answer_score if question.HasField("no_answer_score") else None,
                question.token_count,
                attention_of(question.attention),
            )
            for question in self._call(self._texts.AnswerFromText, request, "always").questions
        ]

    def embed(
        self,
        texts,
        model="",
        model_version=0,
        pooling=None,
        layer=None,
        normalize=False,
        overlong=None,
        max_tokens=None,
        **options,
    ):
        """The Embedding of each text. pooling is "mean", "last", "summary" or "tokens"."""
        texts = _texts(texts)
        if not texts:
            return []
        text_options, rest = split_text_options(options)
        request = make_message(
            pb.EmbedTextsRequest,
            "embed",
            model=model,
            model_version=model_version,
            texts=texts,
            pooling=None if pooling is None else enum_number(pb.EmbedTextsRequest, "Pooling", pooling, "pooling"),
            layer=layer,
            normalize=normalize,
            overlong=None if overlong is None else overlong_number(overlong),
            max_tokens=max_tokens,
            text_options=text_options,
            **rest,
        )
        embeddings = []
        for text, answer in zip(texts, self._call(self._texts.EmbedTexts, request, "always").texts):
            values, width = list(answer.values), answer.width
            vectors = [values[i : i + width] for i in range(0, len(values), width)] if width else []
            at = Indices(text)
            tokens = [
                (token.token, at.start(token.start), at.end(token.end), vector)
                for token, vector in zip(answer.tokens, vectors)
            ]
            vector = [] if tokens or not vectors else vectors[0]
            attention = attention_of(answer.attention)
            embeddings.append(Embedding(vector, answer.token_count, answer.truncated, tokens, attention))
        return embeddings

    def text_session(self, model="", model_version=0, segment_tokens=None):
        """A new TextSession, which has read nothing:
        with client.text_session("wiki") as session: session.read(chapter); session.generate(max_tokens=100)"""
        request = pb.OpenTextSessionRequest(model=model, model_version=model_version, segment_tokens=segment_tokens)
        return TextSession(self, self._call(self._texts.OpenTextSession, request).session)

    def import_text_session(self, data, model=""):
        """A new TextSession from TextSession.export's bytes."""
        request = pb.ImportTextSessionRequest(data=data, model=model)
        return TextSession(self, self._call(self._texts.ImportTextSession, request).session)

    def read_stream(self, source, model="", model_version=0, session=None, segment_tokens=None, **options):
        """Yields a ReadPart for each part of a text of any length as it is read. `source` is a string, a file that is open for
        reading text, or an iterable of strings. Neither side holds the whole text. With a session it goes on with the
        text; otherwise the memory ends with the call. timeout_s does not limit it. Options: see make_score_options."""
        first = pb.ReadTextStreamRequest(options=make_score_options(**options))
        if session is None:
            first.open.CopyFrom(
                pb.OpenTextSessionRequest(model=model, model_version=model_version, segment_tokens=segment_tokens)
            )
        else:
            first.session = _name(session)
        sent = _StreamedText()
        failure = []

        def requests():
            yield first
            try:
                for piece in _pieces(source):
                    sent.add(piece)
                    yield pb.ReadTextStreamRequest(text=piece)
            except Exception as error:  # of the caller's iterable; gRPC would hide it
                failure.append(error)
                stream.cancel()

        stream = self._texts.ReadTextStream(requests(), metadata=self._metadata)
        try:
            for response in stream:
                has_tokens = response.HasField("score") and len(response.score.token_scores) > 0
                indices = sent.indices() if has_tokens else SameOffsets
                yield ReadPart(
                    score_of(response.score, indices) if response.HasField("score") else None,
                    score_of(response.total, SameOffsets) if response.HasField("total") else None,
                    response.bytes_read,
                    response.tokens_read,
                    response.session if response.HasField("session") else None,
                )
                sent.forget(response.bytes_read)
        except Exception:
            if failure:
                raise failure[0] from None
            raise
        finally:
            stream.cancel()
        if failure:
            raise failure[0]
