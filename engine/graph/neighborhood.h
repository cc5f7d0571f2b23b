// SPDX-License-Identifier: Apache-2.0
// The part of a graph that some nodes' outputs depend on, as flat arrays: the nodes that are asked about, those from
// which an edge leads to them, and so on, one hop for each layer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "engine/graph/graph.h"

namespace heed {

struct NeighborhoodOptions {
  int hops = 1;
  // At most this many of a node's in-edges, own loops aside, drawn by `seed` and the node's id, the same ones at every
  // hop: the answer is that of the graph with just these edges. None: all.
  std::optional<int> fan_out;
  uint64_t seed = 0;
  bool edge_features = true;  // fill edge_features, if the graph has any
  bool in_weights = false;    // fill in_weights, loop_weights and last_loop_weights
  bool edge_weights = false;  // from the edges' only feature, else 1 each
};

// Nodes are numbered by nearness: first those that were asked about, in their order, then those one hop away, and so
// on. The in-edges of a node keep their order in the graph.
struct Neighborhood {
  std::vector<int32_t> rows;         // [nodes] in the graph
  std::vector<int64_t> within;       // [hops + 1]: how many nodes are at most so many hops away
  std::vector<int64_t> offsets;      // [within[hops - 1] + 1]: in-edges of the nodes that have their in-edges here
  std::vector<int32_t> sources;      // [edges], node numbers
  std::vector<float> edge_features;  // [edges, the graph's edge_feature_width]
  bool has_loops = false;
  bool edge_weights = false;  // edge_features are the edges' weights, as in_weights and those of the loops count them
  // For every node, [nodes], sums of weights in the graph: of its in-edges, own loops aside; of its own loops; and the
  // weight of the last own loop (NaN: it has none).
  std::vector<float> in_weights, loop_weights, last_loop_weights;

  int64_t nodes() const { return static_cast<int64_t>(rows.size()); }
  int64_t edges() const { return static_cast<int64_t>(sources.size()); }
  int64_t bytes() const;
};

// Upper bounds of what FindNeighborhood will find, cheaply: nodes that are reached on several ways count as often, but
// never more than the graph has; where there are many, all that the graph has, without counting on.
struct NeighborhoodBound {
  int64_t nodes = 0;
  int64_t edges = 0;
};
NeighborhoodBound BoundNeighborhood(const Graph& graph, absl::Span<const int32_t> targets, int hops);

// `targets` are rows of the graph that hold nodes, each at most once.
Neighborhood FindNeighborhood(const Graph& graph, absl::Span<const int32_t> targets,
                              const NeighborhoodOptions& options);

}  // namespace heed
