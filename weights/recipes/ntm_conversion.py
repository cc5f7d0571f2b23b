# SPDX-License-Identifier: Apache-2.0
"""What the converters of Neural Turing Machines share: the model directory."""

import os

import ntm
import ntm_tasks
from torch_checkpoint import Refused


def add_flags(parser):
    parser.add_argument("directory", metavar="OUT_DIR", help="directory to write; made if it is not there")
    parser.add_argument("--force", action="store_true", help="replace files that are there already")
    parser.add_argument("--frame", choices=("copy",), help="the model was trained to copy: write its frame too")


def write(flags, config, tensors):
    """config.json and model.safetensors of a sequence model."""
    for name in ("config.json", "model.safetensors"):
        path = os.path.join(flags.directory, name)
        if os.path.exists(path) and not flags.force:
            raise Refused(f"{path}: exists already; --force replaces it")
    if flags.frame:
        config["frame"] = {"task": flags.frame, "data_width": config["output"]["width"]}
        wanted = ntm_tasks.task_of(config["frame"]).input_width
        if config["input_width"] != wanted:
            raise Refused(
                f"--frame={flags.frame}: {config['output']['width']} outputs need input_width {wanted},"
                f" but the model reads {config['input_width']}"
            )
    model = ntm.SequenceModel(config)
    model.load_state_dict(tensors)
    ntm.save_model(flags.directory, config, model)
    controller = config["controller"]
    print(
        f"{flags.directory}: {config['input_width']} -> {config['output']['width']}, {config['slots']} slots of"
        f" {config['slot_width']}, heads {', '.join(config['heads'])}; LSTM of {controller['width']},"
        f" {controller['layers']} layers; {sum(tensor.numel() for tensor in tensors.values())} numbers"
    )
