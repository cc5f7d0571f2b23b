# SPDX-License-Identifier: Apache-2.0
"""Which failed calls both clients repeat, and when: against a service that refuses, and a heed-server that is full, killed
and started again."""

import concurrent.futures
import json
import re
import threading

import grpc
import pytest
from conftest import TRANSLATOR, TREE
from heed.v1 import questions_pb2, questions_pb2_grpc, translation_pb2, translation_pb2_grpc
from refusing_service import RefusingService

import heed_client
from heed_client.calls import Repeat
from heed_client.retry import UNAVAILABLE_FOR_S, Backoff, RetryPolicy, default_policy

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture
def service():
    return RefusingService()


@pytest.fixture
def address(service, serve):
    return serve(service.add_to)


@pytest.fixture
def client(make_client, address):
    return make_client(address, timeout_s=30)


def refused(service, call, *refusals):
    """The code that comes to the caller, and the number of tries."""
    service.refusals = list(refusals)
    service.tries = 0
    with pytest.raises(heed_client.HeedError) as raised:
        call()
    assert isinstance(raised.value, grpc.RpcError)
    return raised.value.code(), service.tries


def test_a_delay_is_waited_for_whatever_the_code(client, service):
    for code in (UNAVAILABLE, EXHAUSTED):
        service.tries = 0
        service.refusals = [(code, 1), (code, 0)]
        assert client.translate(["yes"]) == ["ja"]
        assert service.tries == 3


def test_a_full_queue_is_waited_for_longer_than_grpc_s_own_retries_would(client, service):
    service.refusals = [(EXHAUSTED, 1)] * 6
    assert client.translate(["yes"]) == ["ja"]
    assert service.tries == 7


def test_sessions_streams_and_conversations_wait_too(client, service):
    service.refusals = [(UNAVAILABLE, 1)]
    assert client.open().name == "s1"
    service.refusals = [(UNAVAILABLE, 1)]
    assert len(list(client.stream(["yes"]))) == 2
    service.refusals = [(UNAVAILABLE, 1)]
    assert [reply.session.name for reply in client.chat(["Who?"])] == ["s1"]
    service.refusals = [(UNAVAILABLE, 1)]
    assert [model.name for model in client.models()] == ["a", "b"]


def test_a_stream_is_not_begun_again_once_it_has_answered(client, service):
    sentences = []
    with pytest.raises(heed_client.HeedError):
        for one in client.stream(["break"]):
            sentences.append(one)
    assert (len(sentences), service.tries) == (2, 1)


def test_a_conversation_that_the_server_ends_is_an_error(client):
    replies = []
    with pytest.raises(heed_client.HeedError, match="the server ended the conversation"):
        for reply in client.chat(["one", "end", "two"]):
            replies.append(reply)
    assert len(replies) == 1


def test_a_delay_below_zero_and_what_never_fits_are_errors_at_once(client, service):
    for code, delay in ((EXHAUSTED, None), (EXHAUSTED, -1), (UNAVAILABLE, -1), (UNAVAILABLE, "soon")):
        assert refused(service, lambda: client.translate(["yes"]), (code, delay)) == (code, 1)


def test_other_errors_are_final(client, service):
    code = grpc.StatusCode.INVALID_ARGUMENT
    assert refused(service, lambda: client.translate(["yes"]), (code, 1)) == (code, 1)


def test_without_a_delay_only_what_changes_nothing_is_tried_again(client, service):
    for call in (lambda: client.translate(["yes"]), lambda: list(client.stream(["yes"])), client.languages):
        service.refusals = [(UNAVAILABLE, None)] * 2
        call()
        assert not service.refusals
    assert refused(service, client.open, (UNAVAILABLE, None)) == (UNAVAILABLE, 1)
    assert refused(service, client.models, (UNAVAILABLE, None)) == (UNAVAILABLE, 1)
    # It may be asked again where it refuses before the first request is written: grpc.aio does not know why then.
    assert refused(service, lambda: list(client.chat(["a"])), *[(UNAVAILABLE, None)] * 30)[0] == UNAVAILABLE
    assert refused(service, lambda: client.tell("s1", ["a"]), (UNAVAILABLE, None)) == (UNAVAILABLE, 1)
    service.refusals = [(UNAVAILABLE, None)]
    client.tell("s1", ["a"], request_id="7")  # which the server knows again
    assert not service.refusals


def test_a_delay_beyond_the_timeout_is_not_begun(client, service):
    assert refused(service, lambda: client.translate(["yes"]), (UNAVAILABLE, 40_000)) == (UNAVAILABLE, 1)
    short = client.with_options(timeout_s=0.5)
    code, tries = refused(service, lambda: short.translate(["yes"]), *[(UNAVAILABLE, 20)] * 1000)
    assert code == UNAVAILABLE
    assert tries < 1000


def test_a_deadline_ends_the_call(client, service):
    with pytest.raises(heed_client.HeedError) as raised:
        client.with_options(timeout_s=0.2).translate(["hold"])
    service.hold.set()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    for timeout_s in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="timeout_s is .*, but must be above 0"):
            client.with_options(timeout_s=timeout_s)


def test_a_deadline_ends_a_conversation(client, service):
    replies = []
    with pytest.raises(heed_client.HeedError) as raised:
        for reply in client.with_options(timeout_s=1).chat(["one", "hold", "two"]):
            replies.append(reply)
    service.hold.set()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(replies) == 1


def test_priority_and_metadata_travel_with_each_call(client, service):
    urgent = client.with_options(priority=1, metadata={"x-request-id": "7"})
    for call in (
        lambda: urgent.translate(["yes"]),
        lambda: list(urgent.stream(["yes"])),
        urgent.open,
        lambda: list(urgent.chat([])),
    ):
        service.metadata = {}
        call()
        assert service.metadata.get("heed-priority") == "1"
        assert service.metadata.get("x-request-id") == "7"
    client.translate(["yes"])
    assert "heed-priority" not in service.metadata
    with pytest.raises(ValueError, match="priority is 4"):
        client.with_options(priority=4)


def test_a_service_config_that_is_given_is_grpc_s_to_follow(make_client, address, service):
    client = make_client(address, service_config=heed_client.service_config())
    for code in (UNAVAILABLE, EXHAUSTED):
        service.tries = 0
        service.refusals = [(code, 1)] * 4
        assert client.translate(["yes"]) == ["ja"]
        assert service.tries == 5
        assert refused(service, lambda: client.translate(["yes"]), *[(code, 1)] * 9) == (code, 5)  # its own limit
    assert refused(service, client.open, (UNAVAILABLE, 1)) == (UNAVAILABLE, 1)
    assert refused(service, lambda: client.translate(["yes"]), (UNAVAILABLE, -1)) == (UNAVAILABLE, 1)


def test_grpc_s_own_retries_obey_the_server_by_our_service_config(address, service):
    options = [("grpc.service_config", (TREE / "client/service_config.json").read_text(encoding="utf-8"))]
    with grpc.insecure_channel(address, options=options) as channel:
        stub = translation_pb2_grpc.TranslationServiceStub(channel)
        for code in (UNAVAILABLE, EXHAUSTED):
            service.tries = 0
            service.refusals = [(code, 1), (code, 1)]
            stub.Translate(translation_pb2.TranslateRequest(texts=["yes"]), timeout=30)
            assert service.tries == 3
        open_session = questions_pb2_grpc.QuestionAnsweringServiceStub(channel).OpenSession
        for call, refusal in (
            (lambda: stub.Translate(translation_pb2.TranslateRequest(), timeout=30), (UNAVAILABLE, -1)),
            (lambda: open_session(questions_pb2.OpenSessionRequest(), timeout=30), (UNAVAILABLE, None)),
        ):
            service.tries = 0
            service.refusals = [refusal]
            with pytest.raises(grpc.RpcError) as raised:
                call()
            assert (raised.value.code(), service.tries) == (UNAVAILABLE, 1)


class TestBackoff:
    """Without a clock."""

    @staticmethod
    def error(code, delay_ms=None):
        trailing = () if delay_ms is None else (("grpc-retry-pushback-ms", str(delay_ms)),)
        return heed_client.HeedError(code, "no", trailing_metadata=trailing)

    def test_delays_double_up_to_the_limit_and_are_no_shorter_than_what_the_server_asks_for(self):
        backoff = Backoff(default_policy(), Repeat.ALWAYS, 1e6, now=0.0)
        for number in range(20):
            full = min(0.02 * 2**number, 2.0)
            assert full / 2 <= backoff.delay_s(self.error(UNAVAILABLE), now=1.0) <= full
        assert backoff.delay_s(self.error(UNAVAILABLE, 7000), now=1.0) == 7.0

    def test_a_missing_server_is_tried_for_half_a_minute_and_a_full_one_until_the_deadline(self):
        missing = Backoff(default_policy(), Repeat.ALWAYS, 1e6, now=0.0)
        assert missing.delay_s(self.error(UNAVAILABLE), now=5.0)
        assert missing.delay_s(self.error(UNAVAILABLE), now=5.0 + UNAVAILABLE_FOR_S - 0.1)
        assert missing.delay_s(self.error(UNAVAILABLE, 1), now=5.0 + UNAVAILABLE_FOR_S) is None
        full = Backoff(default_policy(), Repeat.IF_REFUSED, 100.0, now=0.0)
        for now in (0.0, 50.0, 97.0):
            assert full.delay_s(self.error(EXHAUSTED, 1), now=now)
        assert full.delay_s(self.error(EXHAUSTED, 5000), now=97.0) is None
        assert full.left_s(now=97.0) == 3.0
        assert full.left_s(now=300.0) > 0

    def test_the_policy_is_the_service_config_s(self):
        config = heed_client.service_config()
        assert config == json.loads((TREE / "client/service_config.json").read_text(encoding="utf-8"))
        assert default_policy().codes == {UNAVAILABLE, EXHAUSTED}
        assert (default_policy().first_delay_s, default_policy().max_delay_s) == (0.02, 2.0)
        assert "heed.v1.TranslationService/Translate" in default_policy().repeatable
        with pytest.raises(ValueError, match="has 0 methodConfigs with a retryPolicy, but must have 1"):
            RetryPolicy.from_service_config({"loadBalancingConfig": []})


def together(client, count, call):
    """What `count` calls, begun at once, return."""
    if isinstance(client, heed_client.Client):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return list(pool.map(call, [client] * count))
    return client.together(count, call)


def test_a_full_heed_server_is_waited_for(start, translator_folder, make_client):
    """One request may wait. Twelve that come together are refused, come back, and are all answered."""
    flags = ("--max_queued_requests=1", "--threads=1", "--translation_cache_bytes=0")
    with start(f"--models={translator_folder}", *flags, "--log_level=debug") as server:
        client = make_client(server.address)
        texts = ["Two dogs play in the snow and a man watches them from his house."] * 8
        answers = together(client, 12, lambda one: one.translate(texts, TRANSLATOR, beam_size=4))
        assert all(answer == answers[0] and len(answer) == 8 for answer in answers)
        assert re.search(r"code=RESOURCE_EXHAUSTED", server.log())


def test_a_heed_server_may_be_killed_and_started_again_under_calls_in_flight(start, translator_folder, make_client):
    flags = (f"--models={translator_folder}", "--translation_cache_bytes=0")
    server = start(*flags)
    client = make_client(server.address, timeout_s=60)
    texts = ["Two dogs play in the snow."] * 30
    whole = client.translate(texts, TRANSLATOR)
    over = threading.Event()

    def restart():
        """In the middle."""
        in_flight = ("heed_requests_in_flight", (("method", "heed.v1.TranslationService/Translate"),))
        while not server.metrics().get(in_flight):
            assert not over.is_set(), "no call was seen in flight"
        server.kill()
        return start(*flags, f"--listen={server.address}")

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        restarted = pool.submit(restart)
        try:
            answers = together(client, 20, lambda one: one.translate(texts, TRANSLATOR))
        finally:
            over.set()
        assert answers == [whole] * 20
        assert restarted.result().terminate() == 0


def test_without_a_server_lists_and_changes_fail_at_once(make_client):
    client = make_client("127.0.0.1:1")
    for call in (client.models, client.list_graphs, client.open, lambda: client.delete_graph("g")):
        with pytest.raises(heed_client.HeedError) as raised:
            call()
        assert raised.value.code() == UNAVAILABLE
