#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what a recipe's `train` printed: of train_translator.py losses, learning rate and speed over the tokens read; of
train_ntm_questions.py each task's error, and the losses, over the minutes of training.

    draw_training.py LOG... --picture=FILE.svg [--title=TEXT]

LOG is all that `train` printed, of all runs on its folder; where a run was cut off and went on from a checkpoint, the later
lines count. More logs are later stages, which began with the weights of the one before. Needs matplotlib.
"""

import argparse
import itertools
import re
import sys

PROGRESS = re.compile(r"^update (\d+) [\d.]+% phase (\d) loss ([\d.]+) rate (\S+) ([\d.]+) M tokens (\d+) tokens/s", re.MULTILINE)
CHECKPOINT = re.compile(r"^checkpoint at update (\d+), [\d.]+ h: (.*)$", re.MULTILINE)
NAMES = {
    "dev_everyday": "everyday sentences (Tatoeba)",
    "dev_tech": "support pages",
    "dev_chat": "chat, a kind never trained on",
    "dev_captions": "image captions",
}
PHASES = ("all text", "no machine\ntranslation", "more\ncaptions")
COLORS = {"dev_everyday": "#0969da", "dev_tech": "#1a7f37", "dev_chat": "#8250df", "dev_captions": "#cf222e"}

EPOCH = re.compile(
    r"^epoch (\d+)/\d+ loss ([\d.]+) reading ([\d.]+) error [\d.]+ % lr \S+ \d+ facts (\d+) s;.*"
    r"(?:\n  development error .*; (.*))?$",
    re.MULTILINE,
)
HARD_TASKS = {
    3: ("3: three facts", "#cf222e"),
    2: ("2: two facts", "#bf8700"),
    16: ("16: induction", "#0969da"),
    17: ("17: positions", "#1a7f37"),
    19: ("19: ways", "#8250df"),
}


def without_repeats(rows):
    """Rows (update, ...) in rising order: a later line of an update, or of an earlier one, takes the place of those before."""
    kept = []
    for row in rows:
        while kept and kept[-1][0] >= row[0]:
            kept.pop()
        kept.append(row)
    return kept


def read_log(text):
    """([(update, phase, loss, rate, M tokens, tokens/s)], [(update, {development set: loss})])"""
    progress = [
        (int(step), int(phase), float(loss), float(rate), float(tokens), int(speed))
        for step, phase, loss, rate, tokens, speed in PROGRESS.findall(text)
    ]
    checkpoints = [
        (int(step), {name: float(loss) for name, loss in (part.split("=") for part in losses.split())})
        for step, losses in CHECKPOINT.findall(text)
    ]
    return without_repeats(progress), without_repeats(checkpoints)


def tokens_at(progress, step):
    """Million tokens read until an update, between those of the lines of progress before and after it."""
    points = [(0, 0.0), *((row[0], row[4]) for row in progress)]
    for (s0, t0), (s1, t1) in zip(points, points[1:]):
        if step <= s1:
            return t0 + (t1 - t0) * (step - s0) / (s1 - s0)
    return points[-1][1]


def read_questions_log(text):
    """[(epoch, loss, reading loss, seconds, {task: development error, %} or None)]"""
    rows = []
    for epoch, loss, reading, seconds, table in EPOCH.findall(text):
        errors = {int(task): float(error) for task, error in (part.split(":") for part in table.split())}
        rows.append((int(epoch), float(loss), float(reading), int(seconds), errors or None))
    return without_repeats(rows)


def panels():
    """(figure, axes, axes)"""
    import matplotlib  # which nothing else here needs

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "heed", "font.family": "sans-serif"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=(2, 1), layout="constrained")
    return figure, left, right


def save(figure, path, *axes):
    for some in axes:
        some.spines["top"].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def draw_questions(stages, title, path):
    """`stages` are rows of read_questions_log, in their order."""
    figure, left, right = panels()
    points, minutes, ends = [], 0.0, []
    for rows in stages:
        for _, loss, reading, seconds, errors in rows:
            minutes += seconds / 60
            points.append((minutes, loss, reading, errors))
        ends.append(minutes)
    checked = [(at, errors) for at, _, _, errors in points if errors]
    tasks = sorted({task for _, errors in checked for task in errors})
    for task in sorted(tasks, key=lambda task: task in HARD_TASKS):
        name, color = HARD_TASKS.get(task, (None, "#d0d7de"))
        own = [(at, errors[task]) for at, errors in checked if task in errors]
        left.plot(*zip(*own), color=color, linewidth=1.4 if name else 0.7, label=name)
    whole = [(at, sum(errors.values()) / len(errors)) for at, errors in checked if len(errors) == len(tasks)]
    left.plot(*zip(*whole), color="#24292f", linewidth=2.2, label=f"mean of {len(tasks)} tasks (gray: the others)")
    left.set(xlabel="minutes of training", ylabel="error on stories set aside, %", ylim=(0, None), title=title)
    left.legend(frameon=False)
    at, losses, readings = ([point[i] for point in points] for i in range(3))
    right.plot(at, losses, color="#24292f", linewidth=1, label="answers")
    right.plot(at, readings, color="#0969da", linewidth=1, label="facts to read")
    right.set(xlabel="minutes of training", title="Losses in training (up to 1.2)", ylim=(0, 1.2))
    right.legend(frameon=False)
    for axes in (left, right):
        for end in ends[:-1]:
            axes.axvline(end, color="#d0d7de", linewidth=1, zorder=0)
    save(figure, path, left, right)


def draw_translator(progress, checkpoints, title, path):
    figure, left, right = panels()
    x = [row[4] for row in progress]
    left.plot(x, [row[2] for row in progress], color="#afb8c1", linewidth=0.8, label="training (dropout on, mixed text)")
    for name, label in NAMES.items():
        points = [(tokens_at(progress, step), losses[name]) for step, losses in checkpoints if name in losses]
        if points:
            left.plot(*zip(*points), color=COLORS[name], linewidth=1.6, marker="o", markersize=2.5, label=label)
    top = min(6.0, max(row[2] for row in progress))
    low = min(row[2] for row in progress) - 0.35  # room for the notes
    left.set(xlabel="million source and target tokens", ylabel="loss, nats a token", ylim=(low, top), title=title)
    start = 0.0
    for phase, rows in itertools.groupby(progress, key=lambda row: row[1]):
        end = list(rows)[-1][4]
        left.axvline(end, color="#d0d7de", linewidth=1, zorder=0)
        left.annotate(PHASES[phase], ((start + end) / 2, 0.01), xycoords=("data", "axes fraction"), ha="center", color="#57606a", fontsize=7)
        start = end
    left.legend(frameon=False)
    right.plot(x, [row[3] for row in progress], color="#0969da", label="learning rate")
    right.set(xlabel="million tokens", title="Learning rate; tokens a second (gray)")
    right.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    speed = right.twinx()
    speed.plot(x, [row[5] for row in progress], color="#afb8c1", linewidth=0.8)
    speed.set_ylim(0, None)
    save(figure, path, left, right, speed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", metavar="LOG", nargs="+", help="what `train` printed")
    parser.add_argument("--picture", required=True, help="SVG file to write")
    parser.add_argument("--title", default="Training", help="default: %(default)s")
    arguments = parser.parse_args()
    texts = []
    for path in arguments.logs:
        try:
            with open(path, encoding="utf-8") as file:
                texts.append(file.read())
        except OSError as error:
            sys.exit(f"draw_training.py: {error}")
    stages = [read_questions_log(text) for text in texts]
    if all(any(row[-1] for row in rows) for rows in stages):
        draw_questions(stages, arguments.title, arguments.picture)
        print(f"{arguments.picture}: {sum(map(len, stages))} epochs, {sum(row[3] for rows in stages for row in rows) / 60:.0f} minutes")
        return
    for path, rows in zip(arguments.logs, stages):
        if rows:
            sys.exit(f"draw_training.py: {path} has no development error")
    if len(texts) > 1:
        sys.exit("draw_training.py: only logs of train_ntm_questions.py can be several")
    progress, checkpoints = read_log(texts[0])
    if not progress or not checkpoints:
        sys.exit(f"draw_training.py: {arguments.logs[0]} has no lines of progress, or no checkpoint's")
    draw_translator(progress, checkpoints, arguments.title, arguments.picture)
    steps, _, _, _, tokens, _ = progress[-1]
    print(f"{arguments.picture}: {steps} updates, {tokens} M tokens")


if __name__ == "__main__":
    main()
