#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Heed model directory of a translator that was trained with one of the widespread PyTorch tutorials.

    from_pytorch_tutorial.py tut3-model.pt OUT_DIR --source-vocabulary=de.txt --target-vocabulary=en.txt --lowercase
    from_pytorch_tutorial.py encoder.pt OUT_DIR --decoder=decoder.pt --source-vocabulary=fra.json --target-vocabulary=eng.json

The first form takes the state_dict of bentrevett/pytorch-seq2seq, tutorials 1 (LSTM), 2 (GRU that sees the sentence's vector at
every step), 3 and 4 (attention), under their present and their former names. Former versions of tutorial 1, and only these,
read the source backwards: --reverse-source. The second form takes the two state_dicts of PyTorch's own tutorial (EncoderRNN
with DecoderRNN or AttnDecoderRNN).

The tutorials do not save vocabularies: write yours to files, one token a line in the order of the ids, or as .json of
"token": id. `itos` of torchtext is such a list. Files may be .safetensors, or PyTorch's, which are read only if they hold
nothing but tensors. Make sure of a conversion with --check. Needs only PyTorch (1.13 or newer).
"""

import argparse

import torch

import rnn_conversion
from from_pyg import read_checkpoint
from rnn_conversion import Model, cell_of, count_layers, id_of, module_names, take_rnn
from torch_checkpoint import Checkpoint, Refused, Unanswered

FORMER = {  # former name: present one
    "decoder.out.weight": "decoder.fc_out.weight",
    "decoder.out.bias": "decoder.fc_out.bias",
    "decoder.attention.attn.weight": "decoder.attention.attn_fc.weight",
    "decoder.attention.attn.bias": "decoder.attention.attn_fc.bias",
    "decoder.attention.v.weight": "decoder.attention.v_fc.weight",
    "decoder.attention.v": "decoder.attention.v_fc.weight",
}


def read_pair(flags):
    """The Checkpoint of PyTorch's tutorial: both files, under the names of one model."""
    tensors = {}
    for side, path in (("encoder", flags.checkpoint), ("decoder", flags.decoder)):
        tensors.update({f"{side}.{name}": tensor for name, tensor in read_checkpoint(path).items()})
    if "decoder.attn_combine.weight" in tensors:
        raise Refused(f"{flags.decoder}: tensor 'attn_combine.weight': the tutorial's former attention, which scores places"
                      " and not contents, is not served")
    return Checkpoint(flags.checkpoint, tensors)


def read_model(flags):
    """The Checkpoint of one of bentrevett's tutorials, under its present names."""
    tensors = {FORMER.get(name, name): tensor for name, tensor in read_checkpoint(flags.checkpoint).items()}
    energy = tensors.get("decoder.attention.v_fc.weight")
    if energy is not None and energy.dim() == 1:
        tensors["decoder.attention.v_fc.weight"] = energy[None]
    return Checkpoint(flags.checkpoint, tensors)


# --- Network ----------------------------------------------------------------------------------------------------------


def take_side(checkpoint, model, side, rnn):
    """Moves one side's embedding and fills config.json's part of it; returns the decoder's inputs beyond the embedding."""
    cell, hidden = cell_of(checkpoint, f"{side}.{rnn}.weight_hh_l0")
    layers = count_layers(checkpoint, rf"{side}\.{rnn}\.weight_hh_l(\d+)")
    embedding = checkpoint.take(f"{side}.embedding.weight", [None, None], "vocabulary, embedding")
    model.tensors[f"{side}.embedding.weight"] = embedding
    if model.config.setdefault("cell", cell) != cell:
        raise Refused(f"{checkpoint.path}: the encoder's cell is {model.config['cell']}, the decoder's {cell}")
    model.config[side] = {"vocabulary": len(embedding), "embedding_width": embedding.shape[1], "layers": layers,
                          "hidden_size": hidden}
    first = checkpoint.tensors.get(f"{side}.{rnn}.weight_ih_l0")
    both = f"{side}.{rnn}.weight_hh_l0_reverse" in checkpoint.tensors
    if side == "encoder":
        model.config[side]["bidirectional"] = both
    more = first.shape[-1] - embedding.shape[1] if first is not None and side == "decoder" else 0
    take_rnn(checkpoint, model, f"{side}.rnn", module_names(f"{side}.{rnn}"), cell, embedding.shape[1] + more, hidden, layers,
             1 + both)
    return more


def refuse_width(checkpoint, name, found, served):
    raise Refused(f"{checkpoint.path}: tensor '{name}' takes {found} numbers beside the embedding, not {served}")


def take_output(checkpoint, model, name, inputs):
    config = model.config
    widths = {"embedding": config["decoder"]["embedding_width"], "state": config["decoder"]["hidden_size"],
              "context": config["encoder"]["hidden_size"] * (1 + config["encoder"]["bidirectional"]),
              "initial": config["decoder"]["hidden_size"]}
    rows, width = config["decoder"]["vocabulary"], sum(widths[part] for part in inputs)
    model.tensors["output.weight"] = checkpoint.take(f"{name}.weight", [rows, width], f"vocabulary, {' and '.join(inputs)}")
    model.tensors["output.bias"] = checkpoint.take(f"{name}.bias", [rows], "vocabulary")
    config["readout"], config["output_bias"] = {"inputs": inputs}, True


def convert_attention(checkpoint, model):
    """Tutorials 3 and 4: attention before the cell, by v tanh(W [state; h_j] + b)."""
    config, tensors = model.config, model.tensors
    hidden, outputs = config["decoder"]["hidden_size"], 2 * config["encoder"]["hidden_size"]
    tensors["init.hidden.weight"] = checkpoint.take("encoder.fc.weight", [hidden, outputs], "H, 2 H_e")
    tensors["init.hidden.bias"] = checkpoint.take("encoder.fc.bias", [hidden], "H")
    config["init"] = {"from": "top", "linear": True, "activation": "tanh"}
    if config["cell"] == "lstm":
        raise Refused(f"{checkpoint.path}: an LSTM with attention is in none of the tutorials")
    layer = checkpoint.take("decoder.attention.attn_fc.weight", [hidden, hidden + outputs], "H, [state; h_j]")
    tensors["attention.query.weight"] = layer[:, :hidden].contiguous()
    tensors["attention.key.weight"] = layer[:, hidden:].contiguous()
    tensors["attention.query.bias"] = checkpoint.take("decoder.attention.attn_fc.bias", [hidden], "H")
    tensors["attention.energy.weight"] = checkpoint.take("decoder.attention.v_fc.weight", [1, hidden], "1, H")
    config["attention"] = {"when": "before", "score": "mlp", "width": hidden, "query_bias": True}
    config["decoder"]["inputs"] = ["embedding", "context"]
    take_output(checkpoint, model, "decoder.fc_out", ["state", "context", "embedding"])


def convert_model(flags, model):
    """bentrevett's tutorials."""
    checkpoint, config = read_model(flags), model.config
    take_side(checkpoint, model, "encoder", "rnn")
    more = take_side(checkpoint, model, "decoder", "rnn")
    hidden, bidirectional = config["decoder"]["hidden_size"], config["encoder"]["bidirectional"]
    name = "decoder.rnn.weight_ih_l0"
    if "decoder.attention.attn_fc.weight" in checkpoint.tensors:
        if not bidirectional or more != 2 * config["encoder"]["hidden_size"]:
            refuse_width(checkpoint, name, more, "the width of a bidirectional encoder's output")
        convert_attention(checkpoint, model)
    elif more not in (0, hidden) or bidirectional:
        refuse_width(checkpoint, name, more, f"none (tutorial 1) or {hidden} (tutorial 2)")
    else:
        config["init"] = {"from": "layers"}
        config["decoder"]["inputs"] = ["embedding", "initial"] if more else ["embedding"]
        take_output(checkpoint, model, "decoder.fc_out", ["embedding", "state", "initial"] if more else ["state"])
    checkpoint.finish("a model of bentrevett's tutorials")


def convert_pair(flags, model):
    """PyTorch's tutorial."""
    checkpoint, config, tensors = read_pair(flags), model.config, model.tensors
    take_side(checkpoint, model, "encoder", "gru")
    more = take_side(checkpoint, model, "decoder", "gru")
    hidden, name = config["decoder"]["hidden_size"], "decoder.gru.weight_ih_l0"
    config["init"] = {"from": "layers"}
    attention = "decoder.attention.Wa.weight" in checkpoint.tensors
    if more != (hidden if attention else 0):
        refuse_width(checkpoint, name, more, hidden if attention else 0)
    if attention:
        for target, source in (("query", "Wa"), ("key", "Ua")):
            tensors[f"attention.{target}.weight"] = checkpoint.take(f"decoder.attention.{source}.weight", [hidden, hidden], "H")
            tensors[f"attention.{target}.bias"] = checkpoint.take(f"decoder.attention.{source}.bias", [hidden], "H")
        tensors["attention.energy.weight"] = checkpoint.take("decoder.attention.Va.weight", [1, hidden], "1, H")
        checkpoint.take("decoder.attention.Va.bias", [1], "the same for all scores, so it changes nothing")
        config["attention"] = {"when": "before", "score": "mlp", "width": hidden, "query_bias": True, "key_bias": True}
        config["decoder"]["inputs"] = ["embedding", "context"]
    else:  # DecoderRNN puts a ReLU on the embedding
        config["decoder"]["inputs"] = ["embedding"]
        tensors["decoder.embedding.weight"] = torch.relu(tensors["decoder.embedding.weight"])
    take_output(checkpoint, model, "decoder.out", ["state"])
    checkpoint.finish("a model of PyTorch's tutorial")


# --- Text -------------------------------------------------------------------------------------------------------------


def convert_tokens(flags, model):
    for side in ("source", "target"):
        path = getattr(flags, f"{side}_vocabulary")
        if not path:
            raise Unanswered(f"give --{side}-vocabulary=FILE: the tutorials do not save vocabularies")
        setattr(model, f"{side}_tokens", rnn_conversion.read_vocabulary(path))
    what = [f"{flags.source_vocabulary}", f"{flags.target_vocabulary}"]
    if flags.decoder:
        for tokens in (model.source_tokens, model.target_tokens):
            for index, token in enumerate(("SOS", "EOS")):  # word2index of the class Lang has neither
                if len(tokens) > index and not tokens[index]:
                    tokens[index] = token
        model.config["source"] = {"end": id_of(what[0], model.source_tokens, "EOS")}
        rnn_conversion.set_special(model, "source", ["SOS"])
        model.config["target"] = {name: id_of(what[1], model.target_tokens, token)
                                  for name, token in (("start", "SOS"), ("end", "EOS"))}
        return
    names = {"start": "<sos>", "end": "<eos>", "unknown": "<unk>", "pad": "<pad>"}
    source = {name: id_of(what[0], model.source_tokens, token) for name, token in names.items() if name != "pad"}
    model.config["source"] = {**source, "reverse": True} if flags.reverse_source else source
    rnn_conversion.set_special(model, "source", ["<pad>"])
    model.config["target"] = {name: id_of(what[1], model.target_tokens, token) for name, token in names.items()}


def convert(flags):
    if flags.decoder and flags.reverse_source:
        raise Unanswered("--reverse-source: PyTorch's tutorial reads the source forwards")
    model = Model("a PyTorch tutorial")
    (convert_pair if flags.decoder else convert_model)(flags, model)
    convert_tokens(flags, model)
    rnn_conversion.set_tokenizer(flags, model)
    model.generation = {"num_beams": 1, "length_penalty": 0.0}  # the tutorials search greedily
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="state_dict of the model, or of PyTorch's EncoderRNN")
    parser.add_argument("--decoder", metavar="FILE", help="state_dict of PyTorch's DecoderRNN or AttnDecoderRNN")
    parser.add_argument("--source-vocabulary", metavar="FILE", help="one token a line, or .json of \"token\": id")
    parser.add_argument("--target-vocabulary", metavar="FILE", help="likewise")
    parser.add_argument("--reverse-source", action="store_true", help="former versions of bentrevett's tutorial 1")
    rnn_conversion.add_flags(parser)
    rnn_conversion.main("from_pytorch_tutorial.py", parser, convert)


if __name__ == "__main__":
    main()
