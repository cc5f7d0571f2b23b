#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a Heed model directory of the variables of an NTMCell in TensorFlow.

    from_ntm_cell.py VARIABLES OUT_DIR [--activation=sigmoid] [--frame=copy]

The cell is that of github.com/MarkPKCollier/NeuralTuringMachine (ntm.py), not that of tf.contrib. VARIABLES is an .npz
or .safetensors file of its variables by name, which this writes where there is TensorFlow:

    reader = tf.train.load_checkpoint("model.ckpt")
    numpy.savez("variables.npz", **{name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()})

Numbers of heads, slots and layers are read off the shapes. Scopes before the cell's own and the optimizer's variables
are ignored. Of init_M the names do not tell whether it passes through tanh: it does with the init_mode 'random'. The
cell gives numbers before any activation; run_tasks.py puts a sigmoid behind it. Needs PyTorch (1.13 or newer) and
numpy.
"""

import argparse
import os
import re
import sys
import zipfile

import numpy
import torch

import ntm_conversion
from from_pyg import read_checkpoint
from torch_checkpoint import Checkpoint, Refused

OPTIMIZER = re.compile(r"(.*/)?(Adam(_\d+)?|RMSProp(_\d+)?|Momentum|beta\d_power|global_step)")
OWN = re.compile(
    r"(?:.*/)?((?:controller/multi_rnn_cell/cell_\d+/basic_lstm_cell|o2p/dense|o2o/dense)/(?:kernel|bias)|"
    r"init/(?:fully_connected(?:_\d+)?/weights|init_M))"
)


def read_variables(path):
    """{name: tensor}"""
    if not path.endswith(".npz"):
        return read_checkpoint(path)
    if not os.path.isfile(path):
        raise Refused(f"{path}: not a file")
    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(numpy.array(arrays[name])) for name in arrays.files}
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise Refused(f"{path}: not a readable .npz file of numbers: {error}") from None


def own_variables(path, tensors):
    """The cell's variables under its own names."""
    found = {}
    for name, tensor in tensors.items():
        plain = re.sub(r":\d+$", "", name)
        if OPTIMIZER.fullmatch(plain):
            continue
        match = OWN.fullmatch(plain)
        if not match:
            raise Refused(f"{path}: variable '{name}' is none of an NTMCell")
        if match[1] in found:
            raise Refused(f"{path}: two variables are '{match[1]}' of an NTMCell, one of them '{name}'")
        found[match[1]] = tensor
    return Checkpoint(path, found)


def initial_vectors(checkpoint):
    """The learned vectors at the start, in the order in which the cell makes them: reads, weights and, where the
    memory is learned, the memory."""
    count = sum("fully_connected" in name for name in checkpoint.names())
    names = ["init/fully_connected" + (f"_{index}" if index else "") + "/weights" for index in range(count)]
    return [checkpoint.take(name, [1, None], "1, width of a learned initial value")[0] for name in names]


def take_initial(checkpoint, vectors, reads_width, init_mode):
    """(reads [R, M], weights [heads, N], memory [N, M]) as the cell uses them."""
    path, learned = checkpoint.path, "init/init_M" not in checkpoint.names()
    if not vectors or reads_width % len(vectors[0]) or not reads_width:
        raise Refused(
            f"{path}: tensor 'o2o/dense/kernel' has {reads_width} rows for read vectors, which is no multiple of the"
            f" initial read vector's width {len(vectors[0]) if vectors else 'none'}"
        )
    width = len(vectors[0])
    reads = reads_width // width
    heads = len(vectors) - reads - learned
    if heads <= reads:
        raise Refused(
            f"{path}: {len(vectors)} initial vectors are {reads} reads and {heads} heads' weights, of which none is a"
            " write head's"
        )
    slots = len(vectors[reads])
    wanted = [width] * reads + [slots] * heads + [slots * width] * learned
    for index, (vector, length) in enumerate(zip(vectors, wanted)):
        if len(vector) != length:
            raise Refused(
                f"{path}: initial vector {index} (init/fully_connected_{index}) has {len(vector)} numbers, not {length}"
            )
    if learned:
        memory = torch.tanh(vectors[-1].reshape(slots, width))
    else:
        memory = checkpoint.take("init/init_M", [slots, width], "slots, slot width")
        memory = torch.tanh(memory) if init_mode == "random" else memory
    return (
        torch.tanh(torch.stack(vectors[:reads])),
        torch.softmax(torch.stack(vectors[reads : reads + heads]), -1),
        memory,
    )


def take_controller(checkpoint, read_width):
    """(tensors of the LSTM, input width, layers, H)"""
    layers = sum(name.startswith("controller/") and name.endswith("kernel") for name in checkpoint.names())
    scope = "controller/multi_rnn_cell/cell_{}/basic_lstm_cell/{}"
    model, inputs, size = {}, None, None
    for layer in range(max(layers, 1)):
        bias = checkpoint.take(scope.format(layer, "bias"), [4 * size if size else None], "4 gates")
        size = len(bias) // 4
        rows = 2 * size if layer else None
        kernel = checkpoint.take(
            scope.format(layer, "kernel"), [rows, 4 * size], "inputs and controller width, 4 gates"
        )
        if layer == 0:
            inputs = len(kernel) - size - read_width(size)
        # TensorFlow's gates are i, j, f, o and 1 is added to f; PyTorch's are i, f, g = j, o.
        i, j, f, o = kernel.t().chunk(4)
        rows = torch.cat([i, f, j, o])
        model[f"controller.lstm.weight_ih_l{layer}"], model[f"controller.lstm.weight_hh_l{layer}"] = rows.split(
            [len(kernel) - size, size], 1
        )
        i, j, f, o = bias.chunk(4)
        model[f"controller.lstm.bias_ih_l{layer}"] = torch.cat([i, f + 1, j, o])
        model[f"controller.lstm.bias_hh_l{layer}"] = torch.zeros(4 * size)
    if inputs < 1:
        raise Refused(
            f"{checkpoint.path}: tensor '{scope.format(0, 'kernel')}' has no row for an input beside {size} of the"
            f" controller and {read_width(size)} of the read vectors"
        )
    return model, inputs, layers, size


def take_heads(checkpoint, size, heads, reads, width):
    """({fc_read and fc_write of each head}, number of shifts) of the one layer o2p: keys and numbers of all heads,
    read heads first, then erase and add of each write head."""
    bias = checkpoint.take("o2p/dense/bias", [None], "numbers of all heads")
    kernel = checkpoint.take("o2p/dense/kernel", [size, len(bias)], "controller width, numbers of all heads")
    writes = heads - reads
    each, rest = divmod(len(bias) - 2 * width * writes, heads)
    shifts = each - width - 3
    if rest or shifts < 1 or shifts % 2 == 0:
        raise Refused(
            f"{checkpoint.path}: tensor 'o2p/dense/bias' is [{len(bias)}], which {reads} read and {writes} write heads"
            f" over slots of {width} and an odd number of shifts do not make"
        )
    model = {}
    for name, numbers in (("weight", kernel.t()), ("bias", bias)):
        parts = numbers.split([each] * heads + [2 * width] * writes)
        for head in range(heads):
            if head < reads:
                model[f"heads.{head}.fc_read.{name}"] = parts[head]
            else:
                model[f"heads.{head}.fc_write.{name}"] = torch.cat([parts[head], parts[heads + head - reads]])
    return model, shifts


def convert(path, tensors, activation="none", clip=20.0, init_mode="constant"):
    """(config, tensors) of the model that a cell's variables hold."""
    checkpoint = own_variables(path, tensors)
    output = checkpoint.take("o2o/dense/kernel", [None, None], "controller width and reads, outputs")
    lstm, inputs, layers, size = take_controller(checkpoint, lambda size: len(output) - size)
    reads, weights, memory = take_initial(checkpoint, initial_vectors(checkpoint), len(output) - size, init_mode)
    (slots, width), heads = memory.shape, len(weights)
    layers_of_heads, shifts = take_heads(checkpoint, size, heads, len(reads), width)
    model = {
        **lstm,
        **layers_of_heads,
        "initial.memory": memory,
        "initial.weights": weights,
        "initial.reads": reads,
        "initial.hidden": torch.zeros(layers, size),
        "initial.cell": torch.zeros(layers, size),
        "fc.weight": output.t(),
        "fc.bias": checkpoint.take("o2o/dense/bias", [output.shape[1]], "outputs"),
    }
    checkpoint.finish("a Neural Turing Machine")
    reach = shifts // 2
    config = {
        "model_type": "ntm",
        "task": "sequences",
        "input_width": inputs,
        "slots": slots,
        "slot_width": width,
        "heads": ["read"] * len(reads) + ["write"] * (heads - len(reads)),
        "shifts": [*range(reach + 1), *range(-reach, 0)],
        "order": "reads-first",
        "key_activation": "tanh",
        "add_activation": "tanh",
        "cosine": {"form": "added", "epsilon": 1e-8},
        "sharpening": {"base_epsilon": 0.0, "sum_epsilon": 0.0},
        "clip": clip,
        "controller": {"type": "lstm", "width": size, "layers": layers},
        "output": {"width": output.shape[1], "reads": "new", "activation": activation},
    }
    return config, model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variables", metavar="VARIABLES", help="the cell's variables: .npz or .safetensors")
    ntm_conversion.add_flags(parser)
    parser.add_argument(
        "--activation", choices=("none", "sigmoid"), default="none", help="of the outputs; default: none"
    )
    parser.add_argument("--clip", type=float, default=20.0, help="the cell's clip_value; default: 20")
    parser.add_argument(
        "--init-mode",
        choices=("constant", "random"),
        default="constant",
        help="where there is an init_M: whether it is the memory (constant, the default) or its tanh is (random)",
    )
    flags = parser.parse_args()
    try:
        ntm_conversion.write(
            flags,
            *convert(flags.variables, read_variables(flags.variables), flags.activation, flags.clip, flags.init_mode),
        )
    except (Refused, OSError) as error:
        sys.exit(f"from_ntm_cell.py: {error}")


if __name__ == "__main__":
    main()
