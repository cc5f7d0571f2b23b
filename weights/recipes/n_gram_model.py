# SPDX-License-Identifier: Apache-2.0
"""An interpolated Kneser-Ney model of 4-grams (Chen and Goodman 1999, section 2.7), to compare neural models with.

The 4-grams have their counts in the text. Shorter ones are counted by the different tokens that stand before them. Each
count loses a discount, which the next shorter n-gram gets:

    P(w | c) = max(count(c w) - D, 0) / count(c) + D * (different w after c) / count(c) * P(w | c without its first token)
"""

import torch

ORDER = 4
BITS = 15  # of an id, in the key of an n-gram


class Table:
    """n-grams of one length and their counts, and what is summed over their last token."""

    def __init__(self, keys, counts):
        """keys [N], sorted, of different n-grams; counts [N]"""
        self.keys, self.counts = keys, counts.float()
        self.contexts, groups = torch.unique_consecutive(keys >> BITS, return_inverse=True)
        zeros = torch.zeros(len(self.contexts), device=keys.device)
        self.totals = zeros.index_add(0, groups, self.counts)
        self.kinds = zeros.index_add(0, groups, torch.ones_like(self.counts))
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        self.discount = once / (once + 2 * twice) if twice else 0.5

    def interpolate(self, keys, shorter):
        """P of the last token of each n-gram [N], from that of the n-gram without its first token [N]"""
        count = looked_up(self.keys, self.counts, keys)
        total = looked_up(self.contexts, self.totals, keys >> BITS)
        kinds = looked_up(self.contexts, self.kinds, keys >> BITS)
        mixed = ((count - self.discount).clamp(min=0) + self.discount * kinds * shorter) / total.clamp(min=1)
        return torch.where(total > 0, mixed, shorter)


def key_of(grams):
    """[N, n] -> [N], which sorts as the n-grams do"""
    keys = grams[:, 0]
    for column in grams.unbind(1)[1:]:
        keys = (keys << BITS) | column
    return keys


def shortened(keys, length):
    """The keys of the last `length` tokens"""
    return keys & ((1 << BITS * length) - 1)


def looked_up(keys, values, wanted):
    """The value of each wanted key; 0 for one that is not there"""
    place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return torch.where(keys[place] == wanted, values[place], 0.0)


class NGramModel:
    def __init__(self, text, vocabulary):
        """text: ids [tokens]"""
        self.vocabulary, self.device = vocabulary, text.device
        keys, counts = torch.unique(key_of(text.unfold(0, ORDER, 1)), return_counts=True)
        self.tables = [Table(keys, counts)]  # by length
        for length in range(ORDER - 1, 0, -1):
            keys, counts = torch.unique(shortened(keys, length), return_counts=True)
            self.tables.insert(0, Table(keys, counts))

    def probabilities(self, grams):
        """grams [N, 4]: three tokens and the next one -> P of this one [N]"""
        values = torch.full((len(grams),), 1 / self.vocabulary, device=self.device)
        keys = key_of(grams)
        for length, table in enumerate(self.tables, 1):
            values = table.interpolate(shortened(keys, length), values)
        return values

    def scores(self, around, both):
        """around [N, 7], the token in the middle unknown -> log-probabilities of every token there [N, vocabulary]: of
        the token by the three before it, and, if `both`, of the three after it, too, given it. Those of both contexts
        are normalized."""
        filled = around[:, None].repeat(1, self.vocabulary, 1)
        filled[:, :, ORDER - 1] = torch.arange(self.vocabulary, device=self.device)
        filled, starts = filled.flatten(0, 1), range(ORDER if both else 1)
        logs = sum(self.probabilities(filled[:, start : start + ORDER]).log() for start in starts)
        return torch.log_softmax(logs.view(len(around), self.vocabulary), dim=-1)
