# SPDX-License-Identifier: Apache-2.0
"""The tasks of sequences of the Neural Turing Machine paper (Graves et al. 2014): their frames, as
docs/ntm-config.md has them, and random data for them. Rows are [batch, rows, width]."""

import torch
import torch.nn.functional as F


def marker(batch, width, channel, value=1.0):
    row = torch.zeros(batch, 1, width)
    row[..., channel] = value
    return row


class Task:
    """A frame of a config.json. `sizes` are the names of what makes a sequence short or long."""

    markers = 1

    def __init__(self, frame):
        self.frame, self.data_width = frame, frame["data_width"]
        self.input_width = self.data_width + self.markers

    def widen(self, data):
        return F.pad(data, (0, self.markers))

    def marker(self, data, channel=0, value=1.0):
        return marker(len(data), self.input_width, self.data_width + channel, value)

    def blank(self, data, rows):
        return torch.zeros(len(data), rows, self.input_width)

    @staticmethod
    def bits(generator, *shape):
        return torch.randint(0, 2, shape, generator=generator).float()


class Copy(Task):
    sizes = ("length",)

    def framed(self, data):
        """The machine's input; the outputs of its last rows, as many as the data, are the answer."""
        return torch.cat([self.widen(data), self.marker(data), self.blank(data, data.shape[1])], 1)

    def batch(self, generator, count, length):
        """(input, answer) of random bits; the answer belongs to the input's last rows."""
        data = self.bits(generator, count, length, self.data_width)
        return self.framed(data), data


class RepeatCopy(Task):
    sizes = ("length", "repeats")

    def framed(self, data, repeats):
        count = self.marker(data, value=repeats / self.frame["max_repeats"])
        return torch.cat([self.widen(data), count, self.blank(data, repeats * data.shape[1])], 1)

    def batch(self, generator, count, length, repeats):
        data = self.bits(generator, count, length, self.data_width)
        return self.framed(data, repeats), data.repeat(1, repeats, 1)


class Recall(Task):
    sizes = ("items",)
    markers = 2

    def framed(self, data):
        """`data` holds the items and, as its last item, the query."""
        rows = self.frame["item_rows"]
        *items, query = data.split(rows, 1)
        parts = [part for item in items for part in (self.marker(data), self.widen(item))]
        return torch.cat(
            parts + [self.marker(data, 1), self.widen(query), self.marker(data, 1), self.blank(data, rows)], 1
        )

    def batch(self, generator, count, items):
        data = self.bits(generator, count, items, self.frame["item_rows"], self.data_width)
        query = torch.randint(0, items - 1, (count,), generator=generator)
        every = torch.arange(count)
        asked = torch.cat([data, data[every, query][:, None]], 1).flatten(1, 2)
        return self.framed(asked), data[every, query + 1]


def task_of(frame):
    return {"copy": Copy, "repeat-copy": RepeatCopy, "recall": Recall}[frame["task"]](frame)


def random_size(generator, ranges):
    """One number of each range {name: (first, last)}."""
    return {
        name: int(torch.randint(first, last + 1, (), generator=generator)) for name, (first, last) in ranges.items()
    }


def answers_of(outputs, answer):
    """The outputs that belong to the answer."""
    return outputs[:, -answer.shape[1] :]


@torch.no_grad()
def bit_error(model, task, generator, size, sequences, device="cpu"):
    """The share of wrong bits in the answers to some random sequences of one size."""
    rows, answer = (part.to(device) for part in task.batch(generator, sequences, **size))
    outputs, _ = model(rows, activate=False)
    return ((answers_of(outputs, answer) > 0) != (answer > 0.5)).float().mean().item()
