# SPDX-License-Identifier: Apache-2.0
"""MarianMT's Transformer for training (post-norm, tied embeddings), with Hugging Face's parameter names, and its loss."""

import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

POSITIONS = 512  # rows of the position table, and so the longest sentence in tokens
EOS = 0
HIDDEN = -1e9  # added to the score of a key that must not be read


class Dropout(nn.Module):
    """Inverted dropout. On a CPU its masks are windows into one pool of random masks: drawing fresh ones costs a tenth
    of a training step."""

    POOL = 1 << 22

    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.pools = {}  # of each dtype

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        if x.device.type != "cpu" or x.numel() * 2 > self.POOL:
            return F.dropout(x, self.rate)
        if x.dtype not in self.pools:
            self.pools[x.dtype] = torch.empty(self.POOL).bernoulli_(1 - self.rate).div_(1 - self.rate).to(x.dtype)
        start = random.randrange(self.POOL - x.numel())
        return x * self.pools[x.dtype][start : start + x.numel()].view_as(x)


class Attention(nn.Module):
    def __init__(self, d_model, heads):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def split(self, x):  # [batch, length, d_model] -> [batch, heads, length, d_head]
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def projected(self, x, *layers):
        """Of each layer its output for x, split into heads: one product for all."""
        weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
        return [self.split(part) for part in F.linear(x, weight, bias).chunk(len(layers), -1)]

    def forward(self, queries, memory=None, mask=None):
        """`queries` and `memory` [batch, length, d_model]; without memory, attention is within the queries. Without a mask
        [batch or 1, 1, queries or 1, keys] that is added to the scores, a query reads the keys up to its own place."""
        if memory is None:
            q, k, v = self.projected(queries, self.q_proj, self.k_proj, self.v_proj)
        else:
            (q,), (k, v) = self.projected(queries, self.q_proj), self.projected(memory, self.k_proj, self.v_proj)
        if queries.device.type == "cpu":  # where PyTorch's fused attention is slow on short sentences
            if mask is None:
                mask = torch.full((q.shape[2], k.shape[2]), HIDDEN, dtype=q.dtype).triu_(1)
            scores = q @ k.transpose(2, 3) * (q.shape[-1] ** -0.5) + mask.to(q.dtype)
            context = scores.softmax(-1, dtype=q.dtype) @ v
        elif mask is None:
            context = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            context = F.scaled_dot_product_attention(q, k, v, mask.to(q.dtype))
        return self.out_proj(context.transpose(1, 2).reshape(queries.shape))


class EncoderLayer(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        d_model = shape["d_model"]
        self.self_attn = Attention(d_model, shape["heads"])
        self.self_attn_layer_norm = nn.LayerNorm(d_model)
        self.fc1 = nn.Linear(d_model, shape["ffn"])
        self.fc2 = nn.Linear(shape["ffn"], d_model)
        self.final_layer_norm = nn.LayerNorm(d_model)
        self.dropout = dropout

    def feed_forward(self, x):
        return self.final_layer_norm(x + self.dropout(self.fc2(F.relu(self.fc1(x)))))

    def forward(self, x, mask):
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn(x, mask=mask)))
        return self.feed_forward(x)


class DecoderLayer(EncoderLayer):
    def __init__(self, shape, dropout):
        super().__init__(shape, dropout)
        self.encoder_attn = Attention(shape["d_model"], shape["heads"])
        self.encoder_attn_layer_norm = nn.LayerNorm(shape["d_model"])

    def forward(self, x, memory, memory_mask):
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn(x)))
        x = self.encoder_attn_layer_norm(x + self.dropout(self.encoder_attn(x, memory, memory_mask)))
        return self.feed_forward(x)


class Stack(nn.Module):
    def __init__(self, layer, count, shape, dropout):
        super().__init__()
        self.layers = nn.ModuleList(layer(shape, dropout) for _ in range(count))


class Body(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        self.shared = nn.Embedding(shape["vocabulary"], shape["d_model"])
        self.encoder = Stack(EncoderLayer, shape["encoder_layers"], shape, dropout)
        self.decoder = Stack(DecoderLayer, shape["decoder_layers"], shape, dropout)


def sinusoids(d_model):
    """Vaswani et al. 2017, section 3.5, with all sines first and then all cosines, as MarianMT holds them."""
    frequency = torch.arange(0, d_model, 2, dtype=torch.float64) / d_model
    angle = torch.arange(POSITIONS, dtype=torch.float64)[:, None] / 10000.0**frequency
    return torch.cat([angle.sin(), angle.cos()], 1).float()


class Marian(nn.Module):
    """`shape` holds vocabulary (the last id is <pad>), d_model, ffn, heads, encoder_layers and decoder_layers."""

    def __init__(self, shape, dropout):
        super().__init__()
        self.shape = shape
        self.pad = shape["vocabulary"] - 1
        self.dropout = Dropout(dropout)
        self.model = Body(shape, self.dropout)
        self.final_logits_bias = nn.Parameter(torch.zeros(1, shape["vocabulary"]))
        self.register_buffer("positions", sinusoids(shape["d_model"]), persistent=False)
        for name, parameter in self.named_parameters():
            if name.endswith("proj.weight") or ".fc" in name and parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith(("proj.bias", "fc1.bias", "fc2.bias")):
                nn.init.zeros_(parameter)
        nn.init.normal_(self.model.shared.weight, std=shape["d_model"] ** -0.5)
        with torch.no_grad():
            self.model.shared.weight[self.pad].zero_()

    def embed(self, ids):
        x = F.embedding(ids, self.model.shared.weight, padding_idx=self.pad) * math.sqrt(self.shape["d_model"])
        return self.dropout(x + self.positions[: ids.shape[1]].to(x.dtype))

    def encode(self, source):
        """(states [batch, source length, d_model], mask of the padding) of source [batch, source length]"""
        x = self.embed(source)
        mask = torch.zeros(source.shape, device=source.device, dtype=x.dtype).masked_fill_(source == self.pad, HIDDEN)
        mask = mask[:, None, None]
        for layer in self.model.encoder.layers:
            x = layer(x, mask)
        return x, mask

    def decode(self, target, memory, mask):
        """Decoder states before the output layer: [batch, target length, d_model]."""
        y = self.embed(target)
        for layer in self.model.decoder.layers:
            y = layer(y, memory, mask)
        return y

    def hidden(self, source, target):
        return self.decode(target, *self.encode(source))

    def logits(self, hidden):
        """[..., vocabulary - 1]: <pad> is never produced, because generation bans it."""
        return F.linear(hidden, self.model.shared.weight[: self.pad], self.final_logits_bias[0, : self.pad])


class SmoothedCrossEntropy(torch.autograd.Function):
    """Mean negative log-likelihood of `gold` [n] under `logits` [n, vocabulary], of the rows with `kept` [n] alone if it is
    given. Its gradient is that of the label-smoothed loss, found in few passes over the largest matrix of a training step;
    on a GPU, whose time goes with the bytes, this matrix is held as the logits are, elsewhere in float32."""

    @staticmethod
    def forward(ctx, logits, gold, smoothing, kept=None):
        probabilities = logits.softmax(-1, dtype=logits.dtype if logits.is_cuda else torch.float32)
        weights = torch.ones_like(gold, dtype=torch.float32) if kept is None else kept.float()
        weights /= weights.sum()
        ctx.save_for_backward(probabilities, gold, weights)
        ctx.smoothing, ctx.dtype = smoothing, logits.dtype
        return -(probabilities.gather(1, gold[:, None])[:, 0].float().clamp_min(1e-30).log() * weights).sum()

    @staticmethod
    def backward(ctx, scale):
        probabilities, gold, weights = ctx.saved_tensors
        gradient = probabilities.sub_(ctx.smoothing / probabilities.shape[1])  # backward runs once
        gradient[torch.arange(len(gold), device=gold.device), gold] -= 1 - ctx.smoothing
        return gradient.mul_((weights * scale)[:, None].to(gradient.dtype)).to(ctx.dtype), None, None, None


def loss_of(model, source, target, smoothing):
    """Mean negative log-likelihood a token, with the gradient of the label-smoothed loss. `source` and `target`
    [batch, length] end with EOS and are padded."""
    shifted = torch.cat([torch.full_like(target[:, :1], model.pad), target[:, :-1]], 1)
    keep = target != model.pad
    hidden = model.hidden(source, shifted)
    if hidden.is_cuda:  # which would have to wait until the number of kept rows is known
        gold = target.masked_fill(~keep, 0).flatten()
        return SmoothedCrossEntropy.apply(model.logits(hidden.flatten(0, 1)), gold, smoothing, keep.flatten())
    return SmoothedCrossEntropy.apply(model.logits(hidden[keep]), target[keep], smoothing)


@torch.no_grad()
def greedy(model, source, longest=120):
    """Ids [batch, at most longest] of the likeliest next token each time. What comes after a row's EOS means nothing."""
    memory, mask = model.encode(source)
    target = torch.full_like(source[:, :1], model.pad)
    ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
    while target.shape[1] <= longest and not ended.all():
        chosen = model.logits(model.decode(target, memory, mask)[:, -1]).argmax(-1)
        ended |= chosen == EOS
        target = torch.cat([target, chosen[:, None]], 1)
    return target[:, 1:]
