# SPDX-License-Identifier: Apache-2.0
"""A language model's service without a model, which keeps the requests."""

import math

import grpc
from heed.v1 import language_modeling_pb2 as pb
from heed.v1 import language_modeling_pb2_grpc


def score_of(text, begins, options, before=0):
    """A token is a word; its log-probability is minus its number of characters; the first of a text has none."""
    score = pb.TextScore(words=len(text.split()), bytes=len(text.encode()), is_greedy=True)
    end = 0
    for number, word in enumerate(text.split()):
        start = text.index(word, end)
        end = start + len(word)
        token = pb.TokenScore(token="▁" + word, start=before + len(text[:start].encode()), rank=1)
        token.end = token.start + len(word.encode())
        if number > 0 or not begins:
            token.log_probability = -len(word)
            score.log_probability -= len(word)
            score.tokens += 1
            token.top.extend(pb.TokenAlternative(token="▁a", log_probability=-1) for _ in range(options.top_k))
        if options.return_tokens:
            score.token_scores.append(token)
        if word.startswith("x"):
            score.unknown_words.append(word)
            score.unknown_tokens += 1
            score.is_greedy = False
    if score.tokens:
        score.perplexity = math.exp(-score.log_probability / score.tokens)
    return score


class LanguageService(language_modeling_pb2_grpc.LanguageModelingServiceServicer):
    def __init__(self):
        self.requests = []
        self.refusals = 0
        self.sessions = {}

    def add_to(self, server):
        language_modeling_pb2_grpc.add_LanguageModelingServiceServicer_to_server(self, server)

    def last(self, kind):
        return [request for request in self.requests if isinstance(request, kind)][-1]

    def Score(self, request, context):
        self.requests.append(request)
        if self.refusals:
            self.refusals -= 1
            context.set_trailing_metadata([("grpc-retry-pushback-ms", "1")])
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full")
        begins = request.options.begin != pb.ScoreOptions.BEGIN_END_OF_TEXT and not request.session
        scores = [score_of(item.text, begins and not item.context, request.options) for item in request.items]
        return pb.ScoreResponse(scores=scores, model=request.model)

    @staticmethod
    def generate(request):
        texts = []
        for _ in range(request.options.n or 1):
            text = pb.GeneratedText(
                text=" mehr… .end", finish_reason=pb.TEXT_FINISH_REASON_STOP, stop=".", token_count=2
            )
            if request.options.return_tokens:
                text.tokens.add(token="▁mehr", start=1, end=5, log_probability=-1)
                text.tokens.add(token="…", start=5, end=8, log_probability=-2)
            texts.append(text)
        return pb.GenerateResponse(texts=texts, prompt_token_count=3, unknown_words=["xylo"], model=request.model)

    def Generate(self, request, context):
        self.requests.append(request)
        if request.prompt == "bad":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "prompt is bad")
        response = self.generate(request)
        if request.session:
            self.sessions[request.session] += request.commit
            response.session.name, response.session.version = request.session, self.sessions[request.session]
        return response

    def GenerateStream(self, request, context):
        self.requests.append(request)
        for delta in (" mehr…", " .end"):
            yield pb.GenerateStreamResponse(delta=delta)
        yield pb.GenerateStreamResponse(result=self.generate(request))

    def FillIn(self, request, context):
        self.requests.append(request)
        gap = pb.FillInResponse.Gap(
            top=[
                pb.FillInResponse.Filling(text=word, tokens=["▁" + word], log_probability=-1) for word in ("cat", "dog")
            ]
        )
        return pb.FillInResponse(
            texts=[pb.FillInResponse.Text(gaps=[gap], filled_text="A cat.", log_probability=-1) for _ in request.texts]
        )

    def ClassifyTexts(self, request, context):
        self.requests.append(request)
        labels = [pb.ClassifyTextsResponse.Label(label="good", score=0.75)]
        return pb.ClassifyTextsResponse(
            items=[pb.ClassifyTextsResponse.Item(labels=labels, token_count=4) for _ in request.items]
        )

    def TagTexts(self, request, context):
        self.requests.append(request)
        options = pb.ScoreOptions(return_tokens=True)
        texts = []
        for text in request.texts:
            tokens = score_of(text, True, options).token_scores
            words = [pb.TagTextsResponse.Word(word=t.token[1:], start=t.start, end=t.end, label="O") for t in tokens]
            texts.append(pb.TagTextsResponse.Text(words=words))
        return pb.TagTextsResponse(texts=texts)

    def AnswerFromText(self, request, context):
        self.requests.append(request)
        start = len(request.context.split()[0].encode()) + 1
        word = request.context.split()[1]
        answer = pb.AnswerFromTextResponse.Answer(text=word, start=start, end=start + len(word.encode()), score=0.5)
        found = pb.AnswerFromTextResponse.Question(answers=[answer], no_answer_score=0.25, token_count=9)
        none = pb.AnswerFromTextResponse.Question(token_count=9)
        return pb.AnswerFromTextResponse(questions=[none if "nothing" in q else found for q in request.questions])

    def EmbedTexts(self, request, context):
        self.requests.append(request)
        if request.pooling == pb.EmbedTextsRequest.POOLING_TOKENS:
            tokens = [
                pb.EmbedTextsResponse.Token(token="▁é", start=0, end=2),
                pb.EmbedTextsResponse.Token(token="<sep>"),
            ]
            return pb.EmbedTextsResponse(
                texts=[pb.EmbedTextsResponse.Text(width=2, values=[1, 2, 3, 4], tokens=tokens) for _ in request.texts]
            )
        return pb.EmbedTextsResponse(
            texts=[pb.EmbedTextsResponse.Text(width=2, values=[0.5, 2], token_count=3) for _ in request.texts]
        )

    def OpenTextSession(self, request, context):
        self.requests.append(request)
        name = f"t{len(self.sessions) + 1}"
        self.sessions[name] = 1
        return pb.OpenTextSessionResponse(session=pb.TextSession(name=name, model=request.model, version=1))

    def ReadText(self, request, context):
        self.requests.append(request)
        self.sessions[request.session] += 1
        session = pb.TextSession(name=request.session, version=self.sessions[request.session])
        return pb.ReadTextResponse(session=session, score=score_of(request.text, False, request.options))

    def ReadTextStream(self, requests, context):
        first = next(requests)
        self.requests.append(first)
        before, whole = 0, ""
        for request in requests:
            whole += request.text
            score = score_of(request.text, False, first.options, before)
            before = len(whole.encode())
            yield pb.ReadTextStreamResponse(score=score, bytes_read=before, tokens_read=len(whole.split()))
        yield pb.ReadTextStreamResponse(
            total=score_of(whole, True, pb.ScoreOptions()), bytes_read=before, tokens_read=len(whole.split())
        )

    def ForkTextSession(self, request, context):
        return pb.ForkTextSessionResponse(session=self.OpenTextSession(pb.OpenTextSessionRequest(), context).session)

    def ExportTextSession(self, request, context):
        return pb.ExportTextSessionResponse(data=request.session.encode())

    def ImportTextSession(self, request, context):
        return pb.ImportTextSessionResponse(session=pb.TextSession(name=request.data.decode()))

    def CloseTextSession(self, request, context):
        if self.sessions.pop(request.session, None) is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such session")
        return pb.CloseTextSessionResponse()
