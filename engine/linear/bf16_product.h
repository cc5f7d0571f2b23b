// SPDX-License-Identifier: Apache-2.0
// Matrix product in bfloat16 with sums in f32: y = x W^T + bias.
//
// How an instruction set orders and rounds the sums is its own: a row's bits depend on that row and the instruction set
// alone.
#pragma once

#include <cstdint>

#include "engine/core/matrix.h"
#include "engine/kernels/instruction_set.h"
#include "engine/linear/bf16_panels.h"

namespace heed {

// Arguments as QuantizedProduct's; bias is not null. Only where UsedInstructionSet() is at least kAvx512Bf16; `set`
// likewise.
void Bf16Product(const Bf16Panels& weights, const Bf16Rows& x, int64_t first, int64_t last, const float* bias,
                 bool accumulate, MatrixView y, InstructionSet set = UsedInstructionSet());

}  // namespace heed
