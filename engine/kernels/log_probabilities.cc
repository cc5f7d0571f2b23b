// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/log_probabilities.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/log_probabilities.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "engine/kernels/load_first-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));

// The vector of x[i] and those behind it, up to `count`, filled up with `rest`.
HWY_INLINE Vector LoadUpTo(const float* HWY_RESTRICT x, int64_t i, int64_t count, float rest) {
  const Floats d;
  if (i + kLanes <= count) return hn::LoadU(d, x + i);
  const size_t here = static_cast<size_t>(count - i);
  return hn::IfThenElse(hn::FirstN(d, here), LoadFirst(d, here, x + i), hn::Set(d, rest));
}

float LogSumExpOnTarget(const float* HWY_RESTRICT x, int64_t count) {
  const Floats d;
  // Sums of so many exponentials, in 4 x kLanes partial sums, are added up in double.
  constexpr int64_t kPartialSums = 4096;
  const float lowest = -std::numeric_limits<float>::infinity();
  Vector maxima = hn::Set(d, lowest);
  auto unordered = hn::FirstN(d, 0);
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vector v = LoadUpTo(x, i, count, lowest);
    maxima = hn::Max(maxima, v);
    unordered = hn::Or(unordered, hn::IsNaN(v));
  }
  if (!hn::AllFalse(d, unordered)) return std::numeric_limits<float>::quiet_NaN();
  const float max = hn::GetLane(hn::MaxOfLanes(d, maxima));
  if (std::isinf(max)) return max;
  const Vector maximum = hn::Set(d, max);
  double sum = 0;
  for (int64_t first = 0; first < count; first += kPartialSums) {
    const int64_t last = std::min(first + kPartialSums, count);
    Vector sums = hn::Zero(d);
    for (int64_t i = first; i < last; i += kLanes) {
      // What is filled in behind the end becomes exp(-infinity) = 0.
      sums = hn::Add(sums, hn::Exp(d, hn::Max(hn::Sub(LoadUpTo(x, i, last, lowest), maximum),
                                              hn::Set(d, std::numeric_limits<float>::lowest()))));
    }
    sum += hn::GetLane(hn::SumOfLanes(d, sums));
  }
  // The largest adds exp(0) = 1, so that the logarithm is at least 0.
  return max + static_cast<float>(std::log(std::max(sum, 1.0)));
}

void ShiftRowOnTarget(float* HWY_RESTRICT x, int64_t count, float subtract, float add) {
  const Floats d;
  const Vector less = hn::Set(d, subtract), more = hn::Set(d, add);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(hn::Add(hn::Sub(hn::LoadU(d, x + i), less), more), d, x + i);
  for (; i < count; ++i) x[i] = (x[i] - subtract) + add;
}

int64_t CountAboveOnTarget(const float* HWY_RESTRICT x, int64_t count, float threshold) {
  const Floats d;
  const Vector limit = hn::Set(d, threshold);
  int64_t above = 0;
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vector v = LoadUpTo(x, i, count, -std::numeric_limits<float>::infinity());
    above += static_cast<int64_t>(hn::CountTrue(d, hn::Gt(v, limit)));
  }
  return above;
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(LogSumExpOnTarget);
HWY_EXPORT(ShiftRowOnTarget);
HWY_EXPORT(CountAboveOnTarget);

float LogSumExp(const float* x, int64_t count) { return HWY_DYNAMIC_DISPATCH(LogSumExpOnTarget)(x, count); }

void ShiftRow(float* x, int64_t count, float subtract, float add) {
  HWY_DYNAMIC_DISPATCH(ShiftRowOnTarget)(x, count, subtract, add);
}

int64_t CountAbove(const float* x, int64_t count, float threshold) {
  return HWY_DYNAMIC_DISPATCH(CountAboveOnTarget)(x, count, threshold);
}

}  // namespace heed
#endif
