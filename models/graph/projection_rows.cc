// SPDX-License-Identifier: Apache-2.0
#include "models/graph/projection_rows.h"

#include <algorithm>

#include "models/layers/weight_reader.h"

namespace heed {

void ProjectionRows::Add(const float* weights, float bias) {
  weights_.insert(weights_.end(), weights, weights + in_);
  bias_.push_back(bias);
}

void ProjectionRows::AddZeros(int64_t rows) {
  weights_.resize(weights_.size() + static_cast<size_t>(rows * in_));
  bias_.resize(bias_.size() + static_cast<size_t>(rows));
}

void ProjectionRows::AddHeads(const ProjectionLayout& layout, const std::vector<float>& weights,
                              const std::vector<float>& bias) {
  for (int64_t h = 0; h < layout.heads; ++h) {
    for (int64_t c = 0; c < layout.channels; ++c) {
      const int64_t row = h * layout.channels + c;
      Add(weights.data() + row * in_, bias.empty() ? 0 : bias[static_cast<size_t>(row)]);
    }
    AddZeros(layout.head_stride() - layout.channels);
  }
}

void ProjectionRows::AddScores(const ProjectionLayout& layout, const std::vector<float>& weights,
                               const std::vector<float>& attention, const std::vector<float>& bias) {
  std::vector<double> sum(static_cast<size_t>(in_));
  std::vector<float> row(static_cast<size_t>(in_));
  for (int64_t h = 0; h < layout.heads; ++h) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t c = h * layout.channels; c < (h + 1) * layout.channels; ++c) {
      const double factor = attention[static_cast<size_t>(c)];
      for (int64_t k = 0; k < in_; ++k) {
        sum[static_cast<size_t>(k)] += factor * static_cast<double>(weights[static_cast<size_t>(c * in_ + k)]);
      }
    }
    std::transform(sum.begin(), sum.end(), row.begin(), [](double value) { return static_cast<float>(value); });
    Add(row.data(), bias.empty() ? 0 : bias[static_cast<size_t>(h)]);
  }
  AddZeros(layout.score_stride() - layout.heads);
}

Linear ProjectionRows::Make(GemmBackend backend) const {
  return MakeLinear(weights_, bias_, Activation::kNone, backend);
}

}  // namespace heed
