# SPDX-License-Identifier: Apache-2.0
"""More stories from bAbI's own: other names, and fewer facts that do not matter.

A story with its people renamed is as likely as the story itself, and its answers are those of the story renamed. Names
change places only with names of the same task and kind; directions are turned and mirrored as a whole.

Three tasks are hard to begin with, because the answer hangs on a chain of facts: who else is a lion, and what color (16);
where two things lie from a third (17); two steps of a way (19). Stories with fewer other facts, or with questions about a
part of the chain, lead up to them. Ways (19) and their single steps (4) also name the facts that they rest on. All this is
read off the facts themselves, never off the supporting facts in the files.
"""

import re
from dataclasses import replace

from babi import Question, Story
from babi_simulator import ANIMALS, COLORS, NAMES, OBJECTS, PEOPLE, ROOMS, SHAPES
from babi_simulator import color_of_kinds, is_true, places, questions_about, relation

OTHERS = ("bill", "fred", "julie", "mary")
WOMEN, MEN = ("mary", "sandra"), ("daniel", "john")
PLACES = ("bedroom", "cinema", "kitchen", "office", "park", "school")

KINDS = {
    1: (PEOPLE, ROOMS),
    2: (PEOPLE, ROOMS, OBJECTS),
    3: (PEOPLE, ROOMS, OBJECTS),
    4: (ROOMS,),
    5: (("bill", "fred", "jeff", "mary"), ROOMS, OBJECTS),
    6: (PEOPLE, ROOMS, OBJECTS),
    7: (PEOPLE, ROOMS, OBJECTS),
    8: (PEOPLE, ROOMS, OBJECTS),
    9: (PEOPLE, ROOMS),
    10: (OTHERS, PLACES),
    11: (WOMEN, MEN, ROOMS),  # "he" and "she" stay
    12: (PEOPLE, ROOMS),
    13: (PEOPLE, ROOMS),
    14: (OTHERS, PLACES),
    15: (("emily", "gertrude", "jessica", "winona"),),
    16: (NAMES, ANIMALS, COLORS),
    17: (SHAPES,),
    18: (("box", "chest", "container", "suitcase"), ("box of chocolates",)),
    19: (ROOMS,),
    20: (("antoine", "jason", "sumit", "yann"),),
}
COMPASS = ("north", "east", "south", "west")
MIRRORED = {17: (("above", "below"), ("left", "right"))}
TURNED = (4, 19)


def renaming(task, rng):
    """{phrase: phrase} for one story of the task."""
    names = {}
    for kind in KINDS.get(task, ()):
        names.update(zip(kind, rng.sample(kind, len(kind))))
    for pair in MIRRORED.get(task, ()):
        names.update(zip(pair, rng.sample(pair, 2)))
    if task in TURNED:
        turn, mirror = rng.randrange(4), rng.choice((1, -1))
        turned = [COMPASS[(turn + mirror * i) % 4] for i in range(4)]
        names.update(zip(COMPASS, turned))
        names.update((a[0], b[0]) for a, b in zip(COMPASS, turned))  # in answers: "n,e"
    return names


def renamer(names):
    """A function from words to words renamed."""
    if not any(" " in name for name in names):
        return lambda words: [names.get(word, word) for word in words]
    phrase = re.compile(r"\b(?:" + "|".join(sorted(names, key=len, reverse=True)) + r")\b")
    return lambda words: phrase.sub(lambda match: names[match[0]], " ".join(words)).split()


def rename(story, names):
    if not names:
        return story
    words = renamer(names)
    questions = [
        Question(words(q.words), ",".join(words(q.answer.split(","))), q.position, q.support, q.reads) for q in story.questions
    ]
    return Story([words(fact) for fact in story.facts], questions)


def renamed(story, task, rng):
    """The story with other names, chosen by rng (random.Random)."""
    return rename(story, renaming(task, rng))


def with_fewer_animals(story, rng, names=1, kinds_asked=3):
    """Task 16 without what is told of some animals of another kind than the one asked about, and with the questions on the
    way: what color is another one, or its kind."""
    kinds = {fact[0]: fact[3] for fact in story.facts if fact[2] == "a"}
    asked = kinds[story.questions[0].words[-1]]
    others = [name for name, kind in kinds.items() if kind != asked]
    left_out = set(rng.sample(others, rng.randint(0, len(others))))
    facts = [fact for fact in story.facts if fact[0] not in left_out]
    colors, by_kind = {fact[0]: fact[2] for fact in facts if len(fact) == 3}, color_of_kinds(facts)
    questions = [(q.words[-1:], q.answer) for q in story.questions]
    questions += [([name], colors[name]) for name in rng.sample(sorted(colors), min(names, len(colors)))]
    questions += [(["a", kind], by_kind[kind]) for kind in rng.sample(sorted(by_kind), min(kinds_asked, len(by_kind)))]
    return Story(facts, [Question(["what", "color", "is"] + who, answer, len(facts)) for who, answer in questions])


def with_direct_questions(story, rng):
    """Task 17 with questions that one fact answers, and perhaps with that fact alone."""
    facts = rng.sample(story.facts, 1) if rng.random() < 0.4 else story.facts
    direct = []
    for fact in facts:
        first, _, second = relation(fact)
        axis = {"left", "right"} if "left" in fact or "right" in fact else {"above", "below"}
        grid = places([fact])
        direct += [(asked, "yes" if is_true(asked, grid) else "no") for asked in questions_about((first, second)) if axis & set(asked)]
    others = [] if len(facts) == 1 else rng.sample(story.questions, 4)
    return Story(facts, others + [Question(*question, len(facts)) for question in rng.sample(direct, 3)])


def neighbours(facts):
    """{room: {room next to it: the step there}} of task 19's facts, "the office is east of the hallway"."""
    found = {}
    for fact in facts:
        there, direction, here = fact[1], COMPASS.index(fact[3]), fact[6]
        found.setdefault(here, {})[there] = COMPASS[direction][0]
        found.setdefault(there, {})[here] = COMPASS[direction - 2][0]
    return found


def facts_of_steps(facts, *steps):
    """For each step, (a room, the room next to it): the fact that has the first room beside the second, and the one that has
    it the other way round. One of the two is None."""
    places = {(fact[1], fact[6]): i for i, fact in enumerate(facts)}
    return tuple(places.get(step[::way]) for step in steps for way in (1, -1))


def with_facts_to_read(story, rng):
    """Task 4 with the facts that its questions rest on."""
    rooms = [q.words[3] if q.words[2] == "the" else q.words[5] for q in story.questions]
    pairs = zip(story.questions, rooms)
    return Story(story.facts, [replace(q, reads=facts_of_steps(story.facts, (room, q.answer))) for q, room in pairs])


def with_other_ways(story, rng, most=6):
    """Task 19 with some of the facts and questions about any two steps through them. Rooms and facts are a tree, so that
    there is one way between two rooms."""
    kept = rng.sample(range(len(story.facts)), rng.randint(2, len(story.facts)))
    facts = [story.facts[i] for i in sorted(kept)]
    beside = neighbours(facts)
    ways = [(a, via, b) for a in beside for via in beside[a] for b in beside[via] if b != a]
    asked = []
    for a, via, b in rng.sample(ways, min(most, len(ways))):
        words, way = f"how do you go from the {a} to the {b}".split(), f"{beside[a][via]},{beside[via][b]}"
        asked.append(Question(words, way, len(facts), reads=facts_of_steps(facts, (a, via), (b, via))))
    return Story(facts, asked) if asked else story


VARIED = {4: (with_facts_to_read, 0.5), 16: (with_fewer_animals, 0.6), 17: (with_direct_questions, 0.6), 19: (with_other_ways, 0.8)}


def varied(story, task, rng):
    """The story, or of some tasks often another made from it: an easier one, or with the facts to read."""
    make, share = VARIED.get(task, (None, 0))
    return make(story, rng) if rng.random() < share else story


def all_answers(task, answers):
    """The answers and whatever renaming can make of them."""
    turns = {"n": "nesw", "e": "nesw", "s": "nesw", "w": "nesw"} if task in TURNED else {}
    swaps = {name: kind for kind in KINDS.get(task, ()) for name in kind}
    swaps.update(turns)
    found = set()
    for answer in answers:
        pieces = [""]
        for piece in answer.split(","):
            pieces = [f"{head},{other}".strip(",") for head in pieces for other in swaps.get(piece, (piece,))]
        found.update(p for p in pieces if len(set(p.split(","))) == len(set(answer.split(","))))
    return found
