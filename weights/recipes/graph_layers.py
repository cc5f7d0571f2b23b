# SPDX-License-Identifier: Apache-2.0
"""Graph convolutions in plain PyTorch, with PyTorch Geometric's parameter names and numbers, and the networks made of them.

A network is built from its config.json (docs/graph-config.md), so that what is trained is what the file says; of that
schema, what the recipes need is here: gat and gcn without edge features or norms, the dot-product decoder, pooling by mean, max
or sum. Dropout is training's business: arguments here, absent from the file. Sums over neighbours are index_add, features
may be SparseRows. Rows are gathered by index_select, whose gradient costs a CPU less than that of [index]. Needs PyTorch
1.13 or newer.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from graph_file import BadInput, SparseRows
from graph_reference import activate


def linear(x, weight):
    """x [N, F] by weight [out, F] transposed."""
    if isinstance(x, SparseRows):
        return F.embedding_bag(x.indices, weight.t().contiguous(), x.indptr, mode="sum",
                               per_sample_weights=x.values, include_last_offset=True)
    return x @ weight.t()


def dropout(x, rate, training):
    if not training or rate == 0:
        return x
    if isinstance(x, SparseRows):
        return x.with_values(F.dropout(x.values, rate))
    return F.dropout(x, rate)


def sum_by(index, values, size):
    """[size, ...]: row i is the sum of the rows of values whose index is i."""
    return values.new_zeros((size, *values.shape[1:])).index_add(0, index, values)


def softmax_by(index, logits, size):
    """Softmax of logits [E, H] over the rows that share an index."""
    places = index[:, None].expand_as(logits)
    largest = logits.new_zeros(size, logits.shape[1]).scatter_reduce(0, places, logits.detach(), "amax", include_self=False)
    powers = (logits - largest.index_select(0, index)).exp()
    return powers / (sum_by(index, powers, size) + 1e-16).index_select(0, index)


def with_self_loops(edge_index, nodes):
    """Loops that are there go, and one of each node comes after the other edges."""
    loops = torch.arange(nodes, device=edge_index.device).expand(2, nodes)
    return torch.cat([edge_index[:, edge_index[0] != edge_index[1]], loops], dim=1)


def glorot(*shape):
    bound = (6.0 / (shape[-2] + shape[-1])) ** 0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class Weight(nn.Module):
    """A linear map without bias that takes SparseRows too; its parameter is NAME.weight."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = glorot(outputs, inputs)

    def forward(self, x):
        return linear(x, self.weight)


class GATConv(nn.Module):
    """e_ij = LeakyReLU(att_src . P_j + att_dst . P_i), P = lin(x); out_i = sum_j softmax_j(e_ij) P_j, for each head."""

    def __init__(self, inputs, out_channels, heads=1, concat=True, negative_slope=0.2, add_self_loops=True, residual=False,
                 bias=True, attention_dropout=0.0):
        super().__init__()
        self.heads, self.channels, self.concat = heads, out_channels, concat
        self.negative_slope, self.add_self_loops, self.attention_dropout = negative_slope, add_self_loops, attention_dropout
        self.outputs = heads * out_channels if concat else out_channels
        self.lin = Weight(inputs, heads * out_channels)
        self.att_src = glorot(1, heads, out_channels)
        self.att_dst = glorot(1, heads, out_channels)
        self.res = Weight(inputs, self.outputs) if residual else None
        self.bias = nn.Parameter(torch.zeros(self.outputs)) if bias else None

    def forward(self, x, edge_index):
        nodes = x.shape[0]
        if self.add_self_loops:
            edge_index = with_self_loops(edge_index, nodes)
        source, target = edge_index
        projected = self.lin(x).view(nodes, self.heads, self.channels)  # [N, H, C]
        by_source = (projected * self.att_src).sum(-1)  # [N, H]
        by_target = (projected * self.att_dst).sum(-1)
        logits = by_source.index_select(0, source) + by_target.index_select(0, target)  # [E, H]
        logits = F.leaky_relu(logits, self.negative_slope)
        attention = dropout(softmax_by(target, logits, nodes), self.attention_dropout, self.training)
        out = sum_by(target, attention[:, :, None] * projected.index_select(0, source), nodes)
        out = out.flatten(1) if self.concat else out.mean(1)
        if self.res is not None:
            out = out + self.res(x)
        return out if self.bias is None else out + self.bias


class GCNConv(nn.Module):
    """out_i = sum_j lin(x)_j / sqrt(d_j d_i), d the number of edges that point to a node, its self-loop included."""

    def __init__(self, inputs, out_channels, add_self_loops=True, residual=False, bias=True):
        super().__init__()
        self.outputs, self.add_self_loops = out_channels, add_self_loops
        self.lin = Weight(inputs, out_channels)
        self.res = Weight(inputs, out_channels) if residual else None
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x, edge_index):
        nodes = x.shape[0]
        if self.add_self_loops:
            edge_index = with_self_loops(edge_index, nodes)
        source, target = edge_index
        projected = self.lin(x)  # [N, C]
        scale = sum_by(target, projected.new_ones(len(target)), nodes).pow(-0.5)
        scale[scale.isinf()] = 0
        messages = (scale[source] * scale[target])[:, None] * projected.index_select(0, source)
        out = sum_by(target, messages, nodes)
        if self.res is not None:
            out = out + self.res(x)
        return out if self.bias is None else out + self.bias


CONVOLUTIONS = {"gat": GATConv, "gcn": GCNConv}
LAYER_OPTIONS = ["heads", "concat", "negative_slope", "add_self_loops", "residual", "bias"]
POOLINGS = ["mean", "max", "sum"]


def pool(x, graph_ptr, pooling):
    """[G, F]: a row for each graph; 0 for one without nodes."""
    graphs, sizes = len(graph_ptr) - 1, graph_ptr.diff()
    owner = torch.repeat_interleave(torch.arange(graphs, device=x.device), sizes)
    if pooling == "max":
        return x.new_zeros(graphs, x.shape[1]).scatter_reduce(0, owner[:, None].expand_as(x), x, "amax", include_self=False)
    total = sum_by(owner, x, graphs)
    return total if pooling == "sum" else total / sizes.clamp(min=1)[:, None]


class Network(nn.Module):
    """The network of a config.json; its state_dict has the names of the file's tensors."""

    def __init__(self, config, feature_dropout=0.0, attention_dropout=0.0):
        super().__init__()
        self.config, self.feature_dropout = config, feature_dropout
        convolution = CONVOLUTIONS.get(config["model_type"])
        if convolution is None:
            raise BadInput(f"model_type is {config['model_type']}; trained here are {', '.join(CONVOLUTIONS)}")
        width = config["in_channels"]
        for layer in config["layers"]:
            options = {name: layer[name] for name in LAYER_OPTIONS if name in layer}
            if attention_dropout and convolution is GATConv:
                options["attention_dropout"] = attention_dropout
            conv = convolution(width, layer["out_channels"], **options)
            self.add_module(layer["name"], conv)
            width = conv.outputs
        self.pooling = config.get("readout", {}).get("pooling", "mean")
        if self.pooling not in POOLINGS:
            raise BadInput(f"pooling is {self.pooling}; trained here are {', '.join(POOLINGS)}")
        # Widths of an MLP are no part of a config: its hidden layers are as wide as their input, its last is as wide as the
        # labels.
        for index, layer in enumerate(config.get("mlp", [])):
            last = index + 1 == len(config["mlp"])
            self.add_module(layer["name"], nn.Linear(width, len(config["labels"]) if last else width))

    def embed(self, x, edge_index):
        """[N, C]: the last layer's rows."""
        for layer in self.config["layers"]:
            x = dropout(x, self.feature_dropout, self.training)
            x = getattr(self, layer["name"])(x, edge_index)
            x = activate(x, layer.get("activation", "none"))
        return x

    def forward(self, graph):
        """[N, classes], or [G, classes] for a graph task: logits."""
        x = self.embed(graph.x, graph.edge_index)
        if self.config["task"] == "graph":
            x = pool(x, graph.graph_ptr, self.pooling)
        for layer in self.config.get("mlp", []):
            x = getattr(self, layer["name"])(dropout(x, self.feature_dropout, self.training))
            x = activate(x, layer.get("activation", "none"))
        return x

    def link_logits(self, graph, pairs):
        """[P]: of each of pairs [2, P], the inner product of its ends."""
        z = self.embed(graph.x, graph.edge_index)
        return (z[pairs[0]] * z[pairs[1]]).sum(-1)
