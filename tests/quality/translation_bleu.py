#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scores a running server: translates a file with `heed translate` and prints its BLEU (sacrebleu, 13a, mixed case).

    translation_bleu.py --source=FILE --reference=FILE [--server=ADDRESS] [--model=NAME] [--beam=N] [--client=PATH]

FILE is text or gzip, one sentence a line. Exits 1 below --minimum. Needs sacrebleu.
"""

import argparse
import gzip
import os
import shlex
import subprocess
import sys
import time

import sacrebleu

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def read_lines(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read().removesuffix("\n").split("\n")


def client_path(path):
    """`path`, from the repository's root if it is not there; None if nobody can run it."""
    if not os.path.isabs(path) and not os.path.exists(path):
        path = os.path.join(REPOSITORY, path)
    return path if os.access(path, os.X_OK) else None


def translate(command, lines):
    """The translations that `command` (heed translate ...) prints of the lines; exits if it fails."""
    result = subprocess.run(command, input="\n".join(lines) + "\n", stdout=subprocess.PIPE, encoding="utf-8")
    program, shown = os.path.basename(sys.argv[0]), shlex.join(command)
    if result.returncode != 0:
        sys.exit(f"{program}: {shown} exited with {result.returncode}")
    translations = result.stdout.removesuffix("\n").split("\n")
    if len(translations) != len(lines):
        sys.exit(f"{program}: {len(translations)} translations of {len(lines)} lines by {shown}")
    return translations


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="sentences to translate")
    parser.add_argument("--reference", required=True, help="their translations")
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--model", default="", help="model to ask (default: the server's only translator)")
    parser.add_argument("--beam", type=int, default=4, help="beam size (default: %(default)s)")
    parser.add_argument("--client", default="build/bin/heed", help="client binary, from the repository's root")
    parser.add_argument("--no_split", action="store_true", help="translate lines as a whole, not by sentences")
    parser.add_argument("--output", default="", help="file to keep the translations in")
    parser.add_argument("--minimum", type=float, default=0.0, help="fail below this score")
    arguments = parser.parse_args()
    sources, references = read_lines(arguments.source), read_lines(arguments.reference)
    if len(sources) != len(references):
        parser.error(f"{arguments.source} has {len(sources)} lines, {arguments.reference} {len(references)}")
    client = client_path(arguments.client)
    if not client:
        parser.error(f"--client: {arguments.client} is not there; scripts/build.sh builds it")
    command = [client, "translate", f"--server={arguments.server}", f"--beam={arguments.beam}"]
    if arguments.model:
        command.append(f"--model={arguments.model}")
    if arguments.no_split:
        command.append("--no_split")
    shown = shlex.join([arguments.client] + command[1:])
    print(f"{shown} < {arguments.source}   ({len(sources)} lines)", flush=True)
    began = time.monotonic()
    translations = translate(command, sources)
    seconds = time.monotonic() - began
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in translations)
    metric = sacrebleu.BLEU(tokenize="13a", lowercase=False)
    score = metric.corpus_score(translations, [references])
    print(score)
    print(f"signature: {metric.get_signature()}")
    print(f"{seconds:.1f} s, {len(sources) / seconds:.1f} lines/s")
    if score.score < arguments.minimum:
        sys.exit(f"translation_bleu.py: {score.score:.2f} is below {arguments.minimum}")


if __name__ == "__main__":
    main()
