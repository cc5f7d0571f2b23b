#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""BLEU by the length of the source for several models of a running server: of English captions in groups by length, and of
several captions joined to one sentence.

    bleu_by_length.py --source=FILE --reference=FILE [--server=ADDRESS] [--models=NAME,NAME] [--beam=N] [--client=PATH]

FILE is text or gzip, one English or German caption a line. Joined captions are those that follow one another in FILE; "and"
and "und" join them. Prints the tables, puts them into --page between its marks, and draws --picture. Needs sacrebleu.
"""

import argparse
import itertools
import os
import re

import sacrebleu

from translation_bleu import REPOSITORY, client_path, read_lines, translate

GROUPS = ((1, 8), (9, 11), (12, 14), (15, 20), (21, 1000))  # source words
JOINED = (2, 3, 4)  # captions in one sentence
MARKS = "<!-- bleu-by-length: {} -->"
COLORS = ("#cf222e", "#0969da", "#1a7f37", "#8250df")


def bleu(translations, references):
    return sacrebleu.corpus_bleu(translations, [references]).score


def joined(lines, count, word):
    """Each `count` lines that follow one another as one sentence, joined by `word`; the rest at the end is left out. First
    words that the text also has in small letters become small."""
    small = {word for line in lines for word in line.split()[1:]}
    result = []
    for i in range(0, len(lines) - count + 1, count):
        first, *others = (line.rstrip(" .") for line in lines[i : i + count])
        for other in others:
            head, blank, rest = other.partition(" ")
            first += f" {word} " + (head.lower() if head.lower() in small else head) + blank + rest
        result.append(first + ".")
    return result


def group_name(group):
    return f"{group[0]}-{group[1]}" if group[1] < 1000 else f"{group[0]} or more"


def by_length(sources, references, translations):
    """[(name of the group, sentences, BLEU)]"""
    words = [len(source.split()) for source in sources]
    result = []
    for group in GROUPS:
        rows = [i for i, count in enumerate(words) if group[0] <= count <= group[1]]
        if rows:
            result.append((group_name(group), len(rows), bleu(*([lines[i] for i in rows] for lines in (translations, references)))))
    return result


def by_joined(sources, references, translate_lines):
    """[(captions in one and mean words, inputs, BLEU)] of each of JOINED."""
    result = []
    for count in JOINED:
        texts = joined(sources, count, "and")
        words = sum(len(text.split()) for text in texts) / len(texts)
        score = bleu(translate_lines(texts), joined(references, count, "und"))
        result.append((f"{count} ({words:.0f} words)", len(texts), score))
    return result


# ---------------------------------------------------------------------------------------------- page and picture


def table(title, results):
    """Markdown lines; `results` is {model: [(column, size, BLEU)]}."""
    columns = next(iter(results.values()))
    return [
        f"| {title} | " + " | ".join(name for name, _, _ in columns) + " |",
        "| --- |" + " --- |" * len(columns),
        "| inputs | " + " | ".join(str(size) for _, size, _ in columns) + " |",
        *(f"| {model} | " + " | ".join(f"{score:.1f}" for _, _, score in row) + " |" for model, row in results.items()),
    ]


def put_into_page(path, name, lines):
    """Replaces the text between the marks `name` and `end`."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    begin, end = MARKS.format(name), MARKS.format("end")
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"bleu_by_length.py: {path} has no '{begin}' with a '{end}' after it")
    with open(path, "w", encoding="utf-8") as file:
        file.write(pattern.sub(lambda match: match[1] + "\n".join(lines) + "\n" + match[2], page))


def text(x, y, content, anchor="middle", color="#57606a", weight="normal"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}" font-weight="{weight}">{content}</text>'


def panel(left, title, axis, results):
    """SVG elements of one diagram, 400 wide, whose top left corner is at (left, 0)."""
    first, last, top, bottom = left + 60, left + 390, 60, 280
    columns = next(iter(results.values()))
    ceiling = 10 * (int(max(score for row in results.values() for _, _, score in row)) // 10 + 1)
    x_of = lambda i: first + 30 + (last - first - 60) * i / max(1, len(columns) - 1)  # noqa: E731
    y_of = lambda score: bottom - (bottom - top) * score / ceiling  # noqa: E731
    elements = [text(first, 30, title, "start", "#24292f", "bold"), text((first + last) / 2, bottom + 40, axis)]
    for score in range(0, ceiling + 1, 10):
        elements.append(f'<path d="M{first} {y_of(score):.1f}H{last}" stroke="#d0d7de"/>')
        elements.append(text(first - 8, y_of(score) + 4, score, "end"))
    elements += [text(x_of(i), bottom + 18, name) for i, (name, _, _) in enumerate(columns)]
    for color, (model, row) in zip(itertools.cycle(COLORS), results.items()):
        points = [(x_of(i), y_of(score)) for i, (_, _, score) in enumerate(row)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        elements.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"><title>{model}</title></polyline>')
        elements += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in points]
    return elements


def picture(models, panels):
    """An SVG of two panels and a legend below them."""
    elements = ['<rect x="0.5" y="0.5" width="859" height="369" rx="8" fill="#ffffff" stroke="#d0d7de"/>']
    for left, arguments in zip((0, 420), panels):
        elements += panel(left, *arguments)
    for i, (color, model) in enumerate(zip(itertools.cycle(COLORS), models)):
        elements.append(f'<circle cx="{66 + 250 * i}" cy="346" r="5" fill="{color}"/>')
        elements.append(text(78 + 250 * i, 350, model, "start", "#24292f"))
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="860" height="370" viewBox="0 0 860 370" font-size="12" '
        'font-family="Segoe UI, Helvetica, Arial, sans-serif" role="img" aria-label="BLEU by the length of the source">'
    )
    return "\n".join([head, *elements, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="sentences to translate")
    parser.add_argument("--reference", required=True, help="their translations")
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--models", default="translator-en-de-rnn-plain,translator-en-de-rnn,translator-en-de", help="default: %(default)s")
    parser.add_argument("--beam", type=int, default=4, help="beam size (default: %(default)s)")
    parser.add_argument("--client", default="build/bin/heed", help="client binary, from the repository's root")
    parser.add_argument("--page", default=os.path.join(REPOSITORY, "docs/attention-and-length.md"), help="empty: none")
    parser.add_argument("--picture", default=os.path.join(REPOSITORY, "docs/images/attention-and-length.svg"), help="empty: none")
    arguments = parser.parse_args()
    sources, references = read_lines(arguments.source), read_lines(arguments.reference)
    if len(sources) != len(references):
        parser.error(f"{arguments.source} has {len(sources)} lines, {arguments.reference} {len(references)}")
    client = client_path(arguments.client)
    if not client:
        parser.error(f"--client: {arguments.client} is not there; scripts/build.sh builds it")
    lengths, joins = {}, {}
    for model in arguments.models.split(","):
        command = [client, "translate", f"--server={arguments.server}", f"--model={model}", f"--beam={arguments.beam}", "--no_split"]
        print(f"{model} ...", flush=True)
        lengths[model] = by_length(sources, references, translate(command, sources))
        joins[model] = by_joined(sources, references, lambda lines: translate(command, lines))
    for name, title, results in (("single", "words of the source", lengths), ("joined", "captions in one", joins)):
        lines = table(title, results)
        print("\n".join(lines) + "\n")
        if arguments.page:
            put_into_page(arguments.page, name, lines)
    if arguments.picture:
        with open(arguments.picture, "w", encoding="utf-8") as file:
            panels = ("Single captions", "words of the source", lengths), ("Captions joined", "captions in one sentence", joins)
            file.write(picture(lengths, panels))


if __name__ == "__main__":
    main()
