#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Languages in place of models: two tiny translators, German to English and English to French, behind heed-server and heed.

tests/client/languages_test.py BUILD/bin/heed-server BUILD/bin/heed
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

FIXTURE = os.path.join(HERE, "../fixtures/marian-relu")
SERVER = HEED = None


def make_model(folder, name, source=None, target=None):
    """The fixture, whose weights are random, under another name and with these languages, or none."""
    path = os.path.join(folder, name)
    shutil.copytree(FIXTURE, path)
    config = os.path.join(path, "tokenizer_config.json")
    with open(config, encoding="utf-8") as file:
        settings = json.load(file)
    settings.pop("source_lang")
    settings.pop("target_lang")
    if source:
        settings.update(source_lang=source, target_lang=target)
    with open(config, "w", encoding="utf-8") as file:
        json.dump(settings, file)


class LanguagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        make_model(cls.folder.name, "tiny-de-en", "deu", "eng")
        make_model(cls.folder.name, "tiny-en-fr")  # its name says it
        cls.server = HeedServer(SERVER, f"--models={cls.folder.name}", "--metrics_listen=", "--management")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.terminate() == 0
        cls.folder.cleanup()

    def heed(self, *arguments, text="", code=0):
        command = [HEED, *arguments, f"--server={self.server.address}"]
        run = subprocess.run(command, input=text, capture_output=True, text=True)
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stdout

    def translate(self, text, *arguments):
        return json.loads(self.heed("translate", "--json", "--max_tokens=12", *arguments, text=text + "\n"))

    def test_languages_and_pairs_with_their_models(self):
        served = json.loads(self.heed("languages", "--json"))
        self.assertEqual([(one["language"], one["name"]) for one in served["languages"]],
                         [("de", "German"), ("en", "English"), ("fr", "French")])
        pairs = {(pair["source_language"], pair["target_language"]): pair["models"] for pair in served["pairs"]}
        self.assertEqual(pairs, {("de", "en"): ["tiny-de-en"], ("de", "fr"): ["tiny-de-en", "tiny-en-fr"],
                                 ("en", "fr"): ["tiny-en-fr"]})
        self.assertRegex(self.server.log(), "tiny-en-fr.*its name does")

    def test_german_to_french_goes_by_way_of_english(self):
        answer = self.translate("Guten Morgen.", "--from=ger", "--to=fr")
        self.assertEqual([leg["model"] for leg in answer["route"]], ["tiny-de-en", "tiny-en-fr"])
        self.assertEqual([leg["target_language"] for leg in answer["route"]], ["en", "fr"])
        self.assertEqual(answer["source_language"], "de")
        english = self.heed("translate", "--model=tiny-de-en", text="Guten Morgen.\n").strip()  # options are the last one's
        self.assertEqual(answer["text"], self.translate(english, "--model=tiny-en-fr")["text"])

    def test_the_source_is_detected_for_each_text(self):
        german = self.translate("Das Haus am Ende der Straße ist grün.", "--from=auto", "--to=fr")
        self.assertEqual(german["source_language"], "de")
        self.assertGreater(german["detection_confidence"], 0.9)
        self.assertEqual(len(german["route"]), 2)
        english = self.translate("The house at the end of the road is green.", "--from=auto", "--to=fr")
        self.assertEqual([leg["model"] for leg in english["route"]], ["tiny-en-fr"])

    def test_a_text_in_the_target_language_comes_back(self):
        answer = self.translate("The house at the end of the road is green.", "--from=auto", "--to=en-GB")
        self.assertEqual(answer["text"], "The house at the end of the road is green.")
        self.assertEqual(answer["route"], [])

    def test_what_is_not_served_is_named(self):
        command = [HEED, "translate", "--from=de", "--to=ja", f"--server={self.server.address}"]
        run = subprocess.run(command, input="Ja.\n", capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn('no model, and no two, translate from "de" to "ja"', run.stderr)

    def test_detection(self):
        self.assertTrue(self.heed("detect", "Guten Morgen").startswith("de 0.9"))
        guesses = json.loads(self.heed("detect", "--json", "--languages=fr,es", "Bonjour tout le monde"))["guesses"]
        self.assertEqual(guesses[0]["language"], "fr")
        self.heed("detect", "--languages=German", "Ja", code=2)

    def test_the_table_follows_what_is_loaded(self):
        self.heed("models", "unload", "tiny-en-fr")
        served = json.loads(self.heed("languages", "--json"))
        self.assertEqual([pair["target_language"] for pair in served["pairs"]], ["en"])
        self.heed("models", "load", "tiny-en-fr")
        self.assertEqual(len(json.loads(self.heed("languages", "--json"))["pairs"]), 3)


if __name__ == "__main__":
    HEED = sys.argv.pop()
    SERVER = sys.argv.pop()
    unittest.main()
