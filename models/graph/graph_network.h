// SPDX-License-Identifier: Apache-2.0
// Graph networks (GCN, GAT, GATv2) as a GraphClassifier: whole graphs, k-hop neighborhoods, precomputed outputs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/linear/precision.h"
#include "models/graph/graph_config.h"
#include "models/graph/graph_head.h"
#include "models/graph/graph_layer.h"
#include "models/kinds/graph_classifier.h"

namespace heed {

// Loads config.json (docs/graph-config.md) and the weights (files/checkpoint.h) of `directory`. It is computed in f32
// whatever `precision` is. Errors as LoadModel's.
absl::StatusOr<std::shared_ptr<const GraphClassifier>> LoadGraphNetwork(const std::string& directory,
                                                                        const std::string& name,
                                                                        Precision precision = Precision::kF32);

// Small graphs of a batch are computed together in one step, as one graph of separate parts: one projection for all
// their nodes. A query with more work than kBlockEdges takes a step for each layer and block of so many edges (a single
// node's edges are never parted), and for each block of what is asked, so that no step is long.
class GraphNetwork : public GraphClassifier {
 public:
  const ModelSpec& spec() const override { return spec_; }
  ModelKind kind() const override { return kind_; }
  void Step(absl::Span<Task* const> tasks, Context& context) const override;
  const std::vector<std::string>& labels() const override { return labels_; }
  bool multi_label() const override { return head_.multi_label(); }
  int64_t feature_width() const override { return config_.in_channels; }
  int64_t edge_feature_width() const override { return config_.edge_dim; }
  std::optional<float> default_edge_feature() const override {
    return config_.convolution == GraphConvolution::kGcn ? std::optional<float>(1) : std::nullopt;
  }
  absl::StatusOr<std::unique_ptr<GraphQueryTask>> Start(GraphQuery query) const override;
  absl::StatusOr<std::unique_ptr<PrecomputeTask>> StartPrecompute(std::shared_ptr<const Graph> graph,
                                                                  std::shared_ptr<const GraphOutputs> previous,
                                                                  const GraphChange& change) const override;

 private:
  friend absl::StatusOr<std::shared_ptr<const GraphClassifier>> LoadGraphNetwork(const std::string& directory,
                                                                                 const std::string& name,
                                                                                 Precision precision);
  class QueryTask;
  class OutputsTask;
  struct Decoding;
  struct TogetherRows;

  GraphNetwork() = default;
  // Once the layers are loaded, the last one `last_width` wide: the final rows' width.
  absl::StatusOr<int64_t> PlanLayers(int64_t last_width);
  absl::Status CheckGraph(const Graph& graph) const;
  absl::Status CheckNothingIgnored(const GraphQuery& query) const;
  absl::Status CannotDo(absl::string_view what) const;
  NeighborhoodOptions HoodOptions(const Graph& graph, int hops) const;
  int layer_count() const { return static_cast<int>(layers_.size()); }
  // Convolutions from layer `layer` on: how many hops away its inputs may be.
  int hops_from(int layer) const { return hops_from_[static_cast<size_t>(layer)]; }
  // A node's row that the head reads: the last layer's, or the jumping knowledge of all convolutions.
  int64_t final_width() const { return head_.width(); }
  // At most so wide is an embedding: what the last linear map reads, of a node, one end of an edge, or a graph.
  int64_t max_embedding_width() const { return std::max({layers_.back().in(), final_width(), head_.in()}); }
  bool jumps() const { return config_.jumping_knowledge != JumpingKnowledge::kNone; }
  // Takes a node's row of convolution `layer` into its final row. Layers come in order.
  void Collect(int layer, const float* row, float* final_row) const;
  // The tasks from their features, or precomputed outputs, to their answers.
  void RunTogether(absl::Span<QueryTask* const> tasks, Context& context) const;
  // All layers over the tasks' features, which are those of task 0's nodes, then task 1's. Appends what is to be
  // decoded.
  void RunLayers(absl::Span<QueryTask* const> tasks, const std::vector<FeatureRow>& features,
                 std::vector<Decoding>& decodings, Context& context) const;
  // Takes the targets' rows of convolution `layer` into their final rows.
  void CollectTogether(int layer, absl::Span<QueryTask* const> tasks, const TogetherRows& out, MatrixView jumped) const;
  // One convolution over all tasks' graphs in one pass: of task t the nodes are the table's rows from first[t] on, the
  // targets those of `out` from next_first[t] on.
  void AggregateTogether(const GraphLayer& layer, absl::Span<QueryTask* const> tasks, MatrixView table,
                         const std::vector<int64_t>& first, MatrixView out, const std::vector<int64_t>& next_first,
                         Context& context) const;
  // The head: from the last layer's rows to probabilities and embeddings, appended to the tasks' answers.
  void Decode(absl::Span<const Decoding> decodings, Context& context) const;
  // Appends the embeddings of the decoding's items. `read`: the rows of them that the head has read; `room`:
  // [final_width], scratch.
  void AppendEmbeddings(const Decoding& decoding, ConstMatrixView read, float* room) const;
  // Once all items are decoded: the task is finished, with an error if some logit is not finite.
  void FinishAnswer(QueryTask& task) const;
  // Some answer depends on every node, whatever is asked.
  bool NeedsAllRows() const { return config_.task == GraphTaskKind::kGraph || config_.NeedsWholeGraph(); }
  // Work of a query that reaches so many nodes and edges and asks for so many items, in edges.
  int64_t Work(int64_t nodes, int64_t edges, const Graph& graph, int64_t items) const;

  ModelSpec spec_;
  ModelKind kind_ = ModelKind::kNodeClassifier;
  GraphConfig config_;
  std::vector<GraphLayer> layers_;
  std::vector<int> hops_from_;    // [layers + 1]
  std::vector<int64_t> columns_;  // [layers]: where jumping knowledge by concatenation puts a convolution's output
  GraphHead head_;
  std::vector<std::string> labels_;
  // Its address tells this model from every other one for as long as outputs that it made are kept.
  const std::shared_ptr<const void> identity_ = std::make_shared<char>();
};

}  // namespace heed
