// SPDX-License-Identifier: Apache-2.0
// Matrix product with weights packed once, for any number of rows, fastest for few: y = x W^T.
//
// W [out, in] is stored in panels of 16 outputs: for each input, the 16 weights that it meets, contiguous. A product
// streams each panel once while a block of rows of x stays in registers. Each y[m][n] is one chain of fused
// multiply-adds over the inputs in order, so a row's bits depend on nothing but that row and the instruction set: not
// on the rows beside it, nor on how the panels are shared out among threads. (oneDNN packs its weights again at each
// call, which for few rows costs more than the product itself.)
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "engine/core/aligned_memory.h"
#include "engine/core/matrix.h"

namespace heed {

inline constexpr int64_t kPanelCols = 16;

enum class Storage {
  kF32,
  kF16,  // widened in registers: half the memory traffic; lossless for weights that are f16 values
};

// Immutable once packed; thread-safe.
class PackedPanels {
 public:
  PackedPanels() = default;
  // Packs weight(n, k) for n < out, k < in. With kF16, values are rounded to f16.
  PackedPanels(int64_t out, int64_t in, Storage storage, absl::FunctionRef<float(int64_t n, int64_t k)> weight);

  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  int64_t panels() const { return (out_ + kPanelCols - 1) / kPanelCols; }
  Storage storage() const { return storage_; }
  int64_t bytes() const;
  // Panel p: [in, 16] values of 4 or 2 bytes; outputs beyond `out` are zeros.
  const void* panel(int64_t p) const;
  // Writes the weights of output n, [in] values, to `to`: a row of an embedding table that is tied to this layer.
  void CopyRow(int64_t n, float* to) const;

 private:
  int64_t out_ = 0, in_ = 0;
  Storage storage_ = Storage::kF32;
  AlignedPointer<void> data_;
};

// y[m][n - 16 first] = sum_k x[m][k] W[n][k] for the outputs n of panels [first, last): y has at least 16 (last -
// first) columns' room. With `accumulate`, adds to what y holds instead. `bias`, for those outputs, may be null. x:
// [rows, in]. On the calling thread.
void PackedProduct(const PackedPanels& weights, ConstMatrixView x, int64_t first, int64_t last, const float* bias,
                   bool accumulate, MatrixView y);

}  // namespace heed
