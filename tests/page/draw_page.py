#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the page for docs/page.md: docs/images/page-PANEL-THEME.png, each with the page 1280 and 390 pixels wide side by side;
and for README.md page.png, with two panels.

BUILD/page-tests/venv/bin/pip install pillow
BUILD/page-tests/venv/bin/python3 tests/page/draw_page.py BUILD/bin/heed-server [PANEL]...
"""

import io
import os
import sys

import browser
from browser import THEMES, TREE, WIDTHS, PageTest, expect
from PIL import Image

HEIGHT = 1300
COLORS = 256


def translate(page, _):
    page.get_by_role("button", name="A longer one").click()
    expect(page.locator(".hypothesis")).to_have_count(4)
    page.mouse.move(0, 0)
    page.get_by_role("gridcell", name="Schirm, umbrella").focus()


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
    def picture(self, panel, width, theme):
        """The whole page as it is after the panel's work."""
        page = self.open(panel, width=width, theme=theme)
        PANELS[panel](page, self)
        self.check(page)
        return Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")

    def draw(self, name, desktop, phone):
        """Both side by side, each on its own page's color."""
        height = min(HEIGHT, max(desktop.height, phone.height))
        whole = Image.new("RGB", (sum(WIDTHS), height), desktop.getpixel((2, 2)))
        whole.paste(desktop.crop((0, 0, desktop.width, min(height, desktop.height))))
        whole.paste(phone.getpixel((2, 2)), (desktop.width, 0, whole.width, height))
        whole.paste(phone.crop((0, 0, phone.width, min(height, phone.height))), (desktop.width, 0))
        path = os.path.join(TREE, f"docs/images/{name}.png")
        whole.quantize(COLORS, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{os.path.relpath(path, TREE)}: {whole.width} x {whole.height}, {os.path.getsize(path) / 1000:.0f} kB")


def main():
    browser.binary = os.path.abspath(sys.argv[1])
    Drawing.setUpClass()
    try:
        drawing = Drawing()
        drawing.setUp()
        desktop, phone = WIDTHS
        for panel in sys.argv[2:] or PANELS:
            for theme in THEMES:
                drawing.draw(f"page-{panel}-{theme}", drawing.picture(panel, desktop, theme), drawing.picture(panel, phone, theme))
        if not sys.argv[2:]:
            drawing.draw("page", drawing.picture("translate", desktop, "light"), drawing.picture("graphs", phone, "dark"))
        drawing.tearDown()
    finally:
        Drawing.doClassCleanups()


if __name__ == "__main__":
    main()
