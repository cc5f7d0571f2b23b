// SPDX-License-Identifier: Apache-2.0
// Weights and activations of a linear layer in bfloat16: the upper half of an f32, rounded to nearest, half to even.
//
// Panels are as in quantized_panels.h, with lines of 2 inputs: the 2 weights of each of the 16 outputs beside each
// other, the operand of AVX-512's and AMX's dot products. Inputs are filled up with zeros to whole tiles of 32.
#pragma once

#include <cstdint>

#include "engine/core/aligned_memory.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/packed_product.h"

namespace heed {

// Immutable once made; thread-safe.
class Bf16Panels {
 public:
  Bf16Panels() = default;
  // weights [out, in], row-major, finite.
  Bf16Panels(int64_t out, int64_t in, const float* weights);

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  // Inputs, filled up.
  int64_t depth() const { return (in_ + 31) / 32 * 32; }
  int64_t panels() const { return (out_ + kPanelCols - 1) / kPanelCols; }
  int64_t bytes() const { return panels() * depth() * kPanelCols * 2; }
  // Panel p: [depth / 2, 16, 2]; outputs beyond `out` are zeros.
  const uint16_t* panel(int64_t p) const { return values_.get() + p * depth() * kPanelCols; }

  // |W - W'| / |W|, of all weights together; 0 if all are 0.
  double relative_error() const { return relative_error_; }

 private:
  int64_t out_ = 0, in_ = 0;
  AlignedPointer<uint16_t> values_;
  double relative_error_ = 0;
};

// Borrowed: `rows` rows of `depth` values, rows `stride` values apart.
struct Bf16Rows {
  uint16_t* values = nullptr;
  int64_t rows = 0;
  int64_t depth = 0;
  int64_t stride = 0;

  const uint16_t* row(int64_t m) const { return values + m * stride; }
  Bf16Rows Rows(int64_t first, int64_t count) const { return {values + first * stride, count, depth, stride}; }
};

// x in bfloat16, the team's threads sharing out the rows; until the arena's scope ends.
Bf16Rows InBf16(ConstMatrixView x, Context& context);

}  // namespace heed
