# SPDX-License-Identifier: Apache-2.0
"""The novels as token ids, for the language models: words by Moses' rules and pieces of a unigram SentencePiece model.

WORK holds `vocab.txt` and `words.npz`, or `spiece.model` and `pieces.npz`. Each .npz has the arrays `train`, `dev` and
`valid` of uint16 ids, one long text each. `dev` is the end of the published `train`; checkpoints are chosen by it, so
that `valid` is only measured.

Words need sacremoses 0.2.0; pieces need sentencepiece. Reading what is prepared needs PyTorch and numpy only.
"""

import collections
import gzip
import os
import re
import unicodedata

import numpy
import torch

DEV_SHARE = 0.03  # of the lines of `train`
LINE_END, UNKNOWN = "<eos>", "<unk>"  # ids 0 and 1 of vocab.txt
SPECIALS = [LINE_END, UNKNOWN, "<formula>"]  # which Hugging Face's TransfoXLTokenizer never splits
MIN_COUNT = 3
CONTROL_SYMBOLS = ["<cls>", "<sep>", "<pad>", "<mask>", "<eod>"]  # ids 3 to 7, after <unk>, <s>, </s>
CLS, SEP, PAD, MASK, PARAGRAPH_END = 3, 4, 5, 6, 8


def lines_of(data, part):
    """The paragraphs of `train` or `valid`."""
    with gzip.open(f"{data}/{part}.txt.gz", "rt", encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


def parts_of(data):
    """{train, dev, valid: paragraphs}"""
    lines = lines_of(data, "train")
    cut = len(lines) - int(DEV_SHARE * len(lines))
    return {"train": lines[:cut], "dev": lines[cut:], "valid": lines_of(data, "valid")}


def write_arrays(path, arrays):
    numpy.savez_compressed(path, **{name: numpy.asarray(ids, dtype=numpy.uint16) for name, ids in arrays.items()})


class Streams:
    """One long text cut into `rows` equal texts, which are read side by side, a segment at a time. Each time through, the
    cuts lie elsewhere."""

    def __init__(self, ids, rows, length, seed):
        self.ids, self.rows, self.length = ids, rows, length
        self.random, self.at, self.width = numpy.random.default_rng(seed), 0, 0

    def next(self):
        """(inputs, targets) [rows, length], and whether these begin elsewhere than the last ones ended"""
        fresh = self.at + self.length > self.width
        if fresh:
            rolled = torch.roll(self.ids, -int(self.random.integers(len(self.ids))))
            self.width, self.at = (len(rolled) - 1) // self.rows, 0
            kept = self.rows * self.width
            self.inputs, self.targets = (rolled[i : kept + i].view(self.rows, self.width) for i in (0, 1))
        part = slice(self.at, self.at + self.length)
        self.at += self.length
        return self.inputs[:, part], self.targets[:, part], fresh


# ----------------------------------------------------------------------------------------------------------- words


class MosesWords:
    """Splits a text into words exactly as Hugging Face's TransfoXLTokenizer (4.30) does with its defaults."""

    def __init__(self):
        import sacremoses

        self.normalizer = sacremoses.MosesPunctNormalizer("en")
        self.tokenizer = sacremoses.MosesTokenizer("en")

    def __call__(self, text):
        text = self.normalizer.normalize(text.strip())
        tokens = self.tokenizer.tokenize(
            text, aggressive_dash_splits=True, return_str=False, escape=False, protected_patterns=SPECIALS
        )
        return [word for token in tokens for word in re.sub(r"(?<=\d)[,.](?=\d)", r" @\g<0>@ ", token).split()]


def prepare_words(data, work):
    """Writes vocab.txt (the line end, the unknown word, then the words of `train` by falling frequency) and words.npz."""
    split = MosesWords()
    parts = {name: [split(line) for line in lines] for name, lines in parts_of(data).items()}
    counts = collections.Counter(word for name in ("train", "dev") for words in parts[name] for word in words)
    kept = sorted((word for word, count in counts.items() if count >= MIN_COUNT), key=lambda word: (-counts[word], word))
    vocabulary = [LINE_END, UNKNOWN] + [word for word in kept if word not in SPECIALS]
    ids = {word: i for i, word in enumerate(vocabulary)}
    os.makedirs(work, exist_ok=True)
    with open(f"{work}/vocab.txt", "w", encoding="utf-8") as file:
        file.writelines(word + "\n" for word in vocabulary)
    arrays = {
        name: [i for words in lines for i in [ids.get(word, 1) for word in words] + [0]] for name, lines in parts.items()
    }
    write_arrays(f"{work}/words.npz", arrays)
    for name, array in arrays.items():
        print(f"{name}: {len(array)} tokens, {array.count(1) / len(array):.2%} unknown")
    print(f"{len(vocabulary)} words")


# ---------------------------------------------------------------------------------------------------------- pieces


def normalized(text):
    """The text as Hugging Face's XLNetTokenizer hands it to SentencePiece: one space between words, no accents."""
    text = " ".join(text.split()).replace("``", '"').replace("''", '"')
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


class Pieces:
    """Token ids of texts as XLNetTokenizer (not the fast one) gives them, without <sep> and <cls>."""

    def __init__(self, path):
        import sentencepiece

        self.model = sentencepiece.SentencePieceProcessor(model_file=path)

    def __call__(self, text):
        pieces = []
        for piece in self.model.encode(normalized(text), out_type=str):
            if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
                shorter = self.model.encode(piece[:-1].replace("▁", ""), out_type=str)
                if piece[0] != "▁" and shorter[0][0] == "▁":
                    shorter = shorter[1:] if len(shorter[0]) == 1 else [shorter[0][1:]] + shorter[1:]
                pieces += shorter + [piece[-1]]
            else:
                pieces.append(piece)
        return [self.model.piece_to_id(piece) for piece in pieces]


def prepare_pieces(data, work, size):
    """Writes spiece.model, trained on `train`, and pieces.npz, whose paragraphs end with <eop>."""
    import sentencepiece

    parts = parts_of(data)
    os.makedirs(work, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([normalized(line) for line in parts["train"]]),
        model_prefix=f"{work}/spiece",
        model_type="unigram",
        vocab_size=size,
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        control_symbols=CONTROL_SYMBOLS,
        user_defined_symbols=["<eop>"],
        max_sentence_length=100000,
        num_threads=1,
        minloglevel=1,
    )
    os.remove(f"{work}/spiece.vocab")
    pieces = Pieces(f"{work}/spiece.model")
    arrays = {name: [i for line in lines for i in pieces(line) + [PARAGRAPH_END]] for name, lines in parts.items()}
    write_arrays(f"{work}/pieces.npz", arrays)
    for name, array in arrays.items():
        print(f"{name}: {len(array)} pieces, {array.count(0)} unknown")
