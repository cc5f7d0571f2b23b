#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Open Inference Protocol's public Python clients, unchanged, against heed-server and the models that ship.

BUILD/standard-clients/bin/python3 tests/client/standard_clients_test.py BUILD/bin/heed-server

scripts/standard_clients.sh makes that Python. Without Triton's client, exits 77 (ctest: skipped).
"""

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import tritonclient.grpc as client
    from tritonclient.utils import InferenceServerException
except ImportError as missing:
    print(f"skipped: {missing}; scripts/standard_clients.sh installs it")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../weights")
PROTO = os.path.join(HERE, "../../proto")


def tensor(name, values, datatype):
    dtypes = {"BYTES": object, "FP32": np.float32, "INT64": np.int64}
    array = np.array(values, dtype=dtypes[datatype])
    result = client.InferInput(name, array.shape, datatype)
    result.set_data_from_numpy(array)
    return result


class StandardClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = HeedServer(SERVER, f"--models={WEIGHTS}", "--metrics_listen=", "--management=true")
        cls.client = client.InferenceServerClient(cls.server.address)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        assert cls.server.terminate() == 0

    def test_health_and_metadata(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("translator-en-de"))
        self.assertTrue(self.client.is_model_ready("translator-en-de", "1"))
        server = self.client.get_server_metadata()
        self.assertEqual(server.name, "heed")
        self.assertIn("statistics", server.extensions)
        model = self.client.get_model_metadata("translator-en-de")
        self.assertEqual([(i.name, i.datatype, list(i.shape)) for i in model.inputs], [("text", "BYTES", [-1])])
        self.assertEqual(model.outputs[0].name, "translation")
        config = self.client.get_model_config("gat-cora").config
        self.assertEqual([i.name for i in config.input], ["x", "edge_index", "nodes"])
        self.assertTrue(config.input[2].optional)

    def test_translation_with_parameters(self):
        texts = ["Good morning.".encode(), "Where is the station?".encode()]
        result = self.client.infer("translator-en-de", [tensor("text", texts, "BYTES")], request_id="7", priority=1,
                                   timeout=10_000_000, parameters={"beam_size": 4})
        self.assertEqual(result.get_response().id, "7")
        self.assertEqual([text.decode() for text in result.as_numpy("translation")],
                         ["Guten Morgen.", "Wo ist der Bahnhof?"])
        self.assertEqual(result.as_numpy("score").dtype, np.float32)
        outputs = [client.InferRequestedOutput("details")]
        result = self.client.infer("translator-en-de", [tensor("text", texts[:1], "BYTES")], outputs=outputs,
                                   parameters={"beam_size": 4, "n_best": 2})
        self.assertIsNone(result.as_numpy("translation"))
        details = json.loads(result.as_numpy("details")[0])
        self.assertEqual(len(details["sentences"][0]["hypotheses"]), 2)

    def test_asynchronous_requests(self):
        done = queue.Queue()
        inputs = [tensor("text", ["Good morning.".encode()], "BYTES")]
        for _ in range(8):
            self.client.async_infer("translator-en-de", inputs, lambda result, error: done.put((result, error)))
        for _ in range(8):
            result, error = done.get(timeout=60)
            self.assertIsNone(error)
            self.assertEqual(result.as_numpy("translation")[0].decode(), "Guten Morgen.")

    def test_typed_contents_are_taken_too(self):
        request = tensor("text", ["Hello.".encode()], "BYTES")
        raw = self.client.infer("translator-en-de", [request]).as_numpy("translation")
        infer = client.service_pb2.ModelInferRequest(model_name="translator-en-de")
        typed = infer.inputs.add(name="text", datatype="BYTES", shape=[1])
        typed.contents.bytes_contents.append(b"Hello.")
        stub = self.client._client_stub  # the generated one: the package's front always sends raw contents
        response = client.InferResult(stub.ModelInfer(infer))
        self.assertEqual(list(response.as_numpy("translation")), list(raw))

    def test_questions(self):
        story = tensor("story", ["Mary went to the kitchen.".encode(), "John took the apple.".encode()], "BYTES")
        result = self.client.infer("ntm-babi", [story, tensor("question", ["Where is Mary?".encode()], "BYTES")])
        self.assertEqual([answer.decode() for answer in result.as_numpy("answer")], ["kitchen"])
        self.assertGreater(result.as_numpy("probability")[0], 0.5)

    def test_graphs(self):
        width = self.client.get_model_metadata("gat-mutag").inputs[0].shape[1]
        x = np.zeros((5, width), np.float32)
        x[:, 0] = 1
        edges = [[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]]
        inputs = [tensor("x", x, "FP32"), tensor("edge_index", edges, "INT64"),
                  tensor("batch", [0, 0, 0, 1, 1], "INT64")]
        result = self.client.infer("gat-mutag", inputs)
        probabilities = result.as_numpy("probabilities")
        self.assertEqual(probabilities.shape, (2, 2))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(result.as_numpy("class"), probabilities.argmax(axis=1))

    def test_sequences(self):
        rows = np.array([[0, 1, 1, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 1, 0, 1]], np.float32)
        result = self.client.infer("ntm-copy", [tensor("input", rows, "FP32")])
        np.testing.assert_array_equal(result.as_numpy("output").round(), rows)

    def test_errors(self):
        cases = [
            ("none", [tensor("text", [b"a"], "BYTES")], "NOT_FOUND", 'there is no "none"'),
            ("translator-en-de", [tensor("text", [[1.0]], "FP32")], "INVALID_ARGUMENT", 'is "FP32", must be BYTES'),
            ("translator-en-de", [tensor("words", [b"a"], "BYTES")], "INVALID_ARGUMENT", "no such input; it has: text"),
            ("gat-cora", [tensor("x", [[1.0]], "FP32")], "INVALID_ARGUMENT", "is [1, 1], must be [-1, 1433]"),
        ]
        for model, inputs, code, message in cases:
            with self.assertRaises(InferenceServerException) as raised:
                self.client.infer(model, inputs)
            self.assertIn(code, raised.exception.status())
            self.assertIn(message, raised.exception.message())

    def stream(self, requests, headers=None):
        """The responses to `requests` (keyword arguments of async_stream_infer), until the stream ends."""
        done = queue.Queue()
        stream_client = client.InferenceServerClient(self.server.address)
        stream_client.start_stream(lambda result, error: done.put((result, error)), headers=headers)
        for request in requests:
            stream_client.async_stream_infer(**request)
        stream_client.stop_stream()  # waits until all are answered
        stream_client.close()
        return [done.get_nowait() for _ in range(done.qsize())]

    def test_stream_gives_words_as_they_come(self):
        text = "A dog is running in the snow. Where is the station?"
        inputs = [tensor("text", [text.encode(), b"Good morning."], "BYTES")]
        whole = self.client.infer("translator-en-de", inputs, parameters={"beam_size": 1})
        for empty_final in (False, True):
            answers = self.stream([{"model_name": "translator-en-de", "inputs": inputs, "request_id": "7",
                                    "enable_empty_final_response": empty_final}])
            pieces, ends, finals = ["", ""], [], []
            for result, error in answers:
                self.assertIsNone(error)
                response = result.get_response()
                self.assertEqual(response.id, "7")
                finals.append(response.parameters["triton_final_response"].bool_param)
                if not response.outputs:
                    continue
                index = result.as_numpy("text_index")[0]
                pieces[index] += result.as_numpy("translation")[0].decode()
                if result.as_numpy("score") is not None:
                    ends.append((index, result.as_numpy("score")[0], result.as_numpy("target_tokens")[0]))
            self.assertEqual(pieces, [text.decode() for text in whole.as_numpy("translation")])
            self.assertEqual(finals, [False] * (len(answers) - 1) + [True])
            self.assertGreater(len(answers), 4)
            self.assertEqual(len(answers[-1][0].get_response().outputs), 0 if empty_final else 6)
            self.assertEqual(sorted(ends), list(zip(range(2), whole.as_numpy("score"), whole.as_numpy("target_tokens"))))

    def test_stream_answers_each_kind_in_order(self):
        rows = np.array([[0, 1, 1, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 1, 0, 1]], np.float32)
        width = self.client.get_model_metadata("gat-mutag").inputs[0].shape[1]
        graph = [tensor("x", np.ones((2, width)), "FP32"), tensor("edge_index", [[0], [1]], "INT64")]
        questions = [tensor("story", [b"Mary went to the kitchen."], "BYTES"),
                     tensor("question", [b"Where is Mary?"], "BYTES")]
        text = [tensor("text", [b"Good morning."], "BYTES")]
        requests = [("translator-en-de", text), ("ntm-copy", [tensor("input", rows, "FP32")]), ("none", text),
                    ("gat-mutag", graph), ("translator-en-de", graph), ("ntm-babi", questions)] * 5
        answers = self.stream([{"model_name": model, "inputs": inputs, "request_id": str(i)}
                               for i, (model, inputs) in enumerate(requests)])
        errors = [error.message() for _, error in answers if error is not None]
        self.assertEqual(len(errors), 10)
        self.assertIn('there is no "none"', errors[0])
        self.assertIn("the model has no such input; it has: text", errors[1])
        ids = [int(result.get_response().id) for result, error in answers if error is None]
        self.assertEqual(ids, sorted(ids))
        self.assertEqual(sorted(set(ids)), [i for i in range(30) if i % 6 not in (2, 4)])
        by_id = {result.get_response().id: result for result, error in answers if error is None}
        np.testing.assert_array_equal(by_id["1"].as_numpy("output").round(), rows)
        self.assertEqual(by_id["5"].as_numpy("answer")[0].decode(), "kitchen")

    def test_stream_ends_with_an_error_for_who_asks(self):
        (result, error), = self.stream([{"model_name": "none", "inputs": [tensor("text", [b"a"], "BYTES")]}],
                                       headers={"triton_grpc_error": "true"})
        self.assertIsNone(result)
        self.assertIn("NOT_FOUND", error.status())

    def test_what_is_not_served_is_named(self):
        text = tensor("text", [b"Good morning."], "BYTES")
        shared = client.InferInput("text", [1], "BYTES")
        shared.set_shared_memory("mine", 64)
        shared_output = client.InferRequestedOutput("translation")
        shared_output.set_shared_memory("mine", 64)
        classes = client.InferRequestedOutput("translation", class_count=3)
        refused = [
            ({"inputs": [shared]}, '"shared_memory_region" is "mine": shared memory is not served'),
            ({"inputs": [text], "outputs": [shared_output]}, '"shared_memory_region" is "mine": shared memory is not'),
            ({"inputs": [text], "outputs": [classes]}, '"classification" is 3: is not served'),
            ({"inputs": [text], "sequence_id": 7, "sequence_start": True}, '"sequence_id" is 7: requests of a sequence'),
        ]
        for arguments, message in refused:
            with self.assertRaises(InferenceServerException) as raised:
                self.client.infer("translator-en-de", **arguments)
            self.assertIn("INVALID_ARGUMENT", raised.exception.status())
            self.assertIn(message, raised.exception.message())
        unserved = [
            (self.client.get_system_shared_memory_status, "shared memory is not served"),
            (lambda: self.client.register_system_shared_memory("a", "/a", 64), "shared memory is not served"),
            (self.client.unregister_cuda_shared_memory, "shared memory is not served"),
            (self.client.get_trace_settings, "trace settings are not served"),
            (self.client.get_log_settings, "log settings are not served"),
        ]
        for call, message in unserved:
            with self.assertRaises(InferenceServerException) as raised:
                call()
            self.assertIn("UNIMPLEMENTED", raised.exception.status())
            self.assertIn(message, raised.exception.message())

    @unittest.skipUnless(shutil.which("protoc"), "no protoc")
    def test_our_protocol_is_theirs(self):
        """Each method and field that both have is the same in both."""
        from google.protobuf import descriptor_pb2
        from tritonclient.grpc import model_config_pb2, service_pb2

        def messages(all_of_them, scope=""):
            for message in all_of_them:
                yield scope + message.name, {f.name: (f.number, f.type, f.label, f.type_name) for f in message.field}
                yield from messages(message.nested_type, f"{scope}{message.name}.")

        def methods(file):
            return {m.name: (m.input_type, m.output_type, m.client_streaming, m.server_streaming)
                    for service in file.service for m in service.method}

        theirs = [descriptor_pb2.FileDescriptorProto(), descriptor_pb2.FileDescriptorProto()]
        service_pb2.DESCRIPTOR.CopyToProto(theirs[0])
        model_config_pb2.DESCRIPTOR.CopyToProto(theirs[1])
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run(["protoc", f"-I{PROTO}", f"--descriptor_set_out={out.name}", "inference.proto"], check=True)
            ours = descriptor_pb2.FileDescriptorSet.FromString(out.read()).file[0]
        their_messages = {name: fields for file in theirs for name, fields in messages(file.message_type)}
        for name, fields in messages(ours.message_type):
            if name.startswith("ModelMetadataResponse"):  # `properties` is of the Open Inference Protocol, not Triton's
                fields.pop("properties", None)
            for field, what in fields.items():
                if name in their_messages:
                    self.assertEqual(what, their_messages[name].get(field), f"{name}.{field}")
        self.assertEqual({n: m for n, m in methods(theirs[0]).items() if methods(ours).get(n) != m}, {})

    def test_statistics(self):
        before = self.client.get_inference_statistics("ntm-recall").model_stats[0].inference_stats.success.count
        width = 6 + 2  # of the model's rows: data and two markers
        self.client.infer("ntm-recall", [tensor("input", np.zeros((4, width)), "FP32")])
        after = self.client.get_inference_statistics("ntm-recall").model_stats[0]
        self.assertEqual(after.inference_stats.success.count, before + 1)
        self.assertGreater(after.execution_count, 0)

    def test_repository(self):
        index = {model.name: model.state for model in self.client.get_model_repository_index().models}
        self.assertEqual(index["ntm-repeat-copy"], "READY")
        self.client.unload_model("ntm-repeat-copy")
        self.assertFalse(self.client.is_model_ready("ntm-repeat-copy"))
        self.client.load_model("ntm-repeat-copy")
        self.assertTrue(self.client.is_model_ready("ntm-repeat-copy"))
        with self.assertRaises(InferenceServerException):
            self.client.load_model("none")

    def test_kserves_client(self):
        """In a process of its own: its messages have the same names as Triton's, of which a process can hold one."""
        done = subprocess.run([sys.executable, os.path.join(HERE, "kserve_client_test.py"), SERVER],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 77:
            self.skipTest(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
