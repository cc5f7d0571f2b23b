// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/scored_attention.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/scored_attention.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "engine/kernels/activation-inl.h"
#include "engine/kernels/load_first-inl.h"
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

HWY_INLINE float Dot(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t count) {
  const Floats d;
  Vector first = hn::Zero(d), second = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    first = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), first);
    second = hn::MulAdd(hn::LoadU(d, a + i + kLanes), hn::LoadU(d, b + i + kLanes), second);
  }
  for (; i + kLanes <= count; i += kLanes) first = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), first);
  float dot = SumOf(hn::Add(first, second));
  for (; i < count; ++i) dot += a[i] * b[i];
  return dot;
}

// scores = exp(scores - max), returns their sum. Room for kLanes more values behind `count`.
HWY_INLINE float ExpInPlace(float* HWY_RESTRICT scores, int64_t count) {
  const Floats d;
  for (int64_t i = count; i < count + kLanes; ++i) scores[i] = -std::numeric_limits<float>::max();
  Vector maxima = hn::LoadU(d, scores);
  for (int64_t i = 0; i < count; i += kLanes) maxima = hn::Max(maxima, hn::LoadU(d, scores + i));
  const Vector max = hn::Set(d, MaxOf(maxima));
  Vector sums = hn::Zero(d);
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vector e = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + i), max));
    sums = hn::Add(sums, e);
    hn::StoreU(e, d, scores + i);
  }
  return SumOf(sums);
}

// to[0, V * kLanes) = sum_t weights[t] rows[t][0, V * kLanes)
template <int V>
HWY_INLINE void WeightedSum(const float* HWY_RESTRICT weights, const float* const* rows, int64_t offset, int64_t count,
                            float* HWY_RESTRICT to) {
  const Floats d;
  Vector sum[V];
  HWY_UNROLL(4)
  for (int v = 0; v < V; ++v) sum[v] = hn::Zero(d);
  for (int64_t t = 0; t < count; ++t) {
    const Vector weight = hn::Set(d, weights[t]);
    const float* HWY_RESTRICT row = rows[t] + offset;
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) sum[v] = hn::MulAdd(weight, hn::LoadU(d, row + v * kLanes), sum[v]);
  }
  HWY_UNROLL(4)
  for (int v = 0; v < V; ++v) hn::StoreU(sum[v], d, to + v * kLanes);
}

// to[0, width) = sum_t weights[t] rows[t][0, width)
HWY_INLINE void SumOfValues(const float* HWY_RESTRICT weights, const float* const* rows, int64_t count, int64_t width,
                            float* HWY_RESTRICT to) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= width; i += 4 * kLanes) WeightedSum<4>(weights, rows, i, count, to + i);
  for (; i + kLanes <= width; i += kLanes) WeightedSum<1>(weights, rows, i, count, to + i);
  for (; i < width; ++i) {
    float sum = 0;
    for (int64_t t = 0; t < count; ++t) sum += weights[t] * rows[t][i];
    to[i] = sum;
  }
}

// energy . tanh(query + key)
HWY_INLINE float AdditiveScore(const float* HWY_RESTRICT energy, const float* HWY_RESTRICT query,
                               const float* HWY_RESTRICT key, int64_t count) {
  const Floats d;
  Vector sum = hn::Zero(d);
  for (int64_t i = 0; i < count; i += kLanes) {
    const size_t here = static_cast<size_t>(std::min(kLanes, count - i));
    const auto load = [&](const float* from) HWY_ATTR { return LoadFirst(d, here, from + i); };
    sum = hn::MulAdd(load(energy), HyperbolicTangent(hn::Add(load(query), load(key))), sum);
  }
  return SumOf(sum);
}

void AttendByScoreOnTarget(const ScoredQuery& a) {
  for (int64_t t = 0; t < a.keys; ++t) {
    a.weights[t] = a.energy == nullptr ? Dot(a.query, a.key_rows[t], a.key_width)
                                       : AdditiveScore(a.energy, a.query, a.key_rows[t], a.key_width);
  }
  const float normalizer = 1.0f / ExpInPlace(a.weights, a.keys);
  for (int64_t t = 0; t < a.keys; ++t) a.weights[t] *= normalizer;
  SumOfValues(a.weights, a.value_rows, a.keys, a.value_width, a.context);
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(AttendByScoreOnTarget);

void AttendByScore(const ScoredQuery& attention) { HWY_DYNAMIC_DISPATCH(AttendByScoreOnTarget)(attention); }

}  // namespace heed
#endif
