#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Public clients of LibreTranslate's and DeepL's APIs, unchanged, against heed-server; and the requests that Mastodon,
Weblate and others send, as they send them. Prints what was called and what came.

BUILD/translation-clients/venv/bin/python3 tests/client/translation_clients_test.py BUILD/bin/heed-server

scripts/translation_clients.sh makes that Python. Without its packages, exits 77 (ctest: skipped); without Node.js or its
packages only their part is skipped. The server has translator-en-de, and from tests/fixtures tiny models of random
weights, which stand for de-en and en-fr: German becomes French over both.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

try:
    import deepl
    import libretranslatepy
except ImportError as missing:
    print(f"skipped: {missing}; scripts/translation_clients.sh installs it")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

TREE = os.path.join(HERE, "../..")
KEY = "translation-clients-key"
TABLE = []  # (client, version, what was called, what came)


def note(client, version, called, came):
    text = came if isinstance(came, str) else json.dumps(came, ensure_ascii=False)
    TABLE.append((client, version, called, text if len(text) <= 110 else text[:107] + "..."))


def make_models(folder):
    """Two languages beside English and German, of models that know no words."""
    shutil.copytree(os.path.join(TREE, "weights/translator-en-de"), os.path.join(folder, "translator-en-de"))
    for source, target in (("de", "en"), ("en", "fr")):
        copy = os.path.join(folder, f"random-{source}-{target}")
        shutil.copytree(os.path.join(TREE, "tests/fixtures/marian-separate"), copy)
        path = os.path.join(copy, "tokenizer_config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config["source_lang"], config["target_lang"] = source, target
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)


class Answer:
    """Of an HTTP request: its status, headers and, where it is JSON, content."""

    def __init__(self, method, url, body=None, headers=None):
        request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
        try:
            response = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            self.status, self.headers, self.text = response.status, response.headers, response.read().decode()
        self.json = json.loads(self.text) if self.headers.get_content_type() == "application/json" else None


def as_json(value):
    return json.dumps(value).encode(), {"Content-Type": "application/json"}


def as_form(pairs):
    return urllib.parse.urlencode(pairs).encode(), {"Content-Type": "application/x-www-form-urlencoded"}


class ServerTest(unittest.TestCase):
    """A server of its own; `tokens`: whether it asks for keys."""

    tokens = False

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="heed-test-")
        models = os.path.join(cls.folder, "models")
        os.mkdir(models)
        make_models(models)
        flags = [f"--models={models}", "--metrics_listen=", "--http_listen=127.0.0.1:0"]
        if cls.tokens:
            path = os.path.join(cls.folder, "tokens")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"clients {KEY} infer\nothers other-clients-key infer\n")
            os.chmod(path, 0o600)
            flags.append(f"--tokens={path}")
        cls.server = HeedServer(SERVER, *flags)
        cls.url = f"http://{cls.server.http_address}"

    @classmethod
    def tearDownClass(cls):
        code = cls.server.terminate()
        shutil.rmtree(cls.folder)
        assert code == 0


class LibreTranslateClients(ServerTest):
    def test_libretranslatepy(self):
        version = importlib.metadata.version("libretranslatepy")
        client = libretranslatepy.LibreTranslateAPI(self.url)
        languages = client.languages()
        note("libretranslatepy", version, "languages()", languages)
        self.assertEqual([language["code"] for language in languages], ["de", "en", "fr"])
        self.assertEqual(languages[0], {"code": "de", "name": "German", "targets": ["de", "en", "fr"]})
        came = client.translate("Good morning.", "en", "de")
        note("libretranslatepy", version, 'translate("Good morning.", "en", "de")', came)
        self.assertEqual(came, "Guten Morgen.")
        came = client.translate("Guten Morgen, liebe Freunde.", "de", "fr")
        note("libretranslatepy", version, 'translate(..., "de", "fr"), by way of English', came)
        self.assertIsInstance(came, str)
        came = client.detect("Wir gehen heute Abend mit den Kindern in den Park.")
        note("libretranslatepy", version, "detect(a German sentence)", came)
        self.assertEqual(came[0]["language"], "de")
        self.assertGreater(came[0]["confidence"], 50)
        with self.assertRaises(urllib.error.HTTPError) as raised:
            client.translate("Hello", "en", "xx-nonsense")
        note("libretranslatepy", version, 'translate("Hello", "en", "xx-nonsense")', raised.exception.read().decode())
        self.assertEqual(raised.exception.code, 400)

    def test_mastodon(self):
        """app/lib/translation_service/libre_translate.rb: JSON with lists, HTML, the key null if none is set."""
        headers = {"Content-Type": "application/json"}
        languages = Answer("GET", f"{self.url}/languages", headers=headers).json
        targets = {language["code"]: [t for t in language["targets"] if t != language["code"]] for language in languages}
        self.assertEqual(targets["en"], ["de", "fr"])
        texts = ["<p>Good morning, <a href=\"https://example.org/@anna\" class=\"u-url mention\">@anna</a>!</p>",
                 "<p>Where is the station?</p><p>Thank you.</p>", ""]
        body, headers = as_json({"q": texts, "source": "auto", "target": "de", "format": "html", "api_key": None})
        answer = Answer("POST", f"{self.url}/translate", body, headers)
        note("Mastodon's request", "4.x", "POST /translate {q: [html, html, empty], source: auto, ...}", answer.text)
        self.assertEqual(answer.status, 200, answer.text)
        translated = answer.json["translatedText"]
        self.assertEqual(len(translated), 3)
        self.assertIn('<a href="https://example.org/@anna" class="u-url mention">', translated[0])
        self.assertEqual(translated[1], "<p>Wo ist der Bahnhof?</p><p>Danke.</p>")
        self.assertEqual(translated[2], "")
        self.assertEqual([guess["language"] for guess in answer.json["detectedLanguage"]][:2], ["en", "en"])
        for guess in answer.json["detectedLanguage"]:
            self.assertTrue(0 <= guess["confidence"] <= 100)

    def test_weblate(self):
        """weblate/machinery/libretranslate.py: a form with all four fields, and the codes of /languages."""
        body, headers = as_form({"api_key": "", "q": "Good morning.", "source": "en", "target": "de"})
        answer = Answer("POST", f"{self.url}/translate", body, headers)
        note("Weblate's request", "5.x", "POST /translate, a form", answer.text)
        self.assertEqual(answer.json, {"translatedText": "Guten Morgen."})

    def test_forms_of_browsers(self):
        boundary = "----WebKitFormBoundaryABC"
        parts = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                        for name, value in (("q", "Good morning."), ("source", "auto"), ("target", "de"),
                                            ("alternatives", "2")))
        answer = Answer("POST", f"{self.url}/translate", f"{parts}--{boundary}--\r\n".encode(),
                        {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        note("a browser's FormData", "", "POST /translate, alternatives=2", answer.text)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertEqual(answer.json["translatedText"], "Guten Morgen.")
        self.assertEqual(len(answer.json["alternatives"]), 2)
        self.assertNotIn("Guten Morgen.", answer.json["alternatives"])

    def test_settings_health_and_what_is_not_served(self):
        settings = Answer("GET", f"{self.url}/frontend/settings").json
        note("any", "", "GET /frontend/settings", settings)
        self.assertEqual(settings["charLimit"], -1)
        self.assertEqual(settings["keyRequired"], False)
        self.assertEqual(Answer("GET", f"{self.url}/health").json, {"status": "ok"})
        self.assertEqual(Answer("GET", f"{self.url}/spec").json["openapi"][:2], "3.")
        self.assertEqual(Answer("POST", f"{self.url}/suggest", b"{}").status, 403)
        self.assertEqual(Answer("GET", f"{self.url}/translate").status, 405)
        answer = Answer("POST", f"{self.url}/translate", *as_json({"q": "", "source": "en", "target": "de"}))
        self.assertEqual((answer.status, answer.json), (400, {"error": "Invalid request: missing q parameter"}))

    def test_libretranslate_of_npm(self):
        lines = node(self.url, "", "libretranslate")
        if lines is None:
            self.skipTest("no Node.js, or not its packages")
        came = {line["called"]: line["came"] for line in lines}
        self.assertEqual(came["translate en-de"], "Guten Morgen.")
        self.assertRegex(came["translate auto-de html"], r"^<p>.*<b>Bahnhof</b>.*</p>$")
        self.assertIn("not found", came["translate xx-de"])


class LibreTranslateKeys(ServerTest):
    tokens = True

    def test_the_key_is_a_token(self):
        client = libretranslatepy.LibreTranslateAPI(self.url, KEY)
        self.assertEqual(client.translate("Good morning.", "en", "de"), "Guten Morgen.")
        self.assertEqual(len(client.languages()), 3)
        wrong = libretranslatepy.LibreTranslateAPI(self.url, "wrong")
        with self.assertRaises(urllib.error.HTTPError) as raised:
            wrong.translate("Good morning.", "en", "de")
        came = raised.exception.read().decode()
        note("libretranslatepy", importlib.metadata.version("libretranslatepy"), "translate(...) with a wrong key", came)
        self.assertEqual(raised.exception.code, 403)
        self.assertIn("error", json.loads(came))
        # As in LibreTranslate itself; Mastodon and Weblate send none here.
        self.assertEqual(Answer("GET", f"{self.url}/languages").status, 200)
        self.assertEqual(Answer("GET", f"{self.url}/frontend/settings").json["keyRequired"], True)


class DeepLClients(ServerTest):
    tokens = True

    def setUp(self):
        self.version = importlib.metadata.version("deepl")
        deepl.http_client.max_network_retries = 0
        self.client = deepl.Translator(KEY, server_url=self.url)

    def note(self, called, came):
        note("deepl", self.version, called, came)

    def test_texts(self):
        result = self.client.translate_text("Good morning.", target_lang="DE")
        self.note('translate_text("Good morning.", target_lang="DE")', f"{result.text} (from {result.detected_source_lang})")
        self.assertEqual((result.text, result.detected_source_lang, result.billed_characters), ("Guten Morgen.", "EN", 13))
        results = self.client.translate_text(["Good morning.", "Thank you."], source_lang="EN", target_lang="DE",
                                             split_sentences="nonewlines", preserve_formatting=True,
                                             formality="prefer_less", context="a letter", model_type="latency_optimized")
        self.note("translate_text([2 texts], split_sentences, ...)", [one.text for one in results])
        self.assertEqual([one.text for one in results], ["Guten Morgen.", "Danke."])
        self.assertEqual(results[0].model_type_used, "latency_optimized")
        result = self.client.translate_text("Guten Morgen, liebe Freunde.", source_lang="DE", target_lang="FR")
        self.note('translate_text(..., "DE", "FR"), by way of English', result.text)

    def test_markup(self):
        result = self.client.translate_text('<p>Where is the <b>station</b>?</p>', target_lang="DE", source_lang="EN",
                                            tag_handling="html")
        self.note("translate_text(html)", result.text)
        self.assertEqual(result.text, "<p>Wo ist der <b>Bahnhof</b>?</p>")
        result = self.client.translate_text('<d><t>Good morning, <x id="1">Station</x>.</t></d>', target_lang="DE",
                                            source_lang="EN", tag_handling="xml", ignore_tags=["x"],
                                            splitting_tags=["t"], outline_detection=False)
        self.note("translate_text(xml, ignore_tags=[x], splitting_tags=[t])", result.text)
        self.assertIn('<x id="1">Station</x>', result.text)
        with self.assertRaises(deepl.DeepLException) as raised:
            self.client.translate_text("<d>", target_lang="DE", source_lang="EN", tag_handling="xml")
        self.note('translate_text("<d>", tag_handling="xml")', str(raised.exception))
        self.assertEqual(raised.exception.http_status_code, 400)

    def test_languages_and_usage(self):
        sources = self.client.get_source_languages()
        self.note("get_source_languages()", [(one.code, one.name) for one in sources])
        self.assertEqual([one.code for one in sources], ["DE", "EN"])
        targets = self.client.get_target_languages()
        self.note("get_target_languages()", [(one.code, one.name) for one in targets])
        self.assertEqual([one.code for one in targets], ["DE", "EN-GB", "EN-US", "FR"])
        pairs = self.client.get_glossary_languages()
        self.assertIn(("en", "de"), [(one.source_lang, one.target_lang) for one in pairs])
        usage = self.client.get_usage()
        self.note("get_usage()", str(usage.character))
        self.assertFalse(usage.any_limit_reached)

    def test_glossaries(self):
        glossary = self.client.create_glossary("names", "EN", "DE", {"station": "Haltestelle"})
        self.note('create_glossary("names", "EN", "DE", {...})', f"{glossary.name}: {glossary.entry_count} entry")
        self.assertTrue(glossary.ready)
        self.assertEqual(self.client.get_glossary(glossary.glossary_id).name, "names")
        self.assertEqual(self.client.get_glossary_entries(glossary), {"station": "Haltestelle"})
        self.assertEqual([one.name for one in self.client.list_glossaries()], ["names"])
        result = self.client.translate_text("Where is the station?", source_lang="EN", target_lang="DE", glossary=glossary)
        self.note("translate_text(..., glossary)", result.text)
        self.assertIn("Haltestelle", result.text)
        others = deepl.Translator("other-clients-key", server_url=self.url)
        self.assertEqual(others.list_glossaries(), [])
        with self.assertRaises(deepl.GlossaryNotFoundException):
            others.get_glossary(glossary.glossary_id)
        self.client.delete_glossary(glossary)
        with self.assertRaises(deepl.GlossaryNotFoundException):
            self.client.get_glossary(glossary.glossary_id)

    def test_errors(self):
        with self.assertRaises(deepl.AuthorizationException) as raised:
            deepl.Translator("wrong", server_url=self.url).translate_text("a", target_lang="DE")
        self.note("translate_text(...) with a wrong key", str(raised.exception))
        cases = [({"target_lang": "XX"}, 'target_lang: no model translates to "xx"'),
                 ({"target_lang": "DE", "formality": "more"}, "formality"),
                 ({"target_lang": "DE", "source_lang": "FR"}, '"fr"')]
        for arguments, word in cases:
            with self.assertRaises(deepl.DeepLException) as raised:
                self.client.translate_text("Hello", **arguments)
            self.note(f"translate_text({arguments})", str(raised.exception))
            self.assertEqual(raised.exception.http_status_code, 400)
            self.assertIn(word, str(raised.exception))

    def test_mastodon(self):
        """app/lib/translation_service/deepl.rb: a form with repeated texts, HTML, an upper-case source."""
        headers = {"Authorization": f"DeepL-Auth-Key {KEY}"}
        languages = Answer("GET", f"{self.url}/v2/languages?type=target", headers=headers).json
        self.assertIn("DE", [language["language"] for language in languages])
        body, form = as_form([("text", "<p>Good morning.</p>"), ("text", "<p>Thank you.</p>"), ("source_lang", "EN"),
                              ("target_lang", "de"), ("tag_handling", "html")])
        answer = Answer("POST", f"{self.url}/v2/translate", body, {**headers, **form})
        note("Mastodon's request", "4.x", "POST /v2/translate, a form, html", answer.text)
        self.assertEqual([one["text"] for one in answer.json["translations"]],
                         ["<p>Guten Morgen.</p>", "<p>Danke.</p>"])

    def test_weblate(self):
        """weblate/machinery/deepl.py: JSON, XML, placeholders as <x id="..."></x>, which it ignores."""
        headers = {"Authorization": f"DeepL-Auth-Key {KEY}"}
        body, kind = as_json({"text": ['Good morning, <x id="14"></x>!'], "source_lang": "EN", "target_lang": "DE",
                              "formality": "default", "tag_handling": "xml", "ignore_tags": ["x"]})
        answer = Answer("POST", f"{self.url}/v2/translate", body, {**headers, **kind})
        note("Weblate's request", "5.x", "POST /v2/translate, JSON, xml", answer.text)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertIn('<x id="14"></x>', answer.json["translations"][0]["text"])

    def test_deepl_node(self):
        lines = node(self.url, KEY, "deepl-node")
        if lines is None:
            self.skipTest("no Node.js, or not its packages")
        came = {line["called"]: line["came"] for line in lines}
        self.assertEqual([language["code"] for language in came["getSourceLanguages"]], ["de", "en"])
        self.assertEqual(came["translateText"]["text"], "Guten Morgen.")
        self.assertEqual(came["translateText"]["detectedSourceLang"], "en")
        self.assertEqual([one["text"] for one in came["translateText list"]], ["Guten Morgen.", "Danke."])
        self.assertIn("<x>stop</x>", came["translateText xml"]["text"])
        self.assertEqual(came["createGlossary"]["entryCount"], 1)
        self.assertEqual(came["getGlossaryEntries"], {"station": "Haltestelle"})
        self.assertIn("Haltestelle", came["translateText glossary"]["text"])
        self.assertEqual(came["listGlossaries"], [])
        self.assertIn("character", came["getUsage"])
        self.assertIn("formality", came["translateText formality more"])
        self.assertEqual(came["getUsage wrong key"], "AuthorizationError")


def node(url, key, client):
    """What translation_clients.js printed; None: Node.js or its packages are not there."""
    modules = os.path.join(os.path.dirname(sys.prefix), "node_modules")
    program = shutil.which("node")
    if program is None or not os.path.isdir(os.path.join(modules, client)):
        return None
    done = subprocess.run([program, os.path.join(HERE, "translation_clients.js"), url, key, client], timeout=120,
                          capture_output=True, text=True, env={**os.environ, "NODE_PATH": modules})
    assert done.returncode == 0, done.stderr
    with open(os.path.join(modules, client, "package.json"), encoding="utf-8") as file:
        version = json.load(file)["version"]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        note(f"{client} (npm)", version, line["called"], line["came"])
    return lines


def print_table():
    print("\n| client | version | called | came |\n| --- | --- | --- | --- |")
    for row in TABLE:
        print("| " + " | ".join(cell.replace("|", "\\|").replace("\n", "\\n") for cell in row) + " |")


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    program = unittest.main(exit=False, verbosity=2)
    print_table()
    sys.exit(not program.result.wasSuccessful())
