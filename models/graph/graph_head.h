// SPDX-License-Identifier: Apache-2.0
// What stands on a graph network's last layer: pooling or the combination of two ends, a multi-layer perceptron, and
// the probabilities of the classes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"
#include "models/graph/graph_config.h"
#include "models/graph/graph_norm.h"
#include "models/layers/weight_reader.h"

namespace heed {

// Linear layers one after the other, each with its norm and activation. Immutable, thread-safe.
class Perceptron {
 public:
  static absl::StatusOr<Perceptron> Load(const std::vector<LinearConfig>& layers, int64_t in,
                                         const WeightReader& tensors);

  int64_t in() const { return in_; }
  int64_t out() const { return layers_.empty() ? in_ : layers_.back().linear.out(); }
  bool empty() const { return layers_.empty(); }
  int64_t weights() const;
  int64_t resident_bytes() const;
  // [rows, in] to [rows, out], in the arena; `x` itself if there are no layers.
  ConstMatrixView Apply(ConstMatrixView x, Context& context) const;

 private:
  struct Layer {
    Linear linear;  // with the activation, where no norm comes between
    RowFinish finish;
    bool finishes = false;
  };
  int64_t in_ = 0;
  std::vector<Layer> layers_;
};

// Immutable, thread-safe. Node task: a row of the last layer is decoded as it stands; edge task: CombineEnds makes a
// row of two; graph task: Pool makes one of all.
class GraphHead {
 public:
  // `width`: of the last layer's rows. INVALID_ARGUMENT also where labels and classes differ in number.
  static absl::StatusOr<GraphHead> Load(const GraphConfig& config, int64_t width, const WeightReader& tensors);

  int classes() const { return classes_; }
  bool multi_label() const { return sigmoid_ && logits_ > 1; }
  // Width of the rows that Decode takes; and whether it changes them at all, or the last layer's rows are the logits.
  int64_t in() const { return in_; }
  // Width of the rows that Pool and CombineEnds take.
  int64_t width() const { return width_; }
  bool has_mlp() const { return !mlp_.empty(); }
  int64_t weights() const;
  int64_t resident_bytes() const;

  void CombineEnds(const float* source, const float* target, float* to) const;
  // `rows`: one graph's, ascending by node id. to [in()].
  void Pool(ConstMatrixView rows, float* to, Context& context) const;

  // Probabilities [rows, classes], row-major, of rows [rows, in()]. A row with logits that are not finite has NaNs.
  std::vector<float> Decode(ConstMatrixView rows, Context& context) const;

 private:
  struct Readout {
    GraphPooling pooling = GraphPooling::kMean;
    Perceptron gate, transform;

    void Pool(ConstMatrixView rows, float* to, Context& context) const;
  };

  GraphTaskKind task_ = GraphTaskKind::kNode;
  EdgeDecoder decoder_ = EdgeDecoder::kDot;
  std::vector<Readout> readouts_;  // graph task: their results are side by side
  bool sigmoid_ = false;
  int64_t width_ = 0;  // of the last layer
  int64_t in_ = 0;
  int64_t logits_ = 0;
  int classes_ = 0;
  Perceptron mlp_;
};

}  // namespace heed
