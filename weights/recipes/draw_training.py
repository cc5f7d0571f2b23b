#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what train_translator.py printed: losses, learning rate and speed over the tokens read.

    draw_training.py LOG --picture=FILE.svg [--title=TEXT]

LOG is all that `train` printed, of all runs on its folder; where a run was cut off and went on from a checkpoint, the later
lines count. Needs matplotlib.
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


def draw(progress, checkpoints, title, path):
    import matplotlib  # which nothing else here needs

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "heed", "font.family": "sans-serif"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=(2, 1), layout="constrained")
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
    for axes in (left, right, speed):
        axes.spines["top"].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", metavar="LOG", help="what `train` printed")
    parser.add_argument("--picture", required=True, help="SVG file to write")
    parser.add_argument("--title", default="Losses of training", help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        with open(arguments.log, encoding="utf-8") as file:
            progress, checkpoints = read_log(file.read())
    except OSError as error:
        sys.exit(f"draw_training.py: {error}")
    if not progress or not checkpoints:
        sys.exit(f"draw_training.py: {arguments.log} has no lines of progress, or no checkpoint's")
    draw(progress, checkpoints, arguments.title, arguments.picture)
    steps, _, _, _, tokens, _ = progress[-1]
    print(f"{arguments.picture}: {steps} updates, {tokens} M tokens")


if __name__ == "__main__":
    main()
