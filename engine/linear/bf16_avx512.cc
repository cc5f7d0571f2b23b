// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "engine/linear/bf16_kernels.h"
#include "engine/linear/target.h"

HEED_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")
#include "engine/linear/bf16_vectors-inl.h"

namespace heed {

void Bf16ProductAvx512(const Bf16Operands& product) { RowsByLines<Bf16Vectors>(product, 0, product.rows); }

}  // namespace heed
HEED_END_TARGET

#endif
