// SPDX-License-Identifier: Apache-2.0
// Functions of single numbers that kernels share, a vector at a time. Included once for each of Highway's targets.
//
// Highway's Exp is right up to 104 alone and turns what is not a number into 0: here exponents are bounded, and what is
// not a number stays so.
#if defined(HEED_ENGINE_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_ENGINE_ACTIVATION_INL_H_
#undef HEED_ENGINE_ACTIVATION_INL_H_
#else
#define HEED_ENGINE_ACTIVATION_INL_H_
#endif

#include "hwy/highway.h"
//
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {

template <class V>
HWY_INLINE V KeepNaN(V from, V to) {
  // Not Ne, which on some targets is false of two that are no numbers.
  return hwy::HWY_NAMESPACE::IfThenElse(hwy::HWY_NAMESPACE::Eq(from, from), to, from);
}

// 1 + exp(-v), for v of at least -88 as it is, below as for -88.
template <class V>
HWY_INLINE V OnePlusExpOfNegative(V v) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::DFromV<V> d;
  return hn::Add(hn::Set(d, 1.0f), hn::Exp(d, hn::Min(hn::Neg(v), hn::Set(d, 88.0f))));
}

template <class V>
HWY_INLINE V Sigmoid(V v) {
  namespace hn = hwy::HWY_NAMESPACE;
  return KeepNaN(v, hn::Div(hn::Set(hn::DFromV<V>(), 1.0f), OnePlusExpOfNegative(v)));
}

template <class V>
HWY_INLINE V Swish(V v) {
  return KeepNaN(v, hwy::HWY_NAMESPACE::Div(v, OnePlusExpOfNegative(v)));
}

template <class V>
HWY_INLINE V HyperbolicTangent(V v) {
  return KeepNaN(v, hwy::HWY_NAMESPACE::Tanh(hwy::HWY_NAMESPACE::DFromV<V>(), v));
}

// v Phi(v) = 0.5 v (1 + erf(z)), z = v / sqrt(2), to a few units in the last place of v. Near 0 erf(z) is z times a
// polynomial of z^2, elsewhere 1 - erf(|z|) is exp(-z^2) times one of 1 / (1 + |z| / 2): Chebyshev fits, whose error is
// below 5e-8.
template <class V>
HWY_INLINE V Gelu(V v) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::DFromV<V> d;
  const V z = hn::Mul(v, hn::Set(d, 0.70710678118654752f));
  const V square = hn::Mul(z, z), one = hn::Set(d, 1.0f);
  V near = hn::Set(d, 7.882496720412746e-05f);
  near = hn::MulAdd(near, square, hn::Set(d, -0.0008018855005502701f));
  near = hn::MulAdd(near, square, hn::Set(d, 0.005189312156289816f));
  near = hn::MulAdd(near, square, hn::Set(d, -0.02685432881116867f));
  near = hn::MulAdd(near, square, hn::Set(d, 0.11283597350120544f));
  near = hn::MulAdd(near, square, hn::Set(d, -0.3761262595653534f));
  near = hn::MulAdd(near, square, hn::Set(d, 1.1283791065216064f));
  const V t = hn::Div(one, hn::MulAdd(hn::Abs(z), hn::Set(d, 0.5f), one));
  V tail = hn::Set(d, 0.11897378414869308f);
  tail = hn::MulAdd(tail, t, hn::Set(d, -0.4698941111564636f));
  tail = hn::MulAdd(tail, t, hn::Set(d, 0.5613223314285278f));
  tail = hn::MulAdd(tail, t, hn::Set(d, -0.10200098901987076f));
  tail = hn::MulAdd(tail, t, hn::Set(d, 0.34700337052345276f));
  tail = hn::MulAdd(tail, t, hn::Set(d, 0.25992560386657715f));
  tail = hn::MulAdd(tail, t, hn::Set(d, 0.28487324714660645f));
  tail = hn::MulAdd(tail, t, hn::Set(d, -0.0001514100149506703f));
  tail = hn::Mul(tail, hn::Exp(d, hn::Neg(hn::Min(square, hn::Set(d, 87.0f)))));
  const V far = hn::IfThenElse(hn::Lt(z, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 2.0f), tail));
  const V twice_phi = hn::IfThenElse(hn::Lt(square, one), hn::MulAdd(z, near, one), far);
  return KeepNaN(v, hn::Mul(hn::Mul(hn::Set(d, 0.5f), v), twice_phi));
}

// 0.5 v (1 + tanh(sqrt(2 / pi) (v + 0.044715 v^3))) (Hendrycks and Gimpel 2016)
template <class V>
HWY_INLINE V GeluByTanh(V v) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::DFromV<V> d;
  const V cubic = hn::MulAdd(hn::Mul(hn::Set(d, 0.044715f), hn::Mul(v, v)), v, v);
  const V tangent = HyperbolicTangent(hn::Mul(hn::Set(d, 0.79788456080286536f), cubic));
  return hn::Mul(hn::Mul(hn::Set(d, 0.5f), v), hn::Add(hn::Set(d, 1.0f), tangent));
}

// For v of at most 0.
template <class V>
HWY_INLINE V ExpOfNegative(V v) {
  return KeepNaN(v, hwy::HWY_NAMESPACE::Exp(hwy::HWY_NAMESPACE::DFromV<V>(), v));
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#endif
