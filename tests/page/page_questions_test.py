#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page's panel Questions. See browser.py."""

import json
import os
import re
import subprocess
import time
import urllib.error

from browser import TREE, PageTest, expect, main

STORY = ["Mary went to the kitchen.", "John moved to the garden.", "Mary picked up the milk there."]
OPTIONS = {"topK": 5, "returnAttribution": True, "returnReads": True}


class QuestionsTest(PageTest):
    FLAGS = (f"--models={TREE}/weights/ntm-babi",)

    def questions(self, **context):
        """The panel, once it has answered about the first example."""
        page = self.open("questions", **context)
        expect(page.locator(".answer-text")).to_contain_text("bathroom")
        return page

    def new_story(self, page, facts):
        page.get_by_role("button", name="New story").click()
        expect(page.get_by_text("Nothing was told yet.")).to_be_visible()
        for number, fact in enumerate(facts):
            page.get_by_label("Tell a fact").fill(fact)
            page.get_by_label("Tell a fact").press("Enter")
            expect(page.locator(".fact")).to_have_count(number + 1)

    def ask(self, page, question):
        page.get_by_label("Ask a question").fill(question)
        page.get_by_label("Ask a question").press("Enter")
        expect(page.locator(".asked")).to_have_text(question)

    def answer(self, facts, question):
        message = {"facts": facts, "questions": [{"text": question}], "options": OPTIONS}
        return self.call("QuestionAnsweringService/Answer", message)["answers"][0]

    def test_a_story_told_fact_by_fact(self):
        page = self.questions()
        self.new_story(page, STORY)
        self.ask(page, "Where is Mary?")
        answer = self.answer(STORY, "Where is Mary?")
        expect(page.locator(".answer-text")).to_contain_text(answer["text"])
        candidates = page.get_by_role("list", name="Likeliest answers")
        expect(candidates.locator(".bar-label")).to_have_text([one["text"] for one in answer["candidates"]])
        # The facts that were read are shaded in the story, the strongest most.
        weights = {int(one.get("fact", 0)): one["weight"] for one in answer["facts"]}
        for number, mark in enumerate(page.locator(".fact").all()):
            shade = float(mark.evaluate("mark => mark.style.getPropertyValue('--weight') || 0"))
            self.assertAlmostEqual(shade, weights.get(number, 0) / max(weights.values()), delta=0.03)
        expect(page.get_by_role("list", name="Facts behind it").locator(".bar-label").first).to_have_text(f"{max(weights, key=weights.get)}: {answer['facts'][0]['text']}")

    def test_reads_of_the_memory(self):
        page = self.questions()
        self.new_story(page, STORY)
        self.ask(page, "Where is John?")
        reads = self.answer(STORY, "Where is John?")["reads"]
        expect(page.get_by_role("heading", name=f"The memory's reads: {len(reads) // 4} thinking steps, 4 heads, {len(reads[0]['weights'])} slots")).to_be_visible()
        expect(page.locator(".reads-strip")).to_have_count(len(reads))
        # Begins where the first head looked most; the arrow keys tell each slot.
        first = max(range(80), key=reads[0]["weights"].__getitem__)
        page.locator(".reads-svg").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        caption = page.locator(".reads-caption")
        expect(caption).to_contain_text(f"Step 1, head 3, slot {first}: {reads[2]['weights'][first]:.3f}")
        page.keyboard.press("Home")
        expect(caption).to_contain_text(f"slot 0: {reads[2]['weights'][0]:.3f} · {STORY[0]}")
        expect(page.locator(".fact").first).to_have_class(re.compile("pointed"))
        # A fact frames the slot that it was written to, in all rows.
        column = page.locator(".reads-cursor").first
        expect(column).to_have_attribute("visibility", "hidden")
        page.locator(".fact").nth(2).hover()
        expect(column).to_have_attribute("visibility", "visible")
        self.assertAlmostEqual(float(column.get_attribute("x")) + 1, float(page.locator(".reads-strip").first.get_attribute("x")) + 2 * (float(column.get_attribute("width")) - 1), delta=0.01)
        # A darker cell was read more.
        strongest = max((weight, row) for row, read in enumerate(reads) for weight in read["weights"])[0]
        shades = page.locator(".reads-cell").evaluate_all("cells => cells.map((cell) => Number(cell.style.opacity))")
        self.assertAlmostEqual(max(shades), 0.03 + 0.97 * strongest, delta=0.01)

    def test_forks_go_their_own_ways(self):
        page = self.questions()
        self.new_story(page, STORY)
        forks = self.calls("QuestionAnsweringService/ForkSession")
        page.get_by_role("button", name="Fork", exact=True).click()
        expect(page.get_by_role("button", name="Fork 1")).to_have_attribute("aria-pressed", "true")
        self.new_fact(page, "Mary travelled to the office.", 4)
        self.ask(page, "Where is Mary?")
        expect(page.locator(".answer-text")).to_contain_text("office")
        page.get_by_role("button", name="Story", exact=True).click()
        expect(page.locator(".fact")).to_have_count(3)
        self.ask(page, "Where is Mary?")
        expect(page.locator(".answer-text")).to_contain_text("kitchen")
        self.assertEqual(self.calls("QuestionAnsweringService/ForkSession"), forks + 1)

    def new_fact(self, page, fact, count):
        page.get_by_label("Tell a fact").fill(fact)
        page.get_by_label("Tell a fact").press("Enter")
        expect(page.locator(".fact")).to_have_count(count)

    def test_words_that_the_model_does_not_know(self):
        page = self.questions()
        self.new_story(page, ["The dragon took the football."])
        expect(page.locator(".question-status")).to_contain_text("The model does not know this word, and left it out: dragon.")
        expect(page.locator(".fact .pill")).to_have_text("not known: dragon")
        expect(page.get_by_text("kitchen garden office")).to_be_visible()
        self.ask(page, "Where is Zaphod?")
        expect(page.locator(".question-status")).to_contain_text("Zaphod")

    def test_words_that_are_offered_are_known(self):
        with open(os.path.join(TREE, "weights/ntm-babi/vocab.json"), encoding="utf-8") as file:
            vocabulary = json.load(file)
        page = self.questions()
        page.get_by_text("Words the model knows").click()
        offered = [text.split(":")[1] for text in page.locator(".word-list p").all_inner_texts()]
        stories = page.evaluate("async () => (await import(new URL('page/babi_words.js', document.baseURI))).STORIES.flatMap((story) => [...story.facts, story.question])")
        words = set(re.findall(r"[a-z]+", " ".join(offered + stories).lower()))
        self.assertGreater(len(words), 80)
        self.assertEqual(sorted(words - set(vocabulary)), [])

    def test_a_fact_that_is_refused_stays_to_be_mended(self):
        self.allow("status of 400")
        page = self.questions()
        self.new_story(page, STORY[:1])
        page.get_by_label("Tell a fact").fill("?!")
        page.get_by_label("Tell a fact").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("facts[0]")
        expect(page.get_by_label("Tell a fact")).to_have_value("?!")
        expect(page.locator(".fact")).to_have_count(1)

    def test_a_session_that_the_server_closed_is_told_again(self):
        self.allow("status of 404")
        page = self.questions()
        self.new_story(page, STORY)
        forms = page.get_by_role("tabpanel", name="Questions").locator(".request")
        self.call("QuestionAnsweringService/CloseSession", {"session": re.search(r'"session": ?"(\w+)"', forms.locator("code").inner_text())[1]})
        self.ask(page, "Where is the milk?")
        expect(page.locator(".answer-text")).to_contain_text(self.answer(STORY, "Where is the milk?")["text"])
        expect(page.locator("#said")).not_to_be_empty()

    def test_a_tell_whose_answer_is_lost_is_not_told_twice(self):
        self.allow("ERR_FAILED")
        page = self.questions()
        self.new_story(page, STORY[:2])

        def lose(route):
            route.fetch()  # the server has told it
            route.abort()

        page.route("**/*.QuestionAnsweringService/Tell", lose, times=1)
        page.get_by_label("Tell a fact").fill(STORY[2])
        page.get_by_label("Tell a fact").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        page.get_by_label("Tell a fact").press("Enter")
        expect(page.locator(".fact")).to_have_count(3)
        self.ask(page, "Where is the milk?")
        shown = self.answer(STORY, "Where is the milk?")["facts"][0]
        expect(page.get_by_role("list", name="Facts behind it").locator(".bar-label").first).to_have_text(f"{shown.get('fact', 0)}: {shown['text']}")
        session = re.search(r'"session": ?"(\w+)"', self.panel_code(page))[1]
        told = self.call("QuestionAnsweringService/Tell", {"session": session, "facts": STORY[:1]})
        self.assertEqual(int(told["session"]["factCount"]), 4)

    def test_what_the_server_does_not_answer_is_stopped(self):
        page = self.questions()
        held = []
        page.route("**/*.QuestionAnsweringService/Ask", lambda route: held.append(route), times=1)
        page.get_by_label("Ask a question").press("Enter")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("has not answered yet")).to_have_count(0)
        self.ask(page, "Where is John?")
        page.route("**/*.QuestionAnsweringService/Ask", lambda route: held.append(route), times=1)
        page.get_by_label("Ask a question").press("Enter")
        page.get_by_role("button", name="New story").click()  # instead
        expect(page.get_by_text("Nothing was told yet.")).to_be_visible()
        self.assertEqual(len(held), 2)

    def panel_code(self, page):
        return page.get_by_role("tabpanel", name="Questions").locator(".request code").inner_text()

    def test_sessions_end_with_the_page(self):
        page = self.questions()
        sessions = [re.search(r'"session": ?"(\w+)"', self.panel_code(page))[1]]
        page.get_by_role("button", name="Fork", exact=True).click()
        expect(page.get_by_role("button", name="Fork 1")).to_be_visible()
        self.new_fact(page, "Mary travelled to the office.", int(page.locator(".fact").count()) + 1)
        sessions.append(re.search(r'"session": ?"(\w+)"', self.panel_code(page))[1])
        self.assertNotEqual(*sessions)
        page.goto("about:blank")
        deadline = time.monotonic() + 30  # the browser sends on after the page has gone
        while any(self.is_open(session) for session in sessions):
            self.assertLess(time.monotonic(), deadline, "the sessions are still open")

    def is_open(self, session):
        try:
            self.call("QuestionAnsweringService/Ask", {"session": session, "questions": ["Where is Mary?"]})
        except urllib.error.HTTPError as error:
            with error:
                self.assertEqual(error.code, 404)
            return False
        return True

    def test_earlier_answers(self):
        page = self.questions()
        self.ask(page, "Where is John?")
        page.get_by_text("Earlier answers").click()
        page.get_by_role("button", name="Where is the milk? – bathroom").click()
        expect(page.locator(".answer-text")).to_contain_text("bathroom")
        expect(page.locator(".asked")).to_have_text("Where is the milk?")

    def test_stories_at_hand(self):
        page = self.questions()
        for title, answer in (("What is she afraid of?", "wolf"), ("Why did he go there?", "tired"), ("What is she carrying?", "apple")):
            page.get_by_role("button", name=title).click()
            expect(page.locator(".answer-text")).to_contain_text(answer)

    def test_the_programs_that_are_shown_run(self):
        page = self.questions()
        forms = page.get_by_role("tabpanel", name="Questions").locator(".request")
        forms.get_by_role("radio", name="curl", exact=True).check()
        answer = subprocess.run(["bash", "-c", forms.locator("code").inner_text()], check=True, capture_output=True, text=True, timeout=60).stdout
        self.assertEqual(json.loads(answer)["answers"][0]["text"], "bathroom")
        forms.get_by_role("radio", name="Python", exact=True).check()
        self.assertIn("    with client.question_session(", forms.locator("code").inner_text())  # which closes it
        shown = self.run_python(forms.locator("code").inner_text())
        self.assertIn("bathroom [('Mary journeyed to the bathroom.'", shown)

    def test_accessible_in_both_themes_and_widths(self):
        def work(page):
            expect(page.locator(".answer-text")).to_contain_text("bathroom")
            page.get_by_role("button", name="Fork", exact=True).click()
            self.new_fact(page, "The dragon took the football.", 8)
            self.ask(page, "Where is the milk?")

        self.check_everywhere("questions", work)


if __name__ == "__main__":
    main()
