// SPDX-License-Identifier: Apache-2.0
// Tables of the relative keys R(D) = W_r [sin(D f); cos(D f)] of every layer, head and distance (Dai et al. 2019,
// section 3.3), which depend on nothing that is read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "engine/linear/packed_product.h"

namespace heed {

// Of the distances from 0 to max_distance. Immutable.
struct PositionTable {
  int64_t max_distance = 0;
  // [layers * heads]: output i is R(max_distance - i), so that the keys of a stream have ascending outputs.
  std::vector<PackedPanels> heads;

  int64_t bytes() const;
};

// Thread-safe.
class RelativePositions {
 public:
  // `projections`: of each layer W_r [heads * head_dim, d_model]. `frequencies` [d_model / 2]: f. Distances beyond
  // `bound` are as `bound`. The table is made for distances up to `expected`; where `bound` is more, the projections
  // are kept and Table() makes a larger one on demand.
  RelativePositions(std::vector<PackedPanels> projections, std::vector<float> frequencies, int64_t heads, int64_t bound,
                    int64_t expected);

  // A table of the distances to `distance`, or to the bound if that is less.
  std::shared_ptr<const PositionTable> Table(int64_t distance) const;
  int64_t resident_bytes() const;

 private:
  std::shared_ptr<const PositionTable> Make(int64_t max_distance) const;

  std::vector<PackedPanels> projections_;
  std::vector<float> frequencies_;
  int64_t heads_ = 0;
  int64_t bound_ = 0;
  mutable Mutex mutex_;
  mutable std::shared_ptr<const PositionTable> table_ GUARDED_BY(mutex_);
};

// f_m = 1 / 10000^(2m / d_model), in float, as PyTorch computes it.
std::vector<float> PositionFrequencies(int64_t d_model);

}  // namespace heed
