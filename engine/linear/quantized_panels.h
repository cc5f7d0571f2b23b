// SPDX-License-Identifier: Apache-2.0
// Weights of a linear layer in 8 bits: symmetric, a scale for each output (Jacob et al. 2018; Wu et al. 2020).
//
//   W[n][k] ~ scale[n] q[n][k],  q in [-127, 127],  scale[n] = max_k |W[n][k]| / 127
//
// One layout serves every instruction set. A panel holds 16 outputs; for each 4 inputs it has one line of 64 bytes, the
// 4 weights of each output beside each other: the operand of AVX-512 VNNI's dot products, and 16 lines are one tile of
// AMX. Inputs are filled up with zeros to whole tiles of 64.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "engine/linear/packed_product.h"

namespace heed {

// Immutable once made; thread-safe.
class QuantizedPanels {
 public:
  QuantizedPanels() = default;
  // The most inputs whose sums are exact in 32 bits, compensation and all: 127 x 255 x kMaxInputs < 2^31.
  static constexpr int64_t kMaxInputs = 65'536;

  // weights [out, in], row-major, finite; in at most kMaxInputs.
  QuantizedPanels(int64_t out, int64_t in, const float* weights);

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  // Inputs, filled up.
  int64_t depth() const { return (in_ + 63) / 64 * 64; }
  int64_t panels() const { return (out_ + kPanelCols - 1) / kPanelCols; }
  int64_t bytes() const;
  // Panel p: [depth / 4, 16, 4]; outputs beyond `out` are zeros, and so are their scales.
  const int8_t* panel(int64_t p) const { return values_.get() + p * depth() * kPanelCols; }
  const float* scales(int64_t p) const { return scales_.data() + p * kPanelCols; }  // [16]
  // -128 times the sum of each output's q, [16]: what activations that are stored as q + 128 add too much.
  const int32_t* compensation(int64_t p) const { return compensation_.data() + p * kPanelCols; }

  // |W - scale q| / |W|, of all weights together; 0 if all are 0.
  double relative_error() const { return relative_error_; }
  // The largest of all outputs' |W[n]|, and of their |W[n] - scale[n] q[n]|.
  float largest_norm() const { return largest_norm_; }
  float largest_error() const { return largest_error_; }

 private:
  int64_t out_ = 0, in_ = 0;
  AlignedPointer<int8_t> values_;
  std::vector<float> scales_;
  std::vector<int32_t> compensation_;
  double relative_error_ = 0;
  float largest_norm_ = 0, largest_error_ = 0;
};

}  // namespace heed
