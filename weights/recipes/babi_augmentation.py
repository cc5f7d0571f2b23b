"""Other names for the people, things and places of bAbI's stories, consistently through each story.

A story with its people renamed is as likely as the story itself, and its answers are those of the story renamed. Names
change places only with names of the same task and kind; directions are turned and mirrored as a whole.
"""

import re

from babi import Question, Story

FOUR = ("daniel", "john", "mary", "sandra")
OTHERS = ("bill", "fred", "julie", "mary")
WOMEN, MEN = ("mary", "sandra"), ("daniel", "john")
OBJECTS = ("apple", "football", "milk")
ROOMS = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
PLACES = ("bedroom", "cinema", "kitchen", "office", "park", "school")
SHAPES = ("blue square", "pink rectangle", "red sphere", "red square", "triangle", "yellow square")

KINDS = {
    1: (FOUR, ROOMS),
    2: (FOUR, ROOMS, OBJECTS),
    3: (FOUR, ROOMS, OBJECTS),
    4: (ROOMS,),
    5: (("bill", "fred", "jeff", "mary"), ROOMS, OBJECTS),
    6: (FOUR, ROOMS, OBJECTS),
    7: (FOUR, ROOMS, OBJECTS),
    8: (FOUR, ROOMS, OBJECTS),
    9: (FOUR, ROOMS),
    10: (OTHERS, PLACES),
    11: (WOMEN, MEN, ROOMS),  # "he" and "she" stay
    12: (FOUR, ROOMS),
    13: (FOUR, ROOMS),
    14: (OTHERS, PLACES),
    15: (("emily", "gertrude", "jessica", "winona"),),
    16: (
        ("bernhard", "brian", "greg", "julius", "lily"),
        ("frog", "lion", "rhino", "swan"),
        ("gray", "green", "white", "yellow"),
    ),
    17: (SHAPES,),
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
    return {a: b for a, b in names.items() if a != b}


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
        Question(words(q.words), ",".join(words(q.answer.split(","))), q.position, q.support) for q in story.questions
    ]
    return Story([words(fact) for fact in story.facts], questions)


def renamed(story, task, rng):
    """The story with other names, chosen by rng (random.Random)."""
    return rename(story, renaming(task, rng))


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
