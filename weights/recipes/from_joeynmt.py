#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Heed model directory of a recurrent JoeyNMT model (1.x and 2.x).

    from_joeynmt.py MODEL_DIR/best.ckpt OUT_DIR [--config=MODEL_DIR/config.yaml]

Beside the checkpoint lie, as JoeyNMT leaves them, config.yaml and src_vocab.txt and trg_vocab.txt (or the files that the
configuration names as voc_file), and the SentencePiece models or subword-nmt codes that it names. Version 1 reads text that
is cut into pieces already: give the codes with --source-bpe, and the tokenizer before them with --moses.

The checkpoint is a pickle, which can hold code: none is run. Make sure of a conversion with --check. Needs only
PyTorch (1.13 or newer).
"""

import argparse
import math
import os

import plain_yaml
import rnn_conversion
import torch_checkpoint
from rnn_conversion import Model, cell_of, count_layers, module_names, take_rnn
from torch_checkpoint import Checkpoint, Refused, Unanswered

SYMBOLS = {"unk": "<unk>", "pad": "<pad>", "bos": "<s>", "eos": "</s>"}


class Options:
    """A part of config.yaml, whose path names its fields in messages."""

    def __init__(self, file, path, fields):
        if not isinstance(fields, dict):
            raise Refused(f"{file}: {path or 'the file'} is no mapping")
        self.file, self.path, self.fields = file, path, fields

    def get(self, name, default=None):
        return self.fields.get(name, default)

    def number(self, name, default):
        value = self.get(name, default)
        if type(value) not in (int, float):
            raise Refused(f"{self.file}: {self.path}.{name} is {value!r}, not a number")
        return value

    def inner(self, name):
        path = f"{self.path}.{name}" if self.path else name
        if name not in self.fields:
            raise Refused(f"{self.file}: {path} is missing")
        return Options(self.file, path, self.fields[name])

    def one_of(self, name, default, served):
        """The field's value, which is one of `served`."""
        value = self.get(name, default)
        if value not in served:
            raise Refused(f"{self.file}: {self.path}.{name} is {value!r}, which is not served, only"
                          f" {', '.join(map(repr, served))}")
        return value


def read_options(path):
    try:
        with open(path, encoding="utf-8") as file:
            return Options(path, "", plain_yaml.parse(file.read()))
    except (plain_yaml.Unreadable, UnicodeDecodeError) as error:
        raise Refused(f"{path}: {error}") from None


def read_weights(path):
    content = torch_checkpoint.load_data(path)
    if not isinstance(content, dict) or "model_state" not in content:
        raise Refused(f"{path}: has no 'model_state', so it is no checkpoint of JoeyNMT")
    return Checkpoint(path, torch_checkpoint.check(path, content["model_state"]))


# --- Network ----------------------------------------------------------------------------------------------------------


def convert_encoder(checkpoint, options, model):
    encoder = options.inner("encoder")
    encoder.one_of("type", "recurrent", ["recurrent"])
    encoder.one_of("bidirectional", True, [True])
    cell, hidden = cell_of(checkpoint, "encoder.rnn.weight_hh_l0")
    encoder.one_of("rnn_type", "gru", [cell])
    layers = count_layers(checkpoint, r"encoder\.rnn\.weight_hh_l(\d+)")
    embedding = checkpoint.take("src_embed.lut.weight", [None, None], "source vocabulary, embedding")
    rows, width = embedding.shape
    model.tensors["encoder.embedding.weight"] = embedding
    take_rnn(checkpoint, model, "encoder.rnn", module_names("encoder.rnn"), cell, width, hidden, layers, 2)
    model.config["cell"] = cell
    model.config["encoder"] = {"vocabulary": rows, "embedding_width": width, "layers": layers, "hidden_size": hidden,
                               "bidirectional": True}
    if encoder.inner("embeddings").get("scale", False):
        model.config["encoder"]["embedding_scale"] = math.sqrt(width)


def convert_decoder(checkpoint, options, model):
    config, decoder = model.config, options.inner("decoder")
    decoder.one_of("type", "recurrent", ["recurrent"])
    cell, hidden = cell_of(checkpoint, "decoder.rnn.weight_hh_l0")
    decoder.one_of("rnn_type", "gru", [cell])
    if cell != config["cell"]:
        raise Refused(f"{checkpoint.path}: the encoder's rnn_type is {config['cell']}, the decoder's {cell}; only the same"
                      " one is served")
    layers = count_layers(checkpoint, r"decoder\.rnn\.weight_hh_l(\d+)")
    embedding = checkpoint.take("trg_embed.lut.weight", [None, None], "target vocabulary, embedding")
    rows, width = embedding.shape
    model.tensors["decoder.embedding.weight"] = embedding
    feeding = decoder.one_of("input_feeding", True, [True, False])
    inputs = width + (hidden if feeding else 0)
    take_rnn(checkpoint, model, "decoder.rnn", module_names("decoder.rnn"), cell, inputs, hidden, layers)
    config["decoder"] = {"vocabulary": rows, "embedding_width": width, "layers": layers, "hidden_size": hidden,
                         "inputs": ["embedding", "feed"] if feeding else ["embedding"]}
    tied = options.one_of("tied_embeddings", False, [True, False])
    if options.inner("encoder" if tied else "decoder").inner("embeddings").get("scale", False):
        config["decoder"]["embedding_scale"] = math.sqrt(width)
    convert_init(checkpoint, decoder, model)
    convert_attention(checkpoint, decoder, model)
    model.tensors["output.weight"] = checkpoint.take("decoder.output_layer.weight", [rows, hidden], "vocabulary, width")
    config["readout"], config["output_bias"] = {"inputs": ["context_vector"]}, False
    rnn_conversion.tie(model, "encoder.embedding.weight", "tied_embeddings", tied, "tied_embeddings")
    tied = options.one_of("tied_softmax", False, [True, False])
    rnn_conversion.tie(model, "output.weight", "tied_output", tied, "tied_softmax")


def convert_init(checkpoint, decoder, model):
    config = model.config
    hidden, outputs = config["decoder"]["hidden_size"], 2 * config["encoder"]["hidden_size"]
    kind = decoder.one_of("init_hidden", "bridge", ["bridge", "last", "zero"])
    if kind == "zero":
        config["init"] = {"from": "zeros"}
        return
    if kind == "bridge":
        model.tensors["init.hidden.weight"] = checkpoint.take("decoder.bridge_layer.weight", [hidden, outputs], "H, 2 H_e")
        model.tensors["init.hidden.bias"] = checkpoint.take("decoder.bridge_layer.bias", [hidden], "H")
        activation = decoder.one_of("activation", "tanh", ["tanh", "relu"])
        config["init"] = {"from": "top", "linear": True, "activation": activation}
    elif hidden == outputs:
        config["init"] = {"from": "top"}
    elif 2 * hidden == outputs:
        config["init"] = {"from": "top-forward"}
    else:
        raise Refused(f"{decoder.file}: model.decoder.init_hidden is 'last', but the decoder is {hidden} wide and the"
                      f" encoder's output {outputs}")
    if config["cell"] == "lstm":
        config["init"]["cell"] = "hidden"


def convert_attention(checkpoint, decoder, model):
    config, tensors = model.config, model.tensors
    hidden, outputs = config["decoder"]["hidden_size"], 2 * config["encoder"]["hidden_size"]
    kind = decoder.one_of("attention", "bahdanau", ["bahdanau", "luong"])

    def take(name, *shape):
        return checkpoint.take(f"decoder.{name}", shape, f"attention: {kind}")

    tensors["attention.key.weight"] = take("attention.key_layer.weight", hidden, outputs)
    if kind == "bahdanau":
        tensors["attention.query.weight"] = take("attention.query_layer.weight", hidden, hidden)
        tensors["attention.energy.weight"] = take("attention.energy_layer.weight", 1, hidden)
        config["attention"] = {"when": "after", "score": "mlp", "width": hidden}
    else:
        config["attention"] = {"when": "after", "score": "general"}
    tensors["context_vector.weight"] = take("att_vector_layer.weight", hidden, hidden + outputs)
    tensors["context_vector.bias"] = take("att_vector_layer.bias", hidden)
    config["context_vector"] = {"inputs": ["state", "context"], "width": hidden, "bias": True,
                                "activation": decoder.one_of("activation", "tanh", ["tanh", "relu"])}


# --- Text -------------------------------------------------------------------------------------------------------------


def file_of(options, field, path, folder):
    """The file that the configuration names: beside the checkpoint, or where the configuration says."""
    for place in (os.path.join(folder, os.path.basename(str(path))), str(path)):
        if os.path.isfile(place):
            return place
    raise Refused(f"{options.file}: {field} is {path}, which is not there; put the file into {folder}")


def read_tokens(options, side, path, folder, specials):
    """Tokens by id, as JoeyNMT's Vocabulary numbers them: special tokens, then those of the file."""
    name = f"{side}_vocab.txt"
    if os.path.isfile(os.path.join(folder, name)) or path is None:
        found = os.path.join(folder, name)
    else:
        found = file_of(options, f"data.{side}.voc_file", path, folder)
    with open(found, encoding="utf-8") as file:
        return list(dict.fromkeys([*specials, *file.read().splitlines()]))


def special_symbols(data):
    """([the four special tokens by name], {name: id})"""
    symbols = Options(data.file, "data.special_symbols", data.get("special_symbols") or {}).fields
    for name in ("lang_tags", "sep_token"):
        if symbols.get(name):
            raise Refused(f"{data.file}: data.special_symbols.{name} is {symbols[name]!r}; prompts are not served")
    names = {name: symbols.get(f"{name}_token", token) for name, token in SYMBOLS.items()}
    return names, {name: symbols.get(f"{name}_id", index) for index, name in enumerate(SYMBOLS)}


def convert_tokens(data, folder, model):
    names, ids = special_symbols(data)
    second = isinstance(data.get("src"), dict)
    for side, target in (("src", "source_tokens"), ("trg", "target_tokens")):
        path = data.inner(side).get("voc_file") if second else data.get(f"{side}_vocab")
        tokens = read_tokens(data, side, path, folder, names.values())
        for name, token in names.items():
            if tokens.index(token) != ids[name]:
                raise Refused(f"{data.file}: data.special_symbols.{name}_id is {ids[name]}, but '{token}' is token"
                              f" {tokens.index(token)} of {side}_vocab.txt")
        setattr(model, target, tokens)
    model.config["source"] = {"end": ids["eos"], "unknown": ids["unk"], "special": [ids["pad"], ids["bos"]]}
    model.config["target"] = {"start": ids["bos"], "end": ids["eos"], "unknown": ids["unk"], "pad": ids["pad"]}
    return ids


def tokenizer_of(data, side, folder):
    """(tokenizer object of config.json, {ending: file}) of one side of a JoeyNMT 2 configuration."""
    options = data.inner(side)
    level = options.one_of("level", None, ["word", "bpe"])
    options.one_of("normalize", False, [False])
    inner = Options(data.file, f"data.{side}.tokenizer_cfg", options.get("tokenizer_cfg") or {})
    tokenizer, files = {"kind": "words"}, {}
    if level == "bpe":
        kind = options.one_of("tokenizer_type", options.get("bpe_type", "sentencepiece"), ["sentencepiece", "subword-nmt"])
        field, ending = {"sentencepiece": ("model_file", "spm"), "subword-nmt": ("codes", "bpe")}[kind]
        if field not in inner.fields:
            raise Refused(f"{data.file}: {inner.path}.{field} is missing")
        files[ending] = file_of(data, f"{inner.path}.{field}", inner.get(field), folder)
        tokenizer = {"kind": "sentencepiece" if ending == "spm" else "bpe"}
        if ending == "bpe" and inner.get("separator", "@@") != "@@":
            tokenizer["bpe_separator"] = inner.get("separator")
        tokenizer["restrict_to_vocabulary"] = True
    if inner.one_of("pretokenizer", "none", ["none", "moses"]) == "moses":
        tokenizer["moses"] = {}
    return tokenizer, files


def convert_tokenizer(data, flags, folder, model):
    """JoeyNMT 2: the configuration of each side says it."""
    given = [name for name in ("tokenizer", "source_bpe", "target_bpe", "source_spm", "target_spm", "moses", "lowercase",
                               "aggressive_hyphens", "no_escape", "restrict_to_vocabulary") if getattr(flags, name)]
    if given:
        raise Unanswered(f"--{given[0].replace('_', '-')}: only for JoeyNMT 1; the tokenizer is that of {data.file}")
    (tokenizer, files), (target, target_files) = (tokenizer_of(data, side, folder) for side in ("src", "trg"))
    if tokenizer != target:
        raise Refused(f"{data.file}: data.src and data.trg differ in their tokenizers, {tokenizer} and {target}; only the"
                      " same kind is served")
    for ending, path in files.items():
        model.files[f"source.{ending}"], model.files[f"target.{ending}"] = path, target_files[ending]
    lower = [data.inner(side).one_of("lowercase", False, [False, True]) for side in ("src", "trg")]
    if lower[0] != lower[1]:
        raise Refused(f"{data.file}: data.src.lowercase is {lower[0]}, data.trg.lowercase {lower[1]}; only the same is served")
    if lower[0]:
        tokenizer["lowercase"] = True
    for side, name in (("src", "source_language"), ("trg", "target_language")):
        language = getattr(flags, name) or data.inner(side).get("lang")
        if language:
            tokenizer[name] = language
    model.config["tokenizer"] = tokenizer


def convert_first_tokenizer(data, flags, model):
    """JoeyNMT 1: `level` and `lowercase` of the data; words and pieces are separated by blanks in the files."""
    data.one_of("level", None, ["word", "bpe"])
    if data.get("level") == "bpe" and not flags.source_bpe and not flags.tokenizer:
        raise Unanswered("data.level is bpe, whose codes JoeyNMT 1 does not know: give --source-bpe=FILE (and --target-bpe),"
                         " or --tokenizer=words if the text will be cut into pieces already")
    flags.lowercase = flags.lowercase or bool(data.get("lowercase", False))
    flags.source_language = flags.source_language or data.get("src")
    flags.target_language = flags.target_language or data.get("trg")
    rnn_conversion.set_tokenizer(flags, model)


def convert(flags):
    folder = os.path.dirname(flags.checkpoint) or "."
    options = read_options(flags.config or os.path.join(folder, "config.yaml"))
    checkpoint, model = read_weights(flags.checkpoint), Model("JoeyNMT")
    network, data = options.inner("model"), options.inner("data")
    convert_encoder(checkpoint, network, model)
    convert_decoder(checkpoint, network, model)
    checkpoint.finish("a recurrent model of JoeyNMT")
    ids = convert_tokens(data, folder, model)
    if isinstance(data.get("src"), dict):
        convert_tokenizer(data, flags, folder, model)
    else:
        convert_first_tokenizer(data, flags, model)
    search = Options(options.file, "testing", options.get("testing") or {})
    alpha = search.number("beam_alpha" if "beam_alpha" in search.fields else "alpha", -1)
    model.generation = {
        "num_beams": search.number("beam_size", 1),
        "length_penalty": float(alpha) if alpha > 0 else 0.0,
        "suppress_tokens": [ids["bos"], ids["pad"]] + ([] if search.get("generate_unk", True) else [ids["unk"]]),
        "min_new_tokens": search.number("min_output_length", 1),
    }
    if alpha > 0:
        model.notes.append(f"JoeyNMT divides scores by ((5 + length) / 6)^{alpha}, Heed by length^{alpha}: beams may differ.")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="such as best.ckpt")
    parser.add_argument("--config", metavar="FILE", help="default: config.yaml beside the checkpoint")
    rnn_conversion.add_flags(parser)
    rnn_conversion.main("from_joeynmt.py", parser, convert)


if __name__ == "__main__":
    main()
