// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/kernels.h"

#include <algorithm>
#include <cmath>

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
