// SPDX-License-Identifier: Apache-2.0
// Matrices of floats: Matrix owns, MatrixView and ConstMatrixView borrow. All row-major.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "engine/core/aligned_memory.h"
#include "engine/core/context.h"

namespace heed {

// The least number of floats from `count` on that fills whole cache lines.
constexpr int64_t WholeCacheLines(int64_t count) { return (count + 15) / 16 * 16; }

// The distance between rows, in floats, for rows of `cols` values: rows begin on cache lines, and never a power of two
// apart, where they would compete for the same few sets of the caches (measured: half the speed at 2048).
inline int64_t PaddedStride(int64_t cols) {
  const int64_t lines = (cols + 15) / 16;
  return 16 * (lines % 2 == 0 ? lines + 1 : lines);
}

// Borrowed: `rows` rows of `cols` values, `stride` values apart.
template <typename T>
struct BasicMatrixView {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  T* row(int64_t i) const { return data + i * stride; }
  BasicMatrixView Rows(int64_t first, int64_t count) const { return {data + first * stride, count, cols, stride}; }
  BasicMatrixView Cols(int64_t first, int64_t count) const { return {data + first, rows, count, stride}; }
  operator BasicMatrixView<const T>() const requires(!std::is_const_v<T>) { return {data, rows, cols, stride}; }
};
using MatrixView = BasicMatrixView<float>;
using ConstMatrixView = BasicMatrixView<const float>;

// Owning, zeroed, 64-byte aligned, at PaddedStride. Movable.
class Matrix {
 public:
  Matrix() = default;
  Matrix(int64_t rows, int64_t cols);
  // Not zeroed: for what is about to be written whole.
  static Matrix Uninitialized(int64_t rows, int64_t cols);

  int64_t rows() const { return view_.rows; }
  int64_t cols() const { return view_.cols; }
  MatrixView view() { return view_; }
  ConstMatrixView view() const { return view_; }
  float* row(int64_t i) { return view_.row(i); }
  const float* row(int64_t i) const { return view_.row(i); }
  int64_t bytes() const { return view_.rows * view_.stride * static_cast<int64_t>(sizeof(float)); }

 private:
  AlignedPointer<float> data_;
  MatrixView view_;
};

// Scratch of [rows, cols] at PaddedStride, not zeroed, until the arena's scope ends.
inline MatrixView TakeMatrix(Arena& arena, int64_t rows, int64_t cols) {
  const int64_t stride = PaddedStride(cols);
  return {arena.Take<float>(static_cast<size_t>(rows * stride)), rows, cols, stride};
}

}  // namespace heed
