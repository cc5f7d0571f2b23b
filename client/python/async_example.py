#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Translates each line of a text as soon as it is read, several at a time, and prints the translations in order.

    client/python/async_example.py [--server=ADDRESS] [--model=NAME] [--in_flight=N] < TEXT
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import deque
from typing import AsyncIterator, Deque, Iterable, List

from heed_client import AsyncClient, HeedError


async def translations(client: AsyncClient, lines: Iterable[str], model: str, in_flight: int) -> AsyncIterator[str]:
    """Of each line, in order; `in_flight` calls at most are in progress."""
    waiting: Deque[asyncio.Task[List[str]]] = deque()
    try:
        for line in lines:
            waiting.append(asyncio.create_task(client.translate([line.rstrip("\n")], model, beam_size=4)))
            if len(waiting) >= in_flight:
                yield (await waiting.popleft())[0]
        while waiting:
            yield (await waiting.popleft())[0]
    finally:  # after an error the others are of no use
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="127.0.0.1:50051", help="address of the server (default: %(default)s)")
    parser.add_argument("--model", default="translator-en-de", help="name of the translator (default: %(default)s)")
    parser.add_argument("--in_flight", type=int, default=8, help="calls at a time (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        async with AsyncClient(arguments.server) as client:
            async for translation in translations(client, sys.stdin, arguments.model, arguments.in_flight):
                print(translation)
    except HeedError as error:
        sys.exit(f"async_example.py: {arguments.server}: {error}")


if __name__ == "__main__":
    asyncio.run(main())
