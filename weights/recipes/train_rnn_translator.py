#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the recurrent translators behind weights/translator-en-de-rnn and -rnn-plain: one recipe, two systems.

    train_rnn_translator.py prepare --data=DIR --work=WORK                  subword model and token ids, for both systems
    train_rnn_translator.py train   --work=WORK --system=attention --hours=1    resumes from the last checkpoint
    train_rnn_translator.py score   --work=WORK --system=attention --data=DIR --part=val --beam=4
    train_rnn_translator.py export  --work=WORK --system=attention --output=DIR     averages checkpoints, stores f16

The systems (rnn_translator_model.py) are `attention` and `plain`, which has none. They read the same text (Multi30k's
captions) by the same subwords, and have the same widths, schedule and search. Checkpoints lie in WORK/SYSTEM. Schedule,
resuming and --hours are those of train_translator.py. Runs on a GPU if there is one; on a CPU one thread is fastest.

Needs PyTorch (2.4 or newer), numpy, sentencepiece and sacrebleu.
"""

import argparse
import json
import os
import shutil
import sys

import numpy
import sacrebleu
import sentencepiece
import torch

import rnn_translator_model
import safetensors_file
import train_translator
import translator_data
from train_translator import snapshots

SEARCH_ROWS = 100  # sentences of one search
LONGEST = 100  # tokens that a search writes at most
UNKNOWN = 1  # id in the subword model
WITH_PAD = ("encoder.embedding.weight", "decoder.embedding.weight", "output.bias")  # whose last row is of <pad>


def prepare(arguments):
    """Writes WORK/SYSTEM/joint.model and tokens.npz of Multi30k's train and val, the same for all systems."""
    training = {"captions": translator_data.multi30k(arguments.data, "train")}
    development = {"dev_captions": translator_data.multi30k(arguments.data, "val")}
    first, *others = (f"{arguments.work}/{system}" for system in rnn_translator_model.SYSTEMS)
    os.makedirs(first, exist_ok=True)
    translator_data.train_subwords(first, training, arguments.vocabulary, {"captions": 1.0})
    translator_data.write_tokens(first, training, development)
    for other in others:
        os.makedirs(other, exist_ok=True)
        for name in ("joint.model", "tokens.npz"):
            shutil.copyfile(f"{first}/{name}", f"{other}/{name}")


# --------------------------------------------------------------------------------------------------------- search


def translate(model, subwords, texts, beam):
    """Translations of the texts, in order."""
    ids = [row + [rnn_translator_model.EOS] for row in subwords.encode(texts)]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    result = [""] * len(ids)
    for first in range(0, len(order), SEARCH_ROWS):
        part = order[first : first + SEARCH_ROWS]
        source = torch.nn.utils.rnn.pad_sequence([torch.tensor(ids[i]) for i in part], padding_value=model.pad)
        found = rnn_translator_model.search(model, source.to(model.readout.weight.device), beam, LONGEST)
        for i, text in zip(part, subwords.decode(found)):
            result[i] = text
    return result


def bleu_of(model, subwords, pairs, beam):
    """sacrebleu's figure (13a, mixed case) for (source, reference) pairs."""
    sources, references = zip(*pairs)
    return sacrebleu.corpus_bleu(translate(model, subwords, list(sources), beam), [list(references)]).score


def average_of(paths):
    """(shape, {name: weights in double}) of several checkpoints."""
    states = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    names = states[0]["model"]
    return states[0]["shape"], {name: sum(state["model"][name].double() for state in states) / len(states) for name in names}


def last_checkpoints(arguments):
    paths = snapshots(arguments.work)[-arguments.average :]
    if not paths:
        sys.exit(f"no checkpoint in {arguments.work}: run `train` first")
    print("averaging", ", ".join(os.path.basename(path) for path in paths))
    return paths


def subwords_of(work):
    return sentencepiece.SentencePieceProcessor(model_file=f"{work}/joint.model")


def score(arguments):
    """Prints BLEU of a part of Multi30k by the average of the last checkpoints, or by an exported directory."""
    if arguments.model:
        model, subwords = exported_model(arguments.model)
    else:
        shape, tensors = average_of(last_checkpoints(arguments))
        model, subwords = rnn_translator_model.Translator(shape, 0.0), subwords_of(arguments.work)
        model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    model.eval()
    pairs = translator_data.multi30k(arguments.data, arguments.part)
    print(f"{arguments.part}, beam {arguments.beam}: BLEU {bleu_of(model, subwords, pairs, arguments.beam):.2f}")


# ------------------------------------------------------------------------------------------------------- training


class Run(train_translator.Run):
    """A training run that also translates the development set from time to time."""

    rounds = False  # its products choose their own types

    def __init__(self, arguments, device, workers):
        super().__init__(arguments, device, workers)
        self.subwords, self.validations = subwords_of(arguments.work), 0
        _, development = translator_data.load_tokens(arguments.work)
        texts = [
            tuple(self.subwords.decode(tokens.padded(numpy.array([row]), side, 0)[0].tolist()) for side in (0, 1))
            for tokens in development.values()
            for row in range(len(tokens))
        ]
        self.pairs = texts[: arguments.validation_pairs]

    @staticmethod
    def shape_of(arguments):
        names = ("system", "embedding", "encoder_hidden", "encoder_layers", "decoder_hidden", "attention_width")
        return {name: getattr(arguments, name) for name in names}

    @staticmethod
    def model_of(shape, arguments):
        return rnn_translator_model.Translator(shape, arguments.dropout)

    @staticmethod
    def first_weights(shape, arguments, workers):
        return None

    @staticmethod
    def loss_of(model, source, target, smoothing):
        return rnn_translator_model.loss_of(model, source, target, smoothing)

    def validate(self):
        """Perplexity a token, and now and then BLEU of greedy search."""
        figures = {f"perplexity_{name}": numpy.exp(loss) for name, loss in super().validate().items()}
        if self.validations % self.arguments.search_every == self.arguments.search_every - 1:  # the first know too little
            self.model.eval()
            figures["BLEU"] = bleu_of(self.model, self.subwords, self.pairs, 1)
            self.model.train()
        self.validations += 1
        return figures


def train(arguments):
    train_translator.train(arguments, Run)


# --------------------------------------------------------------------------------------------------------- export


def config_of(shape):
    """config.json of docs/rnn-seq2seq.md. <pad> stays behind: the server pads nothing."""
    vocabulary = {"vocabulary": shape["vocabulary"] - 1, "embedding_width": shape["embedding"]}
    attends = shape["system"] == "attention"
    config = {
        "model_type": "rnn-seq2seq",
        "cell": "gru",
        "encoder": {**vocabulary, "layers": shape["encoder_layers"], "hidden_size": shape["encoder_hidden"], "bidirectional": True},
        "decoder": {**vocabulary, "layers": 1 if attends else 2, "hidden_size": shape["decoder_hidden"], "inputs": ["embedding"]},
        "init": {"from": "mean" if attends else "top", "linear": True, "activation": "tanh"},
        "attention": {"when": "between", "score": "mlp", "width": shape["attention_width"], "key_bias": True},
        "readout": {
            "inputs": ["embedding", "state", "context"] if attends else ["embedding", "state"],
            "width": shape["embedding"],
            "activation": "tanh",
        },
        "tied_output": True,
        "source": {"end": rnn_translator_model.EOS, "unknown": UNKNOWN},
        "target": {"start": rnn_translator_model.EOS, "end": rnn_translator_model.EOS, "unknown": UNKNOWN},
        "tokenizer": {"kind": "sentencepiece", "source_language": "en", "target_language": "de"},
    }
    if not attends:
        del config["attention"]
    return config


def shape_of(config):
    """What config_of made `config` of."""
    attention = config.get("attention")
    return {
        "system": "attention" if attention else "plain",
        "vocabulary": config["decoder"]["vocabulary"] + 1,
        "embedding": config["decoder"]["embedding_width"],
        "encoder_hidden": config["encoder"]["hidden_size"],
        "encoder_layers": config["encoder"]["layers"],
        "decoder_hidden": config["decoder"]["hidden_size"],
        "attention_width": attention["width"] if attention else 0,
    }


def export(arguments):
    """Averages the last checkpoints and writes config.json, generation_config.json, model.safetensors, source.spm and
    target.spm."""
    shape, tensors = average_of(last_checkpoints(arguments))
    tensors = {name: (tensor[:-1] if name in WITH_PAD else tensor).half() for name, tensor in tensors.items()}
    os.makedirs(arguments.output, exist_ok=True)
    safetensors_file.write(f"{arguments.output}/model.safetensors", tensors)
    for name in ("source.spm", "target.spm"):
        shutil.copyfile(f"{arguments.work}/joint.model", f"{arguments.output}/{name}")
    translator_data.write_json(f"{arguments.output}/config.json", config_of(shape))
    translator_data.write_json(f"{arguments.output}/generation_config.json", {"num_beams": 4, "max_length": LONGEST})
    size = sum(os.path.getsize(f"{arguments.output}/{name}") for name in os.listdir(arguments.output))
    print(f"{arguments.output}: {size / 1e6:.1f} MB, {sum(tensor.numel() for tensor in tensors.values())} weights")


def exported_model(directory):
    """(model, subwords) of what `export` wrote."""
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        model = rnn_translator_model.Translator(shape_of(json.load(file)), 0.0)
    tensors = safetensors_file.read(f"{directory}/model.safetensors")
    for name in WITH_PAD:
        tensors[name] = torch.cat([tensors[name], torch.zeros_like(tensors[name][:1])])
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model, sentencepiece.SentencePieceProcessor(model_file=f"{directory}/source.spm")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command_of(name, text, function, system=True):
        command = commands.add_parser(name, help=text)
        command.set_defaults(function=function)
        command.add_argument("--work", required=True, help="folder for tokens and checkpoints, outside the repository")
        if system:
            command.add_argument("--system", choices=rnn_translator_model.SYSTEMS, required=True)
        return command

    command = command_of("prepare", "subword model and token ids", prepare, system=False)
    command.add_argument("--data", required=True, help="folder of multi30k/")
    command.add_argument("--vocabulary", type=int, default=5000, help="subwords, shared by both languages (%(default)s)")

    command = command_of("train", "train, from the last checkpoint if there is one", train)
    budget = command.add_mutually_exclusive_group(required=True)
    budget.add_argument("--hours", type=float, default=0.0, help="budget: hours of wall-clock time of all runs on WORK")
    budget.add_argument("--updates", type=int, default=0, help="budget: updates of all runs on WORK")
    command.add_argument("--decay", type=float, default=0.6, help="the learning rate falls over this last part of the budget")
    command.add_argument("--warmup", type=int, default=200, help="updates until the full learning rate (%(default)s)")
    command.add_argument("--rate", type=float, default=1e-3, help="full learning rate (%(default)s)")
    command.add_argument("--batch-tokens", type=int, default=3000, help="source and target tokens of one update (%(default)s)")
    command.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of matrix products (%(default)s)")
    command.add_argument("--dropout", type=float, default=0.3)
    command.add_argument("--smoothing", type=float, default=0.1, help="label smoothing (%(default)s)")
    command.add_argument("--embedding", type=int, default=256)
    command.add_argument("--encoder-hidden", type=int, default=256, help="of one direction (%(default)s)")
    command.add_argument("--encoder-layers", type=int, default=1)
    command.add_argument("--decoder-hidden", type=int, default=512)
    command.add_argument("--attention-width", type=int, default=256)
    command.add_argument("--saves", type=int, default=40, help="checkpoints in the whole budget (%(default)s)")
    command.add_argument("--keep", type=int, default=10, help="checkpoints kept for averaging (%(default)s)")
    command.add_argument("--search-every", type=int, default=8, help="checkpoints from one dev BLEU to the next (%(default)s)")
    command.add_argument("--validation-pairs", type=int, default=1014, help="pairs that this BLEU is of (%(default)s)")
    command.add_argument("--report-every", type=int, default=50, help="updates between two lines of progress (%(default)s)")
    command.add_argument("--threads", type=int, default=0, help="CPU threads; 0: PyTorch's own choice")
    command.add_argument("--device", default="", help="cpu or cuda; empty: cuda if there is one")

    command = command_of("score", "BLEU of a part of Multi30k", score)
    command.add_argument("--data", required=True, help="folder of multi30k/")
    command.add_argument("--part", default="val", help="val or test_2016_flickr (%(default)s)")
    command.add_argument("--beam", type=int, default=4)
    command.add_argument("--average", type=int, default=6, help="checkpoints to average (%(default)s)")
    command.add_argument("--model", default="", help="an exported directory, instead of checkpoints")

    command = command_of("export", "write the model directory", export)
    command.add_argument("--output", required=True, help="model directory to write")
    command.add_argument("--average", type=int, default=6, help="checkpoints to average (%(default)s)")
    arguments = parser.parse_args()
    if arguments.command != "prepare":
        arguments.work = f"{arguments.work}/{arguments.system}"
    arguments.function(arguments)


if __name__ == "__main__":
    main()
