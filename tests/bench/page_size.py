#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How large the page is, and how long a browser takes until it shows something: over loopback, with an empty cache.

BUILD/page-tests/venv/bin/python3 tests/bench/page_size.py BUILD/bin/heed-server [--loads=N]

Prints each file's bytes as they are and as they are sent (gzip), what the first panel loads of them, and the medians of the
first paint, of the first paint with content, and of the time until the panel can be used; and, to compare with, of the first
paint of a line of text in a new window. scripts/page_tests.sh makes
that Python.
"""

import argparse
import http.client
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
sys.path.insert(0, os.path.join(HERE, "../page"))
from browser import CHROMIUM, TREE, sync_playwright  # noqa: E402
from heed_server import HeedServer  # noqa: E402


TIMES = ("first paint of a line of text", "first paint", "first paint with content", "Translate can be used")


def sizes(address):
    """{path: (bytes, bytes as gzip)}."""
    connection = http.client.HTTPConnection(address)
    found = {}
    for name in sorted(os.listdir(os.path.join(TREE, "page"))):
        path = "/" if name == "index.html" else f"/page/{name}"
        lengths = []
        for encoding in ("identity", "gzip"):
            connection.request("GET", path, headers={"Accept-Encoding": encoding})
            answer = connection.getresponse()
            lengths.append(len(answer.read()))
            if answer.status != 200:
                raise SystemExit(f"{path}: HTTP {answer.status}")
        found[path] = tuple(lengths)
    connection.close()
    return found


def paints(page):
    """[first paint, first paint with content] in milliseconds since the navigation began."""
    return page.evaluate("""() => new Promise((resolve) => {
        const look = () => {
            const entries = performance.getEntriesByType("paint");
            if (entries.length == 2) resolve(entries.map((entry) => entry.startTime));
            else setTimeout(look, 5);
        };
        look();
    })""")


def load(browser, origin):
    """The times of TIMES in milliseconds, and the paths that were loaded."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    paths = []
    page.on("response", lambda response: paths.append(response.url.removeprefix(origin)))
    page.goto(origin + "/page/server.json")  # a window's own start, and nothing of the page
    nothing = paints(page)
    paths.clear()
    page.goto(origin + "/")
    page.get_by_label("Text to translate").wait_for()
    usable = page.evaluate("performance.now()")
    times = (nothing[0], *paints(page), usable)
    context.close()
    return times, paths


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server")
    parser.add_argument("--loads", type=int, default=15)
    arguments = parser.parse_args()
    with HeedServer(arguments.server, f"--models={TREE}/weights", "--http_listen=127.0.0.1:0") as server:
        files = sizes(server.http_address)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            load(browser, f"http://{server.http_address}")  # the browser's own start
            runs = [load(browser, f"http://{server.http_address}") for _ in range(arguments.loads)]
            version = browser.version
            browser.close()
    for path, (plain, packed) in files.items():
        print(f"{path:28} {plain / 1000:8.1f} kB {packed / 1000:8.1f} kB gzip")
    first = [files[path] for path in set(runs[0][1]) & set(files)]
    for name, some in (("all files", files.values()), ("Translate loads", first)):
        print(f"{name:28} {sum(one[0] for one in some) / 1000:8.1f} kB {sum(one[1] for one in some) / 1000:8.1f} kB gzip")
    for index, name in enumerate(TIMES):
        times = [times[index] for times, _ in runs]
        print(f"{name:30} {statistics.median(times):8.0f} ms (median of {len(times)}; {min(times):.0f} to {max(times):.0f})")
    print(f"Chromium {version}")


if __name__ == "__main__":
    main()
