// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/quantized_product.h"

#include <cmath>

#include "engine/linear/quantized_kernels.h"

namespace heed {

void QuantizedProductPortable(const QuantizedOperands& product) {
  const QuantizedPanels& weights = product.weights;
  for (int64_t p = product.first; p < product.last; ++p) {
    const int8_t* const panel = weights.panel(p);
    for (int64_t m = 0; m < product.rows; ++m) {
      const uint8_t* const x = product.row(m);
      for (int64_t j = 0; j < kPanelCols; ++j) {
        int32_t sum = 0;
        for (int64_t k = 0; k < weights.depth(); ++k) {
          sum += (x[k] - 128) * panel[(k / 4 * kPanelCols + j) * 4 + k % 4];
        }
        float& y = product.output(m, p)[j];
        const float factor = product.activations.scales[m] * weights.scales(p)[j];
        const float value = std::fma(static_cast<float>(sum), factor, product.bias_of(p)[j]);
        y = product.accumulate ? value + y : value;
      }
    }
  }
}

void QuantizedProduct(const QuantizedPanels& weights, const QuantizedRows& x, int64_t first, int64_t last,
                      const float* bias, bool accumulate, MatrixView y, InstructionSet set) {
  const QuantizedOperands product(weights, x, first, last, bias, accumulate, y);
#if defined(__x86_64__)
  if (set >= InstructionSet::kAmx) return QuantizedProductAmx(product);
  if (set >= InstructionSet::kAvx512Vnni) return QuantizedProductVnni(product);
  if (set >= InstructionSet::kAvx2) return QuantizedProductAvx2(product);
#else
  (void)set;
#endif
  QuantizedProductPortable(product);
}

}  // namespace heed
