# SPDX-License-Identifier: Apache-2.0
"""Weights to begin with: a trained model's, carried over to a network that is as wide and has at least as much of everything
else.

New subwords begin as the mean of the old subwords that spell them (fast vocabulary transfer: Gee et al. 2022), and as seldom
as the rarest of them. New units of a feed-forward layer add nothing at first; new layers stand behind the old ones and only
normalize once more.
"""

import json
import re

import sentencepiece
import torch

import safetensors_file
from translator_model import Marian

WORD_START = "\u2581"  # SentencePiece's mark of a word's first piece
BYTE = re.compile("<0x[0-9A-F]{2}>")
# What the directory's config.json must say: names there, and the name in the new network's shape, if it has one.
ALIKE = {"d_model": "d_model", "encoder_attention_heads": "heads", "decoder_attention_heads": "heads"}
AT_MOST = {
    "encoder_ffn_dim": "ffn",
    "decoder_ffn_dim": "ffn",
    "encoder_layers": "encoder_layers",
    "decoder_layers": "decoder_layers",
}
FIXED = {"activation_function": "relu", "normalize_before": False, "normalize_embedding": False, "tie_word_embeddings": True}


def spelling(piece, old):
    """Ids of the old subwords that spell a new piece; empty: none do. `old` is a SentencePieceProcessor."""
    known = old.piece_to_id(piece)
    if piece == old.id_to_piece(known):
        return [known]
    if BYTE.fullmatch(piece):
        return []
    ids = old.encode(piece.replace(WORD_START, " ").strip())
    if not piece.startswith(WORD_START) and ids:  # encode() begins a word
        first = old.id_to_piece(ids[0]).removeprefix(WORD_START)
        inside = old.piece_to_id(first)
        ids = ([] if not first else [ids[0]] if inside == old.unk_id() else [inside]) + ids[1:]
    return [i for i in ids if i != old.unk_id()]


def embeddings(tensors, pieces, old):
    """(rows [vocabulary, d_model], biases [1, vocabulary]) of the new pieces {piece: id}, whose last is <pad>; and how many
    of them the old vocabulary has, spells, or lacks: these begin as the mean of all."""
    rows, biases = tensors["model.shared.weight"].float(), tensors["final_logits_bias"].float()[0]
    known = old.get_piece_size()
    result, result_biases = rows[:known].mean(0).repeat(len(pieces), 1), biases[:known].mean().repeat(len(pieces))
    has = sum(old.id_to_piece(old.piece_to_id(piece)) == piece for piece, at in pieces.items() if at < len(pieces) - 1)
    found = 0
    for piece, at in pieces.items():
        if at == len(pieces) - 1:
            result[at] = result_biases[at] = 0
        elif ids := spelling(piece, old):
            result[at], result_biases[at] = rows[ids].mean(0), biases[ids].min()
            found += 1
    return result, result_biases[None], (has, found - has, len(pieces) - 1 - found)


def widened(tensor, fresh, zero):
    """`fresh` with `tensor` in its first rows and columns; the rest is 0 where `zero` says so."""
    result = torch.zeros_like(fresh) if zero else fresh.clone()
    result[tuple(slice(size) for size in tensor.shape)] = tensor
    return result


def passed_on(layer, last, names):
    """Makes a new layer hand on what the layer before it, whose parameters are named `last`, gives: what it adds is 0, and its
    norms have the spread and the mean of that layer's output."""
    scale, shift = (last[f"final_layer_norm.{name}"].float() for name in ("weight", "bias"))
    spread = (scale.square() + shift.square()).mean() - shift.mean().square()
    for name in names:
        if "layer_norm" in name:
            layer[name] = torch.full_like(scale, float(spread.sqrt() if name.endswith("weight") else shift.mean()))
        elif name.startswith("fc2") or "out_proj" in name:
            layer[name] = torch.zeros_like(layer[name])


def read_json(path):
    """The object of a JSON file. ValueError names a file that holds none."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


def checked(shape, directory):
    """(config.json, tensors, SentencePieceProcessor) of a MarianMT directory. ValueError says what does not fit."""
    config = read_json(f"{directory}/config.json")
    expected = {**FIXED, **{name: shape[own] for name, own in ALIKE.items()}}
    for name, value in expected.items():
        if config.get(name) != value:
            raise ValueError(f"{directory}/config.json: {name} is {config.get(name)}; the new network's is {value}")
    for name, own in AT_MOST.items():
        if not 1 <= int(config.get(name, 0)) <= shape[own]:
            raise ValueError(f"{directory}/config.json: {name} is {config.get(name)}, not 1 to {shape[own]}, the new network's")
    try:
        old = sentencepiece.SentencePieceProcessor(model_file=f"{directory}/source.spm")
    except RuntimeError as error:
        raise ValueError(f"{directory}/source.spm: not a SentencePiece model: {error}") from None
    vocabulary = read_json(f"{directory}/vocab.json")
    if any(vocabulary.get(old.id_to_piece(i)) != i for i in range(old.get_piece_size())):
        raise ValueError(f"{directory}/vocab.json: its ids are not those of source.spm")
    tensors = safetensors_file.read(f"{directory}/model.safetensors")
    names = {"vocabulary": "vocab_size", "ffn": "encoder_ffn_dim", "encoder_layers": "encoder_layers", "decoder_layers": "decoder_layers"}
    for name, value in Marian({**shape, **{own: config[theirs] for own, theirs in names.items()}}, 0.0).state_dict().items():
        found = tuple(tensors[name].shape) if name in tensors else "none"
        if found != tuple(value.shape):
            raise ValueError(f"{directory}/model.safetensors: {name} has the shape {found}, not {tuple(value.shape)}")
    return config, tensors, old


def initial(shape, directory, pieces):
    """{name: float32 weights} of a network of this shape (translator_model.Marian) that starts as the MarianMT directory does,
    and a text that says how many subwords it knew; `pieces` {piece: id} is the new vocabulary. ValueError says what does not
    fit."""
    config, tensors, old = checked(shape, directory)
    weights = {name: value.clone() for name, value in Marian(shape, 0.0).state_dict().items()}
    weights["model.shared.weight"], weights["final_logits_bias"], counts = embeddings(tensors, pieces, old)
    for side in ("encoder", "decoder"):
        start, depth = f"model.{side}.layers.", config[f"{side}_layers"]
        of_layer = [name.removeprefix(f"{start}0.") for name in weights if name.startswith(f"{start}0.")]
        for i in range(depth):
            for name in of_layer:
                full = f"{start}{i}.{name}"
                weights[full] = widened(tensors[full].float(), weights[full], name == "fc2.weight")
        last = {name: tensors[f"{start}{depth - 1}.{name}"] for name in of_layer}
        for i in range(depth, shape[f"{side}_layers"]):
            layer = {name: weights[f"{start}{i}.{name}"] for name in of_layer}
            passed_on(layer, last, of_layer)
            weights.update({f"{start}{i}.{name}": value for name, value in layer.items()})
    return weights, "{}: has {} of the subwords, spells {}, lacks {}".format(directory, *counts)
