// SPDX-License-Identifier: Apache-2.0
#include "engine/core/matrix.h"

#include <cstring>

namespace heed {

Matrix::Matrix(int64_t rows, int64_t cols) : Matrix(Uninitialized(rows, cols)) {
  std::memset(data_.get(), 0, static_cast<size_t>(bytes()));
}

Matrix Matrix::Uninitialized(int64_t rows, int64_t cols) {
  Matrix matrix;
  const int64_t stride = PaddedStride(cols);
  matrix.data_.reset(static_cast<float*>(AllocateAligned(static_cast<size_t>(rows * stride) * sizeof(float))));
  matrix.view_ = {matrix.data_.get(), rows, cols, stride};
  return matrix;
}

}  // namespace heed
