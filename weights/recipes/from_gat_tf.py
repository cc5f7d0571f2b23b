#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a model directory from a TensorFlow checkpoint of the original GAT repository (PetarV-/GAT).

    from_gat_tf.py PREFIX OUT_DIR [FLAG ...]

PREFIX.index and PREFIX.data-00000-of-00001 are the checkpoint, such as pre_trained/cora/mod_cora.ckpt; TensorFlow is not
needed. OUT_DIR gets model.safetensors, with PyTorch Geometric's names, and config.json (docs/graph-config.md).

A head there is three convolutions: conv1d_{3h} gives its values, conv1d_{3h+1} the target's score and conv1d_{3h+2} the
source's. The biases of the scores stand inside the LeakyReLU and become `logit_bias`. The last layer takes the mean of its
heads. A residual convolution of a hidden layer is taken where there is one. The optimizer's variables are left out.

The repository divides the rows of its features by their sums before the network: do so with those that you ask about.
Needs PyTorch >= 1.13.
"""

import argparse
import os
import re
import sys

import torch

import safetensors_file
import torch_checkpoint
from from_pyg import read_labels, write_json
from pyg_structure import named, natural
from tensorflow_checkpoint import Checkpoint
from torch_checkpoint import Refused, Unanswered

OPTIMIZER = re.compile(r"(.*/)?(Adam(_\d+)?|beta[12]_power|global_step)")


class Head:
    """One attention head: value [F, C], target and source [C], logit_bias, bias [C], and residual [F, C] or None."""

    def __init__(self, name, value):
        self.name, self.value = name, value
        self.inputs, self.channels = value.shape
        self.target = self.source = self.residual = self.residual_bias = self.bias = None
        self.logit_bias = torch.zeros(())


def numbered(names, pattern):
    """[(number, scope)] of the modules whose names fit, in their order."""
    found = {}
    for name in names:
        match = re.fullmatch(pattern, name)
        if match:
            found[int(match[2] or 0)] = match[1]
    return sorted(found.items())


def kernel(checkpoint, scope):
    name = f"{scope}/kernel"
    if name not in checkpoint.variables:
        raise Refused(f"{checkpoint.index}: variable '{name}' is missing")
    weights = checkpoint.read(name)
    if weights.dim() != 3 or weights.shape[0] != 1:
        raise Refused(f"{checkpoint.index}: variable '{name}' is {list(weights.shape)}; a convolution of one node is"
                      " [1, inputs, outputs]")
    return weights[0].float()


def bias(checkpoint, scope, size, leaf="bias"):
    name = f"{scope}/{leaf}"
    if name not in checkpoint.variables:
        return None
    values = checkpoint.read(name).float()
    if list(values.shape) != [size]:
        raise Refused(f"{checkpoint.index}: variable '{name}' is {list(values.shape)}, not [{size}]")
    return values


def read_heads(checkpoint):
    names = [name for name in checkpoint.variables if not OPTIMIZER.fullmatch(name)]
    convolutions = numbered(names, r"((?:.*/)?conv1d(?:_(\d+))?)/kernel")
    biases = numbered(names, r"((?:.*/)?BiasAdd(?:_(\d+))?)/biases")
    known = {f"{scope}/{leaf}" for _, scope in convolutions for leaf in ("kernel", "bias")}
    known |= {f"{scope}/biases" for _, scope in biases}
    unknown = sorted(set(names) - known, key=natural)
    if not convolutions or unknown:
        raise Refused(f"{checkpoint.index}: " + (f"of unknown use: {named(unknown)}" if convolutions else
                                                 f"no convolution conv1d/kernel; there are {named(names)}"))
    scopes = [scope for _, scope in convolutions]
    heads = []
    while scopes:
        if len(scopes) < 3:
            raise Refused(f"{checkpoint.index}: {named(scopes)} are left; a head has three convolutions")
        value, target, source = scopes[:3]
        head = Head(value, kernel(checkpoint, value))
        if f"{value}/bias" in checkpoint.variables:
            raise Refused(f"{checkpoint.index}: '{value}' should give a head's values, but it has a bias")
        for name, scope in (("target", target), ("source", source)):
            weights = kernel(checkpoint, scope)
            if list(weights.shape) != [head.channels, 1]:
                raise Refused(f"{checkpoint.index}: '{scope}' is {list(weights.shape)}; the score of a head of"
                              f" {head.channels} channels is [{head.channels}, 1]")
            setattr(head, name, weights[:, 0])
            inside = bias(checkpoint, scope, 1)
            if inside is not None:
                head.logit_bias = head.logit_bias + inside[0]
        del scopes[:3]
        # A residual convolution has a bias, and the head's own widths.
        if scopes and f"{scopes[0]}/bias" in checkpoint.variables:
            weights = kernel(checkpoint, scopes[0])
            if weights.shape != head.value.shape:
                raise Refused(f"{checkpoint.index}: '{scopes[0]}' is {list(weights.shape)}; a residual of '{value}' is"
                              f" {list(head.value.shape)}")
            head.residual, head.residual_bias = weights, bias(checkpoint, scopes.pop(0), head.channels)
        heads.append(head)
    if len(biases) != len(heads):
        raise Refused(f"{checkpoint.index}: {len(heads)} heads, but {len(biases)} biases BiasAdd")
    for head, (_, scope) in zip(heads, biases):
        head.bias = bias(checkpoint, scope, head.channels, "biases")
    return heads


def count_heads(heads):
    """How many heads each layer has: a layer's heads side by side are as wide as the next layer's inputs."""
    counts, start = [], 0
    while start < len(heads):
        first, end = heads[start], start
        while end < len(heads) and (heads[end].inputs, heads[end].channels) == (first.inputs, first.channels):
            end += 1
        run, repeated = end - start, first.inputs // first.channels if first.inputs % first.channels == 0 else 0
        last = run  # heads of the last layer among them
        if end < len(heads):
            last = heads[end].inputs // first.channels
        elif 0 < repeated < run:
            raise Unanswered(f"--heads is missing: the last {run} heads, of {first.inputs} inputs and {first.channels} channels,"
                             " may be one layer or several; give the heads of each layer, such as --heads=8,8,1")
        before = run - last
        if before < 0 or before > 0 and (repeated == 0 or before % repeated):
            raise Unanswered(f"--heads is missing: {run} heads from '{first.name}' on, of {first.inputs} inputs and"
                             f" {first.channels} channels, are no whole layers; give the heads of each layer, such as --heads=8,1")
        counts += [repeated] * (before // repeated if before else 0) + [last]
        start = end
    return counts


def layers_of(heads, counts):
    """Lists of heads, a list for each layer. `counts`: heads of each layer, or None to tell them by the widths."""
    if counts is None:
        counts = count_heads(heads)
    elif sum(counts) != len(heads) or min(counts) < 1:
        raise Unanswered(f"--heads={','.join(map(str, counts))}: the checkpoint has {len(heads)} heads")
    layers, start = [], 0
    for count in counts:
        layers.append(heads[start:start + count])
        start += count
    for layer, following in zip(layers, layers[1:]):
        width = len(layer) * layer[0].channels
        if following[0].inputs != width:
            raise Refused(f"{len(layer)} heads of {layer[0].channels} channels give {width}, but '{following[0].name}' takes"
                          f" {following[0].inputs}")
    for layer in layers:
        for head in layer:
            if (head.inputs, head.channels) != (layer[0].inputs, layer[0].channels):
                raise Refused(f"'{head.name}' is {head.inputs} -> {head.channels}, but '{layer[0].name}' of its layer"
                              f" {layer[0].inputs} -> {layer[0].channels}")
            if (head.residual is None) != (layer[0].residual is None):
                raise Refused(f"only some heads of the layer of '{layer[0].name}' have a residual convolution")
    return layers


def layer_tensors(name, heads, last):
    """The tensors of one layer, by PyTorch Geometric's names."""
    tensors = {f"{name}.att_src": torch.stack([head.source for head in heads])[None],
               f"{name}.att_dst": torch.stack([head.target for head in heads])[None],
               f"{name}.logit_bias": torch.stack([head.logit_bias for head in heads])[None],
               f"{name}.lin.weight": torch.cat([head.value.t() for head in heads])}
    combine = (lambda rows: torch.stack(rows).mean(0)) if last else torch.cat
    tensors[f"{name}.bias"] = combine([head.bias for head in heads])
    if heads[0].residual is not None:
        tensors[f"{name}.res.weight"] = combine([head.residual.t() for head in heads])
        tensors[f"{name}.res.bias"] = combine([head.residual_bias for head in heads])
    return {key: tensor.contiguous() for key, tensor in tensors.items()}


def convert(flags):
    model, description = (os.path.join(flags.directory, name) for name in ("model.safetensors", "config.json"))
    for path in (model, description):
        if os.path.exists(path) and not flags.force:
            raise Refused(f"{path}: exists already; --force replaces it")
    checkpoint = Checkpoint(flags.checkpoint)
    layers = layers_of(read_heads(checkpoint), flags.heads)
    tensors, configs = {}, []
    for index, heads in enumerate(layers):
        last = index + 1 == len(layers)
        name = f"layers.{index}"
        tensors.update(layer_tensors(name, heads, last))
        config = {"name": name, "out_channels": heads[0].channels, "heads": len(heads), "concat": not last,
                  "negative_slope": 0.2, "logit_bias": True}
        if heads[0].residual is not None:
            config["residual"] = True
        if not last:
            config["activation"] = flags.activation
        configs.append(config)
        # A residual that adds the input itself has no variables.
        same = heads[0].inputs == heads[0].channels
        if 0 < index and not last and same and heads[0].residual is None and flags.residual is None:
            raise Unanswered(f"--residual or --no-residual is missing: layer {index} has heads as wide as its input, to which"
                             " a residual adds the input without any variable")
        if 0 < index and not last and same and flags.residual:
            tensors[f"{name}.res.weight"] = torch.eye(heads[0].channels).repeat(len(heads), 1)
            config["residual"] = True
    torch_checkpoint.check_finite(checkpoint.prefix, tensors)
    classes = layers[-1][0].channels
    config = {"model_type": "gat", "task": "node", "in_channels": layers[0][0].inputs, "layers": configs, "output": flags.output}
    if flags.labels:
        try:
            config["labels"] = read_labels(flags.labels, classes)
        except ValueError as error:
            raise Unanswered(f"--labels={flags.labels}: {error}") from None
    os.makedirs(flags.directory, exist_ok=True)
    safetensors_file.write(model, tensors)
    write_json(description, config)
    print(f"{flags.directory}: {len(tensors)} tensors, {os.path.getsize(model) / 1e6:.1f} MB")
    for heads, fields in zip(layers, configs):
        print(f"  {fields['name']}: {heads[0].inputs} -> {len(heads)} heads of {heads[0].channels},"
              f" {'side by side' if fields['concat'] else 'their mean'}, {fields.get('activation', 'no activation')}"
              + (", residual" if fields.get("residual") else ""))
    left_out = sum(1 for name in checkpoint.variables if OPTIMIZER.fullmatch(name))
    if left_out:
        print(f"  {left_out} variables of the optimizer are left out")
    print(f"  assumed: --activation={flags.activation} after each layer but the last, LeakyReLU of slope 0.2,"
          " self-loops, as in that repository; its features' rows are divided by their sums")


def head_counts(text):
    return [int(count) for count in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="PREFIX", help="what the names of the checkpoint's files begin with")
    parser.add_argument("directory", metavar="OUT_DIR", help="directory to write; made if it is not there")
    parser.add_argument("--force", action="store_true", help="replace files that are there already")
    parser.add_argument("--heads", type=head_counts, metavar="H,H,...", help="heads of each layer, where widths do not tell")
    parser.add_argument("--activation", choices=("elu", "relu", "none"), default="elu",
                        help="after each layer but the last; default elu")
    parser.add_argument("--residual", action=argparse.BooleanOptionalAction,
                        help="of hidden layers whose heads are as wide as their input; asked where there is one")
    parser.add_argument("--output", choices=("softmax", "sigmoid"), default="softmax", help="default softmax")
    parser.add_argument("--labels", metavar="A,B,...|@FILE", help="names of the classes; a file has one on each line")
    flags = parser.parse_args()
    try:
        convert(flags)
    except (Refused, OSError) as error:
        print(f"from_gat_tf.py: {error}", file=sys.stderr)
        sys.exit(1)
    except Unanswered as error:
        print(f"from_gat_tf.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
