#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests weights/recipes/from_gat_tf.py and the checkpoint reader below it, on checkpoints that this file writes: LevelDB tables,
plain and compressed, and damaged ones. Needs PyTorch; without it, exits 77 (ctest: skipped).

    python3 tests/recipes/gat_tf_converter_test.py
"""

import contextlib
import io
import json
import os
import struct
import sys
import tempfile
import unittest

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("skipped: PyTorch is not installed")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import from_gat_tf  # noqa: E402
import graph_reference  # noqa: E402
import safetensors_file  # noqa: E402
import tensorflow_checkpoint  # noqa: E402
from tensorflow_checkpoint import masked_crc32c  # noqa: E402

# --- A writer of checkpoints ------------------------------------------------------------------------------------------


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def snappy(data):
    """Literals, and a copy wherever four bytes repeat those four before: enough to try every kind of element."""
    out, at, literal = bytearray(varint(len(data))), 0, b""

    def flush():
        nonlocal literal
        while literal:
            part, literal = literal[:300], literal[300:]
            length = len(part) - 1
            out.extend(bytes([length << 2]) if length < 60 else bytes([61 << 2]) + struct.pack("<H", length))
            out.extend(part)

    kinds = 0
    while at < len(data):
        if at >= 4 and data[at:at + 4] == data[at - 4:at]:
            flush()
            kinds += 1
            out += [bytes([1 | 0 << 2, 4]), bytes([2 | 3 << 2, 4, 0]), bytes([3 | 3 << 2, 4, 0, 0, 0])][kinds % 3]
            at += 4
        else:
            literal += data[at:at + 1]
            at += 1
    flush()
    return bytes(out)


def table_block(items, restart_every=3):
    """A block of a table, whose keys share what they begin with except at restarts."""
    out, restarts, last = bytearray(), [], b""
    for index, (key, value) in enumerate(items):
        shared = len(os.path.commonprefix([last, key])) if index % restart_every else 0
        if index % restart_every == 0:
            restarts.append(len(out))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    for restart in restarts or [0]:
        out += struct.pack("<I", restart)
    return bytes(out + struct.pack("<I", len(restarts or [0])))


def table(items, compress=False, block_items=5):
    out, index = bytearray(), []

    def add(content, kind):
        nonlocal out
        content = snappy(content) if kind else content
        handle = varint(len(out)) + varint(len(content))
        out += content + bytes([kind]) + struct.pack("<I", masked_crc32c(content + bytes([kind])))
        return handle

    for start in range(0, len(items), block_items):
        part = items[start:start + block_items]
        index.append((part[-1][0], add(table_block(part), int(compress))))
    metaindex = add(table_block([]), 0)
    handles = metaindex + add(table_block(index, 1), 0)
    return bytes(out + handles.ljust(40, b"\0") + struct.pack("<Q", tensorflow_checkpoint.MAGIC))


TYPES = {torch.float32: 1, torch.float64: 2, torch.int64: 9}


def write_checkpoint(prefix, variables, compress=False, change_entry=None):
    """PREFIX.index and PREFIX.data-00000-of-00001 of {name: tensor}."""
    data, items = bytearray(), [(b"", field(1, 1) + field(3, field(1, 1)))]
    for name, tensor in sorted(variables.items()):
        raw = tensor.contiguous().numpy().tobytes()
        shape = b"".join(field(2, field(1, size)) for size in tensor.shape)
        entry = {1: TYPES[tensor.dtype], 2: shape, 4: len(data), 5: len(raw)}
        crc = masked_crc32c(raw)
        if change_entry is not None:
            crc = change_entry(name, entry, crc)
        message = b"".join(field(number, value) for number, value in entry.items())
        items.append((name.encode(), message + varint(6 << 3 | 5) + struct.pack("<I", crc)))
        data += raw
    with open(f"{prefix}.index", "wb") as file:
        file.write(table(items, compress))
    with open(f"{prefix}.data-00000-of-00001", "wb") as file:
        file.write(data)


def original_gat(widths, residual=(), adam=True):
    """The variables of that repository's inference(): `widths` are (inputs, heads, channels) of each layer."""
    variables, convolutions, biases = {}, 0, 0

    def convolution(inputs, outputs, with_bias):
        nonlocal convolutions
        scope = "conv1d" + (f"_{convolutions}" if convolutions else "")
        convolutions += 1
        variables[f"{scope}/kernel"] = torch.randn(1, inputs, outputs) / inputs**0.5
        if with_bias:
            variables[f"{scope}/bias"] = torch.randn(outputs) * 0.3

    for layer, (inputs, heads, channels) in enumerate(widths):
        for _ in range(heads):
            convolution(inputs, channels, False)
            convolution(channels, 1, True)
            convolution(channels, 1, True)
            variables["BiasAdd" + (f"_{biases}" if biases else "") + "/biases"] = torch.randn(channels) * 0.3
            biases += 1
            if layer in residual:
                convolution(inputs, channels, True)
    if adam:
        for name in list(variables):
            variables[f"{name}/Adam"] = torch.zeros_like(variables[name])
            variables[f"{name}/Adam_1"] = torch.zeros_like(variables[name])
        variables["beta1_power"], variables["beta2_power"] = torch.tensor(0.9), torch.tensor(0.99)
    return variables


def original_logits(variables, widths, x, edge_index, residual=()):
    """attn_head of that repository, over an adjacency matrix with self-loops."""
    nodes, convolution, head = len(x), 0, 0
    adjacency = torch.eye(nodes, dtype=torch.bool)
    adjacency[edge_index[1], edge_index[0]] = True  # row i: whom node i hears
    x = x.double()

    def kernel(index, rows):
        scope = "conv1d" + (f"_{index}" if index else "")
        rows = rows @ variables[f"{scope}/kernel"][0].double()
        return rows + variables[f"{scope}/bias"].double() if f"{scope}/bias" in variables else rows

    for layer, (_, heads, _) in enumerate(widths):
        outputs = []
        for _ in range(heads):
            values = kernel(convolution, x)
            logits = kernel(convolution + 1, values) + kernel(convolution + 2, values).t()
            logits = F.leaky_relu(logits, 0.2).masked_fill(~adjacency, float("-inf"))
            out = logits.softmax(-1) @ values + variables["BiasAdd" + (f"_{head}" if head else "") + "/biases"].double()
            convolution, head = convolution + 3, head + 1
            if layer in residual:
                out = out + kernel(convolution, x)
                convolution += 1
            outputs.append(out)
        last = layer + 1 == len(widths)
        x = torch.stack(outputs).mean(0) if last else torch.cat([F.elu(out) for out in outputs], dim=-1)
    return x


# --- Tests ------------------------------------------------------------------------------------------------------------

WIDTHS = [(11, 8, 4), (32, 1, 7)]


class FromGatTf(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.prefix = f"{self.folder.name}/mod_cora.ckpt"

    def convert(self, *flags):
        output, errors, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            sys.argv = ["from_gat_tf.py", self.prefix, f"{self.folder.name}/model", "--force", *flags]
            try:
                from_gat_tf.main()
            except SystemExit as end:
                code = end.code
        return code, output.getvalue(), errors.getvalue()

    def refused(self, code, message, *flags):
        got, _, errors = self.convert(*flags)
        self.assertEqual(got, code, errors)
        self.assertIn(message, errors)
        self.assertFalse(os.path.exists(f"{self.folder.name}/model/config.json"))

    def check_numbers(self, variables, widths, residual=(), flags=()):
        code, output, errors = self.convert(*flags)
        self.assertEqual(code, 0, errors)
        with open(f"{self.folder.name}/model/config.json", encoding="utf-8") as file:
            config = json.load(file)
        tensors = safetensors_file.read(f"{self.folder.name}/model/model.safetensors")
        x, edges = torch.randn(15, widths[0][0]), torch.randint(15, (2, 40))
        edges = torch.cat([edges, edges.flip(0)], dim=1).unique(dim=1)
        found = graph_reference.Reference(config, tensors).logits(x, edges)
        torch.testing.assert_close(found, original_logits(variables, widths, x, edges, residual), rtol=1e-5, atol=1e-6)
        return config, output

    def test_gives_the_numbers_of_the_original(self):
        for compress in (False, True):
            variables = original_gat(WIDTHS)
            write_checkpoint(self.prefix, variables, compress)
            config, output = self.check_numbers(variables, WIDTHS)
            self.assertEqual([(layer["heads"], layer["out_channels"], layer["concat"]) for layer in config["layers"]],
                             [(8, 4, True), (1, 7, False)])
            self.assertIn("variables of the optimizer are left out", output)

    def test_takes_the_mean_of_the_last_layers_heads(self):
        widths = [(6, 3, 4), (12, 4, 5)]
        variables = original_gat(widths, adam=False)
        write_checkpoint(self.prefix, variables)
        self.check_numbers(variables, widths)

    def test_tells_hidden_layers_and_residual_convolutions(self):
        widths = [(6, 4, 4), (16, 4, 4), (16, 2, 5), (10, 2, 3)]
        variables = original_gat(widths, residual=(1, 2))
        write_checkpoint(self.prefix, variables)
        config, _ = self.check_numbers(variables, widths, (1, 2))
        self.assertEqual([layer.get("residual", False) for layer in config["layers"]], [False, True, True, False])

    def test_asks_what_widths_do_not_tell(self):
        widths = [(6, 2, 4), (8, 2, 4), (8, 3, 4)]
        variables = original_gat(widths)
        write_checkpoint(self.prefix, variables)
        self.refused(2, "--heads is missing")
        self.refused(2, "--heads=2,2: the checkpoint has 7 heads", "--heads=2,2")
        self.check_numbers(variables, widths, flags=("--heads=2,2,3",))
        widths = [(6, 1, 4), (4, 2, 4), (8, 1, 3)]
        variables = original_gat(widths)
        write_checkpoint(self.prefix, variables)
        os.remove(f"{self.folder.name}/model/config.json")
        self.refused(2, "--residual or --no-residual is missing: layer 1")
        self.check_numbers(variables, widths, flags=("--no-residual",))
        code, _, errors = self.convert("--residual")
        self.assertEqual(code, 0, errors)
        tensors = safetensors_file.read(f"{self.folder.name}/model/model.safetensors")
        self.assertTrue(torch.equal(tensors["layers.1.res.weight"], torch.eye(4).repeat(2, 1)))

    def test_refuses_what_is_no_such_network(self):
        variables = original_gat(WIDTHS)
        for change, message in (({"dense/kernel": torch.zeros(3, 3)}, "of unknown use: 'dense/kernel'"),
                                ({"conv1d_1/kernel": torch.zeros(1, 5, 1)}, "'conv1d_1' is [5, 1]; the score"),
                                ({"conv1d_27/kernel": torch.zeros(1, 5, 1)}, "'conv1d_27' are left"),
                                ({"BiasAdd/biases": torch.zeros(3)}, "'BiasAdd/biases' is [3], not [4]"),
                                ({"BiasAdd_9/biases": torch.zeros(7)}, "9 heads, but 10 biases"),
                                ({"conv1d/kernel": torch.zeros(11, 4)}, "'conv1d/kernel' is [11, 4]"),
                                ({"conv1d/kernel": torch.full((1, 11, 4), float("nan"))}, "which is not finite")):
            write_checkpoint(self.prefix, {**variables, **change})
            self.refused(1, message)
        write_checkpoint(self.prefix, {"w": torch.zeros(2)})
        self.refused(1, "no convolution conv1d/kernel; there are 'w'")

    def test_refuses_damaged_files_by_name(self):
        self.refused(1, "mod_cora.ckpt.index: not a file")
        variables = original_gat(WIDTHS)
        for compress in (False, True):
            write_checkpoint(self.prefix, variables, compress)
            with open(f"{self.prefix}.index", "rb") as file:
                index = file.read()
            # Every byte but the padding of the footer counts: its numbers, its blocks and their checksums.
            for at in [*range(0, len(index), 37), len(index) - 1]:
                with open(f"{self.prefix}.index", "wb") as file:
                    file.write(index[:at] + bytes([index[at] ^ 0x55]) + index[at + 1:])
                code, _, errors = self.convert()
                footer = len(index) - tensorflow_checkpoint.FOOTER_BYTES
                if at < footer or at >= len(index) - 8:
                    self.assertEqual(code, 1, (at, errors))
                    self.assertIn("mod_cora.ckpt.index: damaged", errors)
            for size in (0, 10, 47, len(index) // 2, len(index) - 1):
                with open(f"{self.prefix}.index", "wb") as file:
                    file.write(index[:size])
                self.refused_as_damaged("mod_cora.ckpt.index: damaged")
        write_checkpoint(self.prefix, variables)
        path = f"{self.prefix}.data-00000-of-00001"
        with open(path, "rb") as file:
            data = bytearray(file.read())
        data[100] ^= 1
        with open(path, "wb") as file:
            file.write(data)
        self.refused_as_damaged("the checksum of variable 'BiasAdd")
        with open(path, "wb") as file:
            file.write(data[:50])
        self.refused_as_damaged("beyond the file's 50 bytes")
        os.remove(path)
        self.refused_as_damaged("mod_cora.ckpt.data-00000-of-00001: not a file")

    def refused_as_damaged(self, message):
        code, _, errors = self.convert()
        self.assertEqual(code, 1, errors)
        self.assertIn(message, errors)

    def test_refuses_entries_that_lie(self):
        variables = original_gat(WIDTHS, adam=False)

        def lie(number, value):
            def change(name, entry, crc):
                if name == "conv1d/kernel":
                    entry[number] = value
                return crc
            return change

        for number, value, message in ((5, 3, "'conv1d/kernel' [1, 11, 4] has 3 bytes"),
                                       (4, 1 << 40, "beyond the file's"), (1, 7, "of TensorFlow's type 7"),
                                       (3, 5, "data-00005-of-00001: not a file"),
                                       (2, field(2, field(1, (1 << 64) - 1)), "has 176 bytes"),
                                       (7, b"", "stored in slices")):
            write_checkpoint(self.prefix, variables, change_entry=lie(number, value))
            self.refused(1, message)


class Formats(unittest.TestCase):
    def test_the_checksum_is_crc32c(self):
        # RFC 3720, B.4: 32 bytes of zeros and of ones; and LevelDB's masking.
        def mask(crc):
            return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        self.assertEqual(masked_crc32c(bytes(32)), mask(0x8A9136AA))
        self.assertEqual(masked_crc32c(b"\xff" * 32), mask(0x62A8AB43))

    def test_what_is_compressed_comes_back(self):
        for data in (b"", b"a", b"abcd" * 20, bytes(range(256)) * 5, os.urandom(1000), bytes(1000)):
            self.assertEqual(tensorflow_checkpoint.unsnappy(snappy(data)), data)
        for damaged in (b"", b"\x05\x00a", b"\x04\x01\x00", b"\xff\xff\xff\xff\xff\x0f", b"\x01\xfc\xff"):
            with self.assertRaises(tensorflow_checkpoint.Damaged):
                tensorflow_checkpoint.unsnappy(damaged)


if __name__ == "__main__":
    unittest.main()
