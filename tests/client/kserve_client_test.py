#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""KServe's Python client, unchanged and with its defaults, and MLServer's hints, against heed-server and the models that
ship; and deploy/kserve/ as KServe would run it.

BUILD/standard-clients/bin/python3 tests/client/kserve_client_test.py BUILD/bin/heed-server

scripts/standard_clients.sh makes that Python. Without the client package, exits 77.
"""

import asyncio
import importlib.util
import os
import pathlib
import sys
import tempfile
import types
import unittest

found = importlib.util.find_spec("kserve")
if found is None:
    print("skipped: no kserve; scripts/standard_clients.sh installs it")
    sys.exit(77)

# The package's own __init__ imports a framework for servers, which is not installed. So its modules are imported without
# it.
package = types.ModuleType("kserve")
package.__path__ = list(found.submodule_search_locations)
sys.modules["kserve"] = package

import numpy as np  # noqa: E402
import tritonclient.http  # noqa: E402
import yaml  # noqa: E402
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig  # noqa: E402
from kserve.protocol.infer_type import InferInput, InferRequest, RequestedOutput  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

WEIGHTS = os.path.join(HERE, "../../weights")


class KServeClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = HeedServer(SERVER, f"--models={WEIGHTS}", "--metrics_listen=", "--http_listen=127.0.0.1:0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.terminate() == 0

    def infer(self, model, inputs, **arguments):
        """`inputs`: name to array or, with hints of it, to (array, parameters)."""
        async def call():
            made = []
            for name, value in inputs.items():
                array, parameters = value if isinstance(value, tuple) else (value, None)
                datatype = {"O": "BYTES", "f": "FP32", "i": "INT64"}[array.dtype.kind]
                one = InferInput(name, list(array.shape), datatype, parameters=parameters)
                one.set_data_from_numpy(array)
                made.append(one)
            async with InferenceGRPCClient(self.server.address) as kserve:
                self.assertTrue(await kserve.is_server_ready())
                self.assertTrue(await kserve.is_model_ready(model))
                return await kserve.infer(InferRequest(model_name=model, infer_inputs=made, **arguments))

        response = asyncio.run(call())
        return {output.name: output.as_numpy() for output in response.outputs}

    def test_translation(self):
        texts = np.array(["Good morning.", "Where is the station?"], dtype=object)
        answer = self.infer("translator-en-de", {"text": texts}, parameters={"beam_size": 4})
        self.assertEqual([text.decode() for text in answer["translation"]], ["Guten Morgen.", "Wo ist der Bahnhof?"])

    def test_hints_of_inputs_outputs_and_the_request(self):
        texts = np.array(["Good morning."], dtype=object)
        answer = self.infer("translator-en-de", {"text": (texts, {"content_type": "str"})},
                            parameters={"content_type": "str", "binary_data_output": True, "headers": "x-a: 1"},
                            request_outputs=[RequestedOutput("translation", {"binary_data": True, "content_type": "str"})])
        self.assertEqual(list(answer), ["translation"])
        self.assertEqual(answer["translation"][0].decode(), "Guten Morgen.")

    def test_questions(self):
        story = np.array(["Mary went to the kitchen.", "John took the apple."], dtype=object)
        answer = self.infer("ntm-babi", {"story": story, "question": np.array(["Where is Mary?"], dtype=object)})
        self.assertEqual(answer["answer"][0].decode(), "kitchen")

    def test_nodes_edges_and_graphs(self):
        for model, rows in (("gat-cora", 3), ("gat-cora-links", 2), ("gat-mutag", 1), ("gcn-cora", 3)):
            width = {"gat-mutag": 11}.get(model, 1433)
            x = np.zeros((3, width), np.float32)
            x[:, 0] = 1
            answer = self.infer(model, {"x": x, "edge_index": np.array([[0, 1], [1, 2]])})
            self.assertEqual(answer["probabilities"].shape[0], rows, model)
            self.assertEqual(answer["label"].shape, (rows,), model)

    def test_sequences(self):
        rows = np.array([[0, 1, 1, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 1, 0, 1]], np.float32)
        np.testing.assert_array_equal(self.infer("ntm-copy", {"input": rows})["output"].round(), rows)


class KServeRestClient(KServeClient):
    """The same over HTTP, with bytes and with lists."""

    binary = True

    def infer(self, model, inputs, **arguments):
        async def call():
            url = f"http://{self.server.http_address}"
            made = []
            for name, value in inputs.items():
                array, parameters = value if isinstance(value, tuple) else (value, None)
                datatype = {"O": "BYTES", "f": "FP32", "i": "INT64"}[array.dtype.kind]
                one = InferInput(name, list(array.shape), datatype, parameters=parameters)
                one.set_data_from_numpy(array, binary_data=self.binary)
                made.append(one)
            arguments["parameters"] = {"binary_data_output": self.binary, **arguments.get("parameters", {})}
            async with InferenceRESTClient(RESTConfig(protocol="v2")) as kserve:
                self.assertTrue(await kserve.is_server_live(url))
                self.assertTrue(await kserve.is_server_ready(url))
                self.assertTrue(await kserve.is_model_ready(url, model))
                self.assertFalse(await kserve.is_model_ready(url, "none"))
                request = InferRequest(model_name=model, infer_inputs=made, **arguments)
                return await kserve.infer(url, request, model_name=model)

        response = asyncio.run(call())
        answer = {output.name: output.as_numpy() for output in response.outputs}
        # Bytes or text, as the form has it.
        return {name: np.array([one.encode() if isinstance(one, str) else one for one in array.flat],
                               dtype=object).reshape(array.shape) if array.dtype.kind in "OU" else array
                for name, array in answer.items()}

    def test_errors(self):
        async def call():
            async with InferenceRESTClient(RESTConfig(protocol="v2")) as kserve:
                await kserve.infer(f"http://{self.server.http_address}", {"inputs": []}, model_name="none")

        with self.assertRaisesRegex(Exception, 'there is no "none".*404'):
            asyncio.run(call())


class KServeRestClientWithLists(KServeRestClient):
    binary = False


class Runtime(unittest.TestCase):
    """deploy/kserve/'s runtime with the model of each InferenceService, called over the port that the service names."""

    # What a test cannot have as a pod has it: fixed ports, and a log for machines.
    REPLACED = {"--listen=:9000": "--listen=127.0.0.1:0", "--http_listen=:8080": "--http_listen=127.0.0.1:0",
                "--metrics_listen=:8002": "--metrics_listen=127.0.0.1:0", "--log_format=json": "--log_format=logfmt"}

    @classmethod
    def setUpClass(cls):
        cls.deploy = pathlib.Path(HERE, "../../deploy/kserve")
        cls.runtime = yaml.safe_load((cls.deploy / "clusterservingruntime.yaml").read_text())

    def call(self, service, inputs):
        """The outputs of the InferenceService of this file."""
        service = yaml.safe_load((self.deploy / service).read_text())
        model = service["spec"]["predictor"]["model"]
        name = service["metadata"]["name"]
        container = self.runtime["spec"]["containers"][0]
        self.assertEqual(container["command"], ["heed-server"])
        # KServe's template takes the service's metadata, and its initializer puts the model's files at /mnt/models.
        flags = [flag.replace("{{.Name}}", name) for flag in container["args"]]
        self.assertLessEqual(set(self.REPLACED), set(flags))
        with tempfile.TemporaryDirectory() as root:
            os.symlink(os.path.abspath(os.path.join(WEIGHTS, model["storageUri"].removeprefix("pvc://models/"))),
                       os.path.join(root, "models"))
            flags = [self.REPLACED.get(flag, flag).replace("/mnt/models", os.path.join(root, "models")) for flag in flags]
            server = HeedServer(SERVER, *flags)
            try:
                made = []
                for key, array in inputs.items():
                    one = InferInput(key, list(array.shape), {"O": "BYTES", "f": "FP32", "i": "INT64"}[array.dtype.kind])
                    one.set_data_from_numpy(array, binary_data=True)
                    made.append(one)
                call = {"h2c": self.over_grpc, "http1": self.over_rest}[model["ports"][0]["name"]]
                response = asyncio.run(call(server, name, InferRequest(model_name=name, infer_inputs=made)))
            finally:
                server.kill()  # whose lame duck would take seconds
        return {output.name: output.as_numpy() for output in response.outputs}

    @staticmethod
    def text_of(value):
        return value.decode() if isinstance(value, bytes) else value  # bytes or text, as the form has it

    async def over_grpc(self, server, name, request):
        async with InferenceGRPCClient(server.address) as kserve:
            self.assertTrue(await kserve.is_server_ready())
            self.assertTrue(await kserve.is_model_ready(name))
            return await kserve.infer(request)

    async def over_rest(self, server, name, request):
        with tritonclient.http.InferenceServerClient(server.http_address) as triton:
            self.assertEqual(triton.get_model_metadata(name)["name"], name)
        url = f"http://{server.http_address}"
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as kserve:
            self.assertTrue(await kserve.is_model_ready(url, name))
            return await kserve.infer(url, request, model_name=name)

    def test_translators(self):
        for service in ("translator-grpc.yaml", "translator-rest.yaml"):
            answer = self.call(service, {"text": np.array(["Good morning."], dtype=object)})
            self.assertEqual(self.text_of(answer["translation"][0]), "Guten Morgen.", service)

    def test_graphs(self):
        x = np.zeros((3, 1433), np.float32)
        x[:, 0] = 1
        labels = set()
        for service in ("graph-grpc.yaml", "graph-rest.yaml"):
            answer = self.call(service, {"x": x, "edge_index": np.array([[0, 1], [1, 2]])})
            self.assertEqual(answer["probabilities"].shape, (3, 7), service)
            labels.add(tuple(self.text_of(label) for label in answer["label"]))
        self.assertEqual(len(labels), 1, "both give the same")


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
