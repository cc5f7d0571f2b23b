// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/embedding_table.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/kernels/sum_in_pairs.h"
#include "files/float16.h"
#include "files/tensor_values.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/linear/embedding_table.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
constexpr int kVectors = static_cast<int>(16 / kLanes);

HWY_INLINE Vector LoadValues(Floats d, const float* from) { return hn::Load(d, from); }
HWY_INLINE Vector LoadValues(Floats d, const uint16_t* from) {
  const hn::Rebind<hwy::float16_t, Floats> d16;
  return hn::PromoteTo(d, hn::Load(d16, reinterpret_cast<const hwy::float16_t*>(from)));
}

template <typename T>
HWY_INLINE void Widen(const T* HWY_RESTRICT from, int64_t count, float* HWY_RESTRICT to) {
  const Floats d;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(LoadValues(d, from + i), d, to + i);
  if (i < count) {
    alignas(64) float rest[16];
    hn::Store(LoadValues(d, from + i), d, rest);
    std::copy(rest, rest + (count - i), to + i);
  }
}

// `from`, filled up with zeros to whole 16.
template <typename T>
HWY_INLINE float Product(const T* HWY_RESTRICT from, const float* HWY_RESTRICT x, int64_t count) {
  const Floats d;
  Vector sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  const int64_t whole = count / 16 * 16;
  for (int64_t i = 0; i < whole; i += 16) {
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(hn::LoadU(d, x + i + v * kLanes), LoadValues(d, from + i + v * kLanes), sums[v]);
    }
  }
  if (whole < count) {
    float rest[16] = {};
    std::copy(x + whole, x + count, rest);
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(hn::LoadU(d, rest + v * kLanes), LoadValues(d, from + whole + v * kLanes), sums[v]);
    }
  }
  alignas(64) float lanes[16];
  for (int v = 0; v < kVectors; ++v) hn::Store(sums[v], d, lanes + v * kLanes);
  return SumInPairs(lanes);
}

void WidenF32(const float* from, int64_t count, float* to) { Widen(from, count, to); }
void WidenF16(const uint16_t* from, int64_t count, float* to) { Widen(from, count, to); }
float DotF32(const float* row, const float* x, int64_t count) { return Product(row, x, count); }
float DotF16(const uint16_t* row, const float* x, int64_t count) { return Product(row, x, count); }

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(WidenF32);
HWY_EXPORT(WidenF16);
HWY_EXPORT(DotF32);
HWY_EXPORT(DotF16);

RowTable::RowTable(const StoredTensor& rows)
    : rows_(rows.shape[0]), cols_(rows.shape[1]), stride_((cols_ + 15) / 16 * 16) {
  const std::vector<float> values = ReadFloats(rows);
  halves_ = std::all_of(values.begin(), values.end(), IsExactInF16);
  data_.reset(AllocateAligned(static_cast<size_t>(bytes())));
  std::memset(data_.get(), 0, static_cast<size_t>(bytes()));
  for (int64_t n = 0; n < rows_; ++n) {
    const float* const from = values.data() + n * cols_;
    if (halves_) {
      std::transform(from, from + cols_, static_cast<uint16_t*>(data_.get()) + n * stride_, F16FromF32);
    } else {
      std::copy(from, from + cols_, static_cast<float*>(data_.get()) + n * stride_);
    }
  }
}

void RowTable::CopyRow(int64_t n, float* to) const {
  if (halves_) {
    HWY_DYNAMIC_DISPATCH(WidenF16)(static_cast<const uint16_t*>(row(n)), cols_, to);
  } else {
    HWY_DYNAMIC_DISPATCH(WidenF32)(static_cast<const float*>(row(n)), cols_, to);
  }
}

float RowTable::Dot(int64_t n, const float* x) const {
  return halves_ ? HWY_DYNAMIC_DISPATCH(DotF16)(static_cast<const uint16_t*>(row(n)), x, cols_)
                 : HWY_DYNAMIC_DISPATCH(DotF32)(static_cast<const float*>(row(n)), x, cols_);
}

}  // namespace heed
#endif
