#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the page's example graphs, page/karate.json and page/nitropyrene.json.

    scripts/page_graphs.py           writes them
    scripts/page_graphs.py --check   exits with 1 if a file is not what this writes

Each is {"about": a line for people, "graph": a heed.v1.Graph, "names" and "classes" of the nodes where there are some}. The
karate club is weights/gat-karate/karate.safetensors. The molecule is typed here, with the features of gat-mutag (see
weights/gat-mutag/README.md). Needs Python only.
"""

import argparse
import json
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMATS = {"F32": "f", "I64": "q"}


def read_tensors(path):
    """{name: (shape, flat list)} of a safetensors file of F32 and I64."""
    data = path.read_bytes()
    (header_bytes,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + header_bytes])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        part = data[8 + header_bytes + begin : 8 + header_bytes + end]
        code = FORMATS[entry["dtype"]]
        tensors[name] = entry["shape"], [value for (value,) in struct.iter_unpack(f"<{code}", part)]
    return tensors


def karate_club():
    tensors = read_tensors(ROOT / "weights/gat-karate/karate.safetensors")
    (_, width), ends = tensors["x_shape"][1], tensors["x_indptr"][1]
    edges = tensors["edge_index"][1]
    names = [""] * tensors["x_shape"][1][0]
    names[0], names[33] = "Mr. Hi", "president"
    return {
        "about": "Zachary's karate club (1977): friendships of 34 members, and the side that each took when the club split.",
        "graph": {
            "features": {"width": width, "values": tensors["x_values"][1], "rowEnds": ends[1:], "columns": tensors["x_indices"][1]},
            "edgeSources": edges[: len(edges) // 2],
            "edgeTargets": edges[len(edges) // 2 :],
        },
        "names": names,
        "classes": tensors["y"][1],
    }


# 1-nitropyrene: the atoms of pyrene by their customary numbers, the bonds around it, those within, and the nitro group.
RIM = ["1", "2", "3", "3a", "4", "5", "5a", "6", "7", "8", "8a", "9", "10", "10a"]
WITHIN = [("10b", "3a"), ("10b", "10a"), ("10c", "5a"), ("10c", "8a"), ("10b", "10c")]
NITRO = [("1", "N"), ("N", "O1"), ("N", "O2")]
ATOM_COLUMNS = {"C": 2, "N": 5, "O": 6}  # of MUTAG's seven tags
FIRST_DEGREE_COLUMN = 7  # of four, for 1 to 4 bonds
WIDTH = 11


def nitropyrene():
    bonds = [*zip(RIM, RIM[1:] + RIM[:1]), *WITHIN, *NITRO]
    atoms = [*RIM, "10b", "10c", "N", "O1", "O2"]
    row = {atom: i for i, atom in enumerate(atoms)}
    edges = sorted((row[a], row[b]) for one, two in bonds for a, b in ((one, two), (two, one)))
    elements = [atom[0] if atom[0] in "NO" else "C" for atom in atoms]
    columns = []
    for i, element in enumerate(elements):
        columns += [ATOM_COLUMNS[element], FIRST_DEGREE_COLUMN - 1 + sum(source == i for source, _ in edges)]
    return {
        "about": "1-nitropyrene, found in the exhaust of diesel engines. A model to look at, not for judging a substance.",
        "graph": {
            "features": {
                "width": WIDTH,
                "values": [1] * len(columns),
                "rowEnds": [2 * (i + 1) for i in range(len(atoms))],
                "columns": columns,
            },
            "edgeSources": [source for source, _ in edges],
            "edgeTargets": [target for _, target in edges],
        },
        "names": elements,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    arguments = parser.parse_args()
    failed = False
    for name, made in (("karate.json", karate_club()), ("nitropyrene.json", nitropyrene())):
        path = ROOT / "page" / name
        text = json.dumps(made, separators=(",", ":")) + "\n"
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"page/{name} is not what scripts/page_graphs.py writes: run it")
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
