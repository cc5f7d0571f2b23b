# SPDX-License-Identifier: Apache-2.0
"""The karate club's graph."""

import json
import struct

from conftest import WEIGHTS


def edges():
    """[2, edges], from its safetensors file."""
    with open(WEIGHTS / "gat-karate/karate.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    info = header["edge_index"]
    begin, end = info["data_offsets"]
    code = {"I64": "q", "I32": "i"}[info["dtype"]]
    values = struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", data[begin:end])
    count = info["shape"][1]
    return [list(values[:count]), list(values[count:])]


def features():
    return [[1.0 if column == row else 0.0 for column in range(34)] for row in range(34)]
