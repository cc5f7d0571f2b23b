// SPDX-License-Identifier: Apache-2.0
// The tile operations of AMX for line_tiles-inl.h, HEED_TILE_DOT aside. Included once in each file that needs them.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstdint>

namespace heed {
namespace {

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Constant: GCC 12 takes LDTILECFG to read 8 bytes only, and drops what was stored behind them.
constexpr std::array<TileConfiguration, 17> kTileConfigurations = [] {
  std::array<TileConfiguration, 17> all;
  for (uint8_t rows = 1; rows <= 16; ++rows) {
    for (const int tile : {0, 1, 2, 3, 4, 5}) all[rows].rows[tile] = rows;
  }
  return all;
}();

}  // namespace
}  // namespace heed

#define HEED_TILES_BEGIN(rows) _tile_loadconfig(&kTileConfigurations[static_cast<size_t>(rows)])
#define HEED_TILES_END() _tile_release()
#define HEED_TILE_ZERO(t) _tile_zero(t)
#define HEED_TILE_LOAD(t, from, stride) _tile_loadd(t, from, stride)
#define HEED_TILE_STORE(t, to, stride) _tile_stored(t, to, stride)
