# SPDX-License-Identifier: Apache-2.0
"""The Neural Turing Machine of docs/ntm-config.md in PyTorch: the machine, a model of sequences and one of questions.

The batch is the first dimension everywhere. The names of a module's state_dict are the tensors of model.safetensors.
"""

import json
import os
from typing import NamedTuple, Optional

import torch
import torch.nn as nn
import torch.nn.functional as F

import safetensors_file

EPSILON_NORM = 1e-5  # of layer norms

DEFAULTS = {
    "shifts": [-1, 0, 1],
    "order": "reads-first",
    "key_activation": "tanh",
    "add_activation": "tanh",
    "cosine": {"form": "added", "epsilon": 1e-8},
    "sharpening": {"base_epsilon": 0.0, "sum_epsilon": 0.0},
    "clip": None,
}
CHOICES = {
    "order": ("reads-first", "writes-first", "interleaved"),
    "key_activation": ("none", "tanh"),
    "add_activation": ("none", "tanh"),
}


class State(NamedTuple):
    """What one step leaves to the next: memory [batch, N, M], weights [batch, heads, N], reads [batch, R, M] and, of an
    LSTM, hidden and cell [batch, layers, H]."""

    memory: torch.Tensor
    weights: torch.Tensor
    reads: torch.Tensor
    hidden: Optional[torch.Tensor] = None
    cell: Optional[torch.Tensor] = None

    def rows(self, index):
        """The state of some rows of the batch: a slice or a tensor of row numbers."""
        return State(*(None if part is None else part[index] for part in self))

    @staticmethod
    def join(states):
        return State(*(None if parts[0] is None else torch.cat(parts) for parts in zip(*states)))


def apply_activation(name, x):
    return {"none": lambda y: y, "tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[name](x)


def with_defaults(config):
    """The configuration with every field that its page gives a default."""
    full = {**DEFAULTS, **config}
    for field, choices in CHOICES.items():
        if full[field] not in choices:
            raise ValueError(f"{field} is {full[field]!r}, not one of {', '.join(choices)}")
    for field in ("cosine", "sharpening"):
        full[field] = {**DEFAULTS[field], **full[field]}
    if full["cosine"]["form"] not in ("added", "clamped"):
        raise ValueError(f"cosine.form is {full['cosine']['form']!r}, not one of added, clamped")
    kinds = full["heads"]
    if not {"read", "write"} == set(kinds):
        raise ValueError(f"heads is {kinds}: there must be at least one read and one write, and nothing else")
    return full


class Controller(nn.Module):
    """u [batch, inputs] -> h [batch, H], a stack of LSTM cells or of linear layers."""

    def __init__(self, config, inputs):
        super().__init__()
        self.width, self.count = config["width"], config.get("layers", 1)
        self.recurrent = config["type"] == "lstm"
        self.activation, self.residual = config.get("activation", "relu"), config.get("residual", False)
        if self.recurrent:
            self.lstm = nn.LSTM(inputs, self.width, self.count)
        elif config["type"] == "feed-forward":
            widths = [inputs] + [self.width] * self.count
            self.layers = nn.ModuleList(nn.Linear(*pair) for pair in zip(widths, widths[1:]))
        else:
            raise ValueError(f"controller.type is {config['type']!r}, not one of lstm, feed-forward")
        self.input_norm = nn.LayerNorm(inputs, EPSILON_NORM) if config.get("input_norm") else None
        self.output_norm = nn.LayerNorm(self.width, EPSILON_NORM) if config.get("output_norm") else None

    def cells(self, u, hidden, cell):
        new_hidden, new_cell = [], []
        for layer in range(self.count):
            weights = [getattr(self.lstm, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            u, c = torch.lstm_cell(u, (hidden[:, layer], cell[:, layer]), *weights)
            new_hidden.append(u)
            new_cell.append(c)
        return u, torch.stack(new_hidden, 1), torch.stack(new_cell, 1)

    def forward(self, u, hidden, cell):
        """(h, hidden, cell)"""
        if self.input_norm is not None:
            u = self.input_norm(u)
        if self.recurrent:
            h, hidden, cell = self.cells(u, hidden, cell)
        else:
            h = apply_activation(self.activation, self.layers[0](u))
            for layer in self.layers[1:]:
                deeper = apply_activation(self.activation, layer(h))
                h = h + deeper if self.residual else deeper
        return h if self.output_norm is None else self.output_norm(h), hidden, cell


class Head(nn.Module):
    """The linear layer of one head: fc_read gives [k, beta, g, s, gamma], fc_write also [e, a]."""

    def __init__(self, kind, slot_width, shifts, controller_width):
        super().__init__()
        outputs = slot_width + shifts + 3 + (2 * slot_width if kind == "write" else 0)
        self.add_module(f"fc_{kind}", nn.Linear(controller_width, outputs))
        self.kind = kind

    @property
    def fc(self):
        return getattr(self, f"fc_{self.kind}")


class Initial(nn.Module):
    """The state at the start, as it is used. Begins as Collier and Beel's: a constant memory; all weight on slot 0."""

    def __init__(self, heads, reads, slots, slot_width, controller):
        super().__init__()
        self.memory = nn.Parameter(torch.full((slots, slot_width), 1e-6))
        self.weights = nn.Parameter(torch.zeros(heads, slots).index_fill_(1, torch.tensor([0]), 1.0))
        self.reads = nn.Parameter(torch.zeros(reads, slot_width))
        if controller.recurrent:
            self.hidden = nn.Parameter(torch.zeros(controller.count, controller.width))
            self.cell = nn.Parameter(torch.zeros(controller.count, controller.width))


class NeuralTuringMachine(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        full = with_defaults(config)
        self.input_width, self.slots, self.slot_width = full["input_width"], full["slots"], full["slot_width"]
        self.head_kinds, self.shifts, self.order = full["heads"], full["shifts"], full["order"]
        self.key_activation, self.add_activation = full["key_activation"], full["add_activation"]
        self.cosine, self.sharpening, self.clip = full["cosine"], full["sharpening"], full["clip"]
        self.read_heads = [i for i, kind in enumerate(self.head_kinds) if kind == "read"]
        self.write_heads = [i for i, kind in enumerate(self.head_kinds) if kind == "write"]
        self.controller = Controller(full["controller"], self.input_width + len(self.read_heads) * self.slot_width)
        self.heads = nn.ModuleList(
            Head(kind, self.slot_width, len(self.shifts), self.controller.width) for kind in self.head_kinds
        )
        self.compiled_step = None  # set by ntm_kernels.attach
        self.initial = Initial(len(self.head_kinds), len(self.read_heads), self.slots, self.slot_width, self.controller)

    def initial_state(self, batch):
        parts = (getattr(self.initial, name, None) for name in State._fields)
        return State(*(None if part is None else part.expand(batch, *part.shape) for part in parts))

    # ------------------------------------------------------------------------------------------------------- heads

    def packed_heads(self):
        """One weight and bias for all heads, rows in the order keys, addressing numbers, erases, adds. Packing once for a
        whole sequence spares every step the copy."""
        m, s = self.slot_width, len(self.shifts)
        layers = [head.fc for head in self.heads]
        writers = [layers[i] for i in self.write_heads]

        def pack(name):
            parts = [getattr(layer, name)[:m] for layer in layers]
            parts += [getattr(layer, name)[m : m + s + 3] for layer in layers]
            parts += [getattr(layer, name)[m + s + 3 : 2 * m + s + 3] for layer in writers]
            parts += [getattr(layer, name)[2 * m + s + 3 :] for layer in writers]
            return torch.cat(parts)

        return pack("weight"), pack("bias")

    def head_outputs(self, h, packed):
        """keys [batch, heads, M], numbers [batch, heads, S + 3] before their activations, erases and adds [batch, W, M]"""
        outputs = F.linear(h, *packed)
        if self.clip is not None:
            outputs = outputs.clamp(-self.clip, self.clip)
        heads, writers = len(self.head_kinds), len(self.write_heads)
        m, numbers = self.slot_width, len(self.shifts) + 3
        keys, rest, erases, adds = outputs.split([heads * m, heads * numbers, writers * m, writers * m], -1)
        batch = h.shape[0]
        keys = apply_activation(self.key_activation, keys).view(batch, heads, m)
        erases = torch.sigmoid(erases).view(batch, writers, m)
        adds = apply_activation(self.add_activation, adds).view(batch, writers, m)
        return keys, rest.view(batch, heads, numbers), erases, adds

    def address(self, keys, numbers, weights, memory, norms):
        """New weights [batch, heads, N] of some heads; norms [batch, N] are the slots' lengths."""
        shifts = len(self.shifts)
        beta, gate = F.softplus(numbers[..., 0:1]), torch.sigmoid(numbers[..., 1:2])
        moves = F.softmax(numbers[..., 2 : 2 + shifts], -1)
        gamma = 1 + F.softplus(numbers[..., 2 + shifts :])
        dots = torch.bmm(keys, memory.transpose(1, 2))
        lengths, norms, epsilon = self.lengths_of(keys)[..., None], norms[:, None], self.cosine["epsilon"]
        if self.cosine["form"] == "added":
            similarity = dots / (lengths * norms + epsilon)
        else:
            similarity = dots / (lengths.clamp(min=epsilon) * norms.clamp(min=epsilon))
        content = F.softmax(beta * similarity, -1)
        gated = torch.lerp(weights, content, gate)
        shifted = sum(moves[..., j : j + 1] * gated.roll(shift, -1) for j, shift in enumerate(self.shifts))
        return self.sharpen(shifted, gamma)

    def sharpen(self, weights, gamma):
        base, total = self.sharpening["base_epsilon"], self.sharpening["sum_epsilon"]
        if base > 0 and total == 0:  # the same, and cheaper than a power
            return F.softmax(gamma * torch.log(weights + base), -1)
        powers = (weights + base) ** gamma
        return powers / (powers.sum(-1, keepdim=True) + total)

    @staticmethod
    def lengths_of(memory):
        return torch.linalg.vector_norm(memory, dim=-1)

    @staticmethod
    def write(memory, weights, erase, add):
        """weights [batch, N], erase and add [batch, M]"""
        weights = weights[:, :, None]
        return torch.addcmul(memory, weights, torch.addcmul(add[:, None], erase[:, None], memory, value=-1))

    # ------------------------------------------------------------------------------------------------------- steps

    def control(self, x, state):
        """(h, hidden, cell)"""
        return self.controller(torch.cat([x, state.reads.flatten(1)], -1), state.hidden, state.cell)

    def step(self, x, state, packed=None):
        """x [batch, input_width] -> (h [batch, H], reads [batch, R, M], state)"""
        packed = packed or self.packed_heads()
        h, hidden, cell = self.control(x, state)
        if self.compiled_step is not None:
            weights, reads, memory = self.compiled_step(F.linear(h, *packed), state.weights, state.memory, False)
            return h, reads, State(memory, weights, reads, hidden, cell)
        outputs = self.head_outputs(h, packed)
        advance = self.interleaved if self.order == "interleaved" else self.at_once
        memory, weights, reads = advance(state, *outputs)
        return h, reads, State(memory, weights, reads, hidden, cell)

    def at_once(self, state, keys, numbers, erases, adds):
        memory = state.memory
        weights = self.address(keys, numbers, state.weights, memory, self.lengths_of(memory))
        before = memory
        for w, i in enumerate(self.write_heads):
            memory = self.write(memory, weights[:, i], erases[:, w], adds[:, w])
        reads = torch.bmm(weights[:, self.read_heads], before if self.order == "reads-first" else memory)
        return memory, weights, reads

    def runs(self):
        """Heads that are addressed on the same memory when one follows the other: (first, end) of neighbouring readers,
        and each writer alone."""
        first = 0
        for i in range(1, len(self.head_kinds) + 1):
            if i == len(self.head_kinds) or self.head_kinds[i] == "write" or self.head_kinds[first] == "write":
                yield first, i
                first = i

    def address_and_read(self, keys, numbers, weights, memory, norms):
        """(weights [batch, heads, N], reads [batch, heads, M]) of heads that are addressed on the memory they read."""
        weights = self.address(keys, numbers, weights, memory, norms)
        return weights, torch.bmm(weights, memory)

    def address_and_write(self, keys, numbers, weights, memory, norms, erase, add):
        """(weights [batch, 1, N], memory) of one head that is addressed on the memory it changes."""
        weights = self.address(keys, numbers, weights, memory, norms)
        return weights, self.write(memory, weights[:, 0], erase, add)

    def interleaved(self, state, keys, numbers, erases, adds):
        memory, norms = state.memory, self.lengths_of(state.memory)
        weights, reads, writer = [], [], 0
        for first, end in self.runs():
            some = slice(first, end)
            own = keys[:, some], numbers[:, some], state.weights[:, some], memory, norms
            if self.head_kinds[first] == "read":
                new, read = self.address_and_read(*own)
                reads.append(read)
            else:
                new, memory = self.address_and_write(*own, erases[:, writer], adds[:, writer])
                norms = self.lengths_of(memory)
                writer += 1
            weights.append(new)
        return memory, torch.cat(weights, 1), torch.cat(reads, 1)

    def think(self, x, state, packed=None, norms=None):
        """A step that only reads: the write heads keep their weights, the memory stays. norms are lengths_of(memory)."""
        packed = packed or self.packed_heads()
        h, hidden, cell = self.control(x, state)
        if self.compiled_step is not None:
            weights, reads = self.compiled_step(F.linear(h, *packed), state.weights, state.memory, True)
            return h, reads, State(state.memory, weights, reads, hidden, cell)
        keys, numbers, _, _ = self.head_outputs(h, packed)
        norms = self.lengths_of(state.memory) if norms is None else norms
        readers = self.read_heads
        own = keys[:, readers], numbers[:, readers], state.weights[:, readers], state.memory, norms
        new, reads = self.address_and_read(*own)
        weights = state.weights.clone()
        weights[:, readers] = new
        return h, reads, State(state.memory, weights, reads, hidden, cell)


class SequenceModel(NeuralTuringMachine):
    """Rows of numbers in, rows of numbers out."""

    def __init__(self, config):
        super().__init__(config)
        output = {"reads": "new", "activation": "none", **config["output"]}
        self.output_reads, self.output_activation = output["reads"], output["activation"]
        if self.output_reads not in ("new", "previous", "none"):
            raise ValueError(f"output.reads is {self.output_reads!r}, not one of new, previous, none")
        reads = 0 if self.output_reads == "none" else len(self.read_heads) * self.slot_width
        self.fc = nn.Linear(self.controller.width + reads, output["width"])

    def forward(self, rows, state=None, activate=True):
        """rows [batch, length, input_width] -> (outputs [batch, length, width], state); without `activate` the outputs are
        those before the activation, for losses that take logits."""
        state, packed, seen = state or self.initial_state(rows.shape[0]), self.packed_heads(), []
        for t in range(rows.shape[1]):
            previous = state.reads
            h, reads, state = self.step(rows[:, t], state, packed)
            reads = {"new": [reads], "previous": [previous], "none": []}[self.output_reads]
            seen.append(torch.cat([h] + [part.flatten(1) for part in reads], -1))
        outputs = self.fc(torch.stack(seen, 1))
        if self.clip is not None:
            outputs = outputs.clamp(-self.clip, self.clip)
        return (apply_activation(self.output_activation, outputs) if activate else outputs), state


class QuestionAnswerer(NeuralTuringMachine):
    """Stories and questions: ids of words in, scores of answers out. An id of `words` (one past the last) adds nothing:
    it pads sentences and stands for words that the vocabulary lacks."""

    def __init__(self, config, words):
        super().__init__(config)
        questions, width = config["questions"], config["input_width"]
        self.thinking_steps, self.max_times = questions["thinking_steps"], questions["max_times"]
        self.words, self.kinds = nn.Embedding(words, width), nn.Embedding(2, width)
        self.positions, self.times = nn.Embedding(questions["max_words"], width), nn.Embedding(self.max_times, width)
        self.dropout = 0.0  # of answer.0's outputs, in training
        seen = self.controller.width + len(self.read_heads) * self.slot_width + width
        widths = [seen, questions["answer_width"], len(questions["answers"])]
        self.answer = nn.ModuleList(nn.Linear(*pair) for pair in zip(widths, widths[1:]))

    def sentences(self, ids, kind):
        """ids [.., words of a sentence] -> [.., input_width]; kind 0 is a fact, 1 a question"""
        table = torch.cat([self.words.weight, self.words.weight.new_zeros(1, self.input_width)])
        words = F.embedding(ids, table) * self.positions.weight[: ids.shape[-1]]
        return words.sum(-2) + self.kinds.weight[kind]

    def facts(self, ids, first_time=0):
        """ids [batch, facts, words] -> x [batch, facts, input_width]"""
        times = torch.arange(first_time, first_time + ids.shape[1], device=ids.device).clamp(max=self.max_times - 1)
        return self.sentences(ids, 0) + self.times(times)

    def scores(self, questions, state, packed=None):
        """questions [batch, words], state of the stories so far -> (scores of the answers [batch, answers], the read heads'
        weights [batch, R, N] after each thinking step)"""
        packed, norms, x = packed or self.packed_heads(), self.lengths_of(state.memory), self.sentences(questions, 1)
        read_weights = []
        for _ in range(self.thinking_steps):
            h, reads, state = self.think(x, state, packed, norms)
            read_weights.append(state.weights[:, self.read_heads])
        hidden = torch.relu(self.answer[0](torch.cat([h, reads.flatten(1), x], -1)))
        return self.answer[1](F.dropout(hidden, self.dropout, self.training)), read_weights

    def forward(self, facts, alive, asked, questions):
        """Scores of all questions of some stories, each story read once, and weights: what `scores` gives.

        facts [batch, length, words], longest story first; alive[t] is how many stories have a fact t; asked is a list of
        (facts read before the question, rows of the batch), in rising order; questions [total, words] in asked's order.
        """
        x, packed, state = self.facts(facts), self.packed_heads(), self.initial_state(facts.shape[0])
        asked, forks = dict(asked), []
        for t in range(facts.shape[1] + 1):
            if t in asked:
                forks.append(state.rows(asked[t]))
            if t < facts.shape[1]:
                if alive[t] < state.memory.shape[0]:
                    state = state.rows(slice(alive[t]))
                _, _, state = self.step(x[: alive[t], t], state, packed)
        return self.scores(questions, State.join(forks), packed)


def save_model(directory, config, module, vocabulary=None):
    """Writes config.json, model.safetensors and, of a model of questions, vocab.json ({word: row})."""
    os.makedirs(directory, exist_ok=True)
    files = {"config.json": config, **({"vocab.json": vocabulary} if vocabulary is not None else {})}
    for name, content in files.items():
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
    safetensors_file.write(f"{directory}/model.safetensors", module.state_dict())


def load_model(directory):
    """(module, vocabulary or None) of a model directory."""
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    vocabulary = None
    if config["task"] == "questions":
        with open(f"{directory}/vocab.json", encoding="utf-8") as file:
            vocabulary = json.load(file)
        module = QuestionAnswerer(config, len(vocabulary))
    else:
        module = SequenceModel(config)
    module.load_state_dict(safetensors_file.read(f"{directory}/model.safetensors"))
    return module, vocabulary
