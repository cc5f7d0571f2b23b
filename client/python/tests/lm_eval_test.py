# SPDX-License-Identifier: Apache-2.0
"""lm-evaluation-harness over the client, where the harness is installed: pip install 'client/python[lm_eval]'."""

import pytest
from heed.v1 import language_modeling_pb2 as pb
from language_service import LanguageService

lm_eval = pytest.importorskip(
    "lm_eval", reason="the adapter for lm-evaluation-harness is NOT TRIED: there is no lm_eval"
)


@pytest.fixture
def service():
    return LanguageService()


@pytest.fixture
def model(serve, service):
    from heed_client.lm_eval import HeedLM

    address = serve(service.add_to)
    return lambda **arguments: HeedLM(address, "wiki", **arguments)


def requests(kind, *arguments):
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, one, number) for number, one in enumerate(arguments)]


def test_continuations_are_scored_behind_their_contexts(model, service):
    answers = model(batch_size=2).loglikelihood(
        requests("loglikelihood", ("The cat", " sat"), ("", "One two"), ("A", " xa b"), ("B", " c"))
    )
    assert answers == [(-3, True), (-6, True), (-3, False), (-1, True)]
    begins = {tuple(i.context for i in r.items): r.options.begin for r in service.requests}
    assert begins[("",)] == pb.ScoreOptions.BEGIN_END_OF_TEXT
    assert begins[("The cat", "A")] == pb.ScoreOptions.BEGIN_NOTHING


def test_whole_texts_begin_behind_end_of_text(model):
    answers = model().loglikelihood_rolling(requests("loglikelihood_rolling", ("a bb",), ("ccc",)))
    assert answers == [-3, -3]


def test_texts_end_before_the_stop(model, service):
    options = {"until": ["…"], "max_gen_toks": 7, "do_sample": False, "temperature": 0}
    answers = model().generate_until(requests("generate_until", ("Once", options)))
    assert answers == [" mehr"]
    request = service.last(pb.GenerateRequest)
    assert request.options.greedy
    assert (request.options.max_tokens, list(request.options.stop)) == (7, ["…"])


def test_errors_name_the_server_s_reason(model):
    with pytest.raises(RuntimeError, match="INVALID_ARGUMENT: prompt is bad"):
        model().generate_until(requests("generate_until", ("bad", {"until": []})))
