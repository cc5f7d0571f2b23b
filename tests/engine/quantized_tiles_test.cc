// SPDX-License-Identifier: Apache-2.0
// The way of AMX's tiles through rows and panels, with the tile operations themselves in plain C++ as Intel's manual
// defines them: so it is tested on machines without AMX, too. The operations of the machine are in quantized_amx.cc.
#include <gtest/gtest.h>
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/linear/quantized_kernels.h"
#include "engine/linear/quantized_product.h"
#include "engine/linear/target.h"
#include "tests/support/naive.h"

#if defined(__x86_64__)
namespace heed {
namespace {

struct Tile {
  uint8_t bytes[16][64];
};
Tile tiles[8];
bool configured = false;

void Load(int t, const void* from, int64_t stride) {
  ASSERT_TRUE(configured);
  for (int64_t i = 0; i < 16; ++i) std::memcpy(tiles[t].bytes[i], static_cast<const char*>(from) + i * stride, 64);
}
void Store(int t, void* to, int64_t stride) {
  for (int64_t i = 0; i < 16; ++i) std::memcpy(static_cast<char*>(to) + i * stride, tiles[t].bytes[i], 64);
}
// TDPBUSD: sums[i][j] += sum over four of u8 a[i][4 k + l] times s8 b[k][4 j + l].
void Dot(int sums, int a, int b) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      int32_t sum;
      std::memcpy(&sum, &tiles[sums].bytes[i][4 * j], 4);
      for (int k = 0; k < 16; ++k) {
        for (int l = 0; l < 4; ++l) {
          sum += tiles[a].bytes[i][4 * k + l] * static_cast<int8_t>(tiles[b].bytes[k][4 * j + l]);
        }
      }
      std::memcpy(&tiles[sums].bytes[i][4 * j], &sum, 4);
    }
  }
}

}  // namespace
}  // namespace heed

#define HEED_TILES_BEGIN() configured = true
#define HEED_TILES_END() configured = false
#define HEED_TILE_ZERO(t) std::memset(&tiles[t], 0, sizeof(Tile))
#define HEED_TILE_LOAD(t, from, stride) Load(t, from, stride)
#define HEED_TILE_STORE(t, to, stride) Store(t, to, stride)
#define HEED_TILE_DOT(sums, activations, weights) Dot(sums, activations, weights)

HEED_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include "engine/linear/quantized_tiles-inl.h"
HEED_END_TARGET

namespace heed {
namespace {

TEST(QuantizedTiles, GiveTheBitsOfTheDefinition) {
  if (UsedInstructionSet() < InstructionSet::kAvx512Vnni) {
    GTEST_SKIP() << "this machine has no AVX-512 VNNI: the rows that fill no tile cannot be computed";
  }
  for (const int64_t out : {16, 40, 64, 100}) {
    for (const int64_t in : {60, 128, 300}) {
      const QuantizedPanels weights(out, in, naive::RandomFloats(out * in, 1).data());
      const std::vector<float> bias = naive::RandomFloats(weights.panels() * kPanelCols, 2);
      for (const int64_t rows : {1, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 70}) {
        Arena arena;
        const Matrix x = naive::RandomMatrix(rows, in, 3);
        const QuantizedRows quantized = TakeQuantizedRows(arena, rows, in);
        QuantizeRows(x.view(), 0, rows, quantized);
        Matrix expected(rows, weights.panels() * kPanelCols), got(rows, weights.panels() * kPanelCols);
        QuantizedProduct(weights, quantized, 0, weights.panels(), bias.data(), false, expected.view(),
                         InstructionSet::kPortable);
        ProductByTiles({weights, quantized, 0, weights.panels(), bias.data(), false, got.view()});
        for (int64_t m = 0; m < rows; ++m) {
          ASSERT_EQ(std::memcmp(got.row(m), expected.row(m), static_cast<size_t>(got.cols()) * sizeof(float)), 0)
              << out << " x " << in << ", row " << m << " of " << rows;
        }
      }
    }
  }
}

}  // namespace
}  // namespace heed
#endif
