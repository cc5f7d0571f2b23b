// SPDX-License-Identifier: Apache-2.0
// The kernels behind QuantizedProduct, one for each instruction set that has one of its own.
#pragma once

#include <cstdint>

#include "engine/core/matrix.h"
#include "engine/linear/quantized_panels.h"
#include "engine/linear/quantized_rows.h"

namespace heed {

// QuantizedProduct's arguments, as line_block-inl.h takes them.
struct QuantizedOperands {
  QuantizedOperands(const QuantizedPanels& w, const QuantizedRows& x, int64_t first_panel, int64_t last_panel,
                    const float* bias_values, bool accumulates, MatrixView to)
      : weights(w),
        activations(x),
        rows(x.rows),
        row_bytes(x.depth),
        row_stride(x.stride),
        first(first_panel),
        last(last_panel),
        bias(bias_values),
        accumulate(accumulates),
        y(to) {}

  const int8_t* panel(int64_t p) const { return weights.panel(p); }
  int64_t panel_bytes() const { return row_bytes * kPanelCols; }
  const uint8_t* row(int64_t m) const { return activations.row(m); }
  float* output(int64_t m, int64_t p) const { return y.row(m) + (p - first) * kPanelCols; }
  const float* bias_of(int64_t p) const { return bias + (p - first) * kPanelCols; }

  const QuantizedPanels& weights;
  const QuantizedRows activations;
  const int64_t rows, row_bytes, row_stride;
  const int64_t first, last;
  const float* const bias;
  const bool accumulate;
  const MatrixView y;
};

// The definition, in plain C++.
void QuantizedProductPortable(const QuantizedOperands& product);
#if defined(__x86_64__)
void QuantizedProductAvx2(const QuantizedOperands& product);
void QuantizedProductVnni(const QuantizedOperands& product);
void QuantizedProductAmx(const QuantizedOperands& product);
#endif

}  // namespace heed
