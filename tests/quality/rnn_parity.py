#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Heed with JoeyNMT and OpenNMT-py on recurrent models of real size: identical greedy translations.

    rnn_parity.py make joeynmt --source=train.en.gz --target=train.de.gz --work=DIR [--minutes=N]
        Makes a model of the toolkit's own classes with the words of the files, and converts it to
        DIR/models/joeynmt. Its weights are random, large enough that translations differ and some end; or it is trained
        for N minutes.
    rnn_parity.py compare joeynmt --work=DIR --input=test.en.gz [--server=ADDRESS] [--lines=500]
        Translates with the toolkit's own search, and with a running server that serves DIR/models.

The same with opennmt. Files are text or gzip, one sentence a line; words and punctuation are split and put into lower case
before, so that both sides see the same words. With joeynmt-text both sides get the sentences as they are: Moses, lower
case and subword-nmt's pieces are then a part of what is compared. Needs torch, PyYAML and joeynmt 2.3 or OpenNMT-py 3.5, as
tests/fixtures/make_joeynmt_fixtures.py and make_opennmt_fixtures.py do; `compare` also grpcio and grpcio-tools.
"""

import argparse
import os
import re
import sys
import time
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../fixtures"), os.path.join(HERE, "../../weights/recipes")]
from translation_parity import connect, read_lines  # noqa: E402

BATCH = 64
PAD, START, END = 1, 2, 3  # of both toolkits, as the vocabularies are made here


def words_of(line):
    return re.findall(r"\w+|[^\w\s]", line.lower())


def vocabulary(sentences, least=2):
    """The words that are there often enough, most frequent first."""
    counts = Counter(word for words in sentences for word in words)
    return [word for word, count in counts.most_common() if count >= least]


def randomize(model, output):
    """Random weights, with which states keep moving; tensor `output` has the end's row larger, so that sentences end."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        width = parameter.shape[-1] if parameter.dim() > 1 else 4 * len(parameter)
        parameter.data = 1.5 / width**0.5 * torch.randn(parameter.shape, generator=generator)
    for name, parameter in model.named_parameters():
        if name.endswith(("lut.weight", "emb_luts.0.weight")):
            parameter.data *= parameter.shape[-1] ** 0.5
        if name == output:
            parameter.data *= 2
            parameter.data[END] *= 1.6


class JoeyNmt:
    """A bidirectional GRU of 2 x 256, a GRU decoder of 2 x 512, attention by an MLP, input feeding."""

    name, output = "joeynmt", "decoder.output_layer.weight"
    parts = {"cell": "gru", "attention": "bahdanau", "init": "bridge", "hidden": 512, "encoder": 256, "layers": (2, 2),
             "width": 256}

    def __init__(self, folder):
        import make_joeynmt_fixtures

        self.folder, self.code = folder, make_joeynmt_fixtures
        self.path = os.path.join(folder, "best.ckpt")

    def learn(self, lines):
        """What there is to learn from the training text beside words: nothing."""

    def words(self, side, line):
        return words_of(line)

    def text(self, line):
        """What the server gets."""
        return " ".join(words_of(line))

    def options(self):
        return self.code.options_of(self.parts, self.code.SYMBOLS)

    def build(self, sides):
        options = self.options()
        self.vocabularies = self.code.vocabularies(sides, self.code.SYMBOLS)
        self.model = self.code.build_model(options["model"], *self.vocabularies)
        self.lookups = [vocabulary.lookup for vocabulary in self.vocabularies]
        return options

    def save(self, options):
        import from_joeynmt
        import rnn_fixtures

        self.code.save(self.model, options, *self.vocabularies, self.folder)
        rnn_fixtures.run(from_joeynmt, self.path, os.path.join(self.folder, "models", self.name), "--force")

    def load(self):
        import torch

        sides = [read_lines(os.path.join(self.folder, f"{side}_vocab.txt"), 0)[4:] for side in ("src", "trg")]
        options = self.build(sides)
        self.model.load_state_dict(torch.load(self.path, weights_only=False)["model_state"])
        self.translator = self.code.Translator(self.model, options["testing"])
        self.model.float()

    def source_ids(self, words):
        return [self.lookups[0](word) for word in words] + [END]

    def logits(self, source, lengths, inputs):
        """Of a batch: ids [B, S], lengths [B] in falling order, inputs [B, T]."""
        mask = (source != PAD).unsqueeze(1)
        output, hidden, _, _ = self.model(return_type="encode", src=source, src_length=lengths, src_mask=mask)
        return self.model(return_type="decode", trg_input=inputs, unroll_steps=inputs.shape[1], trg_mask=None,
                          decoder_hidden=None, encoder_output=output, encoder_hidden=hidden, src_mask=mask)[0]

    def translate(self, sentences, limit):
        """Words of each, the end left out."""
        import torch

        tokens = self.vocabularies[1]._itos
        for words in sentences:
            with torch.no_grad():
                found, _, _ = self.code.greedy(max_output_length=limit, model=self.model, generate_unk=True,
                                               min_output_length=1, **self.translator.encode(self.source_ids(words)))
            yield [tokens[index] for index in found[0].tolist() if index != END]


class JoeyNmtText(JoeyNmt):
    """The same of half the width, which tokenizes itself: Moses, lower case, 1,500 merges of subword-nmt a side."""

    name = "joeynmt-text"
    parts = {**JoeyNmt.parts, "hidden": 256, "encoder": 128, "width": 128}
    languages = {"src": "en", "trg": "de"}
    tokenizers = None

    def codes(self, side):
        return os.path.join(self.folder, f"codes.{self.languages[side]}")

    def learn(self, lines):
        import io

        from sacremoses import MosesTokenizer
        from subword_nmt.learn_bpe import learn_bpe

        for side, text in zip(self.languages, lines):
            moses = MosesTokenizer(lang=self.languages[side])
            text = "".join(moses.tokenize(line, return_str=True).lower() + "\n" for line in text)
            with open(self.codes(side), "w", encoding="utf-8") as file:
                learn_bpe(io.StringIO(text), file, 1500)
        self.tokenizers = self.build_tokenizers()

    def options(self):
        options = super().options()
        for side, language in self.languages.items():
            options["data"][side] = {"lang": language, "level": "bpe", "lowercase": True, "normalize": False,
                                     "tokenizer_type": "subword-nmt",
                                     "tokenizer_cfg": {"codes": self.codes(side), "pretokenizer": "moses"}}
        return options

    def build_tokenizers(self):
        from joeynmt.tokenizers import build_tokenizer

        return build_tokenizer(self.options()["data"])

    def words(self, side, line):
        tokenizer = self.tokenizers[self.languages[side]]
        return tokenizer(tokenizer.pre_process(line))

    def text(self, line):
        return line

    def load(self):
        super().load()
        self.tokenizers = self.build_tokenizers()
        for language, vocabulary in zip(self.languages.values(), self.vocabularies):
            self.tokenizers[language].set_vocab(vocabulary)


class OpenNmt:
    """A bidirectional LSTM and a decoder of 2 x 500 with general attention and input feeding: OpenNMT-py's defaults."""

    name, output = "opennmt", "generator.weight"
    parts = {"rnn_type": "LSTM", "global_attention": "general", "layers": 2, "hidden": 500, "save": "pytorch",
             "word_vec_size": 500, "encoder_type": "brnn"}

    def __init__(self, folder):
        import make_opennmt_fixtures

        self.folder, self.code = folder, make_opennmt_fixtures
        self.path = os.path.join(folder, "model_step_10.pt")

    def learn(self, lines):
        """What there is to learn from the training text beside words: nothing."""

    def words(self, side, line):
        return words_of(line)

    def text(self, line):
        """What the server gets."""
        return " ".join(words_of(line))

    def build(self, sides):
        options = self.code.options_of(self.parts)
        self.vocab, _, _ = self.code.vocabularies(sides, False)
        self.model = self.code.build_base_model(options, self.vocab)
        self.lookups = [self.vocab[side].lookup_token for side in ("src", "tgt")]
        return options

    def save(self, options):
        import from_opennmt
        import rnn_fixtures

        self.code.save(self.model, options, self.vocab, self.parts, self.folder)
        directory = os.path.join(self.folder, "models", self.name)
        rnn_fixtures.run(from_opennmt, self.path, directory, "--force", "--tokenizer=words")

    def load(self):
        """OpenNMT-py's own inference engine, which reads the checkpoint itself."""
        import onmt.opts
        from onmt.inference_engine import InferenceEnginePY
        from onmt.utils.parse import ArgumentParser

        parser = ArgumentParser()
        onmt.opts.translate_opts(parser)
        given = {"model": self.path, "src": "none", "output": os.devnull, "beam_size": 1, "max_length_ratio": 0, "gpu": -1}
        self.options = parser.parse_args([str(part) for name, value in given.items() for part in (f"--{name}", value)])
        ArgumentParser._get_all_transform_translate(self.options)
        self.engine = InferenceEnginePY(self.options)

    def source_ids(self, words):
        return [self.lookups[0](word) for word in words]

    def logits(self, source, lengths, inputs):
        outputs, final, _ = self.model.encoder(source[..., None], lengths)
        self.model.decoder.init_state(source, outputs, final)
        found, _ = self.model.decoder(inputs[..., None], outputs, src_len=lengths)
        return self.model.generator(found)

    def translate(self, sentences, limit):
        self.engine.translator.max_length = limit
        for words in sentences:
            _, found = self.engine.infer_list([" ".join(words)])
            yield found[0][0].split()


TOOLKITS = {toolkit.name: toolkit for toolkit in (JoeyNmt, JoeyNmtText, OpenNmt)}


# --- Making a model ---------------------------------------------------------------------------------------------------


def batches(toolkit, pairs, seed):
    """Endless (source [B, S], lengths [B], inputs [B, T], targets [B, T])."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    generator = torch.Generator().manual_seed(seed)
    while True:
        for places in torch.randperm(len(pairs), generator=generator).split(BATCH):
            chosen = sorted((pairs[place] for place in places.tolist()), key=lambda pair: -len(pair[0]))
            source = [torch.tensor(toolkit.source_ids(words)) for words, _ in chosen]
            target = [torch.tensor([START, *(toolkit.lookups[1](word) for word in words), END]) for _, words in chosen]
            lengths = torch.tensor([len(ids) for ids in source])
            source, target = (pad_sequence(ids, True, PAD) for ids in (source, target))
            yield source, lengths, target[:, :-1], target[:, 1:]


def train(toolkit, pairs, minutes):
    import torch

    for parameter in toolkit.model.parameters():
        parameter.data.uniform_(-0.1, 0.1)
    optimizer = torch.optim.Adam(toolkit.model.parameters(), 1e-3)
    end, updates, shown = time.monotonic() + 60 * minutes, 0, time.monotonic()
    for source, lengths, inputs, targets in batches(toolkit, pairs, 1):
        if time.monotonic() >= end:
            break
        logits = toolkit.logits(source, lengths, inputs)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(toolkit.model.parameters(), 1.0)
        optimizer.step()
        updates += 1
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            print(f"{updates} updates, loss {loss.item():.3f}, {(end - shown) / 60:.1f} minutes left", flush=True)


def make(arguments):
    import torch

    torch.manual_seed(1)
    torch.set_num_threads(arguments.threads)
    os.makedirs(arguments.work, exist_ok=True)
    lines = [read_lines(path, 0) for path in (arguments.source, arguments.target)]
    toolkit = TOOLKITS[arguments.toolkit](arguments.work)
    toolkit.learn(lines)
    pairs = [(toolkit.words("src", a), toolkit.words("trg", b)) for a, b in zip(*lines) if a.strip() and b.strip()]
    options = toolkit.build([vocabulary([pair[side] for pair in pairs]) for side in (0, 1)])
    size = sum(parameter.numel() for parameter in toolkit.model.parameters())
    print(f"{arguments.toolkit}: {size} weights, {len(pairs)} pairs", flush=True)
    if arguments.minutes:
        train(toolkit, pairs, arguments.minutes)
    else:
        randomize(toolkit.model, toolkit.output)
    toolkit.model.eval()
    toolkit.save(options)
    print(f"made {os.path.join(arguments.work, 'models', arguments.toolkit)}")


# --- Comparing --------------------------------------------------------------------------------------------------------


def heed_translations(arguments, lines):
    """Tokens of each sentence, as the server gives them, the end left out."""
    client = connect(arguments.server)
    for begin in range(0, len(lines), 100):
        answer = client.translate_fully(lines[begin : begin + 100], arguments.toolkit, beam_size=1, split_sentences=False,
                                        max_tokens=arguments.max_tokens, stop_loops=False, return_tokens=True)
        for translation in answer.translations:
            hypotheses = [sentence.hypotheses[0] for sentence in translation.sentences if sentence.hypotheses]
            tokens = list(hypotheses[0].tokens) if hypotheses else []
            yield tokens[:-1] if tokens[-1:] == ["</s>"] else tokens


class Referee:
    """The converted model in float64, which says how near to a tie a choice was."""

    def __init__(self, directory):
        import json

        import safetensors_file
        from rnn_reference import Reference

        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.reference = Reference(self.config, safetensors_file.read(os.path.join(directory, "model.safetensors")))
        self.ids = [{word: index for index, word in enumerate(read_lines(os.path.join(directory, f"{side}_vocab.txt"), 0))}
                    for side in ("source", "target")]

    def gap(self, words, found, expected):
        """Difference of the logits of two translations' tokens where they first differ."""
        source = [self.ids[0].get(word, self.config["source"]["unknown"]) for word in words]
        source += [self.config["source"]["end"]] if "end" in self.config["source"] else []
        rows = [[self.ids[1][word] for word in tokens] + [END] for tokens in (found, expected)]
        place = next(place for place, pair in enumerate(zip(*rows)) if pair[0] != pair[1])
        logits, _ = self.reference.forced(source, rows[0][: place + 1])
        return (logits[place, rows[0][place]] - logits[place, rows[1][place]]).item()


def compare(arguments):
    import torch

    torch.set_num_threads(arguments.threads)
    toolkit = TOOLKITS[arguments.toolkit](arguments.work)
    lines = [line for line in read_lines(arguments.input, 0) if line.strip()][: arguments.lines]
    ours = list(heed_translations(arguments, [toolkit.text(line) for line in lines]))
    toolkit.load()
    sentences = [toolkit.words("src", line) for line in lines]
    referee = Referee(os.path.join(arguments.work, "models", arguments.toolkit))
    identical, ties, tokens, began = 0, 0, 0, time.monotonic()
    for number, (words, found, expected) in enumerate(
        zip(sentences, ours, toolkit.translate(sentences, arguments.max_tokens)), 1
    ):
        expected = expected[: arguments.max_tokens]
        identical += found == expected
        tokens += len(expected)
        if found != expected:
            gap = referee.gap(words, found, expected)
            ties += abs(gap) < arguments.tie
            print(f"line {number}: {' '.join(words)}\n  heed    {' '.join(found)}\n  {arguments.toolkit} {' '.join(expected)}")
            print(f"  where they first differ, Heed's token is {gap:+.2e} above the other in float64", flush=True)
        if number % 50 == 0:
            rate = number / (time.monotonic() - began)
            print(f"{number}/{len(sentences)}, {identical} identical, {rate:.1f} lines/s", file=sys.stderr, flush=True)
    versions = ", ".join(f"{name} {version}" for name, version in toolkit.code.VERSIONS.items())
    print(f"{arguments.toolkit} ({versions}): {identical} of {len(sentences)} greedy translations identical, {tokens} tokens")
    if identical < len(sentences):
        print(f"{ties} of the others differ first where two tokens are nearly a tie (logits within {arguments.tie:g})")
    return identical + ties == len(sentences)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="train and convert a model")
    comparing = commands.add_parser("compare", help="with a running server")
    for command in (making, comparing):
        command.add_argument("toolkit", choices=TOOLKITS)
        command.add_argument("--work", required=True, help="directory of the models")
        command.add_argument("--threads", type=int, default=1, help="PyTorch's threads (default: %(default)s)")
    making.add_argument("--source", required=True, help="sentences to train on, one a line")
    making.add_argument("--target", required=True, help="their translations")
    making.add_argument("--minutes", type=float, default=0, help="of training; 0 (default): random weights")
    comparing.add_argument("--input", required=True, help="sentences, one a line")
    comparing.add_argument("--lines", type=int, default=500, help="only the first N lines (default: %(default)s)")
    comparing.add_argument("--max_tokens", type=int, default=60, help="of a translation (default: %(default)s)")
    comparing.add_argument("--tie", type=float, default=1e-5, help="a smaller difference of two logits is a tie"
                           " (default: %(default)s)")
    comparing.add_argument("--server", default="127.0.0.1:50051", help="address (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments)
    elif not compare(arguments):
        sys.exit(1)


if __name__ == "__main__":
    main()
