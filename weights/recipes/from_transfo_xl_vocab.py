#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the vocab.txt of a Transformer-XL, which Heed reads, from the pickle that its training program left.

    from_transfo_xl_vocab.py DIR/vocab.pkl [--tokenization=KIND] [--force]

Reads vocab.pkl and vocab.bin of transformers (transfo-xl-wt103 and models saved by TransfoXLTokenizer), and cache.pt of the
authors' PyTorch code. vocab.txt is written beside the file, and tokenizer_config.json if there is none.

KIND says how text becomes tokens: moses (default for transformers' files), whitespace (default for cache.pt), characters or
bytes (enwik8); docs/model-directories.md has more.

These files are pickles, which can hold code: none of it is run. Needs only PyTorch (1.13 or newer).
"""

import argparse
import json
import os
import pickle
import sys

import torch_checkpoint
from torch_checkpoint import DataUnpickler, Refused, Stub, plain

KINDS = ("moses", "whitespace", "characters", "bytes")


def read(path):
    """The content of a file that pickle or PyTorch wrote."""
    with open(path, "rb") as file:
        start = file.read(2)
        file.seek(0)
        # A pickle begins with its protocol. PyTorch's files are archives, or such a pickle of a number and others behind it.
        if start[:1] == b"\x80":
            try:
                content = DataUnpickler(file).load()
            except Exception as error:  # of whatever a damaged pickle makes of its own opcodes
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise Refused(f"{path}: not a readable pickle: {reason}") from None
            if not isinstance(content, int):
                return content
    return torch_checkpoint.load_data(path)


def find_vocabulary(path, content):
    """(entries of the vocabulary, whether the authors' program wrote it)"""
    entries = plain(content)
    if not isinstance(entries, dict):
        raise Refused(f"{path}: holds a {type(content).__name__}, not a vocabulary")
    if "idx2sym" in entries:
        return entries, isinstance(content, Stub)
    vocabulary = plain(entries.get("vocab"))
    if isinstance(vocabulary, dict) and "idx2sym" in vocabulary:
        return vocabulary, True
    raise Refused(f"{path}: has no list 'idx2sym', so that it is not a Transformer-XL's vocabulary")


def check_tokens(path, tokens):
    if not isinstance(tokens, list) or not tokens:
        raise Refused(f"{path}: 'idx2sym' is not a list of tokens")
    first = {}
    for number, token in enumerate(tokens):
        if not isinstance(token, str):
            raise Refused(f"{path}: token {number} is {token!r}, not a text")
        if not token or token.split() != [token]:
            raise Refused(f"{path}: token {number}, {token!r}, has white space in it, which vocab.txt cannot hold")
        if token in first:
            raise Refused(f"{path}: token {number}, {token!r}, is token {first[token]}, too")
        first[token] = number


def tokenizer_config(entries, kind, by_authors):
    config = {"tokenizer_class": "TransfoXLTokenizer", "lower_case": bool(entries.get("lower_case", False))}
    if kind or by_authors:
        config["heed_tokenization"] = kind or "whitespace"
    elif entries.get("delimiter") == "":
        config["delimiter"] = ""
    return config


def convert(path, kind, force):
    directory = os.path.dirname(os.path.abspath(path))
    target, config_path = os.path.join(directory, "vocab.txt"), os.path.join(directory, "tokenizer_config.json")
    if os.path.exists(target) and not force:
        raise Refused(f"{target}: exists already; --force replaces it")
    entries, by_authors = find_vocabulary(path, read(path))
    tokens = entries["idx2sym"]
    check_tokens(path, tokens)
    with open(target, "w", encoding="utf-8") as file:
        file.writelines(f"{token}\n" for token in tokens)
    print(f"{target}: {len(tokens)} tokens")
    if os.path.exists(config_path):
        print(f"{config_path}: is left as it is")
        return
    config = tokenizer_config(entries, kind, by_authors)
    with open(config_path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    print(f"{config_path}: {', '.join(f'{name} {json.dumps(value)}' for name, value in config.items())}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vocabulary", metavar="FILE", help="vocab.pkl, vocab.bin or cache.pt")
    parser.add_argument("--tokenization", choices=KINDS, help="how text becomes tokens")
    parser.add_argument("--force", action="store_true", help="replace a vocab.txt that is there already")
    arguments = parser.parse_args()
    try:
        convert(arguments.vocabulary, arguments.tokenization, arguments.force)
    except (Refused, OSError) as error:
        print(f"from_transfo_xl_vocab.py: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
