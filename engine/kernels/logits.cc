// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/logits.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));

HWY_INLINE float SumOf(Vector v) {
  const Floats d;
  return hn::GetLane(hn::SumOfLanes(d, v));
}

HWY_INLINE float MaxOf(Vector v) {
  const Floats d;
  return hn::GetLane(hn::MaxOfLanes(d, v));
}

ExpSum ReduceLogitsOnTarget(const float* HWY_RESTRICT logits, int64_t count, int32_t first_id, BestCandidates& best) {
  const Floats d;
  const int64_t whole = count / kLanes * kLanes;
  const float infinity = std::numeric_limits<float>::infinity();

  Vector maxima = hn::Set(d, -infinity);
  for (int64_t i = 0; i < whole; i += kLanes) maxima = hn::Max(maxima, hn::LoadU(d, logits + i));
  float max = MaxOf(maxima);
  for (int64_t i = whole; i < count; ++i) max = std::max(max, logits[i]);

  // Few blocks of logits hold one that is good enough; a vector comparison passes over the others.
  float worst = best.count < best.capacity ? -infinity : best.best[best.capacity - 1].logit;
  if (max > worst) {
    for (int64_t i = 0; i < count; i += kLanes) {
      if (i < whole && hn::AllFalse(d, hn::Gt(hn::LoadU(d, logits + i), hn::Set(d, worst)))) continue;
      for (int64_t j = i; j < std::min(i + kLanes, count); ++j) {
        if (logits[j] > worst) {
          best.Offer({logits[j], first_id + static_cast<int32_t>(j)});
          if (best.count == best.capacity) worst = best.best[best.capacity - 1].logit;
        }
      }
    }
  }

  // Comparisons pass over what is not a number; the sum must not.
  Vector totals = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += kLanes) totals = hn::Add(totals, hn::LoadU(d, logits + i));
  float total = SumOf(totals);
  for (int64_t i = whole; i < count; ++i) total += logits[i];
  if (std::isnan(total)) return {max, total};
  if (max == -infinity) return {max, 0};
  const Vector maximum = hn::Set(d, max);
  Vector sums = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += kLanes) {
    sums = hn::Add(sums, hn::Exp(d, hn::Sub(hn::LoadU(d, logits + i), maximum)));
  }
  float sum = SumOf(sums);
  for (int64_t i = whole; i < count; ++i) sum += std::exp(logits[i] - max);
  return {max, sum};
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(ReduceLogitsOnTarget);

void BestCandidates::Offer(Candidate candidate) {
  if (count == capacity) {
    if (!Better(candidate, best[count - 1])) return;
    --count;
  }
  int at = count++;
  for (; at > 0 && Better(candidate, best[at - 1]); --at) best[at] = best[at - 1];
  best[at] = candidate;
}

ExpSum ReduceLogits(const float* logits, int64_t count, int32_t first_id, BestCandidates& best) {
  return HWY_DYNAMIC_DISPATCH(ReduceLogitsOnTarget)(logits, count, first_id, best);
}

}  // namespace heed
#endif
