# SPDX-License-Identifier: Apache-2.0
"""Reads the pieces of a SentencePiece model without the package sentencepiece."""


def varint(data, at):
    """(number, where it ends)"""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def fields(data):
    """(number, content) of the fields of a protocol buffer that have a length; the others are left out."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            at = varint(data, at)[1]
        elif kind == 2:
            size, at = varint(data, at)
            if at + size > len(data):
                raise IndexError
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise IndexError


def pieces(path):
    """The pieces by id. ValueError names a file that is no SentencePiece model."""
    with open(path, "rb") as file:
        data = file.read()
    try:  # ModelProto's field 1 are the pieces, and a piece's field 1 its text
        found = [dict(fields(piece))[1].decode() for number, piece in fields(data) if number == 1]
    except (IndexError, KeyError, UnicodeDecodeError):
        found = []
    if not found:
        raise ValueError(f"{path}: not a SentencePiece model")
    return found
