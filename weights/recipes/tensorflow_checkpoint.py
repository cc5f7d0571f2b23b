# SPDX-License-Identifier: Apache-2.0
"""Reads TensorFlow's checkpoints (the V2 format: PREFIX.index and PREFIX.data-00000-of-00001) without TensorFlow.

The index is a LevelDB table from variables' names to BundleEntryProto messages; the data files hold the values. Every
checksum (CRC-32C) of what is read is checked. Needs PyTorch for the tensors.
"""

import os
import struct

import torch

from torch_checkpoint import Refused

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
MOST_INDEX_BYTES = 64 << 20
MOST_TENSOR_BYTES = 4 << 30
DTYPES = {1: torch.float32, 2: torch.float64, 3: torch.int32, 9: torch.int64, 19: torch.float16}  # of types.proto


def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc32c_table()


def masked_crc32c(data):
    """As LevelDB and TensorFlow store it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class Damaged(Exception):
    """Bytes that are not what the format says."""


def varint(data, at):
    """(value, position behind it)"""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Damaged("it ends within a number")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise Damaged("a number of more than ten bytes")


def piece(data, at, size):
    if size < 0 or at + size > len(data):
        raise Damaged(f"{size} bytes at {at} lie beyond its end at {len(data)}")
    return data[at:at + size], at + size


def fields(message):
    """[(number, value)] of a protocol buffer; bytes for what has a length."""
    result, at = [], 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 0:
            value, at = varint(message, at)
        elif tag & 7 == 2:
            size, at = varint(message, at)
            value, at = piece(message, at, size)
        elif tag & 7 in (1, 5):
            raw, at = piece(message, at, 8 if tag & 7 == 1 else 4)
            value = int.from_bytes(raw, "little")
        else:
            raise Damaged(f"a field of wire type {tag & 7}")
        result.append((tag >> 3, value))
    return result


def unsnappy(data):
    """Google's Snappy format, of one block."""
    size, at = varint(data, 0)
    if size > MOST_INDEX_BYTES:
        raise Damaged(f"a block of {size} bytes")
    out = bytearray()
    while at < len(data) and len(out) <= size:
        tag, at = data[at], at + 1
        kind, length = tag & 3, tag >> 2
        if kind == 0:
            if length >= 60:
                raw, at = piece(data, at, length - 59)
                length = int.from_bytes(raw, "little")
            literal, at = piece(data, at, length + 1)
            out += literal
            continue
        if kind == 1:
            raw, at = piece(data, at, 1)
            offset, length = (tag >> 5) << 8 | raw[0], (tag >> 2 & 7) + 4
        else:
            raw, at = piece(data, at, 2 if kind == 2 else 4)
            offset, length = int.from_bytes(raw, "little"), length + 1
        if not 0 < offset <= len(out) or len(out) + length > size:
            raise Damaged("a compressed block refers to what is not there")
        for _ in range(length):
            out.append(out[-offset])
    if len(out) != size:
        raise Damaged(f"a compressed block of {len(out)} instead of {size} bytes")
    return bytes(out)


def block(data, handle):
    """A block's content; `handle`: where it is, as two numbers."""
    offset, at = varint(handle, 0)
    size, _ = varint(handle, at)
    content, at = piece(data, offset, size)
    trailer, _ = piece(data, at, 5)
    if masked_crc32c(content + trailer[:1]) != int.from_bytes(trailer[1:], "little"):
        raise Damaged(f"the checksum of the block at {offset} is wrong")
    if trailer[0] not in (0, 1):
        raise Damaged(f"the block at {offset} is compressed by method {trailer[0]}; known are none and Snappy")
    return unsnappy(content) if trailer[0] == 1 else content


def entries(content):
    """[(key, value)] of a block; keys share what they begin with."""
    if len(content) < 4:
        raise Damaged("a block of less than four bytes")
    restarts = int.from_bytes(content[-4:], "little")
    end = len(content) - 4 - 4 * restarts
    if end < 0:
        raise Damaged(f"a block of {len(content)} bytes with {restarts} restarts")
    key, at, result = b"", 0, []
    while at < end:
        shared, at = varint(content, at)
        fresh, at = varint(content, at)
        size, at = varint(content, at)
        if shared > len(key):
            raise Damaged(f"a key shares {shared} bytes of one of {len(key)}")
        rest, at = piece(content[:end], at, fresh)
        value, at = piece(content[:end], at, size)
        key = key[:shared] + rest
        result.append((key, value))
    return result


def table(data):
    """{key: value} of a LevelDB table."""
    if len(data) < FOOTER_BYTES or struct.unpack("<Q", data[-8:])[0] != MAGIC:
        raise Damaged("it is no index of a TensorFlow checkpoint: the mark at its end is missing")
    footer = data[-FOOTER_BYTES:]
    _, at = varint(footer, 0)
    _, at = varint(footer, at)
    result = {}
    for _, handle in entries(block(data, footer[at:])):
        result.update(entries(block(data, handle)))
    return result


class Variable:
    """Where a variable's values are."""

    def __init__(self, message):
        values = dict(fields(message))
        self.dtype = values.get(1, 0)
        self.shard, self.offset, self.size, self.crc = (values.get(number, 0) for number in (3, 4, 5, 6))
        self.sliced = any(number == 7 for number, _ in fields(message))
        dims = [value for number, value in fields(values.get(2, b"")) if number == 2]
        self.shape = [dict(fields(dim)).get(1, 0) for dim in dims]


class Checkpoint:
    """The variables of PREFIX.index. Refused, with the file and the variable, where bytes are damaged."""

    def __init__(self, prefix):
        self.prefix = prefix.removesuffix(".index")
        self.index = f"{self.prefix}.index"
        if not os.path.isfile(self.index):
            raise Refused(f"{self.index}: not a file; give the common part of the checkpoint's names, such as mod_cora.ckpt")
        if os.path.getsize(self.index) > MOST_INDEX_BYTES:
            raise Refused(f"{self.index}: {os.path.getsize(self.index)} bytes, more than an index has")
        with open(self.index, "rb") as file:
            data = file.read()
        try:
            entries_by_key = table(data)
            header = dict(fields(entries_by_key.pop(b"", b"")))
            self.shards = header.get(1, 0)
            if self.shards < 1 or header.get(2, 0) != 0:
                raise Damaged("its header names no data files, or numbers in big-endian order")
            self.variables = {key.decode(): Variable(value) for key, value in entries_by_key.items()}
        except (Damaged, UnicodeDecodeError) as error:
            raise Refused(f"{self.index}: damaged: {error}") from None

    def read(self, name):
        """The variable's values."""
        variable = self.variables[name]
        path = f"{self.prefix}.data-{variable.shard:05d}-of-{self.shards:05d}"
        dtype = DTYPES.get(variable.dtype)
        if dtype is None or variable.sliced:
            raise Refused(f"{self.index}: variable '{name}' is " + ("stored in slices" if variable.sliced else
                                                                    f"of TensorFlow's type {variable.dtype}")
                          + ", which is not read here")
        count = 1
        for size in variable.shape:
            count *= size
        if count * dtype.itemsize != variable.size or variable.size > MOST_TENSOR_BYTES:
            raise Refused(f"{self.index}: damaged: variable '{name}' {variable.shape} has {variable.size} bytes")
        if not os.path.isfile(path):
            raise Refused(f"{path}: not a file; it holds the variable '{name}'")
        with open(path, "rb") as file:
            file.seek(variable.offset)
            data = file.read(variable.size)
        if len(data) < variable.size:
            raise Refused(f"{path}: damaged: variable '{name}' ends at {variable.offset + variable.size}, beyond the file's"
                          f" {os.path.getsize(path)} bytes")
        if masked_crc32c(data) != variable.crc:
            raise Refused(f"{path}: damaged: the checksum of variable '{name}' is wrong")
        if not data:
            return torch.zeros(variable.shape, dtype=dtype)
        return torch.frombuffer(bytearray(data), dtype=dtype).reshape(variable.shape)
