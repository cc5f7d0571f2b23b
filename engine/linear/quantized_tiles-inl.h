// SPDX-License-Identifier: Apache-2.0
// The 8-bit product by tiles. Rows that fill no tile go by vectors: sums are exact, so the way makes no difference.
// Included as line_tiles-inl.h is.
#pragma once

#include "engine/linear/line_tiles-inl.h"
#include "engine/linear/quantized_vnni-inl.h"

namespace heed {
namespace {

inline void QuantizedProductByTiles(const QuantizedOperands& product) {
  const int64_t whole = product.rows / kTileSide * kTileSide;
  RowsByTiles(product, 0, whole, [](const QuantizedOperands& a, const int32_t* sums, int64_t m, int64_t p) {
    const __m512i exact = _mm512_add_epi32(_mm512_loadu_si512(sums), Vnni::Begin(a, p, 0));
    Vnni::Store(a, exact, m, p, 0);
  });
  RowsByLines<Vnni>(product, whole, product.rows);
}

}  // namespace
}  // namespace heed
