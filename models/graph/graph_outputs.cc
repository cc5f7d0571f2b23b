// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph_outputs.h"

#include <algorithm>
#include <utility>

namespace heed {

LayerOutputs::LayerOutputs(std::shared_ptr<const void> model, std::vector<int64_t> widths) : model_(std::move(model)) {
  for (const int64_t width : widths) layers_.push_back({width, {}, {}});
}

LayerOutputs::LayerOutputs(const LayerOutputs& previous) : model_(previous.model_), layers_(previous.layers_) {
  for (Layer& layer : layers_) std::fill(layer.own.begin(), layer.own.end(), nullptr);
}

int64_t LayerOutputs::bytes() const {
  int64_t bytes = 0;
  for (const Layer& layer : layers_) {
    bytes += static_cast<int64_t>(layer.pages.size() * (sizeof(layer.pages[0]) + sizeof(layer.own[0])));
    for (const auto& page : layer.pages) bytes += page == nullptr ? 0 : page->bytes();
  }
  return bytes;
}

const float* LayerOutputs::Row(int layer, int32_t row) const {
  const Matrix& page = *layers_[static_cast<size_t>(layer)].pages[static_cast<size_t>(row / Graph::kPageRows)];
  return page.row(row % Graph::kPageRows);
}

void LayerOutputs::Set(int layer, absl::Span<const int32_t> rows, ConstMatrixView values) {
  Layer& to = layers_[static_cast<size_t>(layer)];
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t number = static_cast<size_t>(rows[i] / Graph::kPageRows);
    if (to.pages.size() <= number) {
      to.pages.resize(number + 1);
      to.own.resize(number + 1);
    }
    if (to.own[number] == nullptr) {
      auto page = std::make_shared<Matrix>(Graph::kPageRows, to.width);
      if (const auto& shared = to.pages[number]; shared != nullptr) {
        for (int64_t r = 0; r < Graph::kPageRows; ++r) {
          std::copy(shared->row(r), shared->row(r) + to.width, page->row(r));
        }
      }
      to.own[number] = page.get();
      to.pages[number] = std::move(page);
    }
    const float* from = values.row(static_cast<int64_t>(i));
    std::copy(from, from + to.width, to.own[number]->row(rows[i] % Graph::kPageRows));
  }
  rows_computed_ += static_cast<int64_t>(rows.size());
}

}  // namespace heed
