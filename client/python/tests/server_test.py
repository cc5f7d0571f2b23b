# SPDX-License-Identifier: Apache-2.0
"""Both clients against heed-server and the models that ship."""

import re
import subprocess
import uuid

import grpc
import karate
import pytest
from conftest import TRANSLATOR, WEIGHTS
from heed.v1 import graphs_pb2

import heed_client


def test_translations_arrive_whole_and_as_they_grow(client):
    assert len(client.translate(["Two dogs play in the snow.", ""], TRANSLATOR, beam_size=2)) == 2
    whole = client.translate(["Two dogs play in the snow."], TRANSLATOR, beam_size=1)[0]
    grown = []
    sentences = list(
        client.stream(
            ["Two dogs play in the snow."],
            TRANSLATOR,
            beam_size=1,
            on_delta=lambda _text, _sentence, delta: grown.append(delta),
        )
    )
    assert sentences == [(0, 0, whole)]
    assert "".join(grown).strip() == whole
    fully = client.translate_fully(
        ["A dog."], TRANSLATOR, beam_size=2, n_best=2, return_attention=True, return_tokens=True
    )
    assert len(fully.translations[0].sentences[0].hypotheses) == 2


def test_wrong_arguments_are_refused_before_they_are_sent(client):
    with pytest.raises(ValueError, match="early_stopping is 'soon'"):
        client.translate(["A dog."], early_stopping="soon")
    with pytest.raises(TypeError, match="texts is a list of texts, not one text"):
        client.translate("A dog.")
    with pytest.raises(ValueError, match="format is 'pdf'"):
        client.translate(["A dog."], format="pdf")
    with pytest.raises(ValueError, match="translate options: .*beams"):
        client.translate(["A dog."], beams=3)
    with pytest.raises(ValueError, match="sampling: .*heat"):
        client.translate(["A dog."], sampling={"heat": 3})
    with pytest.raises(ValueError, match="format: streams are of plain texts"):
        list(client.stream(["A dog."], format="html"))
    with pytest.raises(ValueError, match="rows have different lengths"):
        client.run([[1], [1, 2]])
    with pytest.raises(ValueError, match="a sentence is a 'remark'"):
        list(client.chat([("remark", "Hm.")], model="ntm-babi"))


def test_a_version_is_asked_for_and_named_in_the_answer(client):
    assert client.translate_fully(["A dog."], model=TRANSLATOR, model_version=1).model_version == 1
    by_languages = client.translate_fully(["Two dogs play in the snow."], source="eng", target="de-DE")
    assert [leg.model for leg in by_languages.translations[0].route] == [TRANSLATOR]
    pairs = [(pair.source_language, pair.target_language) for pair in client.languages().pairs]
    assert pairs == [("en", "de")]
    assert client.detect(["Das ist ein Haus.", "12"], ["de", "en"])[0][0][0] == "de"
    with pytest.raises(grpc.RpcError) as raised:
        client.translate(["A dog."], model=TRANSLATOR, model_version=7)
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    with client.question_session(model="ntm-babi", model_version=1) as session:
        assert session.model_version == 1


def test_errors_name_the_field(client):
    for call in (
        lambda: client.translate(["A dog."], TRANSLATOR, beam_size=99),
        lambda: list(client.stream(["A dog."], TRANSLATOR, beam_size=99)),
    ):
        with pytest.raises(heed_client.HeedError) as raised:
            call()
        error = raised.value
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert error.violations == (("options.beam_size", "is 99, but must be from 1 to 32"),)
        assert error.message == error.details() == "options.beam_size is 99, but must be from 1 to 32"
        assert error.method.startswith("heed.v1.TranslationService/Translate")
        assert str(error).startswith("INVALID_ARGUMENT: options.beam_size is 99")
    with pytest.raises(heed_client.HeedError) as raised:
        client.classify_nodes(heed_client.make_graph([[1.0]], [[0], [0]]), model="gat-karate")
    assert [one.field for one in raised.value.violations] == ["queries[0].graph.features"]


def test_models_are_listed(client):
    assert TRANSLATOR in [model.name for model in client.models()]
    assert [info.name for info in client.load_model("ntm-copy")] == ["ntm-copy"]
    with pytest.raises(heed_client.HeedError, match="NOT_FOUND"):
        client.unload_model("none")


def test_graphs_inline_and_stored(client):
    graph = heed_client.make_graph(karate.features(), karate.edges())
    inline = client.classify_nodes(graph, [0, 33], model="gat-karate")
    assert [node for node, _ in inline] == [0, 33]
    whole = client.classify(
        graphs_pb2.ClassifyNodesRequest,
        [graphs_pb2.ClassifyNodesRequest.Query(graph=graph, nodes=[0])],
        model="gat-karate",
        return_attention=True,
    )
    assert len(whole.answers[0].nodes) == 1
    client.put_graph("club", graph)
    stored = client.classify_nodes("club", [0, 33], model="gat-karate")
    assert [c.label for _, c in stored] == [c.label for _, c in inline]
    assert client.get_graph("club").node_count == 34
    assert [one.name for one in client.list_graphs()] == ["club"]
    client.update_graph("club", remove_edges=[(0, 1)])
    with pytest.raises(heed_client.HeedError) as raised:
        client.delete_graph("club", expected_version=99)
    assert raised.value.code() == grpc.StatusCode.ABORTED
    client.delete_graph("club")
    assert client.classify_nodes(graph, [], model="gat-karate") == []
    assert client.classify_edges(graph, [], model="gat-karate") == []
    assert client.classify_graphs([]) == []


def test_what_goes_wrong_in_a_graph_s_generator_is_raised_and_nothing_is_stored(client):
    def parts():
        yield heed_client.make_graph(karate.features(), karate.edges())
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        client.put_graph("half", parts())
    assert "half" not in [one.name for one in client.list_graphs()]


def test_questions_in_one_request_and_in_sessions(client):
    facts = ["Mary went to the kitchen."]
    assert client.answer(facts, ["Where is Mary?"])[0].text == "kitchen"
    session = client.open(model="ntm-babi")
    client.tell(session, facts)
    assert client.ask(session, ["Where is Mary?"])[0].text == "kitchen"
    copy = client.fork(session)
    restored = client.import_session(client.export_session(session))
    replies = list(client.chat(["Mary went to the garden.", ("question", "Where is Mary?")], session=copy))
    assert replies[1].answer.text == "garden"
    for one in (session, copy, restored):
        client.close_session(one)
    assert list(client.chat(["Where is Mary?"], model="ntm-babi"))[0].HasField("answer")
    with client.question_session("ntm-babi") as session:
        name = session.name
    with pytest.raises(heed_client.HeedError, match="NOT_FOUND"):
        client.tell(name, facts)
    with pytest.raises(heed_client.HeedError) as raised:
        list(client.chat(["Where is Mary?"], session=name))
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND


def test_rows_of_numbers(client):
    assert len(client.run([[0, 1, 1, 0, 1, 0, 0, 1]], model="ntm-copy")[0]) == 8


def test_a_server_that_still_loads_is_waited_for(binary, make_client):
    process = subprocess.Popen(
        [binary, f"--models={WEIGHTS}", "--listen=127.0.0.1:0", "--metrics_listen="], stderr=subprocess.PIPE, text=True
    )
    try:
        for line in process.stderr:
            if match := re.search(r" listening address=(\S+)", line):
                break
        client = make_client(match[1])
        assert client.translate(["A dog."], model=TRANSLATOR) != [""]
        assert len(list(make_client(match[1]).stream(["A dog."], model=TRANSLATOR))) == 1
    finally:
        process.terminate()
        process.stderr.close()
        process.wait()


def test_a_reader_that_leaves_early_cancels_the_call(client, server):
    def cancelled(begin):
        """Whether the server says so of the stream that `begin` returns, once its first part was read."""
        request_id = uuid.uuid4().hex
        stream = begin(client.with_options(metadata={"x-request-id": request_id}))
        next(stream)
        stream.close()
        assert server.wait_for_line(rf" code=CANCELLED .*request_id={request_id}", 20)

    cancelled(lambda one: one.generate_stream("Once upon a time", "txl-novels", max_tokens=1900, stop_loops=False))
    cancelled(lambda one: one.read_stream(("A word.\n" for _ in range(100_000)), "txl-novels"))
    cancelled(lambda one: one.chat(("Mary went to the kitchen." for _ in range(10)), model="ntm-babi"))
    cancelled(lambda one: one.stream([f"{number} dogs play." for number in range(400)], TRANSLATOR, beam_size=1))
