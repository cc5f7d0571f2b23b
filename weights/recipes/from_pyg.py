#!/usr/bin/env python3
"""Writes a model directory from the checkpoint of a PyTorch Geometric model.

    from_pyg.py CHECKPOINT OUT_DIR [FLAG ...]

CHECKPOINT is a state_dict (torch.save(model.state_dict(), ...), or a .safetensors file) of a model whose convolutions are
GATConv, GATv2Conv or GCNConv, under any names. OUT_DIR gets model.safetensors, every name unchanged, and config.json
(models/graph-config.md), filled in from the shapes. What shapes do not tell is asked at the terminal, or given by a flag.
Without a terminal, a flag that has no safe default and is missing ends the script with exit code 2; PyTorch Geometric's own
defaults are taken, and the summary names them. A pickle can hold code: one that holds more than tensors is refused. Needs
PyTorch (1.13 or newer) alone.

A value may differ from layer to layer: --activation=elu,conv3=none means elu, but none after conv3.
"""

import argparse
import fnmatch
import json
import math
import os
import re
import sys

import torch

import safetensors_file
import torch_checkpoint
from torch_checkpoint import Refused

ACTIVATIONS = ("none", "elu", "relu", "gelu", "swish")
FILLS = ("mean", "add", "min", "max", "mul")
TYPES = {"gat": "GATConv", "gatv2": "GATv2Conv", "gcn": "GCNConv"}


class Unanswered(Exception):
    """A flag is missing that has no safe default, or its value is not one of those it takes."""


# --- Reading a checkpoint ---------------------------------------------------------------------------------------------


def read_pickle(path):
    content = torch_checkpoint.load(path)
    for key in ("state_dict", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return content


def read_safetensors(path):
    try:
        return safetensors_file.read(path)
    except ValueError as error:
        raise Refused(str(error)) from None


def read_checkpoint(path):
    """{name: tensor}"""
    if not os.path.isfile(path):
        raise Refused(f"{path}: not a file")
    tensors = read_safetensors(path) if path.endswith(".safetensors") else read_pickle(path)
    return torch_checkpoint.check(path, tensors)


def without_ignored(tensors, patterns):
    for pattern in patterns:
        found = fnmatch.filter(tensors, pattern)
        if not found:
            raise Refused(f"--ignore={pattern}: no tensor has such a name")
        for name in found:
            del tensors[name]
    return tensors


# --- What the user is asked -------------------------------------------------------------------------------------------


class Answers:
    """The flags, then the terminal, then defaults; `assumed` lists the defaults that were taken unasked."""

    def __init__(self, flags):
        self.flags = flags
        self.terminal = sys.stdin is not None and sys.stdin.isatty()
        self.assumed = []

    def given(self, flag):
        return getattr(self.flags, flag.replace("-", "_"))

    def named(self, flag):
        """The layers that a flag of the form LAYER=VALUE,... names."""
        return {item.rpartition("=")[0].strip() for item in (self.given(flag) or "").split(",")} - {""}

    def get(self, flag, question, default, parse, safe=True, of="PyTorch Geometric's default"):
        """parse(text) gives the value or raises ValueError. `default` is text; it is taken unasked if it is `safe`."""
        text = self.given(flag)
        if text is not None:
            try:
                return parse(text)
            except ValueError as error:
                raise Unanswered(f"--{flag}={text}: {error}") from None
        while self.terminal:
            try:
                text = input(f"{question} [{default}]: ").strip()
                return parse(text or default)
            except ValueError as error:
                print(f"  {error}")
            except EOFError:
                raise Unanswered(f"--{flag} is missing: {question}") from None
        if not safe:
            raise Unanswered(f"--{flag} is missing: {question} (shapes do not tell, and there is no terminal to ask at)")
        self.assumed.append(f"--{flag}={default}" + (f" ({of})" if of else ""))
        return parse(default)

    def yes(self, flag, question, default):
        """Flags that are --flag or --no-flag."""
        if self.given(flag) is not None:
            return self.given(flag)
        while self.terminal:
            try:
                text = input(f"{question} [{'yes' if default else 'no'}]: ").strip().lower()
            except EOFError:
                raise Unanswered(f"--{flag} is missing: {question}") from None
            if text in ("", "yes", "y", "no", "n"):
                return default if not text else text.startswith("y")
            print("  yes or no")
        self.assumed.append(f"--{'' if default else 'no-'}{flag} (PyTorch Geometric's default)")
        return default


def one_of(*choices):
    def parse(text):
        if text not in choices:
            raise ValueError(f"not one of {', '.join(choices)}")
        return text
    return parse


def number(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def fill_value(text):
    if text in FILLS:
        return text
    try:
        return number(text)
    except ValueError:
        raise ValueError(f"neither a number nor one of {', '.join(FILLS)}") from None


def by_layer(names, parse):
    """Parses `VALUE`, `LAYER=VALUE,...` or `VALUE,LAYER=VALUE,...` to {layer: value}, None for the others."""
    def parse_all(text):
        common, values = None, {}
        for item in text.split(","):
            layer, equals, value = item.strip().rpartition("=")
            if not equals:
                if common is not None:
                    raise ValueError(f"two values for every layer: '{common}' and '{value}'")
                common = parse(value)
            elif layer not in names:
                raise ValueError(f"there is no '{layer}'; there are {', '.join(names)}")
            else:
                values[layer] = parse(value)
        return {name: values.get(name, common) for name in names}
    return parse_all


# --- What the names and shapes tell -----------------------------------------------------------------------------------


def natural(name):
    """Sorts conv2 before conv10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", name) if part]


def trailing_number(name):
    found = re.findall(r"\d+", name)
    return int(found[-1]) if found else None


def shape_of(tensor):
    return "[" + ", ".join(str(size) for size in tensor.shape) + "]"


class Layer:
    """One convolution: name, type, in_channels, heads, channels of one head, edge_dim, and what else its tensors tell."""

    def __init__(self, name, model_type, in_channels, heads, channels):
        self.name, self.type, self.in_channels, self.heads, self.channels = name, model_type, in_channels, heads, channels
        self.edge_dim, self.bias, self.residual, self.shares, self.logit_bias = 0, None, False, False, False
        self.out = None  # width of the output, once known
        self.norm = None

    @property
    def concat(self):
        return self.heads == 1 or self.out == self.heads * self.channels

    def widths(self):
        """The widths that the output can have."""
        return [self.out] if self.out else sorted({self.channels, self.heads * self.channels})


class Linear:
    def __init__(self, name, weight):
        self.name, self.out, self.in_channels = name, weight.shape[0], weight.shape[1]

    def __str__(self):
        return f"'{self.name}' ({self.in_channels} -> {self.out})"


class Inventory:
    """Takes tensors out of a checkpoint as they are recognised; what stays is unknown."""

    def __init__(self, tensors):
        self.tensors = tensors
        self.left = set(tensors)

    def get(self, name):
        return self.tensors.get(name)

    def take(self, name, shape, why):
        """The tensor, now recognised, or None if it is missing. A size of `shape` that is None may be any."""
        tensor = self.tensors.get(name)
        if tensor is None:
            return None
        if tensor.dim() != len(shape) or any(want not in (None, size) for want, size in zip(shape, tensor.shape)):
            wanted = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
            raise Refused(f"tensor '{name}' is {shape_of(tensor)}, but {why} asks for {wanted}")
        self.left.discard(name)
        return tensor

    def need(self, name, shape, why):
        tensor = self.take(name, shape, why)
        if tensor is None:
            raise Refused(f"tensor '{name}' is missing, which {why} asks for")
        return tensor

    def prefixes(self, leaf):
        """Names of the modules that have such a tensor, in natural order."""
        ending = f".{leaf}"
        return sorted((name[:-len(ending)] for name in self.left if name.endswith(ending)), key=natural)


def same(a, b):
    return a is b or (a is not None and b is not None and a.shape == b.shape and torch.equal(a, b))


def common_tensors(stock, layer, why):
    """bias, res and the widths they tell."""
    out = set(layer.widths())
    bias = stock.get(f"{layer.name}.bias")
    if bias is not None:
        stock.take(f"{layer.name}.bias", [None], why)
        out &= set(bias.shape)
        if not out:
            raise Refused(f"tensor '{layer.name}.bias' is {shape_of(bias)}, but {why} gives"
                          f" {' or '.join(str(width) for width in layer.widths())} channels")
    layer.bias = bias is not None
    if stock.get(f"{layer.name}.res.weight") is not None:
        res = stock.take(f"{layer.name}.res.weight", [None, layer.in_channels], why)
        if res.shape[0] not in out:
            raise Refused(f"tensor '{layer.name}.res.weight' is {shape_of(res)}, but {why} gives"
                          f" {' or '.join(str(width) for width in sorted(out))} channels")
        stock.take(f"{layer.name}.res.bias", [res.shape[0]], why)
        layer.residual = True
        out &= {res.shape[0]}
    if len(out) == 1:
        (layer.out,) = out


def take_gat(stock, name):
    source, target = ("att_src", "att_dst") if stock.get(f"{name}.att_src") is not None else ("att_l", "att_r")
    attention = stock.need(f"{name}.{source}", [1, None, None], f"GATConv '{name}'")
    heads, channels = attention.shape[1:]
    why = f"GATConv '{name}' of {heads} x {channels} channels"
    stock.need(f"{name}.{target}", [1, heads, channels], why)
    for first, second in (("lin", None), ("lin_src", "lin_dst"), ("lin_l", "lin_r")):
        weight = stock.take(f"{name}.{first}.weight", [heads * channels, None], why)
        if weight is not None:
            if second:
                stock.take(f"{name}.{second}.weight", list(weight.shape), why)
            break
    else:
        raise Refused(f"tensor '{name}.lin.weight' is missing (or lin_src, lin_l), which {why} asks for")
    layer = Layer(name, "gat", weight.shape[1], heads, channels)
    layer.logit_bias = stock.take(f"{name}.logit_bias", [1, heads], why) is not None
    edge = stock.take(f"{name}.lin_edge.weight", [heads * channels, None], why)
    if edge is not None:
        stock.need(f"{name}.att_edge", [1, heads, channels], why)
        layer.edge_dim = edge.shape[1]
    common_tensors(stock, layer, why)
    return layer


def take_gatv2(stock, name):
    attention = stock.need(f"{name}.att", [1, None, None], f"GATv2Conv '{name}'")
    heads, channels = attention.shape[1:]
    why = f"GATv2Conv '{name}' of {heads} x {channels} channels"
    left = stock.need(f"{name}.lin_l.weight", [heads * channels, None], why)
    left_bias = stock.take(f"{name}.lin_l.bias", [heads * channels], why)
    right = stock.take(f"{name}.lin_r.weight", list(left.shape), why)
    right_bias = stock.take(f"{name}.lin_r.bias", [heads * channels], why)
    layer = Layer(name, "gatv2", left.shape[1], heads, channels)
    layer.shares = right is None or (same(left, right) and same(left_bias, right_bias))
    edge = stock.take(f"{name}.lin_edge.weight", [heads * channels, None], why)
    layer.edge_dim = 0 if edge is None else edge.shape[1]
    common_tensors(stock, layer, why)
    return layer


def take_gcn(stock, name):
    weight = stock.take(f"{name}.lin.weight", [None, None], f"GCNConv '{name}'")
    if weight is not None:
        channels, width = weight.shape
    else:
        width, channels = stock.need(f"{name}.weight", [None, None], f"GCNConv '{name}'").shape
    layer = Layer(name, "gcn", width, 1, channels)
    common_tensors(stock, layer, f"GCNConv '{name}' of {channels} channels")
    return layer


def gcn_prefixes(stock):
    """Modules with `lin.weight` but no `lin.bias`, and older ones with `weight` `[F, C]`."""
    names = [name for name in stock.prefixes("lin.weight") if stock.get(f"{name}.lin.bias") is None]
    for name in stock.prefixes("weight"):
        weight, bias = stock.get(f"{name}.weight"), stock.get(f"{name}.bias")
        if weight.dim() != 2 or any(name in (f"{other}.lin", f"{other}.res") for other in names):
            continue
        if bias is None or weight.shape[0] == weight.shape[1]:
            older = re.search(r"(conv|gcn|gc)s?[._]?\d*$", name)
        else:
            older = list(bias.shape) == [weight.shape[1]]
        if older:
            names.append(name)
    return sorted(names, key=natural)


def refuse_other_modules(tensors):
    for name, tensor in tensors.items():
        if tensor.numel() == 0:
            raise Refused(f"tensor '{name}' is {shape_of(tensor)}: it is empty")
        if name.endswith(".running_mean"):
            raise Refused(f"tensor '{name}': a batch norm, which Heed does not compute; layer norm it does")
        if name.endswith(".mean_scale"):
            raise Refused(f"tensor '{name}': a GraphNorm, which Heed does not compute; layer norm it does")
        if name.startswith("jk.") or ".jk." in name:
            raise Refused(f"tensor '{name}': jumping knowledge by an LSTM, which Heed does not compute")
        if "." not in name:
            raise Refused(f"tensor '{name}' has no layer's name before it: save the state_dict of a model that holds the"
                          " layer under a name")


def take_convolutions(stock, order):
    gat = stock.prefixes("att_src") + stock.prefixes("att_l")
    gatv2 = stock.prefixes("att")
    for name in gatv2:
        if stock.get(f"{name}.lin_l.weight") is None and stock.get(f"{name}.weight") is not None:
            raise Refused(f"tensor '{name}.att': a GATConv of PyTorch Geometric before 1.6, which kept its attention in"
                          " one tensor")
    layers = [take_gat(stock, name) for name in gat] + [take_gatv2(stock, name) for name in gatv2]
    graph_convolutions = gcn_prefixes(stock)
    if layers:
        graph_convolutions = [name for name in graph_convolutions if stock.get(f"{name}.lin.weight") is not None
                              and stock.get(f"{name}.bias") is not None]
    layers += [take_gcn(stock, name) for name in graph_convolutions]
    if not layers:
        raise Refused("there is no GATConv, GATv2Conv or GCNConv; there are " + named(stock.left))
    for layer in layers:
        if layer.type != layers[0].type:
            raise Refused(f"'{layers[0].name}' is a {TYPES[layers[0].type]} and '{layer.name}' a {TYPES[layer.type]}; all"
                          " layers of a model must be one")
        if layer.edge_dim != layers[0].edge_dim:
            raise Refused(f"'{layers[0].name}' has {layers[0].edge_dim} edge features and '{layer.name}'"
                          f" {layer.edge_dim}; all layers of a model must have the same")
    layers.sort(key=lambda layer: natural(layer.name))
    if order:
        names = order.split(",")
        if sorted(names) != sorted(layer.name for layer in layers):
            raise Unanswered(f"--layers={order}: the layers are {', '.join(layer.name for layer in layers)}")
        layers.sort(key=lambda layer: names.index(layer.name))
    for layer, following in zip(layers, layers[1:]):
        if following.in_channels not in layer.widths():
            gives = " or ".join(str(width) for width in layer.widths())
            raise Refused(f"'{layer.name}' gives {gives} channels, but '{following.name}' takes {following.in_channels};"
                          " if they run in another order, say it with --layers=NAME,NAME,...; if one is no layer of"
                          " this model, leave it out with --ignore=NAME.*")
        layer.out = following.in_channels
    return layers


def take_norms(stock):
    norms = []
    for name in stock.prefixes("weight"):
        weight, bias = stock.get(f"{name}.weight"), stock.get(f"{name}.bias")
        if weight.dim() == 1 and bias is not None and bias.shape == weight.shape:
            stock.left -= {f"{name}.weight", f"{name}.bias"}
            norms.append((name, weight.shape[0]))
    return norms


def take_linears(stock):
    linears = []
    for name in stock.prefixes("weight"):
        weight, bias = stock.get(f"{name}.weight"), stock.get(f"{name}.bias")
        if weight.dim() == 2 and (bias is None or list(bias.shape) == [weight.shape[0]]):
            stock.left -= {f"{name}.weight", f"{name}.bias"}
            linears.append(Linear(name, weight))
    return linears


def named(names, limit=12):
    names = sorted(names, key=natural)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(f"'{name}'" for name in names[:limit]) + more


def place_norms(layers, norms, linears, answers):
    """Gives each layer the norm of the same number, or else of the same place in the order."""
    given = {}
    if answers.given("norms"):
        names = [layer.name for layer in layers]
        known = one_of(*(name for name, _ in norms)) if norms else one_of()
        given = answers.get("norms", "", "", by_layer(names, known))
    free = [norm for norm in norms if norm[0] not in given.values()]
    widths = dict(norms)
    for layer in layers:
        if given.get(layer.name):
            layer.norm = given[layer.name]
            if widths[layer.norm] not in layer.widths():
                raise Refused(f"norm '{layer.norm}' is {widths[layer.norm]} wide, which '{layer.name}' is not")
    start = 0
    for name, width in free:
        parent = re.sub(r"norms?\.?\d*(\.module)?$", "lins.", name)
        if parent != name and any(linear.name.startswith(parent) for linear in linears):
            raise Refused(f"norm '{name}' belongs to a multi-layer perceptron, which has none in Heed")
        fits = [index for index, layer in enumerate(layers)
                if layer.norm is None and width in layer.widths()]
        number_of = trailing_number(name)
        match = [index for index in fits if number_of is not None and trailing_number(layers[index].name) == number_of]
        match = match or [index for index in fits if index >= start]
        if not match:
            raise Refused(f"norm '{name}' is {width} wide, but no layer without a norm is; name its layer with"
                          " --norms=LAYER=NORM, or leave it out with --ignore")
        layers[match[0]].norm, layers[match[0]].out = name, width
        start = match[0] + 1


# --- Heads ------------------------------------------------------------------------------------------------------------


def chains(linears, width):
    """Does each linear layer take what the one before gives, the first `width`?"""
    for linear in linears:
        if linear.in_channels != width:
            return False
        width = linear.out
    return True


def check_chain(linears, width, what):
    for linear in linears:
        if linear.in_channels != width:
            raise Refused(f"linear layer {linear} takes {linear.in_channels} inputs, but {what} gives {width}; a skip"
                          " connection is named with --residual=LAYER=NAME, what is no part of the model is left out with"
                          " --ignore=NAME.*")
        width, what = linear.out, f"'{linear.name}'"
    return width


def take_attention_pooling(linears):
    """(gate, transform, the others) of AttentionalAggregation(gate_nn, nn)"""
    gate = [linear for linear in linears if re.search(r"(^|\.)gate_(nn|mlp)(\.|$)", linear.name)]
    if not gate:
        return [], [], linears
    owner = re.split(r"gate_(?:nn|mlp)", gate[0].name)[0]
    transform = [linear for linear in linears if re.match(re.escape(owner) + r"(nn|mlp)(\.|$)", linear.name)
                 and owner and linear not in gate]
    if gate[-1].out != 1:
        raise Refused(f"linear layer {gate[-1]} ends the gate of the attention pooling with {gate[-1].out} outputs; Heed"
                      " computes one")
    return gate, transform, [linear for linear in linears if linear not in gate and linear not in transform]


def skip_partner(layer, linears, layers):
    """The linear layer beside `layer`: the same number, or the same place, and widths that fit."""
    def fits(linear):
        return linear.in_channels == layer.in_channels and linear.out in layer.widths()
    same_number = [linear for linear in linears if fits(linear)
                   and trailing_number(linear.name) is not None
                   and trailing_number(linear.name) == trailing_number(layer.name)]
    if same_number:
        return same_number[0]
    if len(linears) == len(layers) and fits(linears[layers.index(layer)]):
        return linears[layers.index(layer)]
    return None


def head_fits(task, linears, layer):
    """Can the linear layers be what follows the last layer?"""
    widths = layer.widths()
    if task == "edge":
        widths = widths + [2 * width for width in widths]
    return any(chains(linears, width) for width in widths)


def place_residuals(task, layers, linears, answers):
    """Gives each layer its skip connection; the linear layers that are none."""
    names = [layer.name for layer in layers]

    def parse(text):
        if text not in ("no", "identity") and text not in [linear.name for linear in linears]:
            raise ValueError(f"'{text}' is neither no, identity nor one of the linear layers"
                             f" {', '.join(linear.name for linear in linears) or '(there are none)'}")
        return text

    partners = {layer.name: skip_partner(layer, linears, layers) for layer in layers if not layer.residual}
    found = {name: linear for name, linear in partners.items() if linear is not None}
    rest = [linear for linear in linears if linear not in found.values()]
    if answers.given("residual") is not None:
        chosen = answers.get("residual", "", "", by_layer(names, parse))
    elif found and head_fits(task, rest, layers[-1]):
        if head_fits(task, linears, layers[-1]):
            beside = ",".join(f"{name}={linear.name}" for name, linear in found.items())
            chosen = answers.get("residual", f"Skip connections beside the layers ({beside}), or no", "no",
                                 by_layer(names, parse), safe=False)
        else:
            chosen = {name: linear.name for name, linear in found.items()}
    else:
        chosen = {}
    for layer in layers:
        choice = chosen.get(layer.name)
        if choice in (None, "no"):
            continue
        if layer.residual:
            raise Refused(f"layer '{layer.name}' has tensors of its own residual (res.weight) and --residual={choice}")
        layer.residual = choice
        width = layer.in_channels if choice == "identity" else None
        for linear in linears:
            if linear.name == choice:
                width = linear.out
                if linear.in_channels != layer.in_channels:
                    raise Refused(f"linear layer {linear} cannot be beside '{layer.name}', which takes"
                                  f" {layer.in_channels} inputs")
        if width not in layer.widths():
            raise Refused(f"residual '{choice}' gives {width} channels, but layer '{layer.name}'"
                          f" {' or '.join(str(w) for w in layer.widths())}")
        layer.out = width
    return [linear for linear in linears if linear.name not in chosen.values()]


def settle_concat(task, layers, following, answers):
    """Widths that are still open: told by the `following` linear layer's inputs (None without any), or else by the user."""
    names = [layer.name for layer in layers]
    several = [layer for layer in layers if layer.heads > 1]
    given = {}
    if answers.given("concat") is not None:
        given = answers.get("concat", "", "", by_layer(names, one_of("yes", "no")))
    last = layers[-1]
    if last.out is None and given.get(last.name) is None:
        fitting = [width for width in last.widths()
                   if following == width or (task == "edge" and following == 2 * width)]
        if len(fitting) == 1:
            last.out = fitting[0]
    for layer in several:
        choice = given.get(layer.name)
        if layer.out is None and choice is None:
            choice = answers.get("concat", f"Heads of '{layer.name}' ({layer.heads} x {layer.channels}) side by side, yes"
                                 " or no (their mean)", "no", one_of("yes", "no"), safe=False)
        if layer.out is None:
            layer.out = layer.channels * (layer.heads if choice == "yes" else 1)
        elif layer.name in answers.named("concat") and layer.concat != (choice == "yes"):
            raise Refused(f"--concat={choice} for '{layer.name}', but {layer.out} channels follow from its"
                          f" {layer.heads} heads of {layer.channels}")


# --- The configuration ------------------------------------------------------------------------------------------------


def linear_layers(linears, activations):
    return [{"name": linear.name, **({"activation": activations[linear.name]} if activations[linear.name] != "none" else {})}
            for linear in linears]


def mlp_activations(groups, answers):
    """{linear: activation}: none after the last of each group, unless the flag names it."""
    names = [linear.name for group in groups for linear in group]
    inner = [linear.name for group in groups for linear in group[:-1]]
    parse = by_layer(names, one_of(*ACTIVATIONS))
    if not inner and answers.given("mlp-activation") is None:
        return {name: "none" for name in names}
    values = answers.get("mlp-activation", f"Activation after {', '.join(inner) or 'linear layers'}", "relu", parse)
    after = {name: values[name] or "relu" for name in inner}
    return {name: after.get(name) or (values[name] if name in answers.named("mlp-activation") else "none") for name in names}


def layer_activations(layers, has_head, answers):
    names = [layer.name for layer in layers]
    last = names[-1]
    values = dict.fromkeys(names)

    def parse(text):
        values = by_layer(names, one_of(*ACTIVATIONS))(text)
        for name in names[:-1]:
            if values[name] is None:
                raise ValueError(f"nothing is said about '{name}'")
        return values

    if len(names) > 1 or answers.given("activation") is not None:
        values = answers.get("activation", f"Activation after {', '.join(names[:-1]) or last}"
                             f" ({', '.join(ACTIVATIONS)})", "elu" if layers[0].type == "gat" else "relu", parse, safe=False)
    if last not in answers.named("activation") or answers.given("last-activation") is not None:
        if answers.given("last-activation") is None and not has_head and not answers.terminal:
            values[last] = "none"
            answers.assumed.append(f"--last-activation=none (nothing follows '{last}')")
        else:
            values[last] = answers.get("last-activation", f"Activation after the last layer, {last}", "none",
                                       one_of(*ACTIVATIONS), safe=False)
    return values


def read_labels(text, classes):
    if text.startswith("@"):
        try:
            with open(text[1:], encoding="utf-8") as file:
                labels = [line.strip() for line in file if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(str(error)) from None
    else:
        labels = [label.strip() for label in text.split(",")]
    if len(labels) != classes:
        raise ValueError(f"{len(labels)} labels, but there are {classes} classes")
    if len(set(labels)) != len(labels):
        raise ValueError("a label occurs twice")
    return labels


def layer_config(layer, settings):
    config = {"name": layer.name, "out_channels": layer.channels}
    if layer.type != "gcn":
        config["heads"] = layer.heads
        if layer.heads > 1:
            config["concat"] = layer.concat
    for key, default in (("negative_slope", 0.2), ("add_self_loops", True), ("fill_value", "mean"), ("improved", False),
                         ("normalize", True)):
        if settings.get(key, default) != default:
            config[key] = settings[key]
    if layer.shares:
        config["share_weights"] = True
    if layer.residual:
        config["residual"] = layer.residual
    if not layer.bias:
        config["bias"] = False
    if layer.logit_bias:
        config["logit_bias"] = True
    if layer.norm:
        config["norm"] = {"name": layer.norm, "type": "layer", "mode": settings["norm_mode"]}
        if settings["norm_eps"] != 1e-5:
            config["norm"]["eps"] = settings["norm_eps"]
    if settings["activation"] != "none":
        config["activation"] = settings["activation"]
    if settings.get("activation_first") and layer.norm and settings["activation"] != "none":
        config["activation_first"] = True
    return config


def layer_settings(layers, has_head, answers):
    """{layer: {field: value}} of what shapes do not tell."""
    names = [layer.name for layer in layers]
    model_type = layers[0].type
    settings = {name: {"activation": activation} for name, activation in
                layer_activations(layers, has_head, answers).items()}

    def set_all(key, value):
        for name in names:
            settings[name][key] = value

    def set_each(key, flag, question, default, parse):
        for name, value in answers.get(flag, question, default, by_layer(names, parse)).items():
            if value is not None:
                settings[name][key] = value

    if model_type == "gcn":
        normalize = answers.yes("normalize", "Symmetric normalisation by degrees", True)
        set_all("normalize", normalize)
        if normalize:
            set_all("add_self_loops", answers.yes("self-loops", "Self-loops added", True))
            set_all("improved", answers.yes("improved", "Added self-loops weigh 2 (improved)", False))
        else:
            if answers.given("self-loops"):
                raise Unanswered("--self-loops: a GCNConv without normalisation adds none")
            set_all("add_self_loops", False)
    else:
        set_each("negative_slope", "negative-slope", "Slope of the LeakyReLU", "0.2", number)
        loops = answers.yes("self-loops", "Self-loops added", True)
        set_all("add_self_loops", loops)
        if layers[0].edge_dim and loops:
            set_each("fill_value", "fill-value", f"Features of added self-loops ({', '.join(FILLS)} or a number)", "mean",
                     fill_value)
    if any(layer.norm for layer in layers):
        set_all("norm_mode", answers.get("norm-mode", "Layer norm over the graph (torch_geometric.nn.LayerNorm) or each"
                                         " node (torch.nn.LayerNorm): graph or node", "graph", one_of("graph", "node")))
        set_all("norm_eps", answers.get("norm-eps", "eps of the layer norm", "1e-5", number))
        set_all("activation_first", answers.yes("activation-first", "Activation before the norm", False))
    return settings


def only_for(answers, condition, what, *flags):
    for flag in flags:
        if answers.given(flag) is not None and not condition:
            raise Unanswered(f"--{flag} is for {what} alone")


def check_head(task, last, gate, transform, head, answers):
    """(how an edge's ends are combined, number of outputs) of what follows the last layer; refuses widths that do not fit."""
    width, what = last.out, f"'{last.name}'"
    if task != "edge":
        if gate and answers.given("pooling") not in (None, "attention"):
            raise Refused(f"--pooling={answers.given('pooling')}, but '{gate[0].name}' is a gate of attention pooling")
        check_chain(gate, width, what)
        if transform:
            width, what = check_chain(transform, width, what), f"'{transform[-1].name}'"
        return None, check_chain(head, width, what)
    if answers.given("decoder") == "dot" and head:
        raise Refused(f"--decoder=dot, but there are linear layers {named(linear.name for linear in head)}")
    if answers.given("decoder") == "mlp" and not head:
        raise Refused("--decoder=mlp, but there is no linear layer")
    if not head:
        only_for(answers, False, "--decoder=mlp", "combine")
        return None, 1
    inputs = head[0].in_channels
    combine = "product" if inputs == width else "concat"
    if answers.given("combine") not in (None, combine) or inputs not in (width, 2 * width):
        raise Refused(f"linear layer {head[0]} takes {inputs} inputs; of two ends of {width} channels concat gives"
                      f" {2 * width}, product {width}")
    return combine, check_chain(head, inputs, "")


def configure(tensors, answers):
    """(config.json's content, layers) of a checkpoint."""
    refuse_other_modules(tensors)
    stock = Inventory(tensors)
    layers = take_convolutions(stock, answers.given("layers"))
    norms, linears = take_norms(stock), take_linears(stock)
    if stock.left:
        raise Refused(f"of unknown use: {named(stock.left)}; what is no part of the model is left out with --ignore=PATTERN")
    if answers.terminal:
        for layer in layers:
            print(f"{layer.name}: {TYPES[layer.type]}, {layer.in_channels} inputs, {layer.heads} x {layer.channels} channels")
    task = answers.get("task", "Task: node, edge or graph", "node", one_of("node", "edge", "graph"), safe=False)
    only_for(answers, task == "edge", "the edge task", "decoder", "combine")
    only_for(answers, task == "graph", "the graph task", "pooling")
    only_for(answers, layers[0].type == "gcn", "GCNConv", "improved", "normalize", "edge-weights")
    only_for(answers, layers[0].type != "gcn", "GATConv and GATv2Conv", "negative-slope", "fill-value", "concat")

    place_norms(layers, norms, linears, answers)
    gate, transform, linears = take_attention_pooling(linears) if task == "graph" else ([], [], linears)
    head = place_residuals(task, layers, linears, answers)
    following = gate or head
    settle_concat(task, layers, following[0].in_channels if following else None, answers)
    last = layers[-1]
    total = sum(layer.out for layer in layers)
    if head and len(layers) > 1 and head[0].in_channels == total != last.out:
        raise Refused(f"linear layer {head[0]} takes all layers' outputs side by side (jumping knowledge, jk='cat'), which"
                      " Heed does not compute")

    combine, classes = check_head(task, last, gate, transform, head, answers)

    edge_dim = last.edge_dim
    if last.type == "gcn":
        edge_dim = int(answers.yes("edge-weights", "Edges have weights", False))
    config = {"model_type": last.type, "task": task, "in_channels": layers[0].in_channels}
    if edge_dim:
        config["edge_dim"] = edge_dim
    settings = layer_settings(layers, bool(head or gate), answers)
    config["layers"] = [layer_config(layer, settings[layer.name]) for layer in layers]
    activations = mlp_activations([group for group in (gate, transform, head) if group], answers)
    if task == "edge":
        config["decoder"] = {"type": "dot"}
        if head:
            config["decoder"] = {"type": "mlp", "combine": combine, "layers": linear_layers(head, activations)}
    elif head:
        config["mlp"] = linear_layers(head, activations)
    if task == "graph" and gate:
        config["readout"] = {"pooling": "attention", "gate": linear_layers(gate, activations)}
        if transform:
            config["readout"]["transform"] = linear_layers(transform, activations)
    elif task == "graph":
        config["readout"] = {"pooling": answers.get("pooling", "Pooling: mean, max or sum", "mean",
                                                    one_of("mean", "max", "sum"), safe=False)}
    one = classes == 1
    output = answers.get("output", "Output: softmax (one class of all) or sigmoid (each label on its own)",
                         "sigmoid" if one else "softmax", one_of("softmax", "sigmoid"), of="")
    if one and output == "softmax":
        raise Refused("--output=softmax, but the model has one output, of which softmax is always 1")
    config["output"] = output
    classes = 2 if one else classes
    if answers.terminal or answers.given("labels") is not None:
        labels = answers.get("labels", f"Names of the {classes} classes, separated by commas, or @FILE", "their indices",
                             lambda text: None if text == "their indices" else read_labels(text, classes))
        if labels:
            config["labels"] = labels
    return config, layers, classes


# --- Writing ----------------------------------------------------------------------------------------------------------


def summarise(config, layers, classes, answers):
    print(f"  {config['model_type']}, {config['task']} task, {config['in_channels']} features,"
          f" {config.get('edge_dim', 0)} edge features, {classes} classes, {config['output']}")
    for layer, fields in zip(layers, config["layers"]):
        parts = [f"{layer.in_channels} -> {layer.out}"]
        if layer.heads > 1:
            parts.append(f"{layer.heads} heads of {layer.channels}, {'side by side' if layer.concat else 'their mean'}")
        for key in ("negative_slope", "fill_value", "residual"):
            if key in fields:
                parts.append(f"{key} {fields[key]}")
        parts += [key for key in ("share_weights", "logit_bias", "improved") if fields.get(key)]
        parts += [f"{key} false" for key in ("add_self_loops", "normalize", "bias") if not fields.get(key, True)]
        after = [f"norm '{layer.norm}' ({fields['norm']['mode']})"] if layer.norm else []
        after.append(fields.get("activation", "no activation"))
        parts += reversed(after) if fields.get("activation_first") else after
        print(f"  {layer.name}: {', '.join(parts)}")
    for key in ("readout", "mlp", "decoder"):
        if config.get(key):
            print(f"  {key}: {json.dumps(config[key])}")
    for assumption in answers.assumed:
        print(f"  assumed: {assumption}")


def write_json(path, content):
    partial = f"{path}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def convert(flags):
    model, description = (os.path.join(flags.directory, name) for name in ("model.safetensors", "config.json"))
    for path in (model, description):
        if os.path.exists(path) and not flags.force:
            raise Refused(f"{path}: exists already; --force replaces it")
    tensors = without_ignored(read_checkpoint(flags.checkpoint), flags.ignore)
    answers = Answers(flags)
    config, layers, classes = configure(tensors, answers)
    os.makedirs(flags.directory, exist_ok=True)
    safetensors_file.write(model, tensors)
    write_json(description, config)
    dtypes = sorted({safetensors_file.DTYPE_NAMES[tensor.dtype] for tensor in tensors.values()})
    print(f"{flags.directory}: {len(tensors)} tensors, {'/'.join(dtypes)}, {os.path.getsize(model) / 1e6:.1f} MB")
    summarise(config, layers, classes, answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="state_dict: .pt, .pth or .safetensors")
    parser.add_argument("directory", metavar="OUT_DIR", help="directory to write; made if it is not there")
    parser.add_argument("--force", action="store_true", help="replace files that are there already")
    parser.add_argument("--ignore", action="append", default=[], metavar="PATTERN",
                        help="leave out tensors of such names, such as 'conv_logstd.*'; may be repeated")
    parser.add_argument("--layers", metavar="NAME,...", help="order of the layers, where the names do not give it")
    parser.add_argument("--task", help="node, edge or graph")
    parser.add_argument("--activation", help=f"{', '.join(ACTIVATIONS)}: after each layer but the last")
    parser.add_argument("--last-activation", help="after the last layer; asked where linear layers follow it")
    parser.add_argument("--activation-first", action=argparse.BooleanOptionalAction, help="the activation before the norm")
    parser.add_argument("--concat", metavar="yes|no", help="heads side by side, where the shapes do not tell")
    parser.add_argument("--negative-slope", metavar="NUMBER", help="of the LeakyReLU; default 0.2")
    parser.add_argument("--self-loops", action=argparse.BooleanOptionalAction, help="add_self_loops; default: yes")
    parser.add_argument("--fill-value", help=f"features of added self-loops: {', '.join(FILLS)} or a number; default mean")
    parser.add_argument("--improved", action=argparse.BooleanOptionalAction,
                        help="GCNConv's improved. PyTorch Geometric 2.8 itself applies it only where edges have weights")
    parser.add_argument("--normalize", action=argparse.BooleanOptionalAction, help="GCNConv's normalize; default: yes")
    parser.add_argument("--edge-weights", action=argparse.BooleanOptionalAction,
                        help="GCNConv: edges have weights; default: no")
    parser.add_argument("--residual", metavar="LAYER=LINEAR,...",
                        help="skip connections: a linear layer beside a layer, identity, or no")
    parser.add_argument("--norms", metavar="LAYER=NORM,...", help="which norm follows which layer")
    parser.add_argument("--norm-mode", help="graph (torch_geometric.nn.LayerNorm's default) or node (torch.nn.LayerNorm)")
    parser.add_argument("--norm-eps", metavar="NUMBER", help="default 1e-5")
    parser.add_argument("--mlp-activation", help="between the linear layers of a perceptron; default relu")
    parser.add_argument("--decoder", choices=("dot", "mlp"), help="edge task; told by the tensors")
    parser.add_argument("--combine", choices=("concat", "product"), help="edge task; told by the widths")
    parser.add_argument("--pooling", choices=("mean", "max", "sum", "attention"), help="graph task")
    parser.add_argument("--output", metavar="softmax|sigmoid", help="default: softmax; of one output, sigmoid")
    parser.add_argument("--labels", metavar="A,B,...|@FILE", help="names of the classes; a file has one on each line")
    flags = parser.parse_args()
    try:
        convert(flags)
    except (Refused, OSError) as error:
        print(f"from_pyg.py: {error}", file=sys.stderr)
        sys.exit(1)
    except Unanswered as error:
        print(f"from_pyg.py: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
