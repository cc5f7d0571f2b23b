#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a Transformer-XL directory, which Heed reads, from the model.pt of the authors' PyTorch program
(kimiyoung/transformer-xl).

    from_kimiyoung.py WORK_DIR/model.pt --output=DIR [--mem_len=N] [--clamp_len=N] [--same_length] [--tgt_len=N]
    from_transfo_xl_vocab.py DATA_DIR/cache.pt    # then move vocab.txt and tokenizer_config.json to DIR

model.pt is a pickle of a module, which can hold code: none of it is run, and the program itself is not needed. mem_len,
clamp_len, same_length and tgt_len are those of training; the flags are what eval.py takes to evaluate with others.

The program's memory begins empty (initial_memory), its layers share one pair of attention's biases (untie_r false), and its
softmax has the clusters in the opposite order of transformers: their rows are turned round. attn_type 1 to 3, a sampled
softmax, ext_len and layers without a feed-forward network are refused. Needs only PyTorch (1.13 or newer).
"""

import argparse
import json
import os
import sys
import warnings

import safetensors_file
import torch
import torch_checkpoint
from torch_checkpoint import Refused, Stub


def module_state(path, module, where):
    state = module.state if isinstance(module, Stub) else None
    if not isinstance(state, dict) or not isinstance(state.get("_parameters"), dict):
        raise Refused(f"{path}: {where} is a {getattr(module, 'name', type(module).__name__)}, not a module of PyTorch")
    return state


def tensors_of(path, module, prefix=""):
    """{name: tensor}, as module.state_dict() would give them."""
    state = module_state(path, module, prefix.rstrip(".") or "the content")
    tensors = {}
    for kind in ("_parameters", "_buffers"):
        for name, value in (state.get(kind) or {}).items():
            if isinstance(value, torch.Tensor):
                tensors[f"{prefix}{name}"] = value
            elif value is not None:
                raise Refused(f"{path}: {prefix}{name} is a {getattr(value, 'name', type(value).__name__)}, not a tensor")
    for name, child in (state.get("_modules") or {}).items():
        if child is not None:
            tensors.update(tensors_of(path, child, f"{prefix}{name}."))
    return tensors


def number(path, state, name, least):
    value = state.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise Refused(f"{path}: {name} is {value!r}, not a whole number of at least {least}")
    return value


def same_values(tensors, one, other):
    """Whether two names have the same values; one that is not there has none of its own."""
    if one not in tensors or other not in tensors:
        return False
    return tensors[one].shape == tensors[other].shape and torch.equal(tensors[one], tensors[other])


def configuration(path, state, tensors, arguments):
    for name in ("attn_type", "ext_len"):
        if state.get(name, 0) != 0:
            raise Refused(f"{path}: {name} is {state[name]!r}, but only 0 is served")
    if (state.get("sample_softmax") or -1) > 0:
        raise Refused(f"{path}: sample_softmax is {state['sample_softmax']!r}, but only the whole softmax is served")
    embedding = module_state(path, (state.get("_modules") or {}).get("word_emb"), "word_emb")
    layers = number(path, state, "n_layer", 1)
    inner = tensors.get("layers.0.pos_ff.CoreNet.0.weight")
    if inner is None:
        raise Refused(f"{path}: has no tensor 'layers.0.pos_ff.CoreNet.0.weight': layers without it are not served")
    cutoffs = embedding.get("cutoffs")
    if not isinstance(cutoffs, list) or not cutoffs or not all(isinstance(cutoff, int) for cutoff in cutoffs):
        raise Refused(f"{path}: word_emb.cutoffs is {cutoffs!r}, not a list of numbers")
    div_val = number(path, embedding, "div_val", 1)
    attention = module_state(path, state["_modules"]["layers"], "layers")["_modules"]
    first = module_state(path, module_state(path, attention.get("0"), "layers.0")["_modules"].get("dec_attn"), "dec_attn")
    overriding = {name: value for name in ("mem_len", "clamp_len", "tgt_len") if (value := getattr(arguments, name)) is not None}
    return {
        "model_type": "transfo-xl",
        "architectures": ["TransfoXLLMHeadModel"],
        "vocab_size": number(path, state, "n_token", 2),
        "cutoffs": cutoffs[:-1],
        "d_model": number(path, state, "d_model", 2),
        "d_embed": number(path, state, "d_embed", 1),
        "n_head": number(path, state, "n_head", 1),
        "d_head": number(path, state, "d_head", 1),
        "d_inner": inner.shape[0],
        "n_layer": layers,
        "div_val": div_val,
        "pre_lnorm": bool(first.get("pre_lnorm", False)),
        "mem_len": number(path, state, "mem_len", 0),
        "clamp_len": int(state.get("clamp_len", -1)),
        "same_length": bool(state.get("same_length", False)) or arguments.same_length,
        "tgt_len": number(path, state, "tgt_len", 1),
        **overriding,
        "untie_r": False,
        "initial_memory": "empty",
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": same_values(tensors, "word_emb.emb_layers.0.weight", "crit.out_layers.0.weight"),
        "tie_projs": [
            same_values(tensors, f"word_emb.emb_projs.{i if div_val > 1 else 0}", f"crit.out_projs.{i}")
            for i in range(len(cutoffs))
        ],
        "eos_token_id": 0,
    }


def renamed(config, tensors):
    """The tensors by transformers' names, those that are tied once."""
    result = {}
    for name, tensor in tensors.items():
        if name in ("crit.cluster_weight", "crit.cluster_bias"):
            tensor = tensor.flip(0)
        if name.startswith("crit.out_layers.") and name.endswith(".weight") and config["tie_word_embeddings"]:
            continue
        if name.startswith("crit.out_projs.") and config["tie_projs"][int(name.rsplit(".", 1)[1])]:
            continue
        result[name if name.startswith("crit.") else f"transformer.{name}"] = tensor.contiguous()
    return result


def convert(arguments):
    path = arguments.model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class's source is not the file's: no class of the file is used
        module = torch_checkpoint.load_data(path)
    state = module_state(path, module, "the content")
    tensors = tensors_of(path, module)
    config = configuration(path, state, tensors, arguments)
    tensors = torch_checkpoint.check(path, renamed(config, tensors))
    torch_checkpoint.check_finite(path, tensors)
    os.makedirs(arguments.output, exist_ok=True)
    safetensors_file.write(os.path.join(arguments.output, "model.safetensors"), tensors)
    with open(os.path.join(arguments.output, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    print(f"{arguments.output}: {len(tensors)} tensors; vocab.txt is what from_transfo_xl_vocab.py makes of cache.pt")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="FILE", help="model.pt")
    parser.add_argument("--output", required=True, metavar="DIR")
    for name in ("mem_len", "clamp_len", "tgt_len"):
        parser.add_argument(f"--{name}", type=int, metavar="N", help="default: that of training")
    parser.add_argument("--same_length", action="store_true", help="default: as in training")
    arguments = parser.parse_args(argv)
    try:
        convert(arguments)
    except (Refused, OSError) as error:
        print(f"from_kimiyoung.py: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
