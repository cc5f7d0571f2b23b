#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Heed model directory of a pytorch-ntm checkpoint.

    from_pytorch_ntm.py CHECKPOINT OUT_DIR [--frame=copy]

CHECKPOINT is the state_dict of an EncapsulatedNTM of github.com/loudinthecloud/pytorch-ntm (what its train.py saves),
as .safetensors or as PyTorch's file, which is read only if it holds nothing but tensors. Heads are addressed in their
list's order on the memory as it is then; the state at the start is the learned h and c, the stored memory and read
vectors, and no weight on any slot. The tensors are those of every version; the conventions are those of the version
with softplus and raw keys, not of the earlier one with relu. Its repeat-copy task is framed in another
way than Heed's: send such a model rows of its input width. Needs only PyTorch (1.13 or newer).
"""

import argparse
import re
import sys

import torch

import ntm_conversion
from from_pyg import read_checkpoint
from torch_checkpoint import Checkpoint, Refused


def without_copies(path, tensors):
    """The tensors under their names in NTM, the copies of the one memory left out."""
    tensors = {
        name[4:] if name.startswith("ntm.") else name: tensor
        for name, tensor in tensors.items()
        if not (name.startswith("ntm.") and name[4:] in tensors)
    }
    memory = tensors.get("memory.mem_bias")
    for name in [name for name in tensors if re.fullmatch(r"heads\.\d+\.memory\.mem_bias", name)]:
        copy = tensors.pop(name)
        if memory is None or not torch.equal(copy, memory):
            raise Refused(
                f"{path}: tensor '{name}' is not the memory 'memory.mem_bias', which all heads of pytorch-ntm share"
            )
    return tensors


def head_kinds(checkpoint):
    """["read", "write", ...] by the names of the heads' layers."""
    found = {}
    for name in checkpoint.names():
        match = re.fullmatch(r"heads\.(\d+)\.fc_(read|write)\.weight", name)
        if match:
            found[int(match[1])] = match[2]
    if sorted(found) != list(range(len(found))) or set(found.values()) != {"read", "write"}:
        raise Refused(f"{checkpoint.path}: no list of heads heads.0.fc_read, heads.1.fc_write, ... (found {found})")
    return [found[index] for index in range(len(found))]


def convert(path, tensors):
    """(config, tensors) of the model that a state_dict holds."""
    checkpoint = Checkpoint(path, without_copies(path, tensors))
    kinds, model = head_kinds(checkpoint), {}
    reads = kinds.count("read")
    memory = model["initial.memory"] = checkpoint.take("memory.mem_bias", [None, None], "slots, slot width")
    slots, width = memory.shape
    hidden = checkpoint.take("controller.lstm_h_bias", [None, 1, None], "layers, 1, controller width")
    layers, _, size = hidden.shape
    cell = checkpoint.take("controller.lstm_c_bias", [layers, 1, size], "as controller.lstm_h_bias")
    model["initial.hidden"], model["initial.cell"] = hidden[:, 0], cell[:, 0]
    first = checkpoint.take("controller.lstm.weight_ih_l0", [4 * size, None], "4 gates, inputs and reads")
    inputs = first.shape[1] - reads * width
    if inputs < 1:
        raise Refused(
            f"{path}: tensor 'controller.lstm.weight_ih_l0' is {list(first.shape)}: {first.shape[1]} columns leave no"
            f" input beside {reads} read vectors of {width}"
        )
    model["controller.lstm.weight_ih_l0"] = first
    for layer in range(layers):
        for name, columns in (("weight_ih", size), ("weight_hh", size), ("bias_ih", 0), ("bias_hh", 0)):
            name = f"controller.lstm.{name}_l{layer}"
            if name not in model:
                model[name] = checkpoint.take(name, [4 * size] + [columns] * (columns > 0), "4 gates, controller width")
    for index, kind in enumerate(kinds):
        rows = width + 6 + (2 * width if kind == "write" else 0)
        name = f"heads.{index}.fc_{kind}"
        model[f"{name}.weight"] = checkpoint.take(
            f"{name}.weight", [rows, size], "numbers of the head, controller width"
        )
        model[f"{name}.bias"] = checkpoint.take(f"{name}.bias", [rows], "numbers of the head")
    starts = [checkpoint.take(f"read{index}_bias", [1, width], "1, slot width") for index in range(reads)]
    model["initial.reads"] = torch.cat(starts)
    model["initial.weights"] = torch.zeros(len(kinds), slots)
    model["fc.weight"] = checkpoint.take(
        "fc.weight", [None, size + reads * width], "outputs, controller width and reads"
    )
    outputs = len(model["fc.weight"])
    model["fc.bias"] = checkpoint.take("fc.bias", [outputs], "outputs")
    checkpoint.finish("a Neural Turing Machine")
    config = {
        "model_type": "ntm",
        "task": "sequences",
        "input_width": inputs,
        "slots": slots,
        "slot_width": width,
        "heads": kinds,
        "shifts": [1, 0, -1],
        "order": "interleaved",
        "key_activation": "none",
        "add_activation": "none",
        "cosine": {"form": "clamped", "epsilon": 1e-8},
        "sharpening": {"base_epsilon": 0.0, "sum_epsilon": 1e-16},
        "controller": {"type": "lstm", "width": size, "layers": layers},
        "output": {"width": outputs, "reads": "new", "activation": "sigmoid"},
    }
    return config, model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="state_dict: PyTorch's file or .safetensors")
    ntm_conversion.add_flags(parser)
    flags = parser.parse_args()
    try:
        ntm_conversion.write(flags, *convert(flags.checkpoint, read_checkpoint(flags.checkpoint)))
    except (Refused, OSError) as error:
        sys.exit(f"from_pytorch_ntm.py: {error}")


if __name__ == "__main__":
    main()
