#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the XLNet behind weights/xlnet-novels and writes it as a Hugging Face XLNetLMHeadModel directory.

    train_xlnet.py prepare  --data=NOVELS --work=WORK       SentencePiece model and token ids
    train_xlnet.py train    --work=WORK --seconds=10800     resumes from the last checkpoint
    train_xlnet.py evaluate --work=WORK                     on `valid`, beside a model of 4-grams
    train_xlnet.py export   --work=WORK --output=DIR        stores f16

NOVELS has train.txt.gz and valid.txt.gz, a paragraph a line (novels_data.py); <eop> ends a paragraph. BATCHES says what an
update predicts: spans of 1 to 5 pieces, a sixth of a window, in a random order for each window (xlnet_sequences.py); or
the pieces of a window from left to right, so that the weights also score and write text. Some windows are short, because
served texts are. The weights that are exported are an average over updates, and of these the one that is best on `dev`.

Runs on a GPU if there is one. Needs PyTorch (2.4 or newer) and numpy; `prepare` needs sentencepiece, too.
"""

import argparse
import math
import shutil

import torch
from torch.nn import functional

import language_model_training
import novels_data
from language_model_training import Training, autocast, device_of, load_best, load_ids, write_directory
from n_gram_model import ORDER, NGramModel
from xlnet_model import XLNet, configuration, tokenizer_configuration
from xlnet_sequences import Sampler

# One update after the other: (how targets are drawn, part of --length). A window of half the length has two rows.
BATCHES = [
    ("permuted", 1), ("left_to_right", 1), ("permuted", 1), ("permuted", 4),
    ("permuted", 1), ("left_to_right", 2), ("permuted", 2), ("permuted", 8),
]  # fmt: skip
VISIBLE = (2, 4, 8, 16, 32, 64, 128)  # pieces around a masked one, whose losses are measured
EVALUATED_ROWS = 32


def mean_loss(model, batch):
    logits = model(*batch.inputs()).flatten(0, 1)
    losses = functional.cross_entropy(logits.float(), batch.wanted().flatten(), reduction="none")
    return (losses * batch.weights.flatten()).sum() / batch.weights.sum().clamp(min=1)  # short windows may have no target


def draw(sampler, step, arguments):
    kind, part = BATCHES[step % len(BATCHES)]
    rows = arguments.rows * part // (2 if kind == "left_to_right" else 1)
    return getattr(sampler, kind)(max(1, rows), arguments.length // part)


def dev_loss(model, text, arguments):
    """The mean of the losses of both kinds of batch, the same windows each time."""
    sampler = Sampler(text, language_model_training.SEED)
    losses = [mean_loss(model, draw(sampler, step, arguments)) for step in range(arguments.dev_batches)]
    kinds = [BATCHES[step % len(BATCHES)][0] for step in range(arguments.dev_batches)]
    means = [
        float(sum(part) / len(part))
        for kind in ("permuted", "left_to_right")
        if (part := [loss for loss, of in zip(losses, kinds) if of == kind])
    ]
    print("dev: permuted, left to right", " ".join(f"{mean:.3f}" for mean in means))
    return sum(means) / len(means)


def train(arguments):
    device = device_of(arguments)
    ids = load_ids(f"{arguments.work}/pieces.npz", device)
    shape = {name: getattr(arguments, name) for name in ("d_model", "heads", "ffn", "layers", "vocabulary")}
    model = XLNet(shape, arguments.dropout).to(device)
    training = Training(model, arguments, device)
    sampler = Sampler(ids["train"], language_model_training.SEED + training.step)

    def batch_loss(_, step):
        batch = draw(sampler, step, arguments)
        return mean_loss(model, batch), batch.ids.numel()

    training.run(batch_loss, lambda average: dev_loss(average, ids["dev"], arguments))


# ------------------------------------------------------------------------------------------------------ evaluation


def masked(model, windows, place):
    """windows [N, T] with one piece masked -> log-probabilities at this place [N, vocabulary]"""
    rows, length = windows.shape
    visible = torch.ones(rows, 1, length, dtype=torch.bool, device=windows.device)
    visible[:, :, place] = False
    places = torch.full((rows, 1), place, device=windows.device)
    return torch.log_softmax(model(windows, visible.expand(-1, length, -1), places, visible)[:, 0].float(), dim=-1)


def report(name, scores, wanted):
    """scores [N, vocabulary] of log-probabilities, wanted [N]"""
    right = (scores.argmax(1) == wanted).double().mean().item()
    loss = -scores.gather(1, wanted[:, None]).mean().item()
    print(f"valid, one masked piece, {name}: top-1 {right:.2%}, loss {loss:.3f}", flush=True)


def masked_pieces(model, n_grams, text, arguments):
    """One masked piece at a time: the network with the same number of pieces on both sides, and the 4-grams."""
    most = max(VISIBLE) // 2
    generator = torch.Generator().manual_seed(language_model_training.SEED)
    at = most + torch.randperm(len(text) - 2 * most, generator=generator)[: arguments.positions].to(text.device)
    wanted = text[at]
    for visible in VISIBLE:
        half = visible // 2
        around = text[at[:, None] + torch.arange(-half, half + 1, device=text.device)]
        with autocast(text.device, arguments.dtype):
            scores = torch.cat([masked(model, part, half) for part in around.split(EVALUATED_ROWS)])
        report(f"{visible} pieces around", scores, wanted)
    around = text[at[:, None] + torch.arange(1 - ORDER, ORDER, device=text.device)]
    for name, both in (("4-grams before", False), ("4-grams before and after", True)):
        report(name, torch.cat([n_grams.scores(part, both) for part in around.split(EVALUATED_ROWS)]), wanted)


def left_to_right(model, n_grams, text, arguments):
    """The loss of each piece by those before it: the second half of windows, which begin each half a window."""
    length = arguments.length
    windows = text.unfold(0, length, length // 2)
    place = torch.arange(length, device=text.device)
    losses = []
    for part in windows.split(EVALUATED_ROWS):
        rows = len(part)
        with autocast(text.device, arguments.dtype):
            logits = model(
                part,
                (place <= place[:, None]).expand(rows, -1, -1),
                place.expand(rows, -1),
                (place < place[:, None]).expand(rows, -1, -1),
            )
        flat = functional.cross_entropy(logits.float().flatten(0, 1), part.flatten(), reduction="none")
        losses.append(flat.view(rows, length))
    losses = torch.cat(losses).mean(0)
    grams = n_grams.probabilities(text.unfold(0, ORDER, 1)).log()
    half = losses[length // 2 :].mean().item()
    print(f"valid, left to right, {length // 2} or more before: loss {half:.3f}, perplexity {math.exp(half):.2f}")
    print(f"valid, left to right, 4-grams: loss {-grams.mean().item():.3f}, perplexity {math.exp(-grams.mean()):.2f}")
    starts = [1, 2, 4, 8, 16, 32, 64, 128, length]
    for start, end in zip(starts, starts[1:]):
        if start < length:
            print(f"valid, left to right, {start} to {min(end, length) - 1} before: loss {losses[start:end].mean():.3f}")


def evaluate(arguments):
    device = device_of(arguments)
    model = load_best(arguments.work, XLNet).to(device)
    ids = load_ids(f"{arguments.work}/pieces.npz", device)
    n_grams = NGramModel(ids["train"], model.shape["vocabulary"])
    with torch.no_grad():
        masked_pieces(model, n_grams, ids["valid"], arguments)
        left_to_right(model, n_grams, ids["valid"], arguments)


def export(arguments):
    model = load_best(arguments.work, XLNet)
    configurations = {"config": configuration(model.shape, "XLNetLMHeadModel")}
    configurations["tokenizer_config"] = tokenizer_configuration()
    write_directory(arguments.output, model, configurations)
    shutil.copyfile(f"{arguments.work}/spiece.model", f"{arguments.output}/spiece.model")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare", help="SentencePiece model and token ids")
    command.add_argument("--data", required=True, help="folder of train.txt.gz and valid.txt.gz")
    command.add_argument("--work", required=True, help="folder for tokens and checkpoints, outside the repository")
    command.add_argument("--vocabulary", type=int, default=8000, help="pieces (%(default)s)")
    command = commands.add_parser("train", help="train, from the last checkpoint if there is one")
    command.add_argument("--work", required=True)
    language_model_training.add_budget(command, rate=1e-3, warmup=500, weight_decay=0.05)
    command.add_argument("--rows", type=int, default=64, help="windows of --length in an update (%(default)s)")
    command.add_argument("--length", type=int, default=192, help="pieces of a window (%(default)s)")
    command.add_argument("--dropout", type=float, default=0.15)
    command.add_argument("--vocabulary", type=int, default=8000)
    command.add_argument("--d-model", type=int, default=256)
    command.add_argument("--heads", type=int, default=4)
    command.add_argument("--ffn", type=int, default=1024)
    command.add_argument("--layers", type=int, default=6)
    command.add_argument("--dev-batches", type=int, default=24, help="of dev, which choose the weights (%(default)s)")
    command = commands.add_parser("evaluate", help="on `valid`, beside a model of 4-grams")
    command.add_argument("--work", required=True)
    command.add_argument("--positions", type=int, default=4000, help="masked pieces (%(default)s)")
    command.add_argument("--length", type=int, default=192, help="pieces of a window, left to right (%(default)s)")
    language_model_training.add_device(command)
    command = commands.add_parser("export", help="write the model directory")
    command.add_argument("--work", required=True)
    command.add_argument("--output", required=True, help="model directory to write")
    arguments = parser.parse_args()
    actions = {"train": train, "evaluate": evaluate, "export": export}
    actions["prepare"] = lambda given: novels_data.prepare_pieces(given.data, given.work, given.vocabulary)
    actions[arguments.command](arguments)


if __name__ == "__main__":
    main()
