#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the converters of recurrent translators on files that each toolkit's own code wrote (tests/fixtures/rnn-*).
Needs PyTorch and numpy; without them, exits 77 (ctest: skipped).

    python3 tests/recipes/rnn_converters_test.py
"""

import argparse
import contextlib
import filecmp
import io
import json
import os
import shutil
import sys
import tempfile
import time
import unittest

try:
    import numpy
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../weights/recipes"))
import from_fairseq_lstm  # noqa: E402
import from_joeynmt  # noqa: E402
import from_nematus  # noqa: E402
import from_opennmt  # noqa: E402
import from_pytorch_tutorial  # noqa: E402
import plain_yaml  # noqa: E402
import rnn_conversion  # noqa: E402
import safetensors_file  # noqa: E402
import sentencepiece_file  # noqa: E402
import torch_checkpoint  # noqa: E402
from rnn_reference import Reference  # noqa: E402

FIXTURES = os.path.join(HERE, "../fixtures")
SOURCES = os.path.join(FIXTURES, "rnn-sources")
TOOLKITS = ("rnn-joeynmt-", "rnn-opennmt-", "rnn-fairseq-", "rnn-nematus-", "rnn-marian-", "rnn-tutorial-", "rnn-pytorch-")
TOLERANCE = 2e-6  # the original's float64 rounded to float32, of logits up to 10


def run(script, *arguments):
    """(exit code or None, what it printed as an error) of a converter, run in this process as the command line does."""
    sys.argv, errors, code = [script.__name__, *arguments], io.StringIO(), None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            script.main()
        except SystemExit as end:
            code = end.code
    return code, errors.getvalue()


def command(name):
    """(converter, its arguments) that made the fixture `name` of its kept source."""
    folder = os.path.join(SOURCES, name)
    if name.startswith("rnn-joeynmt-"):
        return from_joeynmt, [f"{folder}/best.ckpt"]
    if name.startswith("rnn-fairseq-"):
        return from_fairseq_lstm, [f"{folder}/checkpoint_best.pt", "--tokenizer=words"]
    if name.startswith(("rnn-nematus-", "rnn-marian-")):
        ending = "yml" if "marian" in name else "json"
        files = [f"--{side}-vocabulary={folder}/{side}.{ending}" for side in ("source", "target")]
        return from_nematus, [f"{folder}/model.npz", "--tokenizer=words", *files]
    if name.startswith("rnn-tutorial-"):
        files = [f"--{side}-vocabulary={folder}/{side}.txt" for side in ("source", "target")]
        more = ["--reverse-source"] if name.endswith("-reversed") else []
        return from_pytorch_tutorial, [f"{folder}/model.pt", "--tokenizer=words", *files, *more]
    if name.startswith("rnn-pytorch-"):
        files = [f"--{side}-vocabulary={folder}/{side}.json" for side in ("source", "target")]
        return from_pytorch_tutorial, [f"{folder}/encoder.pt", f"--decoder={folder}/decoder.pt", "--tokenizer=words", *files]
    return from_opennmt, [f"{folder}/model_step_10.pt", "--tokenizer=words"]


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.output = folder.name, f"{folder.name}/out"
        torch.set_num_threads(1)

    def assert_refused(self, script, arguments, code, *parts):
        found, error = run(script, *arguments, self.output)
        self.assertEqual(found, code, error)
        for part in parts:
            self.assertIn(part, error)
        self.assertFalse(os.path.exists(f"{self.output}/config.json"))


class Fixtures(Folder):
    def test_the_converted_directory_computes_what_the_original_does(self):
        names = sorted(name for name in os.listdir(FIXTURES) if name.startswith(TOOLKITS))
        self.assertGreater(len(names), 30)
        for name in names:
            with self.subTest(name):
                self.compare(f"{FIXTURES}/{name}")

    def compare(self, directory):
        config, search = (read_json(f"{directory}/{name}.json") for name in ("config", "generation_config"))
        expected = safetensors_file.read(f"{directory}/expected.safetensors")
        reference = Reference(config, safetensors_file.read(f"{directory}/model.safetensors"))
        for number in range(3):
            source, target = (expected[f"{side}.{number}"].tolist() for side in ("source", "target"))
            logits, attention = reference.forced(source, target)
            self.assertLess((logits - expected[f"logits.{number}"]).abs().max(), TOLERANCE)
            self.assertEqual(attention is None, f"attention.{number}" not in expected)
            if attention is not None:
                self.assertLess((attention - expected[f"attention.{number}"]).abs().max(), TOLERANCE)
            found = reference.greedy(source, 12, search.get("suppress_tokens", []), search.get("min_new_tokens", 0))
            self.assertEqual(found, expected[f"greedy.{number}"].tolist())

    def test_special_tokens_of_the_source_are_named(self):
        for name, special in (
            ("joeynmt-tied-scaled", ["<pad>", "<s>"]),
            ("opennmt-1-lstm-general", ["<blank>"]),
            ("opennmt-3-shared", ["<blank>", "<s>", "</s>"]),
            ("fairseq-attention", ["<s>", "<pad>"]),
            ("tutorial-3", ["<pad>"]),
            ("pytorch-plain", ["SOS"]),
        ):
            with self.subTest(name):
                tokens = rnn_conversion.read_vocabulary(f"{FIXTURES}/rnn-{name}/source_vocab.txt")
                ids = read_json(f"{FIXTURES}/rnn-{name}/config.json")["source"]["special"]
                self.assertEqual([tokens[index] for index in ids], special)

    def test_the_original_files_give_the_same_directory_again(self):
        for name in sorted(os.listdir(SOURCES)):
            with self.subTest(name):
                script, arguments = command(name)
                output, directory = f"{self.folder}/{name}", f"{FIXTURES}/{name}"
                check = f"--check={directory}/expected.safetensors"
                self.assertEqual(run(script, *arguments, check, output), (None, ""))
                for file in os.listdir(directory):
                    if file != "expected.safetensors":
                        self.assertTrue(filecmp.cmp(f"{output}/{file}", f"{directory}/{file}", False), file)


class Common(Folder):
    def setUp(self):
        super().setUp()
        self.script, self.arguments = command("rnn-opennmt-3-lstm-general")
        self.arguments = self.arguments[:1]

    def config(self, *flags):
        code, error = run(self.script, *self.arguments, *flags, self.output, "--force")
        self.assertIsNone(code, error)
        return read_json(f"{self.output}/config.json")

    def file(self, name, text=""):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        return f"{self.folder}/{name}"

    def test_check_names_the_difference(self):
        path = f"{FIXTURES}/rnn-opennmt-3-lstm-general/expected.safetensors"
        expected = safetensors_file.read(path)
        expected["logits.1"][0, 0] += 0.5
        torch.save(expected, f"{self.folder}/check.pt")
        check = f"--check={self.folder}/check.pt"
        self.assert_refused(self.script, [*self.arguments, check], 1, "differs from yours by 0.5")
        del expected["target.2"]
        torch.save(expected, f"{self.folder}/broken.pt")
        self.assert_refused(self.script, [*self.arguments, f"--check={self.folder}/broken.pt"], 1, "'target.2' is missing")
        self.assertIn("encoder", self.config(check, "--check-tolerance=0.6"))

    def test_an_existing_directory_is_kept(self):
        self.config()
        self.assertEqual(run(self.script, *self.arguments, self.output)[0], 1)

    def test_words_is_a_guess_that_the_card_says(self):
        self.assertEqual(self.config()["tokenizer"], {"kind": "words"})
        with open(f"{self.output}/README.md", encoding="utf-8") as file:
            self.assertIn("white space", file.read())

    def test_the_tokenizer_is_what_the_flags_say(self):
        codes = self.file("codes", "#version: 0.2\na b</w>\n")
        config = self.config(f"--source-bpe={codes}", "--bpe-separator=￭", "--moses", "--aggressive-hyphens", "--no-escape",
                             "--lowercase", "--restrict-to-vocabulary", "--source-language=en", "--target-language=de")
        self.assertEqual(config["tokenizer"], {
            "kind": "bpe", "bpe_separator": "￭", "restrict_to_vocabulary": True,
            "moses": {"aggressive_hyphens": True, "escape": False}, "lowercase": True, "source_language": "en",
            "target_language": "de"})
        for side in ("source", "target"):
            self.assertTrue(filecmp.cmp(f"{self.output}/{side}.bpe", codes, False))

    def test_unknown_words_are_replaced_where_attention_tells_by_which(self):
        self.assertNotIn("replace_unknown", self.config()["target"])
        self.assertIs(self.config("--replace-unknown")["target"]["replace_unknown"], True)
        shutil.rmtree(self.output)
        codes = self.file("codes", "#version: 0.2\na b</w>\n")
        self.assert_refused(self.script, [*self.arguments, "--replace-unknown", f"--source-bpe={codes}"], 2,
                            "--replace-unknown: the tokenizer is bpe")
        for name, part in (("rnn-tutorial-1", "has no attention"), ("rnn-pytorch-attention", "no unknown token")):
            script, arguments = command(name)
            self.assert_refused(script, [*arguments, "--replace-unknown"], 1, part)
        script, arguments = command("rnn-marian-gru")
        for flags, suppressed in (([], [1]), (["--replace-unknown"], [])):
            self.assertEqual(run(script, *arguments, *flags, "--force", self.output), (None, ""))
            self.assertEqual(read_json(f"{self.output}/generation_config.json")["suppress_tokens"], suppressed)

    def test_flags_that_contradict_are_questions(self):
        codes = self.file("codes")
        for flags, part in (
            (["--moses"], "--source-language"),
            (["--tokenizer=bpe"], "--source-bpe"),
            (["--tokenizer=words", f"--source-spm={codes}"], "--source-spm"),
            (["--no-escape"], "--moses"),
            (["--restrict-to-vocabulary"], "--tokenizer=bpe"),
        ):
            self.assert_refused(self.script, [*self.arguments, *flags], 2, part)

    def test_a_vocabulary_holds_each_token_once_and_one_for_each_row(self):
        with self.assertRaisesRegex(torch_checkpoint.Refused, "token 'b' is there twice, as 1 and as 3"):
            rnn_conversion.check_tokens("v", ["a", "b", "", "b", ""], 5, "t")
        with self.assertRaisesRegex(torch_checkpoint.Refused, "2 tokens, but tensor 't' has 3 rows"):
            rnn_conversion.check_tokens("v", ["a", "b"], 3, "t")
        with self.assertRaisesRegex(torch_checkpoint.Refused, "line break"):
            rnn_conversion.check_tokens("v", ["a\nb"], 1, "t")

    def test_vocabulary_files(self):
        path = self.file("v.json", '{"b": 1, "a": 0, "d": 3}')
        self.assertEqual(rnn_conversion.read_vocabulary(path), ["a", "b", "", "d"])
        path = self.file("v.yml", '---\n"</s>": 0\n\'it\'\'s\': 2\n"\\xe4:": 1\nplain: 3\n')
        self.assertEqual(rnn_conversion.read_vocabulary(path), ["</s>", "ä:", "it's", "plain"])
        self.assertEqual(rnn_conversion.read_vocabulary(self.file("v.txt", "a\nb c\n\u2028\n")), ["a", "b c", "\u2028"])
        with self.assertRaisesRegex(torch_checkpoint.Refused, "tokens 'a' and 'b' have the same id 0"):
            rnn_conversion.read_vocabulary(self.file("v.json", '{"a": 0, "b": 0}'))


class Danger:
    """What a hostile pickle would do."""

    def __reduce__(self):
        return os.mkdir, (f"{tempfile.gettempdir()}/heed-converter-ran-this",)


class Pickles(Folder):
    def test_no_code_of_a_pickle_runs(self):
        for old in (False, True):
            torch.save({"a": Danger(), "w": torch.ones(2)}, f"{self.folder}/x.pt", _use_new_zipfile_serialization=not old)
            content = torch_checkpoint.load_data(f"{self.folder}/x.pt")
            self.assertIsInstance(content["a"], torch_checkpoint.Stub)
            self.assertIn("mkdir", repr(content["a"]))
            self.assertEqual(content["w"].tolist(), [1, 1])
            self.assertFalse(os.path.exists(Danger().__reduce__()[1][0]))

    def test_objects_come_as_data(self):
        options = argparse.Namespace(rnn_type="LSTM", layers=2)
        torch.save({"opt": options, "score": numpy.float64(1.5), "array": numpy.ones(2), "half": torch.ones(2, 3).half().t()}, f"{self.folder}/x.pt")
        content = torch_checkpoint.load_data(f"{self.folder}/x.pt")
        self.assertEqual(torch_checkpoint.plain(content["opt"]), {"rnn_type": "LSTM", "layers": 2})
        self.assertEqual((content["half"].shape, content["half"].dtype), ((3, 2), torch.float16))

    def test_other_files_are_refused(self):
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), f"{self.folder}/x.pt")
        with open(f"{self.folder}/y.pt", "wb") as file:
            file.write(b"no pickle")
        for name, part in (("x", "TorchScript"), ("y", "not a readable PyTorch file")):
            with self.assertRaisesRegex(torch_checkpoint.Refused, part):
                torch_checkpoint.load_data(f"{self.folder}/{name}.pt")


class Yaml(unittest.TestCase):
    def test_what_training_programs_write(self):
        text = (
            "# comment\nname: \"a # b\"\nlist:\n- 1\n- 2.5\nnested:\n    empty:\n    flow: [x, 'y z', {a: 1e-3}] # end\n"
            "    deep:\n        - key: yes\n          other: ~\ninput-types:\n  []\nurl: http://a/b\nscale: -3\n"
            "single: 'it''s # x' # end\ndouble: \"a\\\" # b\" # end\nplain: it's # end\n"
        )
        self.assertEqual(plain_yaml.parse(text), {
            "name": "a # b", "list": [1, 2.5],
            "nested": {"empty": None, "flow": ["x", "y z", {"a": 0.001}], "deep": [{"key": True, "other": None}]},
            "input-types": [], "url": "http://a/b", "scale": -3, "single": "it's # x",
            "double": 'a" # b', "plain": "it's"})

    def test_other_yaml_is_refused_with_its_line(self):
        for text, line in (("a: 1\nb: &x 2", 2), ("a: |\n  b", 1), ("a: [1,\n 2]", 1), ("a: 1\n   b: 2", 2), ("a: 1\nb", 2),
                           ("a: 'b # c'd", 1), ("a: {[b]: c}", 1), ("a: \"\\q\"", 1),
                           (f"a: {'1' * 5000}", 1)):
            with self.assertRaisesRegex(plain_yaml.Unreadable, f"line {line}:"):
                plain_yaml.parse(text)

    def test_values_inside_one_another_have_an_end(self):
        self.assertEqual(plain_yaml.parse("a: " + "[" * 40 + "]" * 40)["a"][0][0][0][:0], [])
        for text in ("[" * 5000, "a: " + "{a: " * 5000, "- " * 5000 + "a"):
            with self.assertRaisesRegex(plain_yaml.Unreadable, "line 1: more than 50 lists and mappings"):
                plain_yaml.parse(text)


class JoeyNmt(Folder):
    def setUp(self):
        super().setUp()
        self.source = f"{self.folder}/model"
        shutil.copytree(f"{SOURCES}/rnn-joeynmt-lstm-luong-bridge", self.source)

    def rewrite(self, old, new, name="config.yaml"):
        with open(f"{self.source}/{name}", encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(f"{self.source}/{name}", "w", encoding="utf-8") as file:
            file.write(text.replace(old, new, 1))

    def refused(self, *parts, code=1):
        self.assert_refused(from_joeynmt, [f"{self.source}/best.ckpt"], code, *parts)

    def config(self, *flags):
        code, error = run(from_joeynmt, f"{self.source}/best.ckpt", self.output, "--force", *flags)
        self.assertIsNone(code, error)
        return read_json(f"{self.output}/config.json")

    def test_what_is_not_served_is_named(self):
        for old, new, *parts in (
            ("type: recurrent", "type: transformer", "model.encoder.type is 'transformer'"),
            ("bidirectional: true", "bidirectional: false", "model.encoder.bidirectional is False"),
            ("rnn_type: lstm", "rnn_type: gru", "model.encoder.rnn_type is 'gru'"),
            ("attention: luong", "attention: transformer", "model.decoder.attention is 'transformer'"),
            ("init_hidden: bridge", "init_hidden: last", "'last'", "10 wide", "14"),
            ("level: word", "level: char", "data.src.level is 'char'"),
            ("normalize: false", "normalize: true", "data.src.normalize is True"),
            ("unk_id: 0", "unk_id: 0\n    lang_tags: [<de>]", "lang_tags is ['<de>']"),
            ("tied_softmax: false", "tied_softmax: true", "tensor 'output.weight'"),
            ("lowercase: true", "lowercase: false", "data.src.lowercase is False, data.trg.lowercase True"),
            ("beam_alpha: -1", "beam_alpha: null", "testing.beam_alpha is None, not a number"),
            ("beam_size: 1", "beam_size: many", "testing.beam_size is 'many', not a number"),
            ("special_symbols:", "special_symbols: none\n  rest:", "data.special_symbols is no mapping"),
        ):
            with self.subTest(new):
                self.rewrite(old, new)
                self.refused(*parts)
                self.rewrite(new, old)
        self.config()

    def test_a_tensor_too_few_or_too_many_is_named(self):
        path = f"{self.source}/best.ckpt"
        state = torch_checkpoint.load_data(path)["model_state"]
        bridge = state.pop("decoder.bridge_layer.bias")
        torch.save({"model_state": state}, path)
        self.refused("has no tensor 'decoder.bridge_layer.bias'")
        torch.save({"model_state": {**state, "decoder.bridge_layer.bias": bridge, "decoder.ctc.weight": bridge}}, path)
        self.refused("tensor 'decoder.ctc.weight' has no place")
        torch.save({"model_state": {**state, "decoder.bridge_layer.bias": bridge * float("nan")}}, path)
        self.refused("tensor 'init.hidden.bias' is nan")
        torch.save(state, path)
        self.refused("'model_state'")

    def test_a_vocabulary_of_another_length(self):
        self.rewrite("ba\n", "ba\nextra\n", "src_vocab.txt")
        self.refused("25 tokens", "24 rows")

    def test_subwords_of_the_configuration(self):
        self.rewrite("level: word", "level: bpe\n    tokenizer_type: subword-nmt\n    tokenizer_cfg: {codes: /gone/codes.src,"
                     " pretokenizer: moses}")
        self.refused("data.src.tokenizer_cfg.codes is /gone/codes.src, which is not there")
        with open(f"{self.source}/codes.src", "w", encoding="utf-8") as file:
            file.write("a b</w>\n")
        self.refused("data.src and data.trg differ in their tokenizers")
        self.rewrite("lang: yy\n    level: word", "lang: yy\n    level: bpe\n    tokenizer_type: subword-nmt\n"
                     "    tokenizer_cfg: {codes: codes.src, pretokenizer: moses}")
        self.assertEqual(self.config()["tokenizer"], {
            "kind": "bpe", "restrict_to_vocabulary": True, "moses": {}, "lowercase": True, "source_language": "xx",
            "target_language": "yy"})
        self.assertTrue(os.path.exists(f"{self.output}/target.bpe"))

    def test_flags_that_the_configuration_answers(self):
        self.assert_refused(from_joeynmt, [f"{self.source}/best.ckpt", "--lowercase"], 2, "--lowercase", "config.yaml")
        self.assertEqual(self.config("--source-language=en")["tokenizer"]["source_language"], "en")

    def test_a_configuration_of_version_1(self):
        with open(f"{self.source}/config.yaml", encoding="utf-8") as file:
            network = file.read().partition("model:\n")[2]
        with open(f"{self.source}/config.yaml", "w", encoding="utf-8") as file:
            file.write("data:\n    src: \"de\"\n    trg: \"en\"\n    level: \"bpe\"\n    lowercase: True\n"
                       "testing:\n    beam_size: 5\n    alpha: 1.0\nmodel:\n" + network)
        self.refused("--source-bpe", code=2)
        self.assertEqual(self.config("--tokenizer=words")["tokenizer"], {
            "kind": "words", "lowercase": True, "source_language": "de", "target_language": "en"})
        self.assertEqual(read_json(f"{self.output}/generation_config.json"), {
            "num_beams": 5, "length_penalty": 1.0, "suppress_tokens": [2, 1], "min_new_tokens": 1})


class OpenNmt(Folder):
    def setUp(self):
        super().setUp()
        self.path = f"{self.folder}/model.pt"
        content = torch_checkpoint.load_data(f"{SOURCES}/rnn-opennmt-3-lstm-general/model_step_10.pt")
        self.content = {**content, "opt": torch_checkpoint.plain(content["opt"])}

    def refused(self, parts, options=(), **changed):
        content = {**self.content, **changed}
        torch.save({**content, "opt": argparse.Namespace(**{**content["opt"], **dict(options)})}, self.path)
        self.assert_refused(from_opennmt, [self.path], 1, *parts)

    def test_what_is_not_served_is_named(self):
        for name, value in (
            ("copy_attn", True), ("coverage_attn", True), ("context_gate", "both"), ("global_attention_function", "sparsemax"),
            ("generator_function", "sparsemax"), ("rnn_type", "SRU"), ("encoder_type", "cnn"),
            ("decoder_type", "transformer"), ("model_task", "lm"),
            ("model_type", "audio"), ("global_attention", "other"), ("position_encoding", True),
        ):
            with self.subTest(name):
                self.refused([f"opt.{name} is {value!r}"], {name: value})

    def test_options_that_the_tensors_contradict(self):
        self.refused(["opt.rnn_type is 'GRU'", "LSTM"], {"rnn_type": "GRU"})
        self.refused(["no tensor 'encoder.bridge.0.weight'"], {"bridge": True})
        self.refused(["no tensor 'decoder.attn.linear_query.weight'"], {"global_attention": "mlp"})
        self.refused(["tensor 'encoder.embedding.weight'"], {"share_embeddings": True})
        tensors = {**self.content["model"], "decoder.copy_attn.linear_out.weight": torch.ones(1)}
        self.refused(["tensor 'decoder.copy_attn.linear_out.weight' has no place"], model=tensors)
        extra = {**self.content["model"], "encoder.embeddings.make_embedding.emb_luts.1.weight": torch.ones(2, 2)}
        self.refused(["emb_luts.1.weight' is of word features"], model=extra)

    def test_a_generator_that_is_no_state_dict(self):
        self.refused(["generator: holds a Stub, not a dictionary of tensors"], generator=torch.nn.Linear(2, 2))
        self.refused(["generator: holds a Tensor"], generator=torch.ones(2))
        self.refused(["generator: entry '0.weight' is a int, not a tensor"], generator={"0.weight": 1})

    def test_vocabularies_that_are_not_whole(self):
        vocab = self.content["vocab"]
        self.refused(["25 tokens", "26 rows"], vocab={**vocab, "src": vocab["src"][:-1]})
        self.refused(["no special token '</s>'"], vocab={**vocab, "tgt": ["x" if t == "</s>" else t for t in vocab["tgt"]]})
        self.refused(["word features"], vocab={**vocab, "src_feats": [["a"]]})

    def test_vocabularies_of_before_version_1(self):
        vocab = [(side, argparse.Namespace(itos=self.content["vocab"][side])) for side in ("src", "tgt")]
        self.refused(["no vocabulary of 'tgt'"], vocab=[vocab[0], ("tgt", argparse.Namespace(words=[]))])
        torch.save({**self.content, "vocab": vocab, "opt": argparse.Namespace(**self.content["opt"])}, self.path)
        self.assertEqual(run(from_opennmt, self.path, self.output), (None, ""))
        self.assertEqual(read_json(f"{self.output}/config.json")["target"], {"start": 2, "end": 3, "unknown": 0, "pad": 1})

    def test_no_weights_and_no_safetensors(self):
        content = {name: value for name, value in self.content.items() if name != "model"}
        torch.save({**content, "opt": argparse.Namespace(**content["opt"])}, self.path)
        self.assert_refused(from_opennmt, [self.path], 1, "model.safetensors: not there")

    def test_another_start_token(self):
        vocab = {**self.content["vocab"], "decoder_start_token": "</s>"}
        torch.save({**self.content, "vocab": vocab, "opt": argparse.Namespace(**self.content["opt"])}, self.path)
        self.assertEqual(run(from_opennmt, self.path, self.output), (None, ""))
        self.assertEqual(read_json(f"{self.output}/config.json")["target"], {
            "start": 3, "end": 3, "unknown": 0, "pad": 1, "special": [2]})


class Fairseq(Folder):
    def setUp(self):
        super().setUp()
        self.source = f"{self.folder}/model"
        shutil.copytree(f"{SOURCES}/rnn-fairseq-attention", self.source)
        self.path = f"{self.source}/checkpoint_best.pt"
        content = torch_checkpoint.load_data(self.path)
        self.options, self.tensors = torch_checkpoint.plain(content["args"]), content["model"]

    def refused(self, *parts, options=(), tensors=(), code=1):
        arguments = argparse.Namespace(**{**self.options, **dict(options)})
        torch.save({"args": arguments, "model": {**self.tensors, **dict(tensors)}}, self.path)
        self.assert_refused(from_fairseq_lstm, [self.path], code, *parts)

    def test_what_is_not_served_is_named(self):
        for kind in ("fconv_iwslt_de_en", "transformer", "lstm_lm"):
            self.refused(f"the architecture is '{kind}'", options={"arch": kind})
        self.refused("tensor 'decoder.adaptive_softmax.head.weight' has no place",
                     tensors={"decoder.adaptive_softmax.head.weight": torch.ones(1)})
        self.refused("tensor 'output.weight'", options={"share_decoder_input_output_embed": True})
        for name in ("weight", "bias"):
            del self.tensors[f"decoder.fc_out.{name}"]
        self.refused("tensor 'output.weight' is not there", "share_decoder_input_output_embed")
        self.refused("tensor 'decoder.encoder_cell_proj.bias' has no place",
                     tensors={"decoder.encoder_cell_proj.bias": torch.ones(1)})
        torch.save(self.tensors, self.path)
        self.assert_refused(from_fairseq_lstm, [self.path], 1, "no checkpoint of fairseq")

    def test_dictionaries(self):
        self.refused("dict.zz.txt", "--source-dictionary", options={"source_lang": "zz"}, code=2)
        dictionary = f"{self.folder}/d.txt"
        for text, part in (
            ("a 1\nb\n", "line 2 is not `token count`"),
            ("#fairseq:overwrite\n", "line 1 is not `token count`"),
            ("a 1\na 1\n", "line 2: token 'a' is there already, as 4"),
            ("a 1\n", "5 tokens"),
        ):
            with open(dictionary, "w", encoding="utf-8") as file:
                file.write(text)
            self.assert_refused(from_fairseq_lstm, [self.path, f"--source-dictionary={dictionary}",
                                                    f"--target-dictionary={dictionary}"], 1, part)
        with open(dictionary, "w", encoding="utf-8") as file:
            file.write("a 3\nb 2\na 1 #fairseq:overwrite\n")
        self.assertEqual(from_fairseq_lstm.read_dictionary(dictionary)[4:], ["", "b", "a"])

    def test_a_large_dictionary_takes_no_long_time(self):
        dictionary, tokens = f"{self.folder}/d.txt", [f"t{number}" for number in range(200_000)]
        with open(dictionary, "w", encoding="utf-8") as file:
            file.writelines(f"{token} 1\n" for token in tokens)
        start = time.process_time()  # comparing each token with all before it takes minutes
        self.assertEqual(from_fairseq_lstm.read_dictionary(dictionary)[4:], tokens)
        self.assertLess(time.process_time() - start, 20)


class Nematus(Folder):
    def setUp(self):
        super().setUp()
        self.path, self.vocabularies = f"{self.folder}/model.npz", command("rnn-marian-gru")[1][1:]
        self.arrays = dict(numpy.load(f"{SOURCES}/rnn-marian-gru/model.npz"))

    def refused(self, *parts, options=None, **arrays):
        """With one line of Marian's options changed, or with other arrays."""
        text = self.arrays["special:model.yml"].tobytes().decode()
        if options:
            self.assertIn(options[0], text)
            text = text.replace(*options)
        options = numpy.frombuffer(text.encode(), numpy.int8)
        numpy.savez(self.path, **{**self.arrays, **arrays, "special:model.yml": options})
        self.assert_refused(from_nematus, [self.path, *self.vocabularies], 1, *parts)

    def test_what_is_not_served_is_named(self):
        for name, old, new in (
            ("type", "s2s", "transformer"), ("enc-type", "bidirectional", "alternating"), ("enc-depth", "1", "4"),
            ("dec-depth", "1", "2"), ("enc-cell-depth", "1", "2"), ("dec-cell-base-depth", "2", "4"),
            ("layer-normalization", "false", "true"),
        ):
            shown = {"4": "4", "2": "2", "true": "True"}.get(new, f"'{new}'")
            with self.subTest(name):
                self.refused(f"special:model.yml: {name} is {shown}", options=(f"\n{name}: {old}", f"\n{name}: {new}"))
        self.refused("enc-cell is 'gru', dec-cell 'lstm'", options=("dec-cell: gru", "dec-cell: lstm"))
        self.refused("enc-cell is 'gru-nematus'", options=("enc-cell: gru", "enc-cell: gru-nematus"))
        one = numpy.ones((1, 5), numpy.float32)
        for name in ("encoder_bi_gamma1", "decoder_cell3_U", "encoder_U_nl_drt_1"):
            self.refused(f"tensor '{name}' has no place", "layer normalization", **{name: one})

    def test_arrays_of_another_shape_or_kind(self):
        self.refused("tensor 'decoder_Wc_att' is [1, 5], not [10, 10]", decoder_Wc_att=numpy.ones((1, 5), numpy.float32))
        self.refused("array 'decoder_Wc_att' is int8", decoder_Wc_att=numpy.ones((10, 10), numpy.int8))
        self.refused("not a readable .npz file", decoder_Wc_att=numpy.array([Danger()], object))
        output = self.arrays.pop("decoder_ff_logit_l2_W")
        self.refused("tensor 'output.weight' is not there, and no option ties it", "tied-embeddings, tied-embeddings-all")
        self.arrays["decoder_ff_logit_l2_W"] = output
        self.refused("tensor 'output.weight' [26, 6] is not", options=("skip: false", "tied-embeddings: true"))
        del self.arrays["decoder_cell2_U"]
        self.refused("has no tensor 'decoder_cell2_U'")

    def test_dropout_of_the_first_nematus(self):
        folder = f"{SOURCES}/rnn-nematus-gru"
        shutil.copy(f"{folder}/model.npz", self.path)
        options = read_json(f"{folder}/model.npz.json")
        files = [f"--{side}-vocabulary={folder}/{side}.json" for side in ("source", "target")]
        for changed, refused in (({}, "use_dropout is true and model_version 0"), ({"model_version": 0.1}, None),
                                 ({"model_version": "0.1"}, "model_version is '0.1', not a number")):
            with open(f"{self.path}.json", "w", encoding="utf-8") as file:
                json.dump({**options, "use_dropout": True, **changed}, file)
            if refused:
                self.assert_refused(from_nematus, [self.path, *files], 1, refused)
            else:
                self.assertEqual(run(from_nematus, self.path, *files, self.output), (None, ""))
                shutil.rmtree(self.output)

    def test_a_file_without_options(self):
        arrays = {name: array for name, array in self.arrays.items() if name != "special:model.yml"}
        numpy.savez(self.path, **arrays)
        self.assert_refused(from_nematus, [self.path, *self.vocabularies], 1, "model.npz.json (Nematus) is not there")

    def test_a_vocabulary_or_sentencepiece_is_asked_for(self):
        path = f"{SOURCES}/rnn-marian-gru/model.npz"
        self.assert_refused(from_nematus, [path], 2, "--source-vocabulary")
        spm = os.path.join(FIXTURES, "marian-relu/source.spm")
        self.assertEqual(run(from_nematus, path, f"--source-spm={spm}", self.output), (None, ""))
        self.assertEqual(read_json(f"{self.output}/config.json")["tokenizer"], {"kind": "sentencepiece"})
        self.assertFalse(os.path.exists(f"{self.output}/source_vocab.txt"))
        self.assertEqual(read_json(f"{self.output}/config.json")["source"], {"end": 0, "unknown": 1})

    def test_special_tokens_of_a_sentencepiece_model(self):
        path = f"{SOURCES}/rnn-marian-gru/model.npz"
        spm = os.path.join(FIXTURES, "marian-relu/source.spm")
        self.assertEqual(sentencepiece_file.pieces(spm)[:3], ["</s>", "<unk>", "▁"])
        with open(spm, "rb") as file:
            data = file.read()
        for name, content, part in (
            ("order", data.replace(b"</s>", b"<s>>", 1), "order.spm: token 0 is '<s>>', not </s> or eos or <EOS>"),
            ("unknown", data.replace(b"<unk>", b"<nix>", 1), "unknown.spm: has no unknown token <unk> or UNK or <UNK>"),
            ("short", data[:100], "short.spm: not a SentencePiece model"),
            ("text", b"hello", "text.spm: not a SentencePiece model"),
        ):
            with open(f"{self.folder}/{name}.spm", "wb") as file:
                file.write(content)
            self.assert_refused(from_nematus, [path, f"--source-spm={self.folder}/{name}.spm"], 1, part)

    def test_special_tokens_of_a_vocabulary(self):
        path, files = f"{SOURCES}/rnn-marian-gru/model.npz", {}
        for side in ("source", "target"):
            files[side] = rnn_conversion.read_vocabulary(f"{SOURCES}/rnn-marian-gru/{side}.yml")

        def arguments(source):
            for side, tokens in (("source", source), ("target", files["target"])):
                with open(f"{self.folder}/{side}.json", "w", encoding="utf-8") as file:
                    json.dump({token: index for index, token in enumerate(tokens)}, file)
            return [path, *(f"--{side}-vocabulary={self.folder}/{side}.json" for side in ("source", "target"))]

        rest = files["source"][3:]
        self.assert_refused(from_nematus, arguments(["<GO>", "<EOS>", "<UNK>", *rest]), 1, "source.json: token 0 is '<GO>'")
        self.assert_refused(from_nematus, arguments(["eos", "a", "b", *rest]), 1, "no unknown token", "eos, a, b")
        self.assertEqual(run(from_nematus, *arguments(["<EOS>", "<GO>", "<UNK>", *rest]), self.output), (None, ""))
        config = read_json(f"{self.output}/config.json")
        self.assertEqual(config["source"], {"end": 0, "unknown": 2, "special": [1]})
        self.assertEqual(config["target"], {"start": "zeros", "end": 0, "unknown": 1})


class Tutorials(Folder):
    def refused(self, name, *parts, code=1, file="model.pt", without=(), **tensors):
        """With the state_dict `file` of a kept source changed."""
        script, arguments = command(name)
        state = {**torch.load(f"{SOURCES}/{name}/{file}", weights_only=True), **tensors}
        torch.save({name: tensor for name, tensor in state.items() if name not in without}, f"{self.folder}/{file}")
        arguments = [argument.replace(f"{SOURCES}/{name}/{file}", f"{self.folder}/{file}") for argument in arguments]
        self.assert_refused(script, arguments, code, *parts)

    def test_what_is_not_served_is_named(self):
        self.refused("rnn-pytorch-attention", "tensor 'attn_combine.weight'", file="decoder.pt",
                     **{"attn_combine.weight": torch.ones(2, 2)})
        self.refused("rnn-tutorial-1", "tensor 'decoder.rnn.weight_ih_l0' takes 3 numbers beside the embedding, not none",
                     **{"decoder.rnn.weight_ih_l0": torch.ones(32, 9)})
        self.refused("rnn-tutorial-3", "tensor 'encoder.more' has no place", **{"encoder.more": torch.ones(2)})
        self.refused("rnn-tutorial-3", "no tensor 'encoder.fc.bias'", without=["encoder.fc.bias"])
        self.refused("rnn-tutorial-2", "tensor 'decoder.fc_out.bias' is [3], not [28]",
                     **{"decoder.fc_out.bias": torch.ones(3)})

    def test_vocabularies_are_asked_for(self):
        path = f"{SOURCES}/rnn-tutorial-2/model.pt"
        self.assert_refused(from_pytorch_tutorial, [path], 2, "--source-vocabulary")
        with open(f"{self.folder}/words.txt", "w", encoding="utf-8") as file:
            file.write("<unk>\n<pad>\n")
        files = [f"--{side}-vocabulary={self.folder}/words.txt" for side in ("source", "target")]
        self.assert_refused(from_pytorch_tutorial, [path, *files], 1, "words.txt: has no special token '<sos>'")

    def test_a_module_is_no_state_dict(self):
        torch.save(torch.nn.Linear(2, 2), f"{self.folder}/module.pt")
        self.assert_refused(from_pytorch_tutorial, [f"{self.folder}/module.pt"], 1, "not a pickle of tensors alone")


if __name__ == "__main__":
    unittest.main()
