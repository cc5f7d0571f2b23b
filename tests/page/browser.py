# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium, in front of a real heed-server, for the tests of its panels.

    from browser import PageTest, main

    class GraphsTest(PageTest):
        def test_classes(self):
            page = self.open("graphs")
            page.get_by_role("button", name="Classify").click()
            ...
            self.check(page)             # axe-core finds nothing, nothing is wider than the window

    if __name__ == "__main__":
        main()

BUILD/page-tests/venv/bin/python3 tests/page/FILE BUILD/bin/heed-server [TEST]...

scripts/page_tests.sh makes that Python. Without Playwright, axe-core or chromium, exits 77 (ctest: skipped).

A test fails, too, if the browser's console says something, if a script throws, or if anything is asked of another origin
than the server's; `self.allow(PATTERN)` names what a test brings about itself.
"""

import atexit
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import urllib.request

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError as missing:
    print(f"skipped: {missing}; scripts/page_tests.sh installs it")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from heed_server import HeedServer  # noqa: E402

TREE = os.path.join(HERE, "../..")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = pathlib.Path(sys.prefix).parent / "node_modules/axe-core/axe.min.js"
WIDTHS = {1280: 900, 390: 844}  # and the heights
NARROWEST = 360
THEMES = ("light", "dark")
# Above what a loaded machine takes for anything here; nothing waits that long.
LIMIT_MS = 30_000

expect.set_options(timeout=LIMIT_MS)
binary = None


@functools.cache
def chromium():
    """One browser for all tests of the process: windows share nothing."""
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    atexit.register(browser.close)
    return browser


class PageTest(unittest.TestCase):
    """`server` is shared by the tests of a class."""

    FLAGS = (f"--models={TREE}/weights",)  # of the server, beside its addresses

    @classmethod
    def setUpClass(cls):
        cls.server = HeedServer(binary, "--http_listen=127.0.0.1:0", *cls.FLAGS)
        cls.addClassCleanup(lambda: cls.server.process.poll() is None and cls.server.terminate())
        cls.origin = f"http://{cls.server.http_address}"
        cls.browser = chromium()

    def setUp(self):
        self.problems = []
        self.allowed = []
        self.pages = []

    def tearDown(self):
        for page in self.pages:
            page.context.close()
        problems = [problem for problem in self.problems if not any(re.search(pattern, problem) for pattern in self.allowed)]
        self.assertEqual(problems, [], "the browser complains")

    def allow(self, pattern):
        """Problems that match are what this test brings about."""
        self.allowed.append(pattern)

    def open(self, panel="", width=1280, theme="light", **context):
        """A new window, as of a person who was never here, at a panel."""
        page = self.browser.new_context(
            viewport={"width": width, "height": WIDTHS.get(width, 900)}, color_scheme=theme, reduced_motion="reduce", **context
        ).new_page()
        page.set_default_timeout(LIMIT_MS)
        self.pages.append(page)
        page.on("console", lambda message: self.problems.append(f"console: {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", lambda request: self._on_request(request.url))
        page.goto(f"{self.origin}/#{panel}")
        return page

    def _on_request(self, url):
        if not url.startswith((self.origin + "/", "data:", "blob:")):
            self.problems.append(f"request to another origin: {url}")

    def call(self, method, message):
        """The answer of the server itself, to compare with what the page shows."""
        request = urllib.request.Request(f"{self.origin}/heed.v1.{method}", json.dumps(message).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def calls(self, method, code="OK"):
        """How many calls of a method ended so far, from the server's metrics."""
        return sum(
            value
            for (name, labels), value in self.server.metrics().items()
            if name == "heed_requests_total" and dict(labels)["method"] == f"heed.v1.{method}" and dict(labels)["code"] == code
        )

    def run_python(self, program):
        """What a program that the page shows prints, with client/python as scripts/python_client.sh installs it; else the
        test is skipped."""
        python = pathlib.Path(binary).parents[1] / "python-client/bin/python3"
        if not python.exists():
            self.skipTest("scripts/python_client.sh has not installed client/python: the program was not run")
        return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True, timeout=60).stdout

    def check(self, page):
        """axe-core finds nothing, and nothing is wider than the window."""
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})")
        lines = [f"{one['id']}: {one['help']}: {node['html'][:160]}: {node.get('failureSummary', '')}" for one in found["violations"] for node in one["nodes"]]
        self.assertEqual(lines, [], "axe-core complains")
        self.assertGreater(len(found["passes"]), 15)
        self.check_width(page)

    def check_width(self, page):
        extra = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        self.assertLessEqual(extra, 0, "the page is wider than the window")

    def check_everywhere(self, panel, work):
        """`work(page)`, or each of several one after the other, on the panel, then check, in both themes and both widths: colors
        are of the theme, sizes of the width."""
        page = self.open(panel)
        for one in [work] if callable(work) else work:
            with self.subTest(work=one.__name__):
                one(page)
                self._check_looks(page)

    def _check_looks(self, page):
        for theme, (width, height) in zip(THEMES, WIDTHS.items()):
            with self.subTest(theme=theme, width=width):
                page.emulate_media(color_scheme=theme)
                page.set_viewport_size({"width": width, "height": height})
                self.check(page)
        page.set_viewport_size({"width": NARROWEST, "height": 800})
        self.check_width(page)


def main():
    global binary
    missing = [name for name, there in (("chromium", CHROMIUM), ("axe-core", AXE.is_file())) if not there]
    if missing:
        print(f"skipped: there is no {' and no '.join(missing)}; scripts/page_tests.sh installs it")
        sys.exit(77)
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: FILE HEED_SERVER [TEST]...")
    binary = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
