#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What client/python asks language models, against a service without models: requests, typed results, indices of strings.

BUILD/python-client/bin/python3 tests/client/python_language_test.py

scripts/python_client.sh makes that Python. Without the package, exits 77 (ctest: skipped). With lm-evaluation-harness in it,
its adapter is tried too; without, that part is skipped loudly.
"""

import concurrent.futures
import importlib.util
import io
import math
import sys
import unittest

try:
    import grpc
    import heed_client
    from heed.v1 import language_modeling_pb2 as pb
    from heed.v1 import language_modeling_pb2_grpc
except ImportError as missing:
    print(f"skipped: {missing}; scripts/python_client.sh installs it")
    sys.exit(77)


def score_of(text, begins, options, before=0):
    """A token is a word; its log-probability is minus its number of characters; the first of a text has none."""
    score = pb.TextScore(words=len(text.split()), bytes=len(text.encode()), is_greedy=True)
    end = 0
    for number, word in enumerate(text.split()):
        start = text.index(word, end)
        end = start + len(word)
        token = pb.TokenScore(token="▁" + word, start=before + len(text[:start].encode()), rank=1)
        token.end = token.start + len(word.encode())
        if number > 0 or not begins:
            token.log_probability = -len(word)
            score.log_probability -= len(word)
            score.tokens += 1
            token.top.extend(pb.TokenAlternative(token="▁a", log_probability=-1) for _ in range(options.top_k))
        if options.return_tokens:
            score.token_scores.append(token)
        if word.startswith("x"):
            score.unknown_words.append(word)
            score.unknown_tokens += 1
            score.is_greedy = False
    if score.tokens:
        score.perplexity = math.exp(-score.log_probability / score.tokens)
    return score


class Service(language_modeling_pb2_grpc.LanguageModelingServiceServicer):
    def __init__(self):
        self.requests = []
        self.refusals = 0
        self.sessions = {}

    def last(self, kind):
        return [request for request in self.requests if isinstance(request, kind)][-1]

    def Score(self, request, context):
        self.requests.append(request)
        if self.refusals:
            self.refusals -= 1
            context.set_trailing_metadata([("grpc-retry-pushback-ms", "1")])
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full")
        begins = request.options.begin != pb.ScoreOptions.BEGIN_END_OF_TEXT and not request.session
        scores = [score_of(item.text, begins and not item.context, request.options) for item in request.items]
        return pb.ScoreResponse(scores=scores, model=request.model)

    @staticmethod
    def generate(request):
        texts = []
        for _ in range(request.options.n or 1):
            text = pb.GeneratedText(text=" mehr… .end", finish_reason=pb.TEXT_FINISH_REASON_STOP, stop=".", token_count=2)
            if request.options.return_tokens:
                text.tokens.add(token="▁mehr", start=1, end=5, log_probability=-1)
                text.tokens.add(token="…", start=5, end=8, log_probability=-2)
            texts.append(text)
        return pb.GenerateResponse(texts=texts, prompt_token_count=3, unknown_words=["xylo"], model=request.model)

    def Generate(self, request, context):
        self.requests.append(request)
        if request.prompt == "bad":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "prompt is bad")
        response = self.generate(request)
        if request.session:
            self.sessions[request.session] += request.commit
            response.session.name, response.session.version = request.session, self.sessions[request.session]
        return response

    def GenerateStream(self, request, context):
        self.requests.append(request)
        for delta in (" mehr…", " .end"):
            yield pb.GenerateStreamResponse(delta=delta)
        yield pb.GenerateStreamResponse(result=self.generate(request))

    def FillIn(self, request, context):
        self.requests.append(request)
        gap = pb.FillInResponse.Gap(
            top=[pb.FillInResponse.Filling(text=word, tokens=["▁" + word], log_probability=-1) for word in ("cat", "dog")]
        )
        return pb.FillInResponse(
            texts=[pb.FillInResponse.Text(gaps=[gap], filled_text="A cat.", log_probability=-1) for _ in request.texts]
        )

    def ClassifyTexts(self, request, context):
        self.requests.append(request)
        labels = [pb.ClassifyTextsResponse.Label(label="good", score=0.75)]
        return pb.ClassifyTextsResponse(
            items=[pb.ClassifyTextsResponse.Item(labels=labels, token_count=4) for _ in request.items]
        )

    def TagTexts(self, request, context):
        self.requests.append(request)
        options = pb.ScoreOptions(return_tokens=True)
        texts = []
        for text in request.texts:
            tokens = score_of(text, True, options).token_scores
            words = [pb.TagTextsResponse.Word(word=t.token[1:], start=t.start, end=t.end, label="O") for t in tokens]
            texts.append(pb.TagTextsResponse.Text(words=words))
        return pb.TagTextsResponse(texts=texts)

    def AnswerFromText(self, request, context):
        self.requests.append(request)
        start = len(request.context.split()[0].encode()) + 1
        word = request.context.split()[1]
        answer = pb.AnswerFromTextResponse.Answer(text=word, start=start, end=start + len(word.encode()), score=0.5)
        found = pb.AnswerFromTextResponse.Question(answers=[answer], no_answer_score=0.25, token_count=9)
        none = pb.AnswerFromTextResponse.Question(token_count=9)
        return pb.AnswerFromTextResponse(questions=[none if "nothing" in q else found for q in request.questions])

    def EmbedTexts(self, request, context):
        self.requests.append(request)
        if request.pooling == pb.EmbedTextsRequest.POOLING_TOKENS:
            tokens = [pb.EmbedTextsResponse.Token(token="▁é", start=0, end=2), pb.EmbedTextsResponse.Token(token="<sep>")]
            return pb.EmbedTextsResponse(
                texts=[pb.EmbedTextsResponse.Text(width=2, values=[1, 2, 3, 4], tokens=tokens) for _ in request.texts]
            )
        return pb.EmbedTextsResponse(
            texts=[pb.EmbedTextsResponse.Text(width=2, values=[0.5, 2], token_count=3) for _ in request.texts]
        )

    def OpenTextSession(self, request, context):
        self.requests.append(request)
        name = f"t{len(self.sessions) + 1}"
        self.sessions[name] = 1
        return pb.OpenTextSessionResponse(session=pb.TextSession(name=name, model=request.model, version=1))

    def ReadText(self, request, context):
        self.requests.append(request)
        self.sessions[request.session] += 1
        session = pb.TextSession(name=request.session, version=self.sessions[request.session])
        return pb.ReadTextResponse(session=session, score=score_of(request.text, False, request.options))

    def ReadTextStream(self, requests, context):
        first = next(requests)
        self.requests.append(first)
        before, whole = 0, ""
        for request in requests:
            whole += request.text
            score = score_of(request.text, False, first.options, before)
            before = len(whole.encode())
            yield pb.ReadTextStreamResponse(score=score, bytes_read=before, tokens_read=len(whole.split()))
        yield pb.ReadTextStreamResponse(
            total=score_of(whole, True, pb.ScoreOptions()), bytes_read=before, tokens_read=len(whole.split())
        )

    def ForkTextSession(self, request, context):
        return pb.ForkTextSessionResponse(session=self.OpenTextSession(pb.OpenTextSessionRequest(), context).session)

    def ExportTextSession(self, request, context):
        return pb.ExportTextSessionResponse(data=request.session.encode())

    def ImportTextSession(self, request, context):
        return pb.ImportTextSessionResponse(session=pb.TextSession(name=request.data.decode()))

    def CloseTextSession(self, request, context):
        if self.sessions.pop(request.session, None) is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such session")
        return pb.CloseTextSessionResponse()


class WithService(unittest.TestCase):
    def setUp(self):
        self.service = Service()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        language_modeling_pb2_grpc.add_LanguageModelingServiceServicer_to_server(self.service, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()
        self.client = heed_client.Client(self.address)

    def tearDown(self):
        self.client.close()
        self.server.stop(None)


class LanguageTest(WithService):
    def test_scores_have_indices_of_strings(self):
        one, two, ids = self.client.score(
            ["größer é xy", ("The cat", " sat"), [3, 5]], "wiki", return_tokens=True, top_k=2, begin="nothing"
        )
        self.assertEqual((one.log_probability, one.tokens, one.words), (-3, 2, 3))
        self.assertAlmostEqual(one.perplexity, math.exp(1.5))
        self.assertEqual(one.unknown_words, ["xy"])
        self.assertFalse(one.is_greedy)
        self.assertEqual([(t.start, t.end) for t in one.token_scores], [(0, 6), (7, 8), (9, 11)])
        self.assertIsNone(one.token_scores[0].log_probability)
        self.assertEqual(one.token_scores[1].top, [("▁a", -1.0)] * 2)
        self.assertEqual(two.tokens, 1)
        request = self.service.last(pb.ScoreRequest)
        self.assertEqual((request.model, request.items[1].context, request.items[1].text), ("wiki", "The cat", " sat"))
        self.assertEqual(list(request.items[2].tokens.ids), [3, 5])
        self.assertEqual(ids.tokens, 0)
        self.assertEqual(self.client.score([]), [])

    def test_options_are_named_as_the_fields_and_their_values(self):
        self.client.score(
            ["a"], tokenization="whitespace", append_line_end=True, order="all-context", begin="end_of_text", session="t1"
        )
        request = self.service.last(pb.ScoreRequest)
        self.assertEqual(request.options.text.tokenization, pb.TextOptions.TOKENIZATION_WHITESPACE)
        self.assertTrue(request.options.text.append_line_end)
        self.assertEqual(request.options.order, pb.ScoreOptions.ORDER_ALL_CONTEXT)
        self.assertEqual(request.options.begin, pb.ScoreOptions.BEGIN_END_OF_TEXT)
        self.assertEqual(request.session, "t1")
        with self.assertRaisesRegex(ValueError, "begin is 'soon'; it can be 'nothing', 'end-of-text'"):
            self.client.score(["a"], begin="soon")
        with self.assertRaisesRegex(ValueError, "score options: .*topk"):
            self.client.score(["a"], topk=2)
        with self.assertRaisesRegex(TypeError, "list of texts"):
            self.client.score("a")

    def test_a_full_queue_is_waited_for(self):
        self.service.refusals = 2
        self.assertEqual(len(self.client.score(["a b"])), 1)

    def test_texts_are_generated_whole_and_as_they_grow(self):
        generation = self.client.generate(
            "Once", "wiki", n=2, stop=".", return_tokens=True, sampling={"seed": 3, "top_k": 5}, mode="causal"
        )
        self.assertEqual(generation.text, " mehr… .end")
        self.assertEqual(len(generation.texts), 2)
        self.assertEqual(generation.texts[0].finish_reason, "stop")
        self.assertEqual([(t.start, t.end) for t in generation.texts[0].tokens], [(1, 5), (5, 6)])
        self.assertEqual((generation.prompt_tokens, generation.unknown_words), (3, ["xylo"]))
        options = self.service.last(pb.GenerateRequest).options
        self.assertEqual((list(options.stop), options.sampling.seed, options.sampling.top_k), (["."], 3, 5))
        stream = self.client.generate_stream("Once", "wiki")
        self.assertEqual("".join(stream), generation.text)
        self.assertEqual(stream.result.text, generation.text)
        with self.assertRaises(grpc.RpcError) as raised:
            self.client.generate("bad")
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_gaps_labels_words_answers_and_vectors(self):
        filled = self.client.fill_in(["A <mask>.", ("Ä dog.", [(2, 5)])], candidates=["cat", "dog"], order="at-once", top_k=2)
        self.assertEqual([one.text for one in filled[0].gaps[0]], ["cat", "dog"])
        self.assertEqual(filled[0].text, "A cat.")
        request = self.service.last(pb.FillInRequest)
        self.assertEqual(list(request.texts[0].candidates), ["cat", "dog"])
        self.assertEqual((request.texts[1].gaps[0].start, request.texts[1].gaps[0].end), (3, 6))
        labels = self.client.classify_texts(["a", ("b", "c"), ("d", ["e", "f"])], function="sigmoid", overlong="truncate")
        self.assertEqual([one.label for one in labels], ["good"] * 3)
        request = self.service.last(pb.ClassifyTextsRequest)
        self.assertEqual((request.items[1].pair, list(request.items[2].choices)), ("c", ["e", "f"]))
        self.assertEqual(request.overlong, pb.OVERLONG_TEXT_TRUNCATE)
        words = self.client.tag(["é Ann"])[0]
        self.assertEqual([(w.word, w.start, w.end) for w in words], [("é", 0, 1), ("Ann", 2, 5)])
        found, none = self.client.answer_from_text("Können wir gehen", ["Who?", "nothing?"], top_k=1)
        self.assertEqual((found.text, found.answers[0].start, found.answers[0].end), ("wir", 7, 10))
        self.assertEqual((found.no_answer_score, none.no_answer_score, none.text), (0.25, None, ""))
        self.assertEqual(self.client.embed(["a"], normalize=True)[0].vector, [0.5, 2])
        tokens = self.client.embed(["é"], pooling="tokens", layer=-2)[0].tokens
        self.assertEqual(tokens, [("▁é", 0, 1, [1, 2]), ("<sep>", 0, 0, [3, 4])])
        for call in (self.client.fill_in, self.client.classify_texts, self.client.tag, self.client.embed):
            self.assertEqual(call([]), [])

    def test_a_session_is_closed_at_its_end(self):
        with self.client.text_session("wiki", segment_tokens=16) as session:
            self.assertEqual(session.read("a bb").log_probability, -3)
            self.assertEqual(session.info.version, 2)
            self.assertTrue(self.service.last(pb.ReadTextRequest).request_id)
            self.assertEqual(session.score(["a"])[0].tokens, 1)
            self.assertEqual(session.generate(commit=True).session.version, 3)
            self.assertTrue(self.service.last(pb.GenerateRequest).request_id)
            self.assertEqual(session.info.version, 3)
            copy = session.fork()
            self.assertEqual(copy.name, "t2")
            self.assertEqual(self.client.import_text_session(session.export()).name, "t1")
            copy.close()
        self.assertEqual(self.service.sessions, {})

    def test_a_book_is_read_in_pieces(self):
        text = "größer é wort " * 5000
        parts = list(self.client.read_stream(io.StringIO(text), "wiki", return_tokens=True))
        self.assertGreater(len(parts), 3)
        tokens = [token for part in parts if part.score for token in part.score.token_scores]
        self.assertTrue(all(text[token.start : token.end] == token.token[1:] for token in tokens))
        self.assertEqual(parts[-1].bytes_read, len(text.encode()))
        self.assertEqual(parts[-1].total.words, 15000)
        self.assertEqual(len(list(self.client.read_stream(["a ", "b"], "wiki"))), 3)
        with self.assertRaisesRegex(TypeError, "open files as text"):
            list(self.client.read_stream([b"a"], "wiki"))


class HarnessTest(WithService):
    """lm-evaluation-harness over the client."""

    def model(self, **arguments):
        from heed_client.lm_eval import HeedLM

        return HeedLM(self.address, "wiki", **arguments)

    @staticmethod
    def requests(kind, *arguments):
        from lm_eval.api.instance import Instance

        return [Instance(kind, {}, one, number) for number, one in enumerate(arguments)]

    def test_continuations_are_scored_behind_their_contexts(self):
        answers = self.model(batch_size=2).loglikelihood(
            self.requests("loglikelihood", ("The cat", " sat"), ("", "One two"), ("A", " xa b"), ("B", " c"))
        )
        self.assertEqual(answers, [(-3, True), (-6, True), (-3, False), (-1, True)])
        begins = {tuple(i.context for i in r.items): r.options.begin for r in self.service.requests}
        self.assertEqual(begins[("",)], pb.ScoreOptions.BEGIN_END_OF_TEXT)
        self.assertEqual(begins[("The cat", "A")], pb.ScoreOptions.BEGIN_NOTHING)

    def test_whole_texts_begin_behind_end_of_text(self):
        answers = self.model().loglikelihood_rolling(self.requests("loglikelihood_rolling", ("a bb",), ("ccc",)))
        self.assertEqual(answers, [-3, -3])

    def test_texts_end_before_the_stop(self):
        options = {"until": ["…"], "max_gen_toks": 7, "do_sample": False, "temperature": 0}
        answers = self.model().generate_until(self.requests("generate_until", ("Once", options)))
        self.assertEqual(answers, [" mehr"])
        request = self.service.last(pb.GenerateRequest)
        self.assertTrue(request.options.greedy)
        self.assertEqual((request.options.max_tokens, list(request.options.stop)), (7, ["…"]))

    def test_errors_name_the_server_s_reason(self):
        with self.assertRaisesRegex(RuntimeError, "INVALID_ARGUMENT: prompt is bad"):
            self.model().generate_until(self.requests("generate_until", ("bad", {"until": []})))


if __name__ == "__main__":
    if importlib.util.find_spec("lm_eval") is None:
        print("*" * 80 + "\nthe adapter for lm-evaluation-harness is NOT TRIED: there is no lm_eval\n" + "*" * 80)
        del HarnessTest
    unittest.main()
