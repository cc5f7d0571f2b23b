// SPDX-License-Identifier: Apache-2.0
// Whether a program's memory grows, from readings of it.
#pragma once

#include <vector>

namespace heed::client {

struct MemoryReading {
  double seconds = 0;  // since the start of the measured time
  double bytes = 0;
};

// The median of the slopes between any two points (Theil and Sen): up to 29 % of the readings may be anything without
// moving it far. Bytes per second; 0 of fewer than two. Of many readings it takes the medians of 500 equal parts.
double MedianSlope(const std::vector<MemoryReading>& readings);

struct MemoryGrowth {
  double start = 0;  // the median of the first tenth of the readings
  double peak = 0;
  double end = 0;             // the median of the last tenth
  double grown = 0;           // over the second half: its slope times its length
  double bytes_per_hour = 0;  // that slope
};

// By time, over `seconds`. The first half is left to caches and the allocator, which grow to what the load needs.
MemoryGrowth MeasureGrowth(const std::vector<MemoryReading>& readings, double seconds);

}  // namespace heed::client
