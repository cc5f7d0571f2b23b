# SPDX-License-Identifier: Apache-2.0
"""Heed beside its peers on the same weights and the same machine, in turns. tests/bench/compare.sh installs the peers and
runs this.

Peers that cannot be imported are skipped, and the page says so. Exits 1 if Heed fails, 2 for wrong flags.
"""

import argparse
import importlib
import os
import sys
import time
import traceback

import machine
from graph_part import GraphPart
from report import Report, progress
from script_part import ScriptPart
from translation_part import TranslationPart
from translators import Heed

REPOSITORY = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
# What each peer needs, and the packages whose versions the page names.
PEERS = {
    "ctranslate2": ("CTranslate2", ("ctranslate2", "sentencepiece", "transformers", "torch")),
    "torch": ("PyTorch with transformers", ("torch", "transformers", "sentencepiece")),
    "onnxruntime": ("ONNX Runtime", ("onnxruntime", "optimum", "onnx", "transformers", "torch")),
    "torch_geometric": ("PyTorch Geometric", ("torch_geometric", "torch", "safetensors")),
}
PARTS = ("translation", "graphs", "scripts")
WEIGHTS = ("translator-en-de", "OPUS-MT-sized")
PRECISIONS = ("f32", "int8", "bf16")


def words_of(allowed):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"'{word}' is none of {', '.join(allowed)}")
        return words

    return parse


def counts(text):
    numbers = [int(word) for word in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("numbers are from 1 on")
    return numbers


def parse_flags(arguments):
    parser = argparse.ArgumentParser(prog="compare.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(REPOSITORY, "build/bin"), help="folder of heed, heed-server and graph_bench (default: build/bin)")
    parser.add_argument("--cache", required=True, help="folder for converted and random models and graphs (compare.sh sets it)")
    parser.add_argument("--output", default="", help="file for the page (default: compare.md in the cache)")
    parser.add_argument("--parts", type=words_of(PARTS), default=list(PARTS), help=f"what to compare (default: {','.join(PARTS)})")
    parser.add_argument("--weights", type=words_of(WEIGHTS), default=list(WEIGHTS), help=f"translators (default: {','.join(WEIGHTS)})")
    parser.add_argument("--precisions", type=words_of(PRECISIONS), default=["f32", "int8"], help="of f32, int8, bf16 (default: f32,int8)")
    parser.add_argument("--beams", type=counts, default=[1, 4], help="beam sizes (default: 1,4)")
    parser.add_argument("--in_flight", type=counts, default=[1, 8, 64], help="single requests at a time (default: 1,8,64)")
    parser.add_argument("--threads", type=int, default=0, help="threads of every engine (default: the cores)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="in which the engines take turns (default: %(default)s)")
    parser.add_argument("--input", default="", help="file of lines to translate (default: lines from the repository's own recipe)")
    parser.add_argument("--lines", type=int, default=640, help="lines to use (default: %(default)s)")
    parser.add_argument("--no_offline", dest="offline", action="store_false", help="leave out the peers' best case, all lines at once")
    parser.add_argument("--core_hour_price", type=float, default=0.04, help="USD for an hour of a core (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a smoke run of some minutes: small, once, figures mean nothing")
    options = parser.parse_args(arguments)
    options.threads = options.threads or machine.cores()
    options.output = options.output or os.path.join(options.cache, "compare.md")
    if options.quick:
        options.seconds, options.rounds, options.beams, options.in_flight = 1.0, 1, [1], [1, 8]
        options.lines = min(options.lines, 64)
    for program in ("heed", "heed-server"):
        if not os.access(os.path.join(options.bin, program), os.X_OK):
            parser.error(f"--bin: {options.bin} has no {program}; scripts/build.sh builds it")
    if options.input and not os.path.exists(options.input):
        parser.error(f"--input: there is no file {options.input}")
    return options


def usable_peers(report):
    """Those whose packages can be imported, with the versions of all of them in the page."""
    usable = []
    for peer, (title, packages) in PEERS.items():
        try:
            for package in packages:
                importlib.import_module(package)
            if peer == "onnxruntime":
                importlib.import_module("optimum.onnxruntime")
        except Exception as error:  # a package that is there and broken is as good as absent
            report.skipped(title, f"{type(error).__name__}: {error}")
            continue
        usable.append(peer)
        versions = ", ".join(f"{package} {machine.version(package)}" for package in packages)
        report.line(f"- {title}: {versions}")
    return usable


def head(options, report):
    model, instruction_sets = machine.cpu()
    report.line("# Heed and its peers")
    report.line()
    if options.quick:
        report.line("**A smoke run: these figures mean nothing.**")
        report.line()
    report.line(f"- machine: {model}, {machine.cores()} cores: {', '.join(instruction_sets) or 'no instruction set that we name'}")
    load = machine.load_average()
    busy = " **The machine was busy: engines whose threads wait for each other suffer most, and ratios mislead.**"
    report.line(f"- load average when it began: {load:.2f}.{busy if load > machine.cores() / 2 else ''}")
    report.line(f"- Heed {Heed.version(options.bin)}, Python {sys.version.split()[0]}")
    return usable_peers(report)


def main():
    options = parse_flags(sys.argv[1:])
    os.makedirs(options.cache, exist_ok=True)
    began, failed, report = time.monotonic(), [], Report(options.output)
    try:
        peers = head(options, report)
        reduced = [precision for precision in options.precisions if precision != "f32"]
        if reduced and not Heed.knows_precision(options.bin):
            report.skipped(", ".join(reduced), "this heed-server has no --precision")
            options.precisions = [precision for precision in options.precisions if precision == "f32"]
        parts = {"translation": TranslationPart, "graphs": GraphPart, "scripts": ScriptPart}
        for part in options.parts:
            try:
                parts[part](options, report, peers).run()
            except Exception as error:
                traceback.print_exc()
                report.blank()
                report.line(f"**Failed: {part}**: {error}")
                failed.append(part)
        report.blank()
        report.line(f"{(time.monotonic() - began) / 60:.0f} minutes; load average when it ended: {machine.load_average():.2f}")
    finally:
        report.close()
    progress(f"compare.sh: written to {options.output}")
    if failed:
        sys.exit(f"compare.sh: {', '.join(failed)} failed")


if __name__ == "__main__":
    main()
