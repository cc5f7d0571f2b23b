# SPDX-License-Identifier: Apache-2.0
"""Weights to start from: a trained model's, carried over to a network that is as wide or has more of anything else.

New subwords begin as the mean of the old subwords that spell them (fast vocabulary transfer: Gee et al. 2022). New layers
stand behind the old ones, new units of a feed-forward layer beside them; both add nothing at first.
"""

import json

import sentencepiece
import torch

import safetensors_file
from translator_model import Marian

WORD_START = "\u2581"  # SentencePiece's mark of a word's first piece


def spelling(piece, old):
    """Ids of the old subwords that spell a new piece; empty: none do. `old` is a SentencePieceProcessor."""
    known = old.piece_to_id(piece)
    if known != old.unk_id() or piece == old.id_to_piece(known):
        return [known]
    ids = old.encode(piece.replace(WORD_START, " ").strip())
    if not piece.startswith(WORD_START) and ids:  # encode() begins a word
        first = old.id_to_piece(ids[0]).removeprefix(WORD_START)
        start = [old.piece_to_id(first)] if first else []
        ids = [i for i in start if i != old.unk_id()] + ids[1:]
    return [i for i in ids if i != old.unk_id()]


def embeddings(tensors, pieces, old):
    """(rows [vocabulary, d_model], biases [1, vocabulary]) of the new pieces {piece: id}, whose last is <pad>; and how many
    of them were found as they are, spelled, or left as a mean of all."""
    rows, biases = tensors["model.shared.weight"].float(), tensors["final_logits_bias"].float()[0]
    known = old.get_piece_size()
    result, result_biases = rows[:known].mean(0).repeat(len(pieces), 1), biases[:known].mean().repeat(len(pieces))
    counts = [0, 0, 0]
    for piece, at in pieces.items():
        if at == len(pieces) - 1:
            result[at] = result_biases[at] = 0
            continue
        ids = spelling(piece, old)
        counts[min(len(ids), 2) - 1 if ids else 2] += 1
        if ids:
            result[at], result_biases[at] = rows[ids].mean(0), biases[ids].min()
    return result, result_biases[None], counts


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


def initial(shape, directory, pieces):
    """{name: float32 weights} of a network of this shape (translator_model.Marian) that starts as the MarianMT directory does;
    `pieces` {piece: id} is the new vocabulary. ValueError says what does not fit."""
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    for name, theirs in (("d_model", "d_model"), ("heads", "encoder_attention_heads")):
        if config[theirs] != shape[name]:
            raise ValueError(f"{directory}/config.json: {theirs} is {config[theirs]}; the new network's is {shape[name]}")
    for name, theirs in (("ffn", "encoder_ffn_dim"), ("encoder_layers",) * 2, ("decoder_layers",) * 2):
        if config[theirs] > shape[name]:
            raise ValueError(f"{directory}/config.json: {theirs} is {config[theirs]}, more than the new network's {shape[name]}")
    tensors = safetensors_file.read(f"{directory}/model.safetensors")
    old = sentencepiece.SentencePieceProcessor(model_file=f"{directory}/source.spm")
    weights = {name: value.clone() for name, value in Marian(shape, 0.0).state_dict().items()}
    weights["model.shared.weight"], weights["final_logits_bias"], counts = embeddings(tensors, pieces, old)
    print(f"{directory}: {counts[0]} subwords as they are, {counts[1]} spelled with its own, {counts[2]} new", flush=True)
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
    return weights
