#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scores an English-German translator of a running server on sets of several kinds: BLEU (sacrebleu, 13a, mixed case) and chrF.

    translator_sets.py --data=DIR [--sets=NAME,NAME] [--server=ADDRESS] [--model=NAME] [--beam=N] [--client=PATH]

DIR holds multi30k/, tatoeba/, msdocs-support/, chat-bcontrast/ and newstest/. Each line of a set is translated as a whole.
Prints a Markdown table, and after it tests/quality/everyday.en with what the server makes of it. Needs sacrebleu.
"""

import argparse
import os

import sacrebleu

from translation_bleu import REPOSITORY, client_path, read_lines, translate

EVERYDAY = os.path.join(REPOSITORY, "tests/quality/everyday.en")
SETS = {  # {name: file of pairs, or of the source and the reference}
    "multi30k/test_2016_flickr": ("multi30k/test_2016_flickr.en.gz", "multi30k/test_2016_flickr.de.gz"),
    "tatoeba/dev_1000": ("tatoeba/dev_1000.tsv.gz",),
    "msdocs-support/dev_tech_1000": ("msdocs-support/dev_tech_1000.tsv.gz",),
    "chat-bcontrast/dev": ("chat-bcontrast/dev.tsv.gz",),
    "newstest/newstest2018": ("newstest/newstest2018.tsv.gz",),
}


def read_pairs(data, files):
    """(sources, references). ValueError names the line that is no pair."""
    if len(files) == 2:
        return tuple(read_lines(f"{data}/{file}") for file in files)
    rows = [line.split("\t") for line in read_lines(f"{data}/{files[0]}")]
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise ValueError(f"{data}/{files[0]}: line {number} has no tab")
    return tuple([row[side] for row in rows] for side in (0, 1))


def cell(text):
    """A cell of a Markdown table."""
    return text.replace("|", "\\|")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of the sets")
    parser.add_argument("--sets", default=",".join(SETS), help="which, of these (default: %(default)s)")
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--model", default="translator-en-de", help="model to ask (default: %(default)s)")
    parser.add_argument("--beam", type=int, default=4, help="beam size (default: %(default)s)")
    parser.add_argument("--client", default="build/bin/heed", help="client binary, from the repository's root")
    arguments = parser.parse_args()
    client = client_path(arguments.client)
    if not client:
        parser.error(f"--client: {arguments.client} is not there; scripts/build.sh builds it")
    names = arguments.sets.split(",")
    if unknown := set(names) - set(SETS):
        parser.error(f"--sets: {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    command = [client, "translate", f"--server={arguments.server}", f"--model={arguments.model}", f"--beam={arguments.beam}", "--no_split"]
    print("| set | lines | BLEU | chrF |\n| --- | --- | --- | --- |")
    for name in names:
        try:
            sources, references = read_pairs(arguments.data, SETS[name])
        except (OSError, ValueError) as error:
            parser.error(f"--data: {error}")
        translations = translate(command, sources)
        bleu = sacrebleu.corpus_bleu(translations, [references]).score
        chrf = sacrebleu.corpus_chrf(translations, [references]).score
        print(f"| {name} | {len(sources)} | {bleu:.1f} | {chrf:.1f} |", flush=True)
    print("\n| English | German |\n| --- | --- |")
    sources = read_lines(EVERYDAY)
    for source, translation in zip(sources, translate(command, sources)):
        print(f"| {cell(source)} | {cell(translation)} |")


if __name__ == "__main__":
    main()
