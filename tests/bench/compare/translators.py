# SPDX-License-Identifier: Apache-2.0
"""Heed and its peers on the same Marian weights.

Each has `name`, `precision`, `merges` (whether more than one request in flight is any use), and
`one_by_one(beam, in_flight, seconds)` -> Load: single requests as they come. The peers also have `offline(beam)` -> lines a
second of all lines at once, their own best case.

A `Work` says what is translated and how long translations are.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

from closed_loop import Load, closed_loop

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from heed_server import HeedServer  # noqa: E402

OFFLINE_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Work:
    model_dir: str
    lines: list
    tokens: int  # of each translation; 0: as long as it gets
    threads: int


class Heed:
    """The server of `bin_dir` and `heed bench translate`. Server and client share the machine's cores. A context manager."""

    name, merges = "Heed", True

    def __init__(self, work, bin_dir, precision):
        self.work, self.bin_dir, self.precision = work, bin_dir, precision
        self.resources = contextlib.ExitStack()

    def __enter__(self):
        with self.resources:  # closes what was opened if the rest fails
            models = self.resources.enter_context(tempfile.TemporaryDirectory())
            os.symlink(os.path.abspath(self.work.model_dir), os.path.join(models, "model"))
            self.input = os.path.join(models, "lines")
            with open(self.input, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in self.work.lines)
            flags = [f"--models={models}", f"--threads={self.work.threads}", "--metrics_listen="]
            if self.precision != "f32":
                flags.append(f"--precision={self.precision}")
            self.server = self.resources.enter_context(HeedServer(os.path.join(self.bin_dir, "heed-server"), *flags))
            self.resources = self.resources.pop_all()
        return self

    def __exit__(self, kind, error, trace):
        self.resources.close()

    def computes_in(self):
        """"int8 (avx512-vnni)": bf16 may be served as f32."""
        (model,) = self.server.models(os.path.join(self.bin_dir, "heed"))
        return f"{model['precision']} ({model['kernel']})" if "precision" in model else self.precision

    @staticmethod
    def knows_precision(bin_dir):
        text = subprocess.run([os.path.join(bin_dir, "heed-server"), "--help"], capture_output=True, text=True, check=True)
        return "--precision=" in text.stdout

    @staticmethod
    def version(bin_dir):
        return subprocess.run([os.path.join(bin_dir, "heed"), "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]

    def one_by_one(self, beam, in_flight, seconds):
        command = [os.path.join(self.bin_dir, "heed"), "bench", "translate", f"--server={self.server.address}", f"--beam={beam}",
                   f"--concurrency={in_flight}", f"--duration={seconds}", "--warmup=1", f"--input={self.input}", "--no_split",
                   "--json"]  # fmt: skip
        if self.work.tokens:
            command += [f"--min_tokens={self.work.tokens}", f"--max_tokens={self.work.tokens + 1}", "--keep_loops"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} exited with {result.returncode}: {result.stderr}{result.stdout}")
        row = json.loads(result.stdout.splitlines()[-1])
        return Load(row["sentences_per_second"], row["p50_ms"], row["p99_ms"])


class CTranslate2:
    """Tokenizing included. One request in flight has all threads; more have a thread each, which is how its
    documentation has it for throughput."""

    name, merges = "CTranslate2", True
    TYPES = {"f32": "float32", "int8": "int8"}
    PRECISIONS = tuple(TYPES)

    def __init__(self, work, precision, folder):
        """The converted model is kept in `folder`."""
        import sentencepiece
        from ctranslate2.converters import TransformersConverter

        self.work, self.precision, self.converted = work, precision, folder
        if not os.path.exists(os.path.join(folder, "model.bin")):
            TransformersConverter(work.model_dir).convert(folder, force=True)
        self.source, self.target = (
            sentencepiece.SentencePieceProcessor(model_file=os.path.join(work.model_dir, f"{side}.spm")) for side in ("source", "target")
        )

    def translator(self, inter_threads, intra_threads):
        import ctranslate2

        return ctranslate2.Translator(self.converted, device="cpu", compute_type=self.TYPES[self.precision],
                                      inter_threads=inter_threads, intra_threads=intra_threads)  # fmt: skip

    def options(self, beam):
        length = {"min_decoding_length": self.work.tokens, "max_decoding_length": self.work.tokens} if self.work.tokens else {}
        return {"beam_size": beam, **length}

    def tokens(self, line):
        return [*self.source.encode(line, out_type=str), "</s>"]

    def one_by_one(self, beam, in_flight, seconds):
        threads, options = self.work.threads, self.options(beam)
        translator = self.translator(1, threads) if in_flight == 1 else self.translator(threads, 1)

        def answer(line):
            self.target.decode(translator.translate_batch([self.tokens(line)], **options)[0].hypotheses[0])

        return closed_loop(answer, self.work.lines, in_flight, seconds)

    def offline(self, beam):
        translator, options = self.translator(self.work.threads, 1), self.options(beam)
        translator.translate_batch([self.tokens(line) for line in self.work.lines[:OFFLINE_BATCH]], **options)
        began = time.monotonic()
        results = translator.translate_batch([self.tokens(line) for line in self.work.lines], max_batch_size=OFFLINE_BATCH, **options)
        for result in results:
            self.target.decode(result.hypotheses[0])
        return len(self.work.lines) / (time.monotonic() - began)


class Transformers:
    """Hugging Face transformers on PyTorch, eager. It has no way to merge requests."""

    name, precision, merges = "PyTorch", "f32", False
    PRECISIONS = ("f32",)

    def __init__(self, work):
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        torch.set_num_threads(work.threads)
        self.torch, self.work = torch, work
        self.tokenizer = transformers.MarianTokenizer.from_pretrained(work.model_dir)
        self.model = self.load()

    def load(self):
        import transformers

        return transformers.MarianMTModel.from_pretrained(self.work.model_dir, torch_dtype=self.torch.float32).eval()

    def translate(self, lines, beam):
        tokens = self.work.tokens
        length = {"min_length": tokens + 1, "max_length": tokens + 1} if tokens else {"max_length": 200}
        with self.torch.inference_mode():
            inputs = self.tokenizer(lines, return_tensors="pt", padding=True)
            ids = self.model.generate(**inputs, num_beams=beam, do_sample=False, **length)
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)

    def one_by_one(self, beam, in_flight, seconds):
        return closed_loop(lambda line: self.translate([line], beam), self.work.lines, in_flight, seconds)

    def offline(self, beam):
        lines = sorted(self.work.lines, key=len)
        self.translate(lines[:OFFLINE_BATCH], beam)
        began = time.monotonic()
        for first in range(0, len(lines), OFFLINE_BATCH):
            self.translate(lines[first : first + OFFLINE_BATCH], beam)
        return len(lines) / (time.monotonic() - began)


class OnnxRuntime(Transformers):
    """ONNX Runtime on the exported network, with transformers' search around it. int8 is its dynamic quantization with a
    scale for each output."""

    name = "ONNX Runtime"
    PRECISIONS = ("f32", "int8")

    def __init__(self, work, precision, folder):
        """The exported models are kept in `folder`."""
        from optimum.utils import logging

        logging.set_verbosity_error()
        self.precision, self.exported = precision, os.path.join(folder, precision)
        if not os.path.exists(os.path.join(folder, "f32", "done")):
            self.export(work.model_dir, os.path.join(folder, "f32"))
        if precision == "int8" and not os.path.exists(os.path.join(self.exported, "done")):
            self.quantize(os.path.join(folder, "f32"), self.exported)
        super().__init__(work)

    @staticmethod
    def export(model_dir, folder):
        from optimum.onnxruntime import ORTModelForSeq2SeqLM

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what its tracing says of Python's values
            ORTModelForSeq2SeqLM.from_pretrained(model_dir, export=True).save_pretrained(folder)
        open(os.path.join(folder, "done"), "w", encoding="utf-8").close()

    @staticmethod
    def quantize(exact, folder):
        from onnxruntime.quantization import QuantType, quantize_dynamic

        shutil.copytree(exact, folder, ignore=shutil.ignore_patterns("*.onnx", "done"), dirs_exist_ok=True)
        for name in sorted(name for name in os.listdir(exact) if name.endswith(".onnx")):
            quantize_dynamic(os.path.join(exact, name), os.path.join(folder, name), per_channel=True, weight_type=QuantType.QInt8)
        open(os.path.join(folder, "done"), "w", encoding="utf-8").close()

    def load(self):
        import onnxruntime
        from optimum.onnxruntime import ORTModelForSeq2SeqLM

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.work.threads, 1
        return ORTModelForSeq2SeqLM.from_pretrained(self.exported, session_options=options)
