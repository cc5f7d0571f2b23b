#!/usr/bin/env python3
"""The Open Inference Protocol's public Python client, unchanged, against heed-server and the models that ship.

BUILD/standard-clients/bin/python3 tests/client/standard_clients_test.py BUILD/bin/heed-server

scripts/standard_clients.sh makes that Python. Without the client package, exits 77 (ctest: skipped).
"""

import json
import os
import queue
import sys
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


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
