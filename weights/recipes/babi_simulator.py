# SPDX-License-Identifier: Apache-2.0
"""Stories in the grammar of three of bAbI's tasks, and simpler questions about them, which lead up to the task's own.

Task 3 ("Where was the apple before the kitchen?"), of which few stories are published: sentences, words and their shares are
those of qa3_train_1k. Four people walk between six rooms, take and drop three objects; a random person tries a random action
till one is possible, as the published stories' counts suggest. Simpler: where somebody was before a room, where somebody or
something is.

Task 16 ("What color is Brian?"): an animal whose color is not told has that of the one of its kind that the story told of
last, by the sentence that names the kind. Simpler: fewer animals, the color of one that was told, the color of a kind.

Task 17 ("Is the triangle above the red square?"): two facts put three shapes on a grid. Simpler: what one fact says, and
what is on a side of a shape, and where a shape is, seen from another.

A question's `reads` are the facts that lead to its answer: in tasks 3 and 16 one after the other; in task 17 by the role that
its shapes have in them.
"""

import itertools
from typing import NamedTuple

from babi import Question, Story

PEOPLE = ("daniel", "john", "mary", "sandra")
OBJECTS = ("apple", "football", "milk")
ROOMS = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
MOVES = ("went to", "moved to", "journeyed to", "travelled to", "went back to")
TAKES = ("picked up", "got", "took", "grabbed")
DROPS = ("dropped", "discarded", "left", "put down")
THERE = 0.2  # of the facts that take or drop
ASKED = 0.16  # of the places, every second fact, where a question is possible; the published stories' share
BACK = (0.79, 0.16, 0.03, 0.015, 0.005)  # how many rooms ago was the one that a question names
QUESTIONS = 5
LONGEST = 230


class Stay(NamedTuple):
    """That somebody is in a room, and the fact that told of it. A thing's stay is that of who brought it or has it."""

    room: str
    person: str
    fact: int


class World:
    def __init__(self, rng):
        self.rng = rng
        self.room = {person: rng.choice(ROOMS) for person in PEOPLE}
        self.floor = {thing: rng.choice(ROOMS) for thing in OBJECTS}
        self.holder = {}
        self.count = 0  # of facts so far
        self.trail = {person: [] for person in PEOPLE}  # the stays that the story told
        self.path = {thing: [] for thing in OBJECTS}  # of whoever brought it into a room other than the one before
        self.stay = {}  # person or thing: the latest stay; of a thing that of who last had it, where their room was told
        self.last = {}  # thing: the latest fact that it was taken or dropped
        self.handled = {}  # (thing, stay): the latest such fact before that stay or in it

    def pass_through(self, thing, person):
        if self.trail[person]:
            stay = self.stay[f"the {thing}"] = self.trail[person][-1]
            self.handled[thing, stay] = self.last[thing]
            if [other.room for other in self.path[thing][-1:]] != [stay.room]:
                self.path[thing].append(stay)

    def move(self, person):
        room = self.rng.choice(ROOMS)
        if room == self.room[person]:
            return None
        self.room[person] = room
        self.stay[person] = Stay(room, person, self.count)
        self.trail[person].append(self.stay[person])
        for thing, holder in self.holder.items():
            if holder == person:
                self.pass_through(thing, person)
        return f"{person} {self.rng.choice(MOVES)} the {room}"

    def take(self, person):
        near = [thing for thing in OBJECTS if thing not in self.holder and self.floor[thing] == self.room[person]]
        if not near:
            return None
        thing = self.rng.choice(near)
        self.holder[thing] = person
        return self.handle(person, TAKES, thing)

    def drop(self, person):
        held = [thing for thing in OBJECTS if self.holder.get(thing) == person]
        if not held:
            return None
        thing = self.rng.choice(held)
        del self.holder[thing]
        self.floor[thing] = self.room[person]
        return self.handle(person, DROPS, thing)

    def handle(self, person, verbs, thing):
        self.last[thing] = self.count
        self.pass_through(thing, person)
        there = " there" if self.rng.random() < THERE else ""
        return f"{person} {self.rng.choice(verbs)} the {thing}{there}"

    def fact(self):
        while True:
            text = self.rng.choice((self.move, self.take, self.drop))(self.rng.choice(PEOPLE))
            if text:
                self.count += 1
                return text.split()

    def chain(self, name, *stays):
        """The facts that lead to a stay of somebody or something: who handled it, and where they were."""
        thing = name.removeprefix("the ")
        return ((self.handled[thing, stays[0]],) if thing in OBJECTS else ()) + tuple(stay.fact for stay in stays)

    def before(self, name, path):
        """Where was `name`, whose `path` has two stays or more, before its latest stay in some room."""
        back = min(self.rng.choices(range(len(BACK)), BACK)[0], len(path) - 2)
        room = path[-1 - back].room
        latest = max(i for i, stay in enumerate(path) if stay.room == room)  # never before the place that `back` found
        stays = path[latest], path[latest - 1]
        words = f"where was {name} before the {room}".split()
        return Question(words, stays[1].room, self.count, reads=self.chain(name, *stays))

    def question(self):
        """Where was a thing before its latest stay in some room; None where no path is long enough."""
        things = [thing for thing in OBJECTS if len(self.path[thing]) > 1]
        if not things:
            return None
        thing = self.rng.choice(things)
        return self.before(f"the {thing}", self.path[thing])

    def simpler_question(self):
        """Where is somebody or something, or where was somebody before; None where the story does not say."""
        if self.rng.random() < 0.3:
            people = [person for person in PEOPLE if len(self.trail[person]) > 1]
            person = self.rng.choice(people) if people else None
            return self.before(person, self.trail[person]) if person else None
        people, things = sorted(set(self.stay) & set(PEOPLE)), sorted(set(self.stay) - set(PEOPLE))
        names = things if things and self.rng.random() < 0.8 else people  # people are easy
        if not names:
            return None
        name = self.rng.choice(names)
        stay = self.stay[name]
        return Question(f"where is {name}".split(), stay.room, self.count, reads=self.chain(name, stay))


def three_facts(rng, most=20, simpler=0.0):
    """One story of rng (random.Random), as long as the published ones, with up to `most` questions: wherever one
    can be asked instead of at five places. `simpler` is the probability that a simpler question is tried each time."""
    while True:
        world, story, asked = World(rng), Story(), 0
        while asked < QUESTIONS and len(story.facts) < LONGEST:
            story.facts += [world.fact(), world.fact()]
            is_simpler = rng.random() < simpler
            question = world.simpler_question() if is_simpler else world.question()
            if question:
                story.questions.append(question)
                asked += rng.random() < ASKED
        if asked == QUESTIONS:
            some = sorted(rng.sample(range(len(story.questions)), min(most, len(story.questions))))
            return Story(story.facts, [story.questions[i] for i in some])


# ----------------------------------------------------------------------------------------------------- induction

NAMES = ("bernhard", "brian", "greg", "julius", "lily")
ANIMALS = ("frog", "lion", "rhino", "swan")
COLORS = ("gray", "green", "white", "yellow")


def color_of_kinds(facts):
    """{kind: its color} by task 16's facts: that of the animal whose color is told and whose kind was told last."""
    told = {fact[0]: fact[2] for fact in facts if len(fact) == 3}
    return {fact[3]: told[fact[0]] for fact in facts if len(fact) == 4 and fact[0] in told}


def induction(rng, simpler=0.5):
    """A story of task 16. This share of stories has fewer animals than five, and simpler questions beside the task's: what
    color is an animal whose color was told, or a kind; what is an animal; who is of a kind, the latest told."""
    is_simpler = rng.random() < simpler
    names = rng.sample(NAMES, rng.randint(3, 5) if is_simpler else 5)
    while True:
        kinds = {name: rng.choice(ANIMALS) for name in names}
        told = names[: rng.randint(2, len(names) - 1) if is_simpler else 4]
        asked = [name for name in names if name not in told and kinds[name] in {kinds[other] for other in told}]
        if asked:
            break
    facts = [[name, "is", "a", kinds[name]] for name in rng.sample(names, len(names))]
    for name in told:  # after its kind is told
        own = next(i for i, fact in enumerate(facts) if fact[0] == name)
        facts.insert(rng.randint(own + 1, len(facts)), [name, "is", rng.choice(COLORS)])
    of_kind = color_of_kinds(facts)
    kind_told = {fact[0]: i for i, fact in enumerate(facts) if len(fact) == 4}
    color_told = {fact[0]: i for i, fact in enumerate(facts) if len(fact) == 3}
    latest = {fact[3]: fact[0] for fact in facts if len(fact) == 4}
    example = {fact[3]: fact[0] for fact in facts if len(fact) == 4 and fact[0] in color_told}
    pair = {kind: (kind_told[name], color_told[name]) for kind, name in example.items()}
    questions = [(f"what color is {name}", of_kind[kinds[name]], (kind_told[name], *pair[kinds[name]])) for name in asked]
    if is_simpler:
        name = rng.choice(sorted(color_told))
        questions.append((f"what color is {name}", facts[color_told[name]][2], (color_told[name],)))
        some = rng.sample(sorted(of_kind), min(2, len(of_kind)))
        questions += [(f"what color is a {kind}", of_kind[kind], pair[kind]) for kind in some]
        questions += [(f"who is a {kind}", latest[kind], (kind_told[latest[kind]],)) for kind in rng.sample(sorted(latest), 1)]
        questions += [(f"what is {name}", kinds[name], (kind_told[name],)) for name in rng.sample(names, 1)]
    return Story(facts, [Question(words.split(), answer, len(facts), reads=reads) for words, answer, reads in questions])


# ----------------------------------------------------------------------------------------------------- positions

SHAPES = ("blue square", "pink rectangle", "red sphere", "red square", "triangle", "yellow square")
OPPOSITES = {"above": "below", "below": "above", "left": "right", "right": "left"}
STEPS = {"left": (-1, 0), "right": (1, 0), "above": (0, 1), "below": (0, -1)}


def relation(words):
    """(shape, direction, shape) of "the triangle is to the left of the red square", or of the same as a question."""
    at = next(i for i, word in enumerate(words) if word in STEPS)
    pair = words[:at], words[at + 1 :]
    first, second = (" ".join(w for w in part if w not in ("the", "is", "to", "of")) for part in pair)
    return first, words[at], second


def places(facts):
    """{shape: (x, y)} of one fact of task 17, or of two that share a shape."""
    found = {}
    for first, direction, second in map(relation, facts):
        x, y = STEPS[direction]
        if first in found:
            found[second] = (found[first][0] - x, found[first][1] - y)
        else:
            at = found.setdefault(second, (0, 0))
            found[first] = (at[0] + x, at[1] + y)
    return found


def is_true(words, grid):
    """Whether "is the triangle above the red square" holds; `grid` is what `places` gives."""
    first, direction, second = relation(words)
    x, y = STEPS[direction]
    dx, dy = grid[first][0] - grid[second][0], grid[first][1] - grid[second][1]
    return dx * x + dy * y > 0


def beside(direction, shape):
    """ "to the left of the triangle" """
    return f"to the {direction} of the {shape}" if direction in ("left", "right") else f"{direction} the {shape}"


def said(first, direction, second):
    """(words of the fact, words of the question)"""
    return f"the {first} is {beside(direction, second)}".split(), f"is the {first} {beside(direction, second)}".split()


def questions_about(pair):
    """All that task 17 asks of two shapes."""
    return [said(a, direction, b)[1] for a, b in (pair, pair[::-1]) for direction in STEPS]


def facts_about(rng, shared, others):
    """A fact about each of two shapes and the shape that they share, so that all three lie on squares of their own."""
    while True:
        pairs = [rng.sample((shared, other), 2) for other in others]
        facts = [said(pair[0], rng.choice(sorted(STEPS)), pair[1])[0] for pair in pairs]
        grid = places(facts)
        if len(set(grid.values())) == len(grid):
            return facts


def neighbor_questions(facts):
    """[(words, answer, reads)]: what is on a side of a shape, as a fact says it or the other way round; where two facts do not
    name different shapes for it."""
    found = {}
    for i, (first, direction, second) in enumerate(map(relation, facts)):
        found.setdefault((second, direction), {})[first] = (None, i)
        found.setdefault((first, OPPOSITES[direction]), {})[second] = (i, None)
    return [
        (f"what is {beside(side, shape)}".split(), *names.popitem()) for (shape, side), names in found.items() if len(names) == 1
    ]


def way_question(grid, first, second):
    """(words, answer) of where one shape is, seen from another: "above", "left" or both, "above,left"."""
    sides = [
        side for side, (x, y) in STEPS.items() if (grid[first][0] - grid[second][0]) * x + (grid[first][1] - grid[second][1]) * y > 0
    ]
    return f"where is the {first} from the {second}".split(), ",".join(sorted(sides))


def facts_between(facts, *shapes):
    """For each of two shapes the fact that puts it beside something, and the fact that puts something beside it; where a fact
    names both shapes, that one alone. None where there is no such fact."""
    pairs = {i: relation(fact)[::2] for i, fact in enumerate(facts)}
    direct = {i: pair for i, pair in pairs.items() if set(shapes) == set(pair)}
    return tuple(
        next((i for i, pair in (direct or pairs).items() if pair[role] == shape), None) for shape in shapes for role in (0, 1)
    )


def positions(rng, simpler=0.5):
    """A story of task 17: eight questions about the two shapes that no fact names together, as often with "yes" as with "no".
    `simpler` is the share of stories in which half of the questions are about other pairs, or in which there is only one fact;
    they also ask what is on a side of a shape, and where a shape is, seen from another."""
    shared, first, second = rng.sample(SHAPES, 3)
    facts = facts_about(rng, shared, (first, second))
    far, near = questions_about((first, second)), questions_about((shared, first))
    is_simpler = rng.random() < simpler
    if not is_simpler:
        asked = [far] * 8
    elif rng.random() < 0.5:
        asked = [far] * 4 + [near + questions_about((shared, second))] * 4
    else:
        facts, asked = facts[:1], [near] * 8
    grid, questions = places(facts), []
    for some in asked:
        answer = rng.choice(("no", "yes"))
        words = rng.choice([words for words in some if is_true(words, grid) == (answer == "yes")])
        questions.append((words, answer, facts_between(facts, *relation(words)[::2])))
    if is_simpler:
        sides = neighbor_questions(facts)
        questions += rng.sample(sides, min(2, len(sides)))
        for pair in rng.sample(list(itertools.permutations(sorted(grid), 2)), 2):
            questions.append((*way_question(grid, *pair), facts_between(facts, *pair)))
    return Story(facts, [Question(words, answer, len(facts), reads=reads) for words, answer, reads in questions])
