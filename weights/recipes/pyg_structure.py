# SPDX-License-Identifier: Apache-2.0
"""What the names, shapes and order of a PyTorch Geometric checkpoint's tensors tell about the network; from_pyg.py asks the
rest. Needs PyTorch 1.13 or newer.
"""

import itertools
import re

import torch

from torch_checkpoint import Refused

TYPES = {"gat": "GATConv", "gatv2": "GATv2Conv", "gcn": "GCNConv"}


class Untold(Exception):
    """Names and shapes leave it open; the message names the flag that settles it."""


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

    linear = False

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
    """A linear layer: before or between convolutions, beside one (a skip connection), or behind the last one."""

    linear = True

    def __init__(self, name, weight, bias):
        self.name, self.out, self.in_channels, self.bias = name, weight.shape[0], weight.shape[1], bias
        self.norm, self.residual = None, False

    def widths(self):
        return [self.out]

    def __str__(self):
        return f"'{self.name}' ({self.in_channels} -> {self.out})"


class Norm:
    """A norm with tensors. kind: batch, graph (GraphNorm), or affine: a layer norm or an instance norm."""

    def __init__(self, name, kind, width):
        self.name, self.kind, self.width = name, kind, width


class Inventory:
    """Takes tensors out of a checkpoint as they are recognised; what stays is unknown. `ordered`: the tensors are in the
    order in which the model defines them, as in a state_dict; a .safetensors file keeps no order."""

    def __init__(self, tensors, ordered):
        self.tensors, self.ordered = tensors, ordered
        self.left = set(tensors)

    def position(self, name):
        """Where the module's first tensor is, in the order of definition."""
        return next(i for i, tensor in enumerate(self.tensors) if tensor.startswith(f"{name}."))

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


def average_skip(stock, layer, out):
    """A skip projection of every head, whose heads' mean the layer takes (pytorch-GAT): the mean of its rows is the same."""
    name = f"{layer.name}.res.weight"
    weight = stock.get(name)
    wide = layer.heads * layer.channels
    if layer.heads > 1 and out == {layer.channels} and list(weight.shape) == [wide, layer.in_channels]:
        stock.tensors[name] = weight.view(layer.heads, layer.channels, layer.in_channels).mean(0)


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
        average_skip(stock, layer, out)
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
        if name.startswith("jk.") or ".jk." in name:
            raise Refused(f"tensor '{name}': jumping knowledge by an LSTM (jk='lstm'), which Heed does not compute")
        if "." not in name:
            raise Refused(f"tensor '{name}' has no layer's name before it: save the state_dict of a model that holds the"
                          " layer under a name")


def settle_layouts(tensors):
    """Reshapes attention vectors to [1, H, C] and projections of heads apart to [H * C, F], in place; what it did."""
    notes = []

    def put(name, tensor):
        notes.append(f"reshaped: '{name}' {shape_of(tensors[name])} to {shape_of(tensor)}")
        tensors[name] = tensor.contiguous()

    for name, tensor in list(tensors.items()):
        leaf = name.rpartition(".")[2]
        if leaf not in ("att", "att_src", "att_dst", "att_l", "att_r", "att_edge"):
            continue
        if tensor.dim() == 4 and tensor.shape[0] == tensor.shape[3] == 1:
            put(name, tensor[..., 0])
        elif tensor.dim() == 2:
            put(name, tensor[None])
        elif tensor.dim() == 3 and tensor.shape[0] > 1 and tensor.shape[2] == 1:
            put(name, tensor[..., 0][None])
    for name, tensor in list(tensors.items()):
        scope, _, leaf = name.rpartition(".lin.")
        attention = tensors.get(f"{scope}.att_src")
        if leaf != "weight" or tensor.dim() != 3 or attention is None or attention.dim() != 3:
            continue
        heads, channels = attention.shape[1:]
        if tensor.shape[0] != heads or channels not in tensor.shape[1:]:
            continue
        if tensor.shape[1] == tensor.shape[2]:
            raise Refused(f"tensor '{name}' is {shape_of(tensor)}: it may be [heads, inputs, channels] or [heads, channels,"
                          " inputs]; store it as [heads * channels, inputs]")
        rows = tensor if tensor.shape[1] == channels else tensor.transpose(1, 2)
        put(name, rows.reshape(heads * channels, -1))
    return notes


def known_layouts(tensors):
    """A hint at the renames that other implementations' names need, or nothing."""
    def has(leaf):
        return any(name.endswith(leaf) for name in tensors)
    if has(".scoring_fn_source") and has(".scoring_fn_target"):
        projection = "proj_param=lin.weight" if has(".proj_param") else "linear_proj=lin"
        skip = " --rename=skip_proj=res" if has(".skip_proj.weight") else ""
        return (f"; this looks like pytorch-GAT: --rename={projection} --rename=scoring_fn_source=att_src"
                f" --rename=scoring_fn_target=att_dst{skip}")
    if has(".attn_l") and has(".attn_r"):
        skip = " --rename=res_fc=res" if has(".res_fc.weight") else ""
        return (f"; this looks like DGL: --rename=fc=lin --rename=attn_l=att_src --rename=attn_r=att_dst{skip}"
                " --no-self-loops")
    return ""


def bare_projections(stock, graph_convolutions):
    """Names of those that have `lin.weight` and no bias while others have one: a GCNConv(bias=False), or a module of its own
    with a linear layer."""
    without = [name for name in graph_convolutions if stock.get(f"{name}.bias") is None]
    return [name for name in without if stock.get(f"{name}.lin.weight") is not None] if len(without) < len(
        graph_convolutions) else []


def take_convolutions(stock, told):
    """All convolutions, in the natural order of their names. `told`: names that the user gives layers."""
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
    for name in bare_projections(stock, graph_convolutions):
        if f"{name}.lin" in told:
            graph_convolutions.remove(name)
        elif name not in told:
            out, width = stock.get(f"{name}.lin.weight").shape
            raise Untold(f"--layers is missing: '{name}.lin' ({width} -> {out}) has no bias, unlike the convolutions; name"
                         f" '{name}' among the layers if it is a GCNConv, or '{name}.lin' if it is a linear layer")
    layers += [take_gcn(stock, name) for name in graph_convolutions]
    if not layers:
        raise Refused("there is no GATConv, GATv2Conv or GCNConv; there are " + named(stock.left)
                      + known_layouts(stock.tensors))
    for layer in layers:
        if layer.type != layers[0].type:
            raise Refused(f"'{layers[0].name}' is a {TYPES[layers[0].type]} and '{layer.name}' a {TYPES[layer.type]}; all"
                          " layers of a model must be one")
        if layer.edge_dim != layers[0].edge_dim:
            raise Refused(f"'{layers[0].name}' has {layers[0].edge_dim} edge features and '{layer.name}'"
                          f" {layer.edge_dim}; all layers of a model must have the same")
    return sorted(layers, key=lambda layer: natural(layer.name))


def take_norms(stock):
    norms = []
    for name in stock.prefixes("running_mean"):
        mean = stock.take(f"{name}.running_mean", [None], f"batch norm '{name}'")
        width = mean.shape[0]
        stock.need(f"{name}.running_var", [width], f"batch norm '{name}'")
        for leaf in ("weight", "bias"):
            stock.take(f"{name}.{leaf}", [width], f"batch norm '{name}'")
        stock.left.discard(f"{name}.num_batches_tracked")
        norms.append(Norm(name, "batch", width))
    for name in stock.prefixes("weight"):
        weight, bias = stock.get(f"{name}.weight"), stock.get(f"{name}.bias")
        if weight.dim() != 1 or bias is None or bias.shape != weight.shape:
            continue
        stock.left -= {f"{name}.weight", f"{name}.bias"}
        share = stock.take(f"{name}.mean_scale", [weight.shape[0]], f"GraphNorm '{name}'")
        norms.append(Norm(name, "affine" if share is None else "graph", weight.shape[0]))
    return sorted(norms, key=lambda norm: natural(norm.name))


def take_linears(stock):
    """In the order of definition, or else of their names."""
    linears = []
    for name in stock.prefixes("weight"):
        weight, bias = stock.get(f"{name}.weight"), stock.get(f"{name}.bias")
        if weight.dim() == 2 and (bias is None or list(bias.shape) == [weight.shape[0]]):
            stock.left -= {f"{name}.weight", f"{name}.bias"}
            linears.append(Linear(name, weight, bias is not None))
    if stock.ordered:
        linears.sort(key=lambda linear: stock.position(linear.name))
    return linears


def named(names, limit=12):
    names = sorted(names, key=natural)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(f"'{name}'" for name in names[:limit]) + more


def follows_in_sequence(norm, linear):
    """Sequential: norm `mlp.1` behind linear `mlp.0`; torch_geometric.nn.MLP: `mlp.norms.0.module` behind `mlp.lins.0`."""
    bare = norm.name.removesuffix(".module")
    in_mlp = re.fullmatch(r"(.*\.|)norms\.(\d+)", bare)
    if in_mlp:
        return linear.name == f"{in_mlp[1]}lins.{in_mlp[2]}"
    return 0 < numbers_apart(bare, linear.name) <= 2


def numbers_apart(after, before):
    """2 for `mlp.5` and `mlp.3`; 0 if they are not members of one Sequential."""
    ours, theirs = re.fullmatch(r"(.+)\.(\d+)", after), re.fullmatch(r"(.+)\.(\d+)", before)
    return int(ours[2]) - int(theirs[2]) if ours and theirs and ours[1] == theirs[1] else 0


def gap_before(norm, linear):
    """Some module without tensors stands between the two."""
    return numbers_apart(norm.name.removesuffix(".module"), linear.name) == 2


def norm_candidates(norm, norms, layers, linears):
    """The layers that the norm may follow; one if names tell."""
    in_sequence = [linear for linear in linears if follows_in_sequence(norm, linear) and norm.width == linear.out]
    if in_sequence:
        return in_sequence[-1:]
    fits = [layer for layer in (*layers, *linears) if layer.norm is None and norm.width in layer.widths()]
    number = trailing_number(norm.name)
    if number is None:
        return fits
    # Norms may be counted from 0 where the layers are counted from 1.
    first_norm = min(trailing_number(other.name) or 0 for other in norms if trailing_number(other.name) is not None)
    numbers = [trailing_number(layer.name) for layer in layers if trailing_number(layer.name) is not None]
    if numbers and first_norm < min(numbers):
        number += min(numbers) - first_norm
    return [layer for layer in fits if trailing_number(layer.name) == number] or fits


# --- The order of layers ----------------------------------------------------------------------------------------------


class Ending:
    """What follows the last convolution, as far as it is known: which width its first linear layer takes."""

    def __init__(self, task, jumping=None, poolings=None, transform=None, combine=None):
        self.task, self.jumping, self.combine = task, jumping, combine
        self.poolings, self.transform = poolings or [], transform

    def pooled(self, width):
        transformed = self.transform[-1].out if self.transform else width
        return sum(transformed if pooling == "attention" else width for pooling in self.poolings) or width

    def possibilities(self, layers):
        """(jumping knowledge, width of the last convolution, how an edge's ends are combined, width of what the head takes)"""
        convolutions = [layer for layer in layers if not layer.linear]
        for widths in itertools.islice(itertools.product(*(layer.widths() for layer in convolutions)), 4096):
            finals = [("none", widths[-1])]
            if len(widths) > 1:
                finals.append(("cat", sum(widths)))
                if len(set(widths)) == 1:
                    finals.append(("max", widths[-1]))
            for jumping, final in finals:
                if self.jumping not in (None, jumping):
                    continue
                if self.task != "edge":
                    yield jumping, widths[-1], None, self.pooled(final)
                    continue
                for combine, times in (("concat", 2), ("product", 1)):
                    if self.combine in (None, combine):
                        yield jumping, widths[-1], combine, times * final

    def fits(self, layers, head):
        if not head:
            return True
        inputs = {width for *_, width in self.possibilities(layers)}
        return head[0].in_channels in inputs and chains(head, head[0].in_channels)


def arrangements(layers, linears, ending, limit=50):
    """The ways to run the linear layers, in their order, before, between and behind the convolutions, so that each takes
    what the one before gives: for each linear layer, how many convolutions come before it."""
    def extend(done, taken, widths, places):
        if done == len(layers):
            if ending.fits(layers, linears[taken:]):
                yield places + [done] * (len(linears) - taken)
            return
        if taken < len(linears) and (widths is None or linears[taken].in_channels in widths):
            yield from extend(done, taken + 1, linears[taken].widths(), places + [done])
        if widths is None or layers[done].in_channels in widths:
            yield from extend(done + 1, taken, layers[done].widths(), places)

    return list(itertools.islice(extend(0, 0, None, []), limit))


def interleaved(layers, linears, places):
    """All layers in the order that an arrangement gives, the head included."""
    result = []
    for done in range(len(layers) + 1):
        result += [linear for linear, place in zip(linears, places) if place == done]
        result += layers[done:done + 1]
    return result


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
            raise Refused(f"linear layer {linear} takes {linear.in_channels} inputs, but {what} gives {width}; poolings side"
                          " by side are named with --pooling=max,mean, jumping knowledge with --jk, a skip connection with"
                          " --residual=LAYER=NAME, a layer before or between the convolutions with --layers, and what is no"
                          " part of the model is left out with --ignore=NAME.*")
        width, what = linear.out, f"'{linear.name}'"
    return width


def check_order(layers):
    """Refuses convolutions and linear layers that do not fit one behind the other."""
    for layer, following in zip(layers, layers[1:]):
        if following.in_channels not in layer.widths():
            gives = " or ".join(str(width) for width in layer.widths())
            raise Refused(f"'{layer.name}' gives {gives} channels, but '{following.name}' takes {following.in_channels};"
                          " if they run in another order, say it with --layers=NAME,NAME,...; if one is no layer of"
                          " this model, leave it out with --ignore=NAME.*")
        if not layer.linear:
            layer.out = following.in_channels


# --- Heads ------------------------------------------------------------------------------------------------------------


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
