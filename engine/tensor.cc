#include "engine/tensor.h"

#include <cstring>

namespace heed {

Matrix::Matrix(int64_t rows, int64_t cols) {
  const int64_t stride = PaddedStride(cols);
  const size_t bytes = static_cast<size_t>(rows * stride) * sizeof(float);
  data_.reset(static_cast<float*>(AllocateAligned(bytes)));
  std::memset(data_.get(), 0, bytes);
  view_ = {data_.get(), rows, cols, stride};
}

}  // namespace heed
