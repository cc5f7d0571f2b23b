#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every relative link in the pages of TREE leads somewhere: to a file or folder, and to a heading of it.

    check_docs_links.py TREE          checks README.md, CONTRIBUTING.md, SECURITY.md, CHANGELOG.md, docs/*.md and the
                                      README.md files that ship with folders
    check_docs_links.py --selftest    shows that each kind of broken link is found

Links to other hosts are not followed. Code blocks and code spans hold no links.
"""
import pathlib
import re
import sys
import tempfile

PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/*.md", "client/python/README.md",
         "deploy/prometheus/README.md", "tests/fixtures/README.md", "weights/*/README.md"]
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
IMAGE = re.compile(r"<(?:img|source)\b[^>]*\b(?:src|srcset)=\"([^\"]+)\"")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]: *<?(\S+?)>? *$", re.M)


def lines_of_text(text):
    """(number, line) outside of fenced and indented code blocks."""
    fence = None
    blank = True
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if fence:
            if match and match[1].startswith(fence):
                fence = None
            continue
        if match:
            fence = match[1]
            continue
        if line.startswith("    ") and blank:
            continue  # `blank` stays: the next indented line is of the same block
        blank = not line.strip()
        yield number, line


def without_code(text):
    """`text` with as many blanks in place of code spans, which end with their paragraph at the latest."""
    return re.sub(r"(`+)(?:(?!\1)(?!\n\s*\n).)+\1(?!`)", lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.S)


def anchor(heading):
    """The anchor that GitHub and GitLab make of a heading."""
    heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    heading = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return heading.replace(" ", "-")


def anchors(path):
    found = set()
    counts = {}
    for _, line in lines_of_text(path.read_text()):
        match = re.match(r" {0,3}#{1,6}\s+(.*?)\s*#*\s*$", line)
        if match:
            name = anchor(match[1])
            count = counts.get(name, 0)
            counts[name] = count + 1
            found.add(f"{name}-{count}" if count else name)
        found.update(re.findall(r"<a\s+(?:id|name)=\"([^\"]+)\"", line))
    return found


def links(path):
    """(number, target)"""
    lines = [""] * (path.read_text().count("\n") + 1)
    for number, line in lines_of_text(path.read_text()):
        lines[number - 1] = line
    text = without_code("\n".join(lines))
    for pattern in (LINK, IMAGE, REFERENCE):
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start(1)) + 1, match[1]


def check(tree):
    problems = []
    count = 0
    cache = {}
    for pattern in PAGES:
        for page in sorted(tree.glob(pattern)):
            for number, target in links(page):
                if re.match(r"[a-z][a-z0-9+.-]*:", target):
                    continue
                count += 1
                where = f"{page.relative_to(tree)}:{number}"
                file, _, fragment = target.partition("#")
                to = page if not file else (page.parent / file)
                if file.startswith("/") or not to.resolve().is_relative_to(tree.resolve()):
                    problems.append(f"{where}: {target} leads out of the tree")
                elif not to.exists():
                    problems.append(f"{where}: {target}: there is no such file")
                elif fragment and to.suffix == ".md":
                    if to.resolve() not in cache:
                        cache[to.resolve()] = anchors(to)
                    if fragment not in cache[to.resolve()]:
                        problems.append(f"{where}: {target}: there is no such heading")
    return count, problems


GOOD = {
    "README.md": "# Heed\n\n[guide](docs/guide.md), [a part](docs/guide.md#the-first-part), [here](#heed)\n"
                 "`[code](nowhere.md)`\n\n    [a block](nowhere.md)\n\n```\n[fenced](nowhere.md)\n```\n"
                 "![picture](docs/picture.png) [web](https://example.com/nowhere), [over\n[two] lines](docs) and\n"
                 "``code ` [with](nowhere.md)`` `over\n[two](nowhere.md) lines` [reference]\n\n[reference]: docs/guide.md#guide\n",
    "docs/guide.md": "# Guide\n\n## The first part\n\n## `--flag`: what's *new*?\n\n## The first part\n\n"
                     "[twice](#the-first-part-1) [flag](#--flag-whats-new) [up](../README.md) [folder](../docs)\n",
    "docs/picture.png": "",
}
BROKEN = [
    ("README.md", "docs/guide.md)", "docs/guides.md)", "docs/guides.md: there is no such file"),
    ("README.md", "#the-first-part", "#the-last-part", "no such heading"),
    ("README.md", "#heed", "#hede", "no such heading"),
    ("README.md", "docs/picture.png", "docs/pictures.png", "there is no such file"),
    ("README.md", "lines](docs)", "lines](doc)", "README.md:12: doc: there is no such file"),
    ("README.md", "docs/guide.md#guide", "docs/guide.md#guides", "no such heading"),
    ("docs/guide.md", "../README.md", "../READ.md", "docs/guide.md:9"),
    ("docs/guide.md", "#the-first-part-1", "#the-first-part-2", "no such heading"),
    ("docs/guide.md", "../README.md", "../../README.md", "leads out of the tree"),
]


def selftest():
    failed = 0
    for file, text, other, expected in [(None, "", "", "")] + BROKEN:
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory) / "tree"
            for name, content in GOOD.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                if name == file:
                    assert text in content
                    content = content.replace(text, other, 1)
                (tree / name).write_text(content)
            _, problems = check(tree)
            if file is None and problems:
                print(f"docs_links: selftest: a good tree has problems: {problems}", file=sys.stderr)
                failed += 1
            elif file and not any(expected in problem for problem in problems):
                print(f"docs_links: selftest: '{other}' in {file} was not found; said: {problems}", file=sys.stderr)
                failed += 1
    print(f"docs_links: selftest: {len(BROKEN) + 1 - failed} of {len(BROKEN) + 1} cases are right")
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ["--selftest"]:
        return selftest()
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    count, problems = check(pathlib.Path(sys.argv[1]))
    for problem in problems:
        print(f"docs_links: {problem}", file=sys.stderr)
    if count == 0:
        print("docs_links: found no links", file=sys.stderr)
        return 1
    print(f"docs_links: {count} links, {len(problems)} broken")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
