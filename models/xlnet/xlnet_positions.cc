// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_positions.h"

#include <cmath>
#include <utility>

#include "base/check.h"

namespace heed {

XlnetPositions::XlnetPositions(std::vector<Linear> projections, int64_t d_model, int64_t clamp)
    : projections_(std::move(projections)),
      d_model_(d_model),
      clamp_(clamp),
      blocks_(std::make_unique<std::atomic<const float*>[]>(static_cast<size_t>(kBlocks))) {
  // In float, as PyTorch computes them: at a distance of 1,000 a double product differs by 3e-5.
  for (int64_t i = 0; i < d_model; i += 2) {
    frequencies_.push_back(1.0f / std::pow(10000.0f, static_cast<float>(i) / static_cast<float>(d_model)));
  }
}

int64_t XlnetPositions::TableBytes(int64_t distances) const {
  const int64_t rows = (distances + 2 * kBlockRows - 1) / kBlockRows * kBlockRows;
  return rows * d_model_ * static_cast<int64_t>(projections_.size() * sizeof(float));
}

void XlnetPositions::Prepare(int64_t least, int64_t most, Context& context) const {
  HEED_CHECK(-kMaxDistance <= Clamped(least) && Clamped(most) < kMaxDistance);
  const int64_t first = (Clamped(least) + kMaxDistance) / kBlockRows;
  const int64_t last = (Clamped(most) + kMaxDistance) / kBlockRows + 1;
  const int64_t zero = kMaxDistance / kBlockRows;  // all tables have the block of distance 0, so that they join
  if (first_.load(std::memory_order_acquire) <= first && last <= last_.load(std::memory_order_acquire)) return;
  MutexLock lock(mutex_);
  if (last_ == 0) {
    Make(zero, context);
    first_.store(zero, std::memory_order_release);
    last_.store(zero + 1, std::memory_order_release);
  }
  while (first_ > first) {
    Make(first_ - 1, context);
    first_.store(first_ - 1, std::memory_order_release);
  }
  while (last_ < last) {
    Make(last_, context);
    last_.store(last_ + 1, std::memory_order_release);
  }
}

void XlnetPositions::Make(int64_t block, Context& context) const {
  const int64_t layers = static_cast<int64_t>(projections_.size());
  AlignedPointer<float> rows(
      static_cast<float*>(AllocateAligned(static_cast<size_t>(layers * kBlockRows * d_model_) * sizeof(float))));
  Arena::Scope scope(context.arena);
  const MatrixView waves = TakeMatrix(context.arena, kBlockRows, d_model_);
  const int64_t half = d_model_ / 2;
  for (int64_t i = 0; i < kBlockRows; ++i) {
    const float distance = static_cast<float>(block * kBlockRows + i - kMaxDistance);
    for (int64_t m = 0; m < half; ++m) {
      const float angle = distance * frequencies_[static_cast<size_t>(m)];
      waves.row(i)[m] = std::sin(angle);
      waves.row(i)[half + m] = std::cos(angle);
    }
  }
  const MatrixView projected = TakeMatrix(context.arena, kBlockRows, d_model_);
  for (int64_t layer = 0; layer < layers; ++layer) {
    projections_[static_cast<size_t>(layer)].Apply(waves, projected, context);
    for (int64_t i = 0; i < kBlockRows; ++i) {
      std::copy_n(projected.row(i), d_model_, rows.get() + (layer * kBlockRows + i) * d_model_);
    }
  }
  blocks_[static_cast<size_t>(block)].store(rows.get(), std::memory_order_release);
  owned_.push_back(std::move(rows));
}

}  // namespace heed
