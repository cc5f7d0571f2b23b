# SPDX-License-Identifier: Apache-2.0
"""Stories in the grammar of bAbI's task 3 ("Where was the apple before the kitchen?"), of which few are published.

Sentences, words and their shares are those of qa3_train_1k: four people walk between six rooms, take and drop three
objects; a random person tries a random action till one is possible, as the published stories' counts suggest.
"""

from babi import Question, Story

PEOPLE = ("daniel", "john", "mary", "sandra")
OBJECTS = ("apple", "football", "milk")
ROOMS = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
MOVES = ("went to", "moved to", "journeyed to", "travelled to", "went back to")
TAKES = ("picked up", "got", "took", "grabbed")
DROPS = ("dropped", "discarded", "left", "put down")
THERE = 0.2  # of the facts that take or drop
ASKED = (0.16, 0.4, 0.8)  # of the places, every second fact, where a question is possible; the first is the published
BACK = (0.79, 0.16, 0.03, 0.015, 0.005)  # how many rooms ago was the one that a question names
QUESTIONS = 5
LONGEST = 230


class World:
    def __init__(self, rng):
        self.rng = rng
        self.room = {person: rng.choice(ROOMS) for person in PEOPLE}
        self.floor = {thing: rng.choice(ROOMS) for thing in OBJECTS}
        self.holder = {}
        self.told = {}  # person: the room that the story told
        self.path = {thing: [] for thing in OBJECTS}  # the rooms that the story told

    def pass_through(self, thing, person):
        room = self.told.get(person)
        if room and self.path[thing][-1:] != [room]:
            self.path[thing].append(room)

    def move(self, person):
        room = self.rng.choice(ROOMS)
        if room == self.room[person]:
            return None
        self.room[person] = self.told[person] = room
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
        self.pass_through(thing, person)
        there = " there" if self.rng.random() < THERE else ""
        return f"{person} {self.rng.choice(verbs)} the {thing}{there}"

    def fact(self):
        while True:
            text = self.rng.choice((self.move, self.take, self.drop))(self.rng.choice(PEOPLE))
            if text:
                return text.split()

    def question(self, position):
        """Where was a thing before its latest stay in some room; None where no path is long enough."""
        things = [thing for thing in OBJECTS if len(self.path[thing]) > 1]
        if not things:
            return None
        thing = self.rng.choice(things)
        path = self.path[thing]
        back = min(self.rng.choices(range(len(BACK)), BACK)[0], len(path) - 2)
        room = path[-1 - back]
        latest = len(path) - 1 - path[::-1].index(room)  # never before the place that `back` found
        return Question(f"where was the {thing} before the {room}".split(), path[latest - 1], position)


def three_facts(rng, most=20):
    """One story of rng (random.Random), as long as the published ones or shorter, with up to `most` questions: wherever one
    can be asked instead of at five places."""
    while True:
        often = rng.choice(ASKED)
        world, story, asked = World(rng), Story(), 0
        while asked < QUESTIONS and len(story.facts) < LONGEST:
            story.facts += [world.fact(), world.fact()]
            question = world.question(len(story.facts))
            if question:
                story.questions.append(question)
                asked += rng.random() < often
        if asked == QUESTIONS:
            some = sorted(rng.sample(range(len(story.questions)), min(most, len(story.questions))))
            return Story(story.facts, [story.questions[i] for i in some])
