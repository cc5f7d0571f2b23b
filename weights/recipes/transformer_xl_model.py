# SPDX-License-Identifier: Apache-2.0
"""Transformer-XL (Dai et al. 2019) with same_length attention, for training, with Hugging Face's names of its tensors.

Each token sees the same number of rows: itself and those before it, down to distance `window` - 1. The rows before a
segment are the memory, `window` rows of every layer's input. They are zeros at the start of a text.

Shapes: B texts, T tokens of a segment, M rows of memory (the window), K = M + T keys, n heads, d the width.
"""

import torch
from torch import nn
from torch.nn import functional

TAIL_SHARE = 4  # a bin of rare words gets room for 1 in 4 of the tokens of a training batch; far fewer are rare


def angles(distances, width):
    """[distances, width]: sines, then cosines, of a distance times each frequency; in float32 as Hugging Face has it."""
    frequencies = 1 / (10000 ** (torch.arange(0.0, width, 2.0, device=distances.device) / width))
    products = torch.outer(distances.float(), frequencies)
    return torch.cat([products.sin(), products.cos()], dim=-1)


class Attention(nn.Module):
    def __init__(self, shape, dropout, attention_dropout):
        super().__init__()
        width, self.heads, self.head_width = shape["d_model"], shape["heads"], shape["d_model"] // shape["heads"]
        self.qkv_net = nn.Linear(width, 3 * width, bias=False)
        self.o_net = nn.Linear(width, width, bias=False)
        self.r_net = nn.Linear(width, width, bias=False)
        self.r_w_bias = nn.Parameter(torch.zeros(self.heads, self.head_width))
        self.r_r_bias = nn.Parameter(torch.zeros(self.heads, self.head_width))
        self.layer_norm = nn.LayerNorm(width)
        self.dropout, self.attention_dropout = nn.Dropout(dropout), nn.Dropout(attention_dropout)

    def forward(self, x, memory, positions):
        """x [B, T, d], memory [B, M, d], positions [M, d] of the distances M - 1 down to 0 -> [B, T, d]"""
        (rows, length, width), window, keys = x.shape, memory.shape[1], memory.shape[1] + x.shape[1]
        query = functional.linear(x, self.qkv_net.weight[:width]).view(rows, length, self.heads, self.head_width)
        seen = functional.linear(torch.cat([memory, x], dim=1), self.qkv_net.weight[width:])
        key, value = seen.view(rows, keys, 2, self.heads, self.head_width).unbind(2)
        relative = self.r_net(positions).view(window, self.heads, self.head_width).permute(1, 2, 0)
        content = (query + self.r_w_bias).transpose(1, 2) @ key.permute(0, 2, 3, 1)  # [B, n, T, K]
        position = (query + self.r_r_bias).transpose(1, 2) @ relative  # [B, n, T, M]
        # Row i's window is the keys i + 1 ... i + M. Rows of K + 1 values, read as rows of K, move row i by i places.
        # What is outside the window is -inf, so this is the mask, too.
        position = functional.pad(position, (1, length), value=float("-inf"))
        position = position.flatten(2)[:, :, : length * keys].view(rows, self.heads, length, keys)
        weights = torch.softmax((content + position) * self.head_width**-0.5, dim=-1)
        attended = self.attention_dropout(weights).to(value.dtype) @ value.transpose(1, 2)
        return self.layer_norm(x + self.dropout(self.o_net(attended.transpose(1, 2).reshape(rows, length, width))))


class FeedForward(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        width = shape["d_model"]
        self.CoreNet = nn.Sequential(
            nn.Linear(width, shape["ffn"]), nn.ReLU(), nn.Dropout(dropout), nn.Linear(shape["ffn"], width), nn.Dropout(dropout)
        )
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.layer_norm(x + self.CoreNet(x))


class Layer(nn.Module):
    def __init__(self, shape, dropout, attention_dropout):
        super().__init__()
        self.dec_attn = Attention(shape, dropout, attention_dropout)
        self.pos_ff = FeedForward(shape, dropout)

    def forward(self, x, memory, positions):
        return self.pos_ff(self.dec_attn(x, memory, positions))


def empty(**children):
    """A module that only holds others, for their names."""
    module = nn.Module()
    for name, child in children.items():
        setattr(module, name, child)
    return module


class TransformerXL(nn.Module):
    """The language model. `shape` has vocabulary, d_model, heads, ffn, layers, cutoffs (list) and div_val."""

    def __init__(self, shape, dropout=0.0, attention_dropout=0.0):
        super().__init__()
        self.shape, width = shape, shape["d_model"]
        self.ends = [0, *shape["cutoffs"], shape["vocabulary"]]
        self.bins = len(self.ends) - 1
        widths = [width // shape["div_val"] ** i for i in range(self.bins)]
        sizes = [end - start for start, end in zip(self.ends, self.ends[1:])]
        tables = nn.ModuleList(nn.Embedding(size, narrow) for size, narrow in zip(sizes, widths))
        projections = nn.ParameterList(nn.Parameter(torch.empty(width, narrow)) for narrow in widths)
        self.transformer = empty(
            word_emb=empty(emb_layers=tables, emb_projs=projections),
            layers=nn.ModuleList(Layer(shape, dropout, attention_dropout) for _ in range(shape["layers"])),
        )
        self.crit = empty(
            cluster_weight=nn.Parameter(torch.zeros(self.bins - 1, width)),
            cluster_bias=nn.Parameter(torch.zeros(self.bins - 1)),
            out_layers=nn.ModuleList(empty(bias=nn.Parameter(torch.zeros(size))) for size in sizes),
            out_projs=nn.ParameterList([nn.Parameter(torch.empty(width, width))]),  # the others are emb_projs
        )
        self.dropout = nn.Dropout(dropout)
        self.initialize(widths)

    def initialize(self, widths):
        """Embeddings that come out at about unit size, and matrices that keep it."""
        width = self.shape["d_model"]
        for table, projection, narrow in zip(*self.embeddings(), widths):
            nn.init.normal_(table.weight, std=narrow**-0.5)
            nn.init.normal_(projection, std=width**-0.5)
        nn.init.normal_(self.crit.out_projs[0], std=0.5 * width**-0.5)
        for module in self.transformer.layers.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.6 * module.in_features**-0.5)

    def embeddings(self):
        return self.transformer.word_emb.emb_layers, self.transformer.word_emb.emb_projs

    def no_memory(self, rows, window):
        """The memory before a text: zeros, layer by layer [B, M, d]"""
        zeros = self.crit.cluster_weight.new_zeros(rows, window, self.shape["d_model"])
        return [zeros] * self.shape["layers"]

    def forward(self, ids, memory):
        """ids [B, T] -> hidden [B, T, d] and the memory after them"""
        width, window = self.shape["d_model"], memory[0].shape[1]
        table = torch.cat([functional.linear(table.weight, matrix) for table, matrix in zip(*self.embeddings())])
        x = self.dropout(functional.embedding(ids, table).float() * width**0.5)
        distances = torch.arange(window - 1, -1, -1, device=ids.device)
        positions = self.dropout(angles(distances, width))
        after = []
        for layer, before in zip(self.transformer.layers, memory):
            after.append(torch.cat([before, x.detach().to(before.dtype)], dim=1)[:, -window:])
            x = layer(x, before, positions)
        return self.dropout(x), after

    def bin_logits(self, hidden, i):
        """Bin 0's with those of the other bins behind, or bin i's"""
        tables, projections = self.embeddings()
        weight, bias = tables[i].weight, self.crit.out_layers[i].bias
        if i == 0:
            weight = torch.cat([weight, self.crit.cluster_weight])
            bias = torch.cat([bias, self.crit.cluster_bias])
        projection = projections[i] if i else self.crit.out_projs[0]
        return functional.linear(hidden @ projection, weight, bias)

    def losses(self, hidden, targets):
        """hidden [N, d], targets [N] -> negative log-likelihoods [N]. While training, a bin of rare words computes its
        logits for as many tokens as TAIL_SHARE allows, so that shapes never depend on the text."""
        bins = sum((targets >= end).long() for end in self.ends[1:-1])
        in_head = torch.where(bins == 0, targets, self.ends[1] + bins - 1)
        losses = functional.cross_entropy(self.bin_logits(hidden, 0).float(), in_head, reduction="none")
        room = min(len(targets), max(64, len(targets) // TAIL_SHARE)) if self.training else len(targets)
        for i in range(1, self.bins):
            inside = (bins == i).float()
            chosen = inside.topk(room).indices
            wanted = (targets[chosen] - self.ends[i]).clamp(0, self.ends[i + 1] - self.ends[i] - 1)
            tail = functional.cross_entropy(self.bin_logits(hidden[chosen], i).float(), wanted, reduction="none")
            losses = losses.index_add(0, chosen, tail * inside[chosen])
        return losses

    def log_probabilities(self, hidden):
        """hidden [N, d] -> [N, vocabulary]"""
        head = torch.log_softmax(self.bin_logits(hidden, 0).float(), dim=-1)
        parts = [head[:, : self.ends[1]]]
        for i in range(1, self.bins):
            tail = torch.log_softmax(self.bin_logits(hidden, i).float(), dim=-1)
            parts.append(head[:, self.ends[1] + i - 1 : self.ends[1] + i] + tail)
        return torch.cat(parts, dim=-1)


def configuration(shape, window):
    """config.json as Hugging Face's TransfoXLLMHeadModel reads it. The longest distance that a token sees is
    `window` - 1."""
    return {
        "architectures": ["TransfoXLLMHeadModel"],
        "model_type": "transfo-xl",
        "adaptive": True,
        "attn_type": 0,
        "clamp_len": window - 1,
        "cutoffs": shape["cutoffs"],
        "d_embed": shape["d_model"],
        "d_head": shape["d_model"] // shape["heads"],
        "d_inner": shape["ffn"],
        "d_model": shape["d_model"],
        "div_val": shape["div_val"],
        "dropatt": 0.0,
        "dropout": 0.1,
        "eos_token_id": 0,
        "layer_norm_epsilon": 1e-5,
        "mem_len": window,
        "n_head": shape["heads"],
        "n_layer": shape["layers"],
        "pre_lnorm": False,
        "proj_share_all_but_first": True,
        "same_length": True,
        "tie_projs": [False] + [True] * len(shape["cutoffs"]),
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "untie_r": True,
        "vocab_size": shape["vocabulary"],
    }
