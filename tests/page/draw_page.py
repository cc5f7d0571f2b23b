#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the page for docs/page.md and README.md: docs/images/page-PANEL-THEME.png, each with the page 1280 and 390 pixels
wide side by side.

BUILD/page-tests/venv/bin/pip install pillow
BUILD/page-tests/venv/bin/python3 tests/page/draw_page.py BUILD/bin/heed-server [PANEL]...
"""

import io
import os
import sys

import browser
from browser import THEMES, TREE, WIDTHS, PageTest, expect
from PIL import Image

HEIGHT = 1240
GAP = 24
COLORS = 128


def translate(page, _):
    page.get_by_role("button", name="A longer one").click()
    expect(page.locator(".hypothesis")).to_have_count(4)
    page.locator(".heat tbody tr").nth(2).locator("td").nth(2).hover()


def graphs(page, _):
    expect(page.locator(".node")).to_have_count(34)
    page.locator(".node").nth(8).click()  # a member between the two


def questions(page, _):
    expect(page.locator(".answer-text")).to_contain_text("bathroom")


def language(page, _):
    expect(page.locator(".token").first).to_be_visible()
    page.locator(".token", has_text="elephant").hover()


def models(page, test):
    """While somebody translates."""
    rates = page.locator("tr", has=page.get_by_text("translator-en-de", exact=True)).locator(".rate")
    for _ in range(12):
        for _ in range(6):
            test.call("TranslationService/Translate", {"model": "translator-en-de", "texts": ["Two dogs are playing in the snow."] * 8})
        page.wait_for_timeout(250)
    expect(rates).not_to_have_text("0")


PANELS = {"translate": translate, "graphs": graphs, "questions": questions, "language": language, "models": models}


class Drawing(PageTest):
    def draw(self, panel, theme):
        pictures = []
        for width in WIDTHS:
            page = self.open(panel, width=width, theme=theme)
            PANELS[panel](page, self)
            page.evaluate("scrollTo(0, 0)")
            pictures.append(Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB"))
        height = min(HEIGHT, max(picture.height for picture in pictures))
        whole = Image.new("RGB", (sum(WIDTHS) + GAP, height), pictures[0].getpixel((2, 2)))
        left = 0
        for picture in pictures:
            whole.paste(picture.crop((0, 0, picture.width, min(height, picture.height))), (left, 0))
            left += picture.width + GAP
        path = os.path.join(TREE, f"docs/images/page-{panel}-{theme}.png")
        whole.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{os.path.relpath(path, TREE)}: {whole.width} x {whole.height}, {os.path.getsize(path) / 1000:.0f} kB")


def main():
    browser.binary = os.path.abspath(sys.argv[1])
    Drawing.setUpClass()
    try:
        drawing = Drawing()
        drawing.setUp()
        for panel in sys.argv[2:] or PANELS:
            for theme in THEMES:
                drawing.draw(panel, theme)
        drawing.tearDown()
    finally:
        Drawing.doClassCleanups()


if __name__ == "__main__":
    main()
