#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Open Inference Protocol over HTTP: Triton's Python client, unchanged, and curl; and /openapi.json, against heed-server
and the models that ship.

BUILD/standard-clients/bin/python3 tests/client/rest_clients_test.py BUILD/bin/heed-server

scripts/standard_clients.sh makes that Python. Without Triton's client, exits 77 (ctest: skipped). KServe's client over HTTP
is in kserve_client_test.py.
"""

import copy
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

try:
    import numpy as np
    import tritonclient.grpc as grpc_client
    import tritonclient.http as client
    from tritonclient.utils import InferenceServerException
except ImportError as missing:
    print(f"skipped: {missing}; scripts/standard_clients.sh installs it")
    sys.exit(77)
try:
    import jsonschema
    import openapi_spec_validator
except ImportError:
    jsonschema = openapi_spec_validator = None

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../weights")
PROTO = os.path.join(HERE, "../../proto")
DTYPES = {"BYTES": object, "FP32": np.float32, "INT64": np.int64}


def tensor(name, values, datatype, binary=True):
    array = np.array(values, dtype=DTYPES[datatype])
    result = client.InferInput(name, list(array.shape), datatype)
    result.set_data_from_numpy(array, binary_data=binary)
    return result


def grpc_tensor(name, values, datatype):
    array = np.array(values, dtype=DTYPES[datatype])
    result = grpc_client.InferInput(name, list(array.shape), datatype)
    result.set_data_from_numpy(array)
    return result


def graph(width):
    x = np.zeros((5, width), np.float32)
    x[:, 0] = 0.1
    return [("x", x, "FP32"), ("edge_index", [[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]], "INT64"),
            ("batch", [0, 0, 0, 1, 1], "INT64")]


class RestClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = HeedServer(SERVER, f"--models={WEIGHTS}", "--metrics_listen=", "--management=true",
                                "--http_listen=127.0.0.1:0")
        cls.url = f"http://{cls.server.http_address}"
        cls.client = client.InferenceServerClient(cls.server.http_address, concurrency=4)
        cls.grpc_client = grpc_client.InferenceServerClient(cls.server.address)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.grpc_client.close()
        assert cls.server.terminate() == 0

    def open(self, path, body=None, headers=None):
        """Status, headers and body."""
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def refused(self, call, status, message):
        with self.assertRaises(InferenceServerException) as raised:
            call()
        self.assertEqual(raised.exception.status(), str(status))
        self.assertIn(message, raised.exception.message())


class TritonsClient(RestClients):
    def test_health_and_metadata(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("translator-en-de"))
        self.assertTrue(self.client.is_model_ready("translator-en-de", "1"))
        self.assertFalse(self.client.is_model_ready("none"))
        server = self.client.get_server_metadata()
        self.assertEqual(server["name"], "heed")
        self.assertIn("binary_tensor_data", server["extensions"])
        model = self.client.get_model_metadata("translator-en-de", "1")
        self.assertEqual(model["inputs"], [{"name": "text", "datatype": "BYTES", "shape": [-1]}])
        self.assertEqual(model["outputs"][0]["name"], "translation")
        config = self.client.get_model_config("gat-cora")
        self.assertEqual([i["name"] for i in config["input"]], ["x", "edge_index", "nodes"])
        self.assertEqual(config["input"][0]["data_type"], "TYPE_FP32")
        self.assertTrue(config["input"][2]["optional"])

    def test_translations_are_grpcs_whatever_their_form(self):
        texts = ["Good morning.".encode(), "Where is the station?".encode(), "“Über”".encode()]
        whole = self.grpc_client.infer("translator-en-de", [grpc_tensor("text", texts, "BYTES")],
                                       parameters={"beam_size": 4})
        for binary in (False, True):
            for outputs in (None, False, True):
                wanted = None if outputs is None else [
                    client.InferRequestedOutput(name, binary_data=outputs) for name in ("translation", "score")]
                for compression in (None, "gzip", "deflate"):
                    result = self.client.infer("translator-en-de", [tensor("text", texts, "BYTES", binary)],
                                               outputs=wanted, request_id="7", parameters={"beam_size": 4},
                                               request_compression_algorithm=compression,
                                               response_compression_algorithm=compression)
                    with self.subTest(binary=binary, outputs=outputs, compression=compression):
                        self.assertEqual(result.get_response()["id"], "7")
                        translations = [text if isinstance(text, str) else text.decode()
                                        for text in result.as_numpy("translation")]
                        self.assertEqual(translations, [text.decode() for text in whole.as_numpy("translation")])
                        np.testing.assert_array_equal(result.as_numpy("score"), whole.as_numpy("score"))
                        self.assertEqual(result.as_numpy("finish_reason") is None, outputs is not None)

    def test_numbers_are_grpcs_whatever_their_form(self):
        width = self.client.get_model_metadata("gat-mutag")["inputs"][0]["shape"][1]
        whole = self.grpc_client.infer("gat-mutag", [grpc_tensor(*one) for one in graph(width)])
        for binary in (False, True):
            for outputs in (False, True):
                result = self.client.infer("gat-mutag", [tensor(*one, binary) for one in graph(width)],
                                           outputs=[client.InferRequestedOutput(name, binary_data=outputs)
                                                    for name in ("probabilities", "class", "label")])
                for name in ("probabilities", "class"):
                    np.testing.assert_array_equal(result.as_numpy(name), whole.as_numpy(name))

    def test_asynchronous_requests(self):
        inputs = [tensor("text", ["Good morning.".encode()], "BYTES")]
        for request in [self.client.async_infer("translator-en-de", inputs) for _ in range(8)]:
            self.assertEqual(request.get_result().as_numpy("translation")[0].decode(), "Guten Morgen.")

    def test_large_tensors(self):
        rows = np.tile(np.array([[0, 1, 1, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 1, 0, 1]], np.float32), (10, 1))
        result = self.client.infer("ntm-copy", [tensor("input", rows, "FP32")])
        np.testing.assert_array_equal(result.as_numpy("output").round(), rows)
        texts = [f"This is sentence number {i}.".encode() for i in range(400)]  # beyond what one thread does at once
        for binary in (False, True):
            result = self.client.infer("translator-en-de", [tensor("text", texts * 8, "BYTES", binary)],
                                       parameters={"max_tokens": 1})
            self.assertEqual(result.as_numpy("translation").shape, (3200,))

    def test_questions(self):
        story = tensor("story", ["Mary went to the kitchen.".encode(), "John took the apple.".encode()], "BYTES")
        result = self.client.infer("ntm-babi", [story, tensor("question", ["Where is Mary?".encode()], "BYTES", False)])
        self.assertEqual([answer.decode() for answer in result.as_numpy("answer")], ["kitchen"])

    def test_errors(self):
        cases = [
            ("none", [tensor("text", [b"a"], "BYTES")], 404, 'there is no "none"'),
            ("translator-en-de", [tensor("text", [[1.0]], "FP32")], 400, 'is "FP32", must be BYTES'),
            ("translator-en-de", [tensor("words", [b"a"], "BYTES")], 400, "no such input; it has: text"),
            ("gat-cora", [tensor("x", [[1.0]], "FP32", False)], 400, "is [1, 1], must be [-1, 1433]"),
        ]
        for model, inputs, status, message in cases:
            self.refused(lambda m=model, i=inputs: self.client.infer(m, i), status, message)
        text = tensor("text", [b"a"], "BYTES")
        self.refused(lambda: self.client.infer("translator-en-de", [text], parameters={"beam": 4}), 400, '"beam"')
        self.refused(lambda: self.client.infer("translator-en-de", [text], timeout=1), 504, "deadline")

    def test_what_is_not_served_is_named(self):
        text = tensor("text", [b"Good morning."], "BYTES")
        shared = client.InferInput("text", [1], "BYTES")
        shared.set_shared_memory("mine", 64)
        classes = client.InferRequestedOutput("translation", class_count=3)
        self.refused(lambda: self.client.infer("translator-en-de", [shared]), 400, "shared memory is not served")
        self.refused(lambda: self.client.infer("translator-en-de", [text], outputs=[classes]), 400, '"classification"')
        self.refused(lambda: self.client.infer("translator-en-de", [text], sequence_id=7), 400, "of a sequence")
        for call, message in [
                (self.client.get_system_shared_memory_status, "shared memory is not served"),
                (lambda: self.client.register_system_shared_memory("a", "/a", 64), "shared memory is not served"),
                (self.client.unregister_cuda_shared_memory, "shared memory is not served"),
                (self.client.get_trace_settings, "trace settings are not served"),
                (lambda: self.client.update_trace_settings("m", {}), "trace settings are not served"),
                (self.client.get_log_settings, "log settings are not served")]:
            self.refused(call, 501, message)

    def test_statistics(self):
        def successes():
            return self.client.get_inference_statistics("ntm-recall")["model_stats"][0]["inference_stats"]["success"]["count"]

        before = successes()
        self.client.infer("ntm-recall", [tensor("input", np.zeros((4, 8)), "FP32")])
        self.assertEqual(successes(), before + 1)
        self.assertGreater(len(self.client.get_inference_statistics()["model_stats"]), 5)

    def test_repository(self):
        index = {model["name"]: model["state"] for model in self.client.get_model_repository_index()}
        self.assertEqual(index["ntm-repeat-copy"], "READY")
        self.client.unload_model("ntm-repeat-copy")
        self.assertFalse(self.client.is_model_ready("ntm-repeat-copy"))
        self.client.load_model("ntm-repeat-copy")
        self.assertTrue(self.client.is_model_ready("ntm-repeat-copy"))
        self.refused(lambda: self.client.load_model("none"), 404, "none")
        self.refused(lambda: self.client.load_model("ntm-repeat-copy", config="{}"), 400, '"config" is not known')


class Bodies(RestClients):
    """What no client sends by itself."""

    def infer(self, body, headers=None, model="translator-en-de"):
        status, headers, answer = self.open(f"/v2/models/{model}/infer", body, headers)
        return status, json.loads(answer)

    def test_length_of_the_json(self):
        request = b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":10}}]}'
        body = request + b"\6\0\0\0Hello."
        status, answer = self.infer(body, {"Inference-Header-Content-Length": str(len(request))})
        self.assertEqual((status, answer["outputs"][0]["data"]), (200, ["Hallo."]), answer)
        for length, message in [("x", "must be a number of bytes"), ("0", "must be the JSON's bytes"),
                                (str(len(body) + 1), "as the body has"), (str(len(request) - 1), "not valid JSON")]:
            status, answer = self.infer(body, {"Inference-Header-Content-Length": length})
            self.assertEqual(status, 400)
            self.assertIn(message, answer["error"])

    def test_wrong_bodies(self):
        for body, message in [(b"", "not valid JSON"), (b"[]", "must be an object"), (b'{"x":1}', '"x" is not known'),
                              (b'{"inputs":[]}', '"text" (BYTES [-1]) is missing'), (b"[" * 100_000, "a list, must be")]:
            status, answer = self.infer(body)
            self.assertEqual(status, 400, answer)
            self.assertIn(message, answer["error"])
        status, answer = self.infer(gzip.compress(b"{}")[:-4], {"Content-Encoding": "gzip"})
        self.assertEqual(status, 400)
        self.assertIn("not whole", answer["error"])
        status, answer = self.infer(gzip.compress(b" " * (17 << 20)), {"Content-Encoding": "gzip"})
        self.assertEqual(status, 413 if "error" in answer else 429, answer)

    def test_paths_and_methods(self):
        for path, status in [("/v2", 200), ("/v2/", 200), ("/v2/models", 200), ("/v2/models/stats", 200),
                             ("/v2/models/translator-en-de/versions/1/stats", 200), ("/v2/models/none", 404),
                             ("/v2/models/translator-en-de/versions/x", 400), ("/v2/nothing", 404),
                             ("/v2/models/translator-en-de/infer", 405), ("/v2/repository/index", 405)]:
            with self.subTest(path):
                answer = self.open(path)
                self.assertEqual(answer[0], status, answer[2])
                if status >= 400:
                    self.assertIn("error", json.loads(answer[2]))
        self.assertIn("POST", self.open("/v2/models/translator-en-de/infer")[1]["Allow"])
        self.assertIn("translator-en-de", json.loads(self.open("/v2/models")[2])["models"])
        self.assertEqual(json.loads(self.open("/v2/health/live")[2]), {"live": True})
        self.assertEqual(json.loads(self.open("/v2/health/ready")[2]), {"ready": True})

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_curl(self):
        body = {"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["Good morning.", "Hello."]}],
                "parameters": {"beam_size": 4}, "outputs": [{"name": "translation"}]}
        curl = ["curl", "--silent", "--show-error", "--compressed", "--fail-with-body", "--json", json.dumps(body)]
        done = subprocess.run([*curl, f"{self.url}/v2/models/translator-en-de/infer"], capture_output=True, check=True)
        self.assertEqual(json.loads(done.stdout)["outputs"][0]["data"], ["Guten Morgen.", "Hallo."])
        done = subprocess.run([*curl, f"{self.url}/v2/models/none/infer"], capture_output=True)
        self.assertEqual(done.returncode, 22)
        self.assertIn('there is no \\"none\\"', done.stdout.decode())


@unittest.skipIf(openapi_spec_validator is None, "no openapi-spec-validator; scripts/standard_clients.sh installs it")
class OpenApi(RestClients):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with urllib.request.urlopen(f"{cls.url}/openapi.json") as answer:
            cls.document = json.load(answer)
        # As they are, schemas take what they do not name. Here, answers have to be what they name.
        cls.strict = copy.deepcopy(cls.document["components"])
        for schema in cls.strict["schemas"].values():
            if schema.get("type") == "object" and "properties" in schema:
                schema["additionalProperties"] = False

    def check(self, schema, value):
        jsonschema.validate(value, {**schema, "components": self.strict}, cls=jsonschema.Draft202012Validator)

    def test_is_valid(self):
        openapi_spec_validator.validate(self.document)
        status, headers, body = self.open("/openapi.json", headers={"Accept-Encoding": "gzip"})
        self.assertEqual((status, headers["Content-Encoding"]), (200, "gzip"))
        self.assertEqual(json.loads(gzip.decompress(body)), self.document)

    @unittest.skipUnless(shutil.which("protoc"), "no protoc")
    def test_has_every_method(self):
        from google.protobuf import descriptor_pb2
        with tempfile.NamedTemporaryFile() as out:
            names = sorted(os.listdir(os.path.join(PROTO, "heed/v1")))
            subprocess.run(["protoc", f"-I{PROTO}", f"--descriptor_set_out={out.name}",
                            *[f"heed/v1/{name}" for name in names]], check=True)
            files = descriptor_pb2.FileDescriptorSet.FromString(out.read()).file
        wanted = {f"/{file.package}.{service.name}/{method.name}"
                  for file in files for service in file.service for method in service.method}
        self.assertGreater(len(wanted), 30)
        self.assertEqual(wanted - set(self.document["paths"]), set())
        for path in wanted:
            operation = self.document["paths"][path]["post"]
            self.assertTrue(operation.get("summary"), path)
            self.assertIn("security", operation)
        schemas = self.document["components"]["schemas"]
        messages = {f"{file.package}.{message.name}" for file in files for message in file.message_type}
        self.assertEqual(messages - set(schemas), set())
        self.assertIn("UTF-8", schemas["heed.v1.TranslateRequest"]["properties"]["texts"]["description"])

    def test_operations_have_their_own_ids(self):
        ids = [operation["operationId"] for path in self.document["paths"].values()
               for operation in path.values() if isinstance(operation, dict)]
        self.assertEqual(len(ids), len(set(ids)))

    def test_real_answers_are_as_it_says(self):
        text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["Good morning."]}
        requests = [
            ("get", "/v2", "/v2", None),
            ("get", "/v2/health/live", "/v2/health/live", None),
            ("get", "/v2/health/ready", "/v2/health/ready", None),
            ("get", "/v2/models", "/v2/models", None),
            ("get", "/v2/models/stats", "/v2/models/stats", None),
            ("get", "/v2/models/{model}", "/v2/models/gat-cora", None),
            ("get", "/v2/models/{model}/config", "/v2/models/gat-cora/config", None),
            ("post", "/v2/models/{model}/infer", "/v2/models/translator-en-de/infer", {"inputs": [text]}),
            ("post", "/v2/models/{model}/infer", "/v2/models/translator-en-de/infer", {"inputs": []}, 400),
            ("post", "/v2/repository/index", "/v2/repository/index", {"ready": True}),
            ("post", "/heed.v1.ModelService/ListModels", "/heed.v1.ModelService/ListModels", {}),
            ("post", "/heed.v1.TranslationService/Translate", "/heed.v1.TranslationService/Translate",
             {"model": "translator-en-de", "texts": ["Good morning. How are you?"],
              "options": {"beamSize": 4, "nBest": 2, "returnTokens": True, "returnAttention": True}}),
            ("post", "/heed.v1.TranslationService/Translate", "/heed.v1.TranslationService/Translate", {"model": "none"}, 404),
            ("post", "/heed.v1.TranslationService/ListLanguages", "/heed.v1.TranslationService/ListLanguages", {}),
            ("get", "/languages", "/languages", None),
            ("get", "/frontend/settings", "/frontend/settings", None),
            ("get", "/health", "/health", None),
            ("post", "/translate", "/translate", {"q": "Good morning.", "source": "auto", "target": "de", "alternatives": 2}),
            ("post", "/translate", "/translate", {"q": ["Good morning."], "source": "en", "target": "de"}),
            ("post", "/translate", "/translate", {"q": "Good morning.", "source": "en", "target": "xx"}, 400),
            ("post", "/detect", "/detect", {"q": "Where is the station?"}),
            ("get", "/v2/languages", "/v2/languages", None),
            ("get", "/v2/usage", "/v2/usage", None),
            ("get", "/v2/glossary-language-pairs", "/v2/glossary-language-pairs", None),
            ("post", "/v2/translate", "/v2/translate",
             {"text": ["Good morning."], "target_lang": "DE", "show_billed_characters": True}),
            ("post", "/v2/translate", "/v2/translate", {"text": ["Good morning."], "target_lang": "XX"}, 400),
            ("post", "/v2/glossaries", "/v2/glossaries",
             {"name": "g", "source_lang": "en", "target_lang": "de", "entries": "dog\tKatze", "entries_format": "tsv"}, 201),
            ("get", "/v2/glossaries", "/v2/glossaries", None),
        ]
        for method, template, path, body, *wanted in requests:
            with self.subTest(path, body=body):
                operation = self.document["paths"][template][method]
                if body is not None:
                    self.check(operation["requestBody"]["content"]["application/json"]["schema"], body)
                data = None if body is None else json.dumps(body).encode()
                status, headers, answer = self.open(path, data, {"Content-Type": "application/json"} if data else {})
                self.assertEqual(status, wanted[0] if wanted else 200, answer)
                response = operation["responses"].get(str(status), operation["responses"]["default"])
                if "$ref" in response:
                    self.assertGreaterEqual(status, 400)
                    response = self.document["components"]["responses"][response["$ref"].split("/")[-1]]
                self.assertEqual(headers["Content-Type"], "application/json")
                self.check(response["content"]["application/json"]["schema"], json.loads(answer))


class Tokens(unittest.TestCase):
    def test_clients_show_their_token(self):
        with tempfile.NamedTemporaryFile("w") as tokens:
            tokens.write("alice 0123456789abcdef0123456789abcdef infer\n")
            tokens.flush()
            flags = [f"--models={WEIGHTS}", "--metrics_listen=", f"--tokens={tokens.name}", "--http_listen=127.0.0.1:0"]
            with HeedServer(SERVER, *flags) as server:
                with client.InferenceServerClient(server.http_address) as triton:
                    inputs = [tensor("text", ["Good morning.".encode()], "BYTES")]
                    headers = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
                    self.assertTrue(triton.is_server_ready())
                    for wrong in (None, {"Authorization": "Bearer nobody"}):
                        with self.assertRaises(InferenceServerException) as raised:
                            triton.infer("translator-en-de", inputs, headers=wrong)
                        self.assertEqual(raised.exception.status(), "401")
                    result = triton.infer("translator-en-de", inputs, headers=headers)
                    self.assertEqual(result.as_numpy("translation")[0].decode(), "Guten Morgen.")
                    with self.assertRaises(InferenceServerException) as raised:
                        triton.unload_model("gat-cora", headers=headers)
                    self.assertEqual(raised.exception.status(), "403")


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
