// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/packed_product.h"

#include <algorithm>
#include <cstring>

#include "files/float16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/linear/packed_product.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kPanelCols>;
using Vector = hn::Vec<Floats>;
constexpr int kVectors = static_cast<int>(kPanelCols / hn::MaxLanes(Floats()));  // of one panel

HWY_INLINE Vector LoadWeights(Floats d, const float* p) { return hn::Load(d, p); }
HWY_INLINE Vector LoadWeights(Floats d, const hwy::float16_t* p) {
  return hn::PromoteTo(d, hn::Load(hn::Rebind<hwy::float16_t, Floats>(), p));
}

// M rows against P panels that lie side by side: all M x P x 16 sums stay in registers.
template <int M, int P, typename T>
HWY_INLINE void Block(const T* HWY_RESTRICT panel, int64_t inputs, const float* HWY_RESTRICT x, int64_t x_stride,
                      const float* HWY_RESTRICT bias, bool accumulate, float* HWY_RESTRICT y, int64_t y_stride) {
  const Floats d;
  constexpr int kLanes = static_cast<int>(kPanelCols) / kVectors;
  const int64_t panel_values = inputs * kPanelCols;
  Vector sum[M][P * kVectors];
  HWY_UNROLL(16)
  for (int m = 0; m < M; ++m) {
    HWY_UNROLL(16)
    for (int v = 0; v < P * kVectors; ++v) sum[m][v] = hn::Zero(d);
  }
  for (int64_t k = 0; k < inputs; ++k) {
    const auto load = [&](int v) HWY_ATTR {
      return LoadWeights(d, panel + (v / kVectors) * panel_values + k * kPanelCols + (v % kVectors) * kLanes);
    };
    // Of rows and weights, the fewer are held in registers while the others pass: all sums still fit beside them.
    if constexpr (M <= P * kVectors) {
      Vector row[M];
      HWY_UNROLL(16)
      for (int m = 0; m < M; ++m) row[m] = hn::Set(d, x[m * x_stride + k]);
      HWY_UNROLL(16)
      for (int v = 0; v < P * kVectors; ++v) {
        const Vector column = load(v);
        HWY_UNROLL(16)
        for (int m = 0; m < M; ++m) sum[m][v] = hn::MulAdd(row[m], column, sum[m][v]);
      }
    } else {
      Vector column[P * kVectors];
      HWY_UNROLL(16)
      for (int v = 0; v < P * kVectors; ++v) column[v] = load(v);
      HWY_UNROLL(16)
      for (int m = 0; m < M; ++m) {
        const Vector row = hn::Set(d, x[m * x_stride + k]);
        HWY_UNROLL(16)
        for (int v = 0; v < P * kVectors; ++v) sum[m][v] = hn::MulAdd(row, column[v], sum[m][v]);
      }
    }
  }
  HWY_UNROLL(16)
  for (int m = 0; m < M; ++m) {
    HWY_UNROLL(16)
    for (int v = 0; v < P * kVectors; ++v) {
      float* HWY_RESTRICT to = y + m * y_stride + v * kLanes;
      Vector value = sum[m][v];
      if (bias != nullptr) value = hn::Add(value, hn::LoadU(d, bias + v * kLanes));
      if (accumulate) value = hn::Add(value, hn::LoadU(d, to));
      hn::StoreU(value, d, to);
    }
  }
}

// A block of rows and panels holds so many sums in registers at most (16 registers, or 32 where a panel is one vector),
// and reads each weight once for so many rows.
constexpr int kMaxSums = kVectors == 1 ? 24 : 12;
constexpr int64_t kMaxRows = kVectors == 1 ? 8 : 6;

// How many panels M rows take at once: enough independent sums to hide the latency of a multiply-add (8 on machines of
// two per cycle and four cycles), and no more panels than the machine can prefetch side by side (measured on Zen 4: 24
// at once are half as fast as one).
template <int M>
constexpr int PanelsAtOnce() {
  constexpr int kPanels = kMaxSums / (M * kVectors);
  return kPanels < 1 ? 1 : kPanels > 8 ? 8 : kPanels;
}

// P panels at a time, and what is left by halves: a single panel of few rows has too few sums.
template <int M, int P, typename T>
void RowsAtOnce(const PackedPanels& weights, ConstMatrixView x, int64_t first, int64_t last, const float* bias,
                bool accumulate, MatrixView y) {
  int64_t p = first;
  for (; p + P <= last; p += P) {
    Block<M, P>(static_cast<const T*>(weights.panel(p)), weights.in(), x.data, x.stride,
                bias == nullptr ? nullptr : bias + (p - first) * kPanelCols, accumulate,
                y.data + (p - first) * kPanelCols, y.stride);
  }
  if constexpr (P > 1) {
    if (p == last) return;
    const int64_t done = (p - first) * kPanelCols;
    RowsAtOnce<M, P / 2, T>(weights, x, p, last, bias == nullptr ? nullptr : bias + done, accumulate,
                            y.Cols(done, y.cols - done));
  }
}

// At most kMaxRows rows.
template <int M, typename T>
void FewRows(const PackedPanels& weights, ConstMatrixView x, int64_t first, int64_t last, const float* bias,
             bool accumulate, MatrixView y) {
  if constexpr (M > 0) {
    if (x.rows < M) return FewRows<M - 1, T>(weights, x, first, last, bias, accumulate, y);
    RowsAtOnce<M, PanelsAtOnce<M>(), T>(weights, x, first, last, bias, accumulate, y);
  }
}

template <typename T>
void AllRows(const PackedPanels& weights, ConstMatrixView x, int64_t first, int64_t last, const float* bias,
             bool accumulate, MatrixView y) {
  const auto some = [&](int64_t m, int64_t rows, int64_t p, int64_t panels) {
    const int64_t done = (p - first) * kPanelCols;
    FewRows<kMaxRows, T>(weights, x.Rows(m, rows), p, p + panels, bias == nullptr ? nullptr : bias + done, accumulate,
                         y.Rows(m, rows).Cols(done, panels * kPanelCols));
  };
  if (x.rows <= kMaxRows) return some(0, x.rows, first, last - first);
  // Panels stay in the cache while all rows pass them, in blocks as equal as can be: 7 rows are 4 + 3, not 6 + 1.
  constexpr int64_t kPanels = PanelsAtOnce<kMaxRows>();
  const int64_t blocks = (x.rows + kMaxRows - 1) / kMaxRows;
  for (int64_t p = first; p < last; p += kPanels) {
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t begin = x.rows * b / blocks;
      some(begin, x.rows * (b + 1) / blocks - begin, p, std::min(kPanels, last - p));
    }
  }
}

void PackedProductOnTarget(const PackedPanels& weights, ConstMatrixView x, int64_t first, int64_t last,
                           const float* bias, bool accumulate, MatrixView y) {
  if (weights.storage() == Storage::kF32) {
    AllRows<float>(weights, x, first, last, bias, accumulate, y);
  } else {
    AllRows<hwy::float16_t>(weights, x, first, last, bias, accumulate, y);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(PackedProductOnTarget);

PackedPanels::PackedPanels(int64_t out, int64_t in, Storage storage, absl::FunctionRef<float(int64_t, int64_t)> weight)
    : out_(out), in_(in), storage_(storage) {
  data_.reset(AllocateAligned(static_cast<size_t>(bytes())));
  float* f32 = static_cast<float*>(data_.get());
  uint16_t* f16 = static_cast<uint16_t*>(data_.get());
  for (int64_t p = 0; p < panels(); ++p) {
    for (int64_t k = 0; k < in_; ++k) {
      for (int64_t j = 0; j < kPanelCols; ++j) {
        const int64_t n = p * kPanelCols + j;
        const int64_t at = (p * in_ + k) * kPanelCols + j;
        const float value = n < out_ ? weight(n, k) : 0.0f;
        if (storage_ == Storage::kF32) {
          f32[at] = value;
        } else {
          f16[at] = F16FromF32(value);
        }
      }
    }
  }
}

int64_t PackedPanels::bytes() const { return panels() * in_ * kPanelCols * (storage_ == Storage::kF32 ? 4 : 2); }

const void* PackedPanels::panel(int64_t p) const {
  return static_cast<const char*>(data_.get()) + p * in_ * kPanelCols * (storage_ == Storage::kF32 ? 4 : 2);
}

void PackedPanels::CopyRow(int64_t n, float* to) const {
  const int64_t column = n % kPanelCols;
  if (storage_ == Storage::kF32) {
    const float* from = static_cast<const float*>(panel(n / kPanelCols)) + column;
    for (int64_t k = 0; k < in_; ++k) to[k] = from[k * kPanelCols];
  } else {
    const uint16_t* from = static_cast<const uint16_t*>(panel(n / kPanelCols)) + column;
    for (int64_t k = 0; k < in_; ++k) to[k] = F32FromF16(from[k * kPanelCols]);
  }
}

void PackedProduct(const PackedPanels& weights, ConstMatrixView x, int64_t first, int64_t last, const float* bias,
                   bool accumulate, MatrixView y) {
  HWY_DYNAMIC_DISPATCH(PackedProductOnTarget)(weights, x, first, last, bias, accumulate, y);
}

}  // namespace heed
#endif
