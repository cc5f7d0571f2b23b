# SPDX-License-Identifier: Apache-2.0
"""What the converters of recurrent translators share: layers under their names in docs/rnn-seq2seq.md, vocabulary and
tokenizer files, --check, the model directory."""

import json
import os
import re
import shutil
import sys

import torch

import safetensors_file
import torch_checkpoint
from rnn_reference import Reference
from torch_checkpoint import Refused, Unanswered

GATES = {"gru": 3, "lstm": 4}
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Model:
    """What a converter found: config.json's content, tensors, tokens of both sides by id (None: SentencePiece's
    own ids), generation settings, and sentences for the model's card."""

    def __init__(self, origin):
        self.origin = origin
        self.config = {"model_type": "rnn-seq2seq"}
        self.tensors = {}
        self.source_tokens, self.target_tokens = [], []
        self.generation = {}
        self.files = {}  # name in the directory: file that is copied there
        self.notes = []


# --- Tensors ----------------------------------------------------------------------------------------------------------


def cell_of(checkpoint, name):
    """("gru" or "lstm", hidden size) by the shape of a weight_hh tensor."""
    if name not in checkpoint.tensors:
        raise Refused(f"{checkpoint.path}: has no tensor '{name}'")
    shape = list(checkpoint.tensors[name].shape)
    for cell, gates in GATES.items():
        if len(shape) == 2 and shape[0] == gates * shape[1]:
            return cell, shape[1]
    raise Refused(
        f"{checkpoint.path}: tensor '{name}' is {shape}, which is neither a GRU's [3 H, H] nor an LSTM's [4 H, H]"
    )


def count_layers(checkpoint, pattern):
    """Number of layers; `pattern` matches the names of one tensor of each, and its group is the number."""
    found = sorted(int(match[1]) for name in checkpoint.names() if (match := re.fullmatch(pattern, name)))
    if not found or found != list(range(len(found))):
        raise Refused(f"{checkpoint.path}: no layers 0, 1, ... with names like {pattern} (found {found})")
    return len(found)


def take_rnn(checkpoint, model, target, source_name, cell, inputs, hidden, layers, directions=1):
    """Moves a recurrent network to target.weight_ih_l0 and so on. `source_name(part, layer, suffix)` is a tensor's name."""
    rows = GATES[cell] * hidden
    for layer in range(layers):
        for suffix in ("", "_reverse")[:directions]:
            for part, shape in zip(PARTS, ([rows, inputs], [rows, hidden], [rows], [rows])):
                model.tensors[f"{target}.{part}_l{layer}{suffix}"] = checkpoint.take(
                    source_name(part, layer, suffix), shape, f"{cell}: {GATES[cell]} gates, then inputs or width"
                )
        inputs = hidden * directions


def module_names(prefix):
    """Names in torch.nn.LSTM and torch.nn.GRU."""
    return lambda part, layer, suffix: f"{prefix}.{part}_l{layer}{suffix}"


def cell_names(prefix):
    """Names in lists of torch.nn.LSTMCell and torch.nn.GRUCell."""
    return lambda part, layer, suffix: f"{prefix}.{layer}.{part}"


def tie(model, name, field, tied, options):
    """Leaves out tensor `name` where it is decoder.embedding.weight. `tied` is what the options say, whose names are
    `options`."""
    embedding = model.tensors["decoder.embedding.weight"]
    if name not in model.tensors and not tied:
        raise Refused(f"tensor '{name}' is not there, and no option ties it to 'decoder.embedding.weight' ({options})")
    tensor = model.tensors.get(name, embedding)
    same = tensor.shape == embedding.shape and torch.equal(tensor, embedding)
    if tied and not same:
        raise Refused(f"tensor '{name}' {list(tensor.shape)} is not tensor 'decoder.embedding.weight'"
                      f" {list(embedding.shape)}, but the options tie them ({options})")
    if same:
        model.config[field] = True
        model.tensors.pop(name, None)


# --- Vocabularies -----------------------------------------------------------------------------------------------------


def read_lines(path):
    """Lines of a text file, without their ends; only \\n ends a line."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return file.read().removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: not UTF-8: {error}") from None


def read_vocabulary(path):
    """Tokens by id: .json holds {"token": id} or a list; another file one token a line, of which `token count` or
    `token<tab>id` keep the token."""
    if path.endswith((".json", ".yml", ".yaml")):
        return tokens_by_id(path, read_ids(path))
    return [line.rstrip("\r") for line in read_lines(path)]


def read_ids(path):
    """{token: id} of a JSON file, or of a YAML file of lines `token: id` as Marian writes them."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        content = json.loads(text) if path.endswith(".json") else yaml_ids(path, text)
    except ValueError as error:
        raise Refused(f"{path}: not a vocabulary: {error}") from None
    if isinstance(content, list):
        content = {token: index for index, token in enumerate(content)}
    wrong = not isinstance(content, dict) or any(type(index) is not int or index < 0 for index in content.values())
    if wrong or not content:
        raise Refused(f"{path}: not a vocabulary of \"token\": id")
    return content


def yaml_ids(path, text):
    ids = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.strip() in ("---", "...", "{}") or line.startswith("#"):
            continue
        match = re.fullmatch(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|.+?):\s+(\d+)\s*""", line)
        if not match:
            raise ValueError(f"line {number} is not `token: id`: {line}")
        token = match[1]
        if token.startswith('"'):
            token = json.loads(re.sub(r"\\x(..)", r"\\u00\1", token))
        elif token.startswith("'"):
            token = token[1:-1].replace("''", "'")
        ids[token] = int(match[2])
    return ids


def tokens_by_id(path, ids):
    """A list of tokens; an id without a token is an empty text."""
    tokens = [""] * (max(ids.values()) + 1)
    for token, index in ids.items():
        if tokens[index]:
            raise Refused(f"{path}: tokens '{tokens[index]}' and '{token}' have the same id {index}")
        tokens[index] = token
    return tokens


def check_tokens(what, tokens, rows, table):
    """Refused unless the vocabulary file can hold the tokens, one for each row of the embedding."""
    if len(tokens) != rows:
        raise Refused(f"{what}: {len(tokens)} tokens, but tensor '{table}' has {rows} rows")
    places = {}
    for index, token in enumerate(tokens):
        if "\n" in token:
            raise Refused(f"{what}: token {index} {token!r} has a line break, which a vocabulary file cannot hold")
        if token and token in places:
            raise Refused(f"{what}: token '{token}' is there twice, as {places[token]} and as {index}")
        places[token] = index


def id_of(what, tokens, token):
    """The id of a special token; Refused if it is not there."""
    if token not in tokens:
        raise Refused(f"{what}: has no special token '{token}'")
    return tokens.index(token)


def set_special(model, side, names):
    """The side's `special`: ids of those of the names that its vocabulary has and config.json does not name otherwise."""
    tokens, named = getattr(model, f"{side}_tokens"), model.config[side].values()
    ids = sorted({tokens.index(name) for name in names if name in tokens} - {value for value in named if type(value) is int})
    if ids:
        model.config[side]["special"] = ids


# --- Tokenizers -------------------------------------------------------------------------------------------------------


def add_flags(parser):
    """Flags of every converter."""
    parser.add_argument("directory", metavar="OUT_DIR", help="directory to write; made if it is not there")
    parser.add_argument("--force", action="store_true", help="replace files that are there already")
    parser.add_argument("--check", metavar="FILE", help="compare with your own model's outputs first: a .pt, .pth or"
                        " .safetensors file of source.0 [S] (ids, as the encoder gets them), target.0 [T] (ids of a"
                        " translation, without the start token), logits.0 [T, V], and so on with .1, .2")
    parser.add_argument("--check-tolerance", type=float, default=1e-4, metavar="X", help="default %(default)s")
    parser.add_argument("--replace-unknown", action="store_true", help="an unknown token in a translation shows as the word"
                        " of the source that it attends to most; needs attention and --tokenizer=words")
    parser.add_argument("--source-language", metavar="CODE", help="such as en: rules that split sentences, and Moses'")
    parser.add_argument("--target-language", metavar="CODE", help="such as de")
    group = parser.add_argument_group("tokenizer", "The checkpoint does not say how text became tokens.")
    group.add_argument("--tokenizer", choices=("words", "bpe", "sentencepiece"),
                       help="words: at white space (default); bpe: subword-nmt's codes; sentencepiece")
    for side in ("source", "target"):
        group.add_argument(f"--{side}-bpe", metavar="FILE", help="subword-nmt's codes (bpe); one file for both: source")
        group.add_argument(f"--{side}-spm", metavar="FILE", help="SentencePiece model; one file for both: source")
    group.add_argument("--bpe-separator", default="@@", metavar="TEXT", help="default %(default)s")
    group.add_argument("--moses", action="store_true", help="Moses' tokenizer comes before; needs both languages")
    group.add_argument("--aggressive-hyphens", action="store_true", help="Moses with -a")
    group.add_argument("--no-escape", action="store_true", help="Moses with -no-escape")
    group.add_argument("--lowercase", action="store_true", help="the model was trained on lower case")
    group.add_argument("--restrict-to-vocabulary", action="store_true",
                       help="pieces that the vocabulary lacks are cut again (subword-nmt's --vocabulary)")


def set_languages(flags, tokenizer):
    for side in ("source", "target"):
        language = getattr(flags, f"{side}_language")
        if language:
            tokenizer[f"{side}_language"] = language
    if "moses" in tokenizer and not {"source_language", "target_language"} <= set(tokenizer):
        raise Unanswered("--moses: give --source-language and --target-language, too")


def set_tokenizer(flags, model):
    """config.json's tokenizer and its files, as the flags say."""
    files = {kind: [getattr(flags, f"{side}_{kind}") for side in ("source", "target")] for kind in ("bpe", "spm")}
    kind = flags.tokenizer or ("bpe" if any(files["bpe"]) else "sentencepiece" if any(files["spm"]) else "words")
    ending = {"bpe": "bpe", "sentencepiece": "spm"}.get(kind)
    for other, paths in files.items():
        if other != ending and any(paths):
            raise Unanswered(f"--tokenizer={kind}: takes no --source-{other} or --target-{other}")
    tokenizer = model.config["tokenizer"] = {"kind": kind}
    if ending:
        source, target = files[ending]
        if not source:
            raise Unanswered(f"--tokenizer={kind}: give --source-{ending}=FILE")
        model.files = {f"source.{ending}": source, f"target.{ending}": target or source}
    if kind == "bpe" and flags.bpe_separator != "@@":
        tokenizer["bpe_separator"] = flags.bpe_separator
    if flags.restrict_to_vocabulary:
        if not ending:
            raise Unanswered("--restrict-to-vocabulary: only with --tokenizer=bpe or --tokenizer=sentencepiece")
        tokenizer["restrict_to_vocabulary"] = True
    if flags.moses:
        tokenizer["moses"] = {}
        if flags.aggressive_hyphens:
            tokenizer["moses"]["aggressive_hyphens"] = True
        if flags.no_escape:
            tokenizer["moses"]["escape"] = False
    elif flags.aggressive_hyphens or flags.no_escape:
        raise Unanswered("--aggressive-hyphens and --no-escape: only with --moses")
    if flags.lowercase:
        tokenizer["lowercase"] = True
    set_languages(flags, tokenizer)
    if kind == "words" and not flags.moses and flags.tokenizer is None:
        model.notes.append(
            "Nothing in the checkpoint says how text became tokens. This directory cuts text at white space: send it text"
            " that is tokenized as the training text was, or convert again with --tokenizer, --moses or --lowercase."
        )


def set_replace_unknown(model):
    """config.json's target.replace_unknown. The search may choose the unknown token from then on."""
    config = model.config
    kind = config["tokenizer"]["kind"]
    if "attention" not in config:
        raise Refused("--replace-unknown: the model has no attention, which says what word an unknown token stands for")
    if kind != "words":
        raise Unanswered(f"--replace-unknown: the tokenizer is {kind}, whose pieces are no words; only with --tokenizer=words")
    if "unknown" not in config["target"]:
        raise Refused("--replace-unknown: the target vocabulary has no unknown token")
    config["target"]["replace_unknown"] = True
    suppressed = model.generation.get("suppress_tokens", [])
    if config["target"]["unknown"] in suppressed:
        suppressed.remove(config["target"]["unknown"])


# --- Writing ----------------------------------------------------------------------------------------------------------


def check_outputs(flags, model):
    """Refused if the model as it would be written differs from the outputs in the --check file."""
    path = flags.check
    if path.endswith(".safetensors"):
        try:
            given = safetensors_file.read(path)
        except ValueError as error:
            raise Refused(f"--check: {error}") from None
    else:
        given = torch_checkpoint.check(path, torch_checkpoint.load(path))
    reference, count, worst = Reference(model.config, model.tensors), 0, 0.0
    while f"source.{count}" in given:
        names = [f"{name}.{count}" for name in ("source", "target", "logits")]
        missing = [name for name in names if name not in given]
        if missing:
            raise Refused(f"--check={path}: '{missing[0]}' is missing")
        source, target, logits = (given[name] for name in names)
        ours, _ = reference.forced(source.tolist(), target.tolist())
        if logits.shape != ours.shape:
            raise Refused(f"--check={path}: '{names[2]}' is {list(logits.shape)}, not {list(ours.shape)}")
        worst = max(worst, (ours - logits.double()).abs().max().item())
        count += 1
    if not count:
        raise Refused(f"--check={path}: 'source.0' is missing")
    if not worst <= flags.check_tolerance:
        raise Refused(
            f"--check={path}: the model as it would be written differs from yours by {worst:.3g} (tolerance"
            f" {flags.check_tolerance:g})"
        )
    return f"check: the largest difference of a logit in {count} sentences is {worst:.3g}"


def card(model):
    config, tokenizer = model.config, model.config["tokenizer"]
    steps = [name for name in ("moses", "lowercase") if tokenizer.get(name, False) is not False]
    kind = {"words": "words at white space", "bpe": "subword-nmt's pieces", "sentencepiece": "SentencePiece's pieces"}
    lines = [
        f"# A recurrent translator from {model.origin}",
        "",
        f"- network: {summary(config)}",
        f"- text becomes tokens by: {', '.join([*steps, kind[tokenizer['kind']]])}",
        f"- weights: {sum(tensor.numel() for tensor in model.tensors.values())}",
        "",
        *model.notes,
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def summary(config):
    encoder, decoder, attention = config["encoder"], config["decoder"], config.get("attention")
    sides = [
        f"{'bidirectional ' if encoder.get('bidirectional') else ''}encoder of {encoder.get('layers', 1)} x"
        f" {encoder['hidden_size']}",
        f"decoder of {decoder.get('layers', 1)} x {decoder['hidden_size']}",
        f"attention: {attention['score']}, {attention['when']} the cell" if attention else "no attention",
    ]
    return f"{config['cell'].upper()}, {', '.join(sides)}"


def ordered(model):
    """config.json's content in the order of docs/rnn-seq2seq.md."""
    order = ("model_type", "cell", "encoder", "decoder", "init", "attention", "context_vector", "readout", "output_bias",
             "tied_embeddings", "tied_output", "source", "target", "tokenizer")
    return {name: model.config[name] for name in order if name in model.config}


def write(flags, model):
    """The directory: config.json, generation_config.json, model.safetensors, vocabularies, tokenizer files, README.md."""
    if flags.replace_unknown:
        set_replace_unknown(model)
    texts = {
        "config.json": json.dumps(ordered(model), indent=2, ensure_ascii=False) + "\n",
        "generation_config.json": json.dumps(model.generation, indent=2) + "\n",
        "README.md": card(model),
    }
    embeddings = {"source": "encoder.embedding.weight", "target": "decoder.embedding.weight"}
    for side, tokens in (("source", model.source_tokens), ("target", model.target_tokens)):
        if tokens is None:  # ids are SentencePiece's own
            continue
        rows = model.config["encoder" if side == "source" else "decoder"]["vocabulary"]
        check_tokens(f"{side} vocabulary", tokens, rows, embeddings[side])
        texts[f"{side}_vocab.txt"] = "".join(f"{token}\n" for token in tokens)
    torch_checkpoint.check_finite(model.origin, model.tensors)
    for name in [*texts, *model.files, "model.safetensors"]:
        path = os.path.join(flags.directory, name)
        if os.path.exists(path) and not flags.force:
            raise Refused(f"{path}: exists already; --force replaces it")
    for path in model.files.values():
        if not os.path.isfile(path):
            raise Refused(f"{path}: not a file")
    if flags.check:
        print(check_outputs(flags, model), flush=True)
    os.makedirs(flags.directory, exist_ok=True)
    for name, text in texts.items():
        with open(os.path.join(flags.directory, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    for name, path in model.files.items():
        shutil.copyfile(path, os.path.join(flags.directory, name))
    safetensors_file.write(os.path.join(flags.directory, "model.safetensors"), model.tensors)
    print(f"{flags.directory}: {summary(model.config)}; {len(model.tensors)} tensors,"
          f" {sum(tensor.numel() for tensor in model.tensors.values())} weights")
    for note in model.notes:
        print(f"note: {note}")


def main(script, parser, convert):
    """Parses the command line, converts, and exits: 0 written, 1 refused, 2 the command line is wrong or leaves a question."""
    flags = parser.parse_args()
    try:
        print(f"{script}: reading {flags.checkpoint}", flush=True)
        write(flags, convert(flags))
    except (Refused, OSError) as error:
        print(f"{script}: {error}", file=sys.stderr)
        sys.exit(1)
    except Unanswered as error:
        print(f"{script}: {error}", file=sys.stderr)
        sys.exit(2)
