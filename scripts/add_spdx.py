#!/usr/bin/env python3
"""Puts "SPDX-License-Identifier: Apache-2.0" at the head of every source file of ours.

    scripts/add_spdx.py [--check] [TREE]

A file's comment begins with it: after a "#!" line, before everything else. --check changes nothing, names the files
that lack it, and fails if there are any. Files that others wrote keep their own words: inference.proto, google/ and
grpc/ below proto/, and the test data of seeds/ and fixtures/.
"""

import pathlib
import re
import subprocess
import sys

IDENTIFIER = "SPDX-License-Identifier: Apache-2.0"
COMMENTS = {".cc": "//", ".h": "//", ".cpp": "//", ".proto": "//", ".js": "//", ".go": "//", ".py": "#", ".sh": "#"}
FOREIGN = re.compile(r"^proto/(inference\.proto|google/|grpc/)|(^|/)(seeds|node_modules)/|^tests/fixtures/[^/]+/")


def comment_of(path):
    """How a comment begins in this file, or None if it is no source file of ours."""
    if FOREIGN.search(path):
        return None
    if path.endswith("CMakeLists.txt") or path.endswith(".cmake") or path == ".ci/run":
        return "#"
    return COMMENTS.get(pathlib.PurePath(path).suffix)


def with_identifier(text, comment):
    lines = text.splitlines(keepends=True)
    at = 1 if lines and lines[0].startswith("#!") else 0
    lines.insert(at, f"{comment} {IDENTIFIER}\n")
    return "".join(lines)


def has_identifier(text):
    return any(IDENTIFIER in line for line in text.splitlines()[:3])


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments
    others = [one for one in arguments if one != "--check"]
    if len(others) > 1 or any(one.startswith("-") for one in others):
        sys.exit("usage: scripts/add_spdx.py [--check] [TREE]")
    tree = pathlib.Path(others[0]) if others else pathlib.Path(__file__).resolve().parents[1]
    listed = subprocess.run(["git", "-C", tree, "ls-files", "-z"], check=True, stdout=subprocess.PIPE).stdout.decode()
    sources = [(path, comment) for path in listed.split("\0") if path and (comment := comment_of(path))]
    missing = []
    for path, comment in sources:
        file = tree / path
        if not file.is_file():  # deleted, and not committed yet
            continue
        text = file.read_text(encoding="utf-8")
        if not has_identifier(text):
            missing.append(path)
            if not check:
                file.write_text(with_identifier(text, comment), encoding="utf-8")
    if check:
        for path in missing:
            print(f"{path}:1: no line '{IDENTIFIER}': run scripts/add_spdx.py", file=sys.stderr)
        sys.exit(1 if missing or not sources else 0)
    print(f"add_spdx: {len(missing)} of {len(sources)} files changed")


if __name__ == "__main__":
    main()
