#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Heed model directory of a fairseq model of architecture lstm.

    from_fairseq_lstm.py checkpoint_best.pt OUT_DIR --source-dictionary=dict.de.txt --target-dictionary=dict.en.txt \\
        --source-bpe=code --moses --source-language=de --target-language=en

Dictionaries are fairseq's "token count" files; without the flags they are dict.LANGUAGE.txt beside the checkpoint, the
languages being those of the checkpoint's options. How text became tokens is in no file of fairseq: say it with the flags of
the tokenizer, or send text that is tokenized already.

The checkpoint is a pickle, which can hold code: none is run. Make sure of a conversion with --check. Needs only
PyTorch (1.13 or newer).
"""

import argparse
import os
import re

import rnn_conversion
import torch_checkpoint
from rnn_conversion import Model, cell_names, cell_of, count_layers, module_names, take_rnn
from torch_checkpoint import Checkpoint, Refused, Unanswered, plain

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
START, PAD, END, UNKNOWN = range(4)


def read(path):
    """(Checkpoint, {option: value})"""
    content = torch_checkpoint.load_data(path)
    if not isinstance(content, dict) or "model" not in content or not {"args", "cfg"} & set(content):
        raise Refused(f"{path}: has no 'model' with 'args' or 'cfg', so it is no checkpoint of fairseq")
    options = {}
    configuration = plain(content.get("cfg")) or {}
    for part in (configuration.get("task"), configuration.get("model"), content.get("args")):
        options.update(plain(part) or {})
    kind = options.get("arch") or options.get("_name")
    if not str(kind).startswith("lstm") or str(kind).startswith("lstm_lm"):
        raise Refused(f"{path}: the architecture is {kind!r}, which is not served here, only 'lstm'")
    return Checkpoint(path, torch_checkpoint.check(path, content["model"])), options


# --- Network ----------------------------------------------------------------------------------------------------------


def convert_encoder(checkpoint, model):
    cell, hidden = cell_of(checkpoint, "encoder.lstm.weight_hh_l0")
    layers = count_layers(checkpoint, r"encoder\.lstm\.weight_hh_l(\d+)")
    both = "encoder.lstm.weight_hh_l0_reverse" in checkpoint.tensors
    embedding = checkpoint.take("encoder.embed_tokens.weight", [None, None], "source dictionary, embedding")
    rows, width = embedding.shape
    model.tensors["encoder.embedding.weight"] = embedding
    take_rnn(checkpoint, model, "encoder.rnn", module_names("encoder.lstm"), cell, width, hidden, layers, 1 + both)
    model.config["cell"] = cell
    model.config["encoder"] = {"vocabulary": rows, "embedding_width": width, "layers": layers, "hidden_size": hidden,
                               "bidirectional": both}
    return hidden * (1 + both)


def convert_decoder(checkpoint, model, outputs):
    config = model.config
    cell, hidden = cell_of(checkpoint, "decoder.layers.0.weight_hh")
    layers = count_layers(checkpoint, r"decoder\.layers\.(\d+)\.weight_hh")
    embedding = checkpoint.take("decoder.embed_tokens.weight", [None, None], "target dictionary, embedding")
    rows, width = embedding.shape
    model.tensors["decoder.embedding.weight"] = embedding
    take_rnn(checkpoint, model, "decoder.rnn", cell_names("decoder.layers"), cell, width + hidden, hidden, layers)
    config["decoder"] = {"vocabulary": rows, "embedding_width": width, "layers": layers, "hidden_size": hidden,
                         "inputs": ["embedding", "feed"]}
    config["init"] = {"from": "layers"}
    if hidden != outputs:
        config["init"].update(linear=True, activation="none")
        for state in ("hidden", "cell"):
            for name, shape in (("weight", [hidden, outputs]), ("bias", [hidden])):
                model.tensors[f"init.{state}.{name}"] = checkpoint.take(
                    f"decoder.encoder_{state}_proj.{name}", shape, "the decoder's width, the encoder's output"
                )


def convert_attention(checkpoint, model, outputs):
    config, hidden = model.config, model.config["decoder"]["hidden_size"]
    if "decoder.attention.input_proj.weight" not in checkpoint.tensors:
        config["readout"] = {"inputs": ["state"]}
        return
    query = checkpoint.take("decoder.attention.input_proj.weight", [outputs, hidden], "the encoder's output, H")
    layer = checkpoint.take("decoder.attention.output_proj.weight", [hidden, outputs + hidden], "H, [context; state]")
    model.tensors.update({"attention.query.weight": query, "context_vector.weight": layer})
    config["attention"] = {"when": "after", "score": "general"}
    config["context_vector"] = {"inputs": ["context", "state"], "width": hidden, "activation": "tanh", "bias": False}
    config["readout"] = {"inputs": ["context_vector"]}


def convert_output(checkpoint, model):
    config, rows = model.config, model.config["decoder"]["vocabulary"]
    width = config["decoder"]["hidden_size"]
    if "decoder.additional_fc.weight" in checkpoint.tensors:
        layer = checkpoint.take("decoder.additional_fc.weight", [None, width], "output embedding, H")
        width = len(layer)
        model.tensors["readout.weight"] = layer
        model.tensors["readout.bias"] = checkpoint.take("decoder.additional_fc.bias", [width], "output embedding")
        config["readout"].update(width=width, activation="none")
    config["output_bias"] = "decoder.fc_out.weight" in checkpoint.tensors
    if config["output_bias"]:
        model.tensors["output.weight"] = checkpoint.take("decoder.fc_out.weight", [rows, width], "dictionary, width")
        model.tensors["output.bias"] = checkpoint.take("decoder.fc_out.bias", [rows], "dictionary")


# --- Text -------------------------------------------------------------------------------------------------------------


def read_dictionary(path):
    """Tokens by id: the special ones, then those of the file. A token that is there again, marked as such, has its later id."""
    tokens, places = list(SPECIALS), {token: index for index, token in enumerate(SPECIALS)}
    for number, line in enumerate(rnn_conversion.read_lines(path), 1):
        match = re.fullmatch(r"(.*) \d+( #fairseq:overwrite)?", line.rstrip())
        if not match:
            raise Refused(f"{path}: line {number} is not `token count`: {line}")
        token, overwrites = match.groups()
        if token in places:
            if not overwrites:
                raise Refused(f"{path}: line {number}: token '{token}' is there already, as {places[token]}")
            tokens[places[token]] = ""
        places[token] = len(tokens)
        tokens.append(token)
    return tokens


def dictionary(flags, options, side):
    """The path of one side's dictionary."""
    path = getattr(flags, f"{side}_dictionary")
    if path:
        return path
    language = options.get(f"{side}_lang")
    path = os.path.join(os.path.dirname(flags.checkpoint), f"dict.{language}.txt")
    if not language or not os.path.isfile(path):
        raise Unanswered(f"{path}: not there; give --{side}-dictionary=FILE")
    return path


def convert(flags):
    checkpoint, options = read(flags.checkpoint)
    model = Model("fairseq")
    outputs = convert_encoder(checkpoint, model)
    convert_decoder(checkpoint, model, outputs)
    convert_attention(checkpoint, model, outputs)
    convert_output(checkpoint, model)
    checkpoint.finish("a model of fairseq's lstm")
    names = ("share_all_embeddings", "share_decoder_input_output_embed")
    tied, tied_output = options.get(names[0]), options.get(names[0]) or options.get(names[1])
    rnn_conversion.tie(model, "encoder.embedding.weight", "tied_embeddings", tied, names[0])
    rnn_conversion.tie(model, "output.weight", "tied_output", tied_output, ", ".join(names))
    for side in ("source", "target"):
        setattr(model, f"{side}_tokens", read_dictionary(dictionary(flags, options, side)))
        if not getattr(flags, f"{side}_language"):
            setattr(flags, f"{side}_language", options.get(f"{side}_lang"))
    model.config["source"] = {"end": END, "unknown": UNKNOWN, "special": [START, PAD]}
    model.config["target"] = {"start": END, "end": END, "unknown": UNKNOWN, "pad": PAD, "special": [START]}
    rnn_conversion.set_tokenizer(flags, model)
    # fairseq-generate: beam 5, scores divided by the length, never <pad>.
    model.generation = {"num_beams": 5, "length_penalty": 1.0, "suppress_tokens": [PAD], "min_new_tokens": 1}
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="such as checkpoint_best.pt")
    parser.add_argument("--source-dictionary", metavar="FILE", help="default: dict.LANGUAGE.txt beside the checkpoint")
    parser.add_argument("--target-dictionary", metavar="FILE", help="likewise")
    rnn_conversion.add_flags(parser)
    rnn_conversion.main("from_fairseq_lstm.py", parser, convert)


if __name__ == "__main__":
    main()
