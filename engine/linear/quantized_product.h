// SPDX-License-Identifier: Apache-2.0
// Matrix product in 8 bits: y = x W^T + bias, for weights and activations that are both quantized.
//
//   y[m][n] = fma(float(sum_k q_x[m][k] q_W[n][k]), scale_x[m] scale_W[n], bias[n])
//
// The sum is exact in 32 bits (QuantizedPanels::kMaxInputs), and what follows is the same three f32 operations
// everywhere: so a row's bits depend on that row alone, not on the rows beside it, on threads, or on the instruction
// set.
#pragma once

#include <cstdint>

#include "engine/core/matrix.h"
#include "engine/kernels/instruction_set.h"
#include "engine/linear/quantized_panels.h"
#include "engine/linear/quantized_rows.h"

namespace heed {

// For the outputs n of panels [first, last), y's column n - 16 first; y has at least 16 (last - first) columns' room.
// With `accumulate`, adds to what y holds instead. bias, for those outputs, is not null. x.depth is weights.depth(). On
// the calling thread. `set`, one of UsableInstructionSets(): for tests.
void QuantizedProduct(const QuantizedPanels& weights, const QuantizedRows& x, int64_t first, int64_t last,
                      const float* bias, bool accumulate, MatrixView y, InstructionSet set = UsedInstructionSet());

}  // namespace heed
