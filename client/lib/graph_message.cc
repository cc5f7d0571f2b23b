// SPDX-License-Identifier: Apache-2.0
#include "client/lib/graph_message.h"

#include <algorithm>
#include <limits>

namespace heed::client {
namespace {

// A value of sparse rows takes 4 bytes and 1 to 3 for its column, one of dense rows 4.
constexpr int64_t kSparseValueBytes = 6;
// Ids and row numbers are of variable length; so much is enough for numbers up to 2^28.
constexpr int64_t kNumberBytes = 4;

// Sparse from the file, or dense with at most a quarter of values that are not zero.
bool SendSparse(const FeatureArrays& features) {
  if (features.sparse) return true;
  const auto zeros = std::count(features.values.begin(), features.values.end(), 0.0f);
  return !features.values.empty() && 4 * zeros >= 3 * static_cast<int64_t>(features.values.size());
}

void AppendRow(const FeatureArrays& features, int64_t row, bool sparse, v1::NodeFeatures& message) {
  if (!sparse) {
    const auto first = features.values.begin() + row * features.width;
    message.mutable_values()->Add(first, first + features.width);
    return;
  }
  if (features.sparse) {
    const int64_t begin = row == 0 ? 0 : features.row_ends[static_cast<size_t>(row - 1)];
    const int64_t end = features.row_ends[static_cast<size_t>(row)];
    message.mutable_values()->Add(features.values.begin() + begin, features.values.begin() + end);
    message.mutable_columns()->Add(features.columns.begin() + begin, features.columns.begin() + end);
  } else {
    for (int64_t column = 0; column < features.width; ++column) {
      const float value = features.values[static_cast<size_t>(row * features.width + column)];
      if (value == 0) continue;
      message.add_values(value);
      message.add_columns(static_cast<int32_t>(column));
    }
  }
  message.add_row_ends(message.values_size());
}

int64_t Bytes(const v1::NodeFeatures& features) {
  return features.columns_size() > 0 || features.row_ends_size() > 0
             ? kSparseValueBytes * features.values_size() + kNumberBytes * features.row_ends_size()
             : 4 * int64_t{features.values_size()};
}

}  // namespace

GraphParts::GraphParts(const GraphArrays& graph) : graph_(graph), sparse_(SendSparse(graph.features)) {}

bool GraphParts::Next(int64_t bytes, v1::Graph& part) {
  const auto edges = static_cast<int64_t>(graph_.sources.size());
  if (begun_ && row_ == graph_.features.rows && edge_ == edges) return false;
  begun_ = true;
  part.mutable_features()->set_width(graph_.features.width);
  part.set_edge_feature_width(graph_.edge_feature_width);

  const int64_t first_row = row_;
  while (row_ < graph_.features.rows &&
         (row_ == first_row || Bytes(part.features()) + kNumberBytes * part.node_ids_size() < bytes)) {
    AppendRow(graph_.features, row_, sparse_, *part.mutable_features());
    if (!graph_.node_ids.empty()) part.add_node_ids(graph_.node_ids[static_cast<size_t>(row_)]);
    ++row_;
  }
  if (row_ < graph_.features.rows) return true;

  const int64_t room = bytes - Bytes(part.features()) - kNumberBytes * part.node_ids_size();
  const int64_t fitting = room / (2 * kNumberBytes + 4 * graph_.edge_feature_width);
  const int64_t least = row_ == first_row ? 1 : 0;
  const int64_t end = std::min(edges, edge_ + std::max(least, fitting));
  part.mutable_edge_sources()->Add(graph_.sources.begin() + edge_, graph_.sources.begin() + end);
  part.mutable_edge_targets()->Add(graph_.targets.begin() + edge_, graph_.targets.begin() + end);
  part.mutable_edge_features()->Add(graph_.edge_features.begin() + edge_ * graph_.edge_feature_width,
                                    graph_.edge_features.begin() + end * graph_.edge_feature_width);
  edge_ = end;
  return true;
}

void FillGraph(const GraphArrays& graph, v1::Graph& message) {
  GraphParts(graph).Next(std::numeric_limits<int64_t>::max(), message);
}

void FillFeatures(const FeatureArrays& features, v1::NodeFeatures& message) {
  message.set_width(features.width);
  const bool sparse = SendSparse(features);
  for (int64_t row = 0; row < features.rows; ++row) AppendRow(features, row, sparse, message);
}

void FillAdditions(const GraphArrays& graph, v1::GraphUpdate& message) {
  message.mutable_add_nodes()->Add(graph.node_ids.begin(), graph.node_ids.end());
  if (!graph.node_ids.empty()) FillFeatures(graph.features, *message.mutable_add_features());
  for (size_t edge = 0; edge < graph.sources.size(); ++edge) {
    v1::GraphEdgeId& id = *message.add_add_edges();
    id.set_source(graph.sources[edge]);
    id.set_target(graph.targets[edge]);
  }
  message.mutable_add_edge_features()->Add(graph.edge_features.begin(), graph.edge_features.end());
}

}  // namespace heed::client
