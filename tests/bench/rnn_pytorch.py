#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sentences a CPU second of a recurrent translator, Heed against PyTorch, on one thread each, taking turns in one run.

    rnn_pytorch.py MODEL_DIR build/bin/translation_bench SENTENCES_FILE [--rounds=3] [--sentences=200]

PyTorch runs the same weights eagerly in float32 without gradients: torch.nn.GRU or LSTM over packed source batches,
torch.gru_cell or lstm_cell in the decoder's loop, log-softmax, topk, and reordering by index_select; a greedy and a beam
loop over batches of sentences of like length. Finished sentences leave a greedy batch; a beam batch ends when all of its
sentences are done. Prints medians of the rounds and their ratios, and how many translations agree. Needs
PyTorch and sentencepiece, and a model with SentencePiece and no vocabulary files.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import sentencepiece
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "weights", "recipes"))
import safetensors_file  # noqa: E402

ACTIVATIONS = {"none": lambda x: x, "tanh": torch.tanh, "relu": torch.relu}


class Translator:
    """One with the conventions that the shipped models have; [batch, ...] everywhere."""

    def __init__(self, directory):
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = config = json.load(file)
        tensors = safetensors_file.read(os.path.join(directory, "model.safetensors"))
        self.tensors = {name: tensor.float() for name, tensor in tensors.items()}
        self.lstm = config["cell"] == "lstm"
        self.encoder = self.module("encoder.rnn", config["encoder"])
        self.layers = config["decoder"].get("layers", 1)
        self.attention, self.vector = config.get("attention"), config.get("context_vector")
        assert config["init"]["from"] in ("top", "mean"), "another init than the shipped models'"
        table = self.tensors["decoder.embedding.weight"]
        self.output = table if config.get("tied_output") else self.tensors["output.weight"]
        if config.get("tied_embeddings"):
            self.tensors["encoder.embedding.weight"] = table
        path = os.path.join(directory, "generation_config.json")
        self.suppressed = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.suppressed = json.load(file).get("suppress_tokens", [])

    def module(self, prefix, sizes):
        own = {name[len(prefix) + 1 :]: tensor for name, tensor in self.tensors.items() if name.startswith(prefix + ".")}
        kind = torch.nn.LSTM if self.lstm else torch.nn.GRU
        inputs, hidden = own["weight_ih_l0"].shape[1], sizes["hidden_size"]
        module = kind(inputs, hidden, sizes.get("layers", 1), bidirectional=sizes.get("bidirectional", False), batch_first=True)
        module.load_state_dict(own)
        return module

    def linear(self, name, x):
        return torch.nn.functional.linear(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))

    def encode(self, sources):
        """(memory of the sentences, first states [layer] of (h,) or (h, c))"""
        lengths = torch.tensor([len(source) for source in sources])
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(source) for source in sources], batch_first=True)
        x = self.tensors["encoder.embedding.weight"][ids] * self.config["encoder"].get("embedding_scale", 1)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, final = self.encoder(packed)
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        directions = 2 if self.config["encoder"].get("bidirectional") else 1
        init, firsts = self.config["init"], []
        for name, states in zip(("hidden", "cell"), final if self.lstm else (final,)):
            if init["from"] == "mean":
                keep = (torch.arange(ids.shape[1]) < lengths[:, None])[:, :, None]
                first = (outputs * keep).sum(1) / lengths[:, None]
            else:
                first = torch.cat(list(states[-directions:]), 1)
            if init.get("linear"):
                first = ACTIVATIONS[init.get("activation", "none")](self.linear(f"init.{name}", first))
            firsts.append(first)
        memory = {"values": outputs, "mask": torch.arange(ids.shape[1]) >= lengths[:, None]}
        if self.attention and self.attention["score"] == "mlp":
            memory["keys"] = self.linear("attention.key", outputs)
        return memory, [tuple(firsts)] * self.layers

    def cell(self, name, layer, x, state):
        weights = [self.tensors[f"{name}.{part}_l{layer}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        return torch.lstm_cell(x, state, *weights) if self.lstm else (torch.gru_cell(x, state[0], *weights),)

    def attend(self, query, memory):
        if self.attention["score"] == "mlp":
            hidden = torch.tanh(self.linear("attention.query", query)[:, None] + memory["keys"])
            scores = hidden @ self.tensors["attention.energy.weight"][0]
        else:
            scores = (memory["values"] @ query[:, :, None])[:, :, 0]
        weights = scores.masked_fill(memory["mask"], -float("inf")).softmax(1)
        return torch.bmm(weights[:, None], memory["values"])[:, 0]

    def step(self, tokens, first, memory, states, feed):
        """(log-probabilities [rows, vocabulary], states, feed)"""
        embedding = self.tensors["decoder.embedding.weight"][tokens] * self.config["decoder"].get("embedding_scale", 1)
        if first and self.config["target"]["start"] == "zeros":
            embedding = torch.zeros_like(embedding)
        parts = {"embedding": embedding, "feed": feed}
        when = self.attention["when"] if self.attention else None
        x = torch.cat([parts[part] for part in self.config["decoder"].get("inputs", ["embedding"])], 1)
        states = list(states)
        for layer in range(self.layers):
            states[layer] = self.cell("decoder.rnn", layer, x, states[layer])
            x = states[layer][0]
        if when:
            parts["context"] = self.attend(x, memory)
        if when == "between":
            states[0] = self.cell("decoder.rnn2", 0, parts["context"], states[0])
        parts["state"] = states[-1][0]
        if self.vector:
            x = torch.cat([parts[part] for part in self.vector["inputs"]], 1)
            parts["context_vector"] = ACTIVATIONS[self.vector.get("activation", "tanh")](self.linear("context_vector", x))
        readout = self.config["readout"]
        r = torch.cat([parts[part] for part in readout["inputs"]], 1)
        if "width" in readout:
            r = ACTIVATIONS[readout.get("activation", "none")](self.linear("readout", r))
        logits = torch.nn.functional.linear(r, self.output, self.tensors.get("output.bias"))
        logits[:, self.suppressed] = -float("inf")
        feed = parts.get("context_vector", parts["state"])
        return logits.log_softmax(1), states, feed

    def start(self, count):
        token = self.config["target"]["start"]
        width = self.vector.get("width", self.config["decoder"]["hidden_size"]) if self.vector else 1
        return torch.full((count,), 0 if token == "zeros" else token), torch.zeros(count, width)

    @staticmethod
    def rows(memory, states, feed, index):
        """Those rows of everything."""
        memory = {name: tensor.index_select(0, index) for name, tensor in memory.items()}
        return memory, [tuple(part.index_select(0, index) for part in layer) for layer in states], feed.index_select(0, index)

    def greedy(self, sources, limit):
        memory, states = self.encode(sources)
        tokens, feed = self.start(len(sources))
        found, running = [[] for _ in sources], list(range(len(sources)))
        for t in range(limit):
            scores, states, feed = self.step(tokens, t == 0, memory, states, feed)
            tokens = scores.argmax(1)
            ended = tokens == self.config["target"]["end"]
            for i, token in zip(running, tokens.tolist()):
                found[i].append(token)
            if bool(ended.any()):
                index = (~ended).nonzero()[:, 0]
                if len(index) == 0:
                    break
                running = [running[i] for i in index.tolist()]
                tokens, (memory, states, feed) = tokens[index], self.rows(memory, states, feed, index)
        return found

    def beam(self, sources, size, limit):
        """The best by sum of log-probabilities over length; a sentence is done with `size` finished hypotheses."""
        count, end = len(sources), self.config["target"]["end"]
        memory, states = self.encode(sources)
        tokens, feed = self.start(count * size)
        every = torch.arange(count).repeat_interleave(size)
        memory, states, _ = self.rows(memory, states, torch.zeros(count, 1), every)
        sums = torch.full((count, size), -float("inf"))
        sums[:, 0] = 0
        history = torch.zeros(count * size, 0, dtype=torch.long)
        finished = [[] for _ in sources]
        for t in range(limit):
            scores, states, feed = self.step(tokens, t == 0, memory, states, feed)
            total = (sums.view(-1, 1) + scores).view(count, -1)
            best, places = total.topk(2 * size, 1)
            parents, chosen = places // scores.shape[1], places % scores.shape[1]
            kept = []
            for i, (row, parent, token) in enumerate(zip(best.tolist(), parents.tolist(), chosen.tolist())):
                own = [j for j in range(2 * size) if token[j] != end][:size]
                for j in range(size):
                    if token[j] == end and len(finished[i]) < size:
                        finished[i].append((row[j] / (t + 1), history[i * size + parent[j]].tolist() + [end]))
                kept.append(own)
            kept = torch.tensor(kept)
            sums = best.gather(1, kept)
            index = (parents.gather(1, kept) + torch.arange(count)[:, None] * size).view(-1)
            tokens = chosen.gather(1, kept).view(-1)
            history = torch.cat([history.index_select(0, index), tokens[:, None]], 1)
            states = [tuple(part.index_select(0, index) for part in layer) for layer in states]
            feed = feed.index_select(0, index)
            if all(len(hypotheses) >= size for hypotheses in finished):
                break
        for i, hypotheses in enumerate(finished):
            if not hypotheses:
                hypotheses.append((0, history[i * size].tolist()))
        return [max(hypotheses)[1] for hypotheses in finished]


def pytorch_rate(translator, subwords, texts, batch, beam):
    """(sentences a second, translations), in batches of like length."""
    begin = time.process_time()
    config = translator.config
    ends = [config["source"][side] for side in ("end",) if side in config["source"]]
    starts = [config["source"][side] for side in ("start",) if side in config["source"]]
    sources = [starts + ids + ends for ids in subwords[0].encode(texts)]
    order = sorted(range(len(texts)), key=lambda i: -len(sources[i]))
    found = [None] * len(texts)
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        chosen = [sources[i] for i in part]
        limit = 3 * len(chosen[0]) + 50
        results = translator.greedy(chosen, limit) if beam == 1 else translator.beam(chosen, beam, limit)
        for i, ids in zip(part, results):
            found[i] = subwords[1].decode([token for token in ids if token != config["target"]["end"]])
    return len(texts) / (time.process_time() - begin), found


def heed_rate(program, directory, texts, batch, beam):
    with tempfile.TemporaryDirectory() as scratch:
        source, target = os.path.join(scratch, "source"), os.path.join(scratch, "target")
        with open(source, "w", encoding="utf-8") as file:
            file.write("".join(text + "\n" for text in texts))
        command = [program, directory, source, str(batch), str(beam), target]
        line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        with open(target, encoding="utf-8") as file:
            return float(line[0]), file.read().splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("program")
    parser.add_argument("sentences_file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=200)
    options = parser.parse_args()

    torch.set_num_threads(1)
    translator = Translator(options.model)
    subwords = [
        sentencepiece.SentencePieceProcessor(model_file=os.path.join(options.model, f"{side}.spm"))
        for side in ("source", "target")
    ]
    with open(options.sentences_file, encoding="utf-8") as file:
        texts = file.read().splitlines()[: options.sentences]
    print("beam  in flight  Heed sentences/s  PyTorch sentences/s  Heed / PyTorch  (rounds)        same translations")
    with torch.inference_mode():
        for beam in (1, 4):
            for batch in (1, 64):
                rounds = []
                for _ in range(options.rounds):
                    ours, translations = heed_rate(options.program, options.model, texts, batch, beam)
                    theirs, others = pytorch_rate(translator, subwords, texts, batch, beam)
                    rounds.append((ours, theirs, ours / theirs))
                heed, pytorch, ratio = (statistics.median(column) for column in zip(*rounds))
                ratios = [one[2] for one in rounds]
                same = sum(a == b for a, b in zip(translations, others))
                print(
                    f"{beam:4} {batch:10} {heed:17.1f} {pytorch:20.1f} {ratio:14.1f}x"
                    f"  ({min(ratios):.1f} to {max(ratios):.1f}) {same:12} of {len(texts)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
