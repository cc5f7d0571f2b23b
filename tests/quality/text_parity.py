#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Heed's tokenization with sacremoses, subword-nmt and Python.

    text_parity.py compare --language=en --input=FILE... [--tool=build/bin/heed-tokens] [--codes=FILE]
        Counts the lines of which the tool makes something else than the reference does, and shows some.
    text_parity.py gold
        Writes the expected answers of tests/models/text/gold anew.

FILE is text or gzip, one sentence a line; of a *.tsv, --column says which (0 by default). Needs sacremoses 0.2.0 and
subword-nmt 0.3.8. heed-tokens (tests/quality/heed_tokens.cc) answers lines on standard input with lines.
"""

import argparse
import gzip
import io
import os
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import version

from sacremoses import MosesDetokenizer, MosesTokenizer
from subword_nmt.apply_bpe import BPE
from subword_nmt.learn_bpe import learn_bpe

REPOSITORY = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
GOLD = os.path.join(REPOSITORY, "tests/models/text/gold")
SHOWN = 5


def read_lines(path, column=0):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="\n") as file:
        lines = file.read().removesuffix("\n").split("\n")
    if ".tsv" in os.path.basename(path):
        lines = [line.split("\t")[column] for line in lines]
    return lines


class Comparison:
    def __init__(self, tool):
        self.tool = tool
        self.differences = 0

    def run(self, name, arguments, lines, reference):
        """What the reference makes of each line; prints how many lines the tool answers otherwise."""
        begin = time.monotonic()
        text = "".join(f"{line}\n" for line in lines).encode()
        answer = subprocess.run([self.tool, *arguments], input=text, stdout=subprocess.PIPE, check=True)
        tool_s = time.monotonic() - begin
        answers = answer.stdout.decode().removesuffix("\n").split("\n")
        assert len(answers) == len(lines), f"{len(answers)} answers to {len(lines)} lines"
        begin = time.monotonic()
        expected = [reference(line) for line in lines]
        reference_s = time.monotonic() - begin
        different = [i for i in range(len(lines)) if answers[i] != expected[i]]
        self.differences += len(different)
        seconds = f"{tool_s:.2f} s, reference {reference_s:.2f} s"
        print(f"{name}: {len(lines)} lines, {len(different)} differ; {seconds}", flush=True)
        for i in different[:SHOWN]:
            print(f"  text      {lines[i]!r}\n  heed      {answers[i]!r}\n  reference {expected[i]!r}")
        return expected


def compare(arguments):
    lines = [line for path in arguments.input for line in read_lines(path, arguments.column)]
    language = arguments.language
    comparison = Comparison(arguments.tool)
    tokenizer, detokenizer = MosesTokenizer(language), MosesDetokenizer(language)
    tokens = comparison.run("tokenize", ["tokenize", language], lines, lambda line: " ".join(tokenizer.tokenize(line)))
    comparison.run(
        "tokenize, hyphens, no escapes",
        ["tokenize", language, "aggressive", "no-escape"],
        lines,
        lambda line: " ".join(tokenizer.tokenize(line, aggressive_dash_splits=True, escape=False)),
    )
    comparison.run("detokenize", ["detokenize", language], tokens, lambda line: detokenizer.detokenize(line.split(" ")))
    comparison.run("lower case", ["lowercase"], lines, str.lower)
    if arguments.codes:
        with open(arguments.codes, encoding="utf-8") as codes:
            pairs = BPE(codes)
        pieces = comparison.run("bpe", ["bpe", arguments.codes], tokens, pairs.segment)
        counts = Counter(piece for line in pieces for piece in line.split(" "))
        pairs.vocab = {piece for piece, count in counts.items() if count >= 50}
        pairs.cache.clear()
        vocabulary = arguments.codes + ".pieces"
        with open(vocabulary, "w", encoding="utf-8") as file:
            file.writelines(f"{piece}\n" for piece in sorted(pairs.vocab))
        comparison.run("bpe, pieces seen 50 times", ["bpe", arguments.codes, vocabulary], tokens, pairs.segment)
    return 1 if comparison.differences else 0


def gold(_):
    """moses.tsv: language, text, tokens, tokens with -a -no-escape, text. bpe.tsv: tokens, pieces, known pieces."""
    lines = read_lines(os.path.join(GOLD, "sentences.txt"))
    sentences = [line.split("\t") for line in lines if not line.startswith("#")]
    head = f"# Made by tests/quality/text_parity.py of sentences.txt: sacremoses {version('sacremoses')}"
    with open(os.path.join(GOLD, "moses.tsv"), "w", encoding="utf-8") as file:
        file.write(f"{head}.\n")
        for language, text in sentences:
            tokenizer = MosesTokenizer(language)
            tokens = tokenizer.tokenize(text)
            apart = tokenizer.tokenize(text, aggressive_dash_splits=True, escape=False)
            again = MosesDetokenizer(language).detokenize(tokens)
            file.write("\t".join([language, text, " ".join(tokens), " ".join(apart), again]) + "\n")
    words = [" ".join(MosesTokenizer(language).tokenize(text, escape=False)) for language, text in sentences]
    codes = io.StringIO()
    learn_bpe(io.StringIO("\n".join(words)), codes, 150)
    with open(os.path.join(GOLD, "codes.bpe"), "w", encoding="utf-8") as file:
        file.write(codes.getvalue())
    pairs = BPE(io.StringIO(codes.getvalue()))
    counts = Counter(piece for line in words for piece in pairs.segment(line).split(" "))
    known = sorted(piece for piece, count in counts.items() if count >= 3)
    restricted = BPE(io.StringIO(codes.getvalue()), vocab=set(known))
    with open(os.path.join(GOLD, "bpe.tsv"), "w", encoding="utf-8") as file:
        file.write(f"{head}, subword-nmt {version('subword-nmt')}. First the pieces that the third column may have.\n")
        file.write(" ".join(known) + "\n")
        file.writelines(f"{line}\t{pairs.segment(line)}\t{restricted.segment(line)}\n" for line in words)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("compare")
    command.add_argument("--language", default="en")
    command.add_argument("--input", nargs="+", required=True)
    command.add_argument("--column", type=int, default=0)
    command.add_argument("--tool", default=os.path.join(REPOSITORY, "build/bin/heed-tokens"))
    command.add_argument("--codes")
    command.set_defaults(run=compare)
    commands.add_parser("gold").set_defaults(run=gold)
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
