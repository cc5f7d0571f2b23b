#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a model directory of OPUS-MT's size with random weights, for measuring speed and memory.

    random_opus_mt.py --spm=FILE --output=DIR

6 + 6 layers, 512 wide, 8 heads, 2048 in between, 58,101 tokens, swish, f16: what Helsinki-NLP/opus-mt-en-de is, and
150 MB on disk. FILE is any SentencePiece model (weights/translator-en-de/source.spm will do): its pieces come first in
vocab.json, made-up ones fill the rest. A translation is noise that repeats itself and whose length is chance: measure with
--min_tokens and --max_tokens set to one value, and --keep_loops. Needs PyTorch and sentencepiece. The same seed writes
the same weights.
"""

import argparse
import json
import math
import os
import shutil
import sys

import sentencepiece
import torch

import safetensors_file

SEED = 20260117


def random_weights(shape, seed):
    """{name: f16 tensor}, as Hugging Face's MarianMT names them. The scales keep every layer's output near 1."""
    generator = torch.Generator().manual_seed(seed)
    d_model, ffn, vocabulary = shape["d_model"], shape["ffn"], shape["vocabulary"]
    tensors = {}

    def normal(name, *size, std):
        tensors[name] = (torch.randn(*size, generator=generator) * std).half()

    def linear(name, outputs, inputs):
        normal(f"{name}.weight", outputs, inputs, std=inputs**-0.5)
        normal(f"{name}.bias", outputs, std=0.02)

    def layer_norm(name):
        tensors[f"{name}.weight"] = torch.ones(d_model).half()
        tensors[f"{name}.bias"] = torch.zeros(d_model).half()

    def attention(name):
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            linear(f"{name}.{projection}", d_model, d_model)
        layer_norm(f"{name}_layer_norm")

    normal("model.shared.weight", vocabulary, d_model, std=d_model**-0.5)
    tensors["model.shared.weight"][vocabulary - 1] = 0  # <pad>
    tensors["final_logits_bias"] = torch.zeros(1, vocabulary).half()
    for side in ("encoder", "decoder"):
        for number in range(shape[f"{side}_layers"]):
            layer = f"model.{side}.layers.{number}"
            attention(f"{layer}.self_attn")
            if side == "decoder":
                attention(f"{layer}.encoder_attn")
            linear(f"{layer}.fc1", ffn, d_model)
            linear(f"{layer}.fc2", d_model, ffn)
            layer_norm(f"{layer}.final_layer_norm")
        print(f"{side}: {shape[f'{side}_layers']} layers", flush=True)
    return tensors


def vocabulary_of(spm, size):
    """{token: id}: </s>, <unk>, the model's pieces, made-up pieces up to `size`, <pad>."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=spm)
    ordinary = [
        pieces.id_to_piece(i)
        for i in range(pieces.get_piece_size())
        if not pieces.is_control(i) and not pieces.is_unknown(i)
    ]
    tokens = ["</s>", "<unk>"] + [piece for piece in ordinary if piece not in ("</s>", "<unk>", "<pad>")]
    if len(tokens) + 1 > size:
        sys.exit(f"{spm}: {len(ordinary)} pieces do not fit into a vocabulary of {size}")
    known = set(tokens)
    number = 0
    while len(tokens) + 1 < size:
        piece = f"\u2581made{number}"  # a word of its own, so that noise reads as words
        if piece not in known:
            tokens.append(piece)
        number += 1
    tokens.append("<pad>")
    return {token: i for i, token in enumerate(tokens)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spm", required=True, help="SentencePiece model, copied as source.spm and target.spm")
    parser.add_argument("--output", required=True, help="model directory to write")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the weights (default: %(default)s)")
    parser.add_argument("--vocabulary", type=int, default=58101, help="tokens (default: %(default)s)")
    parser.add_argument("--layers", type=int, default=6, help="layers of either side (default: %(default)s)")
    parser.add_argument("--d-model", type=int, default=512, help="width, a multiple of 64 (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.d_model < 64 or arguments.d_model % 64:
        parser.error(f"--d-model must be a positive multiple of 64, not {arguments.d_model}")
    if not os.path.isfile(arguments.spm):
        parser.error(f"--spm: there is no file {arguments.spm}")
    vocabulary = vocabulary_of(arguments.spm, arguments.vocabulary)
    pad = vocabulary["<pad>"]
    shape = {
        "vocabulary": arguments.vocabulary,
        "d_model": arguments.d_model,
        "ffn": 4 * arguments.d_model,
        "heads": arguments.d_model // 64,
        "encoder_layers": arguments.layers,
        "decoder_layers": arguments.layers,
    }
    config = {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        "activation_function": "swish",
        "d_model": shape["d_model"],
        "vocab_size": shape["vocabulary"],
        "decoder_vocab_size": shape["vocabulary"],
        "encoder_layers": shape["encoder_layers"],
        "decoder_layers": shape["decoder_layers"],
        "encoder_attention_heads": shape["heads"],
        "decoder_attention_heads": shape["heads"],
        "encoder_ffn_dim": shape["ffn"],
        "decoder_ffn_dim": shape["ffn"],
        "max_position_embeddings": 512,
        "scale_embedding": True,
        "share_encoder_decoder_embeddings": True,
        "tie_word_embeddings": True,
        "static_position_embeddings": True,
        "normalize_before": False,
        "normalize_embedding": False,
        "is_encoder_decoder": True,
        "dropout": 0.1,
        "init_std": 0.02,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "pad_token_id": pad,
        "decoder_start_token_id": pad,
        "torch_dtype": "float16",
    }
    generation = {
        "bad_words_ids": [[pad]],
        "bos_token_id": 0,
        "decoder_start_token_id": pad,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "max_length": 512,
        "num_beams": 4,
        "pad_token_id": pad,
        "renormalize_logits": True,
    }
    tokenizer = {
        "source_lang": "en",
        "target_lang": "de",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "model_max_length": 512,
        "separate_vocabs": False,
        "tokenizer_class": "MarianTokenizer",
    }
    os.makedirs(arguments.output, exist_ok=True)
    tensors = random_weights(shape, arguments.seed)
    safetensors_file.write(os.path.join(arguments.output, "model.safetensors"), tensors)
    for name in ("source.spm", "target.spm"):
        shutil.copyfile(arguments.spm, os.path.join(arguments.output, name))
    for name, content in (
        ("config.json", config),
        ("generation_config.json", generation),
        ("tokenizer_config.json", tokenizer),
        ("vocab.json", vocabulary),
    ):
        with open(os.path.join(arguments.output, name), "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=None if name == "vocab.json" else 2)
            file.write("\n")
    weights = sum(tensor.numel() for tensor in tensors.values())
    size = os.path.getsize(os.path.join(arguments.output, "model.safetensors"))
    print(f"{arguments.output}: {weights} weights, {math.ceil(size / 1e6)} MB")


if __name__ == "__main__":
    main()
