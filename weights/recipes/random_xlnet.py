#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a model directory of xlnet-base-cased's size with random weights, for measuring speed and memory.

    random_xlnet.py --spm=FILE --output=DIR [--layers=12] [--d-model=768] [--f16]

12 layers, 768 wide, 12 heads, 3072 in between, 32,000 tokens: 117 million weights, 468 MB as float32. FILE is any
SentencePiece model with XLNet's symbols (tests/fixtures/xlnet-lm/spiece.model will do): its pieces come first, made-up
ones fill the rest. What it says is noise. Needs PyTorch. The same seed writes the same weights.
"""

import argparse
import json
import os
import struct
import sys

import torch

import safetensors_file
import sentencepiece_file

SEED = 20261129


def random_weights(config, half, seed):
    """{name: tensor}, as Hugging Face's XLNetLMHeadModel names them. The scales keep every layer's output near 1."""
    generator = torch.Generator().manual_seed(seed)
    d, heads, inner, vocabulary = (config[name] for name in ("d_model", "n_head", "d_inner", "vocab_size"))
    tensors = {}

    def put(name, tensor):
        tensors[name] = tensor.half() if half else tensor

    def normal(name, *size, std):
        put(name, torch.randn(*size, generator=generator) * std)

    def layer_norm(name):
        put(f"{name}.weight", torch.ones(d))
        put(f"{name}.bias", torch.zeros(d))

    normal("transformer.word_embedding.weight", vocabulary, d, std=d**-0.5)
    normal("transformer.mask_emb", 1, 1, d, std=d**-0.5)
    for number in range(config["n_layer"]):
        attention = f"transformer.layer.{number}.rel_attn"
        for name in "qkvor":
            normal(f"{attention}.{name}", d, heads, d // heads, std=d**-0.5)
        for name in ("r_w_bias", "r_r_bias", "r_s_bias"):
            normal(f"{attention}.{name}", heads, d // heads, std=0.02)
        normal(f"{attention}.seg_embed", 2, heads, d // heads, std=0.02)
        layer_norm(f"{attention}.layer_norm")
        inside = f"transformer.layer.{number}.ff"
        layer_norm(f"{inside}.layer_norm")
        for name, outputs, inputs in (("layer_1", inner, d), ("layer_2", d, inner)):
            normal(f"{inside}.{name}.weight", outputs, inputs, std=inputs**-0.5)
            normal(f"{inside}.{name}.bias", outputs, std=0.02)
    put("lm_loss.bias", torch.zeros(vocabulary))
    return tensors


def extended(path, size):
    """The SentencePiece model with made-up pieces up to `size`: a message's repeated fields may be appended to it."""
    known = sentencepiece_file.pieces(path)
    if len(known) > size:
        sys.exit(f"{path}: {len(known)} pieces do not fit into a vocabulary of {size}")
    with open(path, "rb") as file:
        data = file.read()
    number = 0
    for _ in range(size - len(known)):
        piece = f"\u2581made{number}".encode()  # a word of its own, so that noise reads as words
        number += 1
        inside = b"\x0a" + bytes([len(piece)]) + piece + b"\x15" + struct.pack("<f", -20.0)
        data += b"\x0a" + bytes([len(inside)]) + inside
    return data


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spm", required=True, help="SentencePiece model with XLNet's symbols")
    parser.add_argument("--output", required=True, help="model directory to write")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the weights (default: %(default)s)")
    parser.add_argument("--vocabulary", type=int, default=32000, help="tokens (default: %(default)s)")
    parser.add_argument("--layers", type=int, default=12, help="layers (default: %(default)s)")
    parser.add_argument("--d-model", type=int, default=768, help="width, a multiple of 64 (default: %(default)s)")
    parser.add_argument("--f16", action="store_true", help="weights are f16 values, half the size")
    arguments = parser.parse_args()
    if arguments.d_model < 64 or arguments.d_model % 64:
        parser.error(f"--d-model must be a positive multiple of 64, not {arguments.d_model}")
    if not os.path.isfile(arguments.spm):
        parser.error(f"--spm: there is no file {arguments.spm}")
    config = {
        "architectures": ["XLNetLMHeadModel"],
        "model_type": "xlnet",
        "vocab_size": arguments.vocabulary,
        "d_model": arguments.d_model,
        "n_layer": arguments.layers,
        "n_head": arguments.d_model // 64,
        "d_inner": 4 * arguments.d_model,
        "ff_activation": "gelu",
        "attn_type": "bi",
        "mem_len": None,
        "reuse_len": None,
        "clamp_len": -1,
        "bi_data": False,
        "same_length": False,
        "untie_r": True,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 5,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    os.makedirs(arguments.output, exist_ok=True)
    tensors = random_weights(config, arguments.f16, arguments.seed)
    safetensors_file.write(os.path.join(arguments.output, "model.safetensors"), tensors, {"format": "pt"})
    with open(os.path.join(arguments.output, "spiece.model"), "wb") as file:
        file.write(extended(arguments.spm, arguments.vocabulary))
    for name, content in (
        ("config.json", config),
        ("tokenizer_config.json", {"tokenizer_class": "XLNetTokenizer", "do_lower_case": False}),
    ):
        with open(os.path.join(arguments.output, name), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
    weights = sum(tensor.numel() for tensor in tensors.values())
    size = os.path.getsize(os.path.join(arguments.output, "model.safetensors"))
    print(f"{arguments.output}: {weights} weights, {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
