// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/memory_growth.h"

#include <gtest/gtest.h>

namespace heed::client {
namespace {

TEST(MedianSlope, IsThatOfALineWhateverAFifthOfTheReadingsSay) {
  std::vector<MemoryReading> readings;
  for (int i = 0; i < 100; ++i) readings.push_back({double(i), i % 5 == 3 ? 1e9 : 1000 + 7.0 * i});
  EXPECT_NEAR(MedianSlope(readings), 7, 0.5);
}

TEST(MedianSlope, OfManyReadingsIsThatOfAllOfThem) {
  std::vector<MemoryReading> readings;
  for (int i = 0; i < 100000; ++i) readings.push_back({double(i), 5.0 * i + i % 3});
  EXPECT_NEAR(MedianSlope(readings), 5, 0.01);
}

TEST(MedianSlope, IsNothingWithoutTwoReadings) {
  EXPECT_EQ(MedianSlope({}), 0);
  EXPECT_EQ(MedianSlope({{1, 5}}), 0);
  EXPECT_EQ(MedianSlope({{1, 5}, {1, 9}}), 0);
  EXPECT_EQ(MedianSlope({{1, 5}, {3, 9}}), 2);
}

TEST(MeasureGrowth, TheFirstHalfMayGrowAsItLikes) {
  std::vector<MemoryReading> readings;
  for (int i = 0; i <= 100; ++i) readings.push_back({double(i), i < 50 ? 1000.0 * i : 50000 + 2.0 * (i - 50)});
  readings[70].bytes = 90000;
  const MemoryGrowth growth = MeasureGrowth(readings, 100);
  EXPECT_EQ(growth.start, 4500);  // the median of ten
  EXPECT_EQ(growth.end, 50091);
  EXPECT_EQ(growth.peak, 90000);
  EXPECT_NEAR(growth.grown, 100, 1e-9);
  EXPECT_NEAR(growth.bytes_per_hour, 7200, 1e-9);
}

TEST(MeasureGrowth, OfNothingIsNothing) { EXPECT_EQ(MeasureGrowth({}, 60).grown, 0); }

}  // namespace
}  // namespace heed::client
