#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the Transformer behind weights/translator-en-de and writes it as a Hugging Face MarianMT directory.

    train_translator.py prepare --data=DIR --work=WORK            subword model and token ids
    train_translator.py train   --work=WORK --hours=2             resumes from the last checkpoint
    train_translator.py export  --work=WORK --output=DIR          averages checkpoints, stores f16
    train_translator.py score   --work=WORK --model=DIR           BLEU of greedy search on the development sets

The schedule follows the budget, which is wall-clock time (--hours) or updates (--updates), all runs on WORK together:
warm-up, the full learning rate, then a linear fall over the last --decay of it; translator_data.py says which text each
part of the budget reads. A resumed run reads the batches that an uninterrupted one would have read, unless the table of
corpora has changed; its dropout masks differ. A finished run can go on with a larger budget, and a new one can begin with a
trained model's weights (--init). Time for which the process is stopped (SIGSTOP) counts.

With --dtype=bfloat16 the network computes with a rounded copy of its weights; the weights themselves and what the
optimizer knows of them stay float32. Runs on a GPU if there is one. On a CPU, one process of one thread for each core
is fastest:

    setsid nohup torchrun --nproc-per-node=2 weights/recipes/train_translator.py train --work=WORK --hours=8 --dtype=bfloat16

For 10 minutes on one GPU (prepared with --vocabulary=16000; not tried yet):

    train_translator.py train --work=WORK --hours=0.15 --dtype=bfloat16 --d-model=384 --ffn=1536 --heads=6 --dropout=0.15 \\
        --batch-tokens=48000 --rate=1e-3 --warmup=1500 --decay=0.6 --saves=24
    train_translator.py export --work=WORK --output=DIR --average=1,3,5,8

Needs PyTorch (2.4 or newer), numpy and sentencepiece; `score` also sacrebleu.
"""

import argparse
import contextlib
import datetime
import json
import os
import random
import shutil
import sys
import time

import numpy
import sentencepiece
import torch
import torch.distributed

import safetensors_file
import translator_data
import warm_start
from translator_model import EOS, POSITIONS, Marian, greedy, loss_of

VALIDATION_PAIRS = 150  # of each development set, after each checkpoint

# ------------------------------------------------------------------------------------------------------ training


def learning_rate(step, fraction, arguments):
    """Of update number `step` (from 0), at this part of the budget."""
    rate = arguments.rate * min(1.0, (step + 1) / arguments.warmup)
    return rate * min(1.0, max(0.02, (1 - fraction) / arguments.decay))


class Workers:
    """The processes that share an update, as torchrun starts them; one by itself otherwise. Each reads a batch of its
    own; gradients are averaged."""

    def __init__(self, device):
        self.rank, self.count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if self.count > 1:
            day = datetime.timedelta(days=1)  # a stopped process (SIGSTOP) is no failure
            torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=day)

    def average(self, values):
        """Averages a flat tensor over the processes, in place."""
        if self.count > 1:
            torch.distributed.all_reduce(values)
            values /= self.count


class FlatWeights:
    """The weights of a model in one flat float32 tensor, `values`, and their gradients in another, so that an update is a few
    operations. The gradients end with two more values, the loss of an update and the part of the budget that was spent: one
    reduction over the workers carries all that they must agree on. With `rounded`, the model computes with a bfloat16 copy
    of the weights and has bfloat16 gradients; else it reads `values` itself."""

    ALIGNMENT = 64  # weights from one parameter's start to the next one's: whole cache lines

    def __init__(self, model, rounded):
        parameters = dict(model.named_parameters())
        self.places, size = {}, 0  # {name: (first, past the last, shape)}
        for name, parameter in parameters.items():
            self.places[name] = (size, size + parameter.numel(), parameter.shape)
            size += -(-parameter.numel() // self.ALIGNMENT) * self.ALIGNMENT
        device = next(iter(parameters.values())).device
        self.values = torch.nn.Parameter(torch.zeros(size, device=device))
        for name, (first, last, _) in self.places.items():
            self.values.data[first:last] = parameters[name].detach().flatten()
        self.reduced = torch.zeros(size + 2, device=device)
        self.gradients = self.values.grad = self.reduced[:size]
        self.rounded = rounded
        self.copy = self.values.detach().to(torch.bfloat16) if rounded else self.values.detach()
        self.copy_gradients = torch.zeros_like(self.copy) if rounded else self.gradients
        for name, (first, last, shape) in self.places.items():
            parameter = torch.nn.Parameter(self.copy[first:last].view(shape))
            parameter.grad = self.copy_gradients[first:last].view(shape)
            owner, _, own_name = name.rpartition(".")
            setattr(model.get_submodule(owner), own_name, parameter)

    def state(self):
        """{name: float32 weights}, as the model's state_dict has them."""
        return {name: self.values.detach()[first:last].view(shape).clone() for name, (first, last, shape) in self.places.items()}

    def clear(self):
        self.copy_gradients.zero_()

    def gather(self):
        """Brings the model's gradients into `reduced`."""
        if self.rounded:
            self.gradients.copy_(self.copy_gradients)

    def clip(self, norm):
        """An update with gradients that are not finite becomes one without gradients."""
        self.gradients.nan_to_num_(0.0, 0.0, 0.0)
        self.gradients *= (norm / (self.gradients.norm() + 1e-6)).clamp(max=1.0)

    def publish(self):
        """The model computes with the present values from here on."""
        if self.rounded:
            self.copy.copy_(self.values.detach())


def autocast(device, dtype):
    return torch.autocast(device.type, torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()


class Resident:
    """Token rows (translator_data.Tokens) on the device that trains, where batches are put together: what crosses over for
    an update is row numbers."""

    def __init__(self, tokens, pad, device):
        self.pad, self.lengths = pad, [tokens.lengths(side) for side in (0, 1)]
        self.sides = [
            (torch.from_numpy(flat.astype(numpy.int32)).to(device), torch.from_numpy(ends.astype(numpy.int64)).to(device))
            for flat, ends in tokens.sides
        ]

    def tokens_of(self, rows):
        """Source and target tokens of the rows, without padding."""
        return sum(int(lengths[rows].sum()) for lengths in self.lengths)

    def batch(self, rows):
        """(source, target) [rows, longest]"""
        index = torch.from_numpy(rows.astype(numpy.int32)).to(self.sides[0][0].device, non_blocking=True).long()
        result = []
        for (flat, ends), lengths in zip(self.sides, self.lengths):
            first, end = ends[index][:, None], ends[index + 1][:, None]
            places = first + torch.arange(int(lengths[rows].max()), device=flat.device)
            result.append(torch.where(places < end, flat[places.clamp_max(len(flat) - 1)].long(), self.pad))
        return tuple(result)


def losses_of(model, development, loss_of, arithmetic, pairs):
    """{development set: negative log-likelihood a token of its first pairs}; `development` is {name: Resident}, `arithmetic`
    the context that the network runs in."""
    model.eval()
    losses = {}
    with torch.no_grad(), arithmetic:
        for name, tokens in development.items():
            rows = numpy.arange(min(pairs, len(tokens.lengths[0])))
            rows = rows[numpy.argsort(tokens.lengths[0][rows])]
            total, count = 0.0, 0
            for part in numpy.array_split(rows, -(-len(rows) // 50)):
                source, target = tokens.batch(part)
                kept = (target != tokens.pad).sum()
                total, count = total + loss_of(model, source, target, 0.0) * kept, count + kept
            losses[name] = float(total / count)
    model.train()
    return losses


class Run:
    """A training run: all that a checkpoint holds."""

    def __init__(self, arguments, device, workers):
        self.arguments, self.device, self.workers = arguments, device, workers
        if device.type == "cuda":
            torch.backends.cuda.enable_cudnn_sdp(False)  # which plans anew for each length
        shape = {"vocabulary": len(translator_data.vocabulary_of(arguments.work)), **self.shape_of(arguments)}
        self.model = self.model_of(shape, arguments).to(device)
        self.step, self.seconds, self.tokens, positions = 0, 0.0, 0, None
        path, saved = f"{arguments.work}/checkpoint.pt", None
        if os.path.exists(path):
            saved = torch.load(path, map_location=device, weights_only=True)
            if saved["shape"] != shape:
                sys.exit(f"{path} was trained as {saved['shape']}, not {shape}")
            self.model.load_state_dict(saved["model"])
            self.step, self.seconds, self.tokens, positions = (saved[name] for name in ("step", "seconds", "tokens", "positions"))
            if "repeats" not in saved:
                sys.exit(f"{path} was written by an older recipe, which did not keep the mix; `export` it, and begin with it (--init)")
            if saved["repeats"] != translator_data.CORPORA:
                positions = [(epoch + 1, 0) for epoch, _ in positions]
                if workers.rank == 0:
                    print(f"the mix was {saved['repeats']} and is {translator_data.CORPORA}: each phase begins a new epoch", flush=True)
        elif (weights := self.first_weights(shape, arguments, workers)) is not None:
            self.model.load_state_dict(weights)
        self.weights = FlatWeights(self.model, self.rounds and arguments.dtype == "bfloat16")
        self.optimizer = torch.optim.Adam([self.weights.values], lr=0.0, betas=(0.9, 0.98), eps=1e-9, fused=True)
        if saved:
            self.optimizer.load_state_dict(saved["optimizer"])
        training, development = translator_data.load_tokens(arguments.work)
        self.development = {name: Resident(tokens, self.model.pad, device) for name, tokens in development.items()}
        self.mix = translator_data.Mix(training, arguments.batch_tokens // workers.count, positions)
        self.tokens_of_mix = Resident(self.mix.tokens, self.model.pad, device)
        self.began = time.monotonic() - self.seconds

    # What a recipe of another network has otherwise (train_rnn_translator.py).

    rounds = True  # bfloat16: computes with rounded weights; else with autocast

    @staticmethod
    def shape_of(arguments):
        """{what: number} that makes the network, beside the size of the vocabulary."""
        return {name: getattr(arguments, name) for name in ("d_model", "ffn", "heads", "encoder_layers", "decoder_layers")}

    @staticmethod
    def model_of(shape, arguments):
        return Marian(shape, arguments.dropout)

    @staticmethod
    def first_weights(shape, arguments, workers):
        """{name: weights} that training begins with; None for random ones."""
        if not arguments.init:
            return None
        try:
            weights, report = warm_start.initial(shape, arguments.init, translator_data.vocabulary_of(arguments.work))
        except (OSError, ValueError) as error:
            sys.exit(f"--init: {error}")
        if workers.rank == 0:
            print(report, flush=True)
        return weights

    @staticmethod
    def loss_of(model, source, target, smoothing):
        return loss_of(model, source, target, smoothing)

    def fraction(self):
        """The part of the budget that is spent."""
        if self.arguments.updates:
            return self.step / self.arguments.updates
        return (time.monotonic() - self.began) / (self.arguments.hours * 3600)

    def arithmetic(self):
        """The context that the network runs in."""
        return contextlib.nullcontext() if self.weights.rounded else autocast(self.device, self.arguments.dtype)

    def validate(self):
        """{development set: negative log-likelihood a token}"""
        return losses_of(self.model, self.development, self.loss_of, self.arithmetic(), VALIDATION_PAIRS)

    def save(self):
        """checkpoint.pt to resume from, and the weights alone for the average."""
        work = self.arguments.work
        self.seconds = time.monotonic() - self.began
        state = {name: getattr(self, name) for name in ("step", "seconds", "tokens")}
        state |= {"shape": self.model.shape, "model": self.weights.state(), "positions": self.mix.positions}
        state["repeats"] = translator_data.CORPORA
        torch.save(state, f"{work}/step-{self.step:07d}.pt")
        torch.save({**state, "optimizer": self.optimizer.state_dict()}, f"{work}/checkpoint.pt.partial")
        os.replace(f"{work}/checkpoint.pt.partial", f"{work}/checkpoint.pt")
        for old in snapshots(work)[: -self.arguments.keep]:
            os.remove(old)
        figures = " ".join(f"{name}={figure:.3f}" for name, figure in self.validate().items())
        print(f"checkpoint at update {self.step}, {self.seconds / 3600:.2f} h: {figures}", flush=True)

    def train(self):
        arguments, workers, model = self.arguments, self.workers, self.model
        weights = self.weights
        model.train()
        agreed = torch.tensor([self.fraction()], device=self.device)
        workers.average(agreed)
        fraction = agreed.item()
        next_save = int(fraction * arguments.saves) + 1
        loss_sum, reported_at, reported_step, reported_tokens = 0.0, time.monotonic(), self.step, self.tokens
        while fraction < 1:
            phase = translator_data.phase_of(fraction)
            drawn = [self.mix.next(phase) for _ in range(workers.count)]
            source, target = self.tokens_of_mix.batch(drawn[workers.rank])
            weights.clear()
            with self.arithmetic():
                loss = self.loss_of(model, source, target, arguments.smoothing)
            loss.backward()
            weights.gather()
            weights.reduced[-2] = loss.detach()
            weights.reduced[-1] = self.fraction()
            workers.average(weights.reduced)
            loss_sum += weights.reduced[-2].clone()
            weights.clip(1.0)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.step, fraction, arguments)
            self.optimizer.step()
            weights.publish()
            self.step += 1
            self.tokens += sum(self.tokens_of_mix.tokens_of(rows) for rows in drawn)
            if arguments.updates:
                fraction = self.step / arguments.updates
            elif workers.count > 1:
                fraction = weights.reduced[-1].item()
            else:
                fraction = self.fraction()
            if workers.rank == 0 and self.step % arguments.report_every == 0:
                now, steps = time.monotonic(), self.step - reported_step
                speed = (self.tokens - reported_tokens) / (now - reported_at)
                if arguments.updates:
                    left = (now - reported_at) / steps * (arguments.updates - self.step)
                else:
                    left = arguments.hours * 3600 * (1 - fraction)
                print(
                    f"update {self.step} {fraction:.1%} phase {phase} loss {float(loss_sum) / steps:.3f} "
                    f"rate {learning_rate(self.step, fraction, arguments):.1e} {self.tokens / 1e6:.2f} M tokens "
                    f"{speed:.0f} tokens/s {left / 60:.0f} min left",
                    flush=True,
                )
                loss_sum, reported_at, reported_step, reported_tokens = 0.0, now, self.step, self.tokens
            if fraction * arguments.saves >= next_save or fraction >= 1:
                if workers.rank == 0:
                    self.save()  # which takes time: of the saves that fell into it, none comes after it
                next_save = int(self.fraction() * arguments.saves) + 1


def train(arguments, run_class=Run):
    device = device_of(arguments)
    workers = Workers(device)
    if device.type == "cuda" and workers.count > 1:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(translator_data.SEED)  # the same initial weights in every worker
    random.seed(translator_data.SEED + workers.rank)
    run = run_class(arguments, device, workers)
    if workers.rank == 0:
        budget = f"{arguments.updates} updates" if arguments.updates else f"{arguments.hours} h"
        print(
            f"{sum(p.numel() for p in run.model.parameters())} weights on {workers.count} x {device}, {arguments.dtype}; "
            f"from update {run.step}, {run.seconds / 3600:.2f} h, to {budget}",
            flush=True,
        )
    run.train()


def snapshots(work):
    return sorted(f"{work}/{name}" for name in os.listdir(work) if name.startswith("step-") and name.endswith(".pt"))


# -------------------------------------------------------------------------------------------------------- export


def configurations(shape):
    """{name: content} of config.json, generation_config.json and tokenizer_config.json."""
    pad = shape["vocabulary"] - 1
    config = {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        "activation_function": "relu",
        "d_model": shape["d_model"],
        "vocab_size": shape["vocabulary"],
        "decoder_vocab_size": shape["vocabulary"],
        "encoder_layers": shape["encoder_layers"],
        "decoder_layers": shape["decoder_layers"],
        "encoder_attention_heads": shape["heads"],
        "decoder_attention_heads": shape["heads"],
        "encoder_ffn_dim": shape["ffn"],
        "decoder_ffn_dim": shape["ffn"],
        "max_position_embeddings": POSITIONS,
        "scale_embedding": True,
        "share_encoder_decoder_embeddings": True,
        "tie_word_embeddings": True,
        "static_position_embeddings": True,
        "normalize_before": False,
        "normalize_embedding": False,
        "is_encoder_decoder": True,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "init_std": 0.02,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "pad_token_id": pad,
        "decoder_start_token_id": pad,
        "torch_dtype": "float16",
        "use_cache": True,
    }
    last = shape["decoder_layers"] - 1
    generation = {
        "alignment_heads": [[last, head] for head in range(shape["heads"])],  # tests/quality/alignment.py tries others
        "bad_words_ids": [[pad]],
        "decoder_start_token_id": pad,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "max_length": POSITIONS,
        "num_beams": 4,
        "pad_token_id": pad,
        "renormalize_logits": True,
    }
    tokenizer = {
        "source_lang": "en",
        "target_lang": "de",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "model_max_length": POSITIONS,
        "separate_vocabs": False,
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "MarianTokenizer",
    }
    return {"config": config, "generation_config": generation, "tokenizer_config": tokenizer}


def device_of(arguments):
    return torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def development_of(arguments, pad, device):
    """{development set: Resident}"""
    return {name: Resident(tokens, pad, device) for name, tokens in translator_data.load_tokens(arguments.work)[1].items()}


def average_of(states):
    """{name: weights in double} of several checkpoints."""
    return {name: sum(state["model"][name].double() for state in states) / len(states) for name in states[0]["model"]}


def chosen_average(states, arguments):
    """The average of the last checkpoints whose development sets (translator_data.DEVELOPMENT) have the lowest mean loss:
    of as many checkpoints as one of the numbers in --average says."""
    counts = sorted({min(int(count), len(states)) for count in arguments.average.split(",")})
    averages = {count: average_of(states[-count:]) for count in counts}
    if len(counts) > 1:
        device, best = device_of(arguments), {}
        model = Marian(states[0]["shape"], 0.0).to(device)
        development = development_of(arguments, model.pad, device)
        for count, tensors in averages.items():
            model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
            losses = losses_of(model, development, loss_of, contextlib.nullcontext(), arguments.validation_pairs)
            best[count] = sum(losses[name] for name in translator_data.DEVELOPMENT) / len(translator_data.DEVELOPMENT)
            print(f"average of {count}:", " ".join(f"{name}={figure:.4f}" for name, figure in losses.items()), flush=True)
        counts = [min(best, key=best.get)]
    print(f"averaging the last {counts[0]} checkpoints")
    return averages[counts[0]]


def export(arguments):
    """Averages the last checkpoints and writes config.json, generation_config.json, model.safetensors, source.spm,
    target.spm, vocab.json and tokenizer_config.json, as transformers' MarianMTModel and MarianTokenizer read them."""
    paths = snapshots(arguments.work)[-max(map(int, arguments.average.split(","))) :]
    if not paths:
        sys.exit(f"no checkpoint in {arguments.work}: run `train` first")
    states = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    shape = states[0]["shape"]
    tensors = {name: tensor.half() for name, tensor in chosen_average(states, arguments).items()}
    pad = shape["vocabulary"] - 1
    tensors["model.shared.weight"][pad] = 0
    tensors["final_logits_bias"][:, pad] = 0
    os.makedirs(arguments.output, exist_ok=True)
    safetensors_file.write(f"{arguments.output}/model.safetensors", tensors)
    for name in ("source.spm", "target.spm"):
        shutil.copyfile(f"{arguments.work}/joint.model", f"{arguments.output}/{name}")
    for name, content in configurations(shape).items():
        translator_data.write_json(f"{arguments.output}/{name}.json", content)
    translator_data.write_json(f"{arguments.output}/vocab.json", translator_data.vocabulary_of(arguments.work), None)
    size = sum(os.path.getsize(f"{arguments.output}/{name}") for name in os.listdir(arguments.output))
    print(f"{arguments.output}: {size / 1e6:.1f} MB, {sum(t.numel() for t in tensors.values())} weights")


def score(arguments):
    """Prints BLEU of greedy search on the development sets, against their text as the subword model spells it: a figure to
    compare runs by, a little off sacrebleu's own on the files."""
    import sacrebleu  # which nothing else here needs

    device = device_of(arguments)
    with open(f"{arguments.model}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    names = {"vocabulary": "vocab_size", "d_model": "d_model", "ffn": "encoder_ffn_dim", "heads": "encoder_attention_heads"}
    names |= {name: name for name in ("encoder_layers", "decoder_layers")}
    model = Marian({ours: config[theirs] for ours, theirs in names.items()}, 0.0)
    tensors = safetensors_file.read(f"{arguments.model}/model.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    model.to(device).eval()
    subwords = sentencepiece.SentencePieceProcessor(model_file=f"{arguments.work}/joint.model")
    for name, tokens in development_of(arguments, model.pad, device).items():
        translations, references = [], []
        rows = numpy.argsort(tokens.lengths[0][: arguments.validation_pairs], kind="stable")
        for part in numpy.array_split(rows, -(-len(rows) // 100)):
            source, target = tokens.batch(part)
            translations += decoded(subwords, greedy(model, source))
            references += decoded(subwords, target)
        print(f"{name}, greedy search: BLEU {sacrebleu.corpus_bleu(translations, [references]).score:.1f}", flush=True)
        for translation, reference in list(zip(translations, references))[:: max(1, len(rows) // 5)]:
            print(f"    {translation[:200]}\n        {reference[:200]}")


def decoded(subwords, ids):
    """The text of each row of ids [rows, length], up to its EOS."""
    rows = ids.tolist()
    return subwords.decode([row[: row.index(EOS)] if EOS in row else row for row in rows])


def take_subwords(path, work):
    """Makes a SentencePiece model that of WORK."""
    try:
        subwords = sentencepiece.SentencePieceProcessor(model_file=path)
        if subwords.eos_id() != EOS:
            sys.exit(f"--subwords: {path}: </s> has the id {subwords.eos_id()}, not {EOS}")
        os.makedirs(work, exist_ok=True)
        shutil.copyfile(path, f"{work}/joint.model")
    except (OSError, RuntimeError) as error:  # of sentencepiece
        sys.exit(f"--subwords: {path}: {error}")


def prepare(arguments):
    if arguments.subwords:
        take_subwords(arguments.subwords, arguments.work)
    translator_data.prepare(arguments.data, arguments.work, arguments.vocabulary, arguments.made_up_pairs)


def add_development_arguments(command):
    command.add_argument("--validation-pairs", type=int, default=1000, help="of each development set (%(default)s)")
    command.add_argument("--device", default="", help="cpu or cuda; empty: cuda if there is one")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare", help="subword model and token ids")
    command.add_argument("--data", required=True, help="folder of multi30k/, tatoeba/, msdocs-support/ ...")
    command.add_argument("--work", required=True, help="folder for tokens and checkpoints, outside the repository")
    subwords = command.add_mutually_exclusive_group()
    subwords.add_argument("--vocabulary", type=int, default=8000, help="subwords, shared by both languages (%(default)s)")
    subwords.add_argument("--subwords", default="", help="SentencePiece model to take as it is, of weights that training begins with")
    command.add_argument("--made-up-pairs", type=int, default=80000, help="pairs that made_up_text.py writes (%(default)s)")
    command = commands.add_parser("train", help="train, from the last checkpoint if there is one")
    command.add_argument("--work", required=True)
    budget = command.add_mutually_exclusive_group(required=True)
    budget.add_argument("--hours", type=float, default=0.0, help="budget: hours of wall-clock time of all runs on WORK")
    budget.add_argument("--updates", type=int, default=0, help="budget: updates of all runs on WORK")
    command.add_argument("--init", default="", help="model directory to begin with, not larger (warm_start.py); a run that resumes does not read it")
    command.add_argument("--decay", type=float, default=0.4, help="the learning rate falls over this last part of the budget")
    command.add_argument("--warmup", type=int, default=600, help="updates until the full learning rate (%(default)s)")
    command.add_argument("--rate", type=float, default=8e-4, help="full learning rate (%(default)s)")
    command.add_argument("--batch-tokens", type=int, default=4000, help="source and target tokens of one update (%(default)s)")
    command.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="of matrix products (%(default)s)")
    command.add_argument("--dropout", type=float, default=0.1)
    command.add_argument("--smoothing", type=float, default=0.1, help="label smoothing (%(default)s)")
    command.add_argument("--d-model", type=int, default=256)
    command.add_argument("--ffn", type=int, default=1024)
    command.add_argument("--heads", type=int, default=4)
    command.add_argument("--encoder-layers", type=int, default=6)
    command.add_argument("--decoder-layers", type=int, default=2)
    command.add_argument("--saves", type=int, default=50, help="checkpoints in the whole budget (%(default)s)")
    command.add_argument("--keep", type=int, default=12, help="checkpoints kept for averaging (%(default)s)")
    command.add_argument("--report-every", type=int, default=50, help="updates between two lines of progress (%(default)s)")
    command.add_argument("--threads", type=int, default=0, help="CPU threads; 0: PyTorch's own choice")
    command.add_argument("--device", default="", help="cpu or cuda; empty: cuda if there is one")
    command = commands.add_parser("export", help="write the model directory")
    command.add_argument("--work", required=True)
    command.add_argument("--output", required=True, help="model directory to write")
    command.add_argument("--average", default="6", help="checkpoints to average; of several numbers, the best (%(default)s)")
    add_development_arguments(command)
    command = commands.add_parser("score", help="BLEU of greedy search on the development sets")
    command.add_argument("--work", required=True)
    command.add_argument("--model", required=True, help="an exported directory")
    add_development_arguments(command)
    arguments = parser.parse_args()
    {"prepare": prepare, "train": train, "export": export, "score": score}[arguments.command](arguments)


if __name__ == "__main__":
    main()
