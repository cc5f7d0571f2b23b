// SPDX-License-Identifier: Apache-2.0
// Products of narrow numbers by AMX's tiles: 64 bytes of 16 rows meet 16 lines of a panel at a time. Operands and lines
// as in line_block-inl.h, row_bytes a multiple of 64. Included once in each file that needs it, inside
// HEED_BEGIN_TARGET, behind the definitions of the tile operations:
//
//   HEED_TILES_BEGIN(rows), HEED_TILES_END()  8 tiles of 64 bytes a row: 0 to 5 (sums, activations) have `rows` rows, 6
//                                             and 7 (weights) have 16
//   HEED_TILE_ZERO(t), HEED_TILE_LOAD(t, from, stride), HEED_TILE_STORE(t, to, stride)  strides in bytes
//   HEED_TILE_DOT(sums, activations, weights)
//
// Finish(operands, sums, m, p): the 16 sums of row m and panel p, of 4 bytes each, become outputs.
#pragma once

#include "engine/linear/line_block-inl.h"

namespace heed {
namespace {

constexpr int64_t kTileSide = 16;

// `rows` rows, at most 16, or with kTwoTiles twice 16, against one panel or two.
template <bool kTwoTiles, bool kTwoPanels, class Operands, class Finish>
void TileBlock(const Operands& a, int64_t m0, int64_t rows, int64_t p, Finish finish) {
  const auto* const panel = a.panel(p);
  const auto* const next = panel + a.panel_bytes();
  const auto* const x = a.row(m0);
  const auto* const x_next = x + kTileSide * a.row_stride;
  HEED_TILE_ZERO(0);
  if constexpr (kTwoPanels) HEED_TILE_ZERO(1);
  if constexpr (kTwoTiles) HEED_TILE_ZERO(2);
  if constexpr (kTwoTiles && kTwoPanels) HEED_TILE_ZERO(3);
  for (int64_t k = 0; k < a.row_bytes; k += 64) {
    HEED_TILE_LOAD(4, x + k, a.row_stride);
    HEED_TILE_LOAD(6, panel + k * kPanelCols, 64);
    HEED_TILE_DOT(0, 4, 6);
    if constexpr (kTwoPanels) {
      HEED_TILE_LOAD(7, next + k * kPanelCols, 64);
      HEED_TILE_DOT(1, 4, 7);
    }
    if constexpr (kTwoTiles) {
      HEED_TILE_LOAD(5, x_next + k, a.row_stride);
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
  for (int64_t m = 0; m < rows; ++m) {
    finish(a, sums[m], m0 + m, p);
    if constexpr (kTwoPanels) finish(a, sums[m] + kTileSide, m0 + m, p + 1);
  }
}

// Rows [first_row, last_row), a multiple of 16 or fewer than 16.
template <class Operands, class Finish>
void RowsByTiles(const Operands& a, int64_t first_row, int64_t last_row, Finish finish) {
  if (first_row == last_row) return;
  HEED_TILES_BEGIN(std::min(kTileSide, last_row - first_row));
  const auto all = [&](auto two_panels, int64_t p) {
    constexpr bool kTwoPanels = decltype(two_panels)::value;
    int64_t m = first_row;
    for (; m + 2 * kTileSide <= last_row; m += 2 * kTileSide) {
      TileBlock<true, kTwoPanels>(a, m, 2 * kTileSide, p, finish);
    }
    if (m < last_row) TileBlock<false, kTwoPanels>(a, m, last_row - m, p, finish);
  };
  int64_t p = a.first;
  for (; p + 2 <= a.last; p += 2) all(std::true_type(), p);
  if (p < a.last) all(std::false_type(), p);
  HEED_TILES_END();
}

}  // namespace
}  // namespace heed
