# SPDX-License-Identifier: Apache-2.0
"""A page in markdown that is printed while it grows, and written to a file."""

import sys


class Report:
    """Lines go to standard output and to the file at once; progress goes to standard error."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8") if path else None
        self.last = ""

    def close(self):
        if self.file:
            self.file.close()

    def line(self, text=""):
        self.last = text
        print(text, flush=True)
        if self.file:
            self.file.write(text + "\n")
            self.file.flush()

    def blank(self):
        """An empty line, unless there is one."""
        if self.last:
            self.line()

    def section(self, title, level=2):
        self.blank()
        self.line(f"{'#' * level} {title}")
        self.line()

    def table(self, columns):
        """The head of a table; `row` adds to it."""
        self.row(*columns)
        self.row(*["---"] * len(columns))

    def row(self, *cells):
        self.line("| " + " | ".join(str(cell) for cell in cells) + " |")

    def skipped(self, what, why):
        """In the page, and where nobody can miss it."""
        self.blank()
        self.line(f"**Skipped: {what}**: {why}")
        self.line()
        bar = "*" * 100
        print(f"{bar}\nSKIPPED: {what}: {why}\n{bar}", file=sys.stderr, flush=True)


def progress(text):
    print(text, file=sys.stderr, flush=True)
