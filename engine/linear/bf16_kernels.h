// SPDX-License-Identifier: Apache-2.0
// The kernels behind Bf16Product, one for each instruction set that has one.
#pragma once

#include <cstdint>

#include "engine/core/matrix.h"
#include "engine/linear/bf16_panels.h"

namespace heed {

// Bf16Product's arguments, as line_block-inl.h takes them.
struct Bf16Operands {
  Bf16Operands(const Bf16Panels& w, const Bf16Rows& x, int64_t first_panel, int64_t last_panel,
               const float* bias_values, bool accumulates, MatrixView to)
      : weights(w),
        activations(x),
        rows(x.rows),
        row_bytes(2 * x.depth),
        row_stride(2 * x.stride),
        first(first_panel),
        last(last_panel),
        bias(bias_values),
        accumulate(accumulates),
        y(to) {}

  const char* panel(int64_t p) const { return reinterpret_cast<const char*>(weights.panel(p)); }
  int64_t panel_bytes() const { return row_bytes * kPanelCols; }
  const char* row(int64_t m) const { return reinterpret_cast<const char*>(activations.row(m)); }
  float* output(int64_t m, int64_t p) const { return y.row(m) + (p - first) * kPanelCols; }
  const float* bias_of(int64_t p) const { return bias + (p - first) * kPanelCols; }

  const Bf16Panels& weights;
  const Bf16Rows activations;
  const int64_t rows, row_bytes, row_stride;
  const int64_t first, last;
  const float* const bias;
  const bool accumulate;
  const MatrixView y;
};

#if defined(__x86_64__)
void Bf16ProductAvx512(const Bf16Operands& product);
void Bf16ProductAmx(const Bf16Operands& product);
#endif

}  // namespace heed
