"""Client of a Heed server.

    with Client("127.0.0.1:50051") as client:
        print(client.translate(["Good morning."]))
        for text, sentence, translation in client.stream(["Good morning. How are you?"]):
            print(text, sentence, translation)

The stubs beneath it are written by generate.sh, once. Errors of the server arrive as grpc.RpcError; a full queue
(RESOURCE_EXHAUSTED) is tried again until the deadline.
"""

import random
import time

import grpc

try:
    from heed.v1 import models_pb2, models_pb2_grpc, translation_pb2, translation_pb2_grpc
except ImportError as error:
    raise ImportError(f"{error}; the stubs are written by client/python/generate.sh") from error

EARLY_STOPPING = {
    "heuristic": translation_pb2.EARLY_STOPPING_HEURISTIC,
    "first": translation_pb2.EARLY_STOPPING_FIRST,
    "never": translation_pb2.EARLY_STOPPING_NEVER,
}


def make_options(**options):
    """TranslateOptions from keywords: its fields' names; early_stopping as "heuristic", "first" or "never", sampling as
    a dictionary of Sampling's fields. None leaves a field to the server's default."""
    options = {name: value for name, value in options.items() if value is not None}
    if "early_stopping" in options:
        name = options["early_stopping"]
        if name not in EARLY_STOPPING:
            raise ValueError(f"early_stopping is {name!r}; it can be {', '.join(map(repr, EARLY_STOPPING))}")
        options["early_stopping"] = EARLY_STOPPING[name]
    if "sampling" in options:
        options["sampling"] = translation_pb2.Sampling(**options["sampling"])
    try:
        return translation_pb2.TranslateOptions(**options)
    except ValueError as error:
        raise ValueError(f"translate options: {error}") from None


class Client:
    """One connection; may be used by many threads at once."""

    def __init__(self, server="127.0.0.1:50051", timeout_s=60.0, max_message_bytes=64 << 20):
        sizes = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(server, options=sizes)
        self._translation = translation_pb2_grpc.TranslationStub(self._channel)
        self._models = models_pb2_grpc.ModelsStub(self._channel)
        self._timeout_s = timeout_s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._channel.close()

    def models(self):
        """A ModelInfo for every model directory of the server, also those that failed to load."""
        return list(self._models.List(models_pb2.ListModelsRequest(), timeout=self._timeout_s).models)

    def translate(self, texts, model="", **options):
        """The translation of each text, in order. Options: see make_options."""
        return [translation.text for translation in self.translate_fully(texts, model, **options).translations]

    def translate_fully(self, texts, model="", **options):
        """The server's whole TranslateResponse: scores, n best, and tokens and attention where asked for."""
        request = self._request(texts, model, options)
        deadline, pause_s = time.monotonic() + self._timeout_s, 0.05
        while True:
            try:
                return self._translation.Translate(request, timeout=max(0.001, deadline - time.monotonic()))
            except grpc.RpcError as error:
                full = error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                if not full or time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, 2.0)

    def stream(self, texts, model="", on_delta=None, **options):
        """Yields (text index, sentence index, translation) as sentences are finished, in any order. For what a greedy
        translation grew by, on_delta(text index, sentence index, text) is called."""
        for event in self._translation.TranslateStream(self._request(texts, model, options), timeout=self._timeout_s):
            if event.WhichOneof("event") == "sentence":
                hypotheses = event.sentence.hypotheses
                yield event.text_index, event.sentence_index, hypotheses[0].text if hypotheses else ""
            elif on_delta is not None:
                on_delta(event.text_index, event.sentence_index, event.delta)

    @staticmethod
    def _request(texts, model, options):
        if isinstance(texts, str):
            raise TypeError("texts is a list of texts, not one text")
        return translation_pb2.TranslateRequest(model=model, texts=texts, options=make_options(**options))
