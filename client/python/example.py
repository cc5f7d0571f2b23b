#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Translates a few sentences, then one again as it grows.

    client/python/example.py [--server=ADDRESS] [--model=NAME] [TEXT ...]
"""

import argparse
import sys

import grpc

from heed_client import Client


def main():
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

            def grow(_text, _sentence, delta):
                print(delta, end="", flush=True)

            for _ in client.stream(arguments.texts[-1:], arguments.model, beam_size=1, on_delta=grow):
                print()
    except grpc.RpcError as error:
        sys.exit(f"example.py: {arguments.server}: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
