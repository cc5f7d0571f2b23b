#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page's frame, its panels Translate and Models, and what holds for all of it. See browser.py."""

import http.client
import os
import re
import subprocess
import tempfile

from browser import TREE, PageTest, expect, main

TEXT = "Two dogs are playing in the snow."
STORY = "A man in a blue shirt is standing on a ladder. Children are laughing. The woman reads a book in the park."
AWKWARD = "It's \"a\" dog & a $HOME `cat`, \\n isn't it?\nTwo dogs play in the snow."  # for a shell, and for Python
TOKEN = "page-test-token-0123456789"


def translate(page, text):
    """Types a text and presses Ctrl+Enter; returns once the translation is there."""
    page.get_by_label("Text to translate").fill(text)
    page.get_by_label("Text to translate").press("Control+Enter")
    expect(page.locator(".output")).not_to_have_class(re.compile("busy"))


def request_text(page, form):
    page.get_by_role("radio", name=form, exact=True).check()
    return page.locator(".request code").inner_text()


class FrameTest(PageTest):
    FLAGS = (f"--models={TREE}/weights/translator-en-de",)

    def test_tabs_by_keyboard(self):
        page = self.open()
        translate_tab = page.get_by_role("tab", name="Translate")
        expect(translate_tab).to_have_attribute("aria-selected", "true")
        for _ in range(20):  # from the top of the page to the tabs, with nothing but Tab
            page.keyboard.press("Tab")
            if translate_tab.evaluate("tab => tab === document.activeElement"):
                break
        expect(translate_tab).to_be_focused()
        page.keyboard.press("End")
        expect(page.get_by_role("tab", name="Models")).to_be_focused()
        expect(page.get_by_role("tabpanel", name="Models")).to_be_visible()
        expect(page.get_by_role("tabpanel", name="Translate")).to_be_hidden()
        self.assertTrue(page.url.endswith("#models"))
        self.assertEqual(page.title(), "Models – Heed")
        page.keyboard.press("ArrowRight")  # around
        expect(translate_tab).to_be_focused()
        page.go_back()
        expect(page.get_by_role("tabpanel", name="Models")).to_be_visible()

    def test_theme_is_the_systems_or_the_chosen_one(self):
        color = "getComputedStyle(document.documentElement).backgroundColor"
        page = self.open(theme="dark")
        dark = page.evaluate(color)
        page.get_by_role("button", name="Theme: system").click()
        light = page.evaluate(color)
        self.assertNotEqual(dark, light)
        page.reload()
        expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
        self.assertEqual(page.evaluate(color), light)
        page.get_by_role("button", name="Theme: light").click()
        page.emulate_media(color_scheme="light")
        self.assertEqual(page.evaluate(color), dark)

    def test_nothing_runs_that_is_not_of_the_page(self):
        self.allow("Content Security Policy")
        page = self.open()
        page.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "window.ran = true");
            image.src = "data:,";
            document.body.append(image);
        }""")
        violation = page.evaluate("""async () => {
            const blocked = new Promise((resolve) => document.addEventListener("securitypolicyviolation", (event) => resolve(event.violatedDirective)));
            await fetch("http://127.0.0.1:9/").catch(() => {});
            return blocked;
        }""")
        self.assertEqual(violation, "connect-src")
        self.assertIsNone(page.evaluate("window.ran ?? null"))

    def test_files_over_http(self):
        connection = http.client.HTTPConnection(self.server.http_address)
        self.addCleanup(connection.close)

        def ask(method, path, **headers):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()

        answer, body = ask("GET", "/")
        self.assertEqual(answer.status, 200)
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        self.assertIn(b"<title>Heed</title>", body)
        head, nothing = ask("HEAD", "/")
        self.assertEqual((head.status, nothing, head.headers["ETag"]), (200, b"", answer.headers["ETag"]))
        again, nothing = ask("GET", "/", **{"If-None-Match": answer.headers["ETag"]})
        self.assertEqual((again.status, nothing), (304, b""))
        self.assertEqual(ask("POST", "/")[0].status, 405)
        self.assertEqual(ask("GET", "/page/none.js")[0].status, 404)

    def run_module(self, module, body):
        return self.open().evaluate(f"async () => {{ const module = await import(new URL('page/{module}', document.baseURI)); {body} }}")

    def test_a_map_of_more_words_than_are_drawn(self):
        said = self.run_module(
            "heat_map.js",
            """
            const labels = Array.from({ length: 130 }, (_, i) => `word ${i}`);
            const map = new module.HeatMap({ rows: labels, columns: labels, weights: new Float64Array(130 * 130), caption: "" });
            const said = map.element.querySelector(".heat-said");
            return [[119, 0], [125, -1], [-1, 125], [3, 125]].map(([row, column]) => (map.point(row, column), said.textContent));
            """,
        )
        self.assertEqual(said[0], "word 119 ← word 0: 0")
        self.assertNotIn("undefined", " ".join(said))

    def test_addresses_are_one_word_for_a_shell(self):
        words = self.run_module("request_view.js", "return ['127.0.0.1:50051', '[::1]:50051', \"it's\"].map(module.shellWord);")
        self.assertEqual(words, ["127.0.0.1:50051", "'[::1]:50051'", "'it'\\''s'"])


class TranslateTest(PageTest):
    def message(self, text, **options):
        options = {"beamSize": 4, "nBest": 4, "returnAttention": True, **options}
        return {"texts": [text], "sourceLanguage": "en", "targetLanguage": "de", "options": options}

    def test_translation_alternatives_and_attention(self):
        page = self.open("translate")
        translate(page, TEXT)
        answer = self.call("TranslationService/Translate", self.message(TEXT))["translations"][0]
        hypotheses = answer["sentences"][0]["hypotheses"]
        expect(page.locator(".output")).to_have_text(answer["text"])
        expect(page.locator(".hypothesis-text")).to_have_text([one["text"] for one in hypotheses])
        expect(page.locator(".score")).to_have_text([f"{one['score']:.3f}" for one in hypotheses])
        # The translation's tokens are words here, the mark and the end.
        self.assertEqual(page.locator(".heat tbody th").all_inner_texts(), ["Zwei", "Hunde", "spielen", "im", "Schnee", ".", "end"])
        # "Hunde" looks at "dogs" most, on both the map and the sentence.
        weights = hypotheses[0]["attention"]["weights"]
        columns = hypotheses[0]["attention"]["columnCount"]
        cell = page.get_by_role("gridcell", name=re.compile("^Hunde, dogs: "))
        share = float(cell.get_attribute("aria-label").split(": ")[1])  # of all pieces of the word
        self.assertGreater(share, weights[columns + 1] - 0.006)
        self.assertLess(share, sum(weights[columns : 2 * columns]) + 0.006)
        cell.hover()
        expect(page.locator(".heat-said")).to_have_text(re.compile("^Hunde ← dogs: 0"))
        shades = page.locator(".words[lang=en] .word").evaluate_all("words => words.map((word) => Number(word.style.getPropertyValue('--weight')))")
        self.assertEqual(max(range(len(shades)), key=shades.__getitem__), 1)
        page.locator(".words[lang=de] .word", has_text="Schnee").hover()
        expect(page.locator(".heat-said")).to_have_text(re.compile("^Schnee ← snow 0"))
        # Another hypothesis has another attention.
        page.get_by_role("radio", name=hypotheses[1]["text"]).check()
        expect(page.locator(".words[lang=de]")).to_have_text(hypotheses[1]["text"].replace(" ", "") + "end")
        page.get_by_label("Pieces of the tokenizer").check()
        expect(page.locator(".heat tbody th").first).to_have_text("·Zwei")

    def test_keyboard_alone(self):
        page = self.open("translate")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the panel")).to_be_focused()
        page.get_by_label("Text to translate").focus()
        page.keyboard.type(TEXT)
        page.keyboard.press("Control+Enter")
        expect(page.locator(".hypothesis")).to_have_count(4)
        page.get_by_role("gridcell").first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("gridcell", name=re.compile("^Hunde, dogs: "))).to_be_focused()
        expect(page.locator(".heat-said")).to_have_text(re.compile("^Hunde ← dogs"))
        self.assertEqual(page.locator(".heat td[tabindex='0']").count(), 1)

    def test_sentences_as_they_finish(self):
        before = self.calls("TranslationService/TranslateStream")
        page = self.open("translate")
        page.locator(".output").evaluate("""output => {
            window.removed = 0;
            new MutationObserver((changes) => (window.removed += changes.flatMap(({ removedNodes }) => [...removedNodes]).length)).observe(output, { childList: true });
        }""")
        translate(page, STORY)
        self.assertEqual(page.evaluate("window.removed"), 0, "a sentence that is drawn stays while others come: somebody may press it")
        answer = self.call("TranslationService/Translate", self.message(STORY))["translations"][0]
        expect(page.locator(".output")).to_have_text(answer["text"])
        expect(page.locator(".output .sentence")).to_have_count(3)
        self.assertEqual(self.calls("TranslationService/TranslateStream"), before + 1)
        page.locator(".output .sentence").nth(2).click()
        expect(page.get_by_role("heading", name="Sentence 3 of 3")).to_be_visible()
        expect(page.locator(".words[lang=de]")).to_contain_text("Buch")
        page.get_by_role("button", name="Previous").click()
        expect(page.locator(".hypothesis-text").first).to_have_text(answer["sentences"][1]["hypotheses"][0]["text"])

    def test_a_new_request_takes_the_place_of_the_old(self):
        page = self.open("translate")
        page.get_by_label("Text to translate").fill(" ".join([STORY] * 40))
        page.get_by_role("button", name="Translate", exact=True).click()
        translate(page, TEXT)
        expect(page.locator(".output")).to_have_text("Zwei Hunde spielen im Schnee.")
        expect(page.locator(".problem")).to_be_empty()
        self.assertIn(TEXT, request_text(page, "curl"))

    def test_options(self):
        page = self.open("translate")
        page.get_by_text("Options").click()
        page.get_by_label("Format").select_option("HTML")
        translate(page, "Two <b>dogs</b> play in the snow.")
        expect(page.locator(".output")).to_have_text("Zwei <b>Hunde</b> spielen im Schnee.")
        page.get_by_label("Format").select_option("Plain text")
        page.get_by_label("Beam size").fill("99")
        translate(page, TEXT)
        expect(page.get_by_role("alert")).to_contain_text("options.beam_size")
        expect(page.get_by_role("alert")).to_contain_text("99")
        self.allow("status of 400")
        page.get_by_role("radio", name="Sample").check()
        page.get_by_label("Seed").fill("7")
        translate(page, TEXT)
        sampled = self.call("TranslationService/Translate", self.message(TEXT, beamSize=1, nBest=1, sampling={"temperature": 1, "seed": "7"}))
        expect(page.locator(".output")).to_have_text(sampled["translations"][0]["text"])
        expect(page.locator(".problem")).to_be_empty()

    def test_a_model_without_attention(self):
        self.allow("status of 400")  # what says that it has none
        page = self.open("translate")
        page.get_by_text("Options").click()
        page.get_by_label("Model", exact=True).select_option("translator-en-de-rnn-plain")
        translate(page, TEXT)
        expect(page.locator(".output")).not_to_be_empty()
        expect(page.get_by_text("This model has no attention")).to_be_visible()

    def test_detection(self):
        page = self.open("translate")
        page.get_by_label("Source language").select_option("Detect language")
        translate(page, TEXT)
        expect(page.get_by_text(re.compile(r"from English, \d+ % sure"))).to_be_visible()

    def test_markup_stays_text(self):
        page = self.open("translate")
        translate(page, "<img src=x onerror='window.ran = 1'> Two dogs.")
        expect(page.locator(".output")).not_to_be_empty()
        self.assertEqual(page.locator("main img").count(), 0)
        self.assertIsNone(page.evaluate("window.ran ?? null"))

    def test_the_request_that_is_shown_runs(self):
        page = self.open("translate")
        translate(page, AWKWARD)
        translation = page.locator(".output").inner_text()
        command = request_text(page, "curl")
        answer = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, timeout=60).stdout
        self.assertIn("Zwei Hunde spielen im Schnee.", translation)
        self.assertIn("Zwei Hunde spielen im Schnee.", answer)
        self.assertIn("event: end", answer)
        grpcurl = request_text(page, "grpcurl")
        self.assertIn(f"{self.server.address} heed.v1.TranslationService/TranslateStream", grpcurl)
        self.assertEqual(grpcurl.split(" -d ")[1].split("' \\")[0], command.split(" -d ")[1].rsplit("'", 1)[0])

    def test_the_python_that_is_shown_runs(self):
        page = self.open("translate")
        translate(page, AWKWARD)
        self.assertIn("Zwei Hunde spielen im Schnee.", self.run_python(request_text(page, "Python")))
        page = self.open("models")
        program = request_text(page, "Python")
        self.assertIn('model: "translator-en-de"', self.run_python(program))

    def test_accessible_in_both_themes_and_widths(self):
        def work(page):
            page.get_by_text("Options").click()
            translate(page, f"{TEXT} Children are laughing.")
            expect(page.locator(".hypothesis")).to_have_count(4)

        self.check_everywhere("translate", work)


class ModelsTest(PageTest):
    FLAGS = (f"--models={TREE}/weights", "--management")

    def row(self, page, model):
        return page.locator("tbody tr").filter(has=page.get_by_text(model, exact=True))

    def test_every_model_and_what_it_does_live(self):
        page = self.open("models")
        models = self.call("ModelService/ListModels", {})["models"]
        expect(page.locator("tbody tr")).to_have_count(len(models))
        row = self.row(page, "translator-en-de")
        expect(row).to_contain_text("ready")
        expect(row).to_contain_text("marian translator · en → de · ")
        answered = row.locator("td").last
        expect(answered).not_to_have_text("–")
        before = int(answered.inner_text())
        for _ in range(3):
            self.call("TranslationService/Translate", {"model": "translator-en-de", "texts": [TEXT]})
        expect(answered).to_have_text(str(before + 3))
        expect(row.locator("td").nth(5)).to_have_text(re.compile(r"^[\d.]+ m?s$"))  # how long they took
        points = row.locator("polyline").get_attribute("points").split()
        self.assertGreater(len({point.split(",")[1] for point in points}), 1, "the line shows that there were requests")
        self.call("ModelService/UnloadModel", {"model": "gat-karate"})
        expect(self.row(page, "gat-karate")).to_contain_text("unloaded")
        self.call("ModelService/LoadModel", {"model": "gat-karate"})
        expect(self.row(page, "gat-karate")).to_contain_text("ready")

    def test_asks_only_while_somebody_looks(self):
        page = self.browser.new_page()
        self.pages.append(page)
        asked = []
        page.on("request", lambda request: asked.append(request.url.endswith("/ListModelStatistics")))
        page.clock.install()

        def asks(seconds):
            """How often it asks, of the times that it may, while its clock goes on."""
            before = sum(asked)
            for _ in range(seconds):
                page.clock.run_for(1000)
                page.evaluate("fetch(document.baseURI)")  # a question of our own: what was asked before it is answered
                page.wait_for_load_state("networkidle")
            return sum(asked) - before

        page.goto(f"{self.origin}/#models")
        expect(page.locator("tbody tr").first).to_be_visible()
        self.assertGreaterEqual(asks(5), 2)
        page.get_by_label("Live").uncheck()
        asks(1)
        self.assertEqual(asks(5), 0)
        page.get_by_label("Live").check()
        self.assertGreaterEqual(asks(5), 2)
        page.get_by_role("tab", name="Translate").click()
        asks(1)
        self.assertEqual(asks(5), 0)

    def test_accessible_in_both_themes_and_widths(self):
        self.check_everywhere("models", lambda page: expect(page.locator(".rate").first).to_have_text(re.compile(r"\d")))


class TokenTest(PageTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        path = os.path.join(folder.name, "tokens")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"ann {TOKEN} infer\n")
        cls.FLAGS = (f"--models={TREE}/weights/translator-en-de", f"--tokens={path}")
        super().setUpClass()

    def test_asks_for_a_token_and_works_with_it(self):
        self.allow("status of 401")
        page = self.open("models")
        expect(page.get_by_text("This server asks for a token.", exact=True)).to_be_visible()
        page.get_by_label("Token", exact=True).and_(page.locator("input")).fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator(".rate").first).to_have_text(re.compile(r"\d"))
        page = self.open("translate")
        expect(page.get_by_text("This server asks for a token.", exact=True)).to_be_visible()
        field = page.get_by_label("Token", exact=True).and_(page.locator("input"))
        expect(field).to_be_focused()
        page.keyboard.type("a-wrong-token-0123456789")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The server does not know this token.")).to_be_visible()
        self.check(page)
        field.fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Text to translate")).to_be_visible()
        translate(page, TEXT)
        expect(page.locator(".output")).to_have_text("Zwei Hunde spielen im Schnee.")
        self.assertNotIn(TOKEN, page.url + request_text(page, "curl"))
        self.assertNotIn(TOKEN, page.evaluate("JSON.stringify(localStorage)"))
        command = request_text(page, "curl")
        answer = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, timeout=60, env={**os.environ, "HEED_TOKEN": TOKEN}).stdout
        self.assertIn("Zwei Hunde", answer)
        page.get_by_role("tab", name="Models").click()
        expect(page.locator(".rate").first).to_have_text(re.compile(r"\d"))
        page.get_by_role("button", name="Token").click()
        page.get_by_role("button", name="Forget it").click()
        expect(page.get_by_text("This server asks for a token.", exact=True)).to_be_visible()

    def test_a_form_that_was_closed_stays_closed(self):
        page = self.browser.new_page()
        self.pages.append(page)
        page.clock.install()
        page.goto(f"{self.origin}/#translate")
        form = page.get_by_role("form", name="Token")
        expect(form).to_be_visible()
        form.get_by_role("button", name="Close").click()
        with page.expect_response("**/*.ModelService/ListModels"):  # it looks again
            page.clock.run_for(16_000)
        page.evaluate("fetch(document.baseURI)")  # a question of our own: what was asked before it is answered
        page.wait_for_load_state("networkidle")
        expect(form).to_have_count(0)
        page.get_by_role("button", name="Token").click()
        expect(form).to_be_visible()


class GoneTest(PageTest):
    FLAGS = (f"--models={TREE}/weights/translator-en-de",)

    def test_a_server_that_went(self):
        self.allow("ERR_CONNECTION_REFUSED|Failed to load resource")
        page = self.open("translate")
        translate(page, TEXT)
        self.server.terminate()
        page.get_by_role("button", name="Translate", exact=True).click()
        expect(page.locator(".problem").get_by_role("alert")).to_contain_text("does not answer")
        expect(page.locator(".output")).not_to_have_class(re.compile("busy"))
        self.check(page)


class OffTest(PageTest):
    FLAGS = (f"--models={TREE}/weights/gat-karate", "--http_page=false")

    def test_no_page_without_the_flag(self):
        self.allow("status of 404")
        page = self.open()
        self.assertIn("there is no /;", page.content())


if __name__ == "__main__":
    main()
