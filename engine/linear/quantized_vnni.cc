// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "engine/linear/quantized_kernels.h"
#include "engine/linear/target.h"

HEED_BEGIN_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")
#include "engine/linear/quantized_vnni-inl.h"

namespace heed {

void QuantizedProductVnni(const QuantizedOperands& product) { RowsByLines<Vnni>(product, 0, product.rows); }

}  // namespace heed
HEED_END_TARGET

#endif
