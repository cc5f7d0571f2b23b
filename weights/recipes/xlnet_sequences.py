# SPDX-License-Identifier: Apache-2.0
"""What XLNet is trained to predict: windows of a text, their targets, and an order in which these are predicted.

Every token has a rank. What a row sees follows from the ranks: a content row sees tokens of its own rank or a lower one,
the row of a target sees lower ranks only. Context has rank -1, so its rows see each other; targets have ranks of 0 and
above, in the order in which they are predicted.
"""

import dataclasses

import torch

from novels_data import CLS, SEP

LONGEST_SPAN = 5
SHARE = 6  # a target among 6 tokens
PAIR_SHARE = 0.25  # of windows with two parts, A <sep> B <sep> <cls>


@dataclasses.dataclass
class Batch:
    ids: torch.Tensor  # [B, T]
    types: torch.Tensor | None  # [B, T]: 0; where there are two parts 0, 1 and, for <cls>, 2
    rank: torch.Tensor  # [B, T]
    places: torch.Tensor  # [B, K] of targets
    weights: torch.Tensor  # [B, K]: 1, or 0 for a place that is no target

    def inputs(self):
        """Of XLNet.forward"""
        rank_of_targets = self.rank.gather(1, self.places)
        visible = self.rank[:, None, :] <= self.rank[:, :, None]
        return self.ids, visible, self.places, self.rank[:, None, :] < rank_of_targets[:, :, None], self.types

    def wanted(self):
        """The ids of the targets [B, K]"""
        return self.ids.gather(1, self.places)


class Sampler:
    """Draws batches from one long text, on its device."""

    def __init__(self, text, seed):
        self.text = text
        self.random = torch.Generator(text.device).manual_seed(seed)

    def uniform(self, *shape):
        return torch.rand(*shape, generator=self.random, device=self.text.device)

    def below(self, limit, *shape):
        return (self.uniform(*shape) * limit).long()

    def windows(self, rows, length):
        """ids [B, T]"""
        starts = self.below(len(self.text) - length, rows, 1)
        return self.text[starts + torch.arange(length, device=self.text.device)]

    def pairs(self, rows, length):
        """ids, types and, for <sep> and <cls>, True [B, T]. Some windows have two parts, of which the second follows the
        first in the text, or comes from elsewhere."""
        place = torch.arange(length, device=self.text.device)[None]
        last = len(self.text) - length
        first, elsewhere = self.below(last, rows, 1), self.below(last, rows, 1)
        cut = 1 + self.below(length - 4, rows, 1)  # the length of A
        second = torch.where(self.uniform(rows, 1) < 0.5, first + cut, elsewhere) - cut - 1
        paired = self.uniform(rows, 1) < PAIR_SHARE
        ids = self.text[torch.where(paired & (place > cut), second, first).clamp(min=0) + place]
        separator = paired & ((place == cut) | (place == length - 2))
        summary = paired & (place == length - 1)
        ids = ids.masked_fill(separator, SEP).masked_fill(summary, CLS)
        types = (paired & (place > cut)).long() + summary.long()
        return ids, types, separator | summary

    def spans(self, rows, length):
        """True for targets [B, T]: stretches of SHARE times as many tokens as a span of 1 to 5 has, with a span in each"""
        count = length // SHARE + 2
        size = 1 + self.below(LONGEST_SPAN, rows, count)
        ends = (SHARE * size).cumsum(1) - self.below(SHARE * LONGEST_SPAN, rows, 1)
        begin = ends - SHARE * size + (self.uniform(rows, count) * (SHARE * size - size + 1)).long()
        step = torch.arange(LONGEST_SPAN, device=self.text.device)
        place = begin[:, :, None] + step
        place = torch.where((step < size[:, :, None]) & (place >= 0) & (place < length), place, length)
        found = torch.zeros(rows, length + 1, dtype=torch.bool, device=self.text.device)
        return found.scatter(1, place.flatten(1), True)[:, :length]

    def permuted(self, rows, length):
        """Spans of targets, in an order of their own for each window."""
        ids, types, functional = self.pairs(rows, length)
        targets = self.spans(rows, length) & ~functional
        chosen, places = (targets + self.uniform(rows, length) / 2).topk(max(1, length // SHARE), dim=1)
        weights = (chosen >= 1).float()
        targets = torch.zeros_like(targets).scatter(1, places, weights > 0)
        rank = torch.where(targets, self.uniform(rows, length), -1.0)
        return Batch(ids, types, rank, places, weights)

    def left_to_right(self, rows, length):
        """Targets one after the other, from the start of the window or after some context. The first token has no
        context, so it is no target."""
        place = torch.arange(length, device=self.text.device).expand(rows, length)
        context = self.below(length * 3 // 4, rows, 1) * (self.uniform(rows, 1) < 0.5)
        rank = torch.where(place < context, -1, place).float()
        weights = ((place >= context) & (place > 0)).float()
        return Batch(self.windows(rows, length), None, rank, place, weights)
