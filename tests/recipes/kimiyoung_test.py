#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests weights/recipes/from_kimiyoung.py on modules that have the attributes of the authors' classes. Needs PyTorch;
without it, exits 77 (ctest: skipped).

    python3 tests/recipes/kimiyoung_test.py
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import from_kimiyoung  # noqa: E402
import safetensors_file  # noqa: E402

D_MODEL, HEADS, D_HEAD, D_INNER, WORDS, CUTOFFS = 8, 2, 3, 5, 12, [4, 8]


class Module(torch.nn.Module):
    """Named parameters, children and attributes."""

    def __init__(self, parameters=(), children=(), **attributes):
        super().__init__()
        for name, shape in dict(parameters).items():
            self.register_parameter(name, torch.nn.Parameter(torch.randn(*shape)))
        for name, child in dict(children).items():
            self.add_module(name, child)
        self.__dict__.update(attributes)


class Code:
    def __reduce__(self):
        return (os.system, ("exit 7",))


def linear(outputs, inputs, bias=True):
    return torch.nn.Linear(inputs, outputs, bias=bias)


def layer(pre_lnorm):
    width = HEADS * D_HEAD
    attention = Module(
        children={
            "qkv_net": linear(3 * width, D_MODEL, False),
            "o_net": linear(D_MODEL, width, False),
            "r_net": linear(width, D_MODEL, False),
            "layer_norm": torch.nn.LayerNorm(D_MODEL),
        },
        pre_lnorm=pre_lnorm,
    )
    core = torch.nn.Sequential(linear(D_INNER, D_MODEL), torch.nn.ReLU(), torch.nn.Dropout(0), linear(D_MODEL, D_INNER))
    return Module(children={"dec_attn": attention, "pos_ff": Module(children={"CoreNet": core, "layer_norm": torch.nn.LayerNorm(D_MODEL)})})


def model(tied=True, **attributes):
    """A MemTransformerLM with three bins of widths 8, 4 and 2, the last two of whose projections are tied."""
    ends = [0, *CUTOFFS, WORDS]
    sizes = [(last - first, D_MODEL // 2**i) for i, (first, last) in enumerate(zip(ends, ends[1:]))]
    projections = [torch.nn.Parameter(torch.randn(D_MODEL, width)) for _, width in sizes]
    embedding = Module(
        children={
            "emb_layers": torch.nn.ModuleList(torch.nn.Embedding(words, width) for words, width in sizes),
            "emb_projs": torch.nn.ParameterList(projections),
        },
        cutoffs=[*CUTOFFS, WORDS],
        div_val=2,
    )
    own = [torch.nn.Parameter(torch.randn(D_MODEL, D_MODEL)), *projections[1:]]
    output = Module(
        {"cluster_weight": (2, D_MODEL), "cluster_bias": (2,)},
        {
            "out_layers": torch.nn.ModuleList(linear(words, width) for words, width in sizes),
            "out_projs": torch.nn.ParameterList(own),
        },
    )
    for mine, theirs in zip(output.out_layers, embedding.emb_layers):
        if tied:
            mine.weight = theirs.weight
    made = Module(
        {"r_w_bias": (HEADS, D_HEAD), "r_r_bias": (HEADS, D_HEAD)},
        {
            "word_emb": embedding,
            "layers": torch.nn.ModuleList(layer(attributes.get("pre_lnorm", False)) for _ in range(2)),
            "crit": output,
            "pos_emb": Module(),
        },
        **{
            **dict(n_token=WORDS, n_layer=2, n_head=HEADS, d_model=D_MODEL, d_head=D_HEAD, d_embed=D_MODEL, tgt_len=7),
            **dict(mem_len=9, ext_len=0, attn_type=0, same_length=False, clamp_len=-1, sample_softmax=-1),
            **attributes,
        },
    )
    made.pos_emb.register_buffer("inv_freq", torch.ones(D_MODEL // 2))
    return made


class FromKimiyoung(unittest.TestCase):
    def convert(self, content, *flags, legacy=False):
        """(config, tensors), or the message that it was refused with."""
        with tempfile.TemporaryDirectory() as directory:
            path, output = os.path.join(directory, "model.pt"), os.path.join(directory, "out")
            torch.save(content, path, _use_new_zipfile_serialization=not legacy)
            errors = io.StringIO()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
                try:
                    from_kimiyoung.main([path, f"--output={output}", *flags])
                except SystemExit:
                    return errors.getvalue()
            with open(os.path.join(output, "config.json"), encoding="utf-8") as file:
                return json.load(file), safetensors_file.read(os.path.join(output, "model.safetensors"))

    def test_the_configuration_and_the_tensors_are_transformers(self):
        made = model(mem_len=11, clamp_len=6)
        for legacy in (False, True):
            config, tensors = self.convert(made, legacy=legacy)
            expected = dict(vocab_size=WORDS, cutoffs=CUTOFFS, d_model=D_MODEL, d_embed=D_MODEL, n_head=HEADS, d_head=D_HEAD)
            expected |= dict(d_inner=D_INNER, n_layer=2, div_val=2, mem_len=11, clamp_len=6, tgt_len=7, same_length=False)
            expected |= dict(untie_r=False, initial_memory="empty", tie_word_embeddings=True, tie_projs=[False, True, True])
            self.assertEqual({name: config[name] for name in expected}, expected)
            names = {name if name.startswith("crit.") else f"transformer.{name}" for name in made.state_dict()}
            names -= {f"crit.out_layers.{i}.weight" for i in range(3)} | {"crit.out_projs.1", "crit.out_projs.2"}
            self.assertEqual(set(tensors), names)
            state = made.state_dict()
            self.assertTrue(torch.equal(tensors["crit.cluster_weight"], state["crit.cluster_weight"].flip(0)))
            self.assertTrue(torch.equal(tensors["crit.cluster_bias"], state["crit.cluster_bias"].flip(0)))
            for name in ("layers.1.dec_attn.qkv_net.weight", "word_emb.emb_layers.2.weight", "r_r_bias"):
                self.assertTrue(torch.equal(tensors[f"transformer.{name}"], state[name]))

    def test_flags_override_training(self):
        config, _ = self.convert(model(), "--mem_len=640", "--clamp_len=400", "--same_length", "--tgt_len=64")
        self.assertEqual([config[name] for name in ("mem_len", "clamp_len", "same_length", "tgt_len")], [640, 400, True, 64])

    def test_untied_models_keep_their_output_layers(self):
        config, tensors = self.convert(model(tied=False))
        self.assertFalse(config["tie_word_embeddings"])
        self.assertIn("crit.out_layers.2.weight", tensors)

    def test_what_is_not_served_is_refused_by_name(self):
        self.assertRegex(self.convert(model(attn_type=2)), "attn_type is 2")
        self.assertRegex(self.convert(model(ext_len=4)), "ext_len is 4")
        self.assertRegex(self.convert(model(sample_softmax=50)), "sample_softmax is 50")
        self.assertRegex(self.convert(model(n_layer=None)), "n_layer is None")
        self.assertRegex(self.convert({"a": 1}), "not a module")
        with torch.no_grad():
            made = model()
            made.crit.cluster_bias[1] = float("nan")
        self.assertRegex(self.convert(made), "cluster_bias.*not finite")

    def test_no_code_is_run(self):
        self.assertRegex(self.convert(Code()), "not a module")
        self.assertNotIsInstance(self.convert(model(note=Code())), str)


if __name__ == "__main__":
    unittest.main()
