# SPDX-License-Identifier: Apache-2.0
"""What both clients ask language models, against a service without models: requests, typed results, indices of strings."""

import io
import math

import grpc
import pytest
from heed.v1 import language_modeling_pb2 as pb
from language_service import LanguageService

import heed_client


@pytest.fixture
def service():
    return LanguageService()


@pytest.fixture
def client(make_client, serve, service):
    return make_client(serve(service.add_to))


def test_scores_have_indices_of_strings(client, service):
    one, two, ids = client.score(
        ["größer é xy", ("The cat", " sat"), [3, 5]], "wiki", return_tokens=True, top_k=2, begin="nothing"
    )
    assert (one.log_probability, one.tokens, one.words) == (-3, 2, 3)
    assert one.perplexity == pytest.approx(math.exp(1.5))
    assert one.unknown_words == ["xy"]
    assert not one.is_greedy
    assert [(t.start, t.end) for t in one.token_scores] == [(0, 6), (7, 8), (9, 11)]
    assert one.token_scores[0].log_probability is None
    assert one.token_scores[1].top == [("▁a", -1.0)] * 2
    assert two.tokens == 1
    request = service.last(pb.ScoreRequest)
    assert (request.model, request.items[1].context, request.items[1].text) == ("wiki", "The cat", " sat")
    assert list(request.items[2].tokens.ids) == [3, 5]
    assert ids.tokens == 0
    assert client.score([]) == []


def test_options_are_named_as_the_fields_and_their_values(client, service):
    client.score(
        ["a"], tokenization="whitespace", append_line_end=True, order="all-context", begin="end_of_text", session="t1"
    )
    request = service.last(pb.ScoreRequest)
    assert request.options.text.tokenization == pb.TextOptions.TOKENIZATION_WHITESPACE
    assert request.options.text.append_line_end
    assert request.options.order == pb.ScoreOptions.ORDER_ALL_CONTEXT
    assert request.options.begin == pb.ScoreOptions.BEGIN_END_OF_TEXT
    assert request.session == "t1"
    with pytest.raises(ValueError, match="begin is 'soon'; it can be 'nothing', 'end-of-text'"):
        client.score(["a"], begin="soon")
    with pytest.raises(ValueError, match="score options: .*topk"):
        client.score(["a"], topk=2)
    with pytest.raises(TypeError, match="list of texts"):
        client.score("a")


def test_a_full_queue_is_waited_for(client, service):
    service.refusals = 2
    assert len(client.score(["a b"])) == 1


def test_texts_are_generated_whole_and_as_they_grow(client, service):
    generation = client.generate(
        "Once", "wiki", n=2, stop=".", return_tokens=True, sampling={"seed": 3, "top_k": 5}, mode="causal"
    )
    assert generation.text == " mehr… .end"
    assert len(generation.texts) == 2
    assert generation.texts[0].finish_reason == "stop"
    assert [(t.start, t.end) for t in generation.texts[0].tokens] == [(1, 5), (5, 6)]
    assert (generation.prompt_tokens, generation.unknown_words) == (3, ["xylo"])
    options = service.last(pb.GenerateRequest).options
    assert (list(options.stop), options.sampling.seed, options.sampling.top_k) == (["."], 3, 5)
    stream = client.generate_stream("Once", "wiki")
    assert "".join(stream) == generation.text
    assert stream.result.text == generation.text
    with pytest.raises(heed_client.HeedError) as raised:
        client.generate("bad")
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_gaps_labels_words_answers_and_vectors(client, service):
    filled = client.fill_in(["A <mask>.", ("Ä dog.", [(2, 5)])], candidates=["cat", "dog"], order="at-once", top_k=2)
    assert [one.text for one in filled[0].gaps[0]] == ["cat", "dog"]
    assert filled[0].text == "A cat."
    request = service.last(pb.FillInRequest)
    assert list(request.texts[0].candidates) == ["cat", "dog"]
    assert (request.texts[1].gaps[0].start, request.texts[1].gaps[0].end) == (3, 6)
    labels = client.classify_texts(["a", ("b", "c"), ("d", ["e", "f"])], function="sigmoid", overlong="truncate")
    assert [one.label for one in labels] == ["good"] * 3
    request = service.last(pb.ClassifyTextsRequest)
    assert (request.items[1].pair, list(request.items[2].choices)) == ("c", ["e", "f"])
    assert request.overlong == pb.OVERLONG_TEXT_TRUNCATE
    words = client.tag(["é Ann"])[0]
    assert [(w.word, w.start, w.end) for w in words] == [("é", 0, 1), ("Ann", 2, 5)]
    found, none = client.answer_from_text("Können wir gehen", ["Who?", "nothing?"], top_k=1)
    assert (found.text, found.answers[0].start, found.answers[0].end) == ("wir", 7, 10)
    assert (found.no_answer_score, none.no_answer_score, none.text) == (0.25, None, "")
    assert client.embed(["a"], normalize=True)[0].vector == [0.5, 2]
    tokens = client.embed(["é"], pooling="tokens", layer=-2)[0].tokens
    assert tokens == [("▁é", 0, 1, [1, 2]), ("<sep>", 0, 0, [3, 4])]
    for call in (client.fill_in, client.classify_texts, client.tag, client.embed):
        assert call([]) == []


def test_a_session_is_closed_at_its_end(client, service):
    with client.text_session("wiki", segment_tokens=16) as session:
        assert session.read("a bb").log_probability == -3
        assert session.info.version == 2
        assert service.last(pb.ReadTextRequest).request_id
        assert session.score(["a"])[0].tokens == 1
        assert session.generate(commit=True).session.version == 3
        assert service.last(pb.GenerateRequest).request_id
        assert session.info.version == 3
        copy = session.fork()
        assert copy.name == "t2"
        assert client.import_text_session(session.export()).name == "t1"
        copy.close()
    assert service.sessions == {}


def test_a_book_is_read_in_pieces(client, service):
    text = "größer é wort " * 5000
    parts = list(client.read_stream(io.StringIO(text), "wiki", return_tokens=True))
    assert len(parts) > 3
    tokens = [token for part in parts if part.score for token in part.score.token_scores]
    assert all(text[token.start : token.end] == token.token[1:] for token in tokens)
    assert parts[-1].bytes_read == len(text.encode())
    assert parts[-1].total.words == 15000
    assert len(list(client.read_stream(["a ", "b"], "wiki"))) == 3
    with pytest.raises(TypeError, match="open files as text"):
        list(client.read_stream([b"a"], "wiki"))


def test_a_read_without_a_request_id_of_its_own_is_repeated_only_if_it_was_refused(client, service):
    with client.text_session("wiki") as session:
        session.read("a", request_id="")
        assert service.last(pb.ReadTextRequest).request_id == ""


def test_what_goes_wrong_in_a_text_s_iterable_is_raised(client):
    def pages():
        yield "one "
        raise OSError("the page is torn")

    with pytest.raises(OSError, match="the page is torn"):
        list(client.read_stream(pages(), "wiki"))
