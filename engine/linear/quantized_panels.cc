// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/quantized_panels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace heed {

QuantizedPanels::QuantizedPanels(int64_t out, int64_t in, const float* weights) : out_(out), in_(in) {
  HEED_CHECK(in <= kMaxInputs);
  const size_t bytes = static_cast<size_t>(panels() * depth() * kPanelCols);
  values_.reset(static_cast<int8_t*>(AllocateAligned(bytes)));
  std::memset(values_.get(), 0, bytes);
  scales_.resize(static_cast<size_t>(panels() * kPanelCols));
  compensation_.resize(scales_.size());
  double error = 0, all = 0;
  for (int64_t n = 0; n < out; ++n) {
    const float* const row = weights + n * in;
    float largest = 0;
    for (int64_t k = 0; k < in; ++k) largest = std::max(largest, std::abs(row[k]));
    const float scale = largest / 127.0f;
    const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    int8_t* const to = values_.get() + (n / kPanelCols) * depth() * kPanelCols + (n % kPanelCols) * 4;
    int32_t sum = 0;
    double row_error = 0, row_all = 0;
    for (int64_t k = 0; k < in; ++k) {
      // The inverse of a denormal is infinite: such weights are nothing beside any other.
      const float q = std::isfinite(inverse) ? std::nearbyint(row[k] * inverse) : 0.0f;
      to[k / 4 * 4 * kPanelCols + k % 4] = static_cast<int8_t>(q);
      sum += static_cast<int32_t>(q);
      const float off = row[k] - q * scale;
      row_error += static_cast<double>(off) * off;
      row_all += static_cast<double>(row[k]) * row[k];
    }
    scales_[static_cast<size_t>(n)] = scale;
    compensation_[static_cast<size_t>(n)] = -128 * sum;
    error += row_error;
    all += row_all;
    largest_norm_ = std::max(largest_norm_, static_cast<float>(std::sqrt(row_all)));
    largest_error_ = std::max(largest_error_, static_cast<float>(std::sqrt(row_error)));
  }
  relative_error_ = all > 0 ? std::sqrt(error / all) : 0.0;
}

int64_t QuantizedPanels::bytes() const {
  return panels() * (depth() * kPanelCols + kPanelCols * static_cast<int64_t>(sizeof(float) + sizeof(int32_t)));
}

}  // namespace heed
