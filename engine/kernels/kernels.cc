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
