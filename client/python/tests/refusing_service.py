# SPDX-License-Identifier: Apache-2.0
"""A service that refuses before it answers, for what a real server does rarely."""

import threading

import grpc
from heed.v1 import (
    models_pb2,
    models_pb2_grpc,
    questions_pb2,
    questions_pb2_grpc,
    translation_pb2,
    translation_pb2_grpc,
)


class RefusingService(
    translation_pb2_grpc.TranslationServiceServicer,
    questions_pb2_grpc.QuestionAnsweringServiceServicer,
    models_pb2_grpc.ModelServiceServicer,
):
    """Refuses as often as `refusals` says, each a code and the trailing metadata, then answers."""

    def __init__(self):
        self.refusals = []
        self.tries = 0
        self.metadata = {}
        self.hold = threading.Event()  # Translate and Chat of "hold" wait for it

    def add_to(self, server):
        translation_pb2_grpc.add_TranslationServiceServicer_to_server(self, server)
        questions_pb2_grpc.add_QuestionAnsweringServiceServicer_to_server(self, server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(self, server)

    def _arrive(self, context):
        self.tries += 1
        self.metadata = dict(context.invocation_metadata())
        if self.refusals:
            code, delay_ms = self.refusals.pop(0)
            if delay_ms is not None:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", str(delay_ms)),))
            context.abort(code, "model is loading")

    def Translate(self, request, context):
        self._arrive(context)
        if request.texts[:1] == ["hold"]:
            self.hold.wait()
        return translation_pb2.TranslateResponse(translations=[translation_pb2.TranslatedText(text="ja")])

    def TranslateStream(self, request, context):
        self._arrive(context)
        for _ in range(2):
            sentence = translation_pb2.TranslatedSentence(hypotheses=[translation_pb2.TranslationHypothesis(text="ja")])
            yield translation_pb2.TranslateStreamResponse(sentence=sentence)
        if request.texts[0] == "break":
            context.set_trailing_metadata((("grpc-retry-pushback-ms", "1"),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "shutting down")

    def ListLanguages(self, request, context):
        self._arrive(context)
        return translation_pb2.ListLanguagesResponse()

    def ListModels(self, request, context):
        """Two pages of one model."""
        self._arrive(context)
        if request.page_token:
            return models_pb2.ListModelsResponse(models=[models_pb2.ModelInfo(name="b")])
        return models_pb2.ListModelsResponse(models=[models_pb2.ModelInfo(name="a")], next_page_token="next")

    def OpenSession(self, request, context):
        self._arrive(context)
        return questions_pb2.OpenSessionResponse(session=questions_pb2.QuestionSession(name="s1"))

    def Tell(self, request, context):
        self._arrive(context)
        return questions_pb2.TellResponse()

    def Chat(self, requests, context):
        self._arrive(context)
        for request in requests:
            if request.fact == "end":
                return
            if request.fact == "hold":
                self.hold.wait()
            yield questions_pb2.ChatResponse(session=questions_pb2.QuestionSession(name="s1"))
