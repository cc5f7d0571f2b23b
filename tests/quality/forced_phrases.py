#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What forced phrases do to BLEU and to time.

    forced_phrases.py --model=DIR --train=SOURCE,REFERENCE --source=FILE --reference=FILE [--client=heed-phrases]

Of each sentence of a development set, words of the reference that a statistical aligner (alignment.py) links to one
source word are forced, up to --phrases of them, long ones first (Post and Vilar 2018 take random phrases). Then some are
replaced on both sides by a code that no model can write, "{v3}", which must stay: --codes. Prints for both BLEU
(sacrebleu, 13a, mixed case) with and without, the share of the phrases that are in the translation, and sentences a
second. Needs numpy and sacrebleu.
"""

import argparse
import json
import subprocess
import sys

import sacrebleu

from alignment import read_lines, reference_links, words


def requests_of(source, reference, links, phrases, codes):
    """(line with phrases, reference): `phrases` words forced, or replaced by codes in both."""
    s, r = words(source), words(reference)
    chosen = sorted(((j, i) for i, j in links if len(r[j][0]) > 3 and r[j][0].isalpha()), key=lambda l: -len(r[l[0]][0]))
    by_source = sorted({i: (i, j) for j, i in chosen[:phrases]}.values())
    text, target = source.encode(), reference.encode()
    if not codes:
        forced = [{"begin": s[i][1], "end": s[i][2], "target": target[r[j][1]:r[j][2]].decode()} for i, j in by_source]
        return {"text": source, "forced": forced}, reference
    names = {i: b"{v%d}" % k for k, (i, _) in enumerate(by_source)}
    replaced = sorted(((r[j][1], r[j][2], names[i]) for i, j in by_source), reverse=True)
    for begin, end, name in replaced:
        target = target[:begin] + name + target[end:]
    parts, forced, at = [], [], 0
    for i, _ in by_source:
        parts += [text[at:s[i][1]], names[i]]
        begin = len(b"".join(parts[:-1]))
        forced.append({"begin": begin, "end": begin + len(names[i]), "target": names[i].decode()})
        at = s[i][2]
    return {"text": b"".join(parts + [text[at:]]).decode(), "forced": forced}, target.decode()


def translate(arguments, lines):
    run = subprocess.run([arguments.client, arguments.model, f"--beam={arguments.beam}"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, input="".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8",
                         check=True)
    return [json.loads(line)["text"] for line in run.stdout.splitlines()], run.stderr.strip().rsplit(": ", 1)[-1]


def report(title, arguments, lines, references):
    texts, speed = translate(arguments, lines)
    wanted = there = 0
    for line, text in zip(lines, texts):
        for phrase in line.get("forced", line.get("hoped", [])):
            wanted += 1
            there += phrase["target"] in text
    bleu = sacrebleu.BLEU(tokenize="13a").corpus_score(texts, [references]).score
    share = f"{there / wanted:.1%} of {wanted} phrases" if wanted else "no phrases"
    print(f"{title}: BLEU {bleu:.2f}, {share}, {speed}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "train", "source", "reference"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--client", default="build/bin/heed-phrases")
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--phrases", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--plain", type=int, default=1, help="0: leave out what is not forced")
    arguments = parser.parse_args()
    sources, references = read_lines(arguments.source)[: arguments.lines], read_lines(arguments.reference)[: arguments.lines]
    pairs = [([w for w, _, _ in words(s)], [w for w, _, _ in words(r)]) for s, r in zip(sources, references)]
    train = [([w for w, _, _ in words(s)], [w for w, _, _ in words(r)])
             for s, r in zip(*map(read_lines, arguments.train.split(",")))]
    links = reference_links([pair for pair in train if all(pair)] + pairs, pairs)
    for codes in (False, True):
        for count in arguments.phrases:
            made = [requests_of(s, r, l, count, codes) for s, r, l in zip(sources, references, links)]
            lines, wanted = [line for line, _ in made], [reference for _, reference in made]
            what = f"{count} {'codes' if codes else 'words'}"
            if arguments.plain:
                report(f"{what}, not forced", arguments, [{"text": l["text"], "hoped": l["forced"]} for l in lines], wanted)
            report(f"{what}, forced", arguments, lines, wanted)


if __name__ == "__main__":
    sys.exit(main())
