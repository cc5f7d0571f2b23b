#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests weights/recipes/from_transfo_xl_vocab.py on pickles that this file writes, as transformers and the authors' program do.
Needs PyTorch; without it, exits 77 (ctest: skipped).

    python3 tests/recipes/transfo_xl_vocab_test.py
"""

import collections
import contextlib
import io
import json
import os
import pickle
import re
import sys
import tempfile
import unittest

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import from_transfo_xl_vocab  # noqa: E402

TOKENS = ["<eos>", "the", "<unk>", "@-@", "é"]


class Vocab:
    """The authors' class, by its attributes."""

    def __init__(self, tokens):
        self.counter, self.special, self.lower_case = collections.Counter(tokens), ["<eos>"], True
        self.idx2sym, self.sym2idx = tokens, collections.OrderedDict((t, i) for i, t in enumerate(tokens))


class Corpus:
    def __init__(self, tokens):
        self.vocab, self.train = Vocab(tokens), torch.arange(7)


class Code:
    def __reduce__(self):
        return (os.system, ("exit 7",))


def attributes(tokens, **others):
    """What TransfoXLTokenizer.save_vocabulary pickles: the tokenizer's attributes."""
    return {"counter": collections.Counter(tokens), "lower_case": False, "delimiter": None, "never_split": ["<eos>"],
            "idx2sym": tokens, "sym2idx": collections.OrderedDict((t, i) for i, t in enumerate(tokens)),
            "punction_without_space_before_pattern": re.compile(r"[^\s][!]"), "special": {"<eos>"}, **others}  # fmt: skip


class TransfoXlVocabTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def convert(self, name, *arguments):
        """What the converter says that is wrong; None: it did its work."""
        errors, code = io.StringIO(), None
        sys.argv = ["from_transfo_xl_vocab.py", self.path(name), *arguments]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            try:
                from_transfo_xl_vocab.main()
            except SystemExit as end:
                code = end.code
        return errors.getvalue() if code else None

    def pickle(self, content, protocol=None):
        with open(self.path("vocab.pkl"), "wb") as file:
            pickle.dump(content, file, protocol)

    def result(self):
        with open(self.path("vocab.txt"), encoding="utf-8") as file:
            tokens = file.read().split("\n")
        self.assertEqual(tokens.pop(), "")
        with open(self.path("tokenizer_config.json"), encoding="utf-8") as file:
            return tokens, json.load(file)

    def test_pickles_of_transformers(self):
        for protocol in (2, 3, 4, 5):
            self.pickle(attributes(TOKENS), protocol)
            self.assertIsNone(self.convert("vocab.pkl", "--force"))
            self.assertEqual(self.result(), (TOKENS, {"tokenizer_class": "TransfoXLTokenizer", "lower_case": False}))

    def test_files_of_pytorch(self):
        for archive in (True, False):
            torch.save(attributes(TOKENS, lower_case=True), self.path("vocab.bin"), _use_new_zipfile_serialization=archive)
            self.assertIsNone(self.convert("vocab.bin", "--force"))
            tokens, config = self.result()
            self.assertEqual(tokens, TOKENS)
            self.assertIs(config["lower_case"], True)

    def test_a_corpus_of_the_authors(self):
        torch.save(Corpus(TOKENS), self.path("cache.pt"))
        self.assertIsNone(self.convert("cache.pt"))
        tokens, config = self.result()
        self.assertEqual(tokens, TOKENS)
        self.assertEqual(config["heed_tokenization"], "whitespace")
        self.assertIs(config["lower_case"], True)

    def test_the_kind_of_tokens_can_be_said(self):
        self.pickle(attributes(["32", "97"]))
        self.assertIsNone(self.convert("vocab.pkl", "--tokenization=bytes"))
        self.assertEqual(self.result()[1]["heed_tokenization"], "bytes")

    def test_files_that_are_there_stay(self):
        self.pickle(attributes(TOKENS))
        with open(self.path("tokenizer_config.json"), "w", encoding="utf-8") as file:
            file.write('{"lower_case": true}')
        self.assertIsNone(self.convert("vocab.pkl"))
        self.assertEqual(self.result()[1], {"lower_case": True})
        self.assertIn("exists already; --force replaces it", self.convert("vocab.pkl"))

    def test_no_code_is_run(self):
        self.pickle(attributes(TOKENS, more=Code()))
        self.assertIsNone(self.convert("vocab.pkl"))  # and this process goes on
        self.pickle(Code())
        self.assertIn("no list 'idx2sym'", self.convert("vocab.pkl", "--force"))

    def test_what_is_wrong_is_named(self):
        for content, message in (
            ([1], "holds a list, not a vocabulary"),
            ({"a": 1}, "has no list 'idx2sym'"),
            (attributes([]), "'idx2sym' is not a list of tokens"),
            (attributes(["a b"]), "token 0, 'a b', has white space in it"),
            (attributes(["a", "b", "a"]), "token 2, 'a', is token 0, too"),
            ({"idx2sym": ["a", 5]}, "token 1 is 5, not a text"),
        ):
            self.pickle(content)
            self.assertIn(message, self.convert("vocab.pkl"))
        with open(self.path("vocab.pkl"), "wb") as file:
            file.write(b"\x80\x04nonsense")
        self.assertIn("not a readable pickle", self.convert("vocab.pkl"))
        self.assertIn("No such file", self.convert("other.pkl"))


if __name__ == "__main__":
    unittest.main()
