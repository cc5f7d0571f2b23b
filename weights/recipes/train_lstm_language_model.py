#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains an LSTM on the tokens of train_transformer_xl.py, to compare with: tied embeddings, dropout, one softmax over all
words, as in PyTorch's example word_language_model. It has about as many weights as the Transformer-XL. Not served.

    train_lstm_language_model.py train    --work=WORK --seconds=7200
    train_lstm_language_model.py evaluate --work=WORK

WORK holds vocab.txt and words.npz, as `train_transformer_xl.py prepare` writes them; give each of the two a folder of its
own. Schedule, average and choice of the weights are those of the Transformer-XL. Needs PyTorch (2.4 or newer) and numpy.
"""

import argparse
import math

import torch
from torch import nn
from torch.nn import functional

import language_model_training
from language_model_training import Training, autocast, device_of, load_best, load_ids
from train_transformer_xl import SEGMENT, Reader, add_reading, text_loss, vocabulary_of


class LSTMLanguageModel(nn.Module):
    """`shape` has vocabulary, d_model and layers."""

    def __init__(self, shape, dropout=0.0):
        super().__init__()
        self.shape, width = shape, shape["d_model"]
        self.embedding = nn.Embedding(shape["vocabulary"], width)
        self.rnn = nn.LSTM(width, width, shape["layers"], dropout=dropout, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(shape["vocabulary"]))
        self.dropout = nn.Dropout(dropout)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    def no_memory(self, rows):
        """The hidden and cell states before a text: zeros [B, layers, d]"""
        return [self.bias.new_zeros(rows, self.shape["layers"], self.shape["d_model"])] * 2

    def forward(self, ids, memory):
        """ids [B, T] -> hidden [B, T, d] and the states after them"""
        states = tuple(rows.transpose(0, 1).contiguous() for rows in memory)
        x = self.dropout(self.embedding(ids))
        with torch.autocast(ids.device.type, enabled=False):  # which would run an LSTM in float16, whose range is short
            hidden, states = self.rnn(x.float(), states)
        return self.dropout(hidden), [rows.detach().transpose(0, 1) for rows in states]

    def losses(self, hidden, targets):
        """hidden [N, d], targets [N] -> negative log-likelihoods [N]"""
        logits = functional.linear(hidden, self.embedding.weight, self.bias)
        return functional.cross_entropy(logits.float(), targets, reduction="none")


def train(arguments):
    device = device_of(arguments)
    ids = load_ids(f"{arguments.work}/words.npz", device)
    shape = {name: getattr(arguments, name) for name in ("d_model", "layers")}
    shape["vocabulary"] = vocabulary_of(arguments.work)
    model = LSTMLanguageModel(shape, arguments.dropout).to(device)
    training = Training(model, arguments, device)
    seed = language_model_training.SEED + training.step
    reader = Reader(model, ids["train"], arguments, seed, lambda _: model.no_memory(arguments.rows))
    dev = ids["dev"][: arguments.dev_tokens]
    training.run(reader.batch_loss, lambda average: text_loss(average, dev, average.no_memory(1)))


def evaluate(arguments):
    device = device_of(arguments)
    model = load_best(arguments.work, LSTMLanguageModel).to(device)
    ids = load_ids(f"{arguments.work}/words.npz", device)["valid"][: arguments.tokens or None]
    for name, carried in ((f"each segment of {SEGMENT} begins with zeros", False), ("states carried on", True)):
        with autocast(device, arguments.dtype):
            loss = text_loss(model, ids, model.no_memory(1), carried)
        print(f"valid, {name}: loss {loss:.4f}, perplexity {math.exp(loss):.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train", help="train, from the last checkpoint if there is one")
    command.add_argument("--work", required=True)
    language_model_training.add_budget(command, rate=2e-3, warmup=400, weight_decay=0.1)
    add_reading(command)
    command.add_argument("--dropout", type=float, default=0.4)
    command.add_argument("--d-model", type=int, default=328)
    command.add_argument("--layers", type=int, default=2)
    command = commands.add_parser("evaluate", help="perplexity of `valid`")
    command.add_argument("--work", required=True)
    command.add_argument("--tokens", type=int, default=0, help="only the first of `valid`; 0: all")
    language_model_training.add_device(command)
    arguments = parser.parse_args()
    {"train": train, "evaluate": evaluate}[arguments.command](arguments)


if __name__ == "__main__":
    main()
