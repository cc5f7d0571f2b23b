// SPDX-License-Identifier: Apache-2.0
// The rows of the one wide linear layer that a graph layer's input meets.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph/graph_aggregation.h"
#include "engine/linear/linear.h"

namespace heed {

// In the order of ProjectionLayout's columns. One thread.
class ProjectionRows {
 public:
  explicit ProjectionRows(int64_t in) : in_(in) {}

  int64_t in() const { return in_; }
  // A row of `in` weights.
  void Add(const float* weights, float bias);
  void AddZeros(int64_t rows);
  // Heads of `layout.channels` rows each, every one padded to layout.head_stride(). `bias`: empty: zeros.
  void AddHeads(const ProjectionLayout& layout, const std::vector<float>& weights, const std::vector<float>& bias);
  // A score for each head: its attention vector times its rows. Being linear in the input, scores are outputs of the
  // same layer as the values.
  void AddScores(const ProjectionLayout& layout, const std::vector<float>& weights, const std::vector<float>& attention,
                 const std::vector<float>& bias);

  Linear Make(GemmBackend backend) const;

 private:
  const int64_t in_;
  std::vector<float> weights_, bias_;
};

}  // namespace heed
