// SPDX-License-Identifier: Apache-2.0
// The way of AMX's tiles through rows and panels, with the tile operations themselves in plain C++ as Intel's manual
// defines them: so it is tested on machines without AMX, too. The machine's own are in tile_operations-inl.h.
#if defined(__x86_64__)

#include <gtest/gtest.h>
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/linear/bf16_kernels.h"
#include "engine/linear/quantized_kernels.h"
#include "engine/linear/quantized_product.h"
#include "engine/linear/target.h"
#include "tests/support/naive.h"

namespace heed {
namespace {

struct EmulatedTile {
  uint8_t bytes[16][64];
};
EmulatedTile emulated_tiles[8];
int64_t emulated_rows = 0;  // of the tiles of activations and sums; 0: not configured
bool emulated_bf16 = false;

int64_t EmulatedRows(int t) { return t < 6 ? emulated_rows : 16; }

void EmulateLoad(int t, const void* from, int64_t stride) {
  ASSERT_GT(emulated_rows, 0);
  for (int64_t i = 0; i < EmulatedRows(t); ++i) {
    std::memcpy(emulated_tiles[t].bytes[i], static_cast<const char*>(from) + i * stride, 64);
  }
}
void EmulateStore(int t, void* to, int64_t stride) {
  for (int64_t i = 0; i < EmulatedRows(t); ++i) {
    std::memcpy(static_cast<char*>(to) + i * stride, emulated_tiles[t].bytes[i], 64);
  }
}
template <typename T>
T ValueAt(const EmulatedTile& tile, int64_t i, int64_t j) {
  T value;
  std::memcpy(&value, &tile.bytes[i][j * static_cast<int64_t>(sizeof(T))], sizeof(T));
  return value;
}
float WidenedAt(const EmulatedTile& tile, int64_t i, int64_t j) {
  return std::bit_cast<float>(static_cast<uint32_t>(ValueAt<uint16_t>(tile, i, j)) << 16);
}
// TDPBUSD: sums[i][j] += sum over four of u8 a[i][4 k + l] times s8 b[k][4 j + l].
// TDPBF16PS: the same of two; even and odd products have sums of their own, which are added at the end.
void EmulateDot(int sums, int a, int b) {
  for (int64_t i = 0; i < emulated_rows; ++i) {
    for (int64_t j = 0; j < 16; ++j) {
      int32_t exact = 0;
      float even = 0, odd = 0;
      for (int64_t k = 0; k < 16; ++k) {
        for (int64_t l = 0; l < 4; ++l) {
          exact += ValueAt<uint8_t>(emulated_tiles[a], i, 4 * k + l) * ValueAt<int8_t>(emulated_tiles[b], k, 4 * j + l);
        }
        even += WidenedAt(emulated_tiles[a], i, 2 * k) * WidenedAt(emulated_tiles[b], k, 2 * j);
        odd += WidenedAt(emulated_tiles[a], i, 2 * k + 1) * WidenedAt(emulated_tiles[b], k, 2 * j + 1);
      }
      const int32_t integer = ValueAt<int32_t>(emulated_tiles[sums], i, j) + exact;
      const float real = ValueAt<float>(emulated_tiles[sums], i, j) + (even + odd);
      std::memcpy(&emulated_tiles[sums].bytes[i][4 * j],
                  emulated_bf16 ? static_cast<const void*>(&real) : static_cast<const void*>(&integer), 4);
    }
  }
}

}  // namespace
}  // namespace heed

#define HEED_TILES_BEGIN(rows) emulated_rows = (rows)
#define HEED_TILES_END() emulated_rows = 0
#define HEED_TILE_ZERO(t) std::memset(&emulated_tiles[t], 0, sizeof(EmulatedTile))
#define HEED_TILE_LOAD(t, from, stride) EmulateLoad(t, from, stride)
#define HEED_TILE_STORE(t, to, stride) EmulateStore(t, to, stride)
#define HEED_TILE_DOT(sums, activations, weights) EmulateDot(sums, activations, weights)

HEED_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,fma")
#include "engine/linear/bf16_tiles-inl.h"
#include "engine/linear/quantized_tiles-inl.h"
HEED_END_TARGET

namespace heed {
namespace {

constexpr int64_t kRowCounts[] = {1, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 70};

TEST(TileProducts, In8BitsGiveTheBitsOfTheDefinition) {
  if (UsedInstructionSet() < InstructionSet::kAvx512Vnni) {
    GTEST_SKIP() << "this machine has no AVX-512 VNNI: the rows that fill no tile cannot be computed";
  }
  emulated_bf16 = false;
  for (const int64_t out : {16, 40, 64, 100}) {
    for (const int64_t in : {60, 128, 300}) {
      const QuantizedPanels weights(out, in, naive::RandomFloats(out * in, 1).data());
      const std::vector<float> bias = naive::RandomFloats(weights.panels() * kPanelCols, 2);
      for (const int64_t rows : kRowCounts) {
        Arena arena;
        const Matrix x = naive::RandomMatrix(rows, in, 3);
        const QuantizedRows quantized = TakeQuantizedRows(arena, rows, in);
        QuantizeRows(x.view(), 0, rows, quantized);
        Matrix expected(rows, weights.panels() * kPanelCols), got(rows, weights.panels() * kPanelCols);
        QuantizedProduct(weights, quantized, 0, weights.panels(), bias.data(), false, expected.view(),
                         InstructionSet::kPortable);
        QuantizedProductByTiles({weights, quantized, 0, weights.panels(), bias.data(), false, got.view()});
        for (int64_t m = 0; m < rows; ++m) {
          ASSERT_EQ(std::memcmp(got.row(m), expected.row(m), static_cast<size_t>(got.cols()) * sizeof(float)), 0)
              << out << " x " << in << ", row " << m << " of " << rows;
        }
      }
    }
  }
}

TEST(TileProducts, InBf16AgreeWithTheNaiveProductAloneAndMerged) {
  if (UsedInstructionSet() < InstructionSet::kAvx512Vnni) {
    GTEST_SKIP() << "this machine has no AVX-512: outputs cannot be finished";
  }
  emulated_bf16 = true;
  for (const int64_t out : {16, 40, 100}) {
    for (const int64_t in : {60, 128, 300}) {
      const std::vector<float> values = naive::RandomFloats(out * in, 1);
      const Bf16Panels weights(out, in, values.data());
      const std::vector<float> bias = naive::RandomFloats(weights.panels() * kPanelCols, 2);
      Context context{1};
      const Matrix x = naive::RandomMatrix(70, in, 3);
      const Bf16Rows narrow = InBf16(x.view(), context);
      const std::vector<double> expected = naive::Linear(x.view(), values, {bias.begin(), bias.begin() + out});
      Matrix all(70, weights.panels() * kPanelCols);
      Bf16ProductByTiles({weights, narrow, 0, weights.panels(), bias.data(), false, all.view()});
      for (int64_t m = 0; m < 70; ++m) {
        for (int64_t n = 0; n < out; ++n) {
          // Products of numbers below 1, each of both factors rounded by 1/512 at most.
          ASSERT_NEAR(all.row(m)[n], expected[static_cast<size_t>(m * out + n)], std::sqrt(in) * 0.006);
        }
      }
      for (const int64_t rows : kRowCounts) {
        Matrix some(rows, weights.panels() * kPanelCols);
        Bf16ProductByTiles({weights, narrow.Rows(0, rows), 0, weights.panels(), bias.data(), false, some.view()});
        for (int64_t m = 0; m < rows; ++m) {
          ASSERT_EQ(std::memcmp(some.row(m), all.row(m), static_cast<size_t>(all.cols()) * sizeof(float)), 0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace heed
#endif
