# SPDX-License-Identifier: Apache-2.0
"""The tables of translation: single requests, everything at once, and what a million characters cost."""

import contextlib
import os
import statistics
import subprocess
import sys

from closed_loop import median_load, ratio_text
from peer_process import PeerProcess
from report import progress
from translators import OFFLINE_BATCH, CTranslate2, Heed, OnnxRuntime, Transformers, Work

REPOSITORY = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
RECIPES = os.path.join(REPOSITORY, "weights/recipes")
RANDOM_TOKENS = 20  # of a translation by random weights, which do not know when to end; Heed decodes an end after them


def own_lines(count):
    """The repository's own text: lines of two sentences, about as long as a caption."""
    sys.path.insert(0, RECIPES)
    import made_up_text

    sentences = [english for english, _ in made_up_text.pairs(2 * count, 16)]
    return [f"{a} {b}" for a, b in zip(sentences[::2], sentences[1::2])]


def lines_of(options):
    """Those of --input, or our own; at most --lines."""
    if not options.input:
        return own_lines(options.lines)
    with open(options.input, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line.strip()][: options.lines]


def random_weights(cache):
    """A model directory of OPUS-MT's size, made once."""
    folder = os.path.join(cache, "opus-mt-sized")
    if not os.path.exists(os.path.join(folder, "vocab.json")):  # the recipe writes it last
        spm = os.path.join(REPOSITORY, "weights/translator-en-de/source.spm")
        command = [sys.executable, os.path.join(RECIPES, "random_opus_mt.py"), f"--spm={spm}", f"--output={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


class TranslationPart:
    """`peers` names those that can be imported; the report was told of the others."""

    def __init__(self, options, report, peers):
        self.options, self.report, self.peers = options, report, peers
        self.best = {}  # (weights, beam, precision, engine): sentences a second

    def run(self):
        self.lines = lines_of(self.options)
        self.characters = sum(map(len, self.lines)) / len(self.lines)
        self.report.section("Translation")
        self.report.line(
            f"{len(self.lines)} lines of {self.characters:.0f} characters on average, {self.options.threads} threads each. A ratio is"
            " Heed's sentences a second to the peer's: the median of the rounds, and their range."
        )
        shipped = os.path.join(REPOSITORY, "weights/translator-en-de")
        weights = {"translator-en-de": lambda: (shipped, 0), "OPUS-MT-sized": lambda: (random_weights(self.options.cache), RANDOM_TOKENS)}
        for name in self.options.weights:
            model_dir, tokens = weights[name]()
            work = Work(model_dir, self.lines, tokens, self.options.threads)
            for precision in self.options.precisions:
                self.compare(name, work, precision)
        self.costs()

    def engines(self, name, work, precision, stack):
        """Heed's server, and the peers that have the precision and can load the weights."""
        heed = stack.enter_context(Heed(work, self.options.bin, precision))
        kinds = {
            "ctranslate2": (CTranslate2, (work, precision, os.path.join(self.options.cache, f"ctranslate2-{name}"))),
            "torch": (Transformers, (work,)),
            "onnxruntime": (OnnxRuntime, (work, precision, os.path.join(self.options.cache, f"onnx-{name}"))),
        }
        peers = []
        for package, (kind, arguments) in kinds.items():
            if package in self.peers and precision in kind.PRECISIONS:
                progress(f"{name} {precision}: preparing {kind.name}")
                peer = self.try_peer(kind, lambda: PeerProcess(kind, *arguments))  # noqa: B023
                if peer:
                    peers.append(stack.enter_context(peer))
        return heed, peers

    def try_peer(self, peer, work):
        """work()'s result; None, and the page says why, if it fails. Only Heed's failures are failures of the comparison."""
        try:
            return work()
        except (RuntimeError, OSError) as error:
            self.report.skipped(peer.name, str(error))
            return None

    def compare(self, name, work, precision):
        with contextlib.ExitStack() as stack:
            heed, peers = self.engines(name, work, precision, stack)
            self.report.section(f"{name}, {precision}: single requests as they come", 3)
            self.report.line(f"Heed computes in {heed.computes_in()}.")
            self.report.line()
            self.report.table(["beam", "in flight", "engine", "sentences/s", "p50 ms", "p99 ms", "Heed / it"])
            rates = {}  # (beam, in flight): Heed's of the rounds
            for beam in self.options.beams:
                for in_flight in self.options.in_flight:
                    rates[beam, in_flight] = self.cell(name, precision, heed, peers, beam, in_flight)
            if self.options.offline and peers:
                self.offline(name, precision, peers, rates)

    def cell(self, name, precision, heed, peers, beam, in_flight):
        loads = {}
        for round_number in range(self.options.rounds):
            for engine in (heed, *peers):
                if not engine.merges and (in_flight > 1 or round_number > 0):
                    continue  # one round shows what there is to see
                progress(f"{name} {precision} beam {beam}, {in_flight} in flight, round {round_number + 1}: {engine.name}")
                run = lambda: engine.one_by_one(beam, in_flight, self.options.seconds)  # noqa: B023, E731
                load = run() if engine is heed else self.try_peer(engine, run)
                if load is not None:
                    loads.setdefault(engine, []).append(load)
        ours = [load.rate for load in loads[heed]]
        for engine, rounds in loads.items():
            load = median_load(rounds)
            ratio = "" if engine is heed else ratio_text(ours, [load.rate for load in rounds])
            self.report.row(beam, in_flight, engine.name, f"{load.rate:.1f}", f"{load.p50_ms:.1f}", f"{load.p99_ms:.1f}", ratio)
            self.keep(name, beam, precision, engine.name, load.rate)
        return ours

    def keep(self, name, beam, precision, engine, rate):
        key = (name, beam, precision, engine)
        self.best[key] = max(rate, self.best.get(key, 0))

    def offline(self, name, precision, peers, rates):
        most = max(self.options.in_flight)
        self.report.section(f"{name}, {precision}: a peer's best case, all lines at once", 3)
        self.report.line(f"Batches of {OFFLINE_BATCH} lines, sorted by length, against Heed with {most} single requests in flight.")
        self.report.line()
        self.report.table(["beam", "peer", "lines/s", f"Heed, {most} in flight", "Heed / it"])
        for beam in self.options.beams:
            for peer in peers:
                rounds = self.options.rounds if peer.merges else 1
                progress(f"{name} {precision} beam {beam}, offline: {peer.name}")
                theirs = self.try_peer(peer, lambda: [peer.offline(beam) for _ in range(rounds)])  # noqa: B023
                if theirs is None:
                    continue
                ours = rates[beam, most]
                self.report.row(beam, peer.name, f"{statistics.median(theirs):.1f}", f"{statistics.median(ours):.1f}", ratio_text(ours, theirs))
                self.keep(name, beam, precision, f"{peer.name}, offline", statistics.median(theirs))

    def costs(self):
        price, threads = self.options.core_hour_price, self.options.threads
        self.report.section("What a million characters cost", 3)
        self.report.line(
            f"At {price:g} USD for an hour of a core, {threads} of which are busy all the time; characters of the source, at the most sentences a"
            " second of the tables above."
        )
        self.report.line()
        self.report.table(["weights", "beam", "precision", "engine", "characters/s of a core", "USD for a million"])
        for (name, beam, precision, engine), rate in self.best.items():
            speed = rate * self.characters / threads
            self.report.row(name, beam, precision, engine, f"{speed:,.0f}", f"{price / 3600 * 1e6 / speed:.4f}")
