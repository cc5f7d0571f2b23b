// SPDX-License-Identifier: Apache-2.0
// Kernels over one row of logits or log-probabilities. All on the calling thread; a fixed order of summation.
#pragma once

#include <cstdint>

namespace heed {

// log of the sum of exp(x[i]), count >= 1. Never less than the largest x[i]: x[i] - LogSumExp is at most 0, also as
// rounded. NaN if one of them is.
float LogSumExp(const float* x, int64_t count);

// x[i] = (x[i] - subtract) + add
void ShiftRow(float* x, int64_t count, float subtract, float add);

// How many are larger than `threshold`.
int64_t CountAbove(const float* x, int64_t count, float threshold);

}  // namespace heed
