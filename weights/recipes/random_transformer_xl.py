#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a Transformer-XL directory of any size with random weights, for measuring speed and memory.

    random_transformer_xl.py --output=DIR [--f16] [--d_model=1024 ... any field of config.json that has a size]

The default is the size of transfo-xl-wt103: 18 layers, 1024 wide, 16 heads, 4096 in between, 267,735 words in four bins,
memory of 1600 tokens: 285 million weights, 1.1 GB on disk, or half of it with --f16, whose values are all f16. The tensors
have the names and shapes of Hugging Face's TransfoXLLMHeadModel; those that are tied are written once. The vocabulary is
<eos>, <unk> and made-up words w2, w3, ... separated by white space. What it says is noise. Needs PyTorch. The same seed
writes the same weights.
"""

import argparse
import json
import os

import torch

import safetensors_file

SEED = 20261129
SIZES = {
    "vocab_size": 267735,
    "d_model": 1024,
    "d_embed": 1024,
    "n_head": 16,
    "d_head": 64,
    "d_inner": 4096,
    "n_layer": 18,
    "div_val": 4,
    "mem_len": 1600,
    "clamp_len": 1000,
}


def random_weights(config, f16, seed=SEED):
    """{name: tensor}. The scales keep every layer's output near 1."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    d_model, width = config["d_model"], config["n_head"] * config["d_head"]

    def normal(name, *size, std, mean=0.0):
        value = torch.empty(*size).normal_(mean, std, generator=generator)
        tensors[name] = value.half() if f16 else value

    def norm(name):
        normal(f"{name}.weight", d_model, mean=1.0, std=0.02)
        normal(f"{name}.bias", d_model, std=0.02)

    ends = [0, *config["cutoffs"], config["vocab_size"]]
    for i, (first, last) in enumerate(zip(ends, ends[1:])):
        embed = config["d_embed"] // config["div_val"] ** i
        normal(f"transformer.word_emb.emb_layers.{i}.weight", last - first, embed, std=1.0 / d_model**0.5)
        normal(f"transformer.word_emb.emb_projs.{i}", d_model, embed, std=embed**-0.5)
        normal(f"crit.out_layers.{i}.bias", last - first, std=0.02)
    normal("crit.out_projs.0", d_model, config["d_embed"], std=1.5 * d_model**-0.5)
    if config["cutoffs"]:
        normal("crit.cluster_weight", len(config["cutoffs"]), config["d_embed"], std=0.02)
        normal("crit.cluster_bias", len(config["cutoffs"]), std=0.02, mean=2.0)
    for i in range(config["n_layer"]):
        attention, feed_forward = f"transformer.layers.{i}.dec_attn", f"transformer.layers.{i}.pos_ff"
        normal(f"{attention}.qkv_net.weight", 3 * width, d_model, std=d_model**-0.5)
        normal(f"{attention}.o_net.weight", d_model, width, std=width**-0.5)
        normal(f"{attention}.r_net.weight", width, d_model, std=d_model**-0.5)
        normal(f"{attention}.r_w_bias", config["n_head"], config["d_head"], std=0.1)
        normal(f"{attention}.r_r_bias", config["n_head"], config["d_head"], std=0.1)
        norm(f"{attention}.layer_norm")
        normal(f"{feed_forward}.CoreNet.0.weight", config["d_inner"], d_model, std=d_model**-0.5)
        normal(f"{feed_forward}.CoreNet.0.bias", config["d_inner"], std=0.02)
        normal(f"{feed_forward}.CoreNet.3.weight", d_model, config["d_inner"], std=config["d_inner"] ** -0.5)
        normal(f"{feed_forward}.CoreNet.3.bias", d_model, std=0.02)
        norm(f"{feed_forward}.layer_norm")
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, metavar="DIR")
    parser.add_argument("--f16", action="store_true", help="write f16 values; default: f32")
    parser.add_argument("--cutoffs", type=int, nargs="*", default=[20000, 40000, 200000])
    for name, value in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default: {value}")
    arguments = parser.parse_args()
    config = {
        "model_type": "transfo-xl",
        "architectures": ["TransfoXLLMHeadModel"],
        **{name: getattr(arguments, name) for name in SIZES},
        "cutoffs": arguments.cutoffs,
        "same_length": True,
        "eos_token_id": 0,
    }
    if arguments.div_val == 1:
        parser.error("--div_val=1: the recipe writes a table and a projection for each bin, which such a model has not")
    os.makedirs(arguments.output, exist_ok=True)
    safetensors_file.write(os.path.join(arguments.output, "model.safetensors"), random_weights(config, arguments.f16))
    with open(os.path.join(arguments.output, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    with open(os.path.join(arguments.output, "vocab.txt"), "w", encoding="utf-8") as file:
        file.write("<eos>\n<unk>\n" + "".join(f"w{i}\n" for i in range(2, config["vocab_size"])))
    with open(os.path.join(arguments.output, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        file.write('{"heed_tokenization": "whitespace"}\n')


if __name__ == "__main__":
    main()
