// SPDX-License-Identifier: Apache-2.0
// The relative keys R(D) = r . [sin(D f); cos(D f)] of every layer and distance (Dai et al. 2019, section 3.3), on both
// sides: a key to the right has a negative distance. They depend on nothing that is read.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/linear/linear.h"

namespace heed {

// Made on demand, by blocks of distances, for the longest distance that was asked for. Thread-safe.
class XlnetPositions {
 public:
  static constexpr int64_t kMaxDistance = int64_t{1} << 24;

  // `projections`: of each layer r [d_model, d_model]. Distances beyond `clamp` on either side are as `clamp`; 0: none.
  XlnetPositions(std::vector<Linear> projections, int64_t d_model, int64_t clamp);

  // Makes what Row needs for the distances from `least` to `most`, which are at most kMaxDistance on either side.
  void Prepare(int64_t least, int64_t most, Context& context) const;
  // R(distance) of one layer, [d_model].
  const float* Row(int64_t layer, int64_t distance) const {
    const int64_t place = Clamped(distance) + kMaxDistance;
    const float* block = blocks_[static_cast<size_t>(place / kBlockRows)].load(std::memory_order_acquire);
    return block + (layer * kBlockRows + place % kBlockRows) * d_model_;
  }
  // Of the table for `distances` of them.
  int64_t TableBytes(int64_t distances) const;

 private:
  static constexpr int64_t kBlockRows = 128;
  static constexpr int64_t kBlocks = 2 * kMaxDistance / kBlockRows + 1;

  int64_t Clamped(int64_t distance) const { return clamp_ > 0 ? std::clamp(distance, -clamp_, clamp_) : distance; }
  void Make(int64_t block, Context& context) const REQUIRES(mutex_);

  const std::vector<Linear> projections_;
  const int64_t d_model_;
  const int64_t clamp_;
  std::vector<float> frequencies_;  // [d_model / 2]
  mutable Mutex mutex_;
  mutable std::vector<AlignedPointer<float>> owned_ GUARDED_BY(mutex_);
  mutable std::unique_ptr<std::atomic<const float*>[]> blocks_;  // [kBlocks]: [layers, kBlockRows, d_model] or null
  // Blocks [first, last) are there.
  mutable std::atomic<int64_t> first_{0}, last_{0};
};

}  // namespace heed
