# SPDX-License-Identifier: Apache-2.0
"""Both clients against heed-server with tiny language models, whose weights are random."""

import grpc
import pytest
from conftest import TREE

import heed_client


@pytest.fixture(scope="module")
def tiny(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    for name in ("transformer-xl-segments", "xlnet-lm", "xlnet-tag", "xlnet-answer"):
        (folder / name).symlink_to(TREE / "tests/fixtures" / name)
    with start(f"--models={folder}") as running:
        yield running


@pytest.fixture
def client(make_client, tiny):
    return make_client(tiny.address)


def test_a_continuation_is_scored_as_in_its_whole_text(client):
    context, text = "the cat sat", " on the mat"
    whole, part = client.score([context + text, (context, text)], "xlnet-lm", return_tokens=True)
    behind = sum(token.log_probability for token in whole.token_scores if token.end > len(context))
    assert behind == pytest.approx(part.log_probability, abs=1e-4)
    assert client.score([""], "xlnet-lm")[0].tokens == 0


def test_a_session_and_a_stream_score_as_the_whole_text(client):
    text = "one two three\nfour five six\n" * 40
    whole = client.score([text], "transformer-xl-segments")[0]
    parts = list(client.read_stream([text[:100], text[100:]], "transformer-xl-segments"))
    assert parts[-1].total.log_probability == pytest.approx(whole.log_probability, abs=1e-2)
    with client.text_session("transformer-xl-segments") as session:
        session.read("one two")
        one = session.generate(max_tokens=4, greedy=True).text
        assert session.info.version == 2
        stream = session.generate_stream(max_tokens=4, greedy=True)
        assert "".join(stream) == one
        assert session.generate(max_tokens=4, greedy=True, commit=True).text == one
        assert session.info.version == 3
        parts = list(session.read_stream(["three ", "four"]))
        assert parts[-1].session.version == session.info.version > 3
        copy = session.fork()
        assert client.import_text_session(session.export()).info.tokens_read == session.info.tokens_read
        copy.close()
        name = session.name
    with pytest.raises(heed_client.HeedError, match="NOT_FOUND"):
        client.score(["one"], session=name)


def test_words_and_answers_have_indices_of_the_string(client):
    text = "Größe é Mr. Smith"
    words = client.tag([text], "xlnet-tag")[0]
    assert [text[word.start : word.end] for word in words] == text.split()
    answer = client.answer_from_text(text, ["Who?"], "xlnet-answer")[0].answers[0]
    assert text[answer.start : answer.end] == answer.text


def test_what_a_model_cannot_do_is_unimplemented(client):
    with pytest.raises(heed_client.HeedError) as raised:
        client.tag(["a"], "xlnet-lm")
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
