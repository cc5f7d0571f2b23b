// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/logits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "engine/kernels/sum_in_pairs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/logits.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "engine/kernels/load_first-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
constexpr int64_t kPartialSums = 16;
constexpr int64_t kVectors = kPartialSums / kLanes;  // that hold the partial sums
constexpr int64_t kGroups = 4 * kLanes;              // of logits, each with a maximum of its own
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// x[i] and those behind it, up to `count`, filled up with -infinity.
HWY_INLINE Vector LoadUpTo(const float* HWY_RESTRICT x, int64_t i, int64_t count) {
  const Floats d;
  if (i + kLanes <= count) return hn::LoadU(d, x + i);
  const size_t here = static_cast<size_t>(std::max<int64_t>(0, count - i));
  return hn::IfThenElse(hn::FirstN(d, here), LoadFirst(d, here, x + i), hn::Set(d, -kInfinity));
}

// exp(x - max), for an x of at most max; as if x were no less than max - 87.
//   exp(t) = 2^n 2^f,  n = round(t log2 e),  f = t log2 e - n
// 2^f is a minimax polynomial with 2^0 = 1. The error is 2e-7 of the result, and 1e-8 |t| of it because log2 e is
// rounded: nothing in a sum that has a term of 1.
HWY_INLINE Vector ExpOfDifference(Vector x, Vector max) {
  const Floats d;
  const hn::RebindToSigned<Floats> integers;
  const Vector t = hn::Max(hn::Sub(x, max), hn::Set(d, -87.0f));
  const Vector log2_e = hn::Set(d, 1.44269504088896341f);
  // Of such a number the lowest bits are its whole part.
  const Vector shift = hn::Set(d, 0x1.8p23f);
  const Vector shifted = hn::MulAdd(t, log2_e, shift);
  const Vector f = hn::MulSub(t, log2_e, hn::Sub(shifted, shift));
  Vector power = hn::Set(d, 0x1.5bba14p-10f);
  power = hn::MulAdd(power, f, hn::Set(d, 0x1.3cea88p-7f));
  power = hn::MulAdd(power, f, hn::Set(d, 0x1.c6b752p-5f));
  power = hn::MulAdd(power, f, hn::Set(d, 0x1.ebf9bcp-3f));
  power = hn::MulAdd(power, f, hn::Set(d, 0x1.62e42ap-1f));
  power = hn::MulAdd(power, f, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(integers, shifted));
  return hn::BitCast(d, hn::Add(hn::BitCast(integers, power), exponent));
}

// The sum of 16 partial sums, in one order.
HWY_INLINE float SumOf(const Vector* sums) {
  const Floats d;
  float lanes[kPartialSums];
  for (int64_t v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, lanes + v * kLanes);
  return SumInPairs(lanes);
}

// The largest number of each group of logits, and whether they are all numbers.
struct Maxima {
  Vector of_group[4];
  bool ordered;

  HWY_INLINE float Max() const {
    const Floats d;
    const Vector low = hn::Max(of_group[0], of_group[1]), high = hn::Max(of_group[2], of_group[3]);
    return hn::GetLane(hn::MaxOfLanes(d, hn::Max(low, high)));
  }
};

HWY_INLINE Maxima MaximaOf(const float* HWY_RESTRICT logits, int64_t count) {
  const Floats d;
  Vector first = hn::Set(d, -kInfinity), second = first, third = first, fourth = first;
  auto unordered = hn::FirstN(d, 0);
  const auto take = [&](Vector v, Vector& maxima) HWY_ATTR {
    unordered = hn::Or(unordered, hn::IsNaN(v));
    maxima = hn::Max(maxima, v);
  };
  int64_t i = 0;
  for (; i + kGroups <= count; i += kGroups) {
    take(hn::LoadU(d, logits + i), first);
    take(hn::LoadU(d, logits + i + kLanes), second);
    take(hn::LoadU(d, logits + i + 2 * kLanes), third);
    take(hn::LoadU(d, logits + i + 3 * kLanes), fourth);
  }
  for (; i < count; i += kLanes) take(LoadUpTo(logits, i, count), first);
  return {{first, second, third, fourth}, hn::AllFalse(d, unordered)};
}

// A floor for the `best` best: if so many groups have a larger maximum than a logit, it is not one of them.
HWY_INLINE float FloorOf(const Maxima& maxima, float floor, int best) {
  const Floats d;
  if (best == 1) return std::max(floor, maxima.Max());
  float above[kGroups];
  int count = 0;
  for (const Vector& group : maxima.of_group) {
    if (hn::AllFalse(d, hn::Gt(group, hn::Set(d, floor)))) continue;
    float lanes[kLanes];
    hn::StoreU(group, d, lanes);
    for (const float max : lanes) {
      if (max > floor) above[count++] = max;
    }
  }
  if (count < best) return floor;
  std::nth_element(above, above + best - 1, above + count, std::greater<>());
  return above[best - 1];
}

HWY_INLINE void Offer(const float* HWY_RESTRICT logits, int64_t count, int32_t first_id, float floor,
                      const Maxima& maxima, BestCandidates& best) {
  const Floats d;
  if (best.capacity == 0) return;
  // What is -infinity is below the lowest number.
  floor = std::max({floor, best.floor(), std::numeric_limits<float>::lowest()});
  if (maxima.Max() < floor) return;
  floor = FloorOf(maxima, floor, best.capacity);
  for (int64_t i = 0; i < count; i += kLanes) {
    const auto passes = hn::Ge(LoadUpTo(logits, i, count), hn::Set(d, floor));
    if (hn::AllFalse(d, passes)) continue;
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, passes, bytes);
    for (uint32_t bits = bytes[0] | uint32_t{bytes[1]} << 8; bits != 0; bits &= bits - 1) {
      const int64_t at = i + __builtin_ctz(bits);
      best.Offer({logits[at], first_id + static_cast<int32_t>(at)});
    }
    floor = std::max(floor, best.floor());
  }
}

ExpSum OfferLogitsOnTarget(const float* HWY_RESTRICT logits, int64_t count, int32_t first_id, float floor,
                           BestCandidates& best) {
  const Maxima maxima = MaximaOf(logits, count);
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  if (!maxima.ordered) {
    // Some of the maxima are not numbers. This happens once, before somebody reports damaged weights.
    for (int64_t i = 0; i < count; ++i) {
      if (best.capacity > 0 && logits[i] > -kInfinity) best.Offer({logits[i], first_id + static_cast<int32_t>(i)});
    }
    return {kNone, kNone};
  }
  Offer(logits, count, first_id, floor, maxima, best);
  const float max = maxima.Max();
  return max == kInfinity ? ExpSum{kNone, kNone} : ExpSum{max, 0};
}

ExpSum ReduceLogitsOnTarget(const float* HWY_RESTRICT logits, int64_t count, int32_t first_id, float floor,
                            BestCandidates& best) {
  const Floats d;
  const ExpSum offered = OfferLogitsOnTarget(logits, count, first_id, floor, best);
  if (std::isnan(offered.sum) || offered.max == -kInfinity) return offered;
  const Vector max = hn::Set(d, offered.max);
  Vector sums[kVectors];
  for (Vector& sum : sums) sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kPartialSums <= count; i += kPartialSums) {
    HWY_UNROLL(4)
    for (int64_t v = 0; v < kVectors; ++v) {
      sums[v] = hn::Add(sums[v], ExpOfDifference(hn::LoadU(d, logits + i + v * kLanes), max));
    }
  }
  for (int64_t v = 0; i < count; i += kLanes, ++v) {
    sums[v] = hn::Add(sums[v], ExpOfDifference(LoadUpTo(logits, i, count), max));
  }
  return {offered.max, SumOf(sums)};
}

ExpSum SumOfSumsOnTarget(const ExpSum* HWY_RESTRICT all, int64_t count) {
  const Floats d;
  float max = -kInfinity;
  bool ordered = true;
  for (int64_t i = 0; i < count; ++i) {
    max = std::max(max, all[i].max);
    ordered = ordered && all[i].max < kInfinity && !std::isnan(all[i].sum);  // a max that is not a number is not
  }
  if (!ordered || max == -kInfinity) return {max, ordered ? 0 : std::numeric_limits<float>::quiet_NaN()};
  const Vector maximum = hn::Set(d, max);
  Vector sums[kVectors];
  for (Vector& sum : sums) sum = hn::Zero(d);
  for (int64_t i = 0; i < count; i += kPartialSums) {
    ExpSum rest[kPartialSums];
    const ExpSum* from = all + i;
    if (i + kPartialSums > count) {
      std::fill(rest, rest + kPartialSums, ExpSum{max, 0});
      std::copy(from, all + count, rest);
      from = rest;
    }
    for (int64_t v = 0; v < kVectors; ++v) {
      Vector maxima, parts;
      hn::LoadInterleaved2(d, reinterpret_cast<const float*>(from + v * kLanes), maxima, parts);
      sums[v] = hn::MulAdd(parts, ExpOfDifference(maxima, maximum), sums[v]);
    }
  }
  return {max, SumOf(sums)};
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(ReduceLogitsOnTarget);
HWY_EXPORT(OfferLogitsOnTarget);
HWY_EXPORT(SumOfSumsOnTarget);

void BestCandidates::Offer(Candidate candidate) {
  if (count == capacity) {
    if (!Better(candidate, best[count - 1])) return;
    --count;
  }
  int at = count++;
  for (; at > 0 && Better(candidate, best[at - 1]); --at) best[at] = best[at - 1];
  best[at] = candidate;
}

ExpSum ReduceLogits(const float* logits, int64_t count, int32_t first_id, float floor, BestCandidates& best) {
  return HWY_DYNAMIC_DISPATCH(ReduceLogitsOnTarget)(logits, count, first_id, floor, best);
}

ExpSum OfferLogits(const float* logits, int64_t count, int32_t first_id, float floor, BestCandidates& best) {
  return HWY_DYNAMIC_DISPATCH(OfferLogitsOnTarget)(logits, count, first_id, floor, best);
}

ExpSum SumOfSums(const ExpSum* sums, int64_t count) { return HWY_DYNAMIC_DISPATCH(SumOfSumsOnTarget)(sums, count); }

}  // namespace heed
#endif
