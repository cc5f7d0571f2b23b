#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the converters of Neural Turing Machines: a converted model computes what the original does, of which this file
holds a plain restatement by its published equations and conventions. Needs PyTorch and numpy; without them, exits 77
(ctest: skipped).

    python3 tests/recipes/ntm_converters_test.py
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

try:
    import numpy
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import from_ntm_cell  # noqa: E402
import from_pytorch_ntm  # noqa: E402
import ntm  # noqa: E402
from torch_checkpoint import Refused  # noqa: E402

ROWS, BATCH = 9, 2
TOLERANCE = 2e-6  # float32 on one side, float64 on the other


def run(script, *arguments):
    """Runs a recipe as the command line does, in this process; returns what sys.exit was given, or None."""
    sys.argv = [script.__name__, *arguments]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            script.main()
        except SystemExit as end:
            return end.code
    return None


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def softplus(x):
    return numpy.log1p(numpy.exp(x))


def softmax(x):
    powers = numpy.exp(x - x.max())
    return powers / powers.sum()


class Converter(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        torch.set_num_threads(1)
        self.random = numpy.random.default_rng(5)

    def normal(self, *shape, scale=0.6):
        return (scale * self.random.standard_normal(shape)).astype(numpy.float32)

    def outputs_of(self, directory, rows):
        model, _ = ntm.load_model(directory)
        with torch.no_grad():
            return model(torch.from_numpy(rows)[None])[0][0].numpy()

    def assert_same(self, directory, original, width):
        rows = self.normal(ROWS, width, scale=1.0)
        difference = numpy.abs(self.outputs_of(directory, rows) - original(rows.astype(numpy.float64))).max()
        self.assertLess(difference, TOLERANCE)


def pytorch_ntm(tensors, heads, layers):
    """What pytorch-ntm computes: rows [T, inputs] -> outputs [T, outputs]."""
    values = {name: tensor.double().numpy() for name, tensor in tensors.items()}

    def linear(name, x):
        return values[f"{name}.weight"] @ x + values[f"{name}.bias"]

    def lstm(x, hidden, cell):
        for layer in range(layers):
            names = [
                f"ntm.controller.lstm.{part}_l{layer}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            w_in, w_state, b_in, b_state = (values[name] for name in names)
            i, f, g, o = numpy.split(w_in @ x + b_in + w_state @ hidden[layer] + b_state, 4)
            cell[layer] = sigmoid(f) * cell[layer] + sigmoid(i) * numpy.tanh(g)
            x = hidden[layer] = sigmoid(o) * numpy.tanh(cell[layer])
        return x

    def address(memory, k, beta, g, s, gamma, before):
        keys, slots = k + 1e-16, memory + 1e-16
        cosines = (
            slots @ keys / (numpy.maximum(numpy.linalg.norm(slots, axis=1), 1e-8) * max(numpy.linalg.norm(keys), 1e-8))
        )
        gate = sigmoid(g)
        gated = gate * softmax(softplus(beta) * cosines) + (1 - gate) * before
        around, moves = numpy.concatenate([gated[-1:], gated, gated[:1]]), softmax(s)
        shifted = numpy.array([around[n : n + 3] @ moves for n in range(len(gated))])  # a correlation, as conv1d is
        sharp = shifted ** (1 + softplus(gamma))
        return sharp / (sharp.sum() + 1e-16)

    def forward(rows):
        memory = values["memory.mem_bias"].copy()
        width = memory.shape[1]
        reads = [values[f"ntm.read{index}_bias"][0] for index in range(heads.count("read"))]
        hidden, cell = (list(values[f"ntm.controller.lstm_{part}_bias"][:, 0]) for part in "hc")
        weights, outputs = [numpy.zeros(len(memory)) for _ in heads], []
        for row in rows:
            h = lstm(numpy.concatenate([row, *reads]), hidden, cell)
            reads = []
            for index, kind in enumerate(heads):
                o = linear(f"ntm.heads.{index}.fc_{kind}", h)
                k, beta, g, s, gamma = o[:width], o[width], o[width + 1], o[width + 2 : width + 5], o[width + 5]
                weights[index] = address(memory, k, beta, g, s, gamma, weights[index])
                if kind == "read":
                    reads.append(weights[index] @ memory)
                else:
                    e, a = sigmoid(o[width + 6 : 2 * width + 6]), o[2 * width + 6 :]
                    memory = memory * (1 - numpy.outer(weights[index], e)) + numpy.outer(weights[index], a)
            outputs.append(sigmoid(linear("ntm.fc", numpy.concatenate([h, *reads]))))
        return numpy.array(outputs)

    return forward


class FromPytorchNtm(Converter):
    INPUTS, OUTPUTS, SIZE, SLOTS, WIDTH = 5, 4, 7, 10, 3

    def state_dict(self, pairs=1, layers=1):
        """The names and shapes of EncapsulatedNTM.state_dict(), the copies of the memory included."""
        tensors = {"memory.mem_bias": self.normal(self.SLOTS, self.WIDTH)}
        inputs = self.INPUTS + pairs * self.WIDTH
        for layer in range(layers):
            tensors[f"ntm.controller.lstm.weight_ih_l{layer}"] = self.normal(
                4 * self.SIZE, self.SIZE if layer else inputs
            )
            tensors[f"ntm.controller.lstm.weight_hh_l{layer}"] = self.normal(4 * self.SIZE, self.SIZE)
            tensors[f"ntm.controller.lstm.bias_ih_l{layer}"] = self.normal(4 * self.SIZE)
            tensors[f"ntm.controller.lstm.bias_hh_l{layer}"] = self.normal(4 * self.SIZE)
        for part in "hc":
            tensors[f"ntm.controller.lstm_{part}_bias"] = self.normal(layers, 1, self.SIZE)
        for index in range(2 * pairs):
            rows = self.WIDTH + 6 + index % 2 * 2 * self.WIDTH
            name = f"ntm.heads.{index}.fc_{'write' if index % 2 else 'read'}"
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = self.normal(rows, self.SIZE), self.normal(
                rows, scale=1.5
            )
            tensors[f"ntm.heads.{index}.memory.mem_bias"] = tensors["memory.mem_bias"]
        for index in range(pairs):
            tensors[f"ntm.read{index}_bias"] = self.normal(1, self.WIDTH)
        tensors["ntm.fc.weight"] = self.normal(self.OUTPUTS, self.SIZE + pairs * self.WIDTH)
        tensors["ntm.fc.bias"] = self.normal(self.OUTPUTS)
        tensors["ntm.memory.mem_bias"] = tensors["memory.mem_bias"]
        return {name: torch.from_numpy(value) for name, value in tensors.items()}

    def convert(self, tensors, *flags):
        torch.save(tensors, f"{self.folder}/copy.model")
        return run(from_pytorch_ntm, f"{self.folder}/copy.model", f"{self.folder}/model", *flags)

    def test_a_converted_model_computes_what_the_original_does(self):
        tensors = self.state_dict()
        self.assertIsNone(self.convert(tensors))
        self.assert_same(f"{self.folder}/model", pytorch_ntm(tensors, ["read", "write"], 1), self.INPUTS)

    def test_several_heads_and_layers_keep_their_order(self):
        tensors = self.state_dict(pairs=2, layers=2)
        self.assertIsNone(self.convert(tensors))
        self.assert_same(f"{self.folder}/model", pytorch_ntm(tensors, ["read", "write"] * 2, 2), self.INPUTS)

    def test_the_copy_frame_is_written_on_demand(self):
        self.assertIsNone(self.convert(self.state_dict(), "--frame=copy"))
        with open(f"{self.folder}/model/config.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file)["frame"], {"task": "copy", "data_width": 4})

    def test_a_tensor_of_another_shape_is_named_with_both_shapes(self):
        tensors = self.state_dict()
        tensors["ntm.heads.1.fc_write.weight"] = tensors["ntm.heads.1.fc_write.weight"][:-1]
        self.assertIn(r"tensor 'heads.1.fc_write.weight' is [14, 7], not [15, 7]", self.convert(tensors))

    def test_missing_and_unknown_tensors_are_named(self):
        tensors = self.state_dict()
        del tensors["ntm.controller.lstm_c_bias"]
        self.assertIn("has no tensor 'controller.lstm_c_bias'", self.convert(tensors))
        self.assertIn("'usage' has no place", self.convert({**self.state_dict(), "usage": torch.zeros(1)}))

    def test_heads_with_a_memory_of_their_own_are_refused(self):
        tensors = self.state_dict()
        tensors["ntm.heads.1.memory.mem_bias"] = tensors["memory.mem_bias"] + 1
        self.assertIn("'heads.1.memory.mem_bias' is not the memory", self.convert(tensors))

    def test_an_existing_model_is_kept_without_force(self):
        tensors = self.state_dict()
        self.convert(tensors)
        self.assertIn("exists already", self.convert(tensors))
        self.assertIsNone(self.convert(tensors, "--force"))


def ntm_cell(variables, reads, writes, layers, clip, memory):
    """What NTMCell computes: rows [T, inputs] -> outputs [T, outputs] before any activation."""
    values = {name: value.astype(numpy.float64) for name, value in variables.items()}

    def initial(index, activation):
        return activation(values["init/fully_connected" + (f"_{index}" if index else "") + "/weights"][0])

    def lstm(x, states):
        for layer in range(layers):
            scope = f"controller/multi_rnn_cell/cell_{layer}/basic_lstm_cell"
            c, h = states[layer]
            i, j, f, o = numpy.split(numpy.concatenate([x, h]) @ values[f"{scope}/kernel"] + values[f"{scope}/bias"], 4)
            c = c * sigmoid(f + 1.0) + sigmoid(i) * numpy.tanh(j)
            x = h = numpy.tanh(c) * sigmoid(o)
            states[layer] = c, h
        return x

    def address(memory, numbers, reach, before):
        slots, width = memory.shape
        k, beta, g = numpy.tanh(numbers[:width]), softplus(numbers[width]), sigmoid(numbers[width + 1])
        s, gamma = softmax(numbers[width + 2 : -1]), softplus(numbers[-1]) + 1
        cosines = memory @ k / (numpy.linalg.norm(memory, axis=1) * numpy.linalg.norm(k) + 1e-8)
        gated = g * softmax(beta * cosines) + (1 - g) * before
        ring = numpy.zeros(slots)  # the kernel of a circular convolution: moves by 0, 1, .. reach and -reach, .. -1
        ring[: reach + 1], ring[slots - reach :] = s[: reach + 1], s[reach + 1 :]
        shifted = numpy.array([sum(gated[j] * ring[(n - j) % slots] for j in range(slots)) for n in range(slots)])
        sharp = shifted**gamma
        return sharp / sharp.sum()

    def forward(rows):
        state = memory(values).copy()
        width, heads = state.shape[1], reads + writes
        size = len(values["o2p/dense/kernel"])
        states = [(numpy.zeros(size), numpy.zeros(size)) for _ in range(layers)]
        read_vectors = [initial(index, numpy.tanh) for index in range(reads)]
        weights = [initial(reads + index, softmax) for index in range(heads)]
        each = (len(values["o2p/dense/bias"]) - 2 * width * writes) // heads
        outputs = []
        for row in rows:
            h = lstm(numpy.concatenate([row, *read_vectors]), states)
            numbers = numpy.clip(h @ values["o2p/dense/kernel"] + values["o2p/dense/bias"], -clip, clip)
            of_heads, of_writes = numpy.split(numbers[: each * heads], heads), numpy.split(
                numbers[each * heads :], 2 * writes
            )
            weights = [address(state, of_heads[i], (each - width - 4) // 2, weights[i]) for i in range(heads)]
            read_vectors = [weights[i] @ state for i in range(reads)]
            for i in range(writes):
                w, erase, add = weights[reads + i], sigmoid(of_writes[2 * i]), numpy.tanh(of_writes[2 * i + 1])
                state = state * (1 - numpy.outer(w, erase)) + numpy.outer(w, add)
            out = numpy.concatenate([h, *read_vectors]) @ values["o2o/dense/kernel"] + values["o2o/dense/bias"]
            outputs.append(numpy.clip(out, -clip, clip))
        return numpy.array(outputs)

    return forward


class FromNtmCell(Converter):
    INPUTS, OUTPUTS, SIZE, SLOTS, WIDTH = 5, 4, 7, 10, 3

    def variables(self, reads=1, writes=1, layers=1, reach=1, learned=False):
        """The names and shapes of NTMCell's variables, without the scopes around it."""
        found, heads = {}, reads + writes
        for layer in range(layers):
            rows = self.SIZE + (self.SIZE if layer else self.INPUTS + reads * self.WIDTH)
            scope = f"controller/multi_rnn_cell/cell_{layer}/basic_lstm_cell"
            found[f"{scope}/kernel"], found[f"{scope}/bias"] = self.normal(rows, 4 * self.SIZE), self.normal(
                4 * self.SIZE
            )
        numbers = (self.WIDTH + 2 * reach + 4) * heads + 2 * self.WIDTH * writes
        found["o2p/dense/kernel"], found["o2p/dense/bias"] = self.normal(self.SIZE, numbers), self.normal(
            numbers, scale=1.5
        )
        found["o2o/dense/kernel"] = self.normal(self.SIZE + reads * self.WIDTH, self.OUTPUTS)
        found["o2o/dense/bias"] = self.normal(self.OUTPUTS)
        lengths = [self.WIDTH] * reads + [self.SLOTS] * heads + [self.SLOTS * self.WIDTH] * learned
        for index, length in enumerate(lengths):
            found["init/fully_connected" + (f"_{index}" if index else "") + "/weights"] = self.normal(
                1, length, scale=1.0
            )
        if not learned:
            found["init/init_M"] = self.normal(self.SLOTS, self.WIDTH)
        return found

    def convert(self, variables, *flags):
        """Converts the variables as a checkpoint of a training run has them."""
        stored = {f"root/rnn/{name}": value for name, value in variables.items()}
        stored["root/rnn/o2p/dense/bias/Adam_1"] = stored["root/rnn/o2p/dense/bias"]
        stored["root/beta1_power"] = numpy.float32(0.9)
        numpy.savez(f"{self.folder}/variables.npz", **stored)
        return run(from_ntm_cell, f"{self.folder}/variables.npz", f"{self.folder}/model", *flags)

    def test_a_converted_model_computes_what_the_original_does(self):
        variables = self.variables()
        self.assertIsNone(self.convert(variables))
        self.assert_same(
            f"{self.folder}/model", ntm_cell(variables, 1, 1, 1, 20, lambda v: v["init/init_M"]), self.INPUTS
        )

    def test_several_heads_layers_and_farther_shifts_keep_their_order(self):
        variables = self.variables(reads=3, writes=2, layers=2, reach=2)
        self.assertIsNone(self.convert(variables))
        self.assert_same(
            f"{self.folder}/model", ntm_cell(variables, 3, 2, 2, 20, lambda v: v["init/init_M"]), self.INPUTS
        )

    def test_a_learned_memory_passes_through_tanh(self):
        variables = self.variables(learned=True)
        self.assertIsNone(self.convert(variables))
        memory = lambda v: numpy.tanh(
            v["init/fully_connected_3/weights"][0].reshape(self.SLOTS, self.WIDTH)
        )  # noqa: E731
        self.assert_same(f"{self.folder}/model", ntm_cell(variables, 1, 1, 1, 20, memory), self.INPUTS)

    def test_a_random_memory_passes_through_tanh_when_told(self):
        variables = self.variables()
        self.assertIsNone(self.convert(variables, "--init-mode=random"))
        memory = lambda v: numpy.tanh(v["init/init_M"])  # noqa: E731
        self.assert_same(f"{self.folder}/model", ntm_cell(variables, 1, 1, 1, 20, memory), self.INPUTS)

    def test_a_clip_that_bites_and_a_sigmoid_are_kept(self):
        variables = self.variables(writes=2)
        self.assertIsNone(self.convert(variables, "--clip=0.5", "--activation=sigmoid"))
        plain = ntm_cell(variables, 1, 2, 1, 0.5, lambda v: v["init/init_M"])
        self.assert_same(f"{self.folder}/model", lambda rows: sigmoid(plain(rows)), self.INPUTS)

    def test_a_variable_of_another_shape_is_named_with_both_shapes(self):
        variables = self.variables(layers=2)
        name = "controller/multi_rnn_cell/cell_1/basic_lstm_cell/kernel"
        variables[name] = variables[name][:-1]
        self.assertIn(f"tensor '{name}' is [13, 28], not [14, 28]", self.convert(variables))
        variables = self.variables()
        variables["o2p/dense/bias"], variables["o2p/dense/kernel"] = self.normal(25), self.normal(7, 25)
        self.assertIn(
            "'o2p/dense/bias' is [25], which 1 read and 1 write heads over slots of 3", self.convert(variables)
        )

    def test_missing_and_unknown_variables_are_named(self):
        variables = self.variables()
        del variables["o2o/dense/bias"]
        self.assertIn("has no tensor 'o2o/dense/bias'", self.convert(variables))
        self.assertIn(
            "'root/rnn/dense/kernel' is none of an NTMCell",
            self.convert({**self.variables(), "dense/kernel": self.normal(2, 2)}),
        )

    def test_a_pickled_array_is_refused(self):
        numpy.savez(f"{self.folder}/variables.npz", code=numpy.array([print], dtype=object))
        message = run(from_ntm_cell, f"{self.folder}/variables.npz", f"{self.folder}/model")
        self.assertIn("not a readable .npz file of numbers", message)

    def test_safetensors_are_read_too(self):
        variables = {name: torch.from_numpy(value) for name, value in self.variables().items()}
        config, _ = from_ntm_cell.convert("variables", variables)
        self.assertEqual((config["input_width"], config["heads"], config["shifts"]), (5, ["read", "write"], [0, 1, -1]))
        with self.assertRaisesRegex(Refused, "two variables are 'o2o/dense/bias'"):
            from_ntm_cell.convert("variables", {**variables, "again/o2o/dense/bias": variables["o2o/dense/bias"]})


if __name__ == "__main__":
    unittest.main()
