#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the recurrent translators' recipe: gradients, the encoder against PyTorch's GRU, search, resuming, and the exported
directory. Needs PyTorch, numpy, sentencepiece and sacrebleu; without them, exits 77 (ctest: skipped).

python3 tests/recipes/train_rnn_translator_test.py
"""

import contextlib
import filecmp
import gzip
import io
import json
import os
import re
import shutil
import sys
import tempfile
import unittest
import unittest.mock

try:
    import numpy  # noqa: F401
    import sacrebleu  # noqa: F401
    import sentencepiece  # noqa: F401
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../weights/recipes"))
import made_up_text  # noqa: E402
import rnn_translator_model  # noqa: E402
import safetensors_file  # noqa: E402
import train_rnn_translator  # noqa: E402

SYSTEMS = rnn_translator_model.SYSTEMS
SHAPE = {"vocabulary": 20, "embedding": 6, "encoder_hidden": 5, "encoder_layers": 2, "decoder_hidden": 7, "attention_width": 4}


def run(*arguments):
    """(what sys.exit was given or None, what was printed) of train_rnn_translator.py."""
    sys.argv = ["train_rnn_translator.py", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            train_rnn_translator.main()
        except SystemExit as end:
            return end.code, printed.getvalue()
    return None, printed.getvalue()


def model_of(system, seed=1, spread=1.0):
    """A small random model; a larger `spread` makes its choices differ more."""
    torch.manual_seed(seed)
    model = rnn_translator_model.Translator({"system": system, **SHAPE}, 0.0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=spread)
    return model


SOURCE = torch.tensor([[4, 5, 6, 0], [7, 8, 0, 19], [9, 0, 19, 19]])  # [batch, length], padded with 19
TARGET = torch.tensor([[3, 0, 19, 19, 19], [4, 11, 12, 13, 0], [5, 0, 19, 19, 19]])


class Gradients(unittest.TestCase):
    def test_attention_has_the_gradients_of_its_formula(self):
        torch.manual_seed(0)
        sizes = ((3, 4, 5), (3, 4, 6), (3, 5), (5,))
        keys, states, query, energy = inputs = [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes]
        mask = torch.zeros(3, 4, dtype=torch.float64)
        mask[1, 3] = -torch.inf

        def by_formula(query, keys, states):
            weights = (torch.tanh(keys + query[:, None]) @ energy + mask).softmax(1)
            return torch.bmm(weights[:, None], states)[:, 0]

        uses = []
        memory = rnn_translator_model.Memory.apply(keys, states, uses)
        expected, actual = 0, 0
        for step in (1, 2, 3):
            expected += step * by_formula(step * query, keys, states).square().sum()
            actual += step * rnn_translator_model.Attend.apply(step * query, *memory, energy, mask, uses).square().sum()
        for one, other in zip(torch.autograd.grad(actual, inputs), torch.autograd.grad(expected, inputs)):
            torch.testing.assert_close(one, other)

    def test_the_recurrence_is_that_of_pytorch(self):
        torch.manual_seed(2)
        weights, expected = rnn_translator_model.Weights(6, 5, 1, 1), torch.nn.GRU(6, 5)
        expected.load_state_dict(weights.state_dict())
        x, state = torch.randn(4, 3, 6, requires_grad=True), torch.randn(3, 5, requires_grad=True)
        outputs = weights.sequence("l0", x, state, torch.float32), expected(x, state[None])[0]
        torch.testing.assert_close(*outputs)
        gradients = []
        for output, network in zip(outputs, (weights, expected)):
            parameters = dict(network.named_parameters())
            found = torch.autograd.grad(output.square().sum(), [x, state, *parameters.values()])
            gradients.append(dict(zip(["x", "state", *parameters], found)))
        torch.testing.assert_close(gradients[0], gradients[1])

    def test_the_encoder_reads_each_sentence_without_its_padding(self):
        model = model_of("attention")
        expected = torch.nn.GRU(6, 5, 2, bidirectional=True)
        expected.load_state_dict(model.encoder.rnn.state_dict())
        states, last = model.encode(SOURCE.t(), torch.float32)
        for row, ids in enumerate(SOURCE):
            ids = ids[ids != model.pad]
            outputs, final = expected(model.encoder.embedding(ids)[:, None])
            torch.testing.assert_close(states[: len(ids), row], outputs[:, 0])
            torch.testing.assert_close(last[row], final[2:].flatten())

    def test_padding_changes_nothing(self):
        for system in SYSTEMS:
            model = model_of(system)
            alone = [
                rnn_translator_model.loss_of(model, source[source != 19][None], target[target != 19][None], 0.1)
                for source, target in zip(SOURCE, TARGET)
            ]
            lengths = (TARGET != 19).sum(1)
            mean = sum(loss * length for loss, length in zip(alone, lengths)) / lengths.sum()
            torch.testing.assert_close(rnn_translator_model.loss_of(model, SOURCE, TARGET, 0.1), mean)


class Search(unittest.TestCase):
    def log_probability(self, model, source, ids):
        """Of each token of ids and EOS, by the network that is trained."""
        target = torch.tensor(ids + [0])[:, None]
        shifted = torch.cat([torch.zeros(1, 1, dtype=torch.long), target[:-1]])
        logits = model.logits(model.hidden(source[:, None], shifted, torch.float32))[:, 0].log_softmax(-1)
        return logits.gather(1, target)[:, 0], logits

    def test_greedy_search_takes_the_best_token_of_each_step(self):
        for system in SYSTEMS:
            model, ended = model_of(system, spread=0.5), 0
            with torch.no_grad():
                model.output.bias[0] = 2  # translations end
            for source, ids in zip(SOURCE, rnn_translator_model.search(model, SOURCE.t(), 1, 12)):
                _, logits = self.log_probability(model, source[source != 19], ids)
                chosen = (ids + [0])[:12]
                ended += len(ids) < 12
                self.assertEqual(logits[: len(chosen)].argmax(-1).tolist(), chosen)
            self.assertGreater(ended, 0, system)

    def test_a_wide_beam_finds_the_best_of_all_short_translations(self):
        for system in SYSTEMS:
            model = model_of(system, spread=0.7)
            with torch.no_grad():
                model.output.bias[6:] = -1e9  # so that there are few
            every = [[]] + [[a] for a in range(1, 6)] + [[a, b] for a in range(1, 6) for b in range(1, 6)]
            for row, source in enumerate(SOURCE):
                kept = source[source != 19]
                means = []
                for ids in every:
                    scores, _ = self.log_probability(model, kept, ids)
                    means.append(scores[:2].mean().item() if len(ids) == 2 else scores.mean().item())  # cut off at 2 tokens
                best = max(range(len(every)), key=lambda i: means[i])
                found = rnn_translator_model.search(model, SOURCE.t(), 40, 2)[row]
                self.assertEqual(found, every[best], system)


def write_gzip(path, lines):
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


class Trainer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.data, cls.prepared = f"{cls.directory.name}/data", f"{cls.directory.name}/prepared"
        os.makedirs(f"{cls.data}/multi30k")
        pairs = list(dict.fromkeys(made_up_text.pairs(700, 9)))
        for part, kept in (("train", pairs[:-40]), ("val", pairs[-40:-20]), ("test_2016_flickr", pairs[-20:])):
            for side, lines in zip(("en", "de"), zip(*kept)):
                write_gzip(f"{cls.data}/multi30k/{part}.{side}.gz", lines)
        code, cls.printed = run("prepare", f"--data={cls.data}", f"--work={cls.prepared}", "--vocabulary=600")
        assert code is None, code

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def train(self, work, system, *arguments):
        small = ["--embedding=16", "--encoder-hidden=8", "--decoder-hidden=16", "--attention-width=8", "--batch-tokens=400", "--warmup=5"]
        few = ["--saves=4", "--report-every=5", "--validation-pairs=5", "--search-every=2"]
        return run("train", f"--work={work}", f"--system={system}", *small, *few, "--device=cpu", *arguments)

    def copy_of_prepared(self, name):
        work = f"{self.directory.name}/{name}"
        shutil.copytree(self.prepared, work)
        return work

    def test_text_is_prepared_once_for_both_systems(self):
        self.assertEqual(len(re.findall("^captions: ", self.printed, re.MULTILINE)), 1)
        folders = [f"{self.prepared}/{system}" for system in SYSTEMS]
        for name in ("joint.model", "tokens.npz"):
            self.assertTrue(filecmp.cmp(*(f"{folder}/{name}" for folder in folders), shallow=False), name)

    def test_training_learns_reports_and_exports_a_directory_that_translates_alike(self):
        for system in SYSTEMS:
            work = self.copy_of_prepared(f"learn-{system}")
            code, printed = self.train(work, system, "--updates=60", "--rate=1e-2")
            self.assertIsNone(code)
            losses = [float(loss) for loss in re.findall(r"^update .* loss ([\d.]+) .* tokens/s \d+ min left$", printed, re.MULTILINE)]
            self.assertEqual(len(losses), 12)
            self.assertLess(losses[-1], 0.8 * losses[0])
            self.assertEqual(len(re.findall("^checkpoint .*perplexity_dev_captions=", printed, re.MULTILINE)), 4)
            self.assertEqual(len(re.findall("^checkpoint .*BLEU=", printed, re.MULTILINE)), 2)
            output = f"{work}/model"
            chosen = [f"--work={work}", f"--system={system}", "--average=1"]
            self.assertIsNone(run("export", *chosen, f"--output={output}")[0])
            self.assertEqual(
                sorted(os.listdir(output)), ["config.json", "generation_config.json", "model.safetensors", "source.spm", "target.spm"]
            )
            self.check_tensors(output, system)
            shape, tensors = train_rnn_translator.average_of(train_rnn_translator.snapshots(f"{work}/{system}")[-1:])
            trained = rnn_translator_model.Translator(shape, 0.0)
            trained.load_state_dict({name: tensor.half().float() for name, tensor in tensors.items()})
            exported, subwords = train_rnn_translator.exported_model(output)
            texts = ["Where is the invoice?", "I need help.", ""]
            for beam in (1, 3):
                self.assertEqual(*(train_rnn_translator.translate(model.eval(), subwords, texts, beam) for model in (trained, exported)))
            code, printed = run("score", *chosen, f"--data={self.data}", "--part=test_2016_flickr", "--beam=2", f"--model={output}")
            self.assertIsNone(code)
            self.assertRegex(printed, r"^test_2016_flickr, beam 2: BLEU \d+\.\d\d\n$")

    def check_tensors(self, output, system):
        """config.json and the tensors are those of docs/rnn-seq2seq.md."""
        with open(f"{output}/config.json", encoding="utf-8") as file:
            config = json.load(file)
        vocabulary = sentencepiece.SentencePieceProcessor(model_file=f"{output}/target.spm").get_piece_size()
        self.assertEqual((config["model_type"], config["decoder"]["vocabulary"]), ("rnn-seq2seq", vocabulary))
        gru = lambda prefix, end, inputs, hidden: {  # noqa: E731
            f"{prefix}.weight_ih_{end}": [3 * hidden, inputs], f"{prefix}.weight_hh_{end}": [3 * hidden, hidden],
            f"{prefix}.bias_ih_{end}": [3 * hidden], f"{prefix}.bias_hh_{end}": [3 * hidden],
        }  # fmt: skip
        expected = {f"{side}.embedding.weight": [vocabulary, 16] for side in ("encoder", "decoder")}
        expected |= gru("encoder.rnn", "l0", 16, 8) | gru("encoder.rnn", "l0_reverse", 16, 8) | gru("decoder.rnn", "l0", 16, 16)
        expected |= {"init.hidden.weight": [16, 16], "init.hidden.bias": [16], "output.bias": [vocabulary], "readout.bias": [16]}
        if system == "attention":
            expected |= gru("decoder.rnn2", "l0", 16, 16) | {"readout.weight": [16, 48]}
            expected |= {f"attention.{name}": size for name, size in (("query.weight", [8, 16]), ("key.weight", [8, 16]), ("key.bias", [8]), ("energy.weight", [1, 8]))}
        else:
            expected |= gru("decoder.rnn", "l1", 16, 16) | {"readout.weight": [16, 32]}
        tensors = safetensors_file.read(f"{output}/model.safetensors")
        self.assertEqual({name: list(tensor.shape) for name, tensor in tensors.items()}, expected)
        self.assertEqual({tensor.dtype for tensor in tensors.values()}, {torch.float16})

    def test_an_interrupted_run_ends_where_a_straight_one_does(self):
        straight, cut = self.copy_of_prepared("straight"), self.copy_of_prepared("cut")
        arguments = ["attention", "--updates=20", "--dropout=0", "--threads=1"]
        self.assertIsNone(self.train(straight, *arguments)[0])

        def save_and_stop(training):
            save(training)
            if training.step == 10:
                sys.exit("cut off")

        save = train_rnn_translator.Run.save
        with unittest.mock.patch.object(train_rnn_translator.Run, "save", save_and_stop):
            self.assertEqual(self.train(cut, *arguments)[0], "cut off")
        code, printed = self.train(cut, *arguments)
        self.assertIsNone(code)
        self.assertIn("from update 10,", printed)
        resumed = torch.load(f"{cut}/attention/checkpoint.pt", weights_only=True)
        self.assertEqual(resumed["step"], 20)
        for name, weights in torch.load(f"{straight}/attention/checkpoint.pt", weights_only=True)["model"].items():
            torch.testing.assert_close(resumed["model"][name], weights, rtol=0, atol=0)

    def test_bfloat16_products_learn_too(self):
        for system in SYSTEMS:
            work = self.copy_of_prepared(f"bfloat16-{system}")
            code, printed = self.train(work, system, "--updates=20", "--rate=1e-2", "--dtype=bfloat16")
            self.assertIsNone(code)
            losses = [float(loss) for loss in re.findall(r" loss ([\d.]+) ", printed)]
            self.assertLess(losses[-1], losses[0])

    def test_export_without_a_checkpoint_says_what_to_do(self):
        code, _ = run("export", f"--work={self.prepared}", "--system=plain", f"--output={self.directory.name}/none")
        self.assertRegex(code, "no checkpoint in .*/plain: run `train` first")


if __name__ == "__main__":
    unittest.main()
