#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Heed's tokenizers of language models with transformers' TransfoXLTokenizer and XLNetTokenizer.

    language_text_parity.py --input=FILE... [--lines=N] [--tool=build/bin/heed-tokens] [--spiece=FILE]

For each FILE counts the lines of which the tool makes other ids, or other text of the ids, than transformers does, and
shows some. FILE is text or gzip, a text a line; of a *.tsv, --column says which. The vocabulary of the Transformer-XL is
what transformers makes of the lines; XLNet's pieces are FILE's, or learned from the lines. Needs transformers 4.30.2,
sacremoses 0.2.0 and sentencepiece. heed-tokens (tests/quality/heed_tokens.cc) answers lines on standard input with lines.

SentencePiece itself may choose between two ways to cut a word that are equally likely otherwise than another version of
it; such lines differ, and are counted apart.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time

import sentencepiece
from transformers import TransfoXLTokenizer, XLNetTokenizer

REPOSITORY = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
SHOWN = 5


def read_lines(path, column, limit):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="\n") as file:
        lines = file.read().removesuffix("\n").split("\n")
    if ".tsv" in os.path.basename(path):
        lines = [line.split("\t")[column] for line in lines]
    return lines[:limit]


class Comparison:
    def __init__(self, tool):
        self.tool = tool
        self.differences = 0

    def answers(self, arguments, lines):
        text = "".join(f"{line}\n" for line in lines).encode()
        begin = time.monotonic()
        answer = subprocess.run([self.tool, *arguments], input=text, stdout=subprocess.PIPE, check=True)
        answers = answer.stdout.decode().removesuffix("\n").split("\n")
        assert len(answers) == len(lines), f"{len(answers)} answers to {len(lines)} lines"
        return answers, time.monotonic() - begin

    def run(self, name, arguments, lines, expected, reference_s, is_tie=lambda line, answer: False):
        answers, tool_s = self.answers(arguments, lines)
        different = [i for i in range(len(lines)) if answers[i] != expected[i]]
        ties = [i for i in different if is_tie(answers[i], expected[i])]
        self.differences += len(different) - len(ties)
        tied = f", {len(ties)} of them ties" if ties else ""
        print(f"  {name}: {len(lines)} lines, {len(different)} differ{tied}; {tool_s:.2f} s, reference {reference_s:.2f} s",
              flush=True)  # fmt: skip
        for i in [i for i in different if i not in set(ties)][:SHOWN]:
            print(f"    text      {lines[i]!r}\n    heed      {answers[i]!r}\n    reference {expected[i]!r}")

    def both_ways(self, name, kind, directory, size, tokenizer, lines, is_tie=lambda line, answer: False):
        begin = time.monotonic()
        ids = [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(line)) for line in lines]
        expected = [" ".join(map(str, line)) for line in ids]
        seconds = time.monotonic() - begin
        tokens = sum(map(len, ids))
        self.run(f"{name}, {tokens} tokens", [kind, directory, str(size), "special"], lines, expected, seconds, is_tie)
        special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        decoded = [i for i in range(len(lines)) if not special & set(ids[i])]
        begin = time.monotonic()
        texts = [tokenizer.decode(ids[i]) for i in decoded]
        seconds = time.monotonic() - begin
        self.run(f"{name}, decoded", [kind, directory, str(size), "decode"], [expected[i] for i in decoded], texts, seconds)


def compare_transformer_xl(comparison, lines, lower_case):
    with tempfile.TemporaryDirectory() as directory:

        def write(words):
            with open(os.path.join(directory, "vocab.txt"), "w", encoding="utf-8") as file:
                file.writelines(f"{word}\n" for word in words)

        write(["<eos>", "<unk>", "<formula>"])
        with open(os.path.join(directory, "tokenizer_config.json"), "w", encoding="utf-8") as file:
            file.write('{"lower_case": %s}\n' % str(lower_case).lower())
        tokenizer = TransfoXLTokenizer.from_pretrained(directory)
        words = {word for line in lines for word in tokenizer.tokenize(line)} - {"<eos>", "<unk>", "<formula>"}
        write(["<eos>", "<unk>", "<formula>", *sorted(words)])
        tokenizer = TransfoXLTokenizer.from_pretrained(directory)
        name = "transfo-xl, lower case" if lower_case else "transfo-xl"
        comparison.both_ways(name, "transformer-xl", directory, len(words) + 3, tokenizer, lines)
        if lower_case:
            return
        begin = time.monotonic()
        expected = [" ".join(str(tokenizer._convert_token_to_id(word)) for word in line.split()) for line in lines]
        seconds = time.monotonic() - begin
        arguments = ["transformer-xl", directory, str(len(words) + 3), "special", "whitespace"]
        comparison.run("transfo-xl, white space", arguments, lines, expected, seconds)


def learn_pieces(directory, lines):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for line in lines if line.strip()),
        model_prefix=os.path.join(directory, "spiece"),
        vocab_size=8000,
        hard_vocab_limit=False,
        split_by_number=False,
        control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>"],
        user_defined_symbols=["<eop>"],
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )


def compare_xlnet(comparison, lines, spiece):
    with tempfile.TemporaryDirectory() as directory:
        if spiece:
            shutil.copy(spiece, os.path.join(directory, "spiece.model"))
        else:
            learn_pieces(directory, lines)
        for name, fields in (
            ("xlnet", {"clean_up_tokenization_spaces": False}),
            ("xlnet, lower case", {"do_lower_case": True, "clean_up_tokenization_spaces": True}),
            ("xlnet, accents", {"keep_accents": True, "remove_space": False, "clean_up_tokenization_spaces": False}),
        ):
            tokenizer = XLNetTokenizer(os.path.join(directory, "spiece.model"), **fields)
            tokenizer.sanitize_special_tokens()
            tokenizer.save_pretrained(directory)
            processor = tokenizer.sp_model

            def is_tie(answer, expected, processor=processor):
                def score(ids):
                    return sum(processor.get_score(int(i)) for i in ids.split())

                return abs(score(answer) - score(expected)) < 1e-4

            comparison.both_ways(name, "xlnet", directory, len(processor), tokenizer, lines, is_tie)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", required=True)
    parser.add_argument("--column", type=int, default=0)
    parser.add_argument("--lines", type=int, default=10000)
    parser.add_argument("--tool", default=os.path.join(REPOSITORY, "build/bin/heed-tokens"))
    parser.add_argument("--spiece")
    arguments = parser.parse_args()
    comparison = Comparison(arguments.tool)
    for path in arguments.input:
        lines = read_lines(path, arguments.column, arguments.lines)
        print(f"{path}: {len(lines)} lines", flush=True)
        compare_transformer_xl(comparison, lines, False)
        compare_transformer_xl(comparison, lines, True)
        compare_xlnet(comparison, lines, arguments.spiece)
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
