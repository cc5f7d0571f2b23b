# SPDX-License-Identifier: Apache-2.0
"""Graph files: safetensors that hold a graph, or many small ones, as `heed classify` and the recipes read them.

| tensor | shape | is |
| --- | --- | --- |
| `x` | [N, F] f32 | a node's features, dense; or as sparse rows: |
| `x_indptr`, `x_indices`, `x_values`, `x_shape` | [N+1], [nnz], [nnz] f32, [2] | row i has x_values[k] in column x_indices[k] for k in x_indptr[i]..x_indptr[i+1]; x_shape is N, F |
| `edge_index` | [2, E] | row 0 sources, row 1 targets, both rows of x |
| `y` | [N], or [G] with graph_ptr | classes; optional. -1: not known |
| `graph_ptr` | [G+1] | optional: graph g is the nodes graph_ptr[g]..graph_ptr[g+1] |

Index tensors are written as int64; int32 is read too. Lists of nodes (a split) are text files of one id a line, the form
of `heed classify nodes --nodes=@FILE`; so are lists of class names. Needs PyTorch and numpy.
"""

import os

import numpy
import torch
import torch.nn.functional as F

import safetensors_file

SPARSE_BELOW = 0.1  # features with fewer non-zeros than this share of all are written as sparse rows


class BadInput(Exception):
    """A file or a flag cannot be used; the message names it and says why."""


class SparseRows:
    """A matrix by rows, as in the table above. Its values may be replaced (dropout), its structure never."""

    def __init__(self, indptr, indices, values, columns):
        self.indptr = indptr
        self.indices = indices
        self.values = values
        self.shape = (len(indptr) - 1, columns)

    def with_values(self, values):
        return SparseRows(self.indptr, self.indices, values, self.shape[1])

    def to(self, device):
        return SparseRows(self.indptr.to(device), self.indices.to(device), self.values.to(device), self.shape[1])

    def select(self, rows):
        """The rows of a tensor of indices, in its order."""
        counts = self.indptr.diff()[rows]
        indptr = F.pad(counts.cumsum(0), (1, 0))
        within = torch.arange(int(indptr[-1]), device=rows.device) - torch.repeat_interleave(indptr[:-1], counts)
        places = torch.repeat_interleave(self.indptr[rows], counts) + within
        return SparseRows(indptr, self.indices[places], self.values[places], self.shape[1])

    def density(self):
        return len(self.values) / max(1, self.shape[0] * self.shape[1])

    def dense(self):
        rows = torch.repeat_interleave(torch.arange(self.shape[0]), self.indptr.diff())
        matrix = torch.zeros(self.shape)
        matrix[rows, self.indices] = self.values
        return matrix


class Graph:
    """What a graph file holds; `x` is a dense tensor or SparseRows, `y` and `graph_ptr` may be None."""

    def __init__(self, x, edge_index, y=None, graph_ptr=None):
        self.x = x
        self.edge_index = edge_index
        self.y = y
        self.graph_ptr = graph_ptr

    @property
    def nodes(self):
        return self.x.shape[0]

    def to(self, device):
        moved = [None if t is None else t.to(device) for t in (self.x, self.edge_index, self.y, self.graph_ptr)]
        return Graph(*moved)

    def select_graphs(self, which):
        """The union of some of the graphs of a file that has graph_ptr; `which` is a tensor of their numbers."""
        first, sizes = self.graph_ptr[which], self.graph_ptr.diff()[which]
        graph_ptr = F.pad(sizes.cumsum(0), (1, 0))
        within = torch.arange(int(graph_ptr[-1]), device=which.device) - torch.repeat_interleave(graph_ptr[:-1], sizes)
        rows = torch.repeat_interleave(first, sizes) + within
        place = torch.full((self.nodes,), -1, device=which.device)
        place[rows] = torch.arange(len(rows), device=which.device)
        edges = place[self.edge_index]
        edges = edges[:, edges[0] >= 0]
        x = self.x.select(rows) if isinstance(self.x, SparseRows) else self.x[rows]
        return Graph(x, edges, None if self.y is None else self.y[which], graph_ptr)


def sparse_rows(rows, columns):
    """SparseRows from a list of {column: value}, one for each row."""
    indptr, indices, values = [0], [], []
    for row in rows:
        for column in sorted(row):
            indices.append(column)
            values.append(row[column])
        indptr.append(len(indices))
    return SparseRows(torch.tensor(indptr), torch.tensor(indices, dtype=torch.int64), torch.tensor(values).float(), columns)


def undirected(pairs, nodes):
    """edge_index [2, E] with each of `pairs` [n, 2] in both directions once, without loops, sorted by source."""
    pairs = numpy.asarray(pairs, dtype=numpy.int64).reshape(-1, 2)
    outside = (pairs < 0) | (pairs >= nodes)
    if outside.any():
        source, target = pairs[outside.any(axis=1)][0]
        raise BadInput(f"edge {source}-{target}: the nodes are 0 to {nodes - 1}")
    both = numpy.concatenate([pairs, pairs[:, ::-1]])
    both = both[both[:, 0] != both[:, 1]]
    codes = numpy.unique(both[:, 0] * nodes + both[:, 1])
    return torch.from_numpy(numpy.stack([codes // nodes, codes % nodes]))


def write(path, graph):
    """Writes the graph; features become sparse rows or dense ones by their density."""
    x = graph.x
    tensors = {"edge_index": graph.edge_index.contiguous()}
    if isinstance(x, SparseRows) and x.density() < SPARSE_BELOW:
        tensors.update(x_indptr=x.indptr, x_indices=x.indices, x_values=x.values, x_shape=torch.tensor(x.shape))
    else:
        tensors["x"] = x.dense() if isinstance(x, SparseRows) else x
    for name in ("y", "graph_ptr"):
        if getattr(graph, name) is not None:
            tensors[name] = getattr(graph, name)
    safetensors_file.write(path, tensors)


def read_tensors(path):
    """{name: tensor} of a safetensors file."""
    try:
        return safetensors_file.read(path)
    except ValueError as error:
        raise BadInput(str(error)) from None


def read(path):
    """The Graph of a file."""
    tensors = read_tensors(path)

    def index(name):
        if name not in tensors:
            raise BadInput(f"{path}: tensor '{name}' is missing")
        return tensors[name].long()

    if "x" in tensors:
        x = tensors["x"]
    else:
        x = SparseRows(index("x_indptr"), index("x_indices"), tensors["x_values"], int(index("x_shape")[1]))
    optional = [index(name) if name in tensors else None for name in ("y", "graph_ptr")]
    return Graph(x, index("edge_index"), *optional)


def beside(path, what):
    """The path of a list that belongs to a graph file: cora.safetensors -> cora.WHAT.txt"""
    return f"{os.path.splitext(path)[0]}.{what}.txt"


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


def read_nodes(path, nodes):
    """The node ids of a list, as a tensor of rows of x."""
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.isdigit() or int(line) >= nodes:
            raise BadInput(f"{path}:{number}: '{line}' is no node; the nodes are 0 to {nodes - 1}")
        rows.append(int(line))
    return torch.tensor(rows, dtype=torch.int64)


def describe(path, graph):
    """One line about a file just written."""
    sparse = isinstance(graph.x, SparseRows)
    nonzero = len(graph.x.values) if sparse else int((graph.x != 0).sum())
    parts = [f"{graph.nodes} nodes", f"{graph.edge_index.shape[1]} directed edges",
             f"{graph.x.shape[1]} features ({nonzero} non-zeros)"]
    if graph.graph_ptr is not None:
        parts.insert(0, f"{len(graph.graph_ptr) - 1} graphs")
    if graph.y is not None:
        counts = torch.bincount(graph.y[graph.y >= 0]).tolist()
        parts.append(f"classes {' '.join(f'{c}:{n}' for c, n in enumerate(counts))}")
    print(f"{path}: {', '.join(parts)}")
