// SPDX-License-Identifier: Apache-2.0
// The 8-bit product by AMX's tiles: 16 rows of 64 activations times one panel's 64 inputs, at a time. Rows that do not
// fill a tile go by vectors: sums are exact, so the way makes no difference. Included once in each file that needs it,
// inside HEED_BEGIN_TARGET, behind the definitions of the tile operations:
//
//   HEED_TILES_BEGIN(), HEED_TILES_END()  8 tiles of 16 rows of 64 bytes
//   HEED_TILE_ZERO(t), HEED_TILE_LOAD(t, from, stride), HEED_TILE_STORE(t, to, stride)  strides in bytes
//   HEED_TILE_DOT(sums, activations, weights)  u8 times s8

#include "engine/linear/quantized_vnni-inl.h"

namespace heed {
namespace {

constexpr int64_t kTileSide = 16;

// sums[i][j] of a tile, into y.
inline void StoreTile(const QuantizedOperands& a, const int32_t (*sums)[2 * kTileSide], int64_t column, int64_t m0,
                      int64_t p) {
  const int64_t n = (p - a.first) * kPanelCols;
  const __m512i compensation = _mm512_loadu_si512(a.weights.compensation(p));
  for (int64_t i = 0; i < kTileSide; ++i) {
    const __m512i exact = _mm512_add_epi32(_mm512_loadu_si512(sums[i] + column), compensation);
    Vnni::Store(exact, a.x.scales[m0 + i], a.weights.scales(p), a.bias + n, a.accumulate, a.y.row(m0 + i) + n);
  }
}

// Two tiles of rows against two panels, or one of each.
template <bool kTwoTiles, bool kTwoPanels>
void TileBlock(const QuantizedOperands& a, int64_t m0, int64_t p) {
  const int64_t depth = a.weights.depth();
  const int8_t* const panel = a.weights.panel(p);
  const int8_t* const next = panel + depth * kPanelCols;
  const uint8_t* const x = a.x.row(m0);
  const uint8_t* const x_next = x + kTileSide * a.x.stride;
  HEED_TILE_ZERO(0);
  if constexpr (kTwoPanels) HEED_TILE_ZERO(1);
  if constexpr (kTwoTiles) HEED_TILE_ZERO(2);
  if constexpr (kTwoTiles && kTwoPanels) HEED_TILE_ZERO(3);
  for (int64_t k = 0; k < depth; k += 64) {
    HEED_TILE_LOAD(4, x + k, a.x.stride);
    HEED_TILE_LOAD(6, panel + k * kPanelCols, 64);
    HEED_TILE_DOT(0, 4, 6);
    if constexpr (kTwoPanels) {
      HEED_TILE_LOAD(7, next + k * kPanelCols, 64);
      HEED_TILE_DOT(1, 4, 7);
    }
    if constexpr (kTwoTiles) {
      HEED_TILE_LOAD(5, x_next + k, a.x.stride);
      HEED_TILE_DOT(2, 5, 6);
      if constexpr (kTwoPanels) HEED_TILE_DOT(3, 5, 7);
    }
  }
  alignas(64) int32_t sums[2 * kTileSide][2 * kTileSide];
  constexpr int64_t kStride = sizeof(sums[0]);
  HEED_TILE_STORE(0, sums[0], kStride);
  if constexpr (kTwoPanels) HEED_TILE_STORE(1, sums[0] + kTileSide, kStride);
  if constexpr (kTwoTiles) HEED_TILE_STORE(2, sums[kTileSide], kStride);
  if constexpr (kTwoTiles && kTwoPanels) HEED_TILE_STORE(3, sums[kTileSide] + kTileSide, kStride);
  for (int64_t tile = 0; tile < (kTwoTiles ? 2 : 1); ++tile) {
    for (int64_t other = 0; other < (kTwoPanels ? 2 : 1); ++other) {
      StoreTile(a, sums + tile * kTileSide, other * kTileSide, m0 + tile * kTileSide, p + other);
    }
  }
}

template <bool kTwoPanels>
void TilesOfPanels(const QuantizedOperands& a, int64_t rows, int64_t p) {
  int64_t m = 0;
  for (; m + 2 * kTileSide <= rows; m += 2 * kTileSide) TileBlock<true, kTwoPanels>(a, m, p);
  if (m < rows) TileBlock<false, kTwoPanels>(a, m, p);
}

void ProductByTiles(const QuantizedOperands& a) {
  const int64_t tiled = a.x.rows / kTileSide * kTileSide;
  if (tiled > 0) {
    HEED_TILES_BEGIN();
    int64_t p = a.first;
    for (; p + 2 <= a.last; p += 2) TilesOfPanels<true>(a, tiled, p);
    if (p < a.last) TilesOfPanels<false>(a, tiled, p);
    HEED_TILES_END();
  }
  if (tiled < a.x.rows) QuantizedAllRows<Vnni>(a, tiled, a.x.rows);
}

}  // namespace
}  // namespace heed
