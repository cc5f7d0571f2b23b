// SPDX-License-Identifier: Apache-2.0
// Graphs of files as messages.
#pragma once

#include <cstdint>

#include "files/graph_arrays.h"
#include "heed/v1/graphs.pb.h"

namespace heed::client {

// Cuts a graph into parts: rows in order, then edges. Borrows the graph. Features that are mostly zeros become sparse
// rows, which take less room, in all parts alike.
class GraphParts {
 public:
  explicit GraphParts(const GraphArrays& graph);

  // Writes into `part`, which is empty, as much as takes about `bytes`, at least one row or edge. False: there is no
  // more. The first part is always there and tells the widths, even of an empty graph.
  bool Next(int64_t bytes, v1::Graph& part);

  int64_t rows_done() const { return row_; }
  int64_t edges_done() const { return edge_; }

 private:
  const GraphArrays& graph_;
  const bool sparse_;
  bool begun_ = false;
  int64_t row_ = 0;
  int64_t edge_ = 0;
};

// The whole graph as one message.
void FillGraph(const GraphArrays& graph, v1::Graph& message);

// The features of all rows.
void FillFeatures(const FeatureArrays& features, v1::NodeFeatures& message);

// Nodes and edges to add. `graph` names its rows in node_ids, and the ends of its edges, which may be nodes that are
// there already, by ids too.
void FillAdditions(const GraphArrays& graph, v1::GraphUpdate& message);

}  // namespace heed::client
