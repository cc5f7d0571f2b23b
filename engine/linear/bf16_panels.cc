// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/bf16_panels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/linear/bf16_panels.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// What is not a number stays so.
void RoundToBf16OnTarget(const float* HWY_RESTRICT from, int64_t count, uint16_t* HWY_RESTRICT to) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(d));
  const auto one = hn::Set(du, 1), half = hn::Set(du, 0x7fff), quiet = hn::Set(du, 0x40);
  const auto round = [&](hn::Vec<decltype(d)> v) HWY_ATTR {
    const auto bits = hn::BitCast(du, v);
    const auto upper = hn::ShiftRight<16>(bits);
    const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, half), hn::And(upper, one)));
    const auto is_number = hn::RebindMask(du, hn::Eq(v, v));
    return hn::TruncateTo(d16, hn::IfThenElse(is_number, rounded, hn::Or(upper, quiet)));
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(round(hn::LoadU(d, from + i)), d16, to + i);
  if (i < count) {
    float rest[16] = {};
    uint16_t rounded[16];
    std::copy(from + i, from + count, rest);
    hn::StoreU(round(hn::LoadU(d, rest)), d16, rounded);
    std::copy(rounded, rounded + (count - i), to + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(RoundToBf16OnTarget);

namespace {

float F32FromBf16(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

}  // namespace

Bf16Panels::Bf16Panels(int64_t out, int64_t in, const float* weights) : out_(out), in_(in) {
  values_.reset(static_cast<uint16_t*>(AllocateAligned(static_cast<size_t>(bytes()))));
  std::memset(values_.get(), 0, static_cast<size_t>(bytes()));
  std::vector<uint16_t> rounded(static_cast<size_t>(in));
  double error = 0, all = 0;
  for (int64_t n = 0; n < out; ++n) {
    const float* const row = weights + n * in;
    HWY_DYNAMIC_DISPATCH(RoundToBf16OnTarget)(row, in, rounded.data());
    uint16_t* const to = values_.get() + (n / kPanelCols) * depth() * kPanelCols + (n % kPanelCols) * 2;
    for (int64_t k = 0; k < in; ++k) {
      const uint16_t value = rounded[static_cast<size_t>(k)];
      to[k / 2 * 2 * kPanelCols + k % 2] = value;
      const float off = row[k] - F32FromBf16(value);
      error += static_cast<double>(off) * off;
      all += static_cast<double>(row[k]) * row[k];
    }
  }
  relative_error_ = all > 0 ? std::sqrt(error / all) : 0.0;
}

Bf16Rows InBf16(ConstMatrixView x, Context& context) {
  const int64_t depth = (x.cols + 31) / 32 * 32;
  // An odd number of cache lines apart, as PaddedStride says.
  const int64_t stride = depth % 64 == 0 ? depth + 32 : depth;
  const Bf16Rows rows = {context.arena.Take<uint16_t>(static_cast<size_t>(x.rows * stride)), x.rows, depth, stride};
  RunRows(context.team, x.rows, x.cols, [&](int64_t first, int64_t last) {
    for (int64_t m = first; m < last; ++m) {
      uint16_t* const to = rows.values + m * stride;
      HWY_DYNAMIC_DISPATCH(RoundToBf16OnTarget)(x.row(m), x.cols, to);
      std::fill(to + x.cols, to + depth, uint16_t{0});
    }
  });
  return rows;
}

}  // namespace heed
#endif
