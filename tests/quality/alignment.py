#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says which head of a translator's cross-attention aligns best, and how well.

    alignment.py --model=DIR --train=SOURCE,REFERENCE --source=FILE --reference=FILE [--client=heed-phrases] [--shown=N]

The references of a development set are forced on the model, so that every head says what each of their tokens renders.
That is compared with the alignment of a statistical aligner of words (IBM model 1 with a preference for the diagonal, as
in Dyer et al. 2013), trained in both directions on the training set, where the two directions agree. A word is aligned
with the source word that most of its tokens are. Prints for each head, and for means of several, the share of these
links that it finds, and of equal words on both sides (numbers, names, marks) how many it aligns with each other.

Files are text or gzip, one sentence a line. Needs numpy. The head of generation_config.json's alignment_heads is chosen
by these figures.
"""

import argparse
import collections
import gzip
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy

WORD = re.compile(r"\w+|[^\w\s]")


def read_lines(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read().removesuffix("\n").split("\n")


def words(line):
    """(lower-case word, its bytes' begin, their end) of a line."""
    found = []
    for match in WORD.finditer(line):
        begin = len(line[: match.start()].encode())
        found.append((match.group().lower(), begin, begin + len(match.group().encode())))
    return found


class Aligner:
    """p(target word | source word), and for each target word of a pair the best source word."""

    TENSION, ROUNDS = 4.0, 5

    def __init__(self, pairs):
        self.sources, self.targets = {}, {}
        links = []
        for source, target in pairs:
            s = numpy.array([self.sources.setdefault(w, len(self.sources)) for w in source])
            t = numpy.array([self.targets.setdefault(w, len(self.targets)) for w in target])
            links.append((s, t))
        keys, weights, owners = [], [], []
        for pair, (s, t) in enumerate(links):
            keys.append((s[None, :] * len(self.targets) + t[:, None]).ravel())
            weights.append(self.diagonal(len(s), len(t)).ravel())
            owners.append(numpy.repeat(numpy.arange(len(t)), len(s)))
        offsets = numpy.cumsum([0] + [len(t) for _, t in links])
        owner = numpy.concatenate([o + offset for o, offset in zip(owners, offsets)])
        self.known, index = numpy.unique(numpy.concatenate(keys), return_inverse=True)
        weight = numpy.concatenate(weights)
        source_of = self.known // len(self.targets)
        table = numpy.ones(len(self.known))
        for _ in range(self.ROUNDS):
            p = table[index] * weight
            p /= numpy.bincount(owner, p, offsets[-1])[owner]
            counts = numpy.bincount(index, p, len(self.known))
            table = counts / numpy.bincount(source_of, counts)[source_of]
        self.table = table

    def diagonal(self, s, t):
        places = (numpy.arange(s)[None, :] + 0.5) / s - (numpy.arange(t)[:, None] + 0.5) / t
        return numpy.exp(-self.TENSION * numpy.abs(places))

    def links(self, source, target):
        s = numpy.array([self.sources.get(w, -1) for w in source])
        t = numpy.array([self.targets.get(w, -1) for w in target])
        key = s[None, :] * len(self.targets) + t[:, None]
        at = numpy.minimum(numpy.searchsorted(self.known, key), len(self.known) - 1)
        p = numpy.where((self.known[at] == key) & (s >= 0)[None, :] & (t >= 0)[:, None], self.table[at], 1e-9)
        best = (p * self.diagonal(len(source), len(target))).argmax(1)
        return {(int(best[j]), j) for j in range(len(target))}


def reference_links(train, pairs):
    """For each pair of lists of words, the links (source word, target word) on which both directions agree."""
    forward = Aligner(train)
    backward = Aligner([(t, s) for s, t in train])
    return [forward.links(s, t) & {(i, j) for j, i in backward.links(t, s)} for s, t in pairs]


def links_of(alignment, source, target):
    """Word links of a model's alignment of tokens."""
    def word_at(found, begin, end):
        overlaps = [min(end, e) - max(begin, b) for _, b, e in found]
        best = max(range(len(found)), key=overlaps.__getitem__)
        return best if overlaps[best] > 0 else None

    votes = collections.defaultdict(collections.Counter)
    for target_begin, target_end, source_begin, source_end in alignment:
        j, i = word_at(target, target_begin, target_end), word_at(source, source_begin, source_end)
        if i is not None and j is not None:
            votes[j][i] += 1
    return {(counter.most_common(1)[0][0], j) for j, counter in votes.items()}


def align(client, model, heads, sources, references):
    with tempfile.TemporaryDirectory() as directory:
        for name in os.listdir(model):
            if name != "generation_config.json":
                os.symlink(os.path.abspath(os.path.join(model, name)), os.path.join(directory, name))
        path = os.path.join(model, "generation_config.json")
        settings = json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {}
        settings["alignment_heads"] = heads
        with open(os.path.join(directory, "generation_config.json"), "w", encoding="utf-8") as file:
            json.dump(settings, file)
        lines = [json.dumps({"text": s, "prefix": r}) for s, r in zip(sources, references)]
        run = subprocess.run([client, directory, "--beam=1", "--align"], input="\n".join(lines) + "\n",
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", check=True)
        return [json.loads(line) for line in run.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True, help="SOURCE,REFERENCE")
    parser.add_argument("--source", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--client", default="build/bin/heed-phrases")
    parser.add_argument("--lines", type=int, default=300, help="of the development set (default: %(default)s)")
    arguments = parser.parse_args()
    sources, references = read_lines(arguments.source)[: arguments.lines], read_lines(arguments.reference)[: arguments.lines]
    pairs = [(words(s), words(r)) for s, r in zip(sources, references)]
    just_words = [([w for w, _, _ in s], [w for w, _, _ in r]) for s, r in pairs]
    train = [([w for w, _, _ in words(s)], [w for w, _, _ in words(r)])
             for s, r in zip(*map(read_lines, arguments.train.split(",")))]
    wanted = reference_links([pair for pair in train if all(pair)] + just_words, just_words)
    equal = [{(i, j) for i, j in itertools.product(range(len(s)), range(len(r)))
              if s[i] == r[j] and s.count(s[i]) == 1 and r.count(r[j]) == 1} for s, r in just_words]
    config = json.load(open(os.path.join(arguments.model, "config.json"), encoding="utf-8"))
    if config["model_type"] == "marian":
        layers, heads = config["decoder_layers"], config["decoder_attention_heads"]
        every = [[layer, head] for layer in range(layers) for head in range(heads)]
        tried = [[head] for head in every] + [[head for head in every if head[0] == layer] for layer in range(layers)]
    else:
        tried = [[]]
    print(f"{sum(map(len, wanted))} links, {sum(map(len, equal))} equal words, {len(pairs)} sentences")
    results = []
    for heads in tried:
        found = [links_of(answer["alignment"], s, r) if answer.get("text", "").startswith(reference) else set()
                 for answer, (s, r), reference in
                 zip(align(arguments.client, arguments.model, heads, sources, references), pairs, references)]
        links = sum(len(a & b) for a, b in zip(found, wanted)) / max(1, sum(map(len, wanted)))
        same = sum(len(a & b) for a, b in zip(found, equal)) / max(1, sum(map(len, equal)))
        results.append((links, heads))
        print(f"{links:7.1%} of the links, {same:7.1%} of equal words: {json.dumps(heads) if heads else 'its attention'}",
              flush=True)
    results.sort(key=lambda result: -result[0])
    print("best:", json.dumps(results[0][1]))


if __name__ == "__main__":
    sys.exit(main())
