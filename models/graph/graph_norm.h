// SPDX-License-Identifier: Apache-2.0
// What follows a layer's linear map in a graph network: a norm and an activation, over one row or over a whole graph.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/core/matrix.h"
#include "models/graph/graph_config.h"
#include "models/layers/weight_reader.h"

namespace heed {

// row[i] = activation(row[i]). NaN stays NaN.
void ActivateRow(const RowActivation& activation, float* row, int64_t width);

// A norm and an activation in the order that the configuration gives (docs/graph-config.md, "Norms"). Immutable,
// thread-safe. A row's result depends only on that row, unless over_graph().
class RowFinish {
 public:
  RowFinish() = default;
  // `batched`: the network answers about whole graphs. PyTorch Geometric's layer norm then adds epsilon to the variance
  // instead of the deviation. INVALID_ARGUMENT names the tensor and both shapes.
  static absl::StatusOr<RowFinish> Load(const GraphNormConfig& norm, const RowActivation& activation,
                                        bool activation_first, int64_t width, bool batched,
                                        const WeightReader& tensors);

  // The norm's statistics are those of all nodes of a graph.
  bool over_graph() const { return norm_.over_graph(); }
  int64_t resident_bytes() const;

  // One row [width]. Only where the norm is not over the graph.
  void FinishRow(float* row) const;
  // All rows of one graph, ascending by node id. Only where the norm is over the graph.
  void FinishGraph(MatrixView rows) const;

 private:
  void NormalizeGraph(MatrixView rows) const;
  void NormalizeTogether(MatrixView rows) const;
  void NormalizeChannels(MatrixView rows) const;
  void NormalizePairs(MatrixView rows) const;

  GraphNormConfig norm_;
  RowActivation activation_;
  bool activation_first_ = false;
  bool batched_ = false;
  int64_t width_ = 0;
  std::vector<float> scale_, shift_;  // [width], of norms that have weights
  // [width]. Batch norm: the running mean. Graph norm: mean_scale, the share of the mean that is taken off.
  std::vector<float> mean_;
};

}  // namespace heed
