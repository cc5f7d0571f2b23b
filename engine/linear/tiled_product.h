// SPDX-License-Identifier: Apache-2.0
// Matrix product by oneDNN, for many rows: y = activation(x W^T + bias).
//
// oneDNN's order of summation depends on where a row stands: rows left over at the end of a block are summed otherwise.
// So rows are always handed over in tiles of kTileRows, the last one filled up in scratch, and outputs in blocks of
// fixed width: a row's bits then do not depend on the rows beside it, and few primitives serve every number of rows.
// oneDNN is called with one thread; the team shares out tiles and blocks.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "engine/core/matrix.h"
#include "engine/kernels/kernels.h"

namespace heed {

inline constexpr int64_t kTileRows = 48;

// Immutable once made; thread-safe.
class TiledWeights {
 public:
  TiledWeights() = default;
  TiledWeights(int64_t out, int64_t in, absl::FunctionRef<float(int64_t n, int64_t k)> weight);

  int64_t out() const { return out_; }
  int64_t in() const { return transposed_.rows(); }
  int64_t bytes() const { return transposed_.bytes(); }
  ConstMatrixView transposed() const { return transposed_.view(); }  // [in, out]

 private:
  int64_t out_ = 0;
  Matrix transposed_;
};

// y = activation(x W^T + bias), or with `accumulate` y += x W^T + bias (no activation then). bias [out].
void TiledProduct(const TiledWeights& weights, ConstMatrixView x, const float* bias, Activation activation,
                  bool accumulate, MatrixView y, Context& context);

// Compiled oneDNN primitives that this process holds: bounded, since shapes come from the models and not from requests.
int64_t PrimitiveCacheSize();

// Of the oneDNN that this process runs: "2.6.3".
std::string OneDnnVersion();

}  // namespace heed
