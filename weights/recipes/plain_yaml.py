# SPDX-License-Identifier: Apache-2.0
"""Reads the YAML that training programs write as their configuration, without any package.

Read are: mappings and lists, in blocks or in one line, plain and quoted texts, numbers, true, false, null, comments.
Anything else (anchors, tags, texts over several lines) is refused with its line.
"""

import functools
import json
import re

WORDS = {"": None, "~": None, "null": None, "true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')"""
KEY = re.compile(rf"({QUOTED}|[^\s#\[\]{{}},\"'][^#]*?)\s*:(?:\s+(.*)|$)")
PIECE = re.compile(rf"\s*({QUOTED}|[\[\]{{}},]|:(?=[\s,\]}}]|$)|(?:[^\s\[\]{{}},:]|:(?=\S)|\s+(?=[^\s\[\]{{}},:]))+)")
DEEPEST = 50  # values inside one another


class Unreadable(ValueError):
    """The text is no YAML of this kind; the message names the line."""


def scalar(text):
    """The value of one plain or quoted text."""
    if text.startswith('"'):
        return json.loads(re.sub(r"\\x(..)", r"\\u00\1", text))
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return float(text)
    return text


def without_comment(line):
    """The line up to a # that begins a comment."""
    at = 0
    while at < len(line):
        before = line[at - 1] if at else " "
        quoted = re.compile(QUOTED).match(line, at) if before in " \t[{,:-" else None
        if not quoted and line[at] == "#" and before in " \t":
            return line[:at].rstrip()
        at = quoted.end() if quoted else at + 1
    return line.rstrip()


def nested(method):
    """A method of Parser that reads a value, which may be inside DEEPEST others at most."""

    @functools.wraps(method)
    def limited(self, *arguments):
        if self.depth == DEEPEST:
            self.fail(f"more than {DEEPEST} lists and mappings inside one another")
        self.depth += 1
        value = method(self, *arguments)
        self.depth -= 1
        return value

    return limited


class Parser:
    def __init__(self, text):
        self.lines, self.at, self.depth = [], 0, 0
        for number, line in enumerate(text.splitlines(), 1):
            line = without_comment(line)
            if line.strip() and line.strip() not in ("---", "..."):
                content = line.lstrip(" ")
                self.lines.append((len(line) - len(content), content, number))

    def fail(self, reason):
        _, content, number = self.lines[min(self.at, len(self.lines) - 1)]
        raise Unreadable(f"line {number}: {reason}: {content[:100]}")

    def flow(self, text):
        """A value in one line: [..], {..} or a scalar."""
        if text[0] in "&*!|>%@`":
            self.fail("this kind of YAML is not read here")
        if text[0] not in "[{":
            if text[0] in "\"'" and not re.fullmatch(QUOTED, text):
                self.fail("a text over several lines is not read here")
            return scalar(text)
        pieces = PIECE.findall(text)
        if re.sub(r"\s", "", "".join(pieces)) != re.sub(r"\s", "", text):
            self.fail("not a list or mapping in one line")
        value = self.flow_value(pieces)
        if pieces:
            self.fail("something follows the list or mapping")
        return value

    @nested
    def flow_value(self, pieces):
        """Takes one value from the front of `pieces`."""
        if not pieces:
            self.fail("a list or mapping over several lines is not read here")
        first = pieces.pop(0)
        if first not in ("[", "{"):
            if first in ("]", "}", ",", ":"):
                self.fail(f"'{first}' is not expected")
            return scalar(first.strip())
        end, values, mapping = {"[": "]", "{": "}"}[first], [], {}
        while not pieces or pieces[0] != end:
            value = self.flow_value(pieces)
            if first == "{":
                if not pieces or pieces.pop(0) != ":":
                    self.fail("a key without ':'")
                if isinstance(value, (list, dict)):
                    self.fail("a key that is a list or mapping is not read here")
                mapping[value] = None if pieces and pieces[0] in (",", end) else self.flow_value(pieces)
            else:
                values.append(value)
            if pieces and pieces[0] == ",":
                pieces.pop(0)
            elif not pieces or pieces[0] != end:
                self.fail(f"no '{end}' in this line")
        pieces.pop(0)
        return values if first == "[" else mapping

    @nested
    def block(self, least):
        """The value of the lines from here on that are indented by `least` or more."""
        if self.at == len(self.lines) or self.lines[self.at][0] < least:
            return None
        indent, content, _ = self.lines[self.at]
        if content == "-" or content.startswith("- "):
            return self.block_list(indent)
        if KEY.fullmatch(content):
            return self.block_mapping(indent)
        value = self.flow(content)
        self.at += 1
        return value

    def block_list(self, indent):
        values = []
        while self.at < len(self.lines) and self.lines[self.at][0] == indent and self.lines[self.at][1][:2] in ("-", "- "):
            rest = self.lines[self.at][1][1:]
            content = rest.lstrip(" ")
            if content:
                self.lines[self.at] = (indent + 1 + len(rest) - len(content), content, self.lines[self.at][2])
            else:
                self.at += 1
            values.append(self.block(indent + 1))
        return values

    def block_mapping(self, indent):
        mapping = {}
        while self.at < len(self.lines) and self.lines[self.at][0] == indent:
            match = KEY.fullmatch(self.lines[self.at][1])
            if not match:
                self.fail("not `key: value`")
            key = scalar(match[1])
            if match[2]:
                mapping[key] = self.flow(match[2])
                self.at += 1
            else:
                self.at += 1
                listed = self.at < len(self.lines) and self.lines[self.at][0] == indent and self.lines[self.at][1][:1] == "-"
                mapping[key] = self.block(indent if listed else indent + 1)
        return mapping


def parse(text):
    """Dictionaries, lists, texts, numbers, True, False and None. Unreadable names the line it cannot read."""
    parser = Parser(text)
    if not parser.lines:
        return None
    try:
        value = parser.block(0)
    except Unreadable:
        raise
    except ValueError:  # of json.loads and int
        parser.fail("not a text or number that is read here")
    if parser.at < len(parser.lines):
        parser.fail("indented otherwise than the lines before")
    return value
