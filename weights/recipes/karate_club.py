#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the graph file of Zachary's karate club: 34 members, 78 friendships, and the club that each joined.

    karate_club.py --output=karate.safetensors

W. W. Zachary, An information flow model for conflict and fission in small groups, Journal of Anthropological Research 33
(1977) 452-473: while he watched a university's karate club, it split in two, one around its instructor ("Mr. Hi", here node
0; Zachary counts from 1), one around its president (here node 33). y is 0 for those who joined Mr. Hi, 1 for the
Officers'. Member 8 stood nearer to the officers but stayed with Mr. Hi, three weeks short of a black belt. A member's
features are who the member is: a one-hot row. Beside the file go the names of the classes and a split for
train_node_classifier.py: train (and, for want of others, val) are the two leaders, test is everybody else. Needs PyTorch and
numpy.
"""

import argparse
import sys

import torch

import graph_file

LABELS = ["Mr. Hi", "Officer"]

FRIENDS = {  # each friendship once, at its lower end
    0: [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31],
    1: [2, 3, 7, 13, 17, 19, 21, 30],
    2: [3, 7, 8, 9, 13, 27, 28, 32],
    3: [7, 12, 13],
    4: [6, 10],
    5: [6, 10, 16],
    6: [16],
    8: [30, 32, 33],
    9: [33],
    13: [33],
    14: [32, 33],
    15: [32, 33],
    18: [32, 33],
    19: [33],
    20: [32, 33],
    22: [32, 33],
    23: [25, 27, 29, 32, 33],
    24: [25, 27, 31],
    25: [31],
    26: [29, 33],
    27: [33],
    28: [31, 33],
    29: [32, 33],
    30: [32, 33],
    31: [32, 33],
    32: [33],
}

WITH_MR_HI = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21]

MEMBERS = 34
LEADERS = [0, 33]


def karate_club():
    pairs = [(member, friend) for member, friends in FRIENDS.items() for friend in friends]
    x = graph_file.sparse_rows([{member: 1.0} for member in range(MEMBERS)], MEMBERS)
    y = torch.tensor([0 if member in WITH_MR_HI else 1 for member in range(MEMBERS)])
    return graph_file.Graph(x, graph_file.undirected(pairs, MEMBERS), y)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, metavar="FILE", help="the graph file to write")
    arguments = parser.parse_args()
    graph = karate_club()
    try:
        graph_file.write(arguments.output, graph)
        others = [member for member in range(MEMBERS) if member not in LEADERS]
        for what, lines in (("labels", LABELS), ("train", LEADERS), ("val", LEADERS), ("test", others)):
            graph_file.write_lines(graph_file.beside(arguments.output, what), lines)
    except OSError as error:
        sys.exit(f"karate_club.py: {error}")
    graph_file.describe(arguments.output, graph)


if __name__ == "__main__":
    main()
