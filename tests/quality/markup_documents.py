#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether HTML documents of all kinds keep their tags: those of tests/fixtures/markup, and pages of Debian's documentation
packages.

    markup_documents.py [--markup=build/bin/heed-markup] [--server=build/bin/heed-server --models=DIR [--model=NAME]]
                        [--documents=100] [--max_bytes=60000] [--pages=DIR] [--keep=DIR] [--names]

Each document goes through the library in languages that know no words (capitals, backward, at random, without alignment,
lost). With --server it also goes through a real server and a model, as `TEXT_FORMAT_HTML` over HTTP. Tags in must be tags
out, to the byte but for the attributes that people read; a document that was well-formed stays so, nested as before. Prints
a table in Markdown, and every problem; exits 1 if there is one.

Packages are fetched with apt-get into a temporary folder and unpacked there; nothing is installed. --pages uses the pages of
a folder instead. --keep writes the server's translations there. --names prints a row for each document. Standard library only.
"""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURES = os.path.join(REPOSITORY, "tests", "fixtures", "markup")
PACKAGES = ("debian-faq", "debian-policy", "git-doc", "ntpsec-doc", "sqlite3-doc", "apache2-doc", "postfix-doc", "bash-doc")
MARKUP_BATCH = 50
REQUESTS_AT_A_TIME = 4


def fetch(folder):
    """The packages, unpacked: a folder each."""
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        archive = glob.glob(os.path.join(folder, glob.escape(package) + "_*.deb"))[0]
        subprocess.run(["dpkg-deb", "-x", archive, os.path.join(folder, package)], check=True)


def is_text(path):
    with open(path, "rb") as file:
        try:
            file.read().decode("utf-8")
        except UnicodeDecodeError:
            return False
    return True


def choose(folder, count, max_bytes):
    """Pages from as many folders as there are, the same ones each time."""
    groups = collections.defaultdict(list)
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.htm*"), recursive=True)):
        if os.path.isfile(path) and not os.path.islink(path) and 500 <= os.path.getsize(path) <= max_bytes:
            groups[os.path.relpath(path, folder).split(os.sep)[0]].append(path)
    order = random.Random(17)
    for paths in groups.values():
        order.shuffle(paths)
    chosen = []
    while len(chosen) < count and any(groups.values()):
        for name in sorted(groups):
            while groups[name] and len(chosen) < count:
                path = groups[name].pop()
                if is_text(path):
                    chosen.append((name, path))
                    break
    return chosen


def check(markup, documents):
    """Facts about each document, from the library alone."""
    facts = []
    for i in range(0, len(documents), MARKUP_BATCH):
        paths = [path for _, path in documents[i : i + MARKUP_BATCH]]
        output = subprocess.run([markup, "check", *paths], stdout=subprocess.PIPE, text=True).stdout
        facts += [json.loads(line) for line in output.splitlines()]
    if len(facts) != len(documents):
        raise SystemExit(f"markup_documents: {markup} answered for {len(facts)} of {len(documents)} documents")
    return facts


def translate(address, model, text, timeout_s=300):
    body = json.dumps({"model": model, "texts": [text], "format": "TEXT_FORMAT_HTML", "options": {"beamSize": 1}}).encode()
    request = urllib.request.Request(f"http://{address}/heed.v1.TranslationService/Translate", body,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        return json.load(answer)["translations"][0].get("text", "")


def check_server(options, documents, facts):
    """Adds what a server made of each document."""
    sys.path.insert(0, os.path.join(REPOSITORY, "tests", "support"))
    from heed_server import HeedServer

    os.makedirs(options.keep, exist_ok=True)

    def check_one(server, index, path, fact):
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        begin = time.monotonic()
        try:
            translated = translate(server.http_address, options.model, text)
        except OSError as error:
            detail = error.read().decode(errors="replace")[:300] if hasattr(error, "read") else ""
            fact["server_problem"] = f"{error} {detail}"
            return
        fact["server_s"] = time.monotonic() - begin
        result = os.path.join(options.keep, f"{index:03d}-{os.path.basename(path)}")
        with open(result, "w", encoding="utf-8", newline="") as file:
            file.write(translated)
        compared = subprocess.run([options.markup, "compare", path, result], stdout=subprocess.PIPE, text=True).stdout
        fact["server_problem"] = json.loads(compared)["problem"]

    with HeedServer(options.server, f"--models={options.models}", "--http_listen=127.0.0.1:0") as server:
        with concurrent.futures.ThreadPoolExecutor(REQUESTS_AT_A_TIME) as pool:
            list(pool.map(lambda one: check_one(server, *one),
                          [(i, path, fact) for i, ((_, path), fact) in enumerate(zip(documents, facts))]))


def row(name, facts, with_server):
    megabytes = sum(fact["bytes"] for fact in facts) / 1e6
    cells = [name, len(facts), f"{megabytes * 1e3:,.0f}", f"{sum(fact['tags'] for fact in facts):,}",
             f"{sum(fact['units'] for fact in facts):,}", sum(fact["well_formed"] for fact in facts),
             sum(not fact["problem"] for fact in facts)]
    if with_server:
        cells.append(sum(fact.get("server_problem") == "" for fact in facts))
    cells += [f"{sum(fact[key] for fact in facts) / megabytes:.1f}" for key in ("parse_ms", "render_ms")]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markup", default=os.path.join(REPOSITORY, "build", "bin", "heed-markup"))
    parser.add_argument("--server")
    parser.add_argument("--models", default=os.path.join(REPOSITORY, "weights", "translator-en-de"))
    parser.add_argument("--model", default="translator-en-de")
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--max_bytes", type=int, default=60_000)
    parser.add_argument("--pages")
    parser.add_argument("--keep")
    parser.add_argument("--names", action="store_true")
    options = parser.parse_args()

    own = [("our own", path) for path in sorted(glob.glob(os.path.join(FIXTURES, "*.html")))]
    with tempfile.TemporaryDirectory() as folder:
        if options.pages is None:
            fetch(folder)
        documents = own + choose(options.pages or folder, options.documents - len(own), options.max_bytes)
        facts = check(options.markup, documents)
        if options.server:
            options.keep = options.keep or os.path.join(folder, "translated")
            check_server(options, documents, facts)

    names = ["documents", "number", "kB", "tags", "units", "well-formed", "whole"]
    names += ["whole from the server"] if options.server else []
    names += ["parse, ms a MB", "render, ms a MB"]
    print("| " + " | ".join(names) + " |\n| --- |" + " --- |" * (len(names) - 1))
    groups = collections.defaultdict(list)
    for (group, path), fact in zip(documents, facts):
        groups[f"{group}: {os.path.basename(path)}" if options.names else group].append(fact)
    for group, members in groups.items():
        print(row(group, members, options.server))
    print(row("together", facts, options.server))
    problems = [(path, fact[key]) for (_, path), fact in zip(documents, facts)
                for key in ("problem", "server_problem") if fact.get(key)]
    for path, problem in problems:
        print(f"\n{path}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
