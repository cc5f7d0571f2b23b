# SPDX-License-Identifier: Apache-2.0
"""make_graph takes PyTorch Geometric's arrays, and refuses what is not like them."""

import pytest

from heed_client import make_features, make_graph

X = [[0.5, 1.0, 2.0], [1.5, 0.0, 3.0]]
EDGES = [[0, 1, 1, 0], [1, 0, 1, 0]]
ATTR = [[1, 2], [3, 4], [5, 6], [7, 8]]


class Array:
    """As much of NumPy's or PyTorch's array as the client uses."""

    def __init__(self, rows, shape):
        self.rows, self.shape = rows, shape

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return self.shape[0]

    def reshape(self, size):
        assert size == -1
        flat = [value for row in self.rows for value in (row if isinstance(row, list) else [row])]
        return type("Flat", (), {"tolist": lambda self: flat})()


def test_takes_lists_and_arrays():
    for attr in (ATTR, Array(ATTR, (4, 2))):
        graph = make_graph(X, EDGES, attr)
        assert (graph.features.width, graph.edge_feature_width) == (3, 2)
        assert list(graph.edge_features) == [1, 2, 3, 4, 5, 6, 7, 8]
    weights = make_graph(X, EDGES, [1, 2, 3, 4])
    assert (weights.edge_feature_width, list(weights.edge_features)) == (1, [1, 2, 3, 4])
    assert make_graph(X, [[], []], Array([], (0, 2))).edge_feature_width == 2
    assert make_graph(X, [[], []], []).edge_feature_width == 1


def test_refuses_transposed_edge_features_with_both_shapes():
    columns = [list(column) for column in zip(*ATTR)]
    for attr in (columns, Array(columns, (2, 4))):
        with pytest.raises(
            ValueError, match=r"edge_attr has shape \[2, 4\], but edge_index \[2, 4\] needs \[4, width\]"
        ):
            make_graph(X, EDGES, attr)
    for attr, shape in (([1, 2, 3], r"\[3\]"), (ATTR[:3], r"\[3, 2\]"), (7, r"\[\]"), ([[[1]]] * 4, r"\[4, 1, 1\]")):
        with pytest.raises(ValueError, match=f"edge_attr has shape {shape}, but"):
            make_graph(X, EDGES, attr)
    with pytest.raises(ValueError, match="edge_attr has rows of different lengths"):
        make_graph(X, EDGES, [[1, 2], [3], [5, 6], [7, 8]])


def test_refuses_features_and_edges_of_other_shapes():
    for x, shape in (([1, 2, 3], r"\[3\]"), (Array([1, 2], (2,)), r"\[2\]"), (5, r"\[\]"), ([[[1]]], r"\[1, 1, 1\]")):
        with pytest.raises(ValueError, match=f"x has shape {shape}, but it must be \\[nodes, width\\]"):
            make_features(x)
    with pytest.raises(ValueError, match="x has rows of different lengths"):
        make_features([[1, 2], [3]])
    with pytest.raises(ValueError, match=r"edge_index has shape \[4, 2\], but it must be \[2, edges\]"):
        make_graph(X, [list(pair) for pair in zip(*EDGES)])
    assert make_features([]).width == 0
