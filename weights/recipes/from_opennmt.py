#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Heed model directory of a recurrent OpenNMT-py model (versions 1, 2 and 3).

    from_opennmt.py model_step_20000.pt OUT_DIR --source-bpe=codes.src --target-bpe=codes.tgt --moses \\
        --source-language=en --target-language=de

CHECKPOINT is OpenNMT-py's .pt file; where version 3 saved the weights as .safetensors beside it, they are read from there.
Vocabularies are inside. How text became tokens is not: say it with the flags of the tokenizer, or send text that is
tokenized already.

The checkpoint is a pickle, which can hold code: none is run. Make sure of a conversion with --check. Needs only
PyTorch (1.13 or newer).
"""

import argparse
import os

import rnn_conversion
import safetensors_file
import torch_checkpoint
from rnn_conversion import Model, cell_names, cell_of, count_layers, id_of, module_names, take_rnn
from torch_checkpoint import Checkpoint, Refused, plain

SPECIALS = ("<blank>", "<s>", "</s>")
EMBEDDING = "{}.embeddings.make_embedding.emb_luts.0.weight"
# Options that must have one of these values; None where an old checkpoint does not have them at all.
SERVED = {
    "model_task": (None, "seq2seq"),
    "model_type": (None, "text"),
    "rnn_type": ("LSTM", "GRU"),
    "copy_attn": (None, False),
    "coverage_attn": (None, False),
    "context_gate": (None, "None", ""),
    "global_attention": ("general", "dot", "mlp", "none", None),
    "global_attention_function": (None, "softmax"),
    "generator_function": (None, "softmax"),
    "position_encoding": (None, False),
}


class Options:
    """The training options inside a checkpoint."""

    def __init__(self, path, content):
        self.path, self.values = path, plain(content)
        if not isinstance(self.values, dict):
            raise Refused(f"{path}: 'opt' holds no options")

    def get(self, *names, default=None):
        """The value of the first of the names that is there."""
        return next((self.values[name] for name in names if name in self.values), default)

    def check(self):
        for name, served in SERVED.items():
            if name in self.values and self.values[name] not in served:
                raise Refused(f"{self.path}: opt.{name} is {self.values[name]!r}, which is not served, only"
                              f" {', '.join(repr(value) for value in served if value is not None)}")
        for side, served in (("encoder", ("rnn", "brnn")), ("decoder", ("rnn", "ifrnn"))):
            kind = self.get(f"{side}_type", default="rnn")
            if kind not in served:
                raise Refused(f"{self.path}: opt.{side}_type is {kind!r}, which is not served, only"
                              f" {', '.join(map(repr, served))}")


def read(path):
    """(Checkpoint, Options, vocabularies as they are in the file)"""
    content = torch_checkpoint.load_data(path)
    if not isinstance(content, dict) or "vocab" not in content or "opt" not in content:
        raise Refused(f"{path}: has no 'vocab' and 'opt', so it is no checkpoint of OpenNMT-py")
    if "model" in content:
        tensors = dict(torch_checkpoint.check(path, content["model"]))
        if content.get("generator") is not None:
            generator = torch_checkpoint.check(f"{path}: generator", content["generator"])
            tensors.update({f"generator.{name}": tensor for name, tensor in generator.items()})
    else:
        path = f"{os.path.splitext(path)[0]}.safetensors"
        if not os.path.isfile(path):
            raise Refused(f"{path}: not there, and the checkpoint holds no weights")
        try:
            tensors = safetensors_file.read(path)
        except ValueError as error:
            raise Refused(str(error)) from None
    for name in ("weight", "bias"):  # versions 1 and 2
        if f"generator.0.{name}" in tensors:
            tensors[f"generator.{name}"] = tensors.pop(f"generator.0.{name}")
    return Checkpoint(path, tensors), Options(path, content["opt"]), content["vocab"]


# --- Network ----------------------------------------------------------------------------------------------------------


def take_embeddings(checkpoint, options, model):
    """Both embeddings; where they are shared, .safetensors holds one of them."""
    names = [EMBEDDING.format(side) for side in ("encoder", "decoder")]
    shared = bool(options.get("share_embeddings", default=False))
    for name, other in (names, names[::-1]):
        if shared and name not in checkpoint.tensors and other in checkpoint.tensors:
            checkpoint.tensors[name] = checkpoint.tensors[other]
    model.tensors["encoder.embedding.weight"] = checkpoint.take(names[0], [None, None], "source vocabulary, embedding")
    model.tensors["decoder.embedding.weight"] = checkpoint.take(names[1], [None, None], "target vocabulary, embedding")
    for name in checkpoint.names():
        if ".make_embedding." in name:
            raise Refused(f"{checkpoint.path}: tensor '{name}' is of word features or positions, which are not served")
    return shared


def convert_encoder(checkpoint, options, model):
    cell, hidden = cell_of(checkpoint, "encoder.rnn.weight_hh_l0")
    if cell.upper() != options.get("rnn_type", default="LSTM"):
        raise Refused(f"{checkpoint.path}: opt.rnn_type is {options.get('rnn_type')!r}, but tensor"
                      f" 'encoder.rnn.weight_hh_l0' is of {cell.upper()}")
    layers = count_layers(checkpoint, r"encoder\.rnn\.weight_hh_l(\d+)")
    both = "encoder.rnn.weight_hh_l0_reverse" in checkpoint.tensors
    rows, width = model.tensors["encoder.embedding.weight"].shape
    take_rnn(checkpoint, model, "encoder.rnn", module_names("encoder.rnn"), cell, width, hidden, layers, 1 + both)
    model.config["cell"] = cell
    model.config["encoder"] = {"vocabulary": rows, "embedding_width": width, "layers": layers, "hidden_size": hidden,
                               "bidirectional": both}


def convert_init(checkpoint, options, model):
    model.config["init"] = {"from": "layers"}
    if not options.get("bridge", default=False):
        return
    encoder = model.config["encoder"]
    width = encoder["layers"] * encoder["hidden_size"]
    model.config["init"] = {"from": "flattened", "linear": True, "activation": "relu"}
    for number, state in enumerate(("hidden", "cell")[: 2 if model.config["cell"] == "lstm" else 1]):
        for name, shape in (("weight", [width, width]), ("bias", [width])):
            model.tensors[f"init.{state}.{name}"] = checkpoint.take(f"encoder.bridge.{number}.{name}", shape,
                                                                    "layers x hidden size of the encoder")


def convert_decoder(checkpoint, options, model):
    config, encoder = model.config, model.config["encoder"]
    feeding = "decoder.rnn.layers.0.weight_hh" in checkpoint.tensors
    first, pattern = "decoder.rnn.weight_hh_l0", r"decoder\.rnn\.weight_hh_l(\d+)"
    if feeding:
        first, pattern = "decoder.rnn.layers.0.weight_hh", r"decoder\.rnn\.layers\.(\d+)\.weight_hh"
    cell, hidden = cell_of(checkpoint, first)
    layers = count_layers(checkpoint, pattern)
    outputs = encoder["hidden_size"] * (1 + encoder["bidirectional"])
    fewer = layers < encoder["layers"] and feeding and config["init"]["from"] == "layers"
    if (cell, hidden) != (config["cell"], outputs) or (layers != encoder["layers"] and not fewer):
        raise Refused(f"{checkpoint.path}: the decoder is {layers} x {hidden} ({cell}), the encoder's output"
                      f" {encoder['layers']} x {outputs} ({config['cell']}), from which it cannot start")
    rows, width = model.tensors["decoder.embedding.weight"].shape
    names = cell_names("decoder.rnn.layers") if feeding else module_names("decoder.rnn")
    inputs = width + (hidden if feeding else 0)
    take_rnn(checkpoint, model, "decoder.rnn", names, cell, inputs, hidden, layers)
    config["decoder"] = {"vocabulary": rows, "embedding_width": width, "layers": layers, "hidden_size": hidden,
                         "inputs": ["embedding", "feed"] if feeding else ["embedding"]}


def convert_attention(checkpoint, options, model):
    config, tensors, hidden = model.config, model.tensors, model.config["decoder"]["hidden_size"]
    kind = options.get("global_attention", default="general") or "none"
    if kind == "none":
        config["readout"] = {"inputs": ["state"]}
        return

    def take(target, name, *shape):
        tensors[f"attention.{target}"] = checkpoint.take(f"decoder.attn.{name}", shape, f"attention: {kind}")

    config["attention"] = {"when": "after", "score": kind}
    if kind == "general":
        take("query.weight", "linear_in.weight", hidden, hidden)
    elif kind == "mlp":
        take("query.weight", "linear_query.weight", hidden, hidden)
        take("query.bias", "linear_query.bias", hidden)
        take("key.weight", "linear_context.weight", hidden, hidden)
        take("energy.weight", "v.weight", 1, hidden)
        config["attention"].update(width=hidden, query_bias=True)
    mlp = kind == "mlp"
    tensors["context_vector.weight"] = checkpoint.take("decoder.attn.linear_out.weight", [hidden, 2 * hidden], "H, 2 H")
    if mlp:
        tensors["context_vector.bias"] = checkpoint.take("decoder.attn.linear_out.bias", [hidden], "H")
    config["context_vector"] = {"inputs": ["context", "state"], "width": hidden, "activation": "none" if mlp else "tanh",
                                "bias": mlp}
    config["readout"] = {"inputs": ["context_vector"]}


def convert_output(checkpoint, options, model):
    rows, hidden = model.config["decoder"]["vocabulary"], model.config["decoder"]["hidden_size"]
    tied = bool(options.get("share_decoder_embeddings", default=False))
    if tied and "generator.weight" not in checkpoint.tensors:
        checkpoint.tensors["generator.weight"] = model.tensors["decoder.embedding.weight"]
    model.tensors["output.weight"] = checkpoint.take("generator.weight", [rows, hidden], "target vocabulary, H")
    model.tensors["output.bias"] = checkpoint.take("generator.bias", [rows], "target vocabulary")
    return tied


# --- Text -------------------------------------------------------------------------------------------------------------


def field_tokens(path, side, vocab):
    """(tokens, {option: special token}) of a torchtext Field that versions 1 and 2 saved."""
    fields = dict(vocab) if isinstance(vocab, list) else plain(vocab)
    if side not in fields:
        raise Refused(f"{path}: 'vocab' has no '{side}', only {', '.join(map(str, fields))}")
    field = plain(fields[side])
    fields = field.get("fields") if isinstance(field, dict) else field
    if fields:  # a TextMultiField, or a list: the words, then features
        if len(fields) > 1:
            raise Refused(f"{path}: '{side}' has {len(fields) - 1} word features, which are not served")
        field = plain(fields[0][1])
    if isinstance(field, dict) and "vocab" in field:
        names = {name: field.get(f"{name}_token") for name in ("unk", "pad", "init", "eos")}
        field = plain(field["vocab"])
    else:  # before version 0.9: only the Vocab
        names = {"unk": "<unk>", "pad": "<blank>", "init": "<s>", "eos": "</s>"}
    if not isinstance(field, dict) or not isinstance(field.get("itos"), list):
        raise Refused(f"{path}: 'vocab' holds no vocabulary of '{side}' that is known here")
    return field["itos"], names


def convert_tokens(path, vocab, model):
    if isinstance(vocab, dict) and all(isinstance(vocab.get(side), list) for side in ("src", "tgt")) and "data_task" in vocab:
        model.source_tokens, model.target_tokens = vocab["src"], vocab["tgt"]
        source = {"unk": "<unk>"}
        target = {"unk": "<unk>", "pad": "<blank>", "init": vocab.get("decoder_start_token") or "<s>", "eos": "</s>"}
        if vocab.get("src_feats"):
            raise Refused(f"{path}: 'src_feats': word features are not served")
    else:
        model.source_tokens, source = field_tokens(path, "src", vocab)
        model.target_tokens, target = field_tokens(path, "tgt", vocab)
    what = [f"{path}: {side} vocabulary" for side in ("source", "target")]
    model.config["source"] = {"unknown": id_of(what[0], model.source_tokens, source.pop("unk"))}
    rnn_conversion.set_special(model, "source", [*source.values(), *SPECIALS])
    ids = {name: id_of(what[1], model.target_tokens, token) for name, token in target.items()}
    model.config["target"] = {"start": ids["init"], "end": ids["eos"], "unknown": ids["unk"], "pad": ids["pad"]}
    rnn_conversion.set_special(model, "target", SPECIALS)


def convert(flags):
    checkpoint, options, vocab = read(flags.checkpoint)
    options.check()
    model = Model("OpenNMT-py")
    shared = take_embeddings(checkpoint, options, model)
    convert_encoder(checkpoint, options, model)
    convert_init(checkpoint, options, model)
    convert_decoder(checkpoint, options, model)
    convert_attention(checkpoint, options, model)
    tied = convert_output(checkpoint, options, model)
    checkpoint.finish("a recurrent model of OpenNMT-py")
    convert_tokens(flags.checkpoint, vocab, model)
    rnn_conversion.tie(model, "encoder.embedding.weight", "tied_embeddings", shared, "share_embeddings")
    rnn_conversion.tie(model, "output.weight", "tied_output", tied, "share_decoder_embeddings")
    rnn_conversion.set_tokenizer(flags, model)
    # OpenNMT-py's own defaults: version 3 divides scores by the length.
    model.generation = {"num_beams": 5, "length_penalty": float(isinstance(vocab, dict) and "data_task" in vocab)}
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="such as model_step_20000.pt")
    rnn_conversion.add_flags(parser)
    rnn_conversion.main("from_opennmt.py", parser, convert)


if __name__ == "__main__":
    main()
