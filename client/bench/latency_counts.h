// SPDX-License-Identifier: Apache-2.0
// Latencies of any number of requests in little memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace heed::client {

// Counts in buckets each of which is 2 % wider than the one before, from 1 us to about an hour. A value.
class LatencyCounts {
 public:
  void Add(double milliseconds);
  int64_t count() const { return count_; }
  // Nearest rank, as Percentile() of load_generator.h, but for the bucket's width: at most 2 % too high. 0 if there are
  // none.
  double Percentile(double percent) const;

 private:
  static constexpr size_t kBuckets = 1120;

  std::array<int64_t, kBuckets> counts_ = {};
  int64_t count_ = 0;
};

}  // namespace heed::client
