# SPDX-License-Identifier: Apache-2.0
"""What a graph model's config.json and tensors compute (docs/graph-config.md), in plain PyTorch and float64.

Written to be read beside PyTorch Geometric's documentation, not to be fast: from_pyg.py --check holds a conversion against
the user's own outputs with it. Needs PyTorch 1.13 or newer.
"""

import torch
import torch.nn.functional as F

ACTIVATIONS = {
    "none": lambda x: x,
    "elu": F.elu,
    "relu": F.relu,
    "gelu": F.gelu,
    "swish": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "selu": F.selu,
    "softplus": F.softplus,
}


def activate(x, spec):
    """`spec`: a name, or {"type": "leaky_relu", "slope": s}."""
    if isinstance(spec, dict):
        return F.leaky_relu(x, spec.get("slope", 0.01)) if spec["type"] == "leaky_relu" else ACTIVATIONS[spec["type"]](x)
    return F.leaky_relu(x, 0.01) if spec == "leaky_relu" else ACTIVATIONS[spec](x)


def reduce_by(index, values, size, how):
    """[size, ...]: sum, amin, amax or prod of the rows of values that share an index; 0 of none, 1 for prod."""
    start = values.new_full((size, *values.shape[1:]), 1.0 if how == "prod" else 0.0)
    if how == "sum":
        return start.index_add(0, index, values)
    places = index.view(-1, *[1] * (values.dim() - 1)).expand_as(values)
    return start.scatter_reduce(0, places, values, how, include_self=how == "prod")


def softmax_by(index, logits, size):
    largest = reduce_by(index, logits, size, "amax")
    powers = (logits - largest[index]).exp()
    return powers / (reduce_by(index, powers, size, "sum") + 1e-16)[index]


def by_graph(batch, graphs):
    """[(rows)] of each graph."""
    return [(batch == graph).nonzero()[:, 0] for graph in range(graphs)]


class Reference:
    """The network of a config.json; `tensors` are the checkpoint's."""

    def __init__(self, config, tensors):
        self.config = config
        self.tensors = {name: tensor.double() for name, tensor in tensors.items()}

    # --- Layers ---

    def linear(self, name, x):
        bias = self.tensors.get(f"{name}.bias")
        x = x @ self.tensors[f"{name}.weight"].t()
        return x if bias is None else x + bias

    def first_of(self, name, *leaves):
        return next((self.tensors[f"{name}.{leaf}"] for leaf in leaves if f"{name}.{leaf}" in self.tensors), None)

    def with_self_loops(self, layer, nodes, edge_index, edge_attr):
        """Loops of the graph go, one of each node comes behind the other edges."""
        kept = edge_index[0] != edge_index[1]
        edge_index = edge_index[:, kept]
        loops = torch.arange(nodes).expand(2, nodes)
        if edge_attr is not None:
            edge_attr, target, fill = edge_attr[kept], edge_index[1], layer.get("fill_value", "mean")
            if not isinstance(fill, str):
                added = edge_attr.new_full((nodes, edge_attr.shape[1]), float(fill))
            elif fill == "mean":
                count = reduce_by(target, torch.ones(len(target), 1, dtype=edge_attr.dtype), nodes, "sum").clamp(min=1)
                added = reduce_by(target, edge_attr, nodes, "sum") / count
            else:
                added = reduce_by(target, edge_attr, nodes, {"add": "sum", "min": "amin", "max": "amax", "mul": "prod"}[fill])
            edge_attr = torch.cat([edge_attr, added])
        return torch.cat([edge_index, loops], dim=1), edge_attr

    def attention(self, layer, x, edge_index, edge_attr):
        """GATConv and GATv2Conv."""
        name, nodes = layer["name"], x.shape[0]
        heads, channels = layer.get("heads", 1), layer["out_channels"]
        slope = layer.get("negative_slope", 0.2)
        if layer.get("add_self_loops", True):
            edge_index, edge_attr = self.with_self_loops(layer, nodes, edge_index, edge_attr)
        source, target = edge_index
        of_edges = 0
        if edge_attr is not None:
            of_edges = self.linear(f"{name}.lin_edge", edge_attr).view(-1, heads, channels)
        if self.config["model_type"] == "gat":
            weight = self.first_of(name, "lin.weight", "lin_src.weight", "lin_l.weight")
            own = self.first_of(name, "lin_dst.weight", "lin_r.weight")
            values = (x @ weight.t()).view(nodes, heads, channels)
            targets = values if own is None else (x @ own.t()).view(nodes, heads, channels)
            logits = (values * self.first_of(name, "att_src", "att_l")).sum(-1)[source]
            logits = logits + (targets * self.first_of(name, "att_dst", "att_r")).sum(-1)[target]
            if edge_attr is not None:
                logits = logits + (of_edges * self.tensors[f"{name}.att_edge"]).sum(-1)
            if layer.get("logit_bias", False):
                logits = logits + self.tensors[f"{name}.logit_bias"]
            logits = F.leaky_relu(logits, slope)
        else:
            values = self.linear(f"{name}.lin_l", x).view(nodes, heads, channels)
            shared = f"{name}.lin_r.weight" not in self.tensors
            targets = values if shared else self.linear(f"{name}.lin_r", x).view(nodes, heads, channels)
            logits = F.leaky_relu(values[source] + targets[target] + of_edges, slope)
            logits = (logits * self.tensors[f"{name}.att"]).sum(-1)
        weights = softmax_by(target, logits, nodes)
        out = reduce_by(target, weights[:, :, None] * values[source], nodes, "sum")
        return out.flatten(1) if layer.get("concat", True) else out.mean(1)

    def graph_convolution(self, layer, x, edge_index, edge_attr):
        """GCNConv."""
        name, nodes = layer["name"], x.shape[0]
        weights = x.new_ones(edge_index.shape[1]) if edge_attr is None else edge_attr[:, 0]
        source, target = edge_index
        if layer.get("normalize", True):
            if layer.get("add_self_loops", True):
                loop = source == target
                added = x.new_full((nodes,), 2.0 if layer.get("improved", False) else 1.0)
                for node, weight in zip(source[loop].tolist(), weights[loop].tolist()):  # the last one counts
                    added[node] = weight
                every = torch.arange(nodes)
                source, target = torch.cat([source[~loop], every]), torch.cat([target[~loop], every])
                weights = torch.cat([weights[~loop], added])
            scale = reduce_by(target, weights, nodes, "sum").pow(-0.5)
            scale[scale.isinf()] = 0
            weights = scale[source] * weights * scale[target]
        older = self.tensors.get(f"{name}.weight")
        values = x @ older if older is not None else x @ self.tensors[f"{name}.lin.weight"].t()
        return reduce_by(target, weights[:, None] * values[source], nodes, "sum")

    def norm(self, norm, x, batch, graphs):
        kind, name = norm.get("type", "layer"), norm.get("name", "")
        eps = norm.get("eps", 1e-12 if kind == "l2" else 1e-5)
        scale, shift = self.tensors.get(f"{name}.weight", 1.0), self.tensors.get(f"{name}.bias", 0.0)
        if kind == "l2":
            return F.normalize(x, dim=-1, eps=eps)
        if kind == "batch":
            mean, variance = self.tensors[f"{name}.running_mean"], self.tensors[f"{name}.running_var"]
            return (x - mean) / (variance + eps).sqrt() * scale + shift
        if kind == "layer" and norm.get("mode", "graph") == "node":
            return F.layer_norm(x, x.shape[-1:], eps=eps) * scale + shift
        out = torch.empty_like(x)
        for rows in by_graph(batch, graphs):
            if len(rows):
                out[rows] = self.norm_over_graph(kind, norm, x[rows], eps) * scale + shift
        return out

    def norm_over_graph(self, kind, norm, x, eps):
        if kind == "layer":
            centred = x - x.mean()
            if self.config["task"] == "graph":
                return centred / (centred.square().mean() + eps).sqrt()
            return centred / (centred.square().mean().sqrt() + eps)
        mean = x.mean(0)
        if kind == "graph":
            mean = mean * self.tensors.get(f"{norm['name']}.mean_scale", 1.0)
        centred = x - mean
        if kind == "mean_subtraction":
            return centred
        if kind == "pair":
            if norm.get("scale_individually", False):
                return norm.get("scale", 1.0) * centred / (eps + centred.norm(dim=-1, keepdim=True))
            return norm.get("scale", 1.0) * centred / (eps + centred.square().sum(-1).mean()).sqrt()
        return centred / (centred.square().mean(0) + eps).sqrt()  # instance, graph

    def finish(self, spec, x, batch, graphs):
        """Norm and activation."""
        activation, first = spec.get("activation", "none"), spec.get("activation_first", False)
        if first:
            x = activate(x, activation)
        if spec.get("norm"):
            x = self.norm(spec["norm"], x, batch, graphs)
        return x if first else activate(x, activation)

    def layer(self, layer, x, edge_index, edge_attr, batch, graphs):
        name = layer["name"]
        if layer.get("type") == "linear":
            out = x @ self.tensors[f"{name}.weight"].t()
        elif self.config["model_type"] == "gcn":
            out = self.graph_convolution(layer, x, edge_index, edge_attr)
        else:
            out = self.attention(layer, x, edge_index, edge_attr)
        residual = layer.get("residual", False)
        if residual == "identity":
            out = out + x
        elif residual:
            out = out + self.linear(f"{name}.res" if residual is True else residual, x)
        if layer.get("bias", True) and f"{name}.bias" in self.tensors:
            out = out + self.tensors[f"{name}.bias"]
        return self.finish(layer, out, batch, graphs)

    # --- Heads ---

    def perceptron(self, layers, x):
        for layer in layers:
            x = self.finish(layer, self.linear(layer["name"], x), None, 0)
        return x

    def pool(self, readout, x, batch, graphs):
        pooling = readout.get("pooling", "mean")
        if pooling == "max":
            return reduce_by(batch, x, graphs, "amax")
        if pooling == "attention":
            weights = softmax_by(batch, self.perceptron(readout["gate"], x), graphs)
            return reduce_by(batch, weights * self.perceptron(readout.get("transform", []), x), graphs, "sum")
        total = reduce_by(batch, x, graphs, "sum")
        if pooling == "sum":
            return total
        return total / reduce_by(batch, x.new_ones(len(x), 1), graphs, "sum").clamp(min=1)

    def logits(self, x, edge_index, edge_attr=None, batch=None, graphs=None, edge_label_index=None):
        """[N, K] of a node task, [G, K] of a graph task, [Q, K] of an edge task."""
        config, x = self.config, x.double()
        if config.get("edge_dim", 0) == 0:
            edge_attr = None
        elif edge_attr is not None:
            edge_attr = edge_attr.double().reshape(edge_index.shape[1], -1)
        elif config["model_type"] != "gcn":
            raise ValueError("edge_attr is missing: the model takes edge features")
        if batch is None:
            batch = torch.zeros(len(x), dtype=torch.int64)
        if graphs is None:
            graphs = int(batch.max()) + 1 if len(batch) else 0
        outputs = []
        for layer in config["layers"]:
            x = self.layer(layer, x, edge_index, edge_attr, batch, graphs)
            if layer.get("type") != "linear":
                outputs.append(x)
        jumping = config.get("jumping_knowledge", "none")
        if jumping == "cat":
            x = torch.cat(outputs, dim=-1)
        elif jumping == "max":
            x = torch.stack(outputs).amax(0)
        if config["task"] == "edge":
            source, target = x[edge_label_index[0]], x[edge_label_index[1]]
            decoder = config.get("decoder", {"type": "dot"})
            if decoder["type"] == "dot":
                return (source * target).sum(-1, keepdim=True)
            product = decoder.get("combine", "concat") == "product"
            return self.perceptron(decoder["layers"], source * target if product else torch.cat([source, target], dim=-1))
        if config["task"] == "graph":
            readouts = config.get("readout", {"pooling": "mean"})
            readouts = readouts if isinstance(readouts, list) else [readouts]
            x = torch.cat([self.pool(readout, x, batch, graphs) for readout in readouts], dim=-1)
        return self.perceptron(config.get("mlp", []), x)

    def probabilities(self, logits):
        """[..., classes], as the server answers."""
        dot = self.config["task"] == "edge" and self.config.get("decoder", {"type": "dot"})["type"] == "dot"
        if self.config.get("output", "sigmoid" if dot else "softmax") == "softmax":
            return logits.softmax(-1)
        positive = logits.sigmoid()
        return torch.cat([1 - positive, positive], dim=-1) if logits.shape[-1] == 1 else positive
