#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a translator loses in int8 and bf16: translates a file with a server of its own in each precision and compares.

    precision.py BIN_DIR --source=FILE --reference=FILE [--model_dir=DIR] [--precisions=f32,int8,bf16] [--beams=1,4]

FILE is text or gzip, one sentence a line. For each precision it starts BIN_DIR/heed-server --precision=NAME on the one model
and prints BLEU (sacrebleu, 13a, mixed case), the loss against f32, the share of translations that are those of f32, the time
to ready, the server's resident memory when it is ready and at its peak, and what the server says it computes in: bf16 is
served as f32 where the machine has no fast bf16. Below are the layers that lost most, as the server logs them.

Exits 1 if int8 loses --max_int8_loss or more, or bf16 --max_bf16_loss, in any beam. Needs sacrebleu.
"""

import argparse
import os
import sys
import tempfile
import time

import sacrebleu

from translation_bleu import REPOSITORY, read_lines, translate

sys.path.insert(0, os.path.join(REPOSITORY, "tests/support"))
from heed_server import HeedServer  # noqa: E402

MIB = 1 << 20


class Served:
    """The answers of one server, and what it says of itself."""

    def __init__(self, arguments, models, precision, sources):
        began = time.monotonic()
        heed = os.path.join(arguments.bin_dir, "heed")
        flags = [f"--models={models}", f"--precision={precision}", f"--threads={arguments.threads}", "--metrics_listen="]
        with HeedServer(os.path.join(arguments.bin_dir, "heed-server"), *flags) as server:
            self.ready_s = time.monotonic() - began
            self.resident = server.resident_bytes()
            (model,) = server.models(heed)
            self.precision, self.kernel = model["precision"], model["kernel"]
            self.translations = {}
            for beam in arguments.beams:
                command = [heed, "translate", f"--server={server.address}", f"--beam={beam}"]
                self.translations[beam] = translate(command, sources)
            self.peak = server.peak_resident_bytes()
            self.worst_layers = [line for line in server.log().splitlines() if " quantization " in line]


def measure(arguments, sources, references):
    """False if a precision loses too much."""
    limits = {"int8": arguments.max_int8_loss, "bf16": arguments.max_bf16_loss}
    exact, exact_scores, passed, notes = None, {}, True, []
    print("| precision | served as | kernel | ready, s | memory, MiB | peak, MiB | beam | BLEU | loss | identical, % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as models:
        os.symlink(os.path.abspath(arguments.model_dir), os.path.join(models, "model"))
        for precision in arguments.precisions:
            served = Served(arguments, models, precision, sources)
            notes += [f"{precision}: {line}" for line in served.worst_layers]
            if served.precision != precision:
                notes.append(f"{precision} is served as {served.precision} on this machine")
            exact = exact or served
            for beam, translations in served.translations.items():
                score = sacrebleu.corpus_bleu(translations, [references], tokenize="13a").score
                loss = exact_scores.setdefault(beam, score) - score
                same = sum(a == b for a, b in zip(translations, exact.translations[beam])) / len(translations)
                print(
                    f"| {precision} | {served.precision} | {served.kernel} | {served.ready_s:.2f} | {served.resident / MIB:.1f} |"
                    f" {served.peak / MIB:.1f} | {beam} | {score:.2f} | {loss:+.2f} | {100 * same:.1f} |",
                    flush=True,
                )
                if precision in limits and loss >= limits[precision]:
                    notes.append(f"{precision}, beam {beam}: loses {loss:.2f} BLEU; the limit is {limits[precision]}")
                    passed = False
    print("\n" + "\n".join(notes))
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", help="folder with heed and heed-server")
    parser.add_argument("--source", required=True, help="sentences to translate")
    parser.add_argument("--reference", required=True, help="their translations")
    parser.add_argument("--model_dir", default=os.path.join(REPOSITORY, "weights/translator-en-de"), help="default: the shipped one")
    parser.add_argument("--precisions", default="f32,int8,bf16", help="the first is what others are compared with (default: %(default)s)")
    parser.add_argument("--beams", default="1,4", help="beam sizes (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="the server's threads (default: its own)")
    parser.add_argument("--max_int8_loss", type=float, default=0.2, help="fail at this loss of BLEU in int8 (default: %(default)s)")
    parser.add_argument("--max_bf16_loss", type=float, default=0.05, help="the same in bf16 (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.precisions = arguments.precisions.split(",")
    arguments.beams = [int(beam) for beam in arguments.beams.split(",")]
    sources, references = read_lines(arguments.source), read_lines(arguments.reference)
    if len(sources) != len(references):
        parser.error(f"{arguments.source} has {len(sources)} lines, {arguments.reference} {len(references)}")
    for program in ("heed", "heed-server"):
        if not os.access(os.path.join(arguments.bin_dir, program), os.X_OK):
            parser.error(f"{arguments.bin_dir} has no {program}; scripts/build.sh builds it")
    print(f"{arguments.model_dir}, {len(sources)} lines of {arguments.source}\n", flush=True)
    if not measure(arguments, sources, references):
        sys.exit("precision.py: too much is lost")


if __name__ == "__main__":
    main()
