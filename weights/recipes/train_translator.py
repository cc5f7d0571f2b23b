#!/usr/bin/env python3
"""Trains the Transformer behind weights/translator-en-de and writes it as a Hugging Face MarianMT directory.

    train_translator.py prepare --data=DIR --work=DIR            subword model and token ids
    train_translator.py train   --work=DIR --steps=N             resumes from the last checkpoint
    train_translator.py export  --work=DIR --output=DIR          averages checkpoints, stores f16

DIR of --data holds multi30k/{train,val}.{en,de}.gz and tatoeba/eng-deu.tsv.gz; phrasebook.tsv beside this file, of our
own writing, adds the commonest phrases that those two lack ("Good morning."). The learning rate warms up, stays, and
falls linearly over the last --decay-steps of --steps, so a run can be prolonged before its fall begins. Needs PyTorch
(1.13 or newer) and sentencepiece; runs on CPU or GPU.
"""

import argparse
import gzip
import json
import math
import os
import random
import shutil
import sys
import time

import sentencepiece
import torch
import torch.nn as nn
import torch.nn.functional as F

import safetensors_file

SEED = 20260117
POSITIONS = 512  # rows of the position table, and so the longest sentence in tokens

# ---------------------------------------------------------------------------------------------------------- data


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file]


def read_corpora(data):
    """(captions, everyday, phrases, validation): lists of (english, german)."""
    captions = list(zip(read_lines(f"{data}/multi30k/train.en.gz"), read_lines(f"{data}/multi30k/train.de.gz")))
    validation = list(zip(read_lines(f"{data}/multi30k/val.en.gz"), read_lines(f"{data}/multi30k/val.de.gz")))
    everyday = [tuple(line.split("\t")[:2]) for line in read_lines(f"{data}/tatoeba/eng-deu.tsv.gz") if "\t" in line]
    with open(f"{os.path.dirname(os.path.abspath(__file__))}/phrasebook.tsv", encoding="utf-8") as file:
        phrases = [tuple(line.rstrip("\n").split("\t")) for line in file]
    return captions, everyday, phrases, validation


def train_subwords(arguments, pairs):
    text = f"{arguments.work}/subwords.txt"
    with open(text, "w", encoding="utf-8") as file:
        for english, german in pairs:
            file.write(english + "\n" + german + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=text,
        model_prefix=f"{arguments.work}/joint",
        vocab_size=arguments.vocabulary,
        model_type="unigram",
        character_coverage=1.0,
        num_threads=1,  # the sums of several depend on who comes first
        bos_id=-1,
        pad_id=-1,
        eos_id=0,
        unk_id=1,
        minloglevel=1,
    )
    os.remove(text)


def prepare(arguments):
    os.makedirs(arguments.work, exist_ok=True)
    captions, everyday, phrases, validation = read_corpora(arguments.data)
    if not os.path.exists(f"{arguments.work}/joint.model"):
        train_subwords(arguments, captions + everyday)
    subwords = sentencepiece.SentencePieceProcessor(model_file=f"{arguments.work}/joint.model")
    encoded = {
        name: [(subwords.encode(english), subwords.encode(german)) for english, german in pairs]
        for name, pairs in (
            ("captions", captions),
            ("everyday", everyday),
            ("phrases", phrases),
            ("validation", validation),
        )
    }
    for name, pairs in encoded.items():
        tokens = sum(len(source) + len(target) + 2 for source, target in pairs)
        print(f"{name}: {len(pairs)} pairs, {tokens} tokens")
    torch.save(encoded, f"{arguments.work}/tokens.pt")


def batches(pairs, budget, rng):
    """Groups pairs of like length into batches of at most `budget` source and target tokens, in random order."""
    order = sorted(range(len(pairs)), key=lambda i: (len(pairs[i][0]) + len(pairs[i][1]), rng.random()))
    groups, group, longest = [], [], 0
    for i in order:
        source, target = pairs[i]
        longest_then = max(longest, len(source) + len(target) + 2)
        if group and longest_then * (len(group) + 1) > budget:
            groups.append(group)
            group, longest_then = [], len(source) + len(target) + 2
        group.append(i)
        longest = longest_then
    if group:
        groups.append(group)
    rng.shuffle(groups)
    return groups


def padded(rows, fill):
    width = max(len(row) for row in rows)
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows])


# --------------------------------------------------------------------------------------------------------- model


class Dropout(nn.Module):
    """Inverted dropout whose masks are windows into one pool of random masks: drawing fresh ones costs a tenth of a
    training step on a CPU."""

    POOL = 1 << 23

    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.pool = None

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        if x.device.type != "cpu" or x.numel() * 2 > self.POOL:
            return F.dropout(x, self.rate)
        if self.pool is None:
            self.pool = torch.empty(self.POOL).bernoulli_(1 - self.rate).div_(1 - self.rate)
        start = random.randrange(self.POOL - x.numel())
        return x * self.pool[start : start + x.numel()].view_as(x)


class Attention(nn.Module):
    def __init__(self, d_model, heads):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def split(self, x):  # [batch, length, d_model] -> [batch, heads, length, d_head]
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, queries, keys, mask):
        q, k, v = self.split(self.q_proj(queries)), self.split(self.k_proj(keys)), self.split(self.v_proj(keys))
        scores = q @ k.transpose(2, 3) * (q.shape[-1] ** -0.5) + mask
        context = scores.softmax(-1) @ v
        return self.out_proj(context.transpose(1, 2).reshape(queries.shape))


class EncoderLayer(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        d_model = shape["d_model"]
        self.self_attn = Attention(d_model, shape["heads"])
        self.self_attn_layer_norm = nn.LayerNorm(d_model)
        self.fc1 = nn.Linear(d_model, shape["ffn"])
        self.fc2 = nn.Linear(shape["ffn"], d_model)
        self.final_layer_norm = nn.LayerNorm(d_model)
        self.dropout = dropout

    def forward(self, x, mask):
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn(x, x, mask)))
        return self.final_layer_norm(x + self.dropout(self.fc2(self.dropout(F.relu(self.fc1(x))))))


class DecoderLayer(EncoderLayer):
    def __init__(self, shape, dropout):
        super().__init__(shape, dropout)
        self.encoder_attn = Attention(shape["d_model"], shape["heads"])
        self.encoder_attn_layer_norm = nn.LayerNorm(shape["d_model"])

    def forward(self, x, causal, memory, memory_mask):
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn(x, x, causal)))
        x = self.encoder_attn_layer_norm(x + self.dropout(self.encoder_attn(x, memory, memory_mask)))
        return self.final_layer_norm(x + self.dropout(self.fc2(self.dropout(F.relu(self.fc1(x))))))


class Stack(nn.Module):
    def __init__(self, layer, count, shape, dropout):
        super().__init__()
        self.layers = nn.ModuleList(layer(shape, dropout) for _ in range(count))


class Body(nn.Module):
    def __init__(self, shape, dropout):
        super().__init__()
        self.shared = nn.Embedding(shape["vocabulary"], shape["d_model"])
        self.encoder = Stack(EncoderLayer, shape["encoder_layers"], shape, dropout)
        self.decoder = Stack(DecoderLayer, shape["decoder_layers"], shape, dropout)


def sinusoids(d_model):
    """Vaswani et al. 2017, section 3.5, with all sines first and then all cosines, as MarianMT holds them."""
    frequency = torch.arange(0, d_model, 2, dtype=torch.float64) / d_model
    angle = torch.arange(POSITIONS, dtype=torch.float64)[:, None] / 10000.0**frequency
    return torch.cat([angle.sin(), angle.cos()], 1).float()


class Marian(nn.Module):
    """MarianMT (post-norm, tied embeddings), with Hugging Face's parameter names."""

    def __init__(self, shape, dropout):
        super().__init__()
        self.shape = shape
        self.pad = shape["vocabulary"] - 1
        self.dropout = Dropout(dropout)
        self.model = Body(shape, self.dropout)
        self.final_logits_bias = nn.Parameter(torch.zeros(1, shape["vocabulary"]))
        self.register_buffer("positions", sinusoids(shape["d_model"]), persistent=False)
        for name, parameter in self.named_parameters():
            if name.endswith("proj.weight") or ".fc" in name and parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith(("proj.bias", "fc1.bias", "fc2.bias")):
                nn.init.zeros_(parameter)
        nn.init.normal_(self.model.shared.weight, std=shape["d_model"] ** -0.5)
        with torch.no_grad():
            self.model.shared.weight[self.pad].zero_()

    def embed(self, ids):
        x = F.embedding(ids, self.model.shared.weight, padding_idx=self.pad) * math.sqrt(self.shape["d_model"])
        return self.dropout(x + self.positions[: ids.shape[1]])

    def hidden(self, source, target):
        """Decoder states before the output layer: [batch, target length, d_model]."""
        mask = torch.zeros(source.shape, device=source.device).masked_fill_(source == self.pad, -1e9)[:, None, None]
        x = self.embed(source)
        for layer in self.model.encoder.layers:
            x = layer(x, mask)
        length = target.shape[1]
        causal = torch.full((length, length), -1e9, device=source.device).triu_(1)
        y = self.embed(target)
        for layer in self.model.decoder.layers:
            y = layer(y, causal, x, mask)
        return y

    def logits(self, hidden):
        logits = F.linear(hidden, self.model.shared.weight, self.final_logits_bias[0])
        logits[..., self.pad] = -1e9  # never produced: generation bans it
        return logits


def loss_of(model, pairs, smoothing, device):
    """(smoothed loss per token, plain negative log-likelihood sum, tokens)"""
    eos, pad = 0, model.pad
    source = padded([s + [eos] for s, _ in pairs], pad).to(device)
    target = padded([t + [eos] for _, t in pairs], pad).to(device)
    shifted = torch.cat([torch.full_like(target[:, :1], pad), target[:, :-1]], 1)
    keep = target != pad
    logits = model.logits(model.hidden(source, shifted)[keep])
    gold = target[keep]
    normaliser = logits.logsumexp(-1)
    nll = (normaliser - logits.gather(1, gold[:, None])[:, 0]).sum()
    mean_logit = logits[:, : pad].mean(-1)
    smooth = (normaliser - mean_logit).sum()
    return ((1 - smoothing) * nll + smoothing * smooth) / len(gold), nll.item(), len(gold)


# ------------------------------------------------------------------------------------------------------ training


def learning_rate(step, arguments):
    fall_from = arguments.steps - arguments.decay_steps
    rate = arguments.rate * min(1.0, (step + 1) / arguments.warmup)
    if step > fall_from:
        rate *= max(0.02, (arguments.steps - step) / max(1, arguments.decay_steps))
    return rate


def checkpoint_path(work):
    return f"{work}/checkpoint.pt"


def train(arguments):
    torch.manual_seed(SEED)
    random.seed(SEED)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    data = torch.load(f"{arguments.work}/tokens.pt")
    subwords = sentencepiece.SentencePieceProcessor(model_file=f"{arguments.work}/joint.model")
    shape = {
        "vocabulary": subwords.get_piece_size() + 1,  # and <pad>
        "d_model": arguments.d_model,
        "ffn": arguments.ffn,
        "heads": arguments.heads,
        "encoder_layers": arguments.encoder_layers,
        "decoder_layers": arguments.decoder_layers,
    }
    model = Marian(shape, arguments.dropout).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=0, betas=(0.9, 0.98), eps=1e-9)
    step, epoch = 0, 0
    if os.path.exists(checkpoint_path(arguments.work)):
        saved = torch.load(checkpoint_path(arguments.work), map_location=device)
        if saved["shape"] != shape:
            sys.exit(f"{checkpoint_path(arguments.work)} was trained as {saved['shape']}, not {shape}")
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        step, epoch = saved["step"], saved["epoch"]
    print(f"{sum(p.numel() for p in model.parameters())} weights on {device}, from step {step} to {arguments.steps}")
    began, seen, total, total_tokens = time.time(), 0, 0.0, 0
    while step < arguments.steps:
        rng = random.Random(SEED + epoch)  # an epoch's order depends on its number alone
        share = rng.sample(data["everyday"], int(len(data["everyday"]) * arguments.everyday_share))
        pairs = data["captions"] + share + data["phrases"] * arguments.phrase_repeats
        for group in batches(pairs, arguments.batch_tokens, rng):
            if step >= arguments.steps:
                break
            model.train()
            for settings in optimiser.param_groups:
                settings["lr"] = learning_rate(step, arguments)
            batch = [pairs[i] for i in group]
            loss, nll, tokens = loss_of(model, batch, arguments.smoothing, device)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            step += 1
            seen += sum(len(s) + len(t) + 2 for s, t in batch)
            total += nll
            total_tokens += tokens
            if step % 100 == 0:
                print(
                    f"step {step}/{arguments.steps} epoch {epoch} nll {total / total_tokens:.3f} "
                    f"lr {learning_rate(step, arguments):.2e} {seen / (time.time() - began):.0f} tokens/s",
                    flush=True,
                )
                total, total_tokens = 0.0, 0
            if step % arguments.save_every == 0 or step == arguments.steps:
                save(model, optimiser, shape, step, epoch, arguments, data["validation"], device)
        epoch += 1


def save(model, optimiser, shape, step, epoch, arguments, validation, device):
    model.eval()
    with torch.no_grad():
        total, tokens = 0.0, 0
        for i in range(0, len(validation), 128):
            _, nll, count = loss_of(model, validation[i : i + 128], 0.0, device)
            total, tokens = total + nll, tokens + count
    print(f"step {step}: validation nll {total / tokens:.4f} perplexity {math.exp(total / tokens):.3f}", flush=True)
    state = {"shape": shape, "model": model.state_dict(), "step": step, "epoch": epoch}
    torch.save(state, f"{arguments.work}/step-{step:06d}.pt")
    torch.save({**state, "optimiser": optimiser.state_dict()}, checkpoint_path(arguments.work) + ".partial")
    os.replace(checkpoint_path(arguments.work) + ".partial", checkpoint_path(arguments.work))
    for old in snapshots(arguments.work)[: -arguments.keep]:
        os.remove(old)


def snapshots(work):
    return sorted(f"{work}/{name}" for name in os.listdir(work) if name.startswith("step-") and name.endswith(".pt"))


# -------------------------------------------------------------------------------------------------------- export


def export(arguments):
    """Averages the last checkpoints and writes config.json, generation_config.json, model.safetensors, source.spm,
    target.spm, vocab.json and tokenizer_config.json, as transformers' MarianMTModel and MarianTokenizer read them."""
    paths = snapshots(arguments.work)[-arguments.average :]
    if not paths:
        sys.exit(f"no checkpoint in {arguments.work}: run `train` first")
    print("averaging", ", ".join(os.path.basename(path) for path in paths))
    states = [torch.load(path, map_location="cpu") for path in paths]
    shape = states[0]["shape"]
    tensors = {
        name: (sum(state["model"][name].double() for state in states) / len(states)).half()
        for name in states[0]["model"]
    }
    pad = shape["vocabulary"] - 1
    tensors["model.shared.weight"][pad] = 0
    tensors["final_logits_bias"][:, pad] = 0
    os.makedirs(arguments.output, exist_ok=True)
    safetensors_file.write(f"{arguments.output}/model.safetensors", tensors)

    subwords = sentencepiece.SentencePieceProcessor(model_file=f"{arguments.work}/joint.model")
    vocabulary = {subwords.id_to_piece(i): i for i in range(subwords.get_piece_size())}
    vocabulary["<pad>"] = pad
    for name in ("source.spm", "target.spm"):
        shutil.copyfile(f"{arguments.work}/joint.model", f"{arguments.output}/{name}")
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
    generation = {
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
    for name, content in (
        ("config.json", config),
        ("generation_config.json", generation),
        ("tokenizer_config.json", tokenizer),
        ("vocab.json", vocabulary),
    ):
        with open(f"{arguments.output}/{name}", "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=None if name == "vocab.json" else 2)
            file.write("\n")
    size = sum(os.path.getsize(f"{arguments.output}/{name}") for name in os.listdir(arguments.output))
    print(f"{arguments.output}: {size / 1e6:.1f} MB, {sum(t.numel() for t in tensors.values())} weights")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare", help="subword model and token ids")
    command.add_argument("--data", required=True, help="folder of multi30k/ and tatoeba/")
    command.add_argument("--work", required=True, help="folder for checkpoints, outside the repository")
    command.add_argument("--vocabulary", type=int, default=6000, help="subwords, shared by both languages")
    command = commands.add_parser("train", help="train, from the last checkpoint if there is one")
    command.add_argument("--work", required=True)
    command.add_argument("--steps", type=int, default=20000, help="stop after this many updates in all")
    command.add_argument("--decay-steps", type=int, default=6000, help="the learning rate falls over the last N steps")
    command.add_argument("--warmup", type=int, default=1000, help="steps until the full learning rate")
    command.add_argument("--rate", type=float, default=8e-4, help="full learning rate")
    command.add_argument("--batch-tokens", type=int, default=2400, help="source and target tokens of one update")
    command.add_argument("--everyday-share", type=float, default=0.5, help="part of the everyday corpus in an epoch")
    command.add_argument("--phrase-repeats", type=int, default=4, help="times the phrase book is read in an epoch")
    command.add_argument("--dropout", type=float, default=0.15)
    command.add_argument("--smoothing", type=float, default=0.1, help="label smoothing")
    command.add_argument("--d-model", type=int, default=256)
    command.add_argument("--ffn", type=int, default=768)
    command.add_argument("--heads", type=int, default=4)
    command.add_argument("--encoder-layers", type=int, default=4)
    command.add_argument("--decoder-layers", type=int, default=2)
    command.add_argument("--save-every", type=int, default=250, help="steps between checkpoints")
    command.add_argument("--keep", type=int, default=12, help="checkpoints kept for averaging")
    command.add_argument("--threads", type=int, default=0, help="CPU threads; 0: PyTorch's own choice")
    command.add_argument("--device", default="", help="cpu or cuda; empty: cuda if there is one")
    command = commands.add_parser("export", help="write the model directory")
    command.add_argument("--work", required=True)
    command.add_argument("--output", required=True, help="model directory to write")
    command.add_argument("--average", type=int, default=8, help="checkpoints to average")
    arguments = parser.parse_args()
    {"prepare": prepare, "train": train, "export": export}[arguments.command](arguments)


if __name__ == "__main__":
    main()
