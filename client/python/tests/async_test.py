# SPDX-License-Identifier: Apache-2.0
"""What only the asyncio client has: many calls of one task, cancelled tasks, asynchronous iterables."""

import asyncio
import contextlib
import uuid

import grpc
import karate
import pytest
from conftest import TRANSLATOR
from refusing_service import RefusingService

import heed_client
from heed_client import AsyncClient

ADDRESS = "127.0.0.1:1"


async def test_many_calls_at_once_over_one_connection(server):
    async with AsyncClient(server.address) as client:
        texts = [f"{number} dogs play in the snow." for number in range(40)]
        together = await asyncio.gather(*(client.translate([text], TRANSLATOR) for text in texts))
        assert [one for [one] in together] == await client.translate(texts, TRANSLATOR)


async def cancelled(server, request_id):
    """Once the server says so."""
    pattern = rf" code=CANCELLED .*request_id={request_id}"
    return await asyncio.get_running_loop().run_in_executor(None, server.wait_for_line, pattern, 20)


async def test_a_cancelled_task_cancels_the_call_on_the_server(server):
    async with AsyncClient(server.address) as client:
        request_id = uuid.uuid4().hex
        marked = client.with_options(metadata={"x-request-id": request_id})
        texts = [f"{number} dogs play in the snow." for number in range(2000)]
        task = asyncio.create_task(marked.translate(texts, TRANSLATOR, beam_size=8))
        await until_in_flight(server, "heed.v1.TranslationService/Translate", task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await cancelled(server, request_id)

        request_id = uuid.uuid4().hex
        marked = client.with_options(metadata={"x-request-id": request_id})
        first = asyncio.Event()

        async def read():
            async for _ in marked.generate_stream("Once upon a time", "txl-novels", max_tokens=1900, stop_loops=False):
                first.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(first.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await cancelled(server, request_id)


async def until_in_flight(server, method, task):
    """Until the server has a request of the method, which the task sent."""
    name = ("heed_requests_in_flight", (("method", method),))
    while not (await asyncio.get_running_loop().run_in_executor(None, server.metrics)).get(name):
        assert not task.done(), f"{method} was not seen in flight: {task}"


async def test_a_task_is_cancelled_while_it_waits_to_come_back(serve):
    service = RefusingService()
    service.refusals = [(grpc.StatusCode.UNAVAILABLE, 20_000)]
    async with AsyncClient(serve(service.add_to)) as client:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.translate(["yes"]), 0.5)
        assert service.tries == 1
        assert await client.translate(["yes"]) == ["ja"]


async def test_a_stream_that_is_closed_early_is_cancelled(server):
    async with AsyncClient(server.address) as client:
        request_id = uuid.uuid4().hex
        marked = client.with_options(metadata={"x-request-id": request_id})
        texts = [f"{number} dogs play." for number in range(2000)]
        async with aclosing(marked.stream(texts, TRANSLATOR, beam_size=8)) as stream:
            async for _ in stream:
                break
        assert await cancelled(server, request_id)


@contextlib.asynccontextmanager
async def aclosing(stream):
    """contextlib's, which Python 3.9 does not have."""
    try:
        yield stream
    finally:
        await stream.aclose()


async def test_requests_from_asynchronous_iterables(server):
    async def sentences():
        for sentence in ("Mary went to the garden.", "Where is Mary?"):
            await asyncio.sleep(0)
            yield sentence

    async def pages():
        for page in ("Call me Ishmael. ", "Some years ago."):
            await asyncio.sleep(0)
            yield page

    async def parts():
        await asyncio.sleep(0)
        yield heed_client.make_graph(karate.features(), karate.edges())

    async with AsyncClient(server.address) as client:
        replies = [reply async for reply in client.chat(sentences(), model="ntm-babi")]
        assert replies[1].answer.text == "garden"
        read = [part async for part in client.read_stream(pages(), "txl-novels")]
        assert read[-1].total.words == 6
        assert (await client.put_graph("async-club", parts())).node_count == 34
        await client.delete_graph("async-club")


async def test_sessions_are_opened_by_await_and_by_async_with(server):
    async with AsyncClient(server.address) as client:
        session = await client.text_session("txl-novels")
        await session.read("Once upon a time")
        data = await session.export()
        await session.close()
        async with client.import_text_session(data) as copy:
            assert copy.info.tokens_read == session.info.tokens_read > 0
            grown = copy.generate_stream(max_tokens=5, greedy=True)
            assert "".join([delta async for delta in grown]) == grown.result.text
        with pytest.raises(heed_client.HeedError, match="NOT_FOUND"):
            await copy.read("there")
        async with client.question_session("ntm-babi") as story:
            await client.tell(story, ["Mary went to the garden."])
            assert (await client.ask(story, ["Where is Mary?"]))[0].text == "garden"


async def test_a_closed_client_says_so():
    client = AsyncClient(ADDRESS)
    await client.close()
    with pytest.raises(ValueError, match="the client is closed"):
        await client.models()


async def test_a_conversation_that_is_refused_before_its_first_request_is_written_says_why(serve):
    service = RefusingService()
    service.refusals = [(grpc.StatusCode.UNAVAILABLE, -1)] * 10_000
    async with AsyncClient(serve(service.add_to)) as client:

        async def converse():
            codes = set()
            for _ in range(40):
                with pytest.raises(heed_client.HeedError) as raised:
                    _ = [reply async for reply in client.chat(["Who?"])]
                codes.add((raised.value.code(), raised.value.message))
            return codes

        codes = await asyncio.gather(*(converse() for _ in range(8)))
        assert set().union(*codes) == {(grpc.StatusCode.UNAVAILABLE, "model is loading")}


def test_a_client_of_another_event_loop_says_so(serve):
    client = AsyncClient(serve(RefusingService().add_to))
    assert asyncio.run(client.translate(["yes"])) == ["ja"]
    with pytest.raises(RuntimeError, match="the client belongs to another event loop"):
        asyncio.run(client.translate(["yes"]))


async def test_a_server_that_is_killed_in_the_middle_of_a_stream_is_an_error(start, translator_folder):
    server = start(f"--models={translator_folder}", "--translation_cache_bytes=0")
    async with AsyncClient(server.address) as client:
        seen = 0
        with pytest.raises(heed_client.HeedError) as raised:
            async for _ in client.stream([f"{number} dogs play." for number in range(3000)], TRANSLATOR, beam_size=8):
                seen += 1
                if seen == 1:
                    server.kill()
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        assert seen >= 1
