// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/log_probabilities.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/naive.h"

namespace heed {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
const int64_t kCounts[] = {1, 2, 7, 8, 15, 16, 17, 100, 4095, 4096, 4097, 20'003};

TEST(LogProbabilities, SumsOfExponentialsAgree) {
  for (const int64_t count : kCounts) {
    std::vector<float> x = naive::RandomFloats(count, 1);
    for (float& value : x) value *= 10;
    double sum = 0;
    for (const float value : x) sum += std::exp(static_cast<double>(value));
    const float found = LogSumExp(x.data(), count);
    EXPECT_NEAR(found, std::log(sum), 1e-5) << count;
    EXPECT_LE(*std::max_element(x.begin(), x.end()), found);
  }
}

TEST(LogProbabilities, NoneIsAboveZeroWhateverTheSize) {
  // One word has nearly all: its log-probability is 0 or less, also as rounded.
  for (const float size : {1e-3f, 1.0f, 88.0f, 1e4f, 1e30f}) {
    const std::vector<float> x = {size, -size, size - 200 * size, 0};
    for (const float value : x) EXPECT_LE(value - LogSumExp(x.data(), 4), 0) << size;
  }
}

TEST(LogProbabilities, InfinitiesAndWhatIsNoNumber) {
  const std::vector<float> none = {kMinusInfinity, kMinusInfinity};
  EXPECT_EQ(LogSumExp(none.data(), 2), kMinusInfinity);
  const std::vector<float> one = {kMinusInfinity, 3};
  EXPECT_EQ(LogSumExp(one.data(), 2), 3);
  std::vector<float> bad(40, 1.0f);
  bad[37] = std::nanf("");
  EXPECT_TRUE(std::isnan(LogSumExp(bad.data(), 40)));
}

TEST(LogProbabilities, ShiftsAndCountsAgree) {
  for (const int64_t count : kCounts) {
    std::vector<float> x = naive::RandomFloats(count, 2);
    x[0] = kMinusInfinity;
    std::vector<float> shifted = x;
    ShiftRow(shifted.data(), count, 0.5f, -2.0f);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(shifted[i], (x[i] - 0.5f) + -2.0f);
    const float threshold = x[x.size() / 2];
    EXPECT_EQ(CountAbove(x.data(), count, threshold),
              std::count_if(x.begin(), x.end(), [&](float value) { return value > threshold; }));
  }
}

}  // namespace
}  // namespace heed
