#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Heed model directory of a recurrent Nematus (Theano) or Marian model (types s2s, nematus, amun).

    from_nematus.py model.npz OUT_DIR --source-vocabulary=vocab.en.yml --target-vocabulary=vocab.de.yml \\
        --source-bpe=ende.bpe --moses --source-language=en --target-language=de

MODEL is the .npz file. Marian's options are inside, Nematus' in MODEL.json beside it. Vocabularies are .json or .yml files of
"token": id. A Marian model with SentencePiece vocabularies takes --source-spm=FILE.spm (and --target-spm) instead.

Layer normalization, deep transitions, deep encoders and decoders, factors and other cells than GRU and Marian's LSTM are not
served. No pickle is read. Make sure of a conversion with --check. Needs PyTorch (1.13 or newer) and numpy.
"""

import argparse
import functools
import json
import os
import re
import zipfile

import numpy
import torch

import plain_yaml
import rnn_conversion
import sentencepiece_file
from rnn_conversion import Model
from torch_checkpoint import Checkpoint, Refused, Unanswered

END = 0
END_NAMES, UNKNOWN_NAMES, START_NAME = ("</s>", "eos", "<EOS>"), ("<unk>", "UNK", "<UNK>"), "<GO>"
TIED_OUTPUT = ("tied-embeddings", "tied-embeddings-all", "tie_decoder_embeddings")
NOT_WEIGHTS = re.compile(r"special:.*|history_errs|uidx|uepoch|zipped_params|decoder_c_tt|.*_moments?|adam.*", re.I)
# What Marian calls the tensors (types s2s), and what Nematus and Marian's types nematus and amun call them.
MARIAN = {
    "source": "encoder_Wemb", "target": "decoder_Wemb", "joint": "Wemb",
    "forward": "encoder_bi_{}", "backward": "encoder_bi_r_{}",
    "cell 1": "decoder_cell1_{}", "cell 2": "decoder_cell2_{}",
    "state": "decoder_ff_state_{}", "embedding": "decoder_ff_logit_l1_{}0", "hidden": "decoder_ff_logit_l1_{}1",
    "context": "decoder_ff_logit_l1_{}2", "output": "decoder_ff_logit_l2_{}",
}
NEMATUS = {
    "source": "Wemb", "target": "Wemb_dec", "joint": "Wemb",
    "forward": "encoder_{}", "backward": "encoder_r_{}", "cell 1": "decoder_{}", "cell 2": None,
    "state": "ff_state_{}", "embedding": "ff_logit_prev_{}", "hidden": "ff_logit_lstm_{}",
    "context": "ff_logit_ctx_{}", "output": "ff_logit_{}",
}
SECOND_CELL = {"W": "Wc", "Wx": "Wcx", "U": "U_nl", "Ux": "Ux_nl", "b": "b_nl", "bx": "bx_nl"}  # Nematus' second cell
SERVED = {
    "type": ("s2s", "nematus", "amun"), "enc-type": ("bidirectional",), "enc-depth": (1,), "dec-depth": (1,),
    "enc-cell": ("gru", "lstm"), "dec-cell": ("gru", "lstm"), "enc-cell-depth": (1,), "dec-cell-base-depth": (2,),
    "layer-normalization": (False,), "input-types": ([], ["sequence"], ["sequence", "sequence"], None), "ulr": (False,),
    "lemma-dim-emb": (0,), "output-omit-bias": (False,), "lemma-dependency": ("", None),
    "encoder": ("gru",), "decoder": ("gru_cond",), "layer_normalisation": (False, 0), "weight_normalisation": (False, 0),
    "use_layer_norm": (False, 0), "enc_depth": (1,), "dec_depth": (1,), "factors": (1,), "deep_fusion_lm": (None, ""),
    "enc_recurrence_transition_depth": (1,), "dec_base_recurrence_transition_depth": (2,),
    "output_hidden_activation": ("tanh",),
}


def read(path):
    """(Checkpoint, {option: value}, name of the options' place)"""
    try:
        with numpy.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if not NOT_WEIGHTS.fullmatch(name)}
            options = archive["special:model.yml"] if "special:model.yml" in archive.files else None
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise Refused(f"{path}: not a readable .npz file of arrays alone: {error}") from None
    for name, array in arrays.items():
        if not numpy.issubdtype(array.dtype, numpy.floating):
            raise Refused(f"{path}: array '{name}' is {array.dtype}, not floating-point numbers (quantized models are not"
                          " served)")
    tensors = {name: torch.from_numpy(numpy.ascontiguousarray(array, numpy.float32)) for name, array in arrays.items()}
    if options is not None:
        place = f"{path}: special:model.yml"
        text = options.tobytes().rstrip(b"\0").decode("utf-8", "replace")
        try:
            content = plain_yaml.parse(text)
        except plain_yaml.Unreadable as error:
            raise Refused(f"{place}: {error}") from None
    else:
        place = f"{path}.json"
        if not os.path.isfile(place):
            raise Refused(f"{path}: has no 'special:model.yml' (Marian), and {place} (Nematus) is not there")
        try:
            with open(place, encoding="utf-8") as file:
                content = json.load(file)
        except ValueError as error:
            raise Refused(f"{place}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused(f"{place}: holds no options")
    return Checkpoint(path, tensors), content, place


def check_options(options, place):
    for name, served in SERVED.items():
        if name in options and options[name] not in served:
            raise Refused(f"{place}: {name} is {options[name]!r}, which is not served, only"
                          f" {', '.join(map(repr, served))}")
    version = options.get("model_version", 0)
    if type(version) not in (int, float):
        raise Refused(f"{place}: model_version is {version!r}, not a number")
    if options.get("use_dropout") and version < 0.1 and "type" not in options:
        raise Refused(f"{place}: use_dropout is true and model_version {version}; before 0.1 Nematus scales layers by the"
                      " dropout when it translates, which is not served")
    cells = {options[name] for name in ("enc-cell", "dec-cell") if name in options}
    if len(cells) > 1:
        raise Refused(f"{place}: enc-cell is {options['enc-cell']!r}, dec-cell {options['dec-cell']!r}; only the same is"
                      " served")
    return cells.pop() if cells else "gru"


# --- Network ----------------------------------------------------------------------------------------------------------


class Weights:
    """The arrays of one model under the names that both programs share here."""

    def __init__(self, checkpoint, names):
        self.checkpoint, self.names = checkpoint, names

    def name(self, part, array=None):
        if self.names[part] is None:
            return f"decoder_{SECOND_CELL[array]}"
        return self.names[part].format(array)

    def there(self, part, array=None):
        return self.name(part, array) in self.checkpoint.tensors

    def matrix(self, part, array, rows, columns):
        """[in, out] in the file; here as PyTorch has it, [out, in]."""
        return self.checkpoint.take(self.name(part, array), [rows, columns], "inputs, outputs").t().contiguous()

    def vector(self, name, size):
        """[1, n] in the file, or [n]."""
        tensor = self.checkpoint.tensors.get(name)
        shape = [size] if tensor is not None and tensor.dim() == 1 else [1, size]
        return self.checkpoint.take(name, shape, "a bias").reshape(-1)

    def bias(self, part, array, size):
        return self.vector(self.name(part, array), size)

    def gru(self, part, inputs, hidden, final=False):
        """PyTorch's four tensors of a GRU. In a `final` cell (the decoder's second) bx is inside the reset gate's product."""
        b, bx = self.bias(part, "b", 2 * hidden), self.bias(part, "bx", hidden)
        inside = torch.cat([torch.zeros(2 * hidden), bx])
        return {
            "weight_ih": torch.cat([self.matrix(part, "W", inputs, 2 * hidden), self.matrix(part, "Wx", inputs, hidden)]),
            "weight_hh": torch.cat([self.matrix(part, "U", hidden, 2 * hidden), self.matrix(part, "Ux", hidden, hidden)]),
            "bias_ih": torch.cat([b, torch.zeros(hidden)]) if final else torch.cat([b, bx]),
            "bias_hh": inside if final else torch.zeros(3 * hidden),
        }

    def lstm(self, part, inputs, hidden):
        """PyTorch's four tensors of an LSTM, whose gates are f, i, c, o in the file."""

        def reordered(tensor):
            f, i, c, o = tensor.chunk(4)
            return torch.cat([i, f, c, o])

        return {
            "weight_ih": reordered(self.matrix(part, "W", inputs, 4 * hidden)),
            "weight_hh": reordered(self.matrix(part, "U", hidden, 4 * hidden)),
            "bias_ih": reordered(self.bias(part, "b", 4 * hidden)),
            "bias_hh": torch.zeros(4 * hidden),
        }


def put(model, target, suffix, tensors):
    for name, tensor in tensors.items():
        model.tensors[f"{target}.{name}{suffix}"] = tensor


def take_embeddings(weights, model):
    """Both embeddings; a joint one is there once. Returns whether they are the same."""
    take = weights.checkpoint.take
    if weights.there("source") and weights.there("target"):
        source = take(weights.name("source"), [None, None], "source vocabulary, embedding")
        target = take(weights.name("target"), [None, None], "target vocabulary, embedding")
    else:
        source = target = take(weights.name("joint"), [None, None], "joint vocabulary, embedding")
    model.tensors["encoder.embedding.weight"], model.tensors["decoder.embedding.weight"] = source, target
    return source is target


def convert_recurrence(weights, model, cell):
    config, checkpoint = model.config, weights.checkpoint
    (source_rows, source_width), (rows, width) = (
        model.tensors[f"{side}.embedding.weight"].shape for side in ("encoder", "decoder"))
    sizes = {}
    for part in ("forward", "cell 1"):
        if not weights.there(part, "U"):
            raise Refused(f"{checkpoint.path}: has no tensor '{weights.name(part, 'U')}'")
        sizes[part] = checkpoint.tensors[weights.name(part, "U")].shape[0]
    inner, hidden = sizes["forward"], sizes["cell 1"]
    take, take_second = weights.lstm, weights.lstm
    if cell == "gru":
        take, take_second = weights.gru, functools.partial(weights.gru, final=True)
    put(model, "encoder.rnn", "_l0", take("forward", source_width, inner))
    put(model, "encoder.rnn", "_l0_reverse", take("backward", source_width, inner))
    put(model, "decoder.rnn", "_l0", take("cell 1", width, hidden))
    put(model, "decoder.rnn2", "_l0", take_second("cell 2", 2 * inner, hidden))
    config["cell"] = cell
    config["encoder"] = {"vocabulary": source_rows, "embedding_width": source_width, "layers": 1, "hidden_size": inner,
                         "bidirectional": True}
    config["decoder"] = {"vocabulary": rows, "embedding_width": width, "layers": 1, "hidden_size": hidden,
                         "inputs": ["embedding"]}


def convert_start_and_attention(weights, model):
    config, tensors = model.config, model.tensors
    outputs, hidden = 2 * config["encoder"]["hidden_size"], config["decoder"]["hidden_size"]
    tensors["init.hidden.weight"] = weights.matrix("state", "W", outputs, hidden)
    tensors["init.hidden.bias"] = weights.bias("state", "b", hidden)
    config["init"] = {"from": "mean", "linear": True, "activation": "tanh"}
    take = weights.checkpoint.take
    tensors["attention.query.weight"] = take("decoder_W_comb_att", [hidden, outputs], "H, C").t().contiguous()
    tensors["attention.key.weight"] = take("decoder_Wc_att", [outputs, outputs], "C, C").t().contiguous()
    tensors["attention.key.bias"] = weights.vector("decoder_b_att", outputs)
    tensors["attention.energy.weight"] = take("decoder_U_att", [outputs, 1], "C, 1").t().contiguous()
    config["attention"] = {"when": "between", "score": "mlp", "width": outputs, "key_bias": True}


def convert_output(weights, model):
    config, tensors = model.config, model.tensors
    outputs, hidden = 2 * config["encoder"]["hidden_size"], config["decoder"]["hidden_size"]
    rows, width = config["decoder"]["vocabulary"], config["decoder"]["embedding_width"]
    inputs = {"embedding": width, "hidden": hidden, "context": outputs}
    tensors["readout.weight"] = torch.cat([weights.matrix(part, "W", size, width) for part, size in inputs.items()], 1)
    tensors["readout.bias"] = sum(weights.bias(part, "b", width) for part in inputs)
    config["readout"] = {"inputs": ["embedding", "state", "context"], "width": width, "activation": "tanh"}
    if weights.there("output", "W"):
        tensors["output.weight"] = weights.matrix("output", "W", width, rows)
    tensors["output.bias"] = weights.bias("output", "b", rows)
    config["output_bias"] = True


# --- Text -------------------------------------------------------------------------------------------------------------


def tokens_of(flags, side, rows, what):
    """Tokens by id, as many as the embedding has rows: programs cut vocabularies off, and pad embeddings."""
    path = getattr(flags, f"{side}_vocabulary")
    if not path:
        if not (flags.source_spm and flags.tokenizer in (None, "sentencepiece")):
            raise Unanswered(f"give --{side}-vocabulary=FILE ({what}), or --source-spm=FILE.spm of a SentencePiece vocabulary")
        return None
    tokens = rnn_conversion.read_vocabulary(path)[:rows]
    return tokens + [""] * (rows - len(tokens))


def special_tokens(flags, side, tokens):
    """What config.json says of one side's special tokens. Both programs end sentences with token 0."""
    what = getattr(flags, f"{side}_vocabulary")
    if tokens is None:
        what = getattr(flags, f"{side}_spm") or flags.source_spm
        try:
            tokens = sentencepiece_file.pieces(what)
        except ValueError as error:
            raise Refused(str(error)) from None
    if tokens[END] not in END_NAMES:
        raise Refused(f"{what}: token {END} is '{tokens[END]}', not {' or '.join(END_NAMES)}, which ends sentences")
    unknown = [tokens.index(name) for name in UNKNOWN_NAMES if name in tokens]
    if not unknown:
        raise Refused(f"{what}: has no unknown token {' or '.join(UNKNOWN_NAMES)}; it begins with {', '.join(tokens[:3])}")
    found = {"end": END, "unknown": min(unknown)}
    return {**found, "special": [tokens.index(START_NAME)]} if START_NAME in tokens else found


def convert(flags):
    checkpoint, options, place = read(flags.checkpoint)
    cell = check_options(options, place)
    own = any(name.startswith("encoder_bi_") for name in checkpoint.names())
    model, weights = Model("Marian" if "type" in options else "Nematus"), Weights(checkpoint, MARIAN if own else NEMATUS)
    joint = take_embeddings(weights, model)
    convert_recurrence(weights, model, cell)
    convert_start_and_attention(weights, model)
    convert_output(weights, model)
    checkpoint.finish("a bidirectional GRU or LSTM with a conditional decoder of Nematus or Marian (_ln_, gamma: layer"
                      " normalization, _drt_, _cell3: deep transitions, which are not served)")
    for side, part in (("source", "encoder"), ("target", "decoder")):
        rows = model.config[part]["vocabulary"]
        setattr(model, f"{side}_tokens", tokens_of(flags, side, rows, f"{rows} tokens"))
        model.config[side] = special_tokens(flags, side, getattr(model, f"{side}_tokens"))
    model.config["target"] = {"start": "zeros", **model.config["target"]}
    rnn_conversion.tie(model, "encoder.embedding.weight", "tied_embeddings", joint, "one embedding of both sides")
    tied = any(options.get(name) for name in TIED_OUTPUT)
    rnn_conversion.tie(model, "output.weight", "tied_output", tied, ", ".join(TIED_OUTPUT))
    rnn_conversion.set_tokenizer(flags, model)
    if "type" in options:  # Marian never writes <unk>, unless asked to
        unknown = model.config["target"]["unknown"]
        model.generation = {"num_beams": 12, "length_penalty": 0.0, "suppress_tokens": [unknown]}
    else:
        model.generation = {"num_beams": 5, "length_penalty": 0.0}
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="MODEL", help="such as model.npz")
    parser.add_argument("--source-vocabulary", metavar="FILE", help=".json or .yml of \"token\": id")
    parser.add_argument("--target-vocabulary", metavar="FILE", help="likewise")
    rnn_conversion.add_flags(parser)
    rnn_conversion.main("from_nematus.py", parser, convert)


if __name__ == "__main__":
    main()
