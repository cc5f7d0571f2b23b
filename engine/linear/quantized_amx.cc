// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "engine/linear/quantized_kernels.h"
#include "engine/linear/target.h"
#include "engine/linear/tile_operations-inl.h"

#define HEED_TILE_DOT(sums, activations, weights) _tile_dpbusd(sums, activations, weights)

HEED_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,amx-tile,amx-int8")
#include "engine/linear/quantized_tiles-inl.h"

namespace heed {

void QuantizedProductAmx(const QuantizedOperands& product) { QuantizedProductByTiles(product); }

}  // namespace heed
HEED_END_TARGET

#endif
