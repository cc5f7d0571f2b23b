// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/bf16_product.h"

#include "base/check.h"
#include "engine/linear/bf16_kernels.h"

namespace heed {

void Bf16Product(const Bf16Panels& weights, const Bf16Rows& x, int64_t first, int64_t last, const float* bias,
                 bool accumulate, MatrixView y, InstructionSet set) {
  const Bf16Operands product(weights, x, first, last, bias, accumulate, y);
#if defined(__x86_64__)
  if (set >= InstructionSet::kAmx) return Bf16ProductAmx(product);
  if (set >= InstructionSet::kAvx512Bf16) return Bf16ProductAvx512(product);
#endif
  HEED_CHECK(set >= InstructionSet::kAvx512Bf16);
}

}  // namespace heed
