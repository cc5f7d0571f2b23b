# SPDX-License-Identifier: Apache-2.0
"""Training text of translator-en-de: corpora, their mix, subwords, and batches of token ids.

`prepare` tokenizes everything once into WORK/tokens.npz; training only gathers rows of integer arrays. Which corpora may
be trained on, and how often an epoch repeats each, is the table CORPORA.
"""

import concurrent.futures
import gzip
import io
import json
import os
import random
import re
import zipfile
from collections import Counter

import numpy
import sentencepiece

import made_up_text

SEED = 20261128
EOS = 0
MAX_TOKENS = 100  # longer sentences of either side are left out
MAX_VARIANTS = 3  # German translations of one English sentence
MAX_COPIES = 10  # of one made-up pair

# The run has three phases; each ends at this part of the budget. The second has no machine-translated text, the last more
# captions and less business and programming text.
PHASE_ENDS = (0.70, 0.85, 1.0)
# Repeats in an epoch of each phase: 0.5 reads a random half of the corpus.
CORPORA = {
    "everyday": (3, 3, 3),  # Tatoeba, CC BY 2.0 FR
    "everyday_varied": (1, 1, 0.8),  # the same with other names, in small letters, joined ...
    "captions": (2, 2, 2.5),  # Multi30k
    "made_up": (1.5, 1.5, 1.5),
    "phrases": (12, 12, 12),  # phrasebook.tsv
    "support": (1, 1, 1),  # Microsoft, translated by people, CC BY 4.0
    "desktop": (1, 1, 1),  # GNOME (CC BY 3.0) and Android (Apache 2.0)
    "business": (0.5, 0.4, 0.3),  # Microsoft, translated by people, CC BY 4.0
    "programming": (0.4, 0.3, 0.2),  # Microsoft, translated by people, CC BY 4.0
    "support_mt": (0.3, 0, 0),  # Microsoft, translated by machine, CC BY 4.0
    "programming_mt": (0.2, 0, 0),  # Microsoft, translated by machine, CC BY 4.0
}
# Copies of a corpus whose source is split into subwords otherwise each time, drawn from the subword model (subword
# regularization: Kudo 2018). Where the number is negative, there is no copy with the likeliest subwords.
RESEGMENTED = {"everyday_varied": -1, "captions": 2, "support": 2, "desktop": 2}
RESEGMENTING = 0.3  # the exponent that flattens the probabilities of these splits
VARIED_DRAWS = 2  # of everyday_varied
SHARES = {"programming_mt": 0.5}  # of a corpus that is used at all
FILES = {
    "everyday": ("tatoeba/eng-deu.tsv.gz", "tatoeba/eng-deu_more.tsv.gz", "tatoeba/eng-deu_challenge.tsv.gz"),
    "support": ("msdocs-support/ht.tsv.gz",),
    "desktop": ("gnome-help/train.tsv.gz", "android-settings/train.tsv.gz"),
    "business": ("msdocs-business/ht.tsv.gz",),
    "programming": ("msdocs-dotnet/ht.tsv.gz",),
    "support_mt": ("msdocs-support/mt.tsv.gz",),
    "programming_mt": ("msdocs-dotnet/mt.tsv.gz",),
}
# Never trained on. The first three choose between runs; chat is of a kind that no corpus above has.
DEVELOPMENT = {
    "dev_everyday": "tatoeba/dev_1000.tsv.gz",
    "dev_tech": "msdocs-support/dev_tech_1000.tsv.gz",
    "dev_chat": "chat-bcontrast/dev.tsv.gz",
}
SUBWORD_SENTENCES = 200_000  # that the subword model is trained on
SUBWORD_SHARE = {"everyday": 1.0, "everyday_varied": 0.0}  # of a corpus among them; others: one half
# Characters with a subword of their own, however rare; other rare ones are spelled in bytes.
REQUIRED_CHARACTERS = "".join(map(chr, range(33, 127))) + "äöüßÄÖÜéèàâêçñáíóúøåæ€£§°–—„“”‚‘’»«…×½²"


# ---------------------------------------------------------------------------------------------------------- text


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file]


def read_pairs(path):
    """(english, german) of the first two columns."""
    return [tuple(line.split("\t")[:2]) for line in read_lines(path) if "\t" in line]


def renamed(pair, rng):
    """Another name in place of Tom or Mary, where both sides have the name equally often."""
    english, german = pair
    for name, others in (("Tom", made_up_text.MEN), ("Mary", made_up_text.WOMEN)):
        pattern = re.compile(rf"\b{name}(?=s?\b)")
        german_name = "Maria" if name == "Mary" and "Maria" in german else name
        german_pattern = re.compile(rf"\b{german_name}(?=s?\b)")
        count = len(pattern.findall(english))
        if count == 0 or count != len(german_pattern.findall(german)):
            continue
        other = rng.choice([word for word in others if not word.endswith(("s", "x", "z"))])  # whose genitive is -s
        english, german = pattern.sub(other, english), german_pattern.sub(other, german)
    return english, german


def varied(pairs, rng):
    """As people type: other names, some sentences joined, in small letters, without the final stop, in capitals."""
    rest = [renamed(pair, rng) for pair in pairs]
    rng.shuffle(rest)
    result = []
    while rest:
        english, german = rest.pop()
        while rest and rng.random() < 0.15 and english[-1:] in ".!?" and german[-1:] in ".!?":
            more = rest.pop()
            english, german = f"{english} {more[0]}", f"{german} {more[1]}"
        kind = rng.random()
        if kind < 0.10:
            english = english.lower()
        elif kind < 0.20 and english.endswith(".") and german.endswith("."):
            english, german = english[:-1], german[:-1]
            if rng.random() < 0.3:
                english = english.lower()
        elif kind < 0.22:
            english, german = english.upper(), german.upper()
        result.append((english, german))
    return result


def cleaned(pairs, held_out):
    """Without empty, doubled and untranslated pairs, those of `held_out` English, and surplus variants."""
    variants, seen, result = Counter(), set(), []
    for english, german in pairs:
        english, german = english.strip(), german.strip()
        if not english or not german or english in held_out or (english, german) in seen:
            continue
        if english == german and english.count(" ") > 3:
            continue
        if max(len(english), len(german)) > 3 * min(len(english), len(german)) + 20:
            continue
        seen.add((english, german))
        variants[english] += 1
        if variants[english] <= MAX_VARIANTS:
            result.append((english, german))
    return result


def multi30k(data, part):
    """(english, german) captions of a part: train, val, test_2016_flickr."""
    return list(zip(*(read_lines(f"{data}/multi30k/{part}.{side}.gz") for side in ("en", "de"))))


def read_corpora(data, made_up_pairs):
    """(training, development): {name: [(english, german)]} of CORPORA, and of DEVELOPMENT and dev_captions."""
    development = {name: read_pairs(f"{data}/{path}") for name, path in DEVELOPMENT.items()}
    development["dev_captions"] = multi30k(data, "val")
    held_out = {english for pairs in development.values() for english, _ in pairs}
    training = {
        name: cleaned([pair for path in paths for pair in read_pairs(f"{data}/{path}")], held_out)
        for name, paths in FILES.items()
    }
    training["captions"] = multi30k(data, "train")
    training["everyday_varied"] = [
        pair for draw in range(VARIED_DRAWS) for pair in varied(training["everyday"], random.Random(SEED + draw))
    ]
    for name, share in SHARES.items():
        training[name] = random.Random(SEED).sample(training[name], round(share * len(training[name])))
    copies, training["made_up"] = Counter(), []
    for pair in made_up_text.pairs(made_up_pairs, SEED):
        copies[pair] += 1
        if copies[pair] <= MAX_COPIES:
            training["made_up"].append(pair)
    with open(f"{os.path.dirname(os.path.abspath(__file__))}/phrasebook.tsv", encoding="utf-8") as file:
        training["phrases"] = [tuple(line.rstrip("\n").split("\t")) for line in file]
    return {name: training[name] for name in CORPORA}, development


def train_subwords(work, corpora, vocabulary, keep=SUBWORD_SHARE):
    """WORK/joint.model: one unigram model for both languages, with bytes for rare characters and digits apart. `keep` is
    the share of a corpus that the subword model may read, one half where it names none."""
    rng = random.Random(SEED)
    pool = [(name, pair) for name, pairs in corpora.items() if not name.endswith("_mt") for pair in pairs]
    pool = [pair for name, pair in pool if rng.random() < keep.get(name, 0.5)]
    sample = rng.sample(pool, min(len(pool), SUBWORD_SENTENCES // 2))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(text for pair in sample for text in pair),
        model_writer=model,
        vocab_size=vocabulary,
        model_type="unigram",
        character_coverage=0.9998,
        required_chars=REQUIRED_CHARACTERS,
        byte_fallback=True,
        split_digits=True,
        hard_vocab_limit=False,
        num_threads=1,  # the sums of several depend on who comes first
        bos_id=-1,
        pad_id=-1,
        eos_id=EOS,
        unk_id=1,
        minloglevel=1,
    )
    with open(f"{work}/joint.model", "wb") as file:
        file.write(model.getvalue())


# --------------------------------------------------------------------------------------------------------- tokens


class Tokens:
    """Pairs of token rows (each ends with EOS) of one corpus, held in two flat arrays."""

    def __init__(self, source, source_ends, target, target_ends):
        self.sides = ((source, numpy.concatenate([[0], source_ends])), (target, numpy.concatenate([[0], target_ends])))

    @classmethod
    def of_rows(cls, rows):
        """`rows` is a list of (source ids, target ids) without EOS."""
        arrays = []
        for side in (0, 1):
            ends = numpy.cumsum([len(row[side]) + 1 for row in rows], dtype=numpy.int64)
            flat = numpy.fromiter((i for row in rows for i in (*row[side], EOS)), numpy.uint16, int(ends[-1]))
            arrays += [flat, ends]
        return cls(*arrays)

    @classmethod
    def joined(cls, corpora):
        """One corpus of several, in order."""
        arrays = []
        for side in (0, 1):
            arrays.append(numpy.concatenate([corpus.sides[side][0] for corpus in corpora]))
            arrays.append(numpy.cumsum(numpy.concatenate([corpus.lengths(side) for corpus in corpora])))
        return cls(*arrays)

    def __len__(self):
        return len(self.sides[0][1]) - 1

    def lengths(self, side):
        return numpy.diff(self.sides[side][1])

    def tokens_of(self, rows):
        """Source and target tokens of the rows, without padding."""
        return sum(int((ends[rows + 1] - ends[rows]).sum()) for _, ends in self.sides)

    def padded(self, rows, side, pad):
        """[rows, longest] int64"""
        flat, ends = self.sides[side]
        starts, lengths = ends[rows], ends[rows + 1] - ends[rows]
        columns = numpy.arange(lengths.max())
        inside = columns < lengths[:, None]
        return numpy.where(inside, flat[numpy.minimum(starts[:, None] + columns, len(flat) - 1)], pad).astype(numpy.int64)


def encoded(subwords, pairs, resegmented=0):
    """Tokens of the pairs that are not too long, and of their copies (RESEGMENTED)."""
    sources, targets = (subwords.encode([pair[side] for pair in pairs]) for side in (0, 1))
    rows = [] if resegmented < 0 else list(zip(sources, targets))
    for _ in range(abs(resegmented)):
        drawn = [subwords.encode(pair[0], enable_sampling=True, alpha=RESEGMENTING, nbest_size=-1) for pair in pairs]
        rows += zip(drawn, targets)
    return Tokens.of_rows([row for row in rows if 0 < max(map(len, row)) < MAX_TOKENS and min(map(len, row))])


def prepare(data, work, vocabulary, made_up_pairs):
    """Writes WORK/joint.model and WORK/tokens.npz and prints the size of each corpus."""
    os.makedirs(work, exist_ok=True)
    training, development = read_corpora(data, made_up_pairs)
    if not os.path.exists(f"{work}/joint.model"):
        train_subwords(work, training, vocabulary)
    write_tokens(work, training, development)


def write_tokens(work, training, development):
    """WORK/tokens.npz by the subwords of WORK/joint.model."""
    subwords = sentencepiece.SentencePieceProcessor(model_file=f"{work}/joint.model")
    sentencepiece.set_random_generator_seed(SEED)
    arrays = {}
    for name, pairs in (training | development).items():
        tokens = encoded(subwords, pairs, RESEGMENTED.get(name, 0))
        size = sum(int(tokens.lengths(side).sum()) for side in (0, 1))
        print(f"{name}: {len(tokens)} pairs, {size} tokens, repeats {CORPORA.get(name, '-')}", flush=True)
        for side, part in enumerate(("source", "target")):
            arrays[f"{name}.{part}"] = tokens.sides[side][0]
            arrays[f"{name}.{part}_lengths"] = tokens.lengths(side).astype(numpy.uint8)  # at most MAX_TOKENS
    with zipfile.ZipFile(f"{work}/tokens.npz", "w", zipfile.ZIP_LZMA) as file:  # half as large as numpy's own compression
        for name, array in arrays.items():
            content = io.BytesIO()
            numpy.lib.format.write_array(content, array, allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_LZMA)  # without today's date


def load_tokens(work):
    """({training corpus: Tokens}, {development set: Tokens})"""
    with numpy.load(f"{work}/tokens.npz") as arrays:
        names = list(dict.fromkeys(key.split(".")[0] for key in arrays))
        corpora = {}
        for name in names:
            source, target = arrays[f"{name}.source"], arrays[f"{name}.target"]
            ends = [numpy.cumsum(arrays[f"{name}.{part}_lengths"], dtype=numpy.int64) for part in ("source", "target")]
            corpora[name] = Tokens(source, ends[0], target, ends[1])
    return (
        {name: tokens for name, tokens in corpora.items() if name in CORPORA},
        {name: tokens for name, tokens in corpora.items() if name not in CORPORA},
    )


# -------------------------------------------------------------------------------------------------------- batches


def phase_of(fraction):
    """The phase at this part of the budget."""
    return next((phase for phase, end in enumerate(PHASE_ENDS) if fraction < end), len(PHASE_ENDS) - 1)


def epoch_rows(sizes, repeats, rng):
    """Row numbers of an epoch into the corpora laid end to end; `sizes` and `repeats` are of each."""
    rows, first = [], 0
    for size, times in zip(sizes, repeats):
        whole = int(times)
        rows += [numpy.arange(first, first + size, dtype=numpy.int32)] * whole
        part = round((times - whole) * size)
        if part:
            rows.append((first + rng.permutation(size)[:part]).astype(numpy.int32))
        first += size
    return numpy.concatenate(rows)


def batches(tokens, rows, budget, rng):
    """Groups rows of like length into batches of at most `budget` source and target tokens with padding (a longer pair
    is a batch of its own), in random order."""
    source, target = tokens.lengths(0)[rows], tokens.lengths(1)[rows]
    # Target lengths rise and fall in turn from one source length to the next: neighbours are alike there too.
    order = numpy.lexsort((rng.random(len(rows), numpy.float32), numpy.where(source % 2, -target, target), source))
    rows, source, target = rows[order], source[order], target[order]
    groups, first = [], 0
    while first < len(rows):
        last = first + max(1, budget // int(source[first] + target[first]))  # not more rows than this fit
        longest = numpy.maximum.accumulate(target[first:last])
        padded = (source[first:last] + longest) * numpy.arange(1, len(longest) + 1)
        last = first + max(1, int(numpy.searchsorted(padded, budget, side="right")))
        groups.append(rows[first:last])
        first = last
    return [groups[i] for i in rng.permutation(len(groups))]


class Mix:
    """The endless stream of batches. It depends on the seed, the budget of tokens and the position in each phase; a
    resumed run goes on with the batch that would have come next. A thread groups the epoch after the one at hand."""

    def __init__(self, corpora, batch_tokens, positions=None):
        """`corpora`: all of CORPORA or some. `positions`: of each phase, (epoch, batches read of it), as `positions`
        gives it; None at the start."""
        self.names = [name for name in CORPORA if name in corpora]
        self.tokens = Tokens.joined([corpora[name] for name in self.names])
        self.sizes = [len(corpora[name]) for name in self.names]
        self.batch_tokens = batch_tokens
        self.positions = [list(position) for position in positions or [(0, 0)] * len(PHASE_ENDS)]
        self.held = (None, None, [])  # the epoch at hand: phase, epoch, batches
        self.planner = concurrent.futures.ThreadPoolExecutor(1)
        self.plans = {}  # (phase, epoch): batches to come

    def plan(self, phase, epoch):
        """The batches of an epoch, in order."""
        rng = numpy.random.default_rng((SEED, phase, epoch))
        rows = epoch_rows(self.sizes, [CORPORA[name][phase] for name in self.names], rng)
        return batches(self.tokens, rows, self.batch_tokens, rng)

    def prepare(self, phase, epoch):
        """Starts to group an epoch, if it was not begun before."""
        if (phase, epoch) not in self.plans and phase < len(PHASE_ENDS):
            self.plans[phase, epoch] = self.planner.submit(self.plan, phase, epoch)

    def next(self, phase):
        """Row numbers into `tokens` of the next batch of the phase."""
        epoch, position = self.positions[phase]
        if self.held[:2] != (phase, epoch):
            self.prepare(phase, epoch)
            self.held = (phase, epoch, self.plans.pop((phase, epoch)).result())
            self.prepare(phase, epoch + 1)
            if phase + 1 < len(PHASE_ENDS):
                self.prepare(phase + 1, self.positions[phase + 1][0])
        batch = self.held[2][position]
        last = position + 1 == len(self.held[2])
        self.positions[phase] = [epoch + 1, 0] if last else [epoch, position + 1]
        return batch


def vocabulary_of(work):
    """{piece: id} of WORK/joint.model, and <pad> as the last."""
    subwords = sentencepiece.SentencePieceProcessor(model_file=f"{work}/joint.model")
    pieces = {subwords.id_to_piece(i): i for i in range(subwords.get_piece_size())}
    pieces["<pad>"] = len(pieces)
    return pieces


def write_json(path, content, indent=2):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=indent)
        file.write("\n")
