#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the Neural Turing Machine behind weights/ntm-babi on the bAbI tasks and writes it as a model directory.

    train_ntm_questions.py train    --data=DIR --work=DIR [--epochs=N]   resumes from the last checkpoint
    train_ntm_questions.py export   --data=DIR --work=DIR --output=DIR   the checkpoint that is best on stories set aside
    train_ntm_questions.py evaluate --data=DIR --model=DIR

DIR of --data holds qa{1..20}_{train,valid}.txt.gz of bAbI v1.2 (en-valid-10k); of task 3 qa3_train_1k.txt.gz will do.
A part of the training files' stories is set aside to choose the checkpoint by. The validation files are for `evaluate`:
training reads them only to leave their stories out, from the training files and from whatever is made of them or made up.
Each epoch renames people, things and places afresh, asks more and simpler questions about some stories of tasks 16, 17 and 19
(babi_augmentation.py), and adds made-up stories of tasks 3, 16 and 17 (babi_simulator.py). For made-up stories, ways (19) and
half of task 4's stories the recipe works out for itself which facts an answer rests on; a loss draws the read heads to them
(--reading-loss). The supporting facts in the files are never used. All this is help that published figures do not have.

A task's share of an epoch falls with its error on the stories trained on. The learning rate warms up, stays, and falls linearly
over the last --decay-epochs of --epochs, so a run can be prolonged before its fall begins. What is checked and written is a
moving average of the weights. Needs PyTorch (1.13 or newer); runs on CPU or GPU.
"""

import argparse
import os
import random
import re
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import babi
import ntm
import ntm_kernels
from babi_augmentation import all_answers, renamed, varied
from babi_simulator import NAMES, induction, positions, three_facts

SEED = 20261123
CHUNK = 16  # batches whose stories are sorted by length together
SHORT = 14  # facts; stories up to so many share batches, so that nearly every step learns of nearly every task
LONG = 28  # facts; of stories twice or four times as long a batch has half or a quarter as many
TIMES = 256
REPEATS = {17: 3}  # of short stories of which there are few: so often in an epoch, renamed each time
MADE_UP = {  # functions from (random.Random, how many are simpler) to a story
    3: lambda rng, simpler: three_facts(rng, simpler=simpler),
    16: induction,
    17: positions,
}

READING = {3, 4, 16, 17, 19}  # tasks of which some questions name facts to read
HEADS_TO_READ = 4  # at most

# ---------------------------------------------------------------------------------------------------------- data


def task_file(data, task, split):
    path = f"{data}/qa{task}_{split}.txt.gz"
    if task == 3 and split == "train" and not os.path.exists(path):
        path = f"{data}/qa3_train_1k.txt.gz"
    return path


def read_tasks(data, split, tasks):
    """{task: stories}"""
    return {task: babi.read(task_file(data, task, split)) for task in tasks}


def facts_of(stories):
    """What tells stories apart."""
    return {str(story.facts) for story in stories}


def without(stories, facts):
    """The stories whose facts are not among some (facts_of)."""
    return [story for story in stories if str(story.facts) not in facts]


def split(tasks, share):
    """({task: stories to train on}, {task: stories to choose the checkpoint by}): the second are this share, drawn at random."""
    development = {
        task: random.Random(SEED + task).sample(stories, max(1, round(share * len(stories)))) for task, stories in tasks.items()
    }
    return {task: without(stories, facts_of(development[task])) for task, stories in tasks.items()}, development


class Encoder:
    """Words and answers to numbers; the number after the last word is no word."""

    def __init__(self, words, answers, longest):
        self.words, self.answers, self.longest = words, answers, longest
        self.row = {word: i for i, word in enumerate(words)}
        self.answer_row = {answer: i for i, answer in enumerate(answers)}
        self.known = {}

    def sentence(self, words):
        key = " ".join(words)
        if key not in self.known:
            if len(words) > self.longest:
                raise ValueError(f"'{key}' has {len(words)} words, more than {self.longest}")
            none = len(self.words)
            self.known[key] = [self.row.get(w, none) for w in words] + [none] * (self.longest - len(words))
        return self.known[key]

    def story(self, story, task):
        facts = [self.sentence(fact) for fact in story.facts]
        questions = [
            (q.position, self.sentence(q.words), self.answer_row.get(q.answer, -1), q.reads) for q in story.questions
        ]
        return facts, questions, task


def make_encoder(tasks):
    sentences = [words for stories in tasks.values() for s in stories for words in s.facts + [q.words for q in s.questions]]
    answers = {task: {q.answer for s in stories for q in s.questions} for task, stories in tasks.items()}
    answers = set().union(*(all_answers(task, found) for task, found in answers.items()))
    words = {word for sentence in sentences for word in sentence}
    return Encoder(sorted(words), sorted(answers), max(map(len, sentences)))


def batches(stories, size, rng=None):
    """Batches of encoded stories of like length, for QuestionAnswerer.forward; with rng in random order. There are `size` stories
    in a batch, or fewer long ones, which teach more each."""
    order = list(range(len(stories)))
    if rng:
        rng.shuffle(order)
    groups = []
    chunk = size * CHUNK if rng else len(order)
    for first in range(0, len(order), chunk):
        some = sorted(order[first : first + chunk], key=lambda i: -max(SHORT, len(stories[i][0])))
        while some:
            count = max(1, size * LONG // max(LONG, min(4 * LONG, len(stories[some[0]][0]))))
            groups.append(some[:count])
            some = some[count:]
    if rng:
        rng.shuffle(groups)
    for group in groups:
        yield collate(sorted((stories[i] for i in group), key=lambda story: -len(story[0])))


def collate(stories):
    """(facts, alive, asked, questions, answers, reads, tasks) of stories, the longest first."""
    length = len(stories[0][0])
    blank = [-1] * len(stories[0][1][0][1])
    facts = torch.tensor([facts + [blank] * (length - len(facts)) for facts, _, _ in stories], dtype=torch.long)
    facts = facts.reshape(len(stories), length, len(blank)).clamp(min=0)
    alive = [sum(len(story) > t for story, _, _ in stories) for t in range(length)]
    places = [(q[0], row, *q[1:], task) for row, (_, qs, task) in enumerate(stories) for q in qs]
    places.sort(key=lambda place: place[:2])
    asked = {}
    for position, row, *_ in places:
        asked.setdefault(position, []).append(row)
    asked = [(position, torch.tensor(rows)) for position, rows in asked.items()]
    columns = list(zip(*places))
    return facts, alive, asked, torch.tensor(columns[2]), torch.tensor(columns[3]), columns[4], torch.tensor(columns[5])


# --------------------------------------------------------------------------------------------------------- model


def make_config(arguments, encoder):
    return {
        "model_type": "ntm",
        "task": "questions",
        "input_width": arguments.width,
        "slots": arguments.slots,
        "slot_width": arguments.slot_width,
        "heads": ["write"] + ["read"] * arguments.read_heads,
        "shifts": [-1, 0, 1],
        "order": "interleaved",
        "key_activation": "tanh",
        "add_activation": "tanh",
        "cosine": {"form": "added", "epsilon": 1e-6},
        "sharpening": {"base_epsilon": 1e-6, "sum_epsilon": 0.0},
        "controller": {
            "type": "feed-forward",
            "width": arguments.controller_width,
            "layers": arguments.controller_layers,
            "activation": "relu",
            "residual": True,
            "input_norm": True,
            "output_norm": True,
        },
        "questions": {
            "thinking_steps": arguments.thinking_steps,
            "max_words": encoder.longest,
            "max_times": TIMES,
            "answer_width": arguments.controller_width,
            "answers": encoder.answers,
        },
    }


@torch.no_grad()
def initialise(model):
    """Write heads walk on to the next slot and readers look for content, until they learn better; times begin smooth, so
    that what is learnt of one time holds for its neighbours."""
    m, right, stay = model.slot_width, model.shifts.index(1), model.shifts.index(0)
    for index, head in enumerate(model.heads):
        bias, numbers = head.fc.bias, slice(m, m + len(model.shifts) + 3)
        bias[numbers] = 0
        gamma = m + len(model.shifts) + 2
        model.initial.weights[index] = 0
        if head.kind == "write":
            head.fc.weight[numbers] *= 0.1
            bias[m + 1], bias[m + 2 + right], bias[gamma] = -6, 6, 4
            bias[gamma + 1 : gamma + 1 + m] = 3  # erases what a slot held
            model.initial.weights[index, -1] = 1
        else:
            bias[m], bias[m + 1], bias[m + 2 + stay] = 3, 3, 3
            model.initial.weights[index, 0] = 1
    for parameter in model.initial.parameters():
        parameter.requires_grad_(False)
    nn.init.normal_(model.positions.weight, mean=1, std=0.6)
    nn.init.normal_(model.words.weight, std=0.7)
    nn.init.normal_(model.kinds.weight, std=0.1)
    t = torch.arange(model.max_times)[:, None].float()
    waves = torch.arange(2, 10).float().exp2()
    angles = t * (2 * torch.pi / waves)
    features = torch.cat([angles.sin(), angles.cos(), t / 32, (1 + t).log()], 1)
    model.times.weight.copy_(0.1 * features @ torch.randn(features.shape[1], model.input_width))


@torch.no_grad()
def begin_with(model, encoder, path):
    """Takes over what a checkpoint or a model directory learnt of these or other tasks: all weights, and the rows of words and
    answers by name."""
    if os.path.isdir(path):
        other, vocabulary = ntm.load_model(path)
        words, answers, values = sorted(vocabulary, key=vocabulary.get), other.config["questions"]["answers"], other.state_dict()
    else:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        words, answers, values = saved["words"], saved["config"]["questions"]["answers"], saved["average"]
    own = model.state_dict()
    rows = {
        "words.weight": [(encoder.row[word], row) for row, word in enumerate(words) if word in encoder.row],
        "answer.1.weight": [
            (encoder.answer_row[answer.lower()], row) for row, answer in enumerate(answers) if answer.lower() in encoder.answer_row
        ],
    }
    rows["answer.1.bias"] = rows["answer.1.weight"]
    for name, value in values.items():
        shape = tuple(own[name].shape) if name in own else "none"
        longer = name.startswith(("positions.", "initial."))  # of words in a sentence and of slots there may be more or fewer
        if name not in own or value.shape[name in rows or longer :] != own[name].shape[name in rows or longer :]:
            raise ValueError(f"--start: {path}: {name} has the shape {tuple(value.shape)}, here it is {shape}")
        if name in rows:
            for to, row in rows[name]:
                own[name][to] = value[row].to(own[name].device)
        else:
            some = min(len(value), len(own[name]))
            own[name][:some] = value[:some].to(own[name].device)


class Average:
    """A moving average of a model's weights."""

    def __init__(self, model, decay):
        self.decay, self.count = decay, 0
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model):
        self.count += 1
        share = 1 - min(self.decay, self.count / (self.count + 10))
        for name, value in model.state_dict().items():
            self.values[name].lerp_(value, share)


# ------------------------------------------------------------------------------------------------------ training


def learning_rate(epoch, arguments):
    """epoch counts with its fraction"""
    left = max(0.0, arguments.epochs - epoch) / max(1e-9, arguments.decay_epochs)
    return arguments.lr * min(1.0, (epoch + 0.002) / arguments.warmup_epochs) * max(0.01, min(1.0, left))


def choose(tasks, held_out, errors, arguments, rng):
    """An epoch's stories: of each task more, the more of it is wrong, and the made-up ones. `held_out` is {task: facts_of}
    the stories that must not be among them."""
    chosen = []
    for task, stories in tasks.items():
        facts = sum(len(story.facts) for story in stories)
        most = min(len(stories), int(len(stories) * arguments.task_facts / max(1, facts)))
        share = min(1.0, arguments.least_share + arguments.error_share * errors[task])
        made = [
            renamed(varied(story, task, rng), task, rng)
            for story in rng.sample(stories, max(1, int(most * share)))
            for _ in range(REPEATS.get(task, 1))
        ]
        made += [MADE_UP[task](rng, arguments.simpler) for _ in range(arguments.made_up.get(task, 0))]
        chosen += [(story, task) for story in without(made, held_out[task])]
    return chosen


def reading_loss(read_weights, reads, asked):
    """How far the read heads are from the facts that made-up questions name for them, from thinking step i on for head i: the
    mean of -log of a head's weight on its fact, or of its weight on no fact. Facts lie in the slots in their order, as
    `initialise` has the write head move. None where no question names facts. `read_weights` and `asked` are as in
    ntm.QuestionAnswerer, `reads` is each question's."""
    steps, slots = len(read_weights), read_weights[0].shape[2]
    told = [position for position, rows in asked for _ in rows]
    on_fact, on_none = [], []
    for row, facts in enumerate(reads):
        for head, fact in enumerate(facts):
            places = [(step, row, head) for step in range(head, steps)]
            if fact is None:
                on_none += places
            elif fact >= told[row] - slots:  # else it is written over
                on_fact += [(*place, fact % slots) for place in places]
    weights, losses = torch.stack(read_weights), []
    if on_fact:
        losses.append(-torch.log(weights[tuple(torch.tensor(on_fact).T)] + 1e-4))
    if on_none:
        step, row, head = torch.tensor(on_none).T
        empty = torch.arange(slots) >= torch.tensor(told)[row, None]
        losses.append(-torch.log((weights[step, row, head] * empty.to(weights.device)).sum(-1) + 1e-4))
    return torch.cat(losses).mean() if losses else None


def run_epoch(model, average, optimizer, stories, epoch, arguments, rng, device):
    """{task: (wrong, asked)} of the stories as they were trained on, and the mean losses of answers and of reading"""
    model.train()
    counts = torch.zeros(2, 21)
    size = arguments.batch
    total, questions_seen, done, missed_losses = 0.0, 0, 0, []
    for facts, alive, asked, questions, answers, reads, tasks in batches(stories, size, rng):
        for settings in optimizer.param_groups:
            settings["lr"] = learning_rate(epoch + done / len(stories), arguments)
        asked = [(position, rows.to(device)) for position, rows in asked]
        scores, read_weights = model(facts.to(device), alive, asked, questions.to(device))
        answers = answers.to(device)
        answer_loss = loss = F.cross_entropy(scores, answers)
        missed = reading_loss(read_weights, reads, asked) if arguments.reading_loss else None
        if missed is not None:
            loss = loss + arguments.reading_loss * missed
            missed_losses.append(missed.item())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], arguments.clip)
        optimizer.step()
        average.update(model)
        wrong = (scores.detach().argmax(-1) != answers).float().cpu()
        counts[0].index_add_(0, tasks, wrong)
        counts[1].index_add_(0, tasks, torch.ones(len(tasks)))
        total, questions_seen, done = total + answer_loss.item() * len(answers), questions_seen + len(answers), done + len(facts)
    return counts, total / questions_seen, sum(missed_losses) / max(1, len(missed_losses))


@torch.no_grad()
def error_table(model, stories, size, device):
    """{task: share of questions answered wrong}; stories are encoded"""
    model.eval()
    counts = torch.zeros(2, 21)
    for facts, alive, asked, questions, answers, _, tasks in batches(stories, size):
        asked = [(position, rows.to(device)) for position, rows in asked]
        found = model(facts.to(device), alive, asked, questions.to(device))[0].argmax(-1).cpu()
        counts[0].index_add_(0, tasks, (found != answers).float())
        counts[1].index_add_(0, tasks, torch.ones(len(tasks)))
    return {task: (counts[0, task] / counts[1, task]).item() for task in range(21) if counts[1, task]}


def show(table):
    return " ".join(f"{task}:{100 * error:.1f}" for task, error in table.items())


def mean(table):
    return sum(table.values()) / len(table)


def save(path, state):
    torch.save(state, f"{path}.partial")
    os.replace(f"{path}.partial", path)


def run_train(arguments):
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    os.makedirs(arguments.work, exist_ok=True)
    numbers = [int(task) for task in arguments.tasks.split(",")]
    validation = {task: facts_of(stories) for task, stories in read_tasks(arguments.data, "valid", numbers).items()}
    if arguments.reading_loss and set(numbers) & READING and min(arguments.read_heads, arguments.thinking_steps) < HEADS_TO_READ:
        raise ValueError(
            f"tasks {', '.join(str(task) for task in numbers if task in READING)} name facts for {HEADS_TO_READ} read heads, one more "
            f"in each thinking step; there are {arguments.read_heads} heads and {arguments.thinking_steps} steps (--reading-loss=0 does without)"
        )
    tasks = read_tasks(arguments.data, "train", numbers)
    made_up = {task: [MADE_UP[task](random.Random(SEED + i), 1.0) for i in range(200)] for task in set(tasks) & set(MADE_UP)}
    encoder = make_encoder({task: stories + made_up.get(task, []) for task, stories in tasks.items()})
    tasks = {task: without(stories, validation[task]) for task, stories in tasks.items()}
    for task, stories in tasks.items():
        if len(stories) < 2:
            raise ValueError(f"task {task}: no story is left that is not in {task_file(arguments.data, task, 'valid')}")
    tasks, development = split(tasks, arguments.development_share)
    held_out = {task: validation[task] | facts_of(development[task]) for task in tasks}
    checked = [encoder.story(story, task) for task, stories in development.items() for story in stories]
    config = make_config(arguments, encoder)
    fixed = {**config, "questions": {**config["questions"], "thinking_steps": None}}  # thinking may grow
    setting = {"tasks": numbers, "development share": arguments.development_share, "words": encoder.words, "sizes": fixed}
    torch.manual_seed(SEED)
    model = ntm.QuestionAnswerer(config, len(encoder.words)).to(device)
    initialise(model)
    if arguments.start:
        begin_with(model, encoder, arguments.start)
    model.dropout = arguments.dropout
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=arguments.lr, betas=(0.9, 0.98), eps=1e-8)
    average, epoch, errors, best = Average(model, arguments.average), 0, {task: 1.0 for task in tasks}, 1.0
    path = f"{arguments.work}/checkpoint.pt"
    if os.path.exists(path):
        saved = torch.load(path, map_location=device, weights_only=True)
        if "setting" not in saved:
            sys.exit(f"{path} was written by an older recipe; begin with it in another folder (--start)")
        for name, value in setting.items():
            if saved["setting"][name] != value:
                sys.exit(f"{path} was trained with {name} {saved['setting'][name]}, not {value}")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        average.values, average.count = saved["average"], saved["updates"]
        epoch, errors, best = saved["epoch"], saved["errors"], saved["best"]
    print(f"{sum(p.numel() for p in model.parameters())} weights on {device}, from epoch {epoch} to {arguments.epochs}", flush=True)
    judge = ntm.QuestionAnswerer(config, len(encoder.words)).to(device)
    if not all([ntm_kernels.attach(machine, arguments.work) for machine in (model, judge)]):
        print("without compiled steps", flush=True)
    began = time.time()
    while epoch < arguments.epochs and time.time() - began < 3600 * arguments.hours:
        at = time.time()
        rng = random.Random(SEED + epoch)  # an epoch's stories and order depend on its number and errors so far alone
        torch.manual_seed(SEED + epoch)
        stories = [encoder.story(story, task) for story, task in choose(tasks, held_out, errors, arguments, rng)]
        counts, loss, missed = run_epoch(model, average, optimizer, stories, epoch, arguments, rng, device)
        epoch += 1
        for task in errors:
            if counts[1, task]:
                errors[task] = (counts[0, task] / counts[1, task]).item()
        steps = sum(len(facts) for facts, _, _ in stories)
        print(
            f"epoch {epoch}/{arguments.epochs} loss {loss:.4f} reading {missed:.4f} error {100 * mean(errors):.2f} % "
            f"lr {learning_rate(epoch, arguments):.1e} {steps} facts {time.time() - at:.0f} s; {show(errors)}",
            flush=True,
        )
        state = {"config": config, "words": encoder.words, "average": average.values, "epoch": epoch}
        if epoch % arguments.validate_every == 0 or epoch >= arguments.epochs:
            at = time.time()
            judge.load_state_dict(average.values)
            table = error_table(judge, checked, 256, device)
            print(
                f"  development error {100 * mean(table):.2f} % {sum(e <= 0.05 for e in table.values())} of {len(table)} tasks "
                f"at most 5 % {time.time() - at:.0f} s; {show(table)}",
                flush=True,
            )
            if mean(table) <= best:
                best = mean(table)
                save(f"{arguments.work}/best.pt", {**state, "table": table})
        full = {"setting": setting, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "updates": average.count}
        save(path, {**state, **full, "errors": errors, "best": best})


# -------------------------------------------------------------------------------------------------------- export


def spellings(data, tasks):
    """{answer in lower case: as the tasks' files spell it}, and names that only made-up questions have for an answer"""
    found = {name: name.capitalize() for name in NAMES}
    for task in tasks:
        found.update(babi.spellings(task_file(data, task, "train")))
    return found


def run_export(arguments):
    path = f"{arguments.work}/best.pt"
    if not os.path.exists(path):
        sys.exit(f"no {path}: run `train` first")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = ntm.QuestionAnswerer(saved["config"], len(saved["words"]))
    model.load_state_dict(saved["average"])
    vocabulary = {word: row for row, word in enumerate(saved["words"])}
    config, spelt = saved["config"], spellings(arguments.data, saved["table"])
    config["questions"]["answers"] = [spelt.get(answer, answer) for answer in config["questions"]["answers"]]
    ntm.save_model(arguments.output, config, model, vocabulary)
    print(f"epoch {saved['epoch']}: development error {100 * mean(saved['table']):.2f} %; {show(saved['table'])}")


def run_evaluate(arguments):
    model, vocabulary = ntm.load_model(arguments.model)
    questions = model.config["questions"]
    words = sorted(vocabulary, key=vocabulary.get)
    encoder = Encoder(words, [answer.lower() for answer in questions["answers"]], questions["max_words"])
    stories = read_tasks(arguments.data, arguments.split, [int(task) for task in arguments.tasks.split(",")])
    table = error_table(model, [encoder.story(s, task) for task, some in stories.items() for s in some], 256, "cpu")
    print(f"{arguments.split} error {100 * mean(table):.2f} %; {show(table)}")


def made_up_stories(text):
    """{task: count} of "3:900,16:3000"; "" is none."""
    if not re.fullmatch(r"(\d+:\d+(,(?=\d)|$))*", text) or not {int(task) for task in re.findall(r"(\d+):", text)} <= set(MADE_UP):
        raise argparse.ArgumentTypeError(f"{text!r} is not TASK:COUNT,... of the tasks {', '.join(map(str, MADE_UP))}")
    return {int(task): int(count) for task, count in re.findall(r"(\d+):(\d+)", text)}


def part(text):
    """A number between 0 and 1."""
    if not re.fullmatch(r"0?\.\d*[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return float(text)


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    defaults = argparse.ArgumentDefaultsHelpFormatter
    all_tasks = ",".join(map(str, range(1, 21)))

    command = commands.add_parser("train", formatter_class=defaults, help="trains, resumes")
    command.set_defaults(run=run_train)
    command.add_argument("--data", required=True, metavar="DIR", help="bAbI's files")
    command.add_argument("--work", required=True, metavar="DIR", help="checkpoints")
    command.add_argument("--tasks", default=all_tasks, help="which")
    command.add_argument("--start", metavar="PATH", help="begin with this checkpoint or model directory; what it was trained on must lack the same stories")
    command.add_argument("--epochs", type=int, default=160, help="train so many")
    command.add_argument("--decay-epochs", type=float, default=50, help="the last ones, over which the learning rate falls")
    command.add_argument("--warmup-epochs", type=float, default=1, help="the first ones, over which it rises")
    command.add_argument("--hours", type=float, default=1000, help="stop after the epoch in which they end")
    command.add_argument("--validate-every", type=int, default=4, help="epochs")
    command.add_argument("--lr", type=float, default=1.5e-3, help="Adam's learning rate")
    command.add_argument("--clip", type=float, default=2, help="length that gradients are cut to")
    command.add_argument("--batch", type=int, default=48, help="stories, fewer long ones")
    command.add_argument("--average", type=float, default=0.998, help="how much of the moving average each step keeps")
    command.add_argument("--dropout", type=float, default=0.1, help="share of the answer layer's inputs dropped")
    made_up = {"type": made_up_stories, "default": "3:500,16:200,17:250", "metavar": "TASK:COUNT,..."}
    command.add_argument("--made-up", **made_up, help="stories added in each epoch")
    command.add_argument("--simpler", type=float, default=0.4, help="how many of them are simpler (babi_simulator.py)")
    command.add_argument("--reading-loss", type=float, default=1, help="weight of the loss of reading other facts than an answer rests on")
    command.add_argument("--development-share", type=part, default="0.05", help="of the stories, to choose the checkpoint by")
    command.add_argument("--task-facts", type=int, default=10000, help="at most about so many of a task in an epoch")
    command.add_argument("--least-share", type=float, default=0.1, help="of a task's stories, in each epoch")
    command.add_argument("--error-share", type=float, default=3, help="and so much more for each wrong answer's share")
    command.add_argument("--width", type=int, default=128, help="of embeddings")
    command.add_argument("--slots", type=int, default=80, help="of the memory")
    command.add_argument("--slot-width", type=int, default=48, help="of the memory")
    command.add_argument("--read-heads", type=int, default=4, help="beside the one that writes")
    command.add_argument("--controller-width", type=int, default=192, help="of each layer")
    command.add_argument("--controller-layers", type=int, default=3, help="feed-forward layers")
    command.add_argument("--thinking-steps", type=int, default=5, help="over each question")
    command.add_argument("--threads", type=int, help="PyTorch's, on a CPU")
    command.add_argument("--device", help="cpu or cuda")

    command = commands.add_parser("export", formatter_class=defaults, help="writes the model directory")
    command.set_defaults(run=run_export)
    command.add_argument("--data", required=True, metavar="DIR", help="bAbI's files, for how they spell answers")
    command.add_argument("--work", required=True, metavar="DIR", help="checkpoints")
    command.add_argument("--output", required=True, metavar="DIR", help="model directory")

    command = commands.add_parser("evaluate", formatter_class=defaults, help="the error of a model directory")
    command.set_defaults(run=run_evaluate)
    command.add_argument("--data", required=True, metavar="DIR", help="bAbI's files")
    command.add_argument("--model", required=True, metavar="DIR", help="model directory")
    command.add_argument("--split", default="valid", help="which files")
    command.add_argument("--tasks", default=all_tasks, help="which")

    return parser


def main():
    arguments = make_parser().parse_args()
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f"train_ntm_questions.py: {error}")


if __name__ == "__main__":
    main()
