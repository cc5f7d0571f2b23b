// SPDX-License-Identifier: Apache-2.0
#include "client/bench/latency_counts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "client/bench/load_generator.h"

namespace heed::client {
namespace {

TEST(LatencyCounts, PercentilesAreThoseOfAllValuesButForTwoPercent) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> draw(1, 2);
  LatencyCounts counts;
  std::vector<double> all;
  for (int i = 0; i < 20000; ++i) {
    all.push_back(draw(random));
    counts.Add(all.back());
  }
  std::sort(all.begin(), all.end());
  for (const double percent : {0.1, 1.0, 50.0, 90.0, 99.0, 100.0}) {
    const double exact = Percentile(all, percent);
    EXPECT_GE(counts.Percentile(percent), exact * 0.9999) << percent;
    EXPECT_LE(counts.Percentile(percent), exact * 1.0201) << percent;
  }
  EXPECT_EQ(counts.count(), 20000);
}

TEST(LatencyCounts, HoldsTheSmallestAndTheLargest) {
  LatencyCounts counts;
  EXPECT_EQ(counts.Percentile(50), 0);
  counts.Add(0);
  EXPECT_NEAR(counts.Percentile(50), 0.001, 1e-9);
  counts.Add(1e30);
  EXPECT_GT(counts.Percentile(100), 3.6e6);  // an hour
}

}  // namespace
}  // namespace heed::client
