# SPDX-License-Identifier: Apache-2.0
"""XLNet (Yang et al. 2019) for training, with Hugging Face's names of its tensors: both streams, and a classifier.

The content stream has a row for each token, which knows what the token is. The query stream has a row for each target,
which knows only the target's place. All rows take keys and values from the content stream.

Shapes: B texts, T tokens, K targets of each text, Q = T + K rows, n heads, h the width of a head, d of a row.
"""

import torch
from torch import nn
from torch.nn import functional

from transformer_xl_model import angles, empty

MASKED = -1e30  # a row that sees no key at all takes the mean of all keys, as Hugging Face's does


class Attention(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        width, heads = shape["d_model"], shape["heads"]
        self.head_width = width // heads
        for name in ("q", "k", "v", "r", "o"):
            setattr(self, name, nn.Parameter(0.6 * width**-0.5 * torch.randn(width, heads, self.head_width)))
        for name in ("r_w_bias", "r_r_bias", "r_s_bias"):
            setattr(self, name, nn.Parameter(torch.zeros(heads, self.head_width)))
        self.seg_embed = nn.Parameter(0.02 * torch.randn(2, heads, self.head_width))
        self.layer_norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def project(self, x, weight):
        """x [B, rows, d], weight [d, n, h] -> [B, rows, n, h]"""
        return (x @ weight.flatten(1)).view(*x.shape[:-1], *weight.shape[1:])

    def position_scores(self, query, relative, length, places):
        """query [B, n, Q, h], relative [n, h, 2T] of the distances T down to 1 - T -> [B, n, Q, T]"""
        scores = query @ relative
        content, target = scores[:, :, :length], scores[:, :, length:]
        # Row i wants the columns T - i ... 2T - 1 - i: rows of 2T values, read as rows of 2T - 1, move it there.
        content = content.flatten(2)[:, :, length:].view(*content.shape[:3], 2 * length - 1)[..., :length]
        if places is None:
            return content
        keys = torch.arange(length, device=query.device)
        columns = (length - places[:, :, None] + keys)[:, None].expand(-1, query.shape[1], -1, -1)
        return torch.cat([content, target.gather(3, columns)], dim=2)

    def segment_scores(self, query, types, places):
        """query [B, n, Q, h], types [B, T] -> [B, n, Q, T]: one of two scores, as the two tokens' types are equal or not"""
        same, other = (query @ self.seg_embed.permute(1, 2, 0)).unbind(-1)  # [B, n, Q]
        of_rows = types if places is None else torch.cat([types, types.gather(1, places)], dim=1)
        differs = (of_rows[:, :, None] != types[:, None, :])[:, None]
        return torch.where(differs, other[..., None], same[..., None])

    def forward(self, x, length, visible, positions, places, types):
        """x [B, Q, d], the first `length` rows of the content stream -> [B, Q, d]"""
        query, key, value = self.project(x, self.q), self.project(x[:, :length], self.k), self.project(x[:, :length], self.v)
        relative = self.project(positions[None], self.r)[0].permute(1, 2, 0)
        scores = (query + self.r_w_bias).transpose(1, 2) @ key.permute(0, 2, 3, 1)
        scores = scores + self.position_scores((query + self.r_r_bias).transpose(1, 2), relative, length, places)
        if types is not None:
            scores = scores + self.segment_scores((query + self.r_s_bias).transpose(1, 2), types, places)
        scores = (scores * self.head_width**-0.5).masked_fill(~visible[:, None], MASKED)
        weights = self.dropout(torch.softmax(scores, dim=-1))
        attended = (weights.to(value.dtype) @ value.transpose(1, 2)).transpose(1, 2).flatten(2)
        return self.layer_norm(x + self.dropout(attended @ self.o.flatten(1).T))


class FeedForward(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        self.layer_1 = nn.Linear(shape["d_model"], shape["ffn"])
        self.layer_2 = nn.Linear(shape["ffn"], shape["d_model"])
        self.layer_norm = nn.LayerNorm(shape["d_model"], eps=1e-12)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.layer_1, self.layer_2):
            nn.init.normal_(layer.weight, std=0.6 * layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        inner = self.dropout(functional.gelu(self.layer_1(x)))
        return self.layer_norm(x + self.dropout(self.layer_2(inner)))


class Layer(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        self.rel_attn = Attention(shape, dropout)
        self.ff = FeedForward(shape, dropout)

    def forward(self, x, *seen):
        return self.ff(self.rel_attn(x, *seen))


class Rows(nn.Module):
    """The network without a head (Hugging Face's XLNetModel)."""

    def __init__(self, shape, dropout):
        super().__init__()
        self.word_embedding = nn.Embedding(shape["vocabulary"], shape["d_model"])
        self.mask_emb = nn.Parameter(0.02 * torch.randn(1, 1, shape["d_model"]))
        self.layer = nn.ModuleList(Layer(shape, dropout) for _ in range(shape["layers"]))
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.word_embedding.weight, std=0.04)

    def forward(self, ids, visible, places=None, visible_to_targets=None, types=None):
        """ids [B, T]; visible [B, T, T]: whether content row i sees token j; places [B, K] of targets, whose rows see
        visible_to_targets [B, K, T]; types [B, T] of tokens. Returns the rows of both streams [B, Q, d]."""
        x, length = self.word_embedding(ids), ids.shape[1]
        if places is not None:
            x = torch.cat([x, self.mask_emb.expand(*places.shape, -1)], dim=1)
            visible = torch.cat([visible, visible_to_targets], dim=1)
        distances = torch.arange(length, -length, -1, device=ids.device)
        positions = self.dropout(angles(distances, x.shape[-1]))
        x = self.dropout(x)
        for layer in self.layer:
            x = layer(x, length, visible, positions, places, types)
        return self.dropout(x)


class XLNet(nn.Module):
    """The language model (XLNetLMHeadModel). `shape` has vocabulary, d_model, heads, ffn and layers."""

    def __init__(self, shape, dropout=0.0):
        super().__init__()
        self.shape = shape
        self.transformer = Rows(shape, dropout)
        self.lm_loss = empty(bias=nn.Parameter(torch.zeros(shape["vocabulary"])))  # its weight is the embedding's

    def forward(self, ids, visible, places, visible_to_targets, types=None):
        """Logits of the targets [B, K, vocabulary]"""
        rows = self.transformer(ids, visible, places, visible_to_targets, types)[:, ids.shape[1] :]
        return functional.linear(rows, self.transformer.word_embedding.weight, self.lm_loss.bias)


class XLNetClassifier(nn.Module):
    """XLNetForSequenceClassification, which reads the last token of each text."""

    def __init__(self, shape, dropout=0.0):
        super().__init__()
        self.shape = shape
        self.transformer = Rows(shape, dropout)
        self.sequence_summary = empty(summary=nn.Linear(shape["d_model"], shape["d_model"]))
        self.logits_proj = nn.Linear(shape["d_model"], shape["classes"])
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids, types, real):
        """ids, types, real [B, T], real where there is a token and no padding, which is on the left -> [B, classes]"""
        diagonal = torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)
        rows = self.transformer(ids, real[:, None, :] | diagonal, types=types)
        summary = torch.tanh(self.sequence_summary.summary(rows[:, -1]))
        return self.logits_proj(self.dropout(summary))


def configuration(shape, architecture, labels=()):
    """config.json as Hugging Face reads it."""
    named = {"id2label": {str(i): label for i, label in enumerate(labels)}, "label2id": {x: i for i, x in enumerate(labels)}}
    return {
        "architectures": [architecture],
        "model_type": "xlnet",
        "attn_type": "bi",
        "bi_data": False,
        "bos_token_id": 1,
        "clamp_len": -1,
        "d_head": shape["d_model"] // shape["heads"],
        "d_inner": shape["ffn"],
        "d_model": shape["d_model"],
        "dropout": 0.1,
        "end_n_top": 5,
        "eos_token_id": 2,
        "ff_activation": "gelu",
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "mem_len": None,
        "n_head": shape["heads"],
        "n_layer": shape["layers"],
        "pad_token_id": 5,
        "reuse_len": None,
        "same_length": False,
        "start_n_top": 5,
        "summary_activation": "tanh",
        "summary_last_dropout": 0.1,
        "summary_type": "last",
        "summary_use_proj": True,
        "torch_dtype": "float16",
        "untie_r": True,
        "vocab_size": shape["vocabulary"],
        **(named if labels else {}),
    }


def tokenizer_configuration(lower_case=False):
    """tokenizer_config.json"""
    return {
        "tokenizer_class": "XLNetTokenizer",
        "do_lower_case": lower_case,
        "keep_accents": False,
        "remove_space": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "sep_token": "<sep>",
        "pad_token": "<pad>",
        "cls_token": "<cls>",
        "mask_token": "<mask>",
        "additional_special_tokens": ["<eop>", "<eod>"],
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
    }
