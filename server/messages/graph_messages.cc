// SPDX-License-Identifier: Apache-2.0
#include "server/messages/graph_messages.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"

namespace heed {
namespace {

template <typename Field>
auto ToVector(const Field& field) {
  return std::vector<typename Field::value_type>(field.begin(), field.end());
}

absl::StatusOr<FeatureArrays> ToFeatureArrays(const v1::NodeFeatures& features, absl::string_view name) {
  FeatureArrays arrays;
  arrays.width = features.width();
  arrays.sparse = features.row_ends_size() > 0 || features.columns_size() > 0;
  arrays.values = ToVector(features.values());
  arrays.row_ends = ToVector(features.row_ends());
  arrays.columns = ToVector(features.columns());
  if (arrays.sparse) {
    arrays.rows = features.row_ends_size();
  } else if (features.values_size() > 0) {
    if (features.width() < 1 || features.values_size() % features.width() != 0) {
      return InvalidField(name, features.values_size(), " values are no whole rows of width ", features.width());
    }
    arrays.rows = features.values_size() / features.width();
  }
  HEED_RETURN_IF_ERROR(CheckSizes(arrays, name));
  return arrays;
}

std::string Label(const GraphClassifier& model, int index) {
  const std::vector<std::string>& labels = model.labels();
  return static_cast<size_t>(index) < labels.size() ? labels[static_cast<size_t>(index)] : absl::StrCat(index);
}

// What is asked when the request does not say: all of an inline graph, in its own order.
std::vector<int64_t> NodesInOrder(const v1::Graph& graph, int64_t nodes) {
  if (graph.node_ids_size() > 0) return ToVector(graph.node_ids());
  std::vector<int64_t> rows(static_cast<size_t>(nodes));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<EdgeIds> EdgesInOrder(const v1::Graph& graph) {
  auto id = [&](int64_t row) { return graph.node_ids_size() > 0 ? graph.node_ids(static_cast<int>(row)) : row; };
  std::vector<EdgeIds> edges(static_cast<size_t>(graph.edge_sources_size()));
  for (int i = 0; i < graph.edge_sources_size(); ++i) {
    edges[static_cast<size_t>(i)] = {id(graph.edge_sources(i)), id(graph.edge_targets(i))};
  }
  return edges;
}

}  // namespace

absl::StatusOr<GraphArrays> ToGraphArrays(const v1::Graph& graph) {
  GraphArrays arrays;
  HEED_ASSIGN_OR_RETURN(arrays.features, ToFeatureArrays(graph.features(), "features"));
  arrays.node_ids = ToVector(graph.node_ids());
  arrays.sources = ToVector(graph.edge_sources());
  arrays.targets = ToVector(graph.edge_targets());
  arrays.edge_feature_width = graph.edge_feature_width();
  arrays.edge_features = ToVector(graph.edge_features());
  HEED_RETURN_IF_ERROR(CheckSizes(arrays));
  return arrays;
}

absl::StatusOr<GraphUpdate> ToGraphUpdate(const v1::GraphUpdate& update) {
  GraphUpdate result;
  result.remove_edges = ToEdgeIds(update.remove_edges());
  result.remove_nodes = ToVector(update.remove_nodes());
  result.add_nodes = ToVector(update.add_nodes());
  HEED_ASSIGN_OR_RETURN(result.add_features, ToFeatureArrays(update.add_features(), "add_features"));
  result.change_nodes = ToVector(update.change_nodes());
  HEED_ASSIGN_OR_RETURN(result.change_features, ToFeatureArrays(update.change_features(), "change_features"));
  result.add_edges = ToEdgeIds(update.add_edges());
  result.add_edge_features = ToVector(update.add_edge_features());
  return result;
}

bool IsEmpty(const v1::GraphUpdate& update) {
  auto empty = [](const v1::NodeFeatures& features) {
    return features.values_size() == 0 && features.row_ends_size() == 0 && features.columns_size() == 0;
  };
  return update.remove_edges_size() == 0 && update.remove_nodes_size() == 0 && update.add_nodes_size() == 0 &&
         empty(update.add_features()) && update.change_nodes_size() == 0 && empty(update.change_features()) &&
         update.add_edges_size() == 0 && update.add_edge_features_size() == 0;
}

absl::Status AppendPart(GraphArrays part, GraphArrays& whole) {
  const int64_t width = part.features.width, edge_width = part.edge_feature_width;
  const size_t rows = static_cast<size_t>(part.features.rows), ids = part.node_ids.size();
  if (Append(std::move(part), whole)) return absl::OkStatus();
  if (width != whole.features.width) {
    return InvalidField("features", "width ", width, ", but that of the parts before it is ", whole.features.width);
  }
  if ((ids == 0) != whole.node_ids.empty()) {
    return InvalidField("node_ids", ids, " for ", rows, " nodes, but the parts before it have ", whole.node_ids.size(),
                        " for ", whole.features.rows);
  }
  return InvalidField("edge_feature_width", edge_width, ", but that of the parts before it is ",
                      whole.edge_feature_width);
}

absl::Status SetOptions(const v1::GraphQueryOptions& options, GraphQuery& query) {
  if (options.has_fan_out()) {
    if (options.fan_out() < 1) {
      return InvalidField("options.fan_out", options.fan_out(), ", must be at least 1; without it all are taken");
    }
    query.fan_out = options.fan_out();
  }
  query.seed = options.seed();
  query.return_embeddings = options.return_embeddings();
  query.return_attention = options.return_attention();
  query.ignore_edge_features = options.ignore_edge_features();
  return absl::OkStatus();
}

std::vector<EdgeIds> ToEdgeIds(const google::protobuf::RepeatedPtrField<v1::GraphEdgeId>& edges) {
  std::vector<EdgeIds> result;
  result.reserve(static_cast<size_t>(edges.size()));
  for (const v1::GraphEdgeId& edge : edges) result.emplace_back(edge.source(), edge.target());
  return result;
}

int64_t ItemsAsked(const v1::ClassifyNodesRequest::Query& query, const Graph& graph) {
  return query.nodes_size() > 0 ? query.nodes_size() : graph.nodes();
}
int64_t ItemsAsked(const v1::ClassifyEdgesRequest::Query& query, const Graph& graph) {
  return query.edges_size() > 0 ? query.edges_size() : graph.edges();
}
int64_t ItemsAsked(const v1::ClassifyGraphsRequest::Query&, const Graph&) { return 1; }

void Ask(const v1::ClassifyNodesRequest::Query& from, int64_t nodes, GraphQuery& query) {
  query.nodes.assign(from.nodes().begin(), from.nodes().end());
  if (!query.nodes.empty()) return;
  if (from.has_graph()) {
    query.nodes = NodesInOrder(from.graph(), nodes);
  } else {
    query.all = true;
  }
}

void Ask(const v1::ClassifyEdgesRequest::Query& from, int64_t, GraphQuery& query) {
  query.edges = ToEdgeIds(from.edges());
  if (!query.edges.empty()) return;
  if (from.has_graph()) {
    query.edges = EdgesInOrder(from.graph());
  } else {
    query.all = true;
  }
}

void Ask(const v1::ClassifyGraphsRequest::Query&, int64_t, GraphQuery&) {}

absl::StatusOr<int> ToTopK(const v1::GraphQueryOptions& options) {
  if (!options.has_top_k()) return 1;
  if (options.top_k() < 0) {
    return InvalidField("options.top_k", options.top_k(), ", must be at least 0, all");
  }
  return options.top_k();
}

v1::GraphClassification ToProto(const GraphAnswer& answer, int64_t index, const GraphClassifier& model, int top_k) {
  const size_t classes = static_cast<size_t>(answer.classes);
  const auto probabilities =
      absl::MakeConstSpan(answer.probabilities).subspan(static_cast<size_t>(index) * classes, classes);
  const size_t listed = top_k == 0 ? classes : std::min(static_cast<size_t>(top_k), classes);
  std::vector<int> order(classes);
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(listed), order.end(), [&](int a, int b) {
    const float p = probabilities[static_cast<size_t>(a)], q = probabilities[static_cast<size_t>(b)];
    return p > q || (p == q && a < b);
  });
  v1::GraphClassification result;
  result.set_class_index(order[0]);
  result.set_label(Label(model, order[0]));
  result.set_probability(probabilities[static_cast<size_t>(order[0])]);
  for (size_t i = 0; top_k != 1 && i < listed; ++i) {
    v1::GraphClassification::Class& one = *result.add_top();
    one.set_index(order[i]);
    one.set_label(Label(model, order[i]));
    one.set_probability(probabilities[static_cast<size_t>(order[i])]);
  }
  for (size_t i = 0; model.multi_label() && i < classes; ++i) {
    if (probabilities[i] >= 0.5f) result.add_present_labels(static_cast<int32_t>(i));
  }
  if (!answer.embeddings.empty()) {
    const size_t width = static_cast<size_t>(answer.embedding_width);
    const auto embedding = absl::MakeConstSpan(answer.embeddings).subspan(static_cast<size_t>(index) * width, width);
    result.mutable_embedding()->Assign(embedding.begin(), embedding.end());
  }
  return result;
}

void FillAsked(const GraphAnswer& from, const GraphClassifier& model, int top_k,
               v1::ClassifyNodesResponse::Answer& to) {
  for (size_t i = 0; i < from.nodes.size(); ++i) {
    v1::ClassifyNodesResponse::Node& node = *to.add_nodes();
    node.set_id(from.nodes[i]);
    *node.mutable_classification() = ToProto(from, static_cast<int64_t>(i), model, top_k);
  }
}

void FillAsked(const GraphAnswer& from, const GraphClassifier& model, int top_k,
               v1::ClassifyEdgesResponse::Answer& to) {
  for (size_t i = 0; i < from.edges.size(); ++i) {
    v1::ClassifyEdgesResponse::Edge& edge = *to.add_edges();
    edge.mutable_id()->set_source(from.edges[i].first);
    edge.mutable_id()->set_target(from.edges[i].second);
    *edge.mutable_classification() = ToProto(from, static_cast<int64_t>(i), model, top_k);
  }
}

void FillAsked(const GraphAnswer& from, const GraphClassifier& model, int top_k,
               v1::ClassifyGraphsResponse::Answer& to) {
  *to.mutable_classification() = ToProto(from, 0, model, top_k);
}

v1::GraphAttention ToProto(const std::vector<LayerAttention>& attention) {
  v1::GraphAttention result;
  for (const LayerAttention& from : attention) {
    v1::GraphAttention::Layer& to = *result.add_layers();
    to.set_head_count(from.heads);
    to.mutable_sources()->Assign(from.sources.begin(), from.sources.end());
    to.mutable_targets()->Assign(from.targets.begin(), from.targets.end());
    to.mutable_self_loops()->Assign(from.self_loops.begin(), from.self_loops.end());
    to.mutable_weights()->Assign(from.weights.begin(), from.weights.end());
  }
  return result;
}

v1::GraphQuerySource ToSource(const GraphAnswer& answer, int64_t version) {
  v1::GraphQuerySource source;
  source.set_version(version);
  source.set_precomputed(answer.precomputed);
  source.set_computed_node_count(answer.nodes_computed);
  source.set_computed_edge_count(answer.edges_computed);
  return source;
}

}  // namespace heed
