# SPDX-License-Identifier: Apache-2.0
"""Reads and writes the safetensors format with only PyTorch.

A file is: an 8-byte little-endian header length, a JSON header that maps each tensor's name to its dtype, shape and byte
range, then the tensors' bytes. The header is padded with spaces to a multiple of 8, so that every tensor is aligned.
"""

import json
import math
import os
import struct

import torch

DTYPE_NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def tensor_bytes(tensor):
    """The tensor's values, row-major and little-endian."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    if flat.numel() == 0:
        return b""
    return flat.view(torch.uint8).numpy().tobytes()


def write(path, tensors, metadata=None):
    """Writes {name: tensor} to path; a crash half-way leaves the previous file as it was."""
    header = {"__metadata__": {"format": "pt", **(metadata or {})}}
    offset = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        if tensor.dtype not in DTYPE_NAMES:
            raise ValueError(f"tensor '{name}' has dtype {tensor.dtype}, which safetensors files here do not hold")
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    partial = f"{path}.partial"
    with open(partial, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for name in sorted(tensors):
            file.write(tensor_bytes(tensors[name]))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read(path):
    """{name: tensor} of a file. ValueError names the file and what is wrong with it."""
    dtypes = {name: dtype for dtype, name in DTYPE_NAMES.items()}
    with open(path, "rb") as file:
        data = file.read()
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        values = bytearray(data[8 + length :])
        tensors = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            dtype, shape = dtypes[entry["dtype"]], entry["shape"]
            size = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
            if not 0 <= begin <= end <= len(values) or end - begin != size:
                raise ValueError(f"tensor '{name}' is not where the header says")
            flat = torch.frombuffer(values, dtype=dtype, offset=begin, count=math.prod(shape)) if size else torch.empty(0)
            tensors[name] = flat.to(dtype).reshape(shape)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from None
    return tensors
