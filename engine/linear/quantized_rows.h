// SPDX-License-Identifier: Apache-2.0
// Activations in 8 bits, quantized as they come: symmetric, a scale for each row.
//
//   x[m][k] ~ scale[m] q[m][k],  q = round(127 x / max_k |x[m][k]|) in [-127, 127], half to even
//
// A row's q and scale depend on that row alone and are the same on every instruction set.
#pragma once

#include <cstdint>

#include "engine/core/context.h"
#include "engine/core/matrix.h"

namespace heed {

// Borrowed: `rows` rows of `depth` values, which fill up the inputs to whole tiles of 64.
struct QuantizedRows {
  uint8_t* values = nullptr;  // q + 128, rows `stride` bytes apart
  float* scales = nullptr;    // [rows]; of a row that holds what is not finite: not a number
  int64_t rows = 0;
  int64_t depth = 0;
  int64_t stride = 0;

  const uint8_t* row(int64_t m) const { return values + m * stride; }
  QuantizedRows Rows(int64_t first, int64_t count) const {
    return {values + first * stride, scales + first, count, depth, stride};
  }
};

// Scratch for rows of `in` inputs, until the arena's scope ends.
QuantizedRows TakeQuantizedRows(Arena& arena, int64_t rows, int64_t in);

// Rows [first, last) of x into the same of `to`. On the calling thread.
void QuantizeRows(ConstMatrixView x, int64_t first, int64_t last, const QuantizedRows& to);

// x quantized, the team's threads sharing out the rows; until the arena's scope ends.
QuantizedRows Quantized(ConstMatrixView x, Context& context);

}  // namespace heed
