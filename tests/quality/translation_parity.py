#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Heed with Hugging Face transformers on a model directory.

    translation_parity.py search --model_dir=DIR --input=FILE [--server=ADDRESS] [--beams=1,4]
        Identical translations, token by token, of a running server that serves DIR.
    translation_parity.py logits --model_dir=DIR --input=FILE [--tool=build/bin/heed-logits]
        Largest difference of a logit, teacher-forced with transformers' own greedy translation.

FILE is text or gzip, one sentence a line. transformers computes in float32 (f16 weights widened), one sentence at a
time; neither side splits lines. Needs torch, transformers and sentencepiece; `search` also grpcio and grpcio-tools.

heed-logits DIR reads lines {"source": [ids], "target": [decoder input ids]} on standard input and answers each with one
line {"logits": [[...], ...]}, a row of the target vocabulary's size for each target id.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings

REPOSITORY = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))


def read_lines(path, limit):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="\n") as file:
        lines = file.read().removesuffix("\n").split("\n")
    return lines[:limit] if limit else lines


class Reference:
    """transformers' own model and tokenizer."""

    def __init__(self, directory, threads):
        import torch
        import transformers

        warnings.filterwarnings("ignore")
        transformers.logging.set_verbosity_error()
        if threads:
            torch.set_num_threads(threads)
        self.torch = torch
        self.versions = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
        self.tokenizer = transformers.MarianTokenizer.from_pretrained(directory)
        self.model = transformers.MarianMTModel.from_pretrained(
            directory, torch_dtype=torch.float32, attn_implementation="eager"
        ).eval()

    def translate(self, text, beam, max_tokens):
        """(token ids after the start token, score or None)"""
        inputs = self.tokenizer(text, return_tensors="pt")
        result = self.model.generate(
            **inputs,
            num_beams=beam,
            do_sample=False,
            max_length=max_tokens + 1,  # the start token counts there
            return_dict_in_generate=True,
            output_scores=True,
        )
        ids = result.sequences[0, 1:].tolist()
        return ids, result.sequences_scores[0].item() if beam > 1 else None

    def score(self, text, tokens, length_penalty):
        """What transformers' weights give a translation: log-probability / length^penalty, <pad> excluded."""
        names = self.tokenizer.decoder
        ids = {token: i for i, token in names.items()}
        if any(token not in ids for token in tokens):
            return float("nan")
        torch, config = self.torch, self.model.config
        target = [ids[token] for token in tokens]
        with torch.no_grad():
            logits = self.model(
                **self.tokenizer(text, return_tensors="pt"),
                decoder_input_ids=torch.tensor([[config.decoder_start_token_id] + target[:-1]]),
            ).logits[0]
        logits[:, config.pad_token_id] = -float("inf")
        chosen = logits.double().log_softmax(-1)[range(len(target)), target]
        return chosen.sum().item() / len(target) ** length_penalty

    def tokens(self, ids):
        return [self.tokenizer.decoder[i] for i in ids]


def connect(server):
    """The Python client of client/python, over stubs generated into a temporary folder."""
    stubs = tempfile.TemporaryDirectory()
    environment = {**os.environ, "PYTHON": sys.executable}
    script = os.path.join(REPOSITORY, "client/python/generate.sh")
    subprocess.run([script, stubs.name], check=True, env=environment, stdout=subprocess.DEVNULL)
    sys.path[:0] = [stubs.name, os.path.join(REPOSITORY, "client/python")]
    import heed_client

    stubs.cleanup()  # imported: the files are needed no longer
    return heed_client.Client(server, timeout_s=600)


def compare_search(arguments):
    reference = Reference(arguments.model_dir, arguments.threads)
    client = connect(arguments.server)
    import grpc

    try:
        served = [model.name for model in client.models()]
    except grpc.RpcError as error:
        sys.exit(f"translation_parity.py: {arguments.server}: {error.code().name}: {error.details()}")
    name = arguments.model or os.path.basename(os.path.normpath(arguments.model_dir))
    if name not in served:
        sys.exit(f"translation_parity.py: {arguments.server} has no model '{name}' but {', '.join(served) or 'none'}")
    lines = read_lines(arguments.input, arguments.lines)
    passed = True
    penalty = reference.model.generation_config.length_penalty
    print(f"{len(lines)} lines, at most {arguments.max_tokens} tokens; {reference.versions}", flush=True)
    for beam in arguments.beams:
        ours = []
        for begin in range(0, len(lines), 100):
            answer = client.translate_fully(
                lines[begin : begin + 100],
                name,
                beam_size=beam,
                max_tokens=arguments.max_tokens,
                split_sentences=False,
                stop_loops=False,
                return_tokens=True,
            )
            ours += answer.translations
            print(f"\rbeam {beam}: heed {len(ours)}/{len(lines)}", end="", file=sys.stderr, flush=True)
        identical, differing, began = 0, [], time.monotonic()
        for number, (line, translation) in enumerate(zip(lines, ours), 1):
            hypotheses = [sentence.hypotheses[0] for sentence in translation.sentences if sentence.hypotheses]
            found = list(hypotheses[0].tokens) if hypotheses else []
            if line.strip():
                ids, _ = reference.translate(line, beam, arguments.max_tokens)
                expected = reference.tokens(ids)
            else:
                expected = found  # a blank line is no translation
            if found == expected:
                identical += 1
            else:
                differing.append((number, line, found, expected))
            if number % 20 == 0:
                rate = number / (time.monotonic() - began)
                print(
                    f"\rbeam {beam}: transformers {number}/{len(lines)}, {rate:.1f} lines/s, {len(differing)} differ ",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
        print(file=sys.stderr)
        for number, line, found, expected in differing:
            gap = reference.score(line, found, penalty) - reference.score(line, expected, penalty)
            print(f"line {number}: {line}\n  heed         {' '.join(found)}\n  transformers {' '.join(expected)}")
            print(f"  score by transformers' weights: heed's is {gap:+.2e} beside transformers'")
        percent = 100 * identical / len(lines)
        needed = arguments.minimum_greedy if beam == 1 else arguments.minimum_beam
        print(f"beam {beam}: {identical} of {len(lines)} identical, {percent:.2f} % (needed: {needed} %)", flush=True)
        passed = passed and percent >= needed
    return passed


def compare_logits(arguments):
    reference = Reference(arguments.model_dir, arguments.threads)
    torch, config = reference.torch, reference.model.config
    tool = arguments.tool if os.path.exists(arguments.tool) else os.path.join(REPOSITORY, arguments.tool)
    if not os.access(tool, os.X_OK):
        sys.exit(f"translation_parity.py: --tool: {arguments.tool} is not there; scripts/build.sh builds it")
    lines = [line for line in read_lines(arguments.input, 0) if line.strip()][: arguments.lines or 50]
    print(f"{len(lines)} lines; {reference.versions}", flush=True)
    pairs = []
    for line in lines:
        ids, _ = reference.translate(line, 1, arguments.max_tokens)
        source = reference.tokenizer(line).input_ids
        pairs.append({"source": source, "target": [config.decoder_start_token_id] + ids[:-1]})
    with tempfile.TemporaryFile("w+", encoding="utf-8") as requests:
        requests.writelines(json.dumps(pair) + "\n" for pair in pairs)
        requests.seek(0)
        process = subprocess.Popen(
            [tool, arguments.model_dir], stdin=requests, stdout=subprocess.PIPE, encoding="utf-8"
        )
        worst, worst_line, positions = 0.0, 0, 0
        for number, pair in enumerate(pairs, 1):
            answer = process.stdout.readline()
            if not answer:
                sys.exit(f"translation_parity.py: {arguments.tool} ended with {process.wait()} at line {number}")
            found = torch.tensor(json.loads(answer)["logits"])
            with torch.no_grad():
                expected = reference.model(
                    input_ids=torch.tensor([pair["source"]]), decoder_input_ids=torch.tensor([pair["target"]])
                ).logits[0]
            if found.shape != expected.shape:
                sys.exit(f"translation_parity.py: line {number}: {[*found.shape]} logits, not {[*expected.shape]}")
            difference = (found - expected).abs().max().item()
            if difference != difference:
                sys.exit(f"translation_parity.py: line {number}: a logit is not a number")
            if difference > worst:
                worst, worst_line = difference, number
            positions += len(pair["target"])
            print(f"\r{number}/{len(pairs)}: largest difference {worst:.2e}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        process.stdout.close()
        if process.wait() != 0:
            sys.exit(f"translation_parity.py: {arguments.tool} ended with {process.returncode}")
    print(
        f"{positions} positions of {len(pairs)} sentences: largest difference of a logit {worst:.3e}, in line"
        f" {worst_line} (allowed: {arguments.maximum:g})"
    )
    return worst <= arguments.maximum


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    search = commands.add_parser("search", help="identical translations of a running server")
    logits = commands.add_parser("logits", help="largest difference of a logit")
    for command in (search, logits):
        command.add_argument("--model_dir", required=True, help="model directory that both sides load")
        command.add_argument("--input", required=True, help="sentences, one a line")
        command.add_argument("--max_tokens", type=int, default=100, help="of a translation (default: %(default)s)")
        command.add_argument("--threads", type=int, default=0, help="PyTorch's threads; 0: its own choice")
    search.add_argument("--lines", type=int, default=0, help="only the first N lines; 0: all")
    search.add_argument("--server", default="127.0.0.1:50051", help="address (default: %(default)s)")
    search.add_argument("--model", default="", help="name at the server (default: the directory's)")
    search.add_argument(
        "--beams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4], help="default: 1,4"
    )
    search.add_argument("--minimum_greedy", type=float, default=99.0, help="percent (default: %(default)s)")
    search.add_argument("--minimum_beam", type=float, default=98.0, help="percent (default: %(default)s)")
    logits.add_argument("--lines", type=int, default=50, help="only the first N lines (default: %(default)s)")
    logits.add_argument("--tool", default="build/bin/heed-logits", help="default: %(default)s")
    logits.add_argument("--maximum", type=float, default=1e-3, help="largest difference (default: %(default)s)")
    arguments = parser.parse_args()
    passed = {"search": compare_search, "logits": compare_logits}[arguments.command](arguments)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
