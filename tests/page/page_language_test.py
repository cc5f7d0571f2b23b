#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page's panel Language. See browser.py."""

import math
import re
import subprocess

from browser import TREE, PageTest, expect, main

TEXT = "Die Königin opened the door — and she went out."  # bytes are not characters
GAPS = "She opened the ___ and went ___ of the house."
PROMPT = "It was a cold evening"
FROM = [0, 1, 2, 4, 6, 9, 13]  # bits from which a level is


def shown(number, digits):
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


class LanguageTest(PageTest):
    def language(self, mode="Surprise", **context):
        page = self.open("language", **context)
        expect(page.locator(".token").first).to_be_visible()
        page.get_by_role("radio", name=mode, exact=True).check()
        return page

    def panel(self, page):
        return page.get_by_role("tabpanel", name="Language")

    def test_surprise(self):
        page = self.language()
        page.get_by_label("Text").fill(TEXT)
        page.get_by_role("button", name="Read").click()
        message = {"model": "txl-novels", "items": [{"text": TEXT}], "options": {"topK": 5, "returnTokens": True}}
        score = self.call("LanguageModelingService/Score", message)["scores"][0]
        raw = TEXT.encode()
        scored = [one for one in score["tokenScores"] if int(one.get("end", 0)) > int(one.get("start", 0))]
        expect(page.locator(".token")).to_have_text([raw[int(one.get("start", 0)) : int(one["end"])].decode() for one in scored])
        for mark, one in zip(page.locator(".token").all(), scored):
            bits = -one["logProbability"] / math.log(2) if "logProbability" in one else 0
            level = max(i for i, start in enumerate(FROM) if bits >= start)
            self.assertIn(f"level-{level}", mark.get_attribute("class").split())
        self.assertEqual(page.locator(".token-text").inner_text(), TEXT)
        expect(page.locator(".figures")).to_contain_text(shown(score["bitsPerByte"], 2))
        # A token that is pointed at is told, with what the model expected.
        place = next(i for i, one in enumerate(scored) if one["token"] == "door")
        page.locator(".token").nth(place).hover()
        details = page.locator(".token-details")
        expect(details).to_contain_text(f"{shown(-scored[place]['logProbability'] / math.log(2), 1)} bits")
        expect(details.locator(".bar-label")).to_have_text([one["token"] for one in scored[place]["top"]])
        page.locator(".token").nth(place).focus()
        page.keyboard.press("ArrowRight")
        expect(details.locator(".told-token")).to_have_text(raw[int(scored[place + 1]["start"]) : int(scored[place + 1]["end"])].decode())

    def test_each_word_given_all_the_others(self):
        page = self.language()
        expect(page.get_by_text("Each word given all the others")).to_be_hidden()  # a Transformer-XL cannot
        self.panel(page).get_by_label("Model", exact=True).select_option("xlnet-novels")
        expect(page.locator(".token").first).to_be_visible()
        page.get_by_label("Text").fill("She opened the door and went out.")
        page.get_by_label("Each word given all the others, also those behind it").check()
        message = {"model": "xlnet-novels", "items": [{"text": "She opened the door and went out."}], "options": {"order": "ORDER_ALL_CONTEXT"}}
        score = self.call("LanguageModelingService/Score", message)["scores"][0]
        expect(page.locator(".figures")).to_contain_text(shown(score["perplexity"], 1))

    def test_gaps(self):
        page = self.language("Gaps")
        expect(page.locator(".filled mark")).to_have_count(2)
        page.get_by_label("Text").fill(GAPS)
        page.get_by_role("button", name="Fill in").click()
        message = {"model": "xlnet-novels", "texts": [{"text": GAPS}], "marker": "___", "topK": 8}
        text = self.call("LanguageModelingService/FillIn", message)["texts"][0]
        expect(page.locator(".filled")).to_have_text(text["filledText"])
        second = page.get_by_role("list", name="Fillings of gap 2")
        fillings = [one["text"] for one in text["gaps"][1]["top"]]
        expect(second.get_by_role("button")).to_have_text(fillings)
        second.get_by_role("button").nth(3).click()
        changed = GAPS.replace("___", text["gaps"][0]["top"][0]["text"], 1).replace("___", fillings[3])
        expect(page.locator(".filled")).to_have_text(changed)
        expect(second.get_by_role("button").nth(3)).to_be_focused()
        page.get_by_role("button", name="Use these words in the text").click()
        expect(page.get_by_label("Text")).to_have_value(changed)
        page.get_by_role("button", name="Fill in").click()
        expect(page.get_by_text("The text has no gap")).to_be_visible()

    def test_a_text_grows(self):
        streams = self.calls("LanguageModelingService/GenerateStream")
        page = self.language("Continue")
        page.get_by_label("Text").fill(PROMPT)
        page.get_by_text("Options", exact=True).click()
        page.get_by_label("Tokens at most").fill("12")
        page.get_by_label("Seed").fill("5")
        self.panel(page).get_by_role("button", name="Continue", exact=True).click()
        sampling = {"temperature": 0.8, "topK": 40, "seed": "5"}
        message = {"model": "txl-novels", "prompt": PROMPT, "options": {"sampling": sampling, "maxTokens": 12}}
        text = self.call("LanguageModelingService/Generate", message)["texts"][0]["text"]
        expect(page.get_by_text("It reached the limit of tokens. 12 tokens.")).to_be_visible()
        self.assertEqual(page.locator(".token-text").inner_text().strip(), (PROMPT + text).strip())
        self.assertGreater(page.locator(".token").count(), 8)
        self.assertEqual(self.calls("LanguageModelingService/GenerateStream"), streams + 1)
        page.get_by_role("button", name="Try another seed").click()
        expect(page.get_by_label("Seed")).to_have_value("6")
        page.get_by_role("button", name="Continue from here").click()
        self.assertTrue(page.get_by_label("Text").input_value().startswith(PROMPT))

    def test_a_text_that_is_stopped(self):
        page = self.language("Continue")
        page.get_by_text("Options", exact=True).click()
        page.get_by_label("Tokens at most").fill("5000")  # more than there is time for
        self.panel(page).get_by_role("button", name="Continue", exact=True).click()
        before = page.locator(".writing").element_handle()
        page.get_by_role("button", name="Try another seed").click()
        page.wait_for_function("before => !before.classList.contains('writing')", arg=before)  # the first one has ended
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        expect(self.panel(page).locator(".request-facts")).to_have_text("cancelled")

    def test_labels(self):
        page = self.language("Classify")
        text = "the plot follows a young man who returns to his village ."
        page.get_by_label("Text").fill(text)
        page.get_by_label("Text").press("Control+Enter")
        message = {"model": "xlnet-subjectivity", "items": [{"text": text}], "topK": 0, "returnAttention": True}
        item = self.call("LanguageModelingService/ClassifyTexts", message)["items"][0]
        expect(page.get_by_role("heading", name=item["labels"][0]["label"], exact=True)).to_be_visible()
        attention = item["attention"]
        expect(page.locator(".attended")).to_have_count(attention["columnCount"] - 1)
        weights = attention["weights"][1:]
        shades = page.locator(".attended").evaluate_all("marks => marks.map((mark) => Number(mark.style.getPropertyValue('--weight')))")
        self.assertEqual(shades.index(max(shades)), weights.index(max(weights)))
        self.assertEqual(shades.index(min(shades)), weights.index(min(weights)))

    def test_models_are_offered_for_what_they_can_do(self):
        page = self.language()
        options = self.panel(page).get_by_label("Model", exact=True).locator("option")
        expect(options).to_have_text(["txl-novels", "xlnet-novels"])
        for mode, names in (("Gaps", ["xlnet-novels"]), ("Continue", ["txl-novels", "xlnet-novels"]), ("Classify", ["xlnet-subjectivity"])):
            page.get_by_role("radio", name=mode, exact=True).check()
            expect(options).to_have_text(names)

    def test_errors_name_their_field(self):
        self.allow("status of 400")
        page = self.language("Continue")
        page.get_by_text("Options", exact=True).click()
        page.get_by_label("Temperature").fill("-1")
        self.panel(page).get_by_role("button", name="Continue", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("options.sampling.temperature")
        expect(page.get_by_role("alert")).to_contain_text("-1")

    def test_a_text_that_is_too_long_is_not_sent(self):
        page = self.language()
        scored = self.calls("LanguageModelingService/Score")
        page.get_by_label("Text").fill("a" * 20_001)
        page.get_by_role("button", name="Read").click()
        expect(page.get_by_role("alert")).to_contain_text("The text has 20,001 characters. This page sends at most 20,000.")
        self.assertEqual(self.calls("LanguageModelingService/Score"), scored)

    def test_markup_stays_text(self):
        page = self.language()
        page.get_by_label("Text").fill("<img src=x onerror='window.ran = 1'> <b>She</b> went out.")
        page.get_by_role("button", name="Read").click()
        expect(page.locator(".token-text")).to_contain_text("<b>She</b>")
        self.assertEqual(page.locator("main img").count(), 0)

    def test_the_programs_that_are_shown_run(self):
        page = self.language()
        forms = self.panel(page).locator(".request")
        for mode, mark, act in (("Surprise", ".token", None), ("Gaps", ".filled", None), ("Classify", ".attended", None), ("Continue", ".legend-token", "Continue")):
            with self.subTest(mode=mode):
                page.get_by_role("radio", name=mode, exact=True).check()
                if act:
                    self.panel(page).get_by_role("button", name=act, exact=True).click()
                expect(page.locator(mark).first).to_be_visible()
                expect(forms.locator(".request-facts")).to_contain_text("answered")
                forms.get_by_role("radio", name="curl", exact=True).check()
                answer = subprocess.run(["bash", "-c", forms.locator("code").inner_text()], check=True, capture_output=True, text=True, timeout=60).stdout
                self.assertIn("event: end" if act else '"model"', answer)
                forms.get_by_role("radio", name="Python", exact=True).check()
                self.assertNotEqual(self.run_python(forms.locator("code").inner_text()).strip(), "")

    def test_accessible_in_both_themes_and_widths(self):
        def fill(page):
            page.get_by_role("radio", name="Gaps", exact=True).check()
            expect(page.locator(".filled mark").first).to_be_visible()

        def write(page):
            page.get_by_role("radio", name="Continue", exact=True).check()
            page.get_by_text("Options", exact=True).click()
            page.get_by_label("Tokens at most").fill("12")
            self.panel(page).get_by_role("button", name="Continue", exact=True).click()
            expect(page.locator(".token").first).to_be_visible()

        def classify(page):
            page.get_by_role("radio", name="Classify", exact=True).check()
            expect(page.locator(".attended").first).to_be_visible()

        self.check_everywhere("language", [fill, write, classify])  # Surprise shows what Continue shows in the end


class NoClassifierTest(PageTest):
    FLAGS = (f"--models={TREE}/weights/txl-novels",)

    def test_what_no_model_can_do_is_said(self):
        page = self.open("language")
        expect(page.locator(".token").first).to_be_visible()
        page.get_by_role("radio", name="Classify", exact=True).check()
        expect(page.get_by_text("No model of this server can do it. xlnet-subjectivity could")).to_be_visible()
        expect(page.get_by_role("button", name="Classify")).to_be_hidden()


if __name__ == "__main__":
    main()
