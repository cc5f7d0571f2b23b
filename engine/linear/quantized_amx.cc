// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "engine/linear/quantized_kernels.h"
#include "engine/linear/target.h"

namespace heed {
namespace {

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
// Constant: GCC 12 takes LDTILECFG to read 8 bytes only, and drops what was stored behind them.
constexpr TileConfiguration kTileConfiguration;

}  // namespace
}  // namespace heed

#define HEED_TILES_BEGIN() _tile_loadconfig(&kTileConfiguration)
#define HEED_TILES_END() _tile_release()
#define HEED_TILE_ZERO(t) _tile_zero(t)
#define HEED_TILE_LOAD(t, from, stride) _tile_loadd(t, from, stride)
#define HEED_TILE_STORE(t, to, stride) _tile_stored(t, to, stride)
#define HEED_TILE_DOT(sums, activations, weights) _tile_dpbusd(sums, activations, weights)

HEED_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,amx-tile,amx-int8")
#include "engine/linear/quantized_tiles-inl.h"

namespace heed {

void QuantizedProductAmx(const QuantizedOperands& product) { ProductByTiles(product); }

}  // namespace heed
HEED_END_TARGET

#endif
