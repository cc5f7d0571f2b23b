#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""client/python as it is installed, against heed-server and the models that ship, and against a server that refuses.

BUILD/python-client/bin/python3 tests/client/python_client_test.py BUILD/bin/heed-server

scripts/python_client.sh makes that Python. Without the package, exits 77 (ctest: skipped).
"""

import concurrent.futures
import json
import os
import re
import subprocess
import struct
import sys
import tempfile
import unittest

try:
    import grpc
    import heed_client
    from heed.v1 import questions_pb2, questions_pb2_grpc, translation_pb2, translation_pb2_grpc
except ImportError as missing:
    print(f"skipped: {missing}; scripts/python_client.sh installs it")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../weights")
TRANSLATOR = "translator-en-de"
SERVER = None


def karate():
    """The club's edges [2, edges], from its safetensors file."""
    with open(os.path.join(WEIGHTS, "gat-karate/karate.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    info = header["edge_index"]
    begin, end = info["data_offsets"]
    code = {"I64": "q", "I32": "i"}[info["dtype"]]
    values = struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", data[begin:end])
    edges = info["shape"][1]
    return [list(values[:edges]), list(values[edges:])]


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = HeedServer(SERVER, f"--models={WEIGHTS}", "--metrics_listen=", "--management")
        cls.client = heed_client.Client(cls.server.address)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.server.terminate() == 0

    def test_translations_arrive_whole_and_as_they_grow(self):
        self.assertEqual(len(self.client.translate(["Two dogs play in the snow.", ""], TRANSLATOR, beam_size=2)), 2)
        whole = self.client.translate(["Two dogs play in the snow."], TRANSLATOR, beam_size=1)[0]
        grown = []
        sentences = list(
            self.client.stream(
                ["Two dogs play in the snow."],
                TRANSLATOR,
                beam_size=1,
                on_delta=lambda _text, _sentence, delta: grown.append(delta),
            )
        )
        self.assertEqual(sentences, [(0, 0, whole)])
        self.assertEqual("".join(grown).strip(), whole)
        fully = self.client.translate_fully(
            ["A dog."], TRANSLATOR, beam_size=2, n_best=2, return_attention=True, return_tokens=True
        )
        self.assertEqual(len(fully.translations[0].sentences[0].hypotheses), 2)
        with self.assertRaisesRegex(ValueError, "early_stopping is 'soon'"):
            self.client.translate(["A dog."], early_stopping="soon")
        with self.assertRaisesRegex(TypeError, "list of texts"):
            self.client.translate("A dog.")

    def test_a_version_is_asked_for_and_named_in_the_answer(self):
        self.assertEqual(self.client.translate_fully(["A dog."], model=TRANSLATOR, model_version=1).model_version, 1)
        by_languages = self.client.translate_fully(["Two dogs play in the snow."], source="eng", target="de-DE")
        self.assertEqual([leg.model for leg in by_languages.translations[0].route], [TRANSLATOR])
        with self.assertRaisesRegex(ValueError, "format is 'pdf'"):
            self.client.translate(["A dog."], format="pdf")
        pairs = [(pair.source_language, pair.target_language) for pair in self.client.languages().pairs]
        self.assertEqual(pairs, [("en", "de")])
        self.assertEqual(self.client.detect(["Das ist ein Haus.", "12"], ["de", "en"])[0][0][0], "de")
        with self.assertRaises(grpc.RpcError) as raised:
            self.client.translate(["A dog."], model=TRANSLATOR, model_version=7)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(self.client.open(model="ntm-babi", model_version=1).model_version, 1)

    def test_models_are_listed(self):
        states = {model.name: model.state for model in self.client.models()}
        self.assertIn("translator-en-de", states)

    def test_graphs_inline_and_stored(self):
        edges = karate()
        features = [[1.0 if column == row else 0.0 for column in range(34)] for row in range(34)]
        graph = heed_client.make_graph(features, edges)
        inline = self.client.classify_nodes(graph, [0, 33], model="gat-karate")
        self.assertEqual([node for node, _ in inline], [0, 33])
        self.client.put_graph("club", graph)
        stored = self.client.classify_nodes("club", [0, 33], model="gat-karate")
        self.assertEqual([c.label for _, c in stored], [c.label for _, c in inline])
        self.assertEqual(self.client.get_graph("club").node_count, 34)
        self.assertEqual([graph.name for graph in self.client.list_graphs()], ["club"])
        self.client.update_graph("club", remove_edges=[(0, 1)])
        with self.assertRaises(grpc.RpcError) as raised:
            self.client.delete_graph("club", expected_version=99)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.ABORTED)
        self.client.delete_graph("club")
        self.assertEqual(self.client.classify_nodes(graph, [], model="gat-karate"), [])

    def test_questions_in_one_request_and_in_sessions(self):
        facts = ["Mary went to the kitchen."]
        self.assertEqual(self.client.answer(facts, ["Where is Mary?"])[0].text, "kitchen")
        session = self.client.open(model="ntm-babi")
        self.client.tell(session, facts)
        self.assertEqual(self.client.ask(session, ["Where is Mary?"])[0].text, "kitchen")
        copy = self.client.fork(session)
        restored = self.client.import_session(self.client.export_session(session))
        replies = list(self.client.chat(["Mary went to the garden.", "Where is Mary?"], session=copy))
        self.assertEqual(replies[1].answer.text, "garden")
        for one in (session, copy, restored):
            self.client.close_session(one)
        self.assertEqual(list(self.client.chat(["Where is Mary?"], model="ntm-babi"))[0].HasField("answer"), True)

    def test_rows_of_numbers(self):
        self.assertEqual(len(self.client.run([[0, 1, 1, 0, 1, 0, 0, 1]], model="ntm-copy")[0]), 8)

    def test_a_server_that_still_loads_is_waited_for(self):
        process = subprocess.Popen(
            [SERVER, f"--models={WEIGHTS}", "--listen=127.0.0.1:0", "--metrics_listen="], stderr=subprocess.PIPE, text=True
        )
        try:
            for line in process.stderr:
                if match := re.search(r" listening address=(\S+)", line):
                    break
            with heed_client.Client(match[1]) as client:
                self.assertNotEqual(client.translate(["A dog."], model=TRANSLATOR), [""])
            with heed_client.Client(match[1]) as client:
                self.assertEqual(len(list(client.stream(["A dog."], model=TRANSLATOR))), 1)
        finally:
            process.terminate()
            process.stderr.close()
            process.wait()


class Refusing(translation_pb2_grpc.TranslationServiceServicer, questions_pb2_grpc.QuestionAnsweringServiceServicer):
    """Refuses as often as `refusals` says, each a code and the trailing metadata, then answers."""

    def __init__(self):
        self.refusals = []
        self.tries = 0
        self.metadata = {}

    def _arrive(self, context):
        self.tries += 1
        self.metadata = dict(context.invocation_metadata())
        if self.refusals:
            code, delay_ms = self.refusals.pop(0)
            if delay_ms is not None:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", str(delay_ms)),))
            context.abort(code, "model is loading")

    def Translate(self, request, context):
        self._arrive(context)
        return translation_pb2.TranslateResponse(translations=[translation_pb2.TranslatedText(text="ja")])

    def TranslateStream(self, request, context):
        self._arrive(context)
        for _ in range(2):
            sentence = translation_pb2.TranslatedSentence(hypotheses=[translation_pb2.TranslationHypothesis(text="ja")])
            yield translation_pb2.TranslateStreamResponse(sentence=sentence)
        if request.texts[0] == "break":
            context.set_trailing_metadata((("grpc-retry-pushback-ms", "1"),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "shutting down")

    def OpenSession(self, request, context):
        self._arrive(context)
        return questions_pb2.OpenSessionResponse(session=questions_pb2.QuestionSession(name="s1"))

    def Chat(self, requests, context):
        self._arrive(context)
        for request in requests:
            yield questions_pb2.ChatResponse(session=questions_pb2.QuestionSession(name="s1"))


UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


class Retries(unittest.TestCase):
    def setUp(self):
        self.service = Refusing()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
        translation_pb2_grpc.add_TranslationServiceServicer_to_server(self.service, self.server)
        questions_pb2_grpc.add_QuestionAnsweringServiceServicer_to_server(self.service, self.server)
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.address = f"127.0.0.1:{port}"
        self.client = heed_client.Client(self.address, timeout_s=30)

    def tearDown(self):
        self.client.close()
        self.server.stop(None)

    def refused(self, call, *refusals):
        """The code that comes to the caller."""
        self.service.refusals = list(refusals)
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        return raised.exception.code()

    def test_a_delay_is_waited_for_whatever_the_code(self):
        for code in (UNAVAILABLE, EXHAUSTED):
            self.service.tries = 0
            self.service.refusals = [(code, 1), (code, 0)]
            self.assertEqual(self.client.translate(["yes"]), ["ja"])
            self.assertEqual(self.service.tries, 3)

    def test_sessions_streams_and_conversations_wait_too(self):
        self.service.refusals = [(UNAVAILABLE, 1)]
        self.assertEqual(self.client.open().name, "s1")
        self.service.refusals = [(UNAVAILABLE, 1)]
        self.assertEqual(len(list(self.client.stream(["yes"]))), 2)
        self.service.refusals = [(UNAVAILABLE, 1)]
        self.assertEqual([reply.session.name for reply in self.client.chat(["Who?"])], ["s1"])

    def test_a_stream_is_not_begun_again_once_it_has_answered(self):
        sentences = []
        with self.assertRaises(grpc.RpcError):
            for one in self.client.stream(["break"]):
                sentences.append(one)
        self.assertEqual((len(sentences), self.service.tries), (2, 1))

    def test_a_delay_below_zero_and_what_never_fits_are_errors_at_once(self):
        for code, delay in ((EXHAUSTED, None), (EXHAUSTED, -1), (UNAVAILABLE, -1), (UNAVAILABLE, "soon")):
            self.service.tries = 0
            self.assertEqual(self.refused(lambda: self.client.translate(["yes"]), (code, delay)), code)
            self.assertEqual(self.service.tries, 1)

    def test_without_a_delay_only_what_changes_nothing_is_tried_again(self):
        self.service.refusals = [(UNAVAILABLE, None)] * 2
        self.assertEqual(self.client.translate(["yes"]), ["ja"])
        self.service.refusals = [(UNAVAILABLE, None)] * 2
        self.assertEqual(len(list(self.client.stream(["yes"]))), 2)
        self.service.tries = 0
        self.assertEqual(self.refused(self.client.open, (UNAVAILABLE, None)), UNAVAILABLE)
        self.assertEqual(self.service.tries, 1)

    def test_grpcs_own_retries_obey_the_server_by_our_service_config(self):
        with open(os.path.join(HERE, "../../client/service_config.json"), encoding="utf-8") as file:
            options = [("grpc.service_config", file.read())]
        with grpc.insecure_channel(self.address, options=options) as channel:
            stub = translation_pb2_grpc.TranslationServiceStub(channel)
            for code in (UNAVAILABLE, EXHAUSTED):
                self.service.tries = 0
                self.service.refusals = [(code, 1), (code, 1)]
                stub.Translate(translation_pb2.TranslateRequest(texts=["yes"]), timeout=30)
                self.assertEqual(self.service.tries, 3)
            self.service.tries = 0
            asks_not_to = self.refused(lambda: stub.Translate(translation_pb2.TranslateRequest(), timeout=30), (UNAVAILABLE, -1))
            self.assertEqual((asks_not_to, self.service.tries), (UNAVAILABLE, 1))
            self.service.tries = 0
            open_session = questions_pb2_grpc.QuestionAnsweringServiceStub(channel).OpenSession
            changes = self.refused(lambda: open_session(questions_pb2.OpenSessionRequest(), timeout=30), (UNAVAILABLE, None))
            self.assertEqual((changes, self.service.tries), (UNAVAILABLE, 1))

    def test_a_delay_beyond_the_timeout_is_not_begun(self):
        self.assertEqual(self.refused(lambda: self.client.translate(["yes"]), (UNAVAILABLE, 40_000)), UNAVAILABLE)
        self.assertEqual(self.service.tries, 1)
        short = self.client.with_options(timeout_s=0.5)
        self.assertEqual(self.refused(lambda: short.translate(["yes"]), *[(UNAVAILABLE, 20)] * 1000), UNAVAILABLE)
        self.assertLess(self.service.tries, 1000)

    def test_priority_and_metadata_travel_with_each_call(self):
        urgent = self.client.with_options(priority=1, metadata={"x-request-id": "7"})
        for call in (lambda: urgent.translate(["yes"]), lambda: list(urgent.stream(["yes"])), urgent.open, lambda: list(urgent.chat([]))):
            self.service.metadata = {}
            call()
            self.assertEqual(self.service.metadata.get("heed-priority"), "1")
            self.assertEqual(self.service.metadata.get("x-request-id"), "7")
        self.client.translate(["yes"])
        self.assertNotIn("heed-priority", self.service.metadata)
        with self.assertRaisesRegex(ValueError, "priority is 4"):
            self.client.with_options(priority=4)


class WithLanguageModels(unittest.TestCase):
    """Tiny ones, whose weights are random."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        for name in ("transformer-xl-segments", "xlnet-lm", "xlnet-tag", "xlnet-answer"):
            os.symlink(os.path.join(HERE, "../fixtures", name), os.path.join(cls.folder.name, name))
        cls.server = HeedServer(SERVER, f"--models={cls.folder.name}", "--metrics_listen=")
        cls.client = heed_client.Client(cls.server.address)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.server.terminate() == 0
        cls.folder.cleanup()

    def test_a_continuation_is_scored_as_in_its_whole_text(self):
        context, text = "the cat sat", " on the mat"
        whole, part = self.client.score([context + text, (context, text)], "xlnet-lm", return_tokens=True)
        self.assertAlmostEqual(
            sum(token.log_probability for token in whole.token_scores if token.end > len(context)),
            part.log_probability,
            places=4,
        )
        self.assertEqual(self.client.score([""], "xlnet-lm")[0].tokens, 0)

    def test_a_session_and_a_stream_score_as_the_whole_text(self):
        text = "one two three\nfour five six\n" * 40
        whole = self.client.score([text], "transformer-xl-segments")[0]
        parts = list(self.client.read_stream([text[:100], text[100:]], "transformer-xl-segments"))
        self.assertAlmostEqual(parts[-1].total.log_probability, whole.log_probability, places=2)
        with self.client.text_session("transformer-xl-segments") as session:
            session.read("one two")
            one = session.generate(max_tokens=4, greedy=True).text
            self.assertEqual(session.info.version, 2)
            stream = session.generate_stream(max_tokens=4, greedy=True)
            self.assertEqual("".join(stream), one)
            self.assertEqual(session.generate(max_tokens=4, greedy=True, commit=True).text, one)
            self.assertEqual(session.info.version, 3)

    def test_words_and_answers_have_indices_of_the_string(self):
        text = "Größe é Mr. Smith"
        words = self.client.tag([text], "xlnet-tag")[0]
        self.assertEqual([text[word.start : word.end] for word in words], text.split())
        answer = self.client.answer_from_text(text, ["Who?"], "xlnet-answer")[0].answers[0]
        self.assertEqual(text[answer.start : answer.end], answer.text)

    def test_what_a_model_cannot_do_is_unimplemented(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.client.tag(["a"], "xlnet-lm")
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
