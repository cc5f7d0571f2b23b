// SPDX-License-Identifier: Apache-2.0
// The kernels behind QuantizedProduct, one for each instruction set that has one of its own. Arguments as there.
#pragma once

#include <cstdint>

#include "engine/core/matrix.h"
#include "engine/linear/quantized_panels.h"
#include "engine/linear/quantized_rows.h"

namespace heed {

struct QuantizedOperands {
  const QuantizedPanels& weights;
  QuantizedRows x;
  int64_t first, last;
  const float* bias;
  bool accumulate;
  MatrixView y;
};

// The definition, in plain C++.
void QuantizedProductPortable(const QuantizedOperands& product);
#if defined(__x86_64__)
void QuantizedProductAvx2(const QuantizedOperands& product);
void QuantizedProductVnni(const QuantizedOperands& product);
void QuantizedProductAmx(const QuantizedOperands& product);
#endif

}  // namespace heed
