# SPDX-License-Identifier: Apache-2.0
"""Not run: types_test.py has mypy read it. An ignored error that mypy does not find is itself an error."""

import asyncio
from typing import List, Optional, Tuple

import grpc
from heed.v1 import graphs_pb2, translation_pb2, translation_pb2_grpc

from heed_client import AsyncClient, Client, FieldViolation, HeedError, Score, TextSession, make_graph


def sync(client: Client) -> None:
    texts: List[str] = client.translate(["a"], "m", beam_size=4, sampling={"seed": 1}, source="en")
    client.translate(["a"], beams=4)  # type: ignore[call-arg]
    client.translate(["a"], beam_size="four")  # type: ignore[arg-type]
    client.translate(["a"], sampling={"heat": 1})  # type: ignore[arg-type]
    client.translate(7)  # type: ignore[arg-type]
    wrong: int = client.translate(["a"])  # type: ignore[assignment]
    whole: translation_pb2.TranslateResponse = client.translate_fully(texts)
    text: str = whole.translations[0].text
    for index, sentence, translation in client.stream([text]):
        a: Tuple[int, int, str] = (index, sentence, translation)
    for node, c in client.classify_nodes(make_graph([[1.0]], [[0], [0]]), [0], model="m", top_k=2):
        b: graphs_pb2.GraphClassification = c
    queries = [graphs_pb2.ClassifyGraphsRequest.Query()]
    e: graphs_pb2.ClassifyGraphsResponse = client.classify(graphs_pb2.ClassifyGraphsRequest, queries)
    client.classify(graphs_pb2.ClassifyNodesRequest, queries)  # type: ignore[arg-type]
    scores: List[Score] = client.score(["a", ("b", "c"), [1, 2]], return_tokens=True)
    rank: int = scores[0].token_scores[0].rank
    with client.text_session("m") as session:
        d: TextSession = session
        grown: str = "".join(session.generate_stream(max_tokens=4))
    with client.question_session("m") as story:
        name: str = story.name
    urgent: Client = client.with_options(priority=1)
    try:
        urgent.models()
    except HeedError as error:
        code: grpc.StatusCode = error.code()
        fields: Tuple[FieldViolation, ...] = error.violations
        delay: Optional[float] = error.retry_delay_s


async def aio(client: AsyncClient) -> None:
    texts: List[str] = await client.translate(["a"], beam_size=4)
    client.translate(["a"], beams=4)  # type: ignore[call-arg, unused-coroutine]
    async for index, sentence, translation in client.stream(texts):
        a: Tuple[int, int, str] = (index, sentence, translation)
    for _ in client.stream(texts):  # type: ignore[attr-defined]
        pass
    async with client.text_session("m") as session:
        score: Score = await session.read("a")
    session = await client.text_session("m")
    both: Tuple[List[str], List[Score]] = await asyncio.gather(client.translate(["a"]), client.score(["b"]))


def stubs(channel: grpc.Channel) -> None:
    stub = translation_pb2_grpc.TranslationServiceStub(channel)
    response: translation_pb2.TranslateResponse = stub.Translate(translation_pb2.TranslateRequest(texts=["a"]))
    translation_pb2.TranslateRequest(text="a")  # type: ignore[call-arg]
    wrong: int = response.translations[0].text  # type: ignore[assignment]
