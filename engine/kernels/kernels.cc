// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/kernels.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/sum_in_pairs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/kernels.cc"
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
    const size_t here = static_cast<size_t>(std::min(kLanes, width - i));
    const auto inside = hn::FirstN(d, here);
    const auto gate = [&](int64_t which) HWY_ATTR {
      const Vector own = LoadFirst(d, here, input + which * width + i);
      return recurrent == nullptr ? own : hn::Add(own, LoadFirst(d, here, recurrent + which * width + i));
    };
    const Vector kept = hn::Mul(Sigmoid(gate(1)), LoadFirst(d, here, cell + i));
    const Vector next = hn::MulAdd(Sigmoid(gate(0)), HyperbolicTangent(gate(2)), kept);
    hn::BlendedStore(next, inside, d, cell + i);
    hn::BlendedStore(hn::Mul(Sigmoid(gate(3)), HyperbolicTangent(next)), inside, d, hidden + i);
  }
}

void GruCellOnTarget(const float* HWY_RESTRICT input, const float* HWY_RESTRICT recurrent, int64_t width,
                     float* HWY_RESTRICT hidden) {
  const Floats d;
  for (int64_t i = 0; i < width; i += kLanes) {
    const size_t here = static_cast<size_t>(std::min(kLanes, width - i));
    const auto inside = hn::FirstN(d, here);
    const auto of_input = [&](int64_t which) HWY_ATTR { return LoadFirst(d, here, input + which * width + i); };
    const auto of_recurrent = [&](int64_t which) HWY_ATTR { return LoadFirst(d, here, recurrent + which * width + i); };
    const Vector reset = Sigmoid(hn::Add(of_input(0), of_recurrent(0)));
    const Vector update = Sigmoid(hn::Add(of_input(1), of_recurrent(1)));
    const Vector candidate = HyperbolicTangent(hn::MulAdd(reset, of_recurrent(2), of_input(2)));
    const Vector before = LoadFirst(d, here, hidden + i);
    // (1 - z) n + z h = n + z (h - n)
    hn::BlendedStore(hn::MulAdd(update, hn::Sub(before, candidate), candidate), inside, d, hidden + i);
  }
}

// The sum of term(v) over v = x[i, i + kLanes) of whole vectors, in 16 lanes; the last of x filled up with `filling`,
// whose term is 0.
template <typename Term>
HWY_INLINE float SumOfTerms(const float* HWY_RESTRICT x, int64_t count, float filling, Term term) {
  const Floats d;
  constexpr int kVectors = static_cast<int>(16 / kLanes);
  Vector sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  const int64_t whole = count / 16 * 16;
  for (int64_t i = 0; i < whole; i += 16) {
    for (int v = 0; v < kVectors; ++v) sums[v] = term(hn::LoadU(d, x + i + v * kLanes), sums[v]);
  }
  if (whole < count) {
    float rest[16];
    std::fill(std::copy(x + whole, x + count, rest), rest + 16, filling);
    for (int v = 0; v < kVectors; ++v) sums[v] = term(hn::LoadU(d, rest + v * kLanes), sums[v]);
  }
  float lanes[16];
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, lanes + v * kLanes);
  return SumInPairs(lanes);
}

void LayerNormOnTarget(float* HWY_RESTRICT x, int64_t count, const float* HWY_RESTRICT scale,
                       const float* HWY_RESTRICT shift, float epsilon) {
  const Floats d;
  const float sum = SumOfTerms(x, count, 0, [](Vector v, Vector sums) HWY_ATTR { return hn::Add(sums, v); });
  const float mean = sum / static_cast<float>(count);
  const Vector means = hn::Set(d, mean);
  const float square = SumOfTerms(x, count, mean, [&](Vector v, Vector sums) HWY_ATTR {
    const Vector centered = hn::Sub(v, means);
    return hn::MulAdd(centered, centered, sums);
  });
  const Vector factors = hn::Set(d, 1.0f / std::sqrt(square / static_cast<float>(count) + epsilon));
  for (int64_t i = 0; i < count; i += kLanes) {
    const size_t here = static_cast<size_t>(std::min(kLanes, count - i));
    const auto inside = hn::FirstN(d, here);
    const Vector normal = hn::Mul(hn::Sub(LoadFirst(d, here, x + i), means), factors);
    hn::BlendedStore(hn::MulAdd(normal, LoadFirst(d, here, scale + i), LoadFirst(d, here, shift + i)), inside, d,
                     x + i);
  }
}

void ScaleAndAddOnTarget(const float* HWY_RESTRICT from, float factor, const float* HWY_RESTRICT add,
                         float* HWY_RESTRICT to, int64_t count) {
  const Floats d;
  const Vector factors = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    hn::StoreU(hn::MulAdd(hn::LoadU(d, from + i), factors, hn::LoadU(d, add + i)), d, to + i);
  }
  for (; i < count; ++i) to[i] = std::fma(from[i], factor, add[i]);
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

}  // namespace heed
#endif
