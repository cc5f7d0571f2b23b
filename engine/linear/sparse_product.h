// SPDX-License-Identifier: Apache-2.0
// Matrix product with sparse rows: y = x W^T + bias, in time proportional to the values that are not zero.
#pragma once

#include <cstdint>

#include "engine/core/matrix.h"

namespace heed {

// y[0, out) = bias + sum_i values[i] W^T[columns[i]]: one row, its values taken in order. transposed [in, out] with
// room for whole vectors of 8 behind each row (PaddedStride gives it), and so has y; bias [out] likewise.
void SparseRowProduct(const float* values, const int32_t* columns, int64_t count, ConstMatrixView transposed,
                      const float* bias, float* y);

}  // namespace heed
