// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/relative_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/relative_attention.cc"
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

// content . k + position . r of K keys, whose sums wait for each other's multiply-adds. The order of summation of a key
// does not depend on K.
template <int K>
HWY_INLINE void ScoreKeys(const float* HWY_RESTRICT content, const float* HWY_RESTRICT position,
                          const float* const* keys, const float* const* positions, int64_t offset, int64_t width,
                          float* HWY_RESTRICT scores) {
  const Floats d;
  Vector sum[K];
  HWY_UNROLL(4)
  for (int k = 0; k < K; ++k) sum[k] = hn::Zero(d);
  const int64_t whole = width / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vector c = hn::LoadU(d, content + i), p = hn::LoadU(d, position + i);
    HWY_UNROLL(4)
    for (int k = 0; k < K; ++k) {
      sum[k] = hn::MulAdd(c, hn::LoadU(d, keys[k] + offset + i), sum[k]);
      sum[k] = hn::MulAdd(p, hn::LoadU(d, positions[k] + offset + i), sum[k]);
    }
  }
  HWY_UNROLL(4)
  for (int k = 0; k < K; ++k) {
    float score = hn::GetLane(hn::SumOfLanes(d, sum[k]));
    for (int64_t i = whole; i < width; ++i) {
      score += content[i] * keys[k][offset + i];
      score += position[i] * positions[k][offset + i];
    }
    scores[k] = score;
  }
}

// scores = exp(scores - their maximum); returns their sum. Room for kLanes more values behind `count`.
HWY_INLINE float ExpOfScores(float* HWY_RESTRICT scores, int64_t count) {
  const Floats d;
  for (int64_t i = count; i < count + kLanes; ++i) scores[i] = -std::numeric_limits<float>::max();
  Vector maxima = hn::LoadU(d, scores);
  for (int64_t i = 0; i < count; i += kLanes) maxima = hn::Max(maxima, hn::LoadU(d, scores + i));
  const Vector max = hn::MaxOfLanes(d, maxima);
  Vector sums = hn::Zero(d);
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vector e = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + i), max));
    sums = hn::Add(sums, e);
    hn::StoreU(e, d, scores + i);
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

// to[0, V * kLanes) += sum_t weights[t] rows[t][offset, offset + V * kLanes)
template <int V>
HWY_INLINE void WeighVectors(const float* HWY_RESTRICT weights, const float* const* rows, int64_t offset, int64_t count,
                             float* HWY_RESTRICT to) {
  const Floats d;
  Vector sum[V];
  HWY_UNROLL(4)
  for (int v = 0; v < V; ++v) sum[v] = hn::LoadU(d, to + v * kLanes);
  for (int64_t t = 0; t < count; ++t) {
    const Vector weight = hn::Set(d, weights[t]);
    const float* HWY_RESTRICT row = rows[t] + offset;
    HWY_UNROLL(4)
    for (int v = 0; v < V; ++v) sum[v] = hn::MulAdd(weight, hn::LoadU(d, row + v * kLanes), sum[v]);
  }
  HWY_UNROLL(4)
  for (int v = 0; v < V; ++v) hn::StoreU(sum[v], d, to + v * kLanes);
}

HWY_INLINE void WeighValues(const float* HWY_RESTRICT weights, const float* const* rows, int64_t offset, int64_t count,
                            int64_t width, float* HWY_RESTRICT to) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= width; i += 4 * kLanes) WeighVectors<4>(weights, rows, offset + i, count, to + i);
  for (; i + kLanes <= width; i += kLanes) WeighVectors<1>(weights, rows, offset + i, count, to + i);
  for (; i < width; ++i) {
    for (int64_t t = 0; t < count; ++t) to[i] += weights[t] * rows[t][offset + i];
  }
}

// Scores of the keys [t, last) of one head.
HWY_INLINE void ScoreRange(const RelativeQuery& a, int64_t head, int64_t t, int64_t last) {
  for (; t + 4 <= last; t += 4) {
    ScoreKeys<4>(a.content + head, a.position + head, a.key_rows + t, a.position_rows + t, head, a.head_dim,
                 a.scratch + t);
  }
  for (; t < last; ++t) {
    ScoreKeys<1>(a.content + head, a.position + head, a.key_rows + t, a.position_rows + t, head, a.head_dim,
                 a.scratch + t);
  }
}

// Makes weights of head h's scores.
HWY_INLINE void Normalize(const RelativeQuery& a, int64_t h, float scale) {
  if (a.segments != nullptr) {
    for (int64_t t = 0; t < a.keys; ++t) a.scratch[t] += a.segments[2 * h + a.other_segment[t]];
  }
  for (int64_t t = 0; t < a.keys; ++t) a.scratch[t] *= scale;
  const float normalizer = 1.0f / ExpOfScores(a.scratch, a.keys);
  for (int64_t t = 0; t < a.keys; ++t) a.scratch[t] *= normalizer;
  if (a.mean_weights == nullptr) return;
  for (int64_t t = 0; t < a.keys; ++t) a.mean_weights[t] += a.scratch[t] / static_cast<float>(a.heads);
}

// Keys that all queries pass before the next ones: with their distances they fit into the second cache.
constexpr int64_t kKeysTogether = 256;

void AttendRelativeOnTarget(const RelativeQuery* queries, int64_t count) {
  const int64_t heads = queries[0].heads, head_dim = queries[0].head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  int64_t keys = 0;
  for (int64_t q = 0; q < count; ++q) {
    const RelativeQuery& a = queries[q];
    keys = std::max(keys, a.keys);
    std::fill(a.context, a.context + heads * head_dim, 0.0f);
    if (a.mean_weights != nullptr) std::fill(a.mean_weights, a.mean_weights + a.keys, 0.0f);
  }
  for (int64_t h = 0; h < heads; ++h) {
    const int64_t head = h * head_dim;
    for (int64_t t = 0; t < keys; t += kKeysTogether) {
      for (int64_t q = 0; q < count; ++q) ScoreRange(queries[q], head, t, std::min(t + kKeysTogether, queries[q].keys));
    }
    for (int64_t q = 0; q < count; ++q) Normalize(queries[q], h, scale);
    for (int64_t t = 0; t < keys; t += kKeysTogether) {
      for (int64_t q = 0; q < count; ++q) {
        const RelativeQuery& a = queries[q];
        const int64_t some = std::min(kKeysTogether, a.keys - t);
        if (some > 0) WeighValues(a.scratch + t, a.value_rows + t, head, some, head_dim, a.context + head);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(AttendRelativeOnTarget);

void AttendRelative(const RelativeQuery* queries, int64_t count) {
  if (count > 0) HWY_DYNAMIC_DISPATCH(AttendRelativeOnTarget)(queries, count);
}

}  // namespace heed
#endif
