#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What reduced precision costs a network, one kind of layer after the other: int8 and bf16 faked in PyTorch.

    precision_by_layer.py MODEL_DIR --source=FILE --reference=FILE      a translator (Marian's layout, or rnn-seq2seq)
    precision_by_layer.py MODEL_DIR --text=FILE                         a Transformer-XL: perplexity

FILE is text or gzip, one sentence or paragraph a line. Choose by a dev set; a test set is for one final measurement.

Every linear layer y = W x + b is replaced by one that computes what a kernel would:
  int8    s8 weights, a scale of amax / 127 for each output; s8 activations, round to even of x * 127 / amax for each
          row; the exact integer sum, times both scales, plus b in f32
  int8a15 the same weights, activations of 15 bits (+-16383)
  bf16    weights and activations rounded to bf16, sums in f32
  screen  the output layer in int8, then the best --rescored tokens of each row in f32
The rest of the network (embeddings, layer norms, softmax, residual sums) stays f32.

First table: one kind of layer at a time, greedy; "error" is the mean of |y' - y| / |y| over the rows of its outputs, for
inputs that f32 computes, along f32's own translations. Second table: all layers together, with beam search. Needs torch
and sacrebleu; transformers for Marian, sentencepiece for rnn-seq2seq, sacremoses for a Transformer-XL.
"""

import argparse
import contextlib
import json
import math
import os
import sys
import time
import warnings

import sacrebleu
import torch

from translation_bleu import REPOSITORY, read_lines

sys.path[:0] = [os.path.join(REPOSITORY, "tests/bench"), os.path.join(REPOSITORY, "weights/recipes")]

functional_linear = torch.nn.functional.linear
ERROR_MODES = ("int8", "int8a15", "bf16")
ACTIVATION_LIMIT = {"int8": 127, "int8a15": 16383}


# ------------------------------------------------------------------------------------------------- reduced precision


def quantised_rows(x, limit):
    """Whole numbers in +-limit, as floats, and the scale of each row: q * scale is about x."""
    largest = x.abs().amax(-1, keepdim=True)
    scale = torch.where(largest > 0, largest / limit, torch.ones_like(largest))
    inverse = torch.where(largest > 0, limit / largest, torch.zeros_like(largest))
    return torch.round(x * inverse).clamp_(-limit, limit), scale


class Layers:
    """Stands in for torch.nn.functional.linear. `modes` maps the kinds of layer that are reduced to how; the others are f32.
    With `errors`, it measures every mode of every kind, and computes f32."""

    def __init__(self, rescored):
        self.kinds, self.modes, self.errors, self.rescored = {}, {}, None, rescored
        self.weights = {}  # (pointer, shape, type): what a mode makes of the weight
        self.screened = [0, 0]  # rows of the output layer; those whose best `beam` tokens int8 lost

    def name(self, weight, kind):
        self.kinds[weight.data_ptr()] = kind

    def names(self):
        return list(dict.fromkeys(self.kinds.values()))

    def weight(self, weight, kind, make):
        """make(), once."""
        key = (weight.data_ptr(), tuple(weight.shape), kind)
        if key not in self.weights:
            self.weights[key] = make()
        return self.weights[key]

    def reduced(self, mode, x, weight, bias):
        if mode == "screen":
            y, exact = self.reduced("int8", x, weight, bias), functional_linear(x, weight, bias)
            best = y.topk(self.rescored, -1).indices
            return y.scatter(-1, best, exact.gather(-1, best))
        if mode == "bf16":
            return functional_linear(x.bfloat16().float(), self.weight(weight, "bf16", lambda: weight.bfloat16().float()), bias)
        limit = ACTIVATION_LIMIT[mode]
        dtype = torch.float32 if limit * 127 * x.shape[-1] < 2**24 else torch.float64  # in which the sums are exact
        q, row_scale = quantised_rows(x, limit)
        w, scale = self.weight(weight, dtype, lambda: [part.to(dtype) for part in quantised_rows(weight, 127)])
        y = functional_linear(q.to(dtype), w).float() * (row_scale * scale[:, 0].float())
        return y if bias is None else y + bias

    def linear(self, x, weight, bias=None):
        kind = self.kinds.get(weight.data_ptr())
        if self.errors is not None and kind:
            y = functional_linear(x, weight, bias)
            for mode in ERROR_MODES:
                approximation = self.reduced(mode, x, weight, bias)
                relative = (approximation - y).norm(dim=-1) / y.norm(dim=-1).clamp_min(1e-20)
                total = self.errors.setdefault((kind, mode), [0.0, 0])
                total[0] += relative.sum().item()
                total[1] += relative.numel()
                if mode == "int8" and kind == "vocabulary":
                    self.count_lost(y, approximation)
            return y
        mode = self.modes.get(kind)
        return self.reduced(mode, x, weight, bias) if mode else functional_linear(x, weight, bias)

    def count_lost(self, y, approximation, beam=4):
        best = y.topk(2 * beam, -1)
        bound = approximation.topk(self.rescored, -1).values[..., -1:]
        lost = (approximation.gather(-1, best.indices) < bound).any(-1)
        self.screened[0] += lost.numel()
        self.screened[1] += int(lost.sum())

    @contextlib.contextmanager
    def active(self, modes=None, measure=False):
        self.modes, self.errors = modes or {}, {} if measure else None
        torch.nn.functional.linear = self.linear
        try:
            yield self
        finally:
            torch.nn.functional.linear = functional_linear


# ------------------------------------------------------------------------------------------------------- the networks


class Marian:
    """Hugging Face's MarianMTModel."""

    def __init__(self, directory, layers):
        import transformers

        warnings.filterwarnings("ignore")
        transformers.logging.set_verbosity_error()
        self.tokenizer = transformers.MarianTokenizer.from_pretrained(directory)
        self.model = transformers.MarianMTModel.from_pretrained(directory, torch_dtype=torch.float32).eval()
        for side in ("encoder", "decoder"):
            for layer in getattr(self.model.model, side).layers:
                self.name_attention(layers, f"{side} self", layer.self_attn, ("q", "k", "v"))
                if side == "decoder":
                    self.name_attention(layers, "cross", layer.encoder_attn, ("k", "v"))
                    layers.name(layer.encoder_attn.q_proj.weight, "cross q")
                layers.name(layer.fc1.weight, f"{side} fc1")
                layers.name(layer.fc2.weight, f"{side} fc2")
        layers.name(self.model.lm_head.weight, "vocabulary")

    @staticmethod
    def name_attention(layers, prefix, attention, inputs):
        for part in inputs:
            layers.name(getattr(attention, f"{part}_proj").weight, f"{prefix} {''.join(inputs)}")
        layers.name(attention.out_proj.weight, f"{prefix} out")

    def batches(self, lines, size):
        order = sorted(range(len(lines)), key=lambda i: len(lines[i]))
        for first in range(0, len(order), size):
            part = order[first : first + size]
            yield part, self.tokenizer([lines[i] for i in part], return_tensors="pt", padding=True)

    def translate(self, lines, beam, size):
        """Token ids of the translation of each line, the end left out."""
        found, config = [None] * len(lines), self.model.config
        for part, inputs in self.batches(lines, size):
            limit = 2 * inputs["input_ids"].shape[1] + 20
            rows = self.model.generate(**inputs, num_beams=beam, do_sample=False, max_length=limit).tolist()
            for i, row in zip(part, rows):
                found[i] = [token for token in row[1:] if token not in (config.eos_token_id, config.pad_token_id)]
        return found

    def text(self, ids):
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)

    def follow(self, line, ids):
        """Runs one sentence along a translation."""
        target = torch.tensor([[self.model.config.decoder_start_token_id, *ids]])
        self.model(**self.tokenizer([line], return_tensors="pt"), decoder_input_ids=target)


class Recurrent:
    """rnn-seq2seq by tests/bench/rnn_pytorch.py, its cells taken apart into linear layers."""

    def __init__(self, directory, layers):
        import rnn_pytorch
        import sentencepiece

        self.network = rnn_pytorch.Translator(directory)
        tensors = self.network.tensors
        if self.network.lstm or self.network.layers > 1 or "encoder.rnn.weight_ih_l1" in tensors:
            sys.exit("precision_by_layer.py: of recurrent translators only GRUs of one layer are here")
        self.subwords = [
            sentencepiece.SentencePieceProcessor(model_file=os.path.join(directory, f"{side}.spm"))
            for side in ("source", "target")
        ]
        for name in [name for name in tensors if name.endswith("weight") or ".weight_" in name]:
            if "embedding" not in name and "energy" not in name:
                kind = name.replace("rnn.weight_ih", "input").replace("rnn.weight_hh", "state").replace("rnn2.weight_ih", "second input")
                kind = kind.replace("rnn2.weight_hh", "second state").replace("_l0", "").replace("_reverse", "").replace(".weight", "")
                layers.name(tensors[name], kind.replace(".", " "))
        layers.name(self.network.output, "vocabulary")
        self.network.encoder = self.encoder
        torch.gru_cell = self.cell

    @staticmethod
    def cell(x, state, weight_ih, weight_hh, bias_ih, bias_hh):
        """torch.gru_cell, through functional.linear."""
        linear = torch.nn.functional.linear
        reset, update, new = linear(x, weight_ih, bias_ih).chunk(3, -1)
        state_reset, state_update, state_new = linear(state, weight_hh, bias_hh).chunk(3, -1)
        update = torch.sigmoid(update + state_update)
        return (1 - update) * torch.tanh(new + torch.sigmoid(reset + state_reset) * state_new) + update * state

    def encoder(self, packed):
        """torch.nn.GRU over a packed batch, by cells."""
        x, lengths = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
        tensors, outputs, last = self.network.tensors, [], []
        for suffix in ("_l0", "_l0_reverse"):
            names = [f"encoder.rnn.{part}{suffix}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            if names[0] not in tensors:
                continue
            weights = [tensors[name] for name in names]
            state, rows = torch.zeros(x.shape[0], weights[1].shape[1]), [None] * x.shape[1]
            for t in range(x.shape[1]) if suffix == "_l0" else reversed(range(x.shape[1])):
                inside = (t < lengths)[:, None]
                state = torch.where(inside, self.cell(x[:, t], state, *weights), state)
                rows[t] = state * inside
            outputs.append(torch.stack(rows, 1))
            last.append(state)
        outputs = torch.nn.utils.rnn.pack_padded_sequence(torch.cat(outputs, -1), lengths, batch_first=True, enforce_sorted=False)
        return outputs, torch.stack(last)

    def source(self, line):
        ends = [self.network.config["source"][side] for side in ("end",) if side in self.network.config["source"]]
        return self.subwords[0].encode(line) + ends

    def translate(self, lines, beam, size):
        """Token ids of the translation of each line, the end left out."""
        sources, end = [self.source(line) for line in lines], self.network.config["target"]["end"]
        order, found = sorted(range(len(lines)), key=lambda i: -len(sources[i])), [None] * len(lines)
        for first in range(0, len(order), size):
            part = order[first : first + size]
            chosen = [sources[i] for i in part]
            limit = 2 * len(chosen[0]) + 20
            rows = self.network.greedy(chosen, limit) if beam == 1 else self.network.beam(chosen, beam, limit)
            for i, row in zip(part, rows):
                found[i] = [token for token in row if token != end]
        return found

    def text(self, ids):
        return self.subwords[1].decode(ids)

    def follow(self, line, ids):
        """Runs one sentence; its own greedy search gives f32's tokens again."""
        self.network.greedy([self.source(line)], len(ids) + 1)


class TransformerXl:
    """The recipes' Transformer-XL, reading a text with its memory. `translate` and `text` are not for it."""

    def __init__(self, directory, layers):
        import novels_data
        import safetensors_file
        import transformer_xl_model

        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        shape = {key: config[key] for key in ("d_model", "cutoffs", "div_val")}
        shape |= {"vocabulary": config["vocab_size"], "heads": config["n_head"], "ffn": config["d_inner"], "layers": config["n_layer"]}
        self.model = transformer_xl_model.TransformerXL(shape).eval()
        tensors = safetensors_file.read(os.path.join(directory, "model.safetensors"))
        wanted = self.model.state_dict()
        self.model.load_state_dict({name: tensors[name].float() for name in wanted})
        self.window, self.split = config["mem_len"], novels_data.MosesWords()
        with open(os.path.join(directory, "vocab.txt"), encoding="utf-8") as file:
            self.vocabulary = {line.rstrip("\n"): i for i, line in enumerate(file)}
        width = shape["d_model"]
        for layer in self.model.transformer.layers:
            layers.name(layer.dec_attn.qkv_net.weight, "qkv")
            layers.name(layer.dec_attn.qkv_net.weight[width:], "qkv")
            layers.name(layer.dec_attn.o_net.weight, "out")
            layers.name(layer.dec_attn.r_net.weight, "r")
            layers.name(layer.pos_ff.CoreNet[0].weight, "fc1")
            layers.name(layer.pos_ff.CoreNet[3].weight, "fc2")
        tables, projections = self.model.embeddings()
        head = torch.cat([tables[0].weight, self.model.crit.cluster_weight])
        biases = torch.cat([self.model.crit.out_layers[0].bias, self.model.crit.cluster_bias])
        outputs = [projection.t().contiguous() for projection in (self.model.crit.out_projs[0], *list(projections)[1:])]
        bins = [(head, biases), *((tables[i].weight, self.model.crit.out_layers[i].bias) for i in range(1, len(tables)))]
        for matrix, (weight, _) in zip(outputs, bins):
            layers.name(matrix, "projection")
            layers.name(weight, "vocabulary")
        linear = lambda *arguments: torch.nn.functional.linear(*arguments)  # noqa: E731, whichever stands there then
        self.model.bin_logits = lambda hidden, i: linear(linear(hidden, outputs[i]), *bins[i])

    def ids(self, lines):
        unknown, end = self.vocabulary["<unk>"], self.vocabulary["<eos>"]
        return [i for line in lines if line.strip() for i in [*(self.vocabulary.get(word, unknown) for word in self.split(line)), end]]

    def perplexity(self, ids, length=128):
        memory, total, count = self.model.no_memory(1, self.window), 0.0, 0
        ids = torch.tensor(ids)
        for first in range(0, len(ids) - 1, length):
            targets = ids[first + 1 : first + 1 + length]
            hidden, memory = self.model(ids[None, first : first + len(targets)], memory)
            total += self.model.losses(hidden[0], targets).double().sum().item()
            count += len(targets)
        return math.exp(total / count)


NETWORKS = {"marian": Marian, "rnn-seq2seq": Recurrent, "transfo-xl": TransformerXl}


# ---------------------------------------------------------------------------------------------------------- the tables


def combinations(kinds):
    """[(name, modes)] of all layers together."""
    second = [kind for kind in kinds if kind.endswith("fc2")]
    every = dict.fromkeys(kinds, "int8")
    screened = {**every, "vocabulary": "screen"}
    rows = [("all int8", every), ("all int8, vocabulary f32", {**every, "vocabulary": None})]
    rows.append(("all int8, vocabulary screened", screened))
    if second:
        name = "all int8, fc2 with 15-bit activations, vocabulary "
        wide = dict.fromkeys(second, "int8a15")
        rows += [(f"{name}f32", {**every, **wide, "vocabulary": None}), (f"{name}screened", {**screened, **wide})]
    rows.append(("all with 15-bit activations, vocabulary screened", {**dict.fromkeys(kinds, "int8a15"), "vocabulary": "screen"}))
    rows.append(("all bf16", dict.fromkeys(kinds, "bf16")))
    rows.append(("all bf16, vocabulary f32", {**dict.fromkeys(kinds, "bf16"), "vocabulary": None}))
    return rows


def measured_errors(layers, run):
    with layers.active(measure=True):
        run()
        return {key: total / count for key, (total, count) in layers.errors.items()}


def error_cells(errors, kind):
    return " | ".join(f"{100 * errors[kind, mode]:.2f}" if (kind, mode) in errors else "" for mode in ERROR_MODES)


def print_row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


class Progress:
    def __init__(self, runs):
        self.runs, self.done, self.began = runs, 0, time.monotonic()

    def step(self, name):
        self.done += 1
        print(f"[{self.done}/{self.runs}, {time.monotonic() - self.began:.0f} s] {name}", file=sys.stderr, flush=True)


def translator_tables(network, layers, arguments):
    sources, references = read_lines(arguments.source)[: arguments.lines], read_lines(arguments.reference)[: arguments.lines]
    kinds = layers.names()
    rows = combinations(kinds)
    progress = Progress(2 + len(kinds) + len(rows) + (1 + len(rows)) * (arguments.beam > 1))

    def run(name, modes, beam, exact=None):
        """(BLEU, share of `exact`'s translations that it gives, ids)"""
        with layers.active(modes):
            ids = network.translate(sources, beam, max(1, arguments.batch // beam))
        progress.step(name)
        share = sum(a == b for a, b in zip(ids, exact)) / len(ids) if exact else 1.0
        return sacrebleu.corpus_bleu(network.text(ids), [references], tokenize="13a").score, share, ids

    score, _, exact = run("f32, greedy", {}, 1)
    chosen = sources[: arguments.error_lines]
    errors = measured_errors(layers, lambda: [network.follow(line, ids) for line, ids in zip(chosen, exact)])
    progress.step("errors")
    print(f"{len(sources)} lines; greedy in f32: {score:.2f} BLEU\n")
    print_row("layers in int8, one kind alone", "BLEU, greedy", "loss", "identical, %", "error %, int8", "int8a15", "bf16")
    print_row("---", *["---"] * 6)
    for kind in kinds:
        result, share, _ = run(kind, {kind: "int8"}, 1, exact)
        print_row(kind, f"{result:.2f}", f"{score - result:+.2f}", f"{100 * share:.1f}", error_cells(errors, kind))
    for beam in sorted({1, arguments.beam}):
        if beam > 1:
            score, _, exact = run(f"f32, beam {beam}", {}, beam)
        print(f"\nBeam {beam}; f32: {score:.2f} BLEU\n")
        print_row("all layers", "BLEU", "loss", "identical, %")
        print_row("---", *["---"] * 3)
        for name, modes in rows:
            result, share, _ = run(f"{name}, beam {beam}", modes, beam, exact)
            print_row(name, f"{result:.2f}", f"{score - result:+.2f}", f"{100 * share:.1f}")
    if layers.screened[0]:
        rows, lost = layers.screened
        print(f"\nint8 lost one of the best 8 tokens among its best {layers.rescored} in {lost} of {rows} rows")


def perplexity_tables(network, layers, arguments):
    ids = network.ids(read_lines(arguments.text))[: arguments.tokens]
    kinds = layers.names()
    rows = [row for row in combinations(kinds) if "screened" not in row[0]]
    rows += [("all with 15-bit activations", dict.fromkeys(kinds, "int8a15"))]
    progress = Progress(2 + len(kinds) + len(rows))

    def run(name, modes):
        with layers.active(modes):
            result = network.perplexity(ids)
        progress.step(name)
        return result

    exact = run("f32", {})
    errors = measured_errors(layers, lambda: network.perplexity(ids[:1000]))
    progress.step("errors")
    print(f"{len(ids)} tokens; f32: perplexity {exact:.3f}\n")
    print_row("layers in int8, one kind alone", "perplexity", "increase, %", "error %, int8", "int8a15", "bf16")
    print_row("---", *["---"] * 5)
    for kind in kinds:
        result = run(kind, {kind: "int8"})
        print_row(kind, f"{result:.3f}", f"{100 * (result / exact - 1):+.3f}", error_cells(errors, kind))
    print()
    print_row("all layers", "perplexity", "increase, %")
    print_row("---", *["---"] * 2)
    for name, modes in rows:
        result = run(name, modes)
        print_row(name, f"{result:.3f}", f"{100 * (result / exact - 1):+.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", help="model directory")
    parser.add_argument("--source", default="", help="sentences to translate, for a translator")
    parser.add_argument("--reference", default="", help="their translations")
    parser.add_argument("--text", default="", help="text to score, for a language model")
    parser.add_argument("--lines", type=int, default=None, help="use the first N lines only (default: all)")
    parser.add_argument("--tokens", type=int, default=10000, help="use the first N tokens of --text (default: %(default)s)")
    parser.add_argument("--beam", type=int, default=4, help="beam of the second table, beside greedy (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=128, help="rows of a batch (default: %(default)s)")
    parser.add_argument("--error_lines", type=int, default=100, help="lines that measure the errors (default: %(default)s)")
    parser.add_argument("--rescored", type=int, default=24, help="tokens of a row that are rescored (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads (default: %(default)s)")
    arguments = parser.parse_args()
    path = os.path.join(arguments.model_dir, "config.json")
    if not os.path.exists(path):
        parser.error(f"{path} is not there")
    with open(path, encoding="utf-8") as file:
        kind = json.load(file).get("model_type")
    if kind not in NETWORKS:
        parser.error(f"{path}: model_type {kind} is none of {', '.join(NETWORKS)}")
    if kind == "transfo-xl" and not arguments.text:
        parser.error("a language model needs --text")
    if kind != "transfo-xl" and not (arguments.source and arguments.reference):
        parser.error("a translator needs --source and --reference")
    torch.set_num_threads(arguments.threads)
    layers = Layers(arguments.rescored)
    with torch.inference_mode():
        network = NETWORKS[kind](arguments.model_dir, layers)
        (perplexity_tables if kind == "transfo-xl" else translator_tables)(network, layers, arguments)


if __name__ == "__main__":
    main()
