// SPDX-License-Identifier: Apache-2.0
#include "models/transformer_xl/relative_positions.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/core/matrix.h"

namespace heed {

int64_t PositionTable::bytes() const {
  int64_t bytes = 0;
  for (const PackedPanels& head : heads) bytes += head.bytes();
  return bytes;
}

std::vector<float> PositionFrequencies(int64_t d_model) {
  std::vector<float> frequencies;
  for (int64_t m = 0; m < d_model / 2; ++m) {
    frequencies.push_back(1.0f / std::pow(10000.0f, static_cast<float>(2 * m) / static_cast<float>(d_model)));
  }
  return frequencies;
}

RelativePositions::RelativePositions(std::vector<PackedPanels> projections, std::vector<float> frequencies,
                                     int64_t heads, int64_t bound, int64_t expected)
    : projections_(std::move(projections)), frequencies_(std::move(frequencies)), heads_(heads), bound_(bound) {
  std::shared_ptr<const PositionTable> table = Make(std::min(bound, expected));
  {
    MutexLock lock(mutex_);
    table_ = std::move(table);
  }
  if (expected >= bound) projections_.clear();
}

std::shared_ptr<const PositionTable> RelativePositions::Table(int64_t distance) const {
  MutexLock lock(mutex_);
  if (std::min(distance, bound_) > table_->max_distance) {
    table_ = Make(std::min(bound_, std::max(distance, 2 * table_->max_distance)));
  }
  return table_;
}

int64_t RelativePositions::resident_bytes() const {
  int64_t bytes = 0;
  for (const PackedPanels& projection : projections_) bytes += projection.bytes();
  MutexLock lock(mutex_);
  return bytes + table_->bytes();
}

std::shared_ptr<const PositionTable> RelativePositions::Make(int64_t max_distance) const {
  constexpr int64_t kRowsAtOnce = 96;
  auto table = std::make_shared<PositionTable>();
  table->max_distance = max_distance;
  const int64_t half = static_cast<int64_t>(frequencies_.size());
  const int64_t distances = max_distance + 1;
  Matrix waves = Matrix::Uninitialized(distances, 2 * half);
  for (int64_t i = 0; i < distances; ++i) {
    for (int64_t m = 0; m < half; ++m) {
      // The product is rounded to float before its sine is taken: at distance 1000 that shows.
      const float angle = static_cast<float>(max_distance - i) * frequencies_[static_cast<size_t>(m)];
      waves.row(i)[m] = std::sin(angle);
      waves.row(i)[half + m] = std::cos(angle);
    }
  }
  for (const PackedPanels& projection : projections_) {
    const int64_t head_dim = projection.out() / heads_;
    Matrix keys = Matrix::Uninitialized(distances, projection.panels() * kPanelCols);
    for (int64_t first = 0; first < distances; first += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, distances - first);
      PackedProduct(projection, ConstMatrixView(waves.view()).Rows(first, count), 0, projection.panels(), nullptr,
                    false, keys.view().Rows(first, count));
    }
    for (int64_t head = 0; head < heads_; ++head) {
      table->heads.emplace_back(distances, head_dim, Storage::kF32,
                                [&](int64_t i, int64_t k) { return keys.row(i)[head * head_dim + k]; });
    }
  }
  return table;
}

}  // namespace heed
