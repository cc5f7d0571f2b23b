#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests how the Neural Turing Machine of questions is trained: bAbI's files, the stories made from them, the compiled steps,
a small run. Needs PyTorch; without it, exits 77 (ctest: skipped).

    python3 tests/recipes/ntm_questions_test.py
"""

import argparse
import collections
import contextlib
import gzip
import io
import math
import os
import random
import shutil
import sys
import tempfile
import unittest

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import babi  # noqa: E402
import babi_augmentation  # noqa: E402
import babi_simulator  # noqa: E402
import draw_training  # noqa: E402
import ntm  # noqa: E402
import ntm_kernels  # noqa: E402
import train_ntm_questions  # noqa: E402

TEXT = """1 Mary moved to the bathroom.
2 Where is Mary? \tbathroom\t1
3 John's cat went to the hallway.
4 Where is Mary? \tbathroom\t1
1 The office is north of the kitchen.
2 What is the kitchen south of?\toffice\t1
"""


def question(text, answer, position):
    return babi.Question(text.split(), answer, position)


def story(facts, questions):
    return babi.Story([fact.split() for fact in facts], [question(*q) for q in questions])


class Files(unittest.TestCase):
    def test_numbers_begin_stories_and_questions_know_the_facts_before_them(self):
        first, second = babi.parse(TEXT.splitlines())
        self.assertEqual(first.facts[1], ["john's", "cat", "went", "to", "the", "hallway"])
        self.assertEqual([(q.words, q.answer, q.position, q.support) for q in first.questions],
                         [(["where", "is", "mary"], "bathroom", 1, (0,)), (["where", "is", "mary"], "bathroom", 2, (0,))])
        self.assertEqual((len(second.facts), len(second.questions)), (1, 1))

    def test_a_line_of_another_format_is_named(self):
        with self.assertRaisesRegex(ValueError, "line 2: 'Where is Mary"):
            babi.parse(["1 Mary is here.", "Where is Mary?"])


class ThreeFacts(unittest.TestCase):
    """A reader of its own: where each thing was, as the story tells it."""

    def paths(self, facts):
        rooms, holder, paths = {}, {}, {thing: [] for thing in babi_simulator.OBJECTS}
        for words in facts:
            person, thing = words[0], next((w for w in words if w in paths), None)
            if thing is None:
                rooms[person] = words[-1]
                moved = [t for t, p in holder.items() if p == person]
            else:
                taken = any(w in words for w in ("picked", "got", "took", "grabbed"))
                self.assertEqual(holder.get(thing), None if taken else person)
                holder[thing], moved = (person if taken else None), [thing]
            for t in moved:
                if person in rooms and paths[t][-1:] != [rooms[person]]:
                    paths[t].append(rooms[person])
        return paths

    def test_answers_are_the_rooms_before_the_latest_stay(self):
        rng, asked = random.Random(1), 0
        for _ in range(30):
            made = babi_simulator.three_facts(rng)
            for q in made.questions:
                path = self.paths(made.facts[: q.position])[q.words[3]]
                latest = max(i for i, room in enumerate(path) if room == q.words[-1])
                self.assertEqual(q.answer, path[latest - 1])
                asked += 1
        self.assertGreater(asked, 100)

    def test_simpler_questions_are_about_people_too(self):
        rng, kinds = random.Random(2), set()
        for _ in range(30):
            made = babi_simulator.three_facts(rng, simpler=0.7)
            for q in made.questions:
                facts, name = made.facts[: q.position], q.words[3] if q.words[2] == "the" else q.words[2]
                if name in babi_simulator.PEOPLE:
                    path = [fact[-1] for fact in facts if fact[0] == name and fact[-1] in babi_simulator.ROOMS]
                else:
                    path = self.paths(facts)[name]
                if q.words[1] == "is":
                    self.assertEqual(q.answer, path[-1])
                else:
                    self.assertEqual(q.answer, path[max(i for i, room in enumerate(path) if room == q.words[-1]) - 1])
                kinds.add((q.words[1], name in babi_simulator.PEOPLE))
        self.assertEqual(len(kinds), 4)

    def test_the_facts_to_read_are_who_handled_a_thing_and_where_they_were(self):
        rng, asked = random.Random(4), 0
        for _ in range(30):
            made = babi_simulator.three_facts(rng, simpler=0.5)
            for q in made.questions:
                self.assertTrue(all(fact < q.position for fact in q.reads))
                facts = [made.facts[fact] for fact in q.reads]
                if q.words[2] == "the":
                    handled = facts.pop(0)
                    self.assertIn(q.words[3], handled)
                    self.assertEqual(handled[0], facts[0][0])
                    first, last = sorted(q.reads[:2])
                    between = [fact for fact in made.facts[first + 1 : last] if fact[0] == handled[0]]
                    if q.reads[0] > q.reads[1]:  # taken or dropped in the room of the stay
                        self.assertFalse([fact for fact in between if fact[-1] in babi_simulator.ROOMS])
                    else:  # carried there
                        self.assertFalse([fact for fact in between if q.words[3] in fact])
                        self.assertTrue({"picked", "got", "took", "grabbed"} & set(handled))
                    if q.words[1] == "is":
                        after = made.facts[max(q.reads) + 1 : q.position]
                        self.assertFalse([fact for fact in after if q.words[3] in fact and fact[0] == handled[0]])
                self.assertEqual([fact[-1] for fact in facts], ([q.words[-1]] if q.words[1] == "was" else []) + [q.answer])
                asked += 1
        self.assertGreater(asked, 100)

    def test_the_same_seed_makes_the_same_story(self):
        for make in (babi_simulator.three_facts, babi_simulator.induction, babi_simulator.positions):
            self.assertEqual(make(random.Random(5)), make(random.Random(5)))


class Induction(unittest.TestCase):
    def test_a_color_that_is_not_told_is_that_of_the_last_of_its_kind(self):
        told = "lily is a swan", "greg is a swan", "lily is gray", "greg is white", "brian is a swan"
        self.assertEqual(babi_simulator.color_of_kinds([fact.split() for fact in told]), {"swan": "white"})
        reordered = [told[i].split() for i in (1, 3, 0, 2, 4)]  # Lily's kind is told behind Greg's
        self.assertEqual(babi_simulator.color_of_kinds(reordered), {"swan": "gray"})

    def test_answers_follow_from_the_facts(self):
        rng, kinds = random.Random(3), set()
        for _ in range(300):
            made = babi_simulator.induction(rng)
            kind = {fact[0]: fact[3] for fact in made.facts if len(fact) == 4}
            color = {fact[0]: fact[2] for fact in made.facts if len(fact) == 3}
            names = [fact[0] for fact in made.facts if len(fact) == 4]
            for q in made.questions:
                name = q.words[-1]
                if q.words[0] == "who":
                    expected = [other for other in names if kind[other] == name][-1]
                elif q.words[1] == "is":
                    expected = kind[name]
                elif name in color:
                    expected = color[name]
                else:
                    same = [other for other in names if kind[other] == kind.get(name, name) and other in color]
                    expected = color[same[-1]]
                self.assertEqual(q.answer, expected)
                kinds.add(" ".join(q.words[:-1]))
                subject, read = name, [made.facts[fact] for fact in q.reads]
                for fact in read:  # each says something of the one that the fact before, or the question, ends with
                    self.assertIn(subject, (fact[0], fact[-1]))
                    subject = fact[-1] if subject == fact[0] else fact[0]
                self.assertEqual(subject, q.answer)
        self.assertEqual(kinds, {"what color is", "what color is a", "who is a", "what is"})

    def test_the_tasks_own_stories_have_nine_facts_and_one_question(self):
        for seed in range(50):
            made = babi_simulator.induction(random.Random(seed), 0.0)
            self.assertEqual((len(made.facts), len(made.questions)), (9, 1))


class Positions(unittest.TestCase):
    def test_answers_follow_from_the_facts(self):
        rng, asked = random.Random(4), collections.Counter()
        for _ in range(300):
            made = babi_simulator.positions(rng)
            relations = [babi_simulator.relation(fact) for fact in made.facts]
            grid = {relations[0][0]: (5, 5)}  # put together by search
            for _ in made.facts:
                for first, direction, second in relations:
                    x, y = babi_simulator.STEPS[direction]
                    if first in grid:
                        grid[second] = (grid[first][0] - x, grid[first][1] - y)
                    elif second in grid:
                        grid[first] = (grid[second][0] + x, grid[second][1] + y)
            for q in made.questions:
                asked[q.words[0]] += 1
                if q.words[0] == "what":
                    shape = " ".join(word for word in q.words[3:] if word not in ("to", "the", "of", *babi_simulator.STEPS))
                    side = next(word for word in q.words if word in babi_simulator.STEPS)
                    named = {first for first, direction, second in relations if (direction, second) == (side, shape)}
                    named |= {second for first, direction, second in relations if (babi_simulator.OPPOSITES[direction], first) == (side, shape)}
                    self.assertEqual({q.answer}, named)
                    continue
                if q.words[0] == "where":
                    first, second = " ".join(q.words[3:]).split(" from the ")
                else:
                    first, direction, second = babi_simulator.relation(q.words)
                (ax, ay), (bx, by) = grid[first], grid[second]
                holds = {"left": ax < bx, "right": ax > bx, "above": ay > by, "below": ay < by}
                if q.words[0] == "where":
                    self.assertEqual(q.answer, ",".join(sorted(side for side in holds if holds[side])))
                else:
                    self.assertEqual(q.answer, "yes" if holds[direction] else "no", (made.facts, q.words))
        self.assertEqual(set(asked), {"is", "what", "where"})
        self.assertGreater(min(asked.values()), 100)

    def test_the_facts_to_read_are_those_that_put_a_shape_beside_another_and_the_other_way_round(self):
        facts = [fact.split() for fact in ("the triangle is above the red square", "the red sphere is to the left of the triangle")]
        self.assertEqual(babi_simulator.facts_between(facts, "red square", "red sphere"), (None, 0, 1, None))
        self.assertEqual(babi_simulator.facts_between(facts, "red sphere", "triangle"), (1, None, None, 1))
        reads = {" ".join(words): reads for words, _, reads in babi_simulator.neighbor_questions(facts)}
        self.assertEqual(reads["what is below the triangle"], (0, None))
        self.assertEqual(reads["what is to the left of the triangle"], (None, 1))
        rng = random.Random(7)
        for made in (babi_simulator.positions(rng) for _ in range(50)):
            for q in made.questions:
                text = " ".join(word for word in q.words if word != "the")
                named = sorted((shape for shape in babi_simulator.SHAPES if shape in text), key=text.index)
                self.assertTrue(any(fact is not None for fact in q.reads))
                for i, fact in enumerate(q.reads):
                    if fact is not None:
                        self.assertEqual(babi_simulator.relation(made.facts[fact])[::2][i % 2], named[i // 2])

    def test_no_two_shapes_share_a_square_and_answers_are_even(self):
        rng, answers = random.Random(6), []
        for _ in range(300):
            made = babi_simulator.positions(rng, 0.5)
            self.assertEqual(len(set(babi_simulator.places(made.facts).values())), len(made.facts) + 1)
            answers += [q.answer for q in made.questions if q.words[0] == "is"]
        self.assertEqual(len(answers), 2400)
        self.assertTrue(0.45 < answers.count("yes") / 2400 < 0.55)

    def test_words_are_the_tasks(self):
        fact, asked = babi_simulator.said("red square", "left", "triangle")
        self.assertEqual(" ".join(fact), "the red square is to the left of the triangle")
        self.assertEqual(" ".join(asked), "is the red square to the left of the triangle")
        self.assertEqual(" ".join(babi_simulator.said("triangle", "above", "red square")[1]), "is the triangle above the red square")


class Augmentation(unittest.TestCase):
    ANIMALS = story(["lily is a swan", "greg is a frog", "lily is gray", "julius is a swan", "greg is green"],
                    [("what color is julius", "gray", 5)])
    WAY = story(["the office is east of the hallway", "the kitchen is north of the office",
                 "the garden is west of the bedroom", "the office is west of the garden", "the bathroom is north of the garden"],
                [("how do you go from the kitchen to the garden", "s,e", 5)])
    SHAPES = story(["the triangle is above the pink rectangle", "the blue square is to the left of the triangle"],
                   [("is the pink rectangle to the right of the blue square", "yes", 2)] * 8)

    def test_ways_and_steps_name_the_facts_that_they_rest_on(self):
        for seed in range(20):
            made = babi_augmentation.renamed(babi_augmentation.with_other_ways(self.WAY, random.Random(seed)), 19, random.Random(seed))
            for q in made.questions if len(made.facts) < len(self.WAY.facts) else ():  # else it may be the story as it was
                self.assertEqual([fact is None for fact in q.reads].count(True), 2)
                for reads, room in ((q.reads[:2], q.words[6]), (q.reads[2:], q.words[9])):
                    for fact, word in zip(reads, (1, 6)):
                        self.assertTrue(fact is None or made.facts[fact][word] == room)
        facts = "the office is east of the hallway", "the kitchen is north of the office"
        asked = ("what is the hallway west of", "office", 2), ("what is south of the kitchen", "office", 2)
        made = babi_augmentation.with_facts_to_read(story(facts, asked), random.Random(1))
        self.assertEqual([q.reads for q in made.questions], [(None, 0), (1, None)])

    def answer_by_search(self, facts, words):
        steps = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
        beside = {}
        for fact in facts:
            x, y = steps[fact[3]]
            beside[fact[6], (x, y)], beside[fact[1], (-x, -y)] = fact[1], fact[6]
        letters = {step: name[0] for name, step in steps.items()}
        return [f"{letters[a]},{letters[b]}" for (room, a), via in beside.items() if room == words[6]
                for b in letters if beside.get((via, b)) == words[9]]

    def test_renaming_keeps_what_a_story_says(self):
        for seed in range(40):
            made = babi_augmentation.renamed(self.WAY, 19, random.Random(seed))
            self.assertEqual(self.answer_by_search(made.facts, made.questions[0].words), [made.questions[0].answer])
        self.assertNotEqual(made.facts, self.WAY.facts)

    def test_he_and_she_keep_their_kind(self):
        for seed in range(20):
            names = babi_augmentation.renaming(11, random.Random(seed))
            self.assertLessEqual({names["mary"], names["sandra"]}, {"mary", "sandra"})

    def test_other_ways_are_right(self):
        for seed in range(40):
            made = babi_augmentation.with_other_ways(self.WAY, random.Random(seed))
            for q in made.questions:
                self.assertEqual(self.answer_by_search(made.facts[: q.position], q.words), [q.answer])

    def test_questions_on_the_way_to_an_animals_colour_are_right(self):
        expected = {"julius": "gray", "lily": "gray", "greg": "green", "swan": "gray", "frog": "green"}
        for seed in range(20):
            made = babi_augmentation.with_fewer_animals(self.ANIMALS, random.Random(seed))
            self.assertIn(len(made.facts), (3, 5))
            self.assertEqual([expected[q.words[-1]] for q in made.questions], [q.answer for q in made.questions])

    def test_direct_questions_are_answered_by_their_fact(self):
        signs = {"above": (1, 1), "below": (1, -1), "right": (0, 1), "left": (0, -1)}
        for seed in range(20):
            made = babi_augmentation.with_direct_questions(self.SHAPES, random.Random(seed))
            for q in made.questions[-3:]:
                said = next(w for w in q.words if w in signs)
                fact = next(f for f in made.facts if signs[next(w for w in f if w in signs)][0] == signs[said][0])
                told = next(w for w in fact if w in signs)
                same_order = q.words[2] == fact[1]
                self.assertEqual(q.answer, "yes" if (said == told) == same_order else "no")


class CompiledSteps(unittest.TestCase):
    @unittest.skipUnless(shutil.which(os.environ.get("CXX", "c++")), "no C++ compiler")
    def test_scores_and_gradients_are_those_of_pytorch(self):
        torch.manual_seed(0)
        questions = {"thinking_steps": 2, "max_words": 5, "max_times": 4, "answer_width": 7, "answers": list("abc")}
        config = {
            "model_type": "ntm", "task": "questions", "input_width": 6, "slots": 9, "slot_width": 5, "order": "interleaved",
            "heads": ["write", "read", "read"], "shifts": [0, 1, -1, 2], "questions": questions,
            "sharpening": {"base_epsilon": 1e-6, "sum_epsilon": 0.0},
            "controller": {"type": "feed-forward", "width": 11, "output_norm": True},
        }
        model = ntm.QuestionAnswerer(config, 20).double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.rand_like(parameter))
        facts, asked = torch.randint(0, 21, (4, 6, 5)), [(2, torch.tensor([3, 0])), (6, torch.tensor([1]))]

        def result():
            model.zero_grad()
            scores, read_weights = model(facts, [4, 4, 4, 3, 3, 2], asked, facts[:3, 0])
            (scores.square().sum() + sum(some.square().sum() for some in read_weights)).backward()
            return [scores.detach()] + [p.grad.clone() for p in model.parameters()]

        expected = result()
        with tempfile.TemporaryDirectory() as folder:
            self.assertTrue(ntm_kernels.attach(model, folder))
            for ours, theirs in zip(result(), expected):
                self.assertLess((ours - theirs).abs().max().item(), 1e-9)


class Training(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        rng = random.Random(3)
        for split, count in (("train", 60), ("valid", 20)):
            with gzip.open(f"{self.folder}/qa1_{split}.txt.gz", "wt", encoding="utf-8") as file:
                for _ in range(count):
                    people = rng.sample(babi_simulator.PEOPLE, 2)
                    rooms = [rng.choice(babi_simulator.ROOMS[:3]) for _ in people]
                    file.writelines(f"{i} {p} went to the {r}.\n" for i, (p, r) in enumerate(zip(people, rooms), 1))
                    file.writelines(f"{i} Where is {p}? \t{r}\t{i - 2}\n" for i, (p, r) in enumerate(zip(people, rooms), 3))

    def run_command(self, *words):
        arguments = train_ntm_questions.make_parser().parse_args(words)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            arguments.run(arguments)
        return said.getvalue()

    def train(self, work, epochs, *more):
        sizes = "--width=16 --slots=6 --slot-width=12 --read-heads=2 --controller-width=32 --controller-layers=2 --thinking-steps=1 --threads=1"
        self.printed = self.run_command("train", f"--data={self.folder}", f"--work={self.folder}/{work}", "--tasks=1", f"--epochs={epochs}",
                         "--batch=10", "--lr=0.005", "--decay-epochs=0", "--average=0.9", "--device=cpu", *sizes.split(), *more)
        return torch.load(f"{self.folder}/{work}/checkpoint.pt", weights_only=True)

    def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(self):
        whole = self.train("whole", 3)
        self.train("halves", 1)
        halves = self.train("halves", 3)
        for name, value in whole["model"].items():
            self.assertTrue(torch.equal(value, halves["model"][name]), name)

    def test_what_training_prints_can_be_drawn(self):
        self.train("drawn", 2, "--validate-every=2")
        self.train("drawn", 4, "--validate-every=2")
        rows = draw_training.read_questions_log(self.printed + self.printed)  # the second time takes the place of the first
        self.assertEqual([row[0] for row in rows], [3, 4])
        self.assertEqual([errors and set(errors) for *_, errors in rows], [None, {1}])
        self.assertGreater(rows[0][1], 0)

    def test_answers_are_spelt_as_in_the_files_and_names_with_a_capital(self):
        with gzip.open(f"{self.folder}/qa2_train.txt.gz", "wt", encoding="utf-8") as file:
            file.write("1 Fred is a lion.\n2 What is Fred?\tLion\t1\n")
        found = train_ntm_questions.spellings(self.folder, [1, 2])
        self.assertEqual((found["lion"], found["lily"], found["bathroom"]), ("Lion", "Lily", "bathroom"))

    def test_stories_held_out_are_neither_trained_on_nor_made(self):
        arguments = train_ntm_questions.make_parser().parse_args(["train", "--data=", "--work=", "--made-up=17:200"])
        tasks = {17: [babi_simulator.positions(random.Random(seed), 0.0) for seed in range(300)]}
        everything = train_ntm_questions.choose(tasks, {17: set()}, {17: 1.0}, arguments, random.Random(1))
        held_out = train_ntm_questions.facts_of(story for story, _ in everything[::2])
        rest = train_ntm_questions.choose(tasks, {17: held_out}, {17: 1.0}, arguments, random.Random(1))
        self.assertEqual(rest, [(story, task) for story, task in everything if str(story.facts) not in held_out])
        self.assertLess(len(rest), 0.6 * len(everything))

    def test_a_validation_story_among_the_training_stories_is_left_out(self):
        with gzip.open(f"{self.folder}/qa1_valid.txt.gz", "rt", encoding="utf-8") as file:
            copied = file.read()
        with gzip.open(f"{self.folder}/qa1_train.txt.gz", "wt", encoding="utf-8") as file:
            file.write(copied)
        with self.assertRaisesRegex(ValueError, "task 1: no story is left"):
            self.train("none", 1)

    def test_stories_to_choose_the_checkpoint_by_are_not_trained_on(self):
        stories = babi.read(f"{self.folder}/qa1_train.txt.gz")
        training, development = train_ntm_questions.split({1: stories}, 0.2)
        self.assertEqual(len(development[1]), 12)
        self.assertEqual((training, development), train_ntm_questions.split({1: stories}, 0.2))
        facts = [{str(story.facts) for story in some[1]} for some in (training, development)]
        self.assertFalse(facts[0] & facts[1])
        self.assertEqual(facts[0] | facts[1], {str(story.facts) for story in stories})

    def test_a_run_begins_with_a_model_directory(self):
        first = self.train("first", 2)
        self.run_command("export", f"--data={self.folder}", f"--work={self.folder}/first", f"--output={self.folder}/model")
        second = self.train("second", 1, f"--start={self.folder}/model", "--lr=1e-12")
        for name, value in first["average"].items():
            torch.testing.assert_close(second["model"][name], value, rtol=0, atol=1e-6)

    def test_reading_loss_is_that_of_the_weights_on_the_facts_or_on_none(self):
        weights = torch.full((2, 3, 2, 4), 0.1)  # steps, questions, heads, slots
        weights[0, 0, 0, 2], weights[1, 0, 0, 2], weights[1, 0, 1, 0] = 0.5, 0.25, 0.125
        asked = [(3, torch.tensor([0])), (6, torch.tensor([0, 1]))]
        loss = train_ntm_questions.reading_loss(list(weights), [(2, 0), (), ()], asked)
        self.assertAlmostEqual(loss.item(), -math.log(0.5 * 0.25 * 0.125) / 3, places=2)  # head 1 begins one step later
        weights[:, 0, 0, 3] = 0.7  # the one slot without a fact
        self.assertAlmostEqual(train_ntm_questions.reading_loss(list(weights), [(None,), (), ()], asked).item(), -math.log(0.7), places=2)
        weights[:, 2, 0, 1] = 0.6
        self.assertAlmostEqual(
            train_ntm_questions.reading_loss(list(weights), [(), (), (5,)], asked).item(), -math.log(0.6), places=2)  # the slot came round
        self.assertIsNone(train_ntm_questions.reading_loss(list(weights), [(), (), (1,)], asked))  # and was written over

    def test_facts_to_read_reach_the_loss_with_their_question(self):
        facts = [f"{name} is a lion".split() for name in ("lily", "greg", "brian", "julius")]
        encoder = train_ntm_questions.Encoder(["lily", "greg", "brian", "julius", "is", "what", "a", "lion"], ["lion"], 4)

        def asked(name, position, reads):
            return babi.Question(["what", "is", name], "lion", position, reads=reads)

        stories = [babi.Story(facts[:2], [asked("greg", 2, (1, None)), asked("lily", 1, (0,))]),
                   babi.Story(facts, [asked("julius", 4, (3,)), asked("lily", 1, (0, None))])]
        _, _, asked_at, questions, _, reads, _ = train_ntm_questions.collate([encoder.story(story, 16) for story in stories[::-1]])
        self.assertEqual([(position, rows.tolist()) for position, rows in asked_at], [(1, [0, 1]), (2, [1]), (4, [0])])
        self.assertEqual([encoder.words[row[2]] for row in questions.tolist()], ["lily", "lily", "greg", "julius"])
        self.assertEqual(reads, ((0, None), (0,), (1, None), (3,)))

    def test_a_batch_has_fewer_long_stories(self):
        stories = [([[0]] * length, [(length, [0], number, ())], 3) for number, length in enumerate([10] * 8 + [56] * 8 + [112] * 8 + [200] * 2)]
        found = [(facts.shape[1], answers.tolist()) for facts, _, _, _, answers, _, _ in train_ntm_questions.batches(stories, 8)]
        self.assertEqual([(length, len(answers)) for length, answers in found], [(200, 2)] + [(112, 2)] * 4 + [(56, 4)] * 2 + [(10, 8)])
        self.assertEqual(sorted(sum((answers for _, answers in found), [])), list(range(26)))
        self.assertEqual(len(list(train_ntm_questions.batches(stories, 1))), 26)

    def test_made_up_stories_train_the_reading(self):
        rng = random.Random(8)
        for split in ("train", "valid"):
            with gzip.open(f"{self.folder}/qa17_{split}.txt.gz", "wt", encoding="utf-8") as file:
                for made in (babi_simulator.positions(rng, 0.0) for _ in range(20)):
                    file.writelines(f"{i} {' '.join(fact)}.\n" for i, fact in enumerate(made.facts, 1))
                    file.writelines(f"{i} {' '.join(q.words)}?\t{q.answer}\t1\n" for i, q in enumerate(made.questions, 3))
        words = ["train", f"--data={self.folder}", f"--work={self.folder}/positions", "--tasks=17", "--slots=6", "--slot-width=12", "--width=16",
                 "--controller-width=32", "--threads=1", "--batch=10", "--made-up=17:50", "--decay-epochs=0", "--device=cpu"]
        losses = [row[2] for row in draw_training.read_questions_log(self.run_command(*words, "--epochs=6"))]
        self.assertGreater(losses[0], 0.5)
        self.assertLess(losses[-1], 0.9 * losses[0])
        with self.assertRaisesRegex(ValueError, "tasks 17 name facts for 4 read heads.*there are 2 heads and 5 steps"):
            self.run_command(*words, "--read-heads=2")

    def test_made_up_stories_are_named_by_task(self):
        self.assertEqual(train_ntm_questions.made_up_stories("3:10,17:5"), {3: 10, 17: 5})
        self.assertEqual(train_ntm_questions.made_up_stories(""), {})
        for text in ("1:10", "3", "3:x", "3:-5", "3:10,"):
            with self.assertRaisesRegex(argparse.ArgumentTypeError, "is not TASK:COUNT,... of the tasks 3, 16, 17"):
                train_ntm_questions.made_up_stories(text)
        self.assertEqual(train_ntm_questions.part("0.05"), 0.05)
        for text in ("0", "1", "1.5", "-0.1", "x"):
            with self.assertRaisesRegex(argparse.ArgumentTypeError, "is not between 0 and 1"):
                train_ntm_questions.part(text)

    def test_what_does_not_fit_is_named(self):
        self.train("work", 1)
        with self.assertRaisesRegex(SystemExit, "was trained with development share 0.05, not 0.2"):
            self.train("work", 2, "--development-share=0.2")
        with self.assertRaisesRegex(ValueError, r"checkpoint.pt: controller.layers.0.weight has the shape \(32, 40\), here it is \(32, 44\)"):
            self.train("other", 1, f"--start={self.folder}/work/checkpoint.pt", "--slot-width=14")

    def test_a_small_machine_learns_where_people_went_and_is_written(self):
        self.train("work", 80)
        self.run_command("export", f"--data={self.folder}", f"--work={self.folder}/work", f"--output={self.folder}/model")
        said = self.run_command("evaluate", f"--data={self.folder}", f"--model={self.folder}/model", "--tasks=1")
        self.assertLess(float(said.split()[2]), 10, said)  # by chance 67


if __name__ == "__main__":
    unittest.main()
