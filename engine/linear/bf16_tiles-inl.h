// SPDX-License-Identifier: Apache-2.0
// The product in bfloat16 by tiles. Included as line_tiles-inl.h is.
#pragma once

#include "engine/linear/bf16_vectors-inl.h"
#include "engine/linear/line_tiles-inl.h"

namespace heed {
namespace {

inline void Bf16ProductByTiles(const Bf16Operands& product) {
  const auto finish = [](const Bf16Operands& a, const int32_t* sums, int64_t m, int64_t p) {
    Bf16Vectors::Store(a, _mm512_castsi512_ps(_mm512_loadu_si512(sums)), m, p, 0);
  };
  const int64_t whole = product.rows / kTileSide * kTileSide;
  RowsByTiles(product, 0, whole, finish);
  RowsByTiles(product, whole, product.rows, finish);
}

}  // namespace
}  // namespace heed
