#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains a classifier of sentences from train_xlnet.py's weights, and writes it as a Hugging Face
XLNetForSequenceClassification directory: weights/xlnet-subjectivity, or one for SST-2.

    train_xlnet_classifier.py prepare  --data=DATA --task=subjectivity --pretrained=DIR --work=WORK
    train_xlnet_classifier.py train    --pretrained=DIR --work=WORK --updates=900
    train_xlnet_classifier.py evaluate --work=WORK                 accuracy on sentences that chose nothing
    train_xlnet_classifier.py export   --pretrained=DIR --work=WORK --output=OUTPUT

DATA has subjectivity/train.tsv.gz (Pang and Lee 2004) or sst-2/{train,valid}.tsv.gz (Socher et al. 2013). `dev`, which
chooses the weights, is drawn from `train`; so is `test` of subjectivity. A sentence becomes its pieces, <sep>, <cls>, as
Hugging Face's XLNetTokenizer encodes it; padding is on the left.

Runs on a GPU if there is one. Needs PyTorch (2.4 or newer) and numpy; `prepare` needs sentencepiece, too.
"""

import argparse
import gzip
import json
import os
import random
import shutil

import numpy
import torch
from torch.nn import functional

import language_model_training
import safetensors_file
from language_model_training import Training, autocast, device_of, load_best, write_directory
from novels_data import CLS, PAD, SEP, Pieces
from xlnet_model import XLNetClassifier, configuration, tokenizer_configuration

LABELS = {"subjectivity": ["objective", "subjective"], "sst-2": ["negative", "positive"]}
DEV = {"subjectivity": 500, "sst-2": 2000}  # sentences, drawn from train
TEST = 1000  # sentences of subjectivity, drawn from train
LONGEST = 128  # tokens; a longer sentence loses its end
EVALUATED_ROWS = 250

# ------------------------------------------------------------------------------------------------------------ data


def examples_of(path):
    """[(text, label)]"""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return [(text.strip(), label) for text, label in rows if label != "label"]


def prepare(arguments):
    task = arguments.task
    rows = examples_of(f"{arguments.data}/{task}/train.tsv.gz")
    random.Random(language_model_training.SEED).shuffle(rows)
    if task == "sst-2":
        test = examples_of(f"{arguments.data}/{task}/valid.tsv.gz")
    else:
        test, rows = rows[:TEST], rows[TEST:]
    parts = {"dev": rows[: DEV[task]], "train": rows[DEV[task] :], "test": test}
    pieces = Pieces(f"{arguments.pretrained}/spiece.model")
    arrays = {}
    for part, examples in parts.items():
        encoded = [pieces(text)[: LONGEST - 2] + [SEP, CLS] for text, _ in examples]
        arrays[f"{part}_ids"] = numpy.array([i for row in encoded for i in row], dtype=numpy.uint16)
        arrays[f"{part}_lengths"] = numpy.array([len(row) for row in encoded], dtype=numpy.uint8)
        names = LABELS[task] if task == "subjectivity" else ["0", "1"]
        arrays[f"{part}_labels"] = numpy.array([names.index(label) for _, label in examples], dtype=numpy.uint8)
        print(f"{part}: {len(examples)} sentences, {len(arrays[f'{part}_ids'])} tokens")
    os.makedirs(arguments.work, exist_ok=True)
    numpy.savez_compressed(f"{arguments.work}/sentences.npz", **arrays)
    with open(f"{arguments.work}/labels.json", "w", encoding="utf-8") as file:
        json.dump(LABELS[task], file)


class Sentences:
    """A part of WORK/sentences.npz, on a device."""

    def __init__(self, work, part, device):
        with numpy.load(f"{work}/sentences.npz") as arrays:
            ids, lengths, labels = (arrays[f"{part}_{name}"].astype(numpy.int64) for name in ("ids", "lengths", "labels"))
        table = numpy.full((len(lengths), LONGEST), PAD)
        table[numpy.arange(LONGEST) >= LONGEST - lengths[:, None]] = ids
        self.lengths, self.device = lengths, device
        self.table, self.labels = torch.from_numpy(table).to(device), torch.from_numpy(labels).to(device)

    def batch(self, rows):
        """Of these rows, an array of numbers: ids, types, which are real tokens [B, T], and labels [B]"""
        longest = self.lengths[rows].max()
        rows = torch.from_numpy(rows).to(self.device)
        ids = self.table[rows][:, -longest:]
        types = (ids == CLS).long() * 2 + (ids == PAD).long() * 3
        return ids, types, ids != PAD, self.labels[rows]


# -------------------------------------------------------------------------------------------------------- training


def pretrained_model(directory, classes, dropout):
    """A classifier whose network has the weights of a language model's directory."""
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    fields = {"vocabulary": "vocab_size", "d_model": "d_model", "heads": "n_head", "ffn": "d_inner", "layers": "n_layer"}
    model = XLNetClassifier({name: config[field] for name, field in fields.items()} | {"classes": classes}, dropout)
    tensors = safetensors_file.read(f"{directory}/model.safetensors")
    network = {name.removeprefix("transformer."): tensor.float() for name, tensor in tensors.items() if "lm_loss" not in name}
    model.transformer.load_state_dict(network)
    return model


def errors(model, sentences):
    """(part of the sentences that is classified wrongly, mean loss)"""
    order, wrong, loss = numpy.argsort(sentences.lengths, kind="stable"), 0.0, 0.0
    with torch.no_grad():
        for start in range(0, len(order), EVALUATED_ROWS):
            *inputs, labels = sentences.batch(order[start : start + EVALUATED_ROWS])
            logits = model(*inputs).float()
            wrong += (logits.argmax(1) != labels).sum()
            loss += functional.cross_entropy(logits, labels, reduction="sum")
    return float(wrong) / len(order), float(loss) / len(order)


def train(arguments):
    device = device_of(arguments)
    with open(f"{arguments.work}/labels.json", encoding="utf-8") as file:
        labels = json.load(file)
    model = pretrained_model(arguments.pretrained, len(labels), arguments.dropout).to(device)
    training = Training(model, arguments, device)
    sentences, dev = (Sentences(arguments.work, part, device) for part in ("train", "dev"))
    order = numpy.random.default_rng(language_model_training.SEED + training.step)

    def batches():
        while True:
            yield from numpy.array_split(order.permutation(len(sentences.lengths)), len(sentences.lengths) // arguments.rows)

    rows = batches()

    def batch_loss(*_):
        *inputs, wanted = sentences.batch(next(rows))
        return functional.cross_entropy(model(*inputs).float(), wanted), inputs[0].numel()

    def validate(average):
        wrong, loss = errors(average, dev)
        print(f"dev: accuracy {1 - wrong:.2%}, loss {loss:.4f}")
        return wrong + loss / 1000  # the loss decides between equal numbers of errors

    training.run(batch_loss, validate)


def evaluate(arguments):
    device = device_of(arguments)
    model = load_best(arguments.work, XLNetClassifier).to(device)
    for part in ("dev", "test"):
        sentences = Sentences(arguments.work, part, device)
        with autocast(device, arguments.dtype):
            wrong, loss = errors(model, sentences)
        print(f"{part}: accuracy {1 - wrong:.2%} of {len(sentences.lengths)}, loss {loss:.4f}", flush=True)


def export(arguments):
    model = load_best(arguments.work, XLNetClassifier)
    with open(f"{arguments.work}/labels.json", encoding="utf-8") as file:
        labels = json.load(file)
    configurations = {"config": configuration(model.shape, "XLNetForSequenceClassification", labels)}
    configurations["config"]["problem_type"] = "single_label_classification"
    configurations["tokenizer_config"] = tokenizer_configuration()
    write_directory(arguments.output, model, configurations)
    shutil.copyfile(f"{arguments.pretrained}/spiece.model", f"{arguments.output}/spiece.model")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare", help="token ids and labels")
    command.add_argument("--data", required=True, help="folder of subjectivity/ and sst-2/")
    command.add_argument("--task", choices=sorted(LABELS), required=True)
    command.add_argument("--pretrained", required=True, help="folder with the language model's spiece.model")
    command.add_argument("--work", required=True, help="folder for tokens and checkpoints, outside the repository")
    command = commands.add_parser("train", help="train, from the last checkpoint if there is one")
    command.add_argument("--work", required=True)
    command.add_argument("--pretrained", required=True, help="the language model's directory")
    language_model_training.add_budget(command, rate=2e-4, warmup=100, weight_decay=0.05)
    command.add_argument("--rows", type=int, default=64, help="sentences of an update, about (%(default)s)")
    command.add_argument("--dropout", type=float, default=0.2)
    command = commands.add_parser("evaluate", help="accuracy on dev and test")
    command.add_argument("--work", required=True)
    language_model_training.add_device(command)
    command = commands.add_parser("export", help="write the model directory")
    command.add_argument("--work", required=True)
    command.add_argument("--pretrained", required=True, help="the language model's directory, for its spiece.model")
    command.add_argument("--output", required=True, help="model directory to write")
    arguments = parser.parse_args()
    {"prepare": prepare, "train": train, "evaluate": evaluate, "export": export}[arguments.command](arguments)


if __name__ == "__main__":
    main()
