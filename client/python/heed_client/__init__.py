# SPDX-License-Identifier: Apache-2.0
"""Clients of a Heed server, synchronous and for asyncio.

    with Client("127.0.0.1:50051") as client:
        print(client.translate(["Good morning."], "translator-en-de"))
        print(client.classify_nodes("cora", [0, 5, 9], model="gat-cora"))
        for text, sentence, translation in client.stream(["Good morning. How are you?"], "translator-en-de"):
            print(text, sentence, translation)
        print(client.answer(["Mary went to the kitchen."], ["Where is Mary?"]))
        print(client.generate("Once upon a time", "txl-novels").text)

    async with AsyncClient("127.0.0.1:50051") as client:
        print(await client.translate(["Good morning."], "translator-en-de"))

`pip install client/python` brings the stubs beneath them; in the tree generate.sh writes these, once. A call that fails
raises HeedError, which is a grpc.RpcError. What the server refuses for now, because its queue is full or its model is
loading, is tried again after the delay that it asks for, until the deadline. While there is no server, what changes nothing
on it is tried again for 30 s.
"""

import importlib.metadata as _metadata

try:
    import heed.v1.translation_pb2  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"{error}; `pip install client/python` in a virtual environment brings the stubs, "
        "client/python/generate.sh writes them"
    ) from error

from heed_client.client import AsyncClient, Client
from heed_client.errors import FieldViolation, HeedError
from heed_client.graphs import make_classify_options, make_features, make_graph
from heed_client.language import AsyncTextSession, AsyncTextStream, TextSession, TextStream
from heed_client.questions import make_answer_options
from heed_client.retry import service_config
from heed_client.texts import (
    Attention,
    Embedding,
    FilledText,
    Filling,
    FoundAnswer,
    FoundAnswers,
    GeneratedText,
    Generation,
    ReadPart,
    Score,
    TaggedWord,
    TextLabels,
    Token,
    make_generate_options,
    make_score_options,
)
from heed_client.translation import make_options, make_translation_fields

try:
    __version__ = _metadata.version("heed-client")
except _metadata.PackageNotFoundError:  # in Heed's tree, not installed
    __version__ = "0"

__all__ = [
    "AsyncClient",
    "AsyncTextSession",
    "AsyncTextStream",
    "Attention",
    "Client",
    "Embedding",
    "FieldViolation",
    "FilledText",
    "Filling",
    "FoundAnswer",
    "FoundAnswers",
    "GeneratedText",
    "Generation",
    "HeedError",
    "ReadPart",
    "Score",
    "TaggedWord",
    "TextLabels",
    "TextSession",
    "TextStream",
    "Token",
    "make_answer_options",
    "make_classify_options",
    "make_features",
    "make_generate_options",
    "make_graph",
    "make_options",
    "make_score_options",
    "make_translation_fields",
    "service_config",
]
