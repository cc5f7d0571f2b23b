// SPDX-License-Identifier: Apache-2.0
#include "client/bench/latency_counts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace heed::client {
namespace {

constexpr double kLeastMs = 1e-3;
const double kLogWidth = std::log(1.02);

}  // namespace

void LatencyCounts::Add(double milliseconds) {
  const double bucket = std::ceil(std::log(std::max(milliseconds, kLeastMs) / kLeastMs) / kLogWidth);
  ++counts_[std::min(static_cast<size_t>(bucket), kBuckets - 1)];
  ++count_;
}

double LatencyCounts::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<int64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  int64_t seen = 0;
  size_t bucket = 0;
  while (bucket + 1 < kBuckets && (seen += counts_[bucket]) < std::max<int64_t>(rank, 1)) ++bucket;
  return kLeastMs * std::exp(kLogWidth * static_cast<double>(bucket));
}

}  // namespace heed::client
