#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the recipes that write graph files, on tiny data of the same formats. Needs PyTorch and numpy; without them, exits
77 (ctest: skipped).

    python3 tests/recipes/graph_converters_test.py
"""

import collections
import contextlib
import gzip
import io
import json
import os
import pickle
import sys
import tempfile
import types
import unittest

try:
    import numpy
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/recipes"))
import from_musae  # noqa: E402
import from_planetoid  # noqa: E402
import from_tu  # noqa: E402
import graph_file  # noqa: E402
import hold_out_edges  # noqa: E402
import karate_club  # noqa: E402


def run(script, *arguments):
    """Runs a recipe as the command line does, in this process; returns what sys.exit was given, or None."""
    sys.argv = [script.__name__, *arguments]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            script.main()
        except SystemExit as end:
            return end.code
    return None


def edges_of(graph):
    return set(map(tuple, graph.edge_index.t().tolist()))


class PickledCsrMatrix:
    """Pickles as scipy.sparse.csr_matrix does in Planetoid's files."""

    def __init__(self, dense):
        dense = numpy.asarray(dense, dtype=numpy.float32)
        self.data = dense[dense != 0]
        self.indices = numpy.nonzero(dense)[1].astype(numpy.int32)
        self.indptr = numpy.concatenate([[0], (dense != 0).sum(axis=1).cumsum()]).astype(numpy.int32)
        self._shape = dense.shape


PickledCsrMatrix.__module__, PickledCsrMatrix.__qualname__ = "scipy.sparse.csr", "csr_matrix"


class TemporaryFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.output = f"{self.folder}/graph.safetensors"

    def nodes(self, what):
        return [int(line) for line in graph_file.read_lines(graph_file.beside(self.output, what))]


class Planetoid(TemporaryFolder):
    """Two classes; 40 nodes train, 500 validate, then 3 test nodes in the order 542, 540, 543: 541 is missing."""

    TRAIN, TEST = 540, [542, 540, 543]

    def setUp(self):
        super().setUp()
        module = types.ModuleType("scipy.sparse.csr")
        module.csr_matrix = PickledCsrMatrix
        modules = {"scipy": types.ModuleType("scipy"), "scipy.sparse": types.ModuleType("scipy.sparse"), module.__name__: module}
        saved = {name: sys.modules.get(name) for name in modules}
        sys.modules.update(modules)
        links = collections.defaultdict(list, {0: [1, 1, 0], 1: [2], 2: [1], 542: [0], 543: []})
        known = numpy.tile([[1.0, 3.0, 0.0]], (self.TRAIN, 1))
        known[5] = 0
        parts = {
            "allx": PickledCsrMatrix(known),
            "ally": numpy.tile([[0, 1]], (self.TRAIN, 1)),
            "tx": PickledCsrMatrix([[0, 0, 1], [2, 0, 0], [1, 1, 2]]),
            "ty": numpy.array([[1, 0], [0, 1], [1, 0]]),
            "graph": links,
        }
        for part, content in parts.items():
            self.write(part, pickle.dumps(content, protocol=3))
        self.write("test.index", "".join(f"{node}\n" for node in self.TEST).encode())
        for name, was in saved.items():
            if was is None:
                del sys.modules[name]
            else:
                sys.modules[name] = was

    def write(self, part, content):
        with open(f"{self.folder}/ind.tiny.{part}", "wb") as file:
            file.write(content)

    def convert(self):
        return run(from_planetoid, self.folder, "--name=tiny", f"--output={self.output}")

    def test_rows_of_features_are_divided_by_their_sum_and_rows_of_zeros_stay(self):
        self.assertIsNone(self.convert())
        x = graph_file.read(self.output).x
        x = x.dense() if isinstance(x, graph_file.SparseRows) else x
        self.assertEqual(x[0].tolist(), [0.25, 0.75, 0.0])
        self.assertEqual(x[5].tolist(), [0.0, 0.0, 0.0])

    def test_row_k_of_tx_and_ty_belongs_to_the_kth_node_of_test_index(self):
        self.convert()
        graph = graph_file.read(self.output)
        self.assertEqual(graph.x[542].tolist(), [0.0, 0.0, 1.0])
        self.assertEqual(graph.x[540].tolist(), [1.0, 0.0, 0.0])
        self.assertEqual(graph.x[543].tolist(), [0.25, 0.25, 0.5])
        self.assertEqual(graph.y[540:].tolist(), [1, -1, 0, 0])

    def test_a_node_that_test_index_leaves_out_has_no_features(self):
        self.convert()
        self.assertEqual(graph_file.read(self.output).x[541].tolist(), [0.0, 0.0, 0.0])

    def test_edges_are_symmetric_without_duplicates_and_loops(self):
        self.convert()
        self.assertEqual(edges_of(graph_file.read(self.output)), {(0, 1), (1, 0), (1, 2), (2, 1), (0, 542), (542, 0)})

    def test_the_public_split_lies_beside_the_file(self):
        self.convert()
        self.assertEqual(self.nodes("train"), list(range(40)))
        self.assertEqual(self.nodes("val"), list(range(40, 540)))
        self.assertEqual(self.nodes("test"), [540, 542, 543])

    def test_a_pickle_that_names_other_things_is_refused_and_runs_nothing(self):
        witness = f"{self.folder}/witness"
        self.write("graph", f"cos\nmkdir\n(S'{witness}'\ntR.".encode())
        self.assertRegex(self.convert(), "ind.tiny.graph: not a Planetoid pickle: it names os.mkdir")
        self.assertFalse(os.path.exists(witness))

    def test_a_test_index_of_another_length_than_ty_is_refused(self):
        self.write("test.index", b"540\n")
        self.assertRegex(self.convert(), "1 nodes, but ind.tiny.ty has 3 rows")


class Musae(TemporaryFolder):
    def write(self, edges, names=("pages.json", "pages_edges.csv", "pages_target.csv")):
        features = {"0": [3], "2": [0, 2], "3": []}
        targets = "id,name,page_type\n0,a,tv\n2,\"c,d\",art\n1,b,tv\n3,e,news\n4,f,tv\n"
        for name, text in zip(names, (json.dumps(features), "id_1,id_2\n" + edges, targets)):
            opener = gzip.open if name.endswith(".gz") else open
            with opener(f"{self.folder}/{name}", "wt") as file:
                file.write(text)

    def convert(self, *flags):
        return run(from_musae, self.folder, "--name=pages", f"--output={self.output}", *flags)

    def check(self):
        graph = graph_file.read(self.output)
        self.assertEqual(graph.x[:4].tolist(), [[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
        self.assertEqual(graph.y.tolist(), [2, 2, 0, 1, 2])
        self.assertEqual(edges_of(graph), {(0, 1), (1, 0), (1, 2), (2, 1)})
        self.assertEqual(graph_file.read_lines(graph_file.beside(self.output, "labels")), ["art", "news", "tv"])

    def test_features_edges_and_classes_in_the_order_of_their_names(self):
        self.write("0,1\n2,1\n1,2\n3,3\n")
        self.assertIsNone(self.convert())
        self.check()

    def test_gzipped_files_under_snaps_names(self):
        self.write("0,1\n2,1\n", ("musae_pages_features.json.gz", "musae_pages_edges.csv.gz", "musae_pages_target.csv.gz"))
        self.assertIsNone(self.convert())
        self.check()

    def test_the_split_takes_each_node_once_and_follows_its_seed(self):
        self.write("0,1\n")
        splits = []
        for seed in (0, 0, 1):
            self.convert(f"--split-seed={seed}")
            splits.append([self.nodes(part) for part in ("train", "val", "test")])
        self.assertEqual([len(part) for part in splits[0]], [3, 1, 1])
        self.assertEqual(sorted(sum(splits[0], [])), [0, 1, 2, 3, 4])
        self.assertEqual(splits[0], splits[1])
        self.assertNotEqual(splits[0], splits[2])

    def test_an_edge_to_a_missing_node_is_refused(self):
        self.write("0,1\n1,5\n")
        self.assertRegex(self.convert(), "edge 1-5: the nodes are 0 to 4")

    def test_a_missing_column_is_named(self):
        self.write("0,1\n")
        self.assertRegex(self.convert("--target-column=kind"), "no column 'kind'; there are id, name, page_type")


class Tu(TemporaryFolder):
    def convert(self, text, *flags):
        with open(f"{self.folder}/set.txt", "w") as file:
            file.write(text)
        return run(from_tu, f"{self.folder}/set.txt", f"--output={self.output}", *flags)

    def test_tags_then_degrees_are_features(self):
        self.assertIsNone(self.convert("2\n3 5\n7 1 1\n4 2 0 2\n7 1 1\n1 -1\n9 0\n"))
        self.assertEqual(graph_file.read(self.output).x.tolist(), [
            [0, 1, 0, 0, 1, 0],
            [1, 0, 0, 0, 0, 1],
            [0, 1, 0, 0, 1, 0],
            [0, 0, 1, 1, 0, 0],
        ])

    def test_graphs_tags_and_labels(self):
        self.assertIsNone(self.convert("3\n2 5\n7 1 1\n4 1 0\n1 -1\n9 0\n0 5\n", "--tags-only"))
        graph = graph_file.read(self.output)
        self.assertEqual(graph.x.tolist(), [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
        self.assertEqual(edges_of(graph), {(0, 1), (1, 0)})
        self.assertEqual(graph.graph_ptr.tolist(), [0, 2, 3, 3])
        self.assertEqual(graph.y.tolist(), [1, 0, 1])

    def test_a_neighbour_outside_its_graph_is_refused(self):
        self.assertRegex(self.convert("2\n1 0\n0 0\n2 0\n0 1 2\n0 0\n"), "graph 1: node 0 has neighbour 2, the nodes are 0 to 1")

    def test_a_degree_that_is_not_the_number_of_neighbours_is_refused(self):
        self.assertRegex(self.convert("1\n1 0\n0 2 0\n"), "set.txt:3: a node is `tag degree neighbour...`, found 3 numbers")

    def test_a_text_cut_short_is_refused(self):
        self.assertRegex(self.convert("1\n2 0\n0 0\n"), "set.txt:4: expected whole numbers, found the end of the file")


class Karate(TemporaryFolder):
    def test_zacharys_counts(self):
        self.assertIsNone(run(karate_club, f"--output={self.output}"))
        graph = graph_file.read(self.output)
        degrees = torch.bincount(graph.edge_index[1]).tolist()
        self.assertEqual((graph.nodes, graph.edge_index.shape[1]), (34, 2 * 78))
        self.assertEqual(degrees, [16, 9, 10, 6, 3, 4, 4, 4, 5, 2, 3, 1, 2, 5, 2, 2, 2, 2, 2, 3, 2, 2, 2, 5, 3, 3, 2, 4, 3, 4, 4,
                                   6, 12, 17])
        self.assertEqual(torch.bincount(graph.y).tolist(), [17, 17])
        self.assertTrue(torch.equal(graph.x.dense(), torch.eye(34)))

    def test_the_file_that_ships_is_what_the_recipe_writes(self):
        run(karate_club, f"--output={self.output}")
        shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../weights/gat-karate/karate.safetensors")
        with open(self.output, "rb") as made, open(shipped, "rb") as file:
            self.assertEqual(made.read(), file.read())


class HeldOutEdges(TemporaryFolder):
    def test_visible_and_held_out_edges_are_the_graph_and_the_other_pairs_are_none_of_it(self):
        whole = f"{self.folder}/karate.safetensors"
        run(karate_club, f"--output={whole}")
        self.assertIsNone(run(hold_out_edges, whole, f"--output={self.output}", "--val=0.1", "--test=0.2"))
        edges, visible = edges_of(graph_file.read(whole)), edges_of(graph_file.read(self.output))
        pairs = {what: {tuple(map(int, line.split(":"))) for line in graph_file.read_lines(graph_file.beside(self.output, what))}
                 for what in ("val-links", "test-links", "val-others", "test-others")}
        self.assertEqual([len(found) for found in pairs.values()], [8, 16, 8, 16])
        held_out = pairs["val-links"] | pairs["test-links"]
        self.assertEqual(visible | held_out | {(b, a) for a, b in held_out}, edges)
        self.assertEqual(len(visible), 2 * (78 - 24))
        others = pairs["val-others"] | pairs["test-others"]
        self.assertEqual(len(others), 24)
        self.assertFalse(others & edges)


class GraphFiles(TemporaryFolder):
    def test_few_non_zeros_are_written_as_sparse_rows_and_many_as_dense_ones(self):
        for width, sparse in ((11, True), (10, False)):
            rows = graph_file.sparse_rows([{node: 2.5} for node in range(width)], width)
            graph_file.write(self.output, graph_file.Graph(rows, torch.zeros(2, 0, dtype=torch.int64)))
            self.assertEqual("x_indptr" in graph_file.read_tensors(self.output), sparse)
            x = graph_file.read(self.output).x
            self.assertTrue(torch.equal(x.dense() if sparse else x, 2.5 * torch.eye(width)))

    def test_chosen_graphs_of_a_file_stand_in_the_order_asked(self):
        x = torch.arange(10.0)[:, None].repeat(1, 2)
        edges = torch.tensor([[0, 2, 3, 8], [1, 4, 2, 9]])
        whole = graph_file.Graph(x, edges, torch.tensor([0, 1, 2, 3]), torch.tensor([0, 2, 5, 7, 10]))
        chosen = whole.select_graphs(torch.tensor([3, 1]))
        self.assertEqual(chosen.x[:, 0].tolist(), [7, 8, 9, 2, 3, 4])
        self.assertEqual(edges_of(chosen), {(1, 2), (3, 5), (4, 3)})
        self.assertEqual((chosen.y.tolist(), chosen.graph_ptr.tolist()), ([3, 1], [0, 3, 6]))

    def test_sparse_rows_are_selected_as_dense_ones_are(self):
        rows = graph_file.sparse_rows([{1: 1.0}, {}, {0: 2.0, 2: 3.0}], 3)
        chosen = torch.tensor([2, 0, 1, 2])
        self.assertTrue(torch.equal(rows.select(chosen).dense(), rows.dense()[chosen]))

    def test_a_file_that_is_no_safetensors_is_refused(self):
        with open(self.output, "wb") as file:
            file.write(b"short")
        with self.assertRaisesRegex(graph_file.BadInput, "not a readable safetensors file"):
            graph_file.read(self.output)

    def test_a_node_list_with_an_unknown_node_names_file_line_and_nodes(self):
        graph_file.write_lines(f"{self.folder}/list.txt", [0, 7])
        with self.assertRaisesRegex(graph_file.BadInput, "list.txt:2: '7' is no node; the nodes are 0 to 4"):
            graph_file.read_nodes(f"{self.folder}/list.txt", 5)


if __name__ == "__main__":
    unittest.main()
