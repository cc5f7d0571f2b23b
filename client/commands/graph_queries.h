// SPDX-License-Identifier: Apache-2.0
// What to ask about the graphs of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "files/graph_arrays.h"
#include "heed/v1/graphs.pb.h"

namespace heed::client {

// One graph and the items that are asked of it.
template <typename Item>
struct GraphQuery {
  size_t graph = 0;            // which of the file
  std::vector<Item> items;     // none: all of them
  std::vector<size_t> places;  // where each stands in the list that was asked for; none if all are
};

// Gives each node of several graphs without ids the number of its row in the file, so that an id names one node.
void NumberNodes(std::vector<GraphArrays>& graphs);

// Queries for `nodes` (ids), by graph; where there are several graphs, each id has to be in exactly one, and both ends
// of an edge in the same one: INVALID_ARGUMENT. With one graph the server finds out itself.
absl::StatusOr<std::vector<GraphQuery<int64_t>>> AskNodes(const std::vector<GraphArrays>& graphs,
                                                          const std::vector<int64_t>& nodes);
absl::StatusOr<std::vector<GraphQuery<v1::GraphEdgeId>>> AskEdges(const std::vector<GraphArrays>& graphs,
                                                                  const std::vector<v1::GraphEdgeId>& edges);

}  // namespace heed::client
