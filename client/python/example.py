#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Translates a few sentences, then one again as it grows.

    client/python/example.py [--server=ADDRESS] [--model=NAME] [TEXT ...]
"""

from __future__ import annotations

import argparse
import sys

from heed_client import Client, HeedError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--model", default="translator-en-de", help="name of the translator (default: %(default)s)")
    parser.add_argument("texts", nargs="*", metavar="TEXT", default=["Good morning.", "Where is the station?"])
    arguments = parser.parse_args()
    try:
        with Client(arguments.server) as client:
            translations = client.translate(arguments.texts, arguments.model, beam_size=4)
            for text, translation in zip(arguments.texts, translations):
                print(f"{text} -> {translation}")

            def grow(_text: int, _sentence: int, delta: str) -> None:
                print(delta, end="", flush=True)

            for _ in client.stream(arguments.texts[-1:], arguments.model, beam_size=1, on_delta=grow):
                print()
    except HeedError as error:
        sys.exit(f"example.py: {arguments.server}: {error}")


if __name__ == "__main__":
    main()
