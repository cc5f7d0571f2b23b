// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/quantized_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/linear/quantized_rows.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Returns the scale.
float QuantizeRowOnTarget(const float* HWY_RESTRICT x, int64_t in, int64_t depth, uint8_t* HWY_RESTRICT to) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<int16_t, decltype(d)> d16;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(d));
  const int64_t whole = in / kLanes * kLanes;

  // Of numbers without sign the order is that of their bits, and what is not a number stands above infinity.
  const auto magnitude = hn::Set(di, 0x7fffffff);
  auto maxima = hn::Zero(di);
  for (int64_t k = 0; k < whole; k += kLanes) {
    maxima = hn::Max(maxima, hn::And(hn::BitCast(di, hn::LoadU(d, x + k)), magnitude));
  }
  int32_t max_bits = hn::GetLane(hn::MaxOfLanes(di, maxima));
  for (int64_t k = whole; k < in; ++k) {
    int32_t bits;
    std::memcpy(&bits, x + k, sizeof(bits));
    max_bits = std::max(max_bits, bits & 0x7fffffff);
  }
  float largest;
  std::memcpy(&largest, &max_bits, sizeof(largest));

  const float inverse = 127.0f / largest;
  if (!std::isfinite(largest) || !std::isfinite(inverse)) {
    // Zeros, or so small that they are nothing beside any bias; or a row without an answer.
    std::memset(to, 128, static_cast<size_t>(depth));
    return std::isfinite(largest) ? 0.0f : std::numeric_limits<float>::quiet_NaN();
  }
  const auto factor = hn::Set(d, inverse);
  const auto shift = hn::Set(di, 128);
  for (int64_t k = 0; k < whole; k += kLanes) {
    const auto q = hn::Add(hn::NearestInt(hn::Mul(hn::LoadU(d, x + k), factor)), shift);
    hn::StoreU(hn::DemoteTo(d8, hn::DemoteTo(d16, q)), d8, to + k);
  }
  for (int64_t k = whole; k < in; ++k) to[k] = static_cast<uint8_t>(std::nearbyint(x[k] * inverse) + 128.0f);
  std::memset(to + in, 128, static_cast<size_t>(depth - in));
  return largest / 127.0f;
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(QuantizeRowOnTarget);

QuantizedRows TakeQuantizedRows(Arena& arena, int64_t rows, int64_t in) {
  const int64_t depth = (in + 63) / 64 * 64;
  // An odd number of cache lines apart, as PaddedStride says.
  const int64_t stride = depth % 128 == 0 ? depth + 64 : depth;
  return {arena.Take<uint8_t>(static_cast<size_t>(rows * stride)), arena.Take<float>(static_cast<size_t>(rows)), rows,
          depth, stride};
}

void QuantizeRows(ConstMatrixView x, int64_t first, int64_t last, const QuantizedRows& to) {
  for (int64_t m = first; m < last; ++m) {
    to.scales[m] = HWY_DYNAMIC_DISPATCH(QuantizeRowOnTarget)(x.row(m), x.cols, to.depth, to.values + m * to.stride);
  }
}

QuantizedRows Quantized(ConstMatrixView x, Context& context) {
  const QuantizedRows rows = TakeQuantizedRows(context.arena, x.rows, x.cols);
  RunRows(context.team, x.rows, x.cols, [&](int64_t first, int64_t last) { QuantizeRows(x, first, last, rows); });
  return rows;
}

}  // namespace heed
#endif
