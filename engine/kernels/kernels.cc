// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/kernels.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "engine/kernels/activation-inl.h"
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

// x[i] = function(x[i]), whole vectors at a time, the last one filled up.
template <typename Function>
HWY_INLINE void Map(float* HWY_RESTRICT x, int64_t count, Function function) {
  const Floats d;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(function(hn::LoadU(d, x + i)), d, x + i);
  if (i < count) {
    float rest[16] = {};
    std::copy(x + i, x + count, rest);
    hn::StoreU(function(hn::LoadU(d, rest)), d, rest);
    std::copy(rest, rest + (count - i), x + i);
  }
}

void ActivateOnTarget(Activation activation, float* HWY_RESTRICT x, int64_t count) {
  const Floats d;
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      Map(x, count, [&](Vector v) HWY_ATTR { return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Zero(d), v); });
      return;
    case Activation::kGelu:
      Map(x, count, [](Vector v) HWY_ATTR { return Gelu(v); });
      return;
    case Activation::kGeluTanh:
      Map(x, count, [&](Vector v) HWY_ATTR { return GeluByTanh(v); });
      return;
    case Activation::kSwish:
      Map(x, count, [](Vector v) HWY_ATTR { return Swish(v); });
      return;
    case Activation::kElu:
      Map(x, count, [&](Vector v) HWY_ATTR { return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Expm1(d, v), v); });
      return;
    case Activation::kTanh:
      Map(x, count, [&](Vector v) HWY_ATTR { return HyperbolicTangent(v); });
      return;
    case Activation::kSigmoid:
      Map(x, count, [](Vector v) HWY_ATTR { return Sigmoid(v); });
      return;
  }
}

void LstmCellOnTarget(const float* HWY_RESTRICT input, const float* HWY_RESTRICT recurrent, int64_t width,
                      float* HWY_RESTRICT hidden, float* HWY_RESTRICT cell) {
  const Floats d;
  for (int64_t i = 0; i < width; i += kLanes) {
    const auto inside = hn::FirstN(d, static_cast<size_t>(std::min(kLanes, width - i)));
    const auto gate = [&](int64_t which) HWY_ATTR {
      const Vector own = hn::MaskedLoad(inside, d, input + which * width + i);
      return recurrent == nullptr ? own : hn::Add(own, hn::MaskedLoad(inside, d, recurrent + which * width + i));
    };
    const Vector kept = hn::Mul(Sigmoid(gate(1)), hn::MaskedLoad(inside, d, cell + i));
    const Vector next = hn::MulAdd(Sigmoid(gate(0)), HyperbolicTangent(gate(2)), kept);
    hn::BlendedStore(next, inside, d, cell + i);
    hn::BlendedStore(hn::Mul(Sigmoid(gate(3)), HyperbolicTangent(next)), inside, d, hidden + i);
  }
}

void GruCellOnTarget(const float* HWY_RESTRICT input, const float* HWY_RESTRICT recurrent, int64_t width,
                     float* HWY_RESTRICT hidden) {
  const Floats d;
  for (int64_t i = 0; i < width; i += kLanes) {
    const auto inside = hn::FirstN(d, static_cast<size_t>(std::min(kLanes, width - i)));
    const auto of_input = [&](int64_t which) HWY_ATTR { return hn::MaskedLoad(inside, d, input + which * width + i); };
    const auto of_recurrent = [&](int64_t which)
                                  HWY_ATTR { return hn::MaskedLoad(inside, d, recurrent + which * width + i); };
    const Vector reset = Sigmoid(hn::Add(of_input(0), of_recurrent(0)));
    const Vector update = Sigmoid(hn::Add(of_input(1), of_recurrent(1)));
    const Vector candidate = HyperbolicTangent(hn::MulAdd(reset, of_recurrent(2), of_input(2)));
    const Vector before = hn::MaskedLoad(inside, d, hidden + i);
    // (1 - z) n + z h = n + z (h - n)
    hn::BlendedStore(hn::MulAdd(update, hn::Sub(before, candidate), candidate), inside, d, hidden + i);
  }
}

void LayerNormOnTarget(float* HWY_RESTRICT x, int64_t count, const float* HWY_RESTRICT scale,
                       const float* HWY_RESTRICT shift, float epsilon) {
  const Floats d;
  const int64_t whole = count / kLanes * kLanes;
  Vector sums = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += kLanes) sums = hn::Add(sums, hn::LoadU(d, x + i));
  float sum = SumOf(sums);
  for (int64_t i = whole; i < count; ++i) sum += x[i];
  const float mean = sum / static_cast<float>(count);

  const Vector means = hn::Set(d, mean);
  Vector squares = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vector centred = hn::Sub(hn::LoadU(d, x + i), means);
    squares = hn::MulAdd(centred, centred, squares);
  }
  float square = SumOf(squares);
  for (int64_t i = whole; i < count; ++i) square += (x[i] - mean) * (x[i] - mean);

  const float factor = 1.0f / std::sqrt(square / static_cast<float>(count) + epsilon);
  const Vector factors = hn::Set(d, factor);
  for (int64_t i = 0; i < whole; i += kLanes) {
    const Vector normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), means), factors);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, scale + i), hn::LoadU(d, shift + i)), d, x + i);
  }
  for (int64_t i = whole; i < count; ++i) x[i] = (x[i] - mean) * factor * scale[i] + shift[i];
}

void ScaleAndAddOnTarget(const float* HWY_RESTRICT from, float factor, const float* HWY_RESTRICT add,
                         float* HWY_RESTRICT to, int64_t count) {
  const Floats d;
  const Vector factors = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(hn::MulAdd(hn::LoadU(d, from + i), factors, hn::LoadU(d, add + i)), d, to + i);
  }
  for (; i < count; ++i) to[i] = from[i] * factor + add[i];
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

// to[0, width) = sum_t weights[t] rows[t][offset, offset + width)
HWY_INLINE void SumOfValues(const float* HWY_RESTRICT weights, const float* const* rows, int64_t offset, int64_t count,
                            int64_t width, float* HWY_RESTRICT to) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= width; i += 4 * kLanes) WeightedSum<4>(weights, rows, offset + i, count, to + i);
  for (; i + kLanes <= width; i += kLanes) WeightedSum<1>(weights, rows, offset + i, count, to + i);
  for (; i < width; ++i) {
    float sum = 0;
    for (int64_t t = 0; t < count; ++t) sum += weights[t] * rows[t][offset + i];
    to[i] = sum;
  }
}

void AttendOnTarget(const AttentionQuery& a) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(a.head_dim));
  if (a.mean_weights != nullptr) std::fill(a.mean_weights, a.mean_weights + a.keys, 0.0f);
  for (int64_t h = 0; h < a.heads; ++h) {
    const int64_t head = h * a.head_dim;
    for (int64_t t = 0; t < a.keys; ++t) {
      a.scratch[t] = Dot(a.query + head, a.key_rows[t] + head, a.head_dim) * scale;
    }
    const float normalizer = 1.0f / ExpInPlace(a.scratch, a.keys);
    for (int64_t t = 0; t < a.keys; ++t) a.scratch[t] *= normalizer;
    SumOfValues(a.scratch, a.value_rows, head, a.keys, a.head_dim, a.context + head);
    if (a.mean_weights != nullptr) {
      for (int64_t t = 0; t < a.keys; ++t) a.mean_weights[t] += a.scratch[t] / static_cast<float>(a.heads);
    }
  }
}

// energy . tanh(query + key)
HWY_INLINE float AdditiveScore(const float* HWY_RESTRICT energy, const float* HWY_RESTRICT query,
                               const float* HWY_RESTRICT key, int64_t count) {
  const Floats d;
  Vector sum = hn::Zero(d);
  for (int64_t i = 0; i < count; i += kLanes) {
    const auto inside = hn::FirstN(d, static_cast<size_t>(std::min(kLanes, count - i)));
    const auto load = [&](const float* from) HWY_ATTR { return hn::MaskedLoad(inside, d, from + i); };
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
  SumOfValues(a.weights, a.value_rows, 0, a.keys, a.value_width, a.context);
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

HWY_EXPORT(ActivateOnTarget);
HWY_EXPORT(LayerNormOnTarget);
HWY_EXPORT(LstmCellOnTarget);
HWY_EXPORT(GruCellOnTarget);
HWY_EXPORT(ScaleAndAddOnTarget);
HWY_EXPORT(AttendOnTarget);
HWY_EXPORT(AttendByScoreOnTarget);
HWY_EXPORT(ReduceLogitsOnTarget);

void Activate(Activation activation, float* x, int64_t count) {
  HWY_DYNAMIC_DISPATCH(ActivateOnTarget)(activation, x, count);
}

void LayerNorm(float* x, int64_t count, const float* scale, const float* shift, float epsilon) {
  HWY_DYNAMIC_DISPATCH(LayerNormOnTarget)(x, count, scale, shift, epsilon);
}

void LstmCell(const float* input, const float* recurrent, int64_t width, float* hidden, float* cell) {
  HWY_DYNAMIC_DISPATCH(LstmCellOnTarget)(input, recurrent, width, hidden, cell);
}

void GruCell(const float* input, const float* recurrent, int64_t width, float* hidden) {
  HWY_DYNAMIC_DISPATCH(GruCellOnTarget)(input, recurrent, width, hidden);
}

void ScaleAndAdd(const float* from, float factor, const float* add, float* to, int64_t count) {
  HWY_DYNAMIC_DISPATCH(ScaleAndAddOnTarget)(from, factor, add, to, count);
}

void Attend(const AttentionQuery& attention) { HWY_DYNAMIC_DISPATCH(AttendOnTarget)(attention); }

void AttendByScore(const ScoredQuery& attention) { HWY_DYNAMIC_DISPATCH(AttendByScoreOnTarget)(attention); }

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
