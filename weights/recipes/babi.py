# SPDX-License-Identifier: Apache-2.0
"""Reads the files of the bAbI tasks (Weston et al. 2015): stories of facts, and questions between them."""

import gzip
import re
from dataclasses import dataclass, field


@dataclass
class Question:
    words: list
    answer: str
    position: int  # facts of the story that come before
    support: tuple = ()  # which of them, from 0, the answer rests on
    reads: tuple = ()  # where a recipe works it out: the fact that each read head is to read, None for no fact


@dataclass
class Story:
    facts: list = field(default_factory=list)  # each a list of words
    questions: list = field(default_factory=list)


def split_words(text):
    """As docs/ntm-config.md has it for ASCII, of which bAbI consists."""
    return re.findall(r"[a-z0-9'-]+", text.lower())


def parse(lines):
    """The stories of a file's lines. ValueError names the line that is not one of such a file."""
    stories, places = [], {}
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line:
            continue
        identifier, _, rest = line.partition(" ")
        if not identifier.isdigit() or not rest or (identifier != "1" and not stories):
            raise ValueError(f"line {number}: {line!r} does not begin with a line's number in its story and a text")
        if identifier == "1":
            stories.append(Story())
            places = {}
        story = stories[-1]
        if "\t" in rest:
            text, answer, *support = rest.split("\t")
            support = tuple(places[i] for i in support[0].split()) if support else ()
            story.questions.append(Question(split_words(text), answer.strip().lower(), len(story.facts), support))
        else:
            places[identifier] = len(story.facts)
            story.facts.append(split_words(rest))
    return stories


def spellings(path):
    """{answer in lower case: as the file spells it}"""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        answers = [line.split("\t")[1].strip() for line in file if "\t" in line]
    return {answer.lower(): answer for answer in answers}


def read(path):
    """The stories of a file, packed by gzip or not."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        try:
            return parse(file)
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path}: {error}") from None
