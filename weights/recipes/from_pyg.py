#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a model directory from the checkpoint of a PyTorch Geometric model.

    from_pyg.py CHECKPOINT OUT_DIR [FLAG ...]

CHECKPOINT is a state_dict (torch.save(model.state_dict(), ...), or a .safetensors file) of a model whose convolutions are
GATConv, GATv2Conv or GCNConv, under any names. OUT_DIR gets model.safetensors, every name unchanged, and config.json
(docs/graph-config.md), filled in from names, shapes and the order of the tensors. What these do not tell is asked at the
terminal, or given by a flag. Without a terminal, a flag that has no safe default and is missing ends the script with exit
code 2; PyTorch Geometric's own defaults are taken, and the summary names each as assumed. A pickle can hold code: one that
holds more than tensors is refused. Needs PyTorch (1.13 or newer); --check with an .npz file needs numpy.

A value may differ from layer to layer: --activation=elu,conv3=none means elu, but none after conv3.

Make sure with --check=FILE, which computes the model's answers and compares them with your own model's. FILE (.pt,
.safetensors or .npz) holds tensors: x [N, F], edge_index [2, E], where the model takes them edge_attr [E, D] (or
edge_weight [E]), batch [N] (graph task) and edge_label_index [2, Q] (edge task); and what your model gave in evaluation
(model.eval()) for them, as out (logits, or the log_softmax of them) or as probabilities. Write it so:

    torch.save({"x": x, "edge_index": edge_index, "out": model(x, edge_index)}, "check.pt")

Nothing is written, and the exit code is 1, if some probability differs by more than --check-tolerance.
"""

import argparse
import fnmatch
import itertools
import json
import math
import os
import sys

import torch

import graph_reference
import pyg_structure
import safetensors_file
import torch_checkpoint
from pyg_structure import TYPES, Ending, arrangements, check_chain, check_order, interleaved, named, natural
from torch_checkpoint import Refused, Unanswered

ACTIVATIONS = ("none", *(name for name in graph_reference.ACTIVATIONS if name != "none"), "leaky_relu")
FILLS = ("mean", "add", "min", "max", "mul")
PLAIN_NORMS = ("none", "l2", "pair", "pair_individually", "instance", "mean_subtraction")
POOLINGS = ("mean", "max", "sum", "attention")
JUMPS = ("none", "last", "max", "cat")


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


def renamed(tensors, renames):
    """The tensors under their new names, in the same order. OLD=NEW replaces OLD where it is one or several whole parts of
    a name, parts being what dots separate."""
    for rename in renames:
        old, equals, new = rename.partition("=")
        if not equals or not old:
            raise Unanswered(f"--rename={rename}: give OLD=NEW")
        parts, result, found = old.split("."), {}, False
        for name, tensor in tensors.items():
            pieces = name.split(".")
            for at in range(len(pieces) - len(parts) + 1):
                if pieces[at:at + len(parts)] == parts:
                    pieces[at:at + len(parts)] = [new] if new else []
                    found = True
                    break
            changed = ".".join(pieces)
            if changed in result or not changed:
                raise Refused(f"--rename={rename}: tensor '{name}' would be '{changed}'"
                              + (", which is there already" if changed else ", which is no name"))
            result[changed] = tensor
        if not found:
            raise Refused(f"--rename={rename}: no tensor's name has '{old}' among its parts; there are {named(tensors)}")
        tensors = result
    return tensors


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
    """The flags, then the terminal, then defaults; `assumed` lists the defaults that were taken unasked, `notes` what else
    the summary says."""

    def __init__(self, flags):
        self.flags = flags
        self.terminal = sys.stdin is not None and sys.stdin.isatty()
        self.assumed, self.notes = [], []

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

    def yes(self, flag, question, default, safe=True):
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
        if not safe:
            raise Unanswered(f"--{flag} or --no-{flag} is missing: {question}")
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


def activation(text):
    """An activation as config.json has it."""
    name, colon, slope = text.partition(":")
    name = {"silu": "swish", "log_softmax": "none"}.get(name, name)
    if name not in ACTIVATIONS:
        raise ValueError(f"not one of {', '.join(ACTIVATIONS)} (leaky_relu:SLOPE)")
    if name != "leaky_relu":
        if colon:
            raise ValueError("only leaky_relu has a slope")
        return name
    slope = number(slope) if colon else 0.01
    return name if slope == 0.01 else {"type": name, "slope": slope}


def poolings(text):
    values = [value.strip() for value in text.split(",")]
    for value in values:
        if value not in POOLINGS:
            raise ValueError(f"'{value}' is not one of {', '.join(POOLINGS)}")
    return values


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


def place_norms(norms, layers, linears, answers):
    """Gives each layer the norm whose name or number says so; what these do not tell is asked."""
    named_by_user = {}
    if answers.given("norms"):
        known = one_of(*(norm.name for norm in norms)) if norms else one_of()
        named_by_user = answers.get("norms", "", "", by_layer([layer.name for layer in (*layers, *linears)], known))
    by_name = {norm.name: norm for norm in norms}
    for layer in (*layers, *linears):
        chosen = by_name.get(named_by_user.get(layer.name))
        if chosen is not None:
            if chosen.width not in layer.widths():
                raise Refused(f"norm '{chosen.name}' is {chosen.width} wide, which '{layer.name}' is not")
            give_norm(layer, chosen)
    for norm in norms:
        if norm.name in named_by_user.values():
            continue
        candidates = pyg_structure.norm_candidates(norm, norms, layers, linears)
        if not candidates:
            raise Refused(f"norm '{norm.name}' is {norm.width} wide, but no layer without a norm is; name its layer with"
                          " --norms=LAYER=NORM, or leave it out with --ignore")
        if len(candidates) > 1:
            raise Unanswered(f"--norms is missing: norm '{norm.name}' may follow {named(c.name for c in candidates)}; say"
                             f" which with --norms=LAYER={norm.name}")
        if candidates[0].in_channels == norm.width:
            answers.assumed.append(f"--norms={candidates[0].name}={norm.name} (by its name; it follows the layer, and does not"
                                   " come before it)")
        give_norm(candidates[0], norm)


def give_norm(layer, norm):
    layer.norm = norm
    if not layer.linear:
        layer.out = norm.width


# --- The order of layers ----------------------------------------------------------------------------------------------


def skip_partners(layers, linears):
    """{layer: the linear layer that looks like its skip connection}"""
    partners = {layer.name: pyg_structure.skip_partner(layer, linears, layers) for layer in layers if not layer.residual}
    return {name: linear for name, linear in partners.items() if linear is not None}


def sort_convolutions(stock, layers, linears, ending, answers):
    """The convolutions in the order that --layers gives, or in which they are defined, or else of their names."""
    names = [layer.name for layer in layers]
    if answers.given("layers"):
        wanted = [name.strip() for name in answers.given("layers").split(",")]
        known = names + [linear.name for linear in linears]
        if len(set(wanted)) < len(wanted) or not set(names) <= set(wanted) <= set(known):
            also = f"; linear layers may be named, too: {', '.join(linear.name for linear in linears)}" if linears else ""
            raise Unanswered(f"--layers={answers.given('layers')}: the layers are {', '.join(names)}{also}")
        return sorted(layers, key=lambda layer: wanted.index(layer.name))
    candidates = [layers]
    if stock.ordered:
        defined = sorted(layers, key=lambda layer: stock.position(layer.name))
        if defined != layers:
            candidates.insert(0, defined)

    def fits(order):
        partners = skip_partners(order, linears).values()
        rest = [linear for linear in linears if linear not in partners]
        return arrangements(order, linears, ending, 1) or arrangements(order, rest, ending, 1)

    fitting = [order for order in candidates if fits(order)]
    counted = len({"".join(part for _, number, part in natural(name) if not number) for name in names}) == 1
    if len(fitting) == 2 and counted:
        raise Unanswered("--layers is missing: the layers are defined in another order than their numbers have; give"
                         f" --layers={','.join(layer.name for layer in fitting[0])} or"
                         f" --layers={','.join(layer.name for layer in fitting[1])}")
    return (fitting or candidates[-1:])[0]


def settle_order(stock, layers, linears, ending, answers):
    """(layers up to the last convolution, linear layers behind it)"""
    by_name = {layer.name: layer for layer in (*layers, *linears)}

    def parse(text):
        wanted = [name.strip() for name in text.split(",")]
        for name in wanted:
            if name not in by_name:
                raise ValueError(f"'{name}' is a skip connection or none of {', '.join(by_name)}")
        if not {layer.name for layer in layers} <= set(wanted):
            raise ValueError(f"it must name {', '.join(layer.name for layer in layers)}")
        return [by_name[name] for name in wanted] + [linear for linear in linears if linear.name not in wanted]

    ways = [interleaved(layers, linears, places) for places in arrangements(layers, linears, ending)]
    if not ways and len(linears) <= 5:  # not in the order of their definition
        for order in itertools.permutations(linears):
            ways += [interleaved(layers, order, places) for places in arrangements(layers, order, ending)]
    default, safe = (ways or [[*layers, *linears]])[0], False
    if stock.ordered and len(ways) > 1:
        defined = sorted((*layers, *linears), key=lambda layer: stock.position(layer.name))
        default = next((way for way in ways if way == defined), default)
        # Linear layers that are defined behind the convolutions run behind them, and the summary says so.
        safe = default == defined and defined[:len(layers)] == layers
    sequence = default
    if answers.given("layers") or len(ways) > 1:
        where = [linear for linear in linears if len({way.index(linear) for way in ways}) > 1]
        sequence = answers.get(
            "layers", f"The order in which the layers run; {', '.join(str(linear) for linear in where)} may run in more than"
            f" one place. The order of {'the checkpoint' if stock.ordered else 'the names'} would be --layers="
            + ",".join(layer.name for layer in default), ",".join(layer.name for layer in default), parse, safe=safe,
            of="the order in which the checkpoint defines them")
    last = max(index for index, layer in enumerate(sequence) if not layer.linear)
    check_order(sequence[:last + 1])
    for linear in sequence[last + 1:]:
        if linear.residual:
            raise Refused(f"--residual={linear.name}={linear.residual}, but '{linear.name}' runs behind the last convolution,"
                          " where Heed computes no skip connections")
    return sequence[:last + 1], sequence[last + 1:]


def place_residuals(layers, linears, ending, answers):
    """Gives each layer its skip connection; the linear layers that are none."""
    names = [layer.name for layer in (*layers, *linears)]

    def parse(text):
        if text not in ("no", "identity") and text not in [linear.name for linear in linears]:
            raise ValueError(f"'{text}' is neither no, identity nor one of the linear layers"
                             f" {', '.join(linear.name for linear in linears) or '(there are none)'}")
        return text

    found = skip_partners(layers, linears)
    rest = [linear for linear in linears if linear not in found.values()]
    if answers.given("residual") is not None:
        chosen = answers.get("residual", "", "", by_layer(names, parse))
    elif found and arrangements(layers, rest, ending, 1):
        if arrangements(layers, linears, ending, 1):
            beside = ",".join(f"{name}={linear.name}" for name, linear in found.items())
            chosen = answers.get("residual", f"Skip connections beside the layers ({beside}), or no", "no",
                                 by_layer(names, parse), safe=False)
        else:
            chosen = {name: linear.name for name, linear in found.items()}
    else:
        chosen = {}
    for layer in (*layers, *linears):
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
                if linear.norm is not None:
                    raise Refused(f"norm '{linear.norm.name}' follows the skip connection '{linear.name}'; Heed computes"
                                  " none there")
        if width not in layer.widths():
            raise Refused(f"residual '{choice}' gives {width} channels, but layer '{layer.name}'"
                          f" {' or '.join(str(w) for w in layer.widths())}")
        layer.out = width
    return [linear for linear in linears if linear.name not in chosen.values()]


def readers(layers, gate, head, ending):
    """(jumping knowledge, width of the last convolution) that fit what reads the final rows; all if nothing does."""
    if gate:
        ending, reader = Ending("node", ending.jumping), gate[0]
    else:
        reader = head[0] if head else None
    return list(dict.fromkeys((jumping, last) for jumping, last, _, width in ending.possibilities(layers)
                              if reader is None or width == reader.in_channels))


def settle_concat(layers, gate, head, ending, answers):
    """Widths that are still open: told by what reads the last convolution, or else by the user."""
    names = [layer.name for layer in layers]
    given = {}
    if answers.given("concat") is not None:
        given = answers.get("concat", "", "", by_layer(names, one_of("yes", "no")))
    last = layers[-1]
    if last.out is None and given.get(last.name) is None and (gate or head):
        fitting = {width for _, width in readers(layers, gate, head, ending)}
        if len(fitting) == 1:
            (last.out,) = fitting
    for layer in layers:
        if layer.heads == 1:
            layer.out = layer.channels
            continue
        choice = given.get(layer.name)
        if layer.out is None and choice is None:
            choice = answers.get("concat", f"Heads of '{layer.name}' ({layer.heads} x {layer.channels}) side by side, yes"
                                 " or no (their mean)", "no", one_of("yes", "no"), safe=False)
        if layer.out is None:
            layer.out = layer.channels * (layer.heads if choice == "yes" else 1)
        elif layer.name in answers.named("concat") and layer.concat != (choice == "yes"):
            raise Refused(f"--concat={choice} for '{layer.name}', but {layer.out} channels follow from its"
                          f" {layer.heads} heads of {layer.channels}")


def settle_jumping(layers, gate, head, ending, answers):
    """none (also for last), max or cat"""
    options = list(dict.fromkeys(jumping for jumping, _ in readers(layers, gate, head, ending)))
    given = answers.given("jk")
    if not options:
        if ending.jumping not in (None, "none"):
            raise Refused(f"--jk={given}: the layers are {', '.join(f'{layer.name} {layer.out}' for layer in layers)} wide,"
                          " which does not fit" + (f" {(gate or head)[0]}" if gate or head else ""))
        return "none"
    if given is not None:
        return ending.jumping
    if not (gate or head):
        if len({layer.out for layer in layers}) == 1 and len(layers) > 1:
            answers.assumed.append("--jk=none (no linear layer reads the layers' outputs)")
        return "none"
    if len(options) == 1:
        return options[0]

    def parse(text):
        jumping = "none" if text == "last" else one_of(*JUMPS)(text)
        if jumping not in options:
            raise ValueError(f"the widths leave {', '.join(options)}")
        return jumping

    return answers.get("jk", f"Jumping knowledge, what {(gate or head)[0]} reads of the layers' outputs: none (or last)"
                       + "".join(f", {option}" for option in options if option != "none"), "none", parse, safe=False)


# --- The configuration ------------------------------------------------------------------------------------------------


def norm_config(layer, settings):
    """The norm field, or None."""
    norm, plain = layer.norm, settings.get("plain_norm", "none")
    if norm is None:
        if plain == "none":
            return None
        config = {"type": plain.removesuffix("_individually")}
        if plain == "pair_individually":
            config["scale_individually"] = True
        if config["type"] == "pair" and settings.get("pair_scale", 1.0) != 1.0:
            config["scale"] = settings["pair_scale"]
        return config
    config = {"name": norm.name, "type": norm.kind}
    if norm.kind == "affine":
        mode = settings["norm_mode"]
        config.update({"type": "instance"} if mode == "instance" else {"type": "layer", "mode": mode})
    if settings["norm_eps"] != 1e-5:
        config["eps"] = settings["norm_eps"]
    return config


def linear_layers(linears, activations, settings):
    configs = []
    for linear in linears:
        config = {"name": linear.name}
        if linear.norm is not None:
            config["norm"] = norm_config(linear, settings)
            if config["norm"]["type"] not in ("batch", "layer") or config["norm"].get("mode") == "graph":
                raise Refused(f"norm '{linear.norm.name}' follows linear layer '{linear.name}', where Heed computes a batch"
                              " norm, or a layer norm over each row (--norm-mode=node)")
        if activations[linear.name] != "none":
            config["activation"] = activations[linear.name]
        if linear.norm is not None and settings["mlp_activation_first"] and "activation" in config:
            config["activation_first"] = True
        configs.append(config)
    return configs


def mlp_activations(groups, answers):
    """{linear: activation}: none after the last of each group, unless the flag names it."""
    names = [linear.name for group in groups for linear in group]
    inner = [linear.name for group in groups for linear in group[:-1]]
    parse = by_layer(names, activation)
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
        values = by_layer(names, activation)(text)
        for name in names[:-1]:
            if values[name] is None:
                raise ValueError(f"nothing is said about '{name}'")
        return values

    if len(names) > 1 or answers.given("activation") is not None:
        values = answers.get("activation", f"Activation after {', '.join(names[:-1]) or last}"
                             f" ({', '.join(ACTIVATIONS)})", "elu" if layers[-1].type == "gat" else "relu", parse,
                             safe=False)
    if last not in answers.named("activation") or answers.given("last-activation") is not None:
        if answers.given("last-activation") is None and not has_head and not answers.terminal:
            values[last] = "none"
            answers.assumed.append(f"--last-activation=none (nothing follows '{last}')")
        else:
            values[last] = answers.get("last-activation", f"Activation after the last layer, {last}", "none",
                                       activation, safe=False)
    return values


def plain_norms(layers, has_head, answers):
    """{layer: norm without weights}. A value for all is for the last layer, too, only if something reads its rows."""
    names = [layer.name for layer in layers]
    explicit = answers.named("plain-norm")
    values = answers.get("plain-norm", f"Norms without weights, which no tensor shows ({', '.join(PLAIN_NORMS)})", "none",
                         by_layer(names, one_of(*PLAIN_NORMS)),
                         of="no F.normalize, PairNorm, InstanceNorm or MeanSubtractionNorm, which no tensor would show")
    for index, layer in enumerate(layers):
        value = values[layer.name] or "none"
        if layer.norm is not None and layer.name in explicit and value != "none":
            raise Refused(f"--plain-norm={layer.name}={value}, but norm '{layer.norm.name}' follows '{layer.name}'; Heed"
                          " computes one norm for each layer")
        last = index + 1 == len(layers)
        if layer.norm is not None or (layer.name not in explicit and last and not has_head):
            value = "none"
        values[layer.name] = value
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
    if layer.linear:
        config = {"name": layer.name, "type": "linear", "out_channels": layer.out}
        if layer.residual:
            config["residual"] = layer.residual
        if not layer.bias:
            config["bias"] = False
    else:
        config = convolution_config(layer, settings)
    norm = norm_config(layer, settings)
    if norm is not None:
        config["norm"] = norm
    if settings["activation"] != "none":
        config["activation"] = settings["activation"]
    if settings.get("activation_first") and norm is not None and settings["activation"] != "none":
        config["activation_first"] = True
    return config


def convolution_config(layer, settings):
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
    return config


def norm_settings(layers, linears, answers):
    """{field: value} of the norms, which are the same for all."""
    normed = [layer.norm for layer in (*layers, *linears) if layer.norm is not None]
    settings = {}
    if any(norm.kind == "affine" for norm in normed):
        settings["norm_mode"] = answers.get(
            "norm-mode", "Norm with weights over the graph (torch_geometric.nn.LayerNorm), each node (torch.nn.LayerNorm) or"
            " each channel (InstanceNorm): graph, node or instance", "graph", one_of("graph", "node", "instance"))
    if normed:
        settings["norm_eps"] = answers.get("norm-eps", "eps of the norm", "1e-5", number)
    if any(linear.norm for linear in linears):
        # In a Sequential a gap between the two numbers leaves room for the activation.
        gap = any(linear.norm and pyg_structure.gap_before(linear.norm, linear) for linear in linears)
        settings["mlp_activation_first"] = answers.yes("mlp-activation-first", "Activation before the norm in the"
                                                       " multi-layer perceptron", False, safe=not gap)
    return settings


def layer_settings(layers, linears, has_head, edge_weights, answers):
    """({layer: {field: value}} of what shapes do not tell, {field: value} of the norms)"""
    names = [layer.name for layer in layers]
    convolutions = [layer for layer in layers if not layer.linear]
    model_type = convolutions[0].type
    settings = {name: {"activation": value} for name, value in layer_activations(layers, has_head, answers).items()}

    def set_all(key, value):
        for name in names:
            settings[name][key] = value

    def set_each(key, flag, question, default, parse):
        of_convolutions = by_layer([layer.name for layer in convolutions], parse)
        for name, value in answers.get(flag, question, default, of_convolutions).items():
            if value is not None:
                settings[name][key] = value

    if model_type == "gcn":
        normalize = answers.yes("normalize", "Symmetric normalisation by degrees", True)
        set_all("normalize", normalize)
        if normalize:
            set_all("add_self_loops", answers.yes("self-loops", "Self-loops added", True))
            improved = answers.yes("improved", "Added self-loops weigh 2 (improved)", False)
            if improved and not edge_weights:
                improved = answers.get(
                    "improved-loops", "Weight of the loops that an improved GCNConv adds where edges have no weights: 1, as"
                    " PyTorch Geometric 2.8 computes from edge_index without edge_weight, or 2, as older versions and a"
                    " SparseTensor give", "1", one_of("1", "2"), safe=False) == "2"
            set_all("improved", improved)
        else:
            if answers.given("self-loops"):
                raise Unanswered("--self-loops: a GCNConv without normalisation adds none")
            set_all("add_self_loops", False)
    else:
        set_each("negative_slope", "negative-slope", "Slope of the LeakyReLU", "0.2", number)
        loops = answers.yes("self-loops", "Self-loops added", True)
        set_all("add_self_loops", loops)
        if convolutions[0].edge_dim and loops:
            set_each("fill_value", "fill-value", f"Features of added self-loops ({', '.join(FILLS)} or a number)", "mean",
                     fill_value)
    of_norms = norm_settings(layers, linears, answers)
    plain = plain_norms(layers, has_head, answers)
    if "pair" in plain.values() or "pair_individually" in plain.values():
        of_norms["pair_scale"] = answers.get(
            "pair-scale", "scale of PairNorm: 1 is its default, but torch_geometric.nn.models, such as GCN(norm='pair_norm'),"
            " make it as large as hidden_channels", "1", number, safe=False)
    for name in names:
        settings[name].update(of_norms, plain_norm=plain[name])
    if any(layer.norm or plain[layer.name] != "none" for layer in layers):
        set_all("activation_first", answers.yes("activation-first", "Activation before the norm", False))
    return settings, of_norms


def only_for(answers, condition, what, *flags):
    for flag in flags:
        if answers.given(flag) is not None and not condition:
            raise Unanswered(f"--{flag} is only for {what}")


def choose_poolings(gate, answers):
    """The readouts of a graph task, in their order."""
    if gate and answers.given("pooling") is None:
        return ["attention"]
    chosen = answers.get("pooling", "Pooling: mean, max or sum; several side by side in their order, such as max,mean", "mean",
                         poolings, safe=False)
    if gate and chosen.count("attention") != 1:
        raise Refused(f"--pooling={','.join(chosen)}, but '{gate[0].name}' is a gate of attention pooling")
    if not gate and "attention" in chosen:
        raise Refused(f"--pooling={','.join(chosen)}, but no linear layer is named as the gate of an attention pooling is"
                      " (gate_nn)")
    return chosen


def check_head(ending, final, what, gate, transform, head, answers):
    """(how an edge's ends are combined, number of outputs) of what reads the final rows; refuses widths that do not fit."""
    if ending.task != "edge":
        check_chain(gate, final, what)
        if transform:
            check_chain(transform, final, what)
            what = f"'{transform[-1].name}'"
        if len(ending.poolings) > 1:
            what = f"pooling {what} by {' and '.join(ending.poolings)}"
        return None, check_chain(head, ending.pooled(final), what)
    if answers.given("decoder") == "dot" and head:
        raise Refused(f"--decoder=dot, but there are linear layers {named(linear.name for linear in head)}")
    if answers.given("decoder") == "mlp" and not head:
        raise Refused("--decoder=mlp, but there is no linear layer")
    if not head:
        only_for(answers, False, "--decoder=mlp", "combine")
        return None, 1
    inputs = head[0].in_channels
    combine = "product" if inputs == final else "concat"
    if answers.given("combine") not in (None, combine) or inputs not in (final, 2 * final):
        raise Refused(f"linear layer {head[0]} takes {inputs} inputs; of two ends of {final} channels concat gives"
                      f" {2 * final}, product {final}")
    return combine, check_chain(head, inputs, "")


def configure(tensors, ordered, answers):
    """(config.json's content, layers up to the last convolution, number of classes) of a checkpoint."""
    pyg_structure.refuse_other_modules(tensors)
    answers.notes += pyg_structure.settle_layouts(tensors)
    stock = pyg_structure.Inventory(tensors, ordered)
    told = [name.strip() for name in (answers.given("layers") or "").split(",")]
    convolutions = pyg_structure.take_convolutions(stock, told)
    norms, linears = pyg_structure.take_norms(stock), pyg_structure.take_linears(stock)
    if stock.left:
        raise Refused(f"of unknown use: {named(stock.left)}; what is no part of the model is left out with --ignore=PATTERN,"
                      " what has another name is renamed with --rename=OLD=NEW")
    if answers.terminal:
        for layer in convolutions:
            print(f"{layer.name}: {TYPES[layer.type]}, {layer.in_channels} inputs, {layer.heads} x {layer.channels} channels")
    task = answers.get("task", "Task: node, edge or graph", "node", one_of("node", "edge", "graph"), safe=False)
    model_type = convolutions[0].type
    only_for(answers, task == "edge", "the edge task", "decoder", "combine")
    only_for(answers, task == "graph", "the graph task", "pooling")
    only_for(answers, model_type == "gcn", "GCNConv", "improved", "normalize", "edge-weights", "improved-loops")
    only_for(answers, model_type != "gcn", "GATConv and GATv2Conv", "negative-slope", "fill-value", "concat")

    gate, transform, linears = pyg_structure.take_attention_pooling(linears) if task == "graph" else ([], [], linears)
    jumping = answers.given("jk") and answers.get("jk", "", "", one_of(*JUMPS))
    ending = Ending(task, "none" if jumping == "last" else jumping, choose_poolings(gate, answers) if task == "graph" else None,
                    transform, answers.given("combine"))
    convolutions = sort_convolutions(stock, convolutions, linears, ending, answers)
    place_norms(norms, convolutions, [*gate, *transform, *linears], answers)
    free = place_residuals(convolutions, linears, ending, answers)
    layers, head = settle_order(stock, convolutions, free, ending, answers)
    settle_concat(convolutions, gate, head, ending, answers)
    jumping = settle_jumping(convolutions, gate, head, ending, answers)
    final = sum(layer.out for layer in convolutions) if jumping == "cat" else convolutions[-1].out
    what = "the layers side by side" if jumping == "cat" else f"'{convolutions[-1].name}'"
    combine, classes = check_head(ending, final, what, gate, transform, head, answers)

    edge_dim = convolutions[0].edge_dim
    if model_type == "gcn":
        edge_dim = int(answers.yes("edge-weights", "Edges have weights", False))
    config = {"model_type": model_type, "task": task, "in_channels": layers[0].in_channels}
    if edge_dim:
        config["edge_dim"] = edge_dim
    has_head = bool(head or gate)
    settings, of_norms = layer_settings(layers, [*gate, *transform, *head], has_head, edge_dim > 0, answers)
    config["layers"] = [layer_config(layer, settings[layer.name]) for layer in layers]
    if jumping != "none":
        config["jumping_knowledge"] = jumping
    activations = mlp_activations([group for group in (gate, transform, head) if group], answers)
    if task == "edge":
        config["decoder"] = {"type": "dot"}
        if head:
            config["decoder"] = {"type": "mlp", "combine": combine, "layers": linear_layers(head, activations, of_norms)}
    elif head:
        config["mlp"] = linear_layers(head, activations, of_norms)
    if task == "graph":
        readouts = [{"pooling": pooling} for pooling in ending.poolings]
        for readout in readouts:
            if readout["pooling"] == "attention":
                readout["gate"] = linear_layers(gate, activations, of_norms)
                if transform:
                    readout["transform"] = linear_layers(transform, activations, of_norms)
        config["readout"] = readouts if len(readouts) > 1 else readouts[0]
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


# --- Checking against the user's own outputs --------------------------------------------------------------------------


def read_outputs(path):
    """{name: tensor} of a --check file."""
    if not os.path.isfile(path):
        raise Refused(f"--check={path}: not a file")
    if path.endswith(".npz"):
        import numpy
        try:
            with numpy.load(path, allow_pickle=False) as arrays:
                content = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        except (ValueError, OSError, TypeError) as error:
            raise Refused(f"--check={path}: not a readable .npz file: {error}") from None
    else:
        content = read_safetensors(path) if path.endswith(".safetensors") else torch_checkpoint.load(path)
    if not isinstance(content, dict):
        raise Refused(f"--check={path}: holds a {type(content).__name__}, not a dictionary of tensors")
    content = {name: value for name, value in content.items() if value is not None}
    known = ("x", "edge_index", "edge_attr", "edge_weight", "batch", "edge_label_index", "out", "probabilities")
    for name, value in content.items():
        if name not in known or not isinstance(value, torch.Tensor):
            raise Refused(f"--check={path}: '{name}' is no tensor that is known; there may be {', '.join(known)}")
    for name in ("x", "edge_index"):
        if name not in content:
            raise Refused(f"--check={path}: '{name}' is missing")
    if ("out" in content) == ("probabilities" in content):
        raise Refused(f"--check={path}: give your model's results as 'out' (logits or log_softmax) or as 'probabilities'")
    if content["edge_index"].dim() != 2 or content["edge_index"].shape[0] != 2:
        raise Refused(f"--check={path}: edge_index is {pyg_structure.shape_of(content['edge_index'])}, not [2, E]")
    return content


def check_outputs(path, config, tensors, tolerance):
    """Prints the largest difference between the probabilities of the model and the user's own; Refused if it is too large."""
    given = read_outputs(path)
    for name, wanted in (("x", (None, config["in_channels"])), ("edge_index", (2, None))):
        if given[name].dim() != 2 or any(size not in (None, got) for size, got in zip(wanted, given[name].shape)):
            raise Refused(f"--check={path}: {name} is {pyg_structure.shape_of(given[name])}, but the model takes"
                          f" [{', '.join('any' if size is None else str(size) for size in wanted)}]")
    edge_attr = given.get("edge_attr", given.get("edge_weight"))
    if config.get("edge_dim", 0) and edge_attr is None and config["model_type"] != "gcn":
        raise Refused(f"--check={path}: edge_attr is missing; the model takes {config['edge_dim']} edge features")
    if not config.get("edge_dim", 0) and edge_attr is not None:
        raise Refused(f"--check={path}: it has edge features, but the model as it would be written takes none"
                      + (" (--edge-weights)" if config["model_type"] == "gcn" else ""))
    if config["task"] == "edge" and "edge_label_index" not in given:
        raise Refused(f"--check={path}: edge_label_index is missing, the pairs that 'out' is about")
    reference = graph_reference.Reference(config, tensors)
    theirs = given.get("out", given.get("probabilities")).double()
    graphs = len(theirs) if config["task"] == "graph" and theirs.dim() > 0 else None
    logits = reference.logits(given["x"], given["edge_index"].long(), edge_attr,
                              given["batch"].long() if "batch" in given else None, graphs, given.get("edge_label_index"))
    ours = reference.probabilities(logits)
    theirs = theirs.reshape(len(theirs), -1) if theirs.dim() else theirs.reshape(1, 1)
    if "out" in given:
        if theirs.shape != logits.shape:
            raise Refused(f"--check={path}: out is {pyg_structure.shape_of(given['out'])}, but the model as it would be"
                          f" written gives {pyg_structure.shape_of(logits)}")
        theirs = reference.probabilities(theirs)
    elif theirs.shape == logits.shape and theirs.shape != ours.shape:
        theirs = torch.cat([1 - theirs, theirs], dim=-1)
    if theirs.shape != ours.shape:
        raise Refused(f"--check={path}: probabilities are {pyg_structure.shape_of(given['probabilities'])}, but the model as"
                      f" it would be written gives {pyg_structure.shape_of(ours)}")
    difference = (ours - theirs).abs()
    worst = difference.max().item() if difference.numel() else 0.0
    if not worst <= tolerance:
        row, column = divmod(int(difference.nan_to_num(math.inf).argmax()), ours.shape[1])
        raise Refused(f"--check={path}: the model as it would be written differs from yours by {worst:.3g} (tolerance"
                      f" {tolerance:g}), at row {row}, class {column}: {ours[row, column]:.6f} instead of"
                      f" {theirs[row, column]:.6f}; nothing is written. Look at what was assumed and at the layers")
    return f"check: the largest difference of {ours.numel()} probabilities is {worst:.3g}"


# --- Writing ----------------------------------------------------------------------------------------------------------


def shown_activation(value):
    return f"{value['type']} of slope {value['slope']}" if isinstance(value, dict) else value


def summarise(config, layers, classes, answers):
    print(f"  {config['model_type']}, {config['task']} task, {config['in_channels']} features,"
          f" {config.get('edge_dim', 0)} edge features, {classes} classes, {config['output']}")
    for layer, fields in zip(layers, config["layers"]):
        parts = [f"{layer.in_channels} -> {layer.out}"]
        if layer.linear:
            parts.append("linear")
        elif layer.heads > 1:
            parts.append(f"{layer.heads} heads of {layer.channels}, {'side by side' if layer.concat else 'their mean'}")
        for key in ("negative_slope", "fill_value", "residual"):
            if key in fields:
                parts.append(f"{key} {fields[key]}")
        parts += [key for key in ("share_weights", "logit_bias", "improved") if fields.get(key)]
        parts += [f"{key} false" for key in ("add_self_loops", "normalize", "bias") if not fields.get(key, True)]
        after = []
        if "norm" in fields:
            norm = fields["norm"]
            after.append(" ".join(["norm", *([f"'{norm['name']}'"] if "name" in norm else []),
                                   f"({norm['type']}{' ' + norm['mode'] if 'mode' in norm else ''})"]))
        after.append(shown_activation(fields.get("activation", "no activation")))
        parts += reversed(after) if fields.get("activation_first") else after
        print(f"  {layer.name}: {', '.join(parts)}")
    for key in ("jumping_knowledge", "readout", "mlp", "decoder"):
        if config.get(key):
            print(f"  {key}: {json.dumps(config[key])}")
    for note in answers.notes:
        print(f"  {note}")
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
    tensors = without_ignored(renamed(read_checkpoint(flags.checkpoint), flags.rename), flags.ignore)
    torch_checkpoint.check_finite(flags.checkpoint, tensors)
    answers = Answers(flags)
    config, layers, classes = configure(tensors, not flags.checkpoint.endswith(".safetensors"), answers)
    if flags.check is not None:
        answers.notes.append(check_outputs(flags.check, config, tensors, flags.check_tolerance))
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
    parser.add_argument("--check", metavar="FILE", help="compare with your own model's outputs; see above")
    parser.add_argument("--check-tolerance", type=float, default=1e-4, metavar="NUMBER",
                        help="largest difference of a probability that passes; default 1e-4")
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW",
                        help="OLD, one or more whole parts of names between dots (such as linear_proj, or gat_net.0), becomes"
                        " NEW; may be repeated. NEW may be empty. Attention vectors and projections of another layout, such"
                        " as [H, C] for [1, H, C], are reshaped")
    parser.add_argument("--ignore", action="append", default=[], metavar="PATTERN",
                        help="leave out tensors of such names, such as 'conv_logstd.*'; may be repeated")
    parser.add_argument("--layers", metavar="NAME,...", help="order in which the convolutions run, and linear layers before"
                        " and between them, where names and widths do not tell")
    parser.add_argument("--jk", metavar="none|last|max|cat", help="jumping knowledge, where widths do not tell")
    parser.add_argument("--task", help="node, edge or graph")
    parser.add_argument("--activation", help=f"{', '.join(ACTIVATIONS)} (leaky_relu:SLOPE; default 0.01): after each layer"
                        " but the last")
    parser.add_argument("--last-activation", help="after the last layer; asked where linear layers follow it")
    parser.add_argument("--activation-first", action=argparse.BooleanOptionalAction, help="the activation before the norm")
    parser.add_argument("--concat", metavar="yes|no", help="heads side by side, where the shapes do not tell")
    parser.add_argument("--negative-slope", metavar="NUMBER", help="of the attention's LeakyReLU; default 0.2")
    parser.add_argument("--self-loops", action=argparse.BooleanOptionalAction, help="add_self_loops; default: yes")
    parser.add_argument("--fill-value", help=f"features of added self-loops: {', '.join(FILLS)} or a number; default mean")
    parser.add_argument("--improved", action=argparse.BooleanOptionalAction, help="GCNConv's improved; default: no")
    parser.add_argument("--improved-loops", metavar="1|2", help="asked with --improved where edges have no weights: the"
                        " weight of added loops. PyTorch Geometric 2.8 computes with 1 there")
    parser.add_argument("--normalize", action=argparse.BooleanOptionalAction, help="GCNConv's normalize; default: yes")
    parser.add_argument("--edge-weights", action=argparse.BooleanOptionalAction,
                        help="GCNConv: edges have weights; default: no")
    parser.add_argument("--residual", metavar="LAYER=LINEAR,...",
                        help="skip connections: a linear layer beside a layer, identity, or no")
    parser.add_argument("--norms", metavar="LAYER=NORM,...", help="which norm follows which layer")
    parser.add_argument("--norm-mode", help="of a norm with weights and no statistics: graph (torch_geometric.nn.LayerNorm's"
                        " default), node (torch.nn.LayerNorm) or instance (InstanceNorm)")
    parser.add_argument("--norm-eps", metavar="NUMBER", help="default 1e-5")
    parser.add_argument("--plain-norm", metavar="TYPE", help=f"norms without weights: {', '.join(PLAIN_NORMS)} (l2 is"
                        " F.normalize); after each layer but the last, after the last too if something reads its rows, or"
                        " LAYER=TYPE,...; default none")
    parser.add_argument("--pair-scale", metavar="NUMBER", help="scale of PairNorm; asked where there is one")
    parser.add_argument("--mlp-activation", help="between the linear layers of a perceptron; default relu")
    parser.add_argument("--mlp-activation-first", action=argparse.BooleanOptionalAction,
                        help="there, the activation before the norm")
    parser.add_argument("--decoder", choices=("dot", "mlp"), help="edge task; told by the tensors")
    parser.add_argument("--combine", choices=("concat", "product"), help="edge task; told by the widths")
    parser.add_argument("--pooling", metavar="TYPE,...", help=f"graph task: {', '.join(POOLINGS)}; several are put side by"
                        " side in the order given")
    parser.add_argument("--output", metavar="softmax|sigmoid", help="default: softmax; of one output, sigmoid")
    parser.add_argument("--labels", metavar="A,B,...|@FILE", help="names of the classes; a file has one on each line")
    flags = parser.parse_args()
    try:
        convert(flags)
    except (Refused, OSError) as error:
        print(f"from_pyg.py: {error}", file=sys.stderr)
        sys.exit(1)
    except (Unanswered, pyg_structure.Untold) as error:
        print(f"from_pyg.py: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
