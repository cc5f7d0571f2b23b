// SPDX-License-Identifier: Apache-2.0
// One layer of a graph network: convolution or linear map, norm, activation, as docs/graph-config.md describes it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/graph/graph.h"
#include "engine/graph/graph_aggregation.h"
#include "engine/graph/neighborhood.h"
#include "engine/linear/linear.h"
#include "models/graph/convolution.h"
#include "models/graph/graph_config.h"
#include "models/graph/graph_norm.h"
#include "models/layers/weight_reader.h"

namespace heed {

// Rows that go through the product and what follows it at a time: whole tiles, within the caches.
inline constexpr int64_t kProjectedRows = 10 * kTileRows;

// Immutable, thread-safe. A convolution runs in three steps: Project all nodes that it reads, Aggregate each target's
// in-edges (engine/graph/graph_aggregation.h) with what Pass gives, FinishRow each target (or FinishGraph all of them).
// A linear layer reads only the targets: Project, TakeRows, FinishGraph.
class GraphLayer {
 public:
  // `in`: width of its input. `reads_features`: it is the first, and may be given feature rows.
  static absl::StatusOr<GraphLayer> Load(const GraphConfig& config, const GraphLayerConfig& layer, int64_t in,
                                         bool reads_features, const WeightReader& tensors);

  int64_t in() const { return projection_.in(); }
  int64_t out() const { return layout_.out(); }
  int64_t heads() const { return layout_.heads; }
  const ProjectionLayout& layout() const { return layout_; }
  int64_t table_width() const { return layout_.width(); }
  int64_t resident_bytes() const;
  bool linear() const { return config_.linear; }

  // A row of projections (engine/graph/graph_aggregation.h) for each row of the input. A feature row's own density says
  // whether it is multiplied sparse or dense.
  void Project(absl::Span<const FeatureRow> rows, MatrixView table, Context& context) const;
  void Project(ConstMatrixView rows, MatrixView table, Context& context) const;

  // GCN: 1 / sqrt(degree) of each node, and the weights of the loops that the layer adds; else nothing.
  void Normalize(const Neighborhood& nodes, std::vector<float>& norm, std::vector<float>& loop_weight) const;

  // The pass over `nodes`' first targets.rows nodes, all that it borrows kept by the caller, who has it read some
  // projections.
  GraphAggregation Pass(const Neighborhood& nodes, const std::vector<float>& norm,
                        const std::vector<float>& loop_weight, MatrixView targets) const;

  // A linear layer's outputs of targets [first, last), from their rows of the table, FinishRow included.
  void TakeRows(ConstMatrixView table, MatrixView out, int64_t first, int64_t last, Context& context) const;

  // Norm and activation of one target's row; nothing if the norm is over the whole graph.
  void FinishRow(float* row) const {
    if (!finish_.over_graph()) finish_.FinishRow(row);
  }
  // The same over all rows of a graph, ascending by node id, if the norm is over the whole graph.
  void FinishGraph(MatrixView rows) const {
    if (finish_.over_graph()) finish_.FinishGraph(rows);
  }

 private:
  GraphLayerConfig config_;
  ProjectionLayout layout_;
  int64_t edge_dim_ = 0;
  Linear projection_;
  ConvolutionWeights weights_;
  std::vector<float> bias_;  // [out], or empty
  RowFinish finish_;
};

}  // namespace heed
