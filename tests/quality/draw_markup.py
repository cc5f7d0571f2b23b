#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/markup.png: a page in English beside what a running server makes of it.

    draw_markup.py [--server=ADDRESS] [--model=NAME] [--client=PATH] [--picture=FILE]

The page is tests/fixtures/markup/captions.html. Needs Chromium.
"""

import argparse
import html
import os
import shutil
import subprocess
import sys
import tempfile

from translation_bleu import REPOSITORY, client_path

PAGE = os.path.join(REPOSITORY, "tests/fixtures/markup/captions.html")
WIDTH, HEIGHT = 1118, 466


def beside(first, second):
    """A document that shows two others side by side."""
    frame = '<iframe srcdoc="{}" style="width: 545px; height: 452px; border: 1px solid #d0d7de; margin: 6px"></iframe>'
    frames = "".join(frame.format(html.escape(page)) for page in (first, second))
    return f'<!DOCTYPE html><meta charset="utf-8"><body style="margin: 0; white-space: nowrap; font-size: 0">{frames}</body>'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--model", default="translator-en-de", help="model to ask (default: %(default)s)")
    parser.add_argument("--client", default="build/bin/heed", help="client binary, from the repository's root")
    parser.add_argument("--picture", default=os.path.join(REPOSITORY, "docs/images/markup.png"), help="file to write")
    arguments = parser.parse_args()
    client, chromium = client_path(arguments.client), shutil.which("chromium")
    if not client:
        parser.error(f"--client: {arguments.client} is not there; scripts/build.sh builds it")
    if not chromium:
        sys.exit("draw_markup.py: no chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        translated = os.path.join(folder, "translated.html")
        command = [client, "translate", f"--server={arguments.server}", f"--model={arguments.model}", "--beam=4", f"--output={translated}", PAGE]
        subprocess.run(command, check=True)
        with open(PAGE, encoding="utf-8") as before, open(translated, encoding="utf-8") as after:
            document = beside(before.read(), after.read())
        with open(os.path.join(folder, "beside.html"), "w", encoding="utf-8") as file:
            file.write(document)
        screen = [f"--screenshot={os.path.abspath(arguments.picture)}", f"--window-size={WIDTH},{HEIGHT}", "--hide-scrollbars"]
        browser = [chromium, "--headless", "--no-sandbox", "--disable-gpu", *screen, f"file://{folder}/beside.html"]
        subprocess.run(browser, check=True, stderr=subprocess.DEVNULL)
    print(arguments.picture)


if __name__ == "__main__":
    main()
