// SPDX-License-Identifier: Apache-2.0
// All rows go by tiles: vectors would round their sums in another way.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "engine/linear/bf16_kernels.h"
#include "engine/linear/target.h"
#include "engine/linear/tile_operations-inl.h"

#define HEED_TILE_DOT(sums, activations, weights) _tile_dpbf16ps(sums, activations, weights)

HEED_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,amx-tile,amx-bf16")
#include "engine/linear/bf16_tiles-inl.h"

namespace heed {

void Bf16ProductAmx(const Bf16Operands& product) { Bf16ProductByTiles(product); }

}  // namespace heed
HEED_END_TARGET

#endif
