#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes model.safetensors beside the pytorch_model.bin of a Hugging Face directory: Marian, Transformer-XL or XLNet.

    to_safetensors.py DIR [DIR ...]

Names, shapes and dtypes stay as they are (OPUS-MT's f16 stays f16). Copies of a tied embedding are left out: readers
find it under its first name. pytorch_model.bin is a pickle, which can hold code: only one that holds nothing but tensors is
read (torch.load with weights_only), any other is refused. Needs only PyTorch (1.13 or newer).
"""

import argparse
import json
import os
import re
import sys

import torch

import safetensors_file
import torch_checkpoint
from torch_checkpoint import Refused

SOURCE = "pytorch_model.bin"
TARGET = "model.safetensors"


def read_config(directory):
    path = os.path.join(directory, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except FileNotFoundError:
        raise Refused(f"{path}: not found; is {directory} a Hugging Face model directory?") from None
    except ValueError as error:
        raise Refused(f"{path}: not JSON: {error}") from None
    found = config.get("model_type") if isinstance(config, dict) else None
    if found not in TIED:
        raise Refused(f"{path}: model_type is {json.dumps(found)}, not one of {', '.join(TIED)}")
    return config


def read_pickle(directory):
    """{name: tensor} of pytorch_model.bin."""
    path = os.path.join(directory, SOURCE)
    if not os.path.exists(path):
        if os.path.exists(f"{path}.index.json"):
            raise Refused(f"{path}: not found; the model is in several parts ({SOURCE}.index.json), which this"
                          " script does not read")
        raise Refused(f"{path}: not found")
    return torch_checkpoint.check(path, torch_checkpoint.load(path))


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and (a.data_ptr() == b.data_ptr() or torch.equal(a, b))


def marian_ties(tensors, config):
    embedding = "model.shared.weight"
    copies = ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"]
    if embedding not in tensors or not config.get("share_encoder_decoder_embeddings", True):
        embedding, copies = "model.decoder.embed_tokens.weight", []
    if config.get("tie_word_embeddings", True):
        copies.append("lm_head.weight")
    return [(copy, embedding) for copy in copies]


def transformer_xl_ties(tensors, config):
    ties = []
    projections = config.get("tie_projs") or []
    for name in tensors:
        if (table := re.fullmatch(r"crit\.out_layers\.(\d+)\.weight", name)) and config.get("tie_word_embeddings", True):
            ties.append((name, f"transformer.word_emb.emb_layers.{table[1]}.weight"))
        elif projection := re.fullmatch(r"crit\.out_projs\.(\d+)", name):
            number = int(projection[1])
            # With div_val 1 all projections are the embedding's only one.
            embedding = 0 if config.get("div_val", 4) == 1 else number
            if number < len(projections) and projections[number]:
                ties.append((name, f"transformer.word_emb.emb_projs.{embedding}"))
    return ties


def xlnet_ties(_, config):
    return [("lm_loss.weight", "transformer.word_embedding.weight")] if config.get("tie_word_embeddings", True) else []


# For each model_type a function that lists (name of a copy, name of the embedding that it is tied to).
TIED = {"marian": marian_ties, "transfo-xl": transformer_xl_ties, "xlnet": xlnet_ties}


def without_copies(tensors, config):
    """(tensors without those that repeat the embedding they are tied to, names left out)"""
    left_out = [copy for copy, embedding in TIED[config["model_type"]](tensors, config)
                if copy in tensors and embedding in tensors and same(tensors[copy], tensors[embedding])]  # fmt: skip
    return {name: tensor for name, tensor in tensors.items() if name not in left_out}, left_out


def convert(directory, force):
    target = os.path.join(directory, TARGET)
    if not os.path.isdir(directory):
        raise Refused(f"{directory}: not a directory")
    if os.path.exists(target) and not force:
        raise Refused(f"{target}: exists already; --force replaces it")
    config = read_config(directory)
    print(f"{directory}: reading {SOURCE}", flush=True)
    tensors, left_out = without_copies(read_pickle(directory), config)
    safetensors_file.write(target, tensors)
    for name in left_out:
        print(f"  left out {name}: the same as the embedding it is tied to")
    dtypes = sorted({safetensors_file.DTYPE_NAMES[tensor.dtype] for tensor in tensors.values()})
    print(f"  {target}: {len(tensors)} tensors, {'/'.join(dtypes)}, {os.path.getsize(target) / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", metavar="DIR", help="directory that holds config.json and pytorch_model.bin")
    parser.add_argument("--force", action="store_true", help="replace a model.safetensors that is there already")
    arguments = parser.parse_args()
    failed = False
    for directory in arguments.directories:
        try:
            convert(directory, arguments.force)
        except (Refused, OSError) as error:
            print(f"to_safetensors.py: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
