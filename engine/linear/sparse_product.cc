// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/sparse_product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/linear/sparse_product.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 8>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));

// Columns [first, first + V * kLanes) of the row.
template <int V>
HWY_INLINE void Columns(const float* HWY_RESTRICT values, const int32_t* HWY_RESTRICT columns, int64_t count,
                        const ConstMatrixView& transposed, const float* HWY_RESTRICT bias, int64_t first,
                        float* HWY_RESTRICT y) {
  const Floats d;
  Vector sum[V];
#pragma GCC unroll 10
  for (int v = 0; v < V; ++v) sum[v] = hn::LoadU(d, bias + first + v * kLanes);
  for (int64_t i = 0; i < count; ++i) {
    const Vector value = hn::Set(d, values[i]);
    const float* HWY_RESTRICT row = transposed.row(columns[i]) + first;
#pragma GCC unroll 10
    for (int v = 0; v < V; ++v) sum[v] = hn::MulAdd(value, hn::LoadU(d, row + v * kLanes), sum[v]);
  }
#pragma GCC unroll 10
  for (int v = 0; v < V; ++v) hn::StoreU(sum[v], d, y + first + v * kLanes);
}

void SparseRowProductOnTarget(const float* values, const int32_t* columns, int64_t count,
                              const ConstMatrixView& transposed, const float* bias, float* y) {
  int64_t first = 0;
  const int64_t out = (transposed.cols + kLanes - 1) / kLanes * kLanes;
  for (; first + 10 * kLanes <= out; first += 10 * kLanes) {
    Columns<10>(values, columns, count, transposed, bias, first, y);
  }
  for (; first + 4 * kLanes <= out; first += 4 * kLanes) {
    Columns<4>(values, columns, count, transposed, bias, first, y);
  }
  for (; first < out; first += kLanes) Columns<1>(values, columns, count, transposed, bias, first, y);
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(SparseRowProductOnTarget);

void SparseRowProduct(const float* values, const int32_t* columns, int64_t count, ConstMatrixView transposed,
                      const float* bias, float* y) {
  HWY_DYNAMIC_DISPATCH(SparseRowProductOnTarget)(values, columns, count, transposed, bias, y);
}

}  // namespace heed
#endif
