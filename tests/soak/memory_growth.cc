// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/memory_growth.h"

#include <algorithm>
#include <cstddef>

namespace heed::client {
namespace {

constexpr size_t kMaxPoints = 500;

// 0 of none.
double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const size_t half = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half), values.end());
  const double upper = values[half];
  if (values.size() % 2 == 1) return upper;
  return (upper + *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half))) / 2;
}

double MedianBytes(const std::vector<MemoryReading>& readings, size_t begin, size_t end) {
  std::vector<double> bytes;
  for (size_t i = begin; i < end; ++i) bytes.push_back(readings[i].bytes);
  return Median(std::move(bytes));
}

// At most kMaxPoints of them.
std::vector<MemoryReading> Thinned(const std::vector<MemoryReading>& readings) {
  if (readings.size() <= kMaxPoints) return readings;
  std::vector<MemoryReading> thinned;
  for (size_t part = 0; part < kMaxPoints; ++part) {
    const size_t begin = part * readings.size() / kMaxPoints;
    const size_t end = (part + 1) * readings.size() / kMaxPoints;
    thinned.push_back({readings[(begin + end) / 2].seconds, MedianBytes(readings, begin, end)});
  }
  return thinned;
}

}  // namespace

double MedianSlope(const std::vector<MemoryReading>& readings) {
  const std::vector<MemoryReading> points = Thinned(readings);
  std::vector<double> slopes;
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = i + 1; j < points.size(); ++j) {
      const double seconds = points[j].seconds - points[i].seconds;
      if (seconds > 0) slopes.push_back((points[j].bytes - points[i].bytes) / seconds);
    }
  }
  return Median(std::move(slopes));
}

MemoryGrowth MeasureGrowth(const std::vector<MemoryReading>& readings, double seconds) {
  MemoryGrowth growth;
  if (readings.empty()) return growth;
  const size_t tenth = std::max<size_t>(1, readings.size() / 10);
  growth.start = MedianBytes(readings, 0, tenth);
  growth.end = MedianBytes(readings, readings.size() - tenth, readings.size());
  std::vector<MemoryReading> second_half;
  for (const MemoryReading& reading : readings) {
    growth.peak = std::max(growth.peak, reading.bytes);
    if (reading.seconds >= seconds / 2) second_half.push_back(reading);
  }
  const double slope = MedianSlope(second_half);
  growth.grown = slope * seconds / 2;
  growth.bytes_per_hour = slope * 3600;
  return growth;
}

}  // namespace heed::client
