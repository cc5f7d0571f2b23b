#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the translator's recipe: made-up text, the mix, batches, resuming, and the exported directory. Needs PyTorch,
numpy and sentencepiece; without them, exits 77 (ctest: skipped).

python3 tests/recipes/train_translator_test.py
"""

import contextlib
import gzip
import io
import json
import os
import random
import re
import shutil
import sys
import tempfile
import unittest
import unittest.mock

try:
    import numpy
    import sentencepiece  # noqa: F401
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../weights/recipes"))
import draw_training  # noqa: E402
import made_up_text  # noqa: E402
import safetensors_file  # noqa: E402
import train_translator  # noqa: E402
import translator_data  # noqa: E402
import translator_model  # noqa: E402
import warm_start  # noqa: E402


def run(*arguments):
    """(what sys.exit was given or None, what was printed) of train_translator.py."""
    sys.argv = ["train_translator.py", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            train_translator.main()
        except SystemExit as end:
            return end.code, printed.getvalue()
    return None, printed.getvalue()


class MadeUpText(unittest.TestCase):
    def test_the_same_seed_gives_the_same_text_and_another_another(self):
        first = made_up_text.pairs(500, 1)
        self.assertEqual(first, made_up_text.pairs(500, 1))
        self.assertNotEqual(first, made_up_text.pairs(500, 2))

    def test_every_template_gives_two_finished_sides(self):
        for english, german in made_up_text.pairs(20000, 3):
            for side in (english, german):
                self.assertTrue(side and side == side.strip() and "  " not in side and "{" not in side and "}" not in side, (english, german))

    def test_addresses_identifiers_and_long_numbers_are_copied(self):
        copied = re.compile(r"\S+@\S+\w|https?://[\w./?=-]*\w|\b\w+_\w+\b|--\w+=\w+|\+\d+ [\d ]+\d")
        seen = 0
        for english, german in made_up_text.pairs(20000, 4):
            for text in copied.findall(english):
                self.assertIn(text, german, english)
                seen += 1
        self.assertGreater(seen, 500)

    def test_numbers_in_words(self):
        expected = {
            0: ("zero", "null"), 1: ("one", "eins"), 17: ("seventeen", "siebzehn"), 21: ("twenty-one", "einundzwanzig"),
            30: ("thirty", "dreißig"), 101: ("one hundred and one", "einhunderteins"),
            999: ("nine hundred and ninety-nine", "neunhundertneunundneunzig"), 1000: ("one thousand", "eintausend"),
            2345: ("two thousand three hundred and forty-five", "zweitausenddreihundertfünfundvierzig"),
        }  # fmt: skip
        for number, words in expected.items():
            self.assertEqual(made_up_text.number_words(number), words)

    def test_clock_times_name_the_same_minute(self):
        names = {word: n for n, word in enumerate(made_up_text.GERMAN_SMALL)} | {"ein": 1, "zwanzig": 20}
        english_names = {word: n for n, word in enumerate(made_up_text.ENGLISH_SMALL)} | {"twenty": 20}

        def german_minutes(text):  # on a clock of 12 hours
            for pattern, minutes in (
                (r"(\w+) Uhr", lambda h: 60 * h), (r"halb (\w+)", lambda h: 60 * h - 30), (r"Viertel nach (\w+)", lambda h: 60 * h + 15),
                (r"Viertel vor (\w+)", lambda h: 60 * h - 15), (r"(\w+) nach (\w+)", lambda m, h: 60 * h + m), (r"(\w+) vor (\w+)", lambda m, h: 60 * h - m),
            ):  # fmt: skip
                if match := re.fullmatch(pattern, text):
                    return minutes(*(names[word] for word in match.groups())) % 720
            return None

        def english_minutes(text):
            for pattern, minutes in (
                (r"(\w+) o'clock", lambda h: 60 * h), (r"half past (\w+)", lambda h: 60 * h + 30), (r"quarter past (\w+)", lambda h: 60 * h + 15),
                (r"quarter to (\w+)", lambda h: 60 * h - 15), (r"(\w+) past (\w+)", lambda m, h: 60 * h + m), (r"(\w+) to (\w+)", lambda m, h: 60 * h - m),
            ):  # fmt: skip
                if match := re.fullmatch(pattern, text):
                    return minutes(*(english_names[word] for word in match.groups())) % 720
            return None

        rng, in_words, in_figures = random.Random(5), 0, 0
        for _ in range(3000):
            english, german = made_up_text.clock(rng)
            if (minutes := english_minutes(english)) is not None:
                self.assertEqual(german_minutes(german), minutes, (english, german))
                in_words += 1
            elif match := re.fullmatch(r"(\d+)(?::(\d\d))? ?([ap])?\.?m?\.?", english, re.IGNORECASE):
                hour, minute, half = match.groups()
                if half:
                    hour = int(hour) % 12 + (12 if half.lower() == "p" else 0)
                self.assertEqual(german, f"{hour}:{minute} Uhr" if minute else f"{hour} Uhr", english)
                in_figures += 1
        self.assertEqual(in_words + in_figures, 3000)
        self.assertGreater(min(in_words, in_figures), 500)

    def test_german_grammar_of_things(self):
        self.assertEqual(made_up_text.noun_phrase("contract", "mein", 1), "meinen Vertrag")
        self.assertEqual(made_up_text.noun_phrase("invoice", "Ihr", 0), "Ihre Rechnung")
        self.assertEqual(made_up_text.noun_phrase("user name", "Ihr", 1), "Ihren Benutzernamen")
        self.assertEqual(made_up_text.noun_phrase("user name", "der", 0), "der Benutzername")
        self.assertEqual(made_up_text.dative("data", "mein"), "meinen Daten")
        self.assertEqual(made_up_text.with_zu("ändern", ""), "zu ändern")
        self.assertEqual(made_up_text.with_zu("ausdrucken", "aus"), "auszudrucken")
        self.assertEqual(made_up_text.with_zu("neu starten", "neu"), "neu zu starten")
        self.assertEqual(made_up_text.inverted("Es ist kalt"), "ist es kalt")
        self.assertEqual(made_up_text.inverted("Es regnet"), "regnet es")
        self.assertEqual(made_up_text.inverted("Das Wetter ist schön"), "ist das Wetter schön")
        self.assertEqual(made_up_text.inverted("Die Sonne scheint"), "scheint die Sonne")

    def test_verbs_and_things_are_complete(self):
        for thing, (_, gender, verbs) in made_up_text.THINGS.items():
            self.assertIn(gender, made_up_text.ENDINGS, thing)
            self.assertLessEqual(set(verbs.split()), set(made_up_text.VERBS), thing)


class Text(unittest.TestCase):
    def test_names_change_on_both_sides_or_on_neither(self):
        rng = random.Random(1)
        for _ in range(50):
            english, german = translator_data.renamed(("Tom's dog bit Mary.", "Toms Hund hat Maria gebissen."), rng)
            man, woman = re.fullmatch(r"(\w+)'s dog bit (\w+)\.", english).groups()
            self.assertEqual(german, f"{man}s Hund hat {woman} gebissen.")
        self.assertEqual(translator_data.renamed(("Tom left.", "Er ging."), rng), ("Tom left.", "Er ging."))
        self.assertEqual(translator_data.renamed(("Tomatoes.", "Tomaten."), rng), ("Tomatoes.", "Tomaten."))

    def test_varied_text_holds_every_sentence_once(self):
        pairs = [(f"This is number {n}.", f"Das ist Nummer {n}.") for n in range(500)]
        varied = translator_data.varied(pairs, random.Random(2))
        self.assertEqual(varied, translator_data.varied(pairs, random.Random(2)))
        self.assertLess(len(varied), 500)  # some are joined
        for side in (0, 1):
            found = [int(n) for pair in varied for n in re.findall(r"\d+", pair[side])]
            self.assertEqual(sorted(found), list(range(500)))
        for english, german in varied:
            self.assertEqual(re.findall(r"\d+", english), re.findall(r"\d+", german))

    def test_cleaning_leaves_out_what_must_not_be_trained_on(self):
        pairs = [
            ("Held out.", "Zurückgelegt."), ("Good.", "Gut."), ("Good.", "Gut."), ("Empty.", " "),
            ("The same words on both sides", "The same words on both sides"), ("Short.", "Viel zu lang für das, was links steht." * 2),
            ("Go.", "Geh."), ("Go.", "Gehen Sie."), ("Go.", "Geht."), ("Go.", "Los."),
        ]  # fmt: skip
        expected = [("Good.", "Gut."), ("Go.", "Geh."), ("Go.", "Gehen Sie."), ("Go.", "Geht.")]
        self.assertEqual(translator_data.cleaned(pairs, {"Held out."}), expected)


def corpora_of(sizes, seed=0):
    """Random token rows for each of CORPORA."""
    rng = random.Random(seed)
    row = lambda: [rng.randrange(2, 50) for _ in range(rng.randint(1, 30))]  # noqa: E731
    return {name: translator_data.Tokens.of_rows([(row(), row()) for _ in range(sizes)]) for name in translator_data.CORPORA}


class Batches(unittest.TestCase):
    def test_rows_come_back_padded(self):
        tokens = translator_data.Tokens.of_rows([([5, 6, 7], [8]), ([9], [3, 4])])
        rows = numpy.array([1, 0])
        self.assertEqual(tokens.padded(rows, 0, 99).tolist(), [[9, 0, 99, 99], [5, 6, 7, 0]])
        self.assertEqual(tokens.padded(rows, 1, 99).tolist(), [[3, 4, 0], [8, 0, 99]])
        joined = translator_data.Tokens.joined([tokens, tokens])
        self.assertEqual(joined.padded(numpy.array([3]), 1, 99).tolist(), [[3, 4, 0]])
        self.assertEqual(joined.tokens_of(numpy.array([0, 3])), 4 + 2 + 2 + 3)

    def test_batches_hold_every_row_once_within_the_budget(self):
        tokens = next(iter(corpora_of(700).values()))
        rows = numpy.arange(len(tokens))
        groups = translator_data.batches(tokens, rows, 400, numpy.random.default_rng(1))
        self.assertEqual(sorted(int(i) for group in groups for i in group), rows.tolist())
        padded = [tokens.padded(group, 0, 0).size + tokens.padded(group, 1, 0).size for group in groups]
        self.assertLessEqual(max(padded), 400)
        self.assertLess(sum(padded), 1.35 * tokens.tokens_of(rows))  # like lengths are together

    def test_a_pair_longer_than_the_budget_is_a_batch_of_its_own(self):
        tokens = translator_data.Tokens.of_rows([([5] * 40, [5] * 40), ([5], [5]), ([6], [6])])
        groups = translator_data.batches(tokens, numpy.arange(3), 20, numpy.random.default_rng(1))
        self.assertEqual(sorted(sorted(group.tolist()) for group in groups), [[0], [1, 2]])

    def test_repeats_may_be_fractions(self):
        rows = translator_data.epoch_rows([10, 20], [2, 0.25], numpy.random.default_rng(1)).tolist()
        self.assertEqual(sorted(i for i in rows if i < 10), sorted([*range(10)] * 2))
        others = [i for i in rows if i >= 10]
        self.assertEqual((len(others), len(set(others))), (5, 5))

    def test_a_resumed_mix_goes_on_with_the_batch_that_would_have_come(self):
        corpora = corpora_of(5)
        phases = [0] * 90 + [1] * 30 + [0] * 20  # a larger budget returns to the first phase
        straight = translator_data.Mix(corpora, 300)
        expected = [straight.next(phase).tolist() for phase in phases]
        self.assertGreater(straight.positions[0][0], 0)  # epochs ended
        for cut in (1, 60, 89, 90, 91, 119, 120, 139):
            first = translator_data.Mix(corpora, 300)
            for phase in phases[:cut]:
                first.next(phase)
            second = translator_data.Mix(corpora, 300, json.loads(json.dumps(first.positions)))
            self.assertEqual([second.next(phase).tolist() for phase in phases[cut:]], expected[cut:])

    def test_the_last_phases_hold_no_machine_translated_text(self):
        self.assertEqual([translator_data.phase_of(f) for f in (0, 0.69, 0.7, 0.84, 0.85, 1, 1.2)], [0, 0, 1, 1, 2, 2, 2])
        for name, repeats in translator_data.CORPORA.items():
            self.assertEqual(name.endswith("_mt"), repeats[1] == 0 and repeats[2] == 0, name)


class Loss(unittest.TestCase):
    def test_the_gradient_is_that_of_the_label_smoothed_loss(self):
        torch.manual_seed(1)
        logits, gold = torch.randn(7, 11, dtype=torch.float64, requires_grad=True), torch.randint(0, 11, (7,))
        torch.nn.functional.cross_entropy(logits, gold, label_smoothing=0.1).backward()
        expected, logits.grad = logits.grad, None
        loss = translator_model.SmoothedCrossEntropy.apply(logits, gold, 0.1)
        loss.backward()
        self.assertAlmostEqual(loss.item(), torch.nn.functional.cross_entropy(logits, gold).item(), places=5)
        torch.testing.assert_close(logits.grad, expected, rtol=1e-5, atol=1e-7)

    def test_rows_left_out_have_no_loss_and_no_gradient(self):
        torch.manual_seed(1)
        logits, gold = torch.randn(5, 11, dtype=torch.float64, requires_grad=True), torch.randint(0, 11, (5,))
        kept = torch.tensor([True, False, True, True, False])
        expected = translator_model.SmoothedCrossEntropy.apply(logits[kept], gold[kept], 0.1)
        expected.backward()
        gradient, logits.grad = logits.grad, None
        loss = translator_model.SmoothedCrossEntropy.apply(logits, gold, 0.1, kept)
        loss.backward()
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(logits.grad, gradient, rtol=1e-5, atol=1e-9)

    def test_greedy_search_takes_the_likeliest_token_each_time(self):
        torch.manual_seed(1)
        shape = {"vocabulary": 20, "d_model": 16, "ffn": 32, "heads": 2, "encoder_layers": 2, "decoder_layers": 2}
        model = translator_model.Marian(shape, 0.0).eval()
        source = torch.tensor([[4, 5, 0, 19], [7, 8, 9, 0]])
        found = translator_model.greedy(model, source, 6)
        read = torch.cat([torch.full((2, 1), 19), found[:, :-1]], 1)
        self.assertEqual(model.logits(model.hidden(source, read)).argmax(-1).tolist(), found.tolist())

    def test_padding_changes_nothing(self):
        torch.manual_seed(1)
        shape = {"vocabulary": 20, "d_model": 16, "ffn": 32, "heads": 2, "encoder_layers": 2, "decoder_layers": 1}
        model = translator_model.Marian(shape, 0.0)
        source, target = torch.tensor([[4, 5, 0]]), torch.tensor([[6, 0]])
        loss = translator_model.loss_of(model, source, target, 0.1)
        pad = lambda ids: torch.nn.functional.pad(ids, (0, 3), value=19)  # noqa: E731
        torch.testing.assert_close(translator_model.loss_of(model, pad(source), pad(target), 0.1), loss)


def write_gzip(path, lines):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


class Trainer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.data, cls.prepared = f"{cls.directory.name}/data", f"{cls.directory.name}/prepared"
        made_up = [f"{english}\t{german}" for english, german in made_up_text.pairs(300, 9)]
        for paths in (*translator_data.FILES.values(), translator_data.DEVELOPMENT.values()):
            for path in paths:
                write_gzip(f"{cls.data}/{path}", random.Random(path).sample(made_up, 60))
        for part in ("train", "val"):
            for side, line in (("en", "A man rides a bike."), ("de", "Ein Mann fährt Fahrrad.")):
                write_gzip(f"{cls.data}/multi30k/{part}.{side}.gz", [line] * 30)
        cls.prepare(cls.prepared)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    @classmethod
    def prepare(cls, work):
        code, cls.printed = run("prepare", f"--data={cls.data}", f"--work={work}", "--vocabulary=600", "--made-up-pairs=300")
        assert code is None, code

    def train(self, work, *arguments):
        small = ["--d-model=16", "--ffn=32", "--heads=2", "--encoder-layers=1", "--decoder-layers=1", "--batch-tokens=400"]
        return run("train", f"--work={work}", *small, "--warmup=5", "--saves=4", "--report-every=5", "--device=cpu", *arguments)

    def copy_of_prepared(self, name):
        work = f"{self.directory.name}/{name}"
        os.makedirs(work)
        for file in ("joint.model", "tokens.npz"):
            os.symlink(f"{self.prepared}/{file}", f"{work}/{file}")
        return work

    def test_prepare_is_the_same_each_time_and_spells_rare_characters_in_bytes(self):
        again = f"{self.directory.name}/again"
        self.prepare(again)
        for name in ("joint.model", "tokens.npz"):
            with open(f"{self.prepared}/{name}", "rb") as first, open(f"{again}/{name}", "rb") as second:
                self.assertEqual(first.read(), second.read(), name)
        subwords = sentencepiece.SentencePieceProcessor(model_file=f"{again}/joint.model")
        for text in ("Öffnen Sie 你好 😀.", "für 12 €"):
            self.assertEqual(subwords.decode(subwords.encode(text)), text)
            self.assertNotIn(1, subwords.encode(text))  # <unk>
        self.assertIn("2", subwords.encode("12", out_type=str))

    def test_development_sets_are_not_trained_on(self):
        training, development = translator_data.read_corpora(self.data, 100)
        held_out = {english for pairs in development.values() for english, _ in pairs}
        for name in translator_data.FILES:
            self.assertFalse({english for english, _ in training[name]} & held_out, name)

    def test_training_learns_reports_and_exports_what_the_server_reads(self):
        work = self.copy_of_prepared("learn")
        code, printed = self.train(work, "--updates=60", "--rate=1e-2")
        self.assertIsNone(code)
        losses = [float(loss) for loss in re.findall(r"^update .* loss ([\d.]+) .* tokens/s \d+ min left$", printed, re.MULTILINE)]
        self.assertEqual(len(losses), 12)
        self.assertLess(losses[-1], 0.8 * losses[0])
        self.assertEqual(len(re.findall("^checkpoint .*dev_everyday=.*dev_chat=", printed, re.MULTILINE)), 4)
        output = f"{work}/model"
        self.assertIsNone(run("export", f"--work={work}", f"--output={output}", "--average=2")[0])
        self.assertEqual(sorted(os.listdir(output)), ["config.json", "generation_config.json", "model.safetensors", "source.spm",
                                                      "target.spm", "tokenizer_config.json", "vocab.json"])  # fmt: skip
        with open(f"{output}/vocab.json", encoding="utf-8") as file:
            vocabulary = json.load(file)
        with open(f"{output}/config.json", encoding="utf-8") as file:
            config = json.load(file)
        self.assertEqual(config["vocab_size"], len(vocabulary))
        self.assertEqual(config["pad_token_id"], vocabulary["<pad>"])
        with open(f"{output}/generation_config.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file)["alignment_heads"], [[0, 0], [0, 1]])  # all of the last layer
        tensors = safetensors_file.read(f"{output}/model.safetensors")
        self.assertEqual({tensor.dtype for tensor in tensors.values()}, {torch.float16})
        self.assertEqual(list(tensors["model.shared.weight"].shape), [len(vocabulary), 16])

    def test_rounded_weights_learn_and_the_best_average_is_exported_and_scored(self):
        work = self.copy_of_prepared("rounded")
        code, printed = self.train(work, "--updates=60", "--rate=1e-2", "--dtype=bfloat16")
        self.assertIsNone(code)
        losses = [float(loss) for loss in re.findall(r"^update .* loss ([\d.]+) ", printed, re.MULTILINE)]
        self.assertLess(losses[-1], 0.8 * losses[0])
        saved = torch.load(f"{work}/checkpoint.pt", weights_only=True)
        self.assertEqual({weights.dtype for weights in saved["model"].values()}, {torch.float32})
        self.assertTrue(any((weights != weights.bfloat16()).any() for weights in saved["model"].values()))
        code, printed = run("export", f"--work={work}", f"--output={work}/model", "--average=1,3", "--device=cpu")
        means = {}
        for count, line in re.findall(r"^average of (\d): (.*)$", printed, re.MULTILINE):
            figures = dict(figure.split("=") for figure in line.split())
            means[count] = sum(float(figures[name]) for name in translator_data.DEVELOPMENT)
        self.assertEqual(sorted(means), ["1", "3"])
        self.assertIn(f"averaging the last {min(means, key=means.get)} checkpoints", printed)
        try:
            import sacrebleu  # noqa: F401
        except ImportError:
            return
        code, printed = run("score", f"--work={work}", f"--model={work}/model", "--device=cpu", "--validation-pairs=7")
        self.assertIsNone(code)
        self.assertEqual(len(re.findall(r"^dev_\w+, greedy search: BLEU [\d.]+$", printed, re.MULTILINE)), 4)

    def exported(self, name):
        """A small model's directory."""
        work = self.copy_of_prepared(name)
        self.assertIsNone(self.train(work, "--updates=8")[0])
        self.assertIsNone(run("export", f"--work={work}", f"--output={work}/model", "--average=1")[0])
        return f"{work}/model"

    def test_weights_carried_over_to_more_layers_and_units_translate_as_before(self):
        directory = self.exported("carried")
        pieces = translator_data.vocabulary_of(self.prepared)
        old = {"vocabulary": len(pieces), "d_model": 16, "ffn": 32, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}
        ids = torch.tensor([[7, 8, 9, 10, 0]])
        logits = []
        for shape in (old, {**old, "ffn": 48}, {**old, "encoder_layers": 3, "decoder_layers": 2}):
            model = translator_model.Marian(shape, 0.0)
            weights, report = warm_start.initial(shape, directory, pieces)
            model.load_state_dict(weights)
            self.assertEqual(report, f"{directory}: has {len(pieces) - 1} of the subwords, spells 0, lacks 0")
            logits.append(model.logits(model.hidden(ids, ids)).detach())
        torch.manual_seed(1)
        random_layers = translator_model.Marian(shape, 0.0)
        random_layers.load_state_dict({name: w for name, w in weights.items() if "layers.0." in name or "layers" not in name}, strict=False)
        logits.append(random_layers.logits(random_layers.hidden(ids, ids)).detach())
        exported = translator_model.Marian(old, 0.0)
        tensors = safetensors_file.read(f"{directory}/model.safetensors")
        exported.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        torch.testing.assert_close(logits[0], exported.logits(exported.hidden(ids, ids)).detach(), rtol=0, atol=0)
        torch.testing.assert_close(logits[1], logits[0])  # new units add nothing
        # New layers normalize what they hand on once more.
        far = [(other - logits[0]).norm() / logits[0].norm() for other in logits[2:]]
        self.assertLess(far[0], 0.05)
        self.assertGreater(far[1], 0.5)

    def test_new_subwords_begin_as_the_old_ones_that_spell_them(self):
        directory = self.exported("spelled")
        old = sentencepiece.SentencePieceProcessor(model_file=f"{directory}/source.spm")
        start = warm_start.WORD_START
        whole = next(old.id_to_piece(i) for i in range(3, 600) if old.id_to_piece(i).startswith(start) and len(old.id_to_piece(i)) > 4)
        pieces = {"</s>": 0, "<unk>": 1, whole: 2, f"{start}my{whole[1:]}": 3, "qzx": 4, "<0x41>": 5, "<pad>": 6}
        tensors = safetensors_file.read(f"{directory}/model.safetensors")
        rows, _, counts = warm_start.embeddings(tensors, pieces, old)
        embedding = tensors["model.shared.weight"].float()
        torch.testing.assert_close(rows[2], embedding[old.piece_to_id(whole)])
        torch.testing.assert_close(rows[3], embedding[old.encode(f"my{whole[1:]}")].mean(0))
        torch.testing.assert_close(rows[5], embedding[old.piece_to_id("<0x41>")])
        self.assertEqual(rows[6].abs().sum(), 0)
        # Without the mark of a word's start, as inside a word; or with it, if there is no such piece without.
        self.assertEqual([old.id_to_piece(i) for i in warm_start.spelling("qzx", old)], ["q", "z", "x"])
        bare = next(old.id_to_piece(i)[1:] for i in range(3, 600) if old.id_to_piece(i).startswith(start) and len(old.id_to_piece(i)) > 2
                    and old.piece_to_id(old.id_to_piece(i)[1:]) == old.unk_id())  # fmt: skip
        self.assertEqual(warm_start.spelling(bare, old), old.encode(bare))
        self.assertEqual(counts, (4, 2, 0))

    def test_a_run_begins_with_another_models_weights_and_subwords(self):
        directory = self.exported("first")
        work = f"{self.directory.name}/warm"
        arguments = ["prepare", f"--data={self.data}", f"--work={work}", "--made-up-pairs=300"]
        self.assertIsNone(run(*arguments, f"--subwords={directory}/source.spm")[0])
        with open(f"{work}/joint.model", "rb") as taken, open(f"{directory}/source.spm", "rb") as given:
            self.assertEqual(taken.read(), given.read())
        self.assertIsNone(self.train(work, "--updates=1", "--rate=1e-9", "--dropout=0", f"--init={directory}")[0])
        saved = torch.load(f"{work}/checkpoint.pt", weights_only=True)["model"]
        for name, tensor in safetensors_file.read(f"{directory}/model.safetensors").items():
            torch.testing.assert_close(saved[name], tensor.float(), rtol=0, atol=1e-6)

    def test_weights_that_do_not_fit_are_refused(self):
        directory = self.exported("refused")
        for argument, error in (
            ("--d-model=32", "config.json: d_model is 16; the new network's is 32"),
            ("--heads=4", "config.json: encoder_attention_heads is 2; the new network's is 4"),
            ("--ffn=24", "config.json: encoder_ffn_dim is 32, not 1 to 24, the new network's"),
        ):
            work = self.copy_of_prepared(f"refused{argument}")
            code, _ = self.train(work, "--updates=1", f"--init={directory}", argument)
            self.assertIn(error, code)
        code, _ = self.train(work, "--updates=1", "--init=/nowhere")
        self.assertIn("--init: [Errno 2] No such file or directory: '/nowhere/config.json'", code)
        work = self.copy_of_prepared("refused-files")
        for name, change, error in (
            ("config.json", lambda config: config.update(decoder_layers=2), "decoder_layers is 2, not 1 to 1, the new network's"),
            ("config.json", lambda config: config.update(normalize_before=True), "normalize_before is True; the new network's is False"),
            ("config.json", lambda config: config.update(encoder_ffn_dim=16), "fc1.weight has the shape (32, 16), not (16, 16)"),
            ("config.json", lambda config: config.pop("encoder_layers"), "encoder_layers is None, not 1 to 1, the new network's"),
            ("vocab.json", lambda vocabulary: vocabulary.update({"</s>": 7}), "vocab.json: its ids are not those of source.spm"),
        ):
            broken = f"{self.directory.name}/broken"
            shutil.rmtree(broken, ignore_errors=True)
            shutil.copytree(directory, broken)
            with open(f"{broken}/{name}", encoding="utf-8") as file:
                content = json.load(file)
            change(content)
            with open(f"{broken}/{name}", "w", encoding="utf-8") as file:
                json.dump(content, file)
            code, _ = self.train(work, "--updates=1", f"--init={broken}")
            self.assertIn(error, str(code))

    def test_subwords_that_do_not_fit_are_refused(self):
        for path, error in (("/nowhere", "--subwords: /nowhere: "), (__file__, f"--subwords: {__file__}: ")):
            code, _ = run("prepare", f"--data={self.data}", f"--work={self.directory.name}/no", f"--subwords={path}")
            self.assertIn(error, code)

    def test_a_changed_mix_begins_new_epochs(self):
        work = self.copy_of_prepared("changed")
        self.assertIsNone(self.train(work, "--updates=8")[0])
        with unittest.mock.patch.dict(translator_data.CORPORA, {"captions": (5, 5, 5)}):
            code, printed = self.train(work, "--updates=12")
        self.assertIsNone(code)
        self.assertRegex(printed, r"the mix was .*'captions': \(2, 2, 2.5\).* and is .*'captions': \(5, 5, 5\).*: each phase begins a new epoch")
        positions = torch.load(f"{work}/checkpoint.pt", weights_only=True)["positions"]
        self.assertGreaterEqual(min(epoch for epoch, _ in positions), 1)

    def test_what_training_prints_can_be_drawn(self):
        work = self.copy_of_prepared("drawn")
        _, first = self.train(work, "--updates=40")
        _, rest = self.train(work, "--updates=60")  # which goes back to an earlier phase
        progress, checkpoints = draw_training.read_log(first + rest)
        self.assertEqual([row[0] for row in progress], list(range(5, 61, 5)))
        self.assertEqual(set(checkpoints[0][1]), set(draw_training.NAMES))
        phases = [row[1] for row in progress]
        self.assertGreater(phases[phases.index(2) :].count(1), 0, phases)
        for step, tokens in ((0, 0.0), (progress[0][0], progress[0][4]), (10**6, progress[-1][4])):
            self.assertAlmostEqual(draw_training.tokens_at(progress, step), tokens)
        repeated, _ = draw_training.read_log(first + first)
        self.assertEqual(repeated, draw_training.read_log(first)[0])

    def test_copies_of_a_corpus_differ_in_the_subwords_of_the_source_alone(self):
        subwords = sentencepiece.SentencePieceProcessor(model_file=f"{self.prepared}/joint.model")
        pairs = made_up_text.pairs(50, 3)
        plain, tokens = (translator_data.encoded(subwords, pairs, copies) for copies in (0, 2))
        self.assertEqual((len(plain), len(tokens)), (50, 150))
        rows = [[tokens.padded(numpy.array([row]), side, 0)[0].tolist() for side in (0, 1)] for row in range(150)]
        for i in range(50):
            copies = rows[i::50]
            self.assertEqual(len({subwords.decode(source) for source, _ in copies}), 1)
            self.assertEqual(copies[0][1], copies[1][1])
            self.assertEqual(copies[0][1], copies[2][1])
        self.assertNotEqual([source for source, _ in rows[50:100]], [source for source, _ in rows[:50]])
        self.assertEqual(len(translator_data.encoded(subwords, pairs, -1)), 50)

    def test_an_interrupted_run_ends_where_a_straight_one_does(self):
        straight, cut = self.copy_of_prepared("straight"), self.copy_of_prepared("cut")
        arguments = ["--updates=20", "--dropout=0", "--threads=1"]
        self.assertIsNone(self.train(straight, *arguments)[0])

        def save_and_stop(training):
            save(training)
            if training.step == 10:
                sys.exit("cut off")

        save = train_translator.Run.save
        with unittest.mock.patch.object(train_translator.Run, "save", save_and_stop):
            self.assertEqual(self.train(cut, *arguments)[0], "cut off")
        code, printed = self.train(cut, *arguments)
        self.assertIsNone(code)
        self.assertIn("from update 10,", printed)
        resumed = torch.load(f"{cut}/checkpoint.pt", weights_only=True)
        self.assertEqual(resumed["step"], 20)
        for name, weights in torch.load(f"{straight}/checkpoint.pt", weights_only=True)["model"].items():
            torch.testing.assert_close(resumed["model"][name], weights, rtol=0, atol=0)

    def test_a_larger_budget_goes_on_from_the_checkpoint(self):
        work = self.copy_of_prepared("longer")
        self.assertIsNone(self.train(work, "--updates=8")[0])
        code, printed = self.train(work, "--updates=12")
        self.assertIsNone(code)
        self.assertIn("from update 8,", printed)
        self.assertEqual(torch.load(f"{work}/checkpoint.pt", weights_only=True)["step"], 12)
        code, _ = self.train(work, "--updates=13", "--ffn=64")
        self.assertIn("was trained as", code)

    def test_the_learning_rate_warms_up_and_falls_at_the_end_of_the_budget(self):
        arguments = type("", (), {"rate": 1.0, "warmup": 10, "decay": 0.4})
        rates = [train_translator.learning_rate(step, step / 100, arguments) for step in range(100)]
        self.assertEqual(rates[0], 0.1)
        self.assertEqual(set(rates[10:60]), {1.0})
        self.assertEqual(rates[60:], sorted(rates[60:], reverse=True))
        self.assertLess(rates[99], 0.03)


if __name__ == "__main__":
    unittest.main()
