// SPDX-License-Identifier: Apache-2.0
// What every layer of a graph network made of every node of one version of a graph, in pages that versions share.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/core/matrix.h"
#include "engine/graph/graph.h"
#include "models/kinds/graph_classifier.h"

namespace heed {

// Immutable once published; then thread-safe. Rows are the graph's.
class LayerOutputs : public GraphOutputs {
 public:
  // None yet, for layers of these widths. `model` tells the model that makes them from every other one.
  LayerOutputs(std::shared_ptr<const void> model, std::vector<int64_t> widths);
  // Those of `previous`, whose pages it shares until Set changes them.
  explicit LayerOutputs(const LayerOutputs& previous);
  LayerOutputs& operator=(const LayerOutputs&) = delete;

  const void* model() const { return model_.get(); }
  int64_t bytes() const override;
  int64_t rows_computed() const override { return rows_computed_; }

  int layers() const { return static_cast<int>(layers_.size()); }
  int64_t width(int layer) const { return layers_[static_cast<size_t>(layer)].width; }
  // [width(layer)] of a row that was set.
  const float* Row(int layer, int32_t row) const;

  // Before it is published: takes values [rows, width(layer)] as the outputs of these rows.
  void Set(int layer, absl::Span<const int32_t> rows, ConstMatrixView values);

 private:
  struct Layer {
    int64_t width = 0;
    std::vector<std::shared_ptr<const Matrix>> pages;  // of Graph::kPageRows rows each
    std::vector<Matrix*> own;                          // the pages that no other version holds; null: shared
  };
  const std::shared_ptr<const void> model_;
  std::vector<Layer> layers_;
  int64_t rows_computed_ = 0;
};

}  // namespace heed
