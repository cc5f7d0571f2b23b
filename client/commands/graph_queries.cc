// SPDX-License-Identifier: Apache-2.0
#include "client/commands/graph_queries.h"

#include <map>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/item_list.h"

namespace heed::client {
namespace {

// Which graph has a node.
class NodeIndex {
 public:
  explicit NodeIndex(const std::vector<GraphArrays>& graphs) : graphs_(graphs) {
    for (size_t graph = 0; graphs.size() > 1 && graph < graphs.size(); ++graph) {
      for (int64_t row = 0; row < graphs[graph].features.rows; ++row) {
        const std::vector<int64_t>& ids = graphs[graph].node_ids;
        const auto [found, added] = graph_of_.emplace(ids.empty() ? row : ids[static_cast<size_t>(row)], graph);
        if (!added && found->second != graph) second_.emplace(found->first, graph);
      }
    }
  }

  absl::StatusOr<size_t> Find(int64_t id) const {
    if (graphs_.size() <= 1) return 0;
    const auto found = graph_of_.find(id);
    if (found == graph_of_.end()) {
      return absl::InvalidArgumentError(absl::StrCat("none of the file's ", graphs_.size(), " graphs has a node ", id));
    }
    if (const auto again = second_.find(id); again != second_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("node ", id, " is in graph ", found->second, " and in graph ", again->second, " of the file"));
    }
    return found->second;
  }

  absl::StatusOr<size_t> Find(const v1::GraphEdgeId& edge) const {
    const absl::StatusOr<size_t> source = Find(edge.source());
    const absl::StatusOr<size_t> target = Find(edge.target());
    if (!source.ok()) return source;
    if (target.ok() && *source != *target) {
      return absl::InvalidArgumentError(absl::StrCat("edge ", EdgeName(edge), ": node ", edge.source(), " is in graph ",
                                                     *source, ", node ", edge.target(), " in graph ", *target));
    }
    return target;
  }

 private:
  const std::vector<GraphArrays>& graphs_;
  std::unordered_map<int64_t, size_t> graph_of_;
  std::unordered_map<int64_t, size_t> second_;  // of ids that several graphs have
};

template <typename Item>
absl::StatusOr<std::vector<GraphQuery<Item>>> Ask(const std::vector<GraphArrays>& graphs,
                                                  const std::vector<Item>& items) {
  const NodeIndex index(graphs);
  std::map<size_t, GraphQuery<Item>> by_graph;
  for (size_t place = 0; place < items.size(); ++place) {
    const absl::StatusOr<size_t> graph = index.Find(items[place]);
    if (!graph.ok()) return graph.status();
    GraphQuery<Item>& query = by_graph[*graph];
    query.graph = *graph;
    query.items.push_back(items[place]);
    query.places.push_back(place);
  }
  std::vector<GraphQuery<Item>> queries;
  for (auto& [graph, query] : by_graph) queries.push_back(std::move(query));
  return queries;
}

}  // namespace

void NumberNodes(std::vector<GraphArrays>& graphs) {
  int64_t first = 0;
  for (GraphArrays& graph : graphs) {
    if (graph.node_ids.empty() && first > 0) {
      graph.node_ids.resize(static_cast<size_t>(graph.features.rows));
      std::iota(graph.node_ids.begin(), graph.node_ids.end(), first);
    }
    first += graph.features.rows;
  }
}

absl::StatusOr<std::vector<GraphQuery<int64_t>>> AskNodes(const std::vector<GraphArrays>& graphs,
                                                          const std::vector<int64_t>& nodes) {
  return Ask(graphs, nodes);
}

absl::StatusOr<std::vector<GraphQuery<v1::GraphEdgeId>>> AskEdges(const std::vector<GraphArrays>& graphs,
                                                                  const std::vector<v1::GraphEdgeId>& edges) {
  return Ask(graphs, edges);
}

}  // namespace heed::client
