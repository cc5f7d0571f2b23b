// SPDX-License-Identifier: Apache-2.0
// Part of a vector from memory. Included once for each of Highway's targets.
#if defined(HEED_ENGINE_LOAD_FIRST_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_ENGINE_LOAD_FIRST_INL_H_
#undef HEED_ENGINE_LOAD_FIRST_INL_H_
#else
#define HEED_ENGINE_LOAD_FIRST_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {

// The first `count` numbers at `from`, at most a vector, and zeros behind them. Reads no others, and needs no
// alignment: Highway's MaskedLoad reads a whole aligned vector where the machine has no masked loads.
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> LoadFirst(D d, size_t count, const float* from) {
  namespace hn = hwy::HWY_NAMESPACE;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, count), d, from);
#else
  if (count >= hn::Lanes(d)) return hn::LoadU(d, from);
  alignas(64) float rest[hn::MaxLanes(d)] = {};
  std::copy(from, from + count, rest);
  return hn::Load(d, rest);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#endif
