// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "engine/kernels/load_first-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kCellValues>;
using Vector = hn::Vec<Floats>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Floats()));
constexpr int kVectors = static_cast<int>(kCellValues) / kLanes;  // of a cell
constexpr int kKeys = static_cast<int>(kCellPositions);

// How many queries pass keys together, and how many keys they take at once: their sums stay in the registers, of which
// there are 32 where a cell is one vector, else 16.
constexpr int kQueriesTogether = kVectors == 1 ? 4 : kVectors == 2 ? 2 : 1;
template <int M>
constexpr int KeysAtOnce() {
  return kVectors == 1 || (kVectors == 2 && M == 1) ? 4 : 2;
}

HWY_INLINE Vector LoadCell(const float* HWY_RESTRICT p) { return hn::Load(Floats(), p); }
HWY_INLINE Vector LoadCell(const hwy::float16_t* HWY_RESTRICT p) {
  return hn::PromoteTo(Floats(), hn::Load(hn::Rebind<hwy::float16_t, Floats>(), p));
}
HWY_INLINE void StoreCell(Vector v, float* HWY_RESTRICT p) { hn::Store(v, Floats(), p); }
HWY_INLINE void StoreCell(Vector v, hwy::float16_t* HWY_RESTRICT p) {
  const Floats d;
  const Vector largest = hn::Set(d, 65504.0f);
  // A comparison lets pass what is not a number.
  const auto too_large = hn::Gt(hn::Abs(v), largest);
  const hn::Rebind<hwy::float16_t, Floats> halves;
  hn::Store(hn::DemoteTo(halves, hn::IfThenElse(too_large, hn::CopySign(largest, v), v)), halves, p);
}

// One attention, with rows as wide as their cells.
struct Work {
  const HeadAttention& a;
  int64_t together, groups, group_cells;
  const float* query;
  int64_t query_stride;
  float* context;
  int64_t context_stride;
  float* scores;         // [queries, groups, group_scores]: of a key's heads side by side
  int64_t group_scores;  // keys * together, in whole cells

  float* ScoresOf(int64_t m, int64_t g) const { return scores + (m * groups + g) * group_scores; }
};

// The 16 lanes of a cell.
struct Lanes {
  Vector v[kVectors];
};

// In every lane what `combine` makes of all lanes of its head: of those 8 apart first, then 4, 2, 1.
template <typename Combine>
HWY_INLINE void FoldLanes(Lanes& lanes, int64_t together, Combine combine) {
  for (int apart = kVectors / 2; apart > 0 && apart * kLanes >= together; apart /= 2) {
    const Lanes before = lanes;
    HWY_UNROLL(16)
    for (int v = 0; v < kVectors; ++v) lanes.v[v] = combine(before.v[v], before.v[v ^ apart]);
  }
#if HWY_TARGET != HWY_SCALAR
  HWY_UNROLL(4)
  for (Vector& v : lanes.v) {
#if HWY_TARGET == HWY_AVX3
    if (together <= 8) v = combine(v, hn::ConcatLowerUpper(Floats(), v, v));
#endif
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
    if (together <= 4) v = combine(v, hn::SwapAdjacentBlocks(v));
#endif
    if (together <= 2) v = combine(v, hn::Shuffle1032(v));
    if (together <= 1) v = combine(v, hn::Shuffle2301(v));
  }
#endif
}

// Stores the `together` sums of `sum`, which are in the first lanes after FoldLanes.
HWY_INLINE void StoreSums(Lanes sum, int64_t together, float* HWY_RESTRICT to) {
  const Floats d;
  FoldLanes(sum, together, [](Vector a, Vector b) HWY_ATTR { return hn::Add(a, b); });
  if (together >= kLanes) {
    for (int v = 0; v * kLanes < together; ++v) hn::StoreU(sum.v[v], d, to + v * kLanes);
    return;
  }
#if HWY_TARGET != HWY_SCALAR
#if HWY_TARGET == HWY_AVX3
  if (together == 8) return hn::StoreU(hn::LowerHalf(sum.v[0]), hn::CappedTag<float, 8>(), to);
#endif
  const hn::CappedTag<float, 4> d4;
#if HWY_TARGET == HWY_AVX3
  const auto four = hn::LowerHalf(hn::LowerHalf(sum.v[0]));
#elif HWY_TARGET == HWY_AVX2
  const auto four = hn::LowerHalf(sum.v[0]);
#else
  const auto four = sum.v[0];
#endif
  if (together == 4) return hn::StoreU(four, d4, to);
  if (together == 2) return hn::StoreU(hn::LowerHalf(four), hn::Half<decltype(d4)>(), to);
  to[0] = hn::GetLane(four);
#endif
}

// Scores of M queries from m on with P keys from t on, not yet scaled.
template <int M, int P, typename T>
HWY_INLINE void ScoreSome(const Work& work, int64_t m0, int64_t t) {
  const Floats d;
  // Copies: a store could be thought to change the originals.
  const int64_t cells = work.group_cells, stride = work.query_stride;
  const T* HWY_RESTRICT key[P];
  HWY_UNROLL(4)
  for (int p = 0; p < P; ++p) key[p] = static_cast<const T*>(work.a.key_cells[t + p]);
  const float* HWY_RESTRICT x = work.query + m0 * stride;
  for (int64_t g = 0; g < work.groups; ++g) {
    Lanes sum[M][P];
    HWY_UNROLL(4)
    for (int m = 0; m < M; ++m) {
      HWY_UNROLL(4)
      for (int p = 0; p < P; ++p) {
        HWY_UNROLL(16)
        for (int v = 0; v < kVectors; ++v) sum[m][p].v[v] = hn::Zero(d);
      }
    }
    for (int64_t c = 0; c < cells; ++c) {
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) {
        Vector row[M];
        HWY_UNROLL(4)
        for (int m = 0; m < M; ++m) row[m] = hn::LoadU(d, x + m * stride + c * kCellValues + v * kLanes);
        HWY_UNROLL(4)
        for (int p = 0; p < P; ++p) {
          const Vector k = LoadCell(key[p] + c * kCellStride + v * kLanes);
          HWY_UNROLL(4)
          for (int m = 0; m < M; ++m) sum[m][p].v[v] = hn::MulAdd(row[m], k, sum[m][p].v[v]);
        }
      }
    }
    HWY_UNROLL(4)
    for (int m = 0; m < M; ++m) {
      HWY_UNROLL(4)
      for (int p = 0; p < P; ++p) {
        StoreSums(sum[m][p], work.together, work.ScoresOf(m0 + m, g) + (t + p) * work.together);
      }
    }
    x += cells * kCellValues;
    HWY_UNROLL(4)
    for (int p = 0; p < P; ++p) key[p] += cells * kCellStride;
  }
}

// The weights of a key's heads in the lanes of W vectors, which repeat in a cell.
template <int W>
HWY_INLINE void LoadWeights(const float* HWY_RESTRICT weights, int64_t together, Vector* to) {
  const Floats d;
  if (HWY_TARGET == HWY_SCALAR || together >= kLanes) {
    HWY_UNROLL(16)
    for (int w = 0; w < W; ++w) to[w] = hn::LoadU(d, weights + w * kLanes);
    return;
  }
#if HWY_TARGET != HWY_SCALAR
#if HWY_TARGET == HWY_AVX3
  if (together == 8) {
    const auto half = hn::LoadU(hn::CappedTag<float, 8>(), weights);
    to[0] = hn::Combine(d, half, half);
    return;
  }
#endif
  if (together == 4) {
    to[0] = hn::LoadDup128(d, weights);
  } else if (together == 2) {
    uint64_t both;
    std::memcpy(&both, weights, sizeof(both));
    to[0] = hn::BitCast(d, hn::Set(hn::Repartition<uint64_t, Floats>(), both));
  } else {
    to[0] = hn::Set(d, weights[0]);
  }
#endif
}

// context of M queries from m on (+)= weights times the values of P keys from t on.
template <int M, int P, int W, typename T>
HWY_INLINE void WeighSome(const Work& work, int64_t m0, int64_t t) {
  const Floats d;
  const int64_t cells = work.group_cells, stride = work.context_stride;
  const bool first = t == 0;
  const T* HWY_RESTRICT value[P];
  HWY_UNROLL(4)
  for (int p = 0; p < P; ++p) value[p] = static_cast<const T*>(work.a.value_cells[t + p]);
  float* HWY_RESTRICT y = work.context + m0 * stride;
  for (int64_t g = 0; g < work.groups; ++g) {
    Vector weight[M][P][W];
    HWY_UNROLL(4)
    for (int m = 0; m < M; ++m) {
      HWY_UNROLL(4)
      for (int p = 0; p < P; ++p) {
        LoadWeights<W>(work.ScoresOf(m0 + m, g) + (t + p) * work.together, work.together, weight[m][p]);
      }
    }
    for (int64_t c = 0; c < cells; ++c) {
      HWY_UNROLL(16)
      for (int v = 0; v < kVectors; ++v) {
        float* HWY_RESTRICT to = y + c * kCellValues + v * kLanes;
        Vector sum[M];
        HWY_UNROLL(4)
        for (int m = 0; m < M; ++m) sum[m] = first ? hn::Zero(d) : hn::LoadU(d, to + m * stride);
        HWY_UNROLL(4)
        for (int p = 0; p < P; ++p) {
          const Vector number = LoadCell(value[p] + c * kCellStride + v * kLanes);
          HWY_UNROLL(4)
          for (int m = 0; m < M; ++m) sum[m] = hn::MulAdd(weight[m][p][v % W], number, sum[m]);
        }
        HWY_UNROLL(4)
        for (int m = 0; m < M; ++m) hn::StoreU(sum[m], d, to + m * stride);
      }
    }
    y += cells * kCellValues;
    HWY_UNROLL(4)
    for (int p = 0; p < P; ++p) value[p] += cells * kCellStride;
  }
}

enum class Pass { kScore, kWeigh };

// In W vectors, or more, are the weights of a key's heads.
template <int M, int P, int W, typename T>
HWY_INLINE void WeighInVectors(const Work& work, int64_t m0, int64_t t) {
  if constexpr (W < kVectors) {
    if (work.together > W * kLanes) return WeighInVectors<M, P, 2 * W, T>(work, m0, t);
  }
  WeighSome<M, P, W, T>(work, m0, t);
}

template <Pass kPass, int M, int P, typename T>
HWY_INLINE void TakeSome(const Work& work, int64_t m0, int64_t t) {
  if constexpr (kPass == Pass::kScore) {
    ScoreSome<M, P, T>(work, m0, t);
  } else {
    WeighInVectors<M, P, 1, T>(work, m0, t);
  }
}

// M queries pass the keys [t, last), at most kKeys, P at a time and what is left by halves.
template <Pass kPass, int M, int P, typename T>
HWY_INLINE void TakeKeys(const Work& work, int64_t m0, int64_t t, int64_t last) {
  for (; t + P <= last; t += P) TakeSome<kPass, M, P, T>(work, m0, t);
  if constexpr (P > 1) {
    if (t < last) TakeKeys<kPass, M, P / 2, T>(work, m0, t, last);
  }
}

// All queries pass all keys. 4 keys stay in the first cache while all queries pass them, in groups as equal as can be.
template <Pass kPass, typename T>
void TakeAll(const Work& work) {
  const int64_t queries = work.a.queries, keys = work.a.keys;
  const int64_t parts = (queries + kQueriesTogether - 1) / kQueriesTogether;
  for (int64_t t = 0; t < keys; t += kKeys) {
    const int64_t last = std::min(t + kKeys, keys);
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t m0 = queries * part / parts;
      switch (queries * (part + 1) / parts - m0) {
        case 1:
          TakeKeys<kPass, 1, KeysAtOnce<1>(), T>(work, m0, t, last);
          break;
        case 2:
          TakeKeys<kPass, std::min(2, kQueriesTogether), KeysAtOnce<2>(), T>(work, m0, t, last);
          break;
        case 3:
          TakeKeys<kPass, std::min(3, kQueriesTogether), KeysAtOnce<3>(), T>(work, m0, t, last);
          break;
        default:
          TakeKeys<kPass, kQueriesTogether, KeysAtOnce<kQueriesTogether>(), T>(work, m0, t, last);
          break;
      }
    }
  }
}

// Makes weights of all scores: their exponentials, and then these over their sum, for each head.
void Normalize(const Work& work) {
  const Floats d;
  const Vector scale = hn::Set(d, 1.0f / std::sqrt(static_cast<float>(work.a.layout.head_dim())));
  const int64_t count = work.a.keys * work.together;
  for (int64_t r = 0; r < work.a.queries * work.groups; ++r) {
    float* HWY_RESTRICT scores = work.scores + r * work.group_scores;
    std::fill(scores + count, scores + work.group_scores, std::numeric_limits<float>::lowest());
    const auto each = [&](auto take) HWY_ATTR {
      for (int64_t i = 0; i < work.group_scores; i += kCellValues) {
        HWY_UNROLL(16)
        for (int v = 0; v < kVectors; ++v) take(v, scores + i + v * kLanes);
      }
    };
    Lanes largest, sum;
    for (int v = 0; v < kVectors; ++v) {
      largest.v[v] = hn::LoadU(d, scores + v * kLanes);
      sum.v[v] = hn::Zero(d);
    }
    each([&](int v, const float* at) HWY_ATTR { largest.v[v] = hn::Max(largest.v[v], hn::LoadU(d, at)); });
    FoldLanes(largest, work.together, [](Vector a, Vector b) HWY_ATTR { return hn::Max(a, b); });
    each([&](int v, float* at) HWY_ATTR {
      const Vector e = hn::Exp(d, hn::Mul(hn::Sub(hn::LoadU(d, at), largest.v[v]), scale));
      sum.v[v] = hn::Add(sum.v[v], e);
      hn::StoreU(e, d, at);
    });
    FoldLanes(sum, work.together, [](Vector a, Vector b) HWY_ATTR { return hn::Add(a, b); });
    for (int v = 0; v < kVectors; ++v) sum.v[v] = hn::Div(hn::Set(d, 1.0f), sum.v[v]);
    each([&](int v, float* at) HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, at), sum.v[v]), d, at); });
  }
}

// The mean of the heads' weights of query m.
void MeanOfHeads(const Work& work, int64_t m, float* HWY_RESTRICT mean) {
  const float heads = static_cast<float>(work.a.layout.heads());
  for (int64_t t = 0; t < work.a.keys; ++t) {
    mean[t] = 0;
    for (int64_t g = 0; g < work.groups; ++g) {
      const float* weights = work.ScoresOf(m, g) + t * work.together;
      for (int64_t h = 0; h < work.together; ++h) mean[t] += weights[h] / heads;
    }
  }
}

// Adds the weights of the heads that are asked for, of query m.
void AddSomeHeads(const Work& work, int64_t m, float* HWY_RESTRICT sums) {
  for (int64_t i = 0; i < work.a.head_count; ++i) {
    const int64_t h = work.a.heads[i];
    const float* weights = work.ScoresOf(m, h / work.together) + h % work.together;
    for (int64_t t = 0; t < work.a.keys; ++t) sums[t] += weights[t * work.together] / work.a.head_divisor;
  }
}

void AttendOnTarget(const HeadAttention& a) {
  const HeadLayout& layout = a.layout;
  const int64_t values = layout.group_values(), cell_values = layout.cells() * kCellValues;
  Work work = {a,
               layout.together(),
               layout.groups(),
               layout.group_cells(),
               a.query,
               a.query_stride,
               a.context,
               a.context_stride,
               a.scratch,
               0};
  work.group_scores = (a.keys * work.together + kCellValues - 1) / kCellValues * kCellValues;
  const bool padded = cell_values != layout.width();
  if (padded) {
    float* const query = a.scratch + a.queries * work.groups * work.group_scores;
    for (int64_t m = 0; m < a.queries; ++m) {
      for (int64_t g = 0; g < work.groups; ++g) {
        float* to = query + m * cell_values + g * work.group_cells * kCellValues;
        std::copy_n(a.query + m * a.query_stride + g * values, values, to);
        std::fill(to + values, to + work.group_cells * kCellValues, 0.0f);
      }
    }
    work.query = query;
    work.context = query + a.queries * cell_values;
    work.query_stride = work.context_stride = cell_values;
  }
  const bool f32 = a.storage == CellStorage::kF32;
  f32 ? TakeAll<Pass::kScore, float>(work) : TakeAll<Pass::kScore, hwy::float16_t>(work);
  Normalize(work);
  f32 ? TakeAll<Pass::kWeigh, float>(work) : TakeAll<Pass::kWeigh, hwy::float16_t>(work);
  for (int64_t m = 0; m < a.queries; ++m) {
    if (a.mean_weights != nullptr && a.mean_weights[m] != nullptr) MeanOfHeads(work, m, a.mean_weights[m]);
    if (a.head_weights != nullptr && a.head_weights[m] != nullptr) AddSomeHeads(work, m, a.head_weights[m]);
    for (int64_t g = 0; padded && g < work.groups; ++g) {
      const float* from = work.context + m * cell_values + g * work.group_cells * kCellValues;
      std::copy_n(from, values, a.context + m * a.context_stride + g * values);
    }
  }
}

template <typename T>
void StoreCellsAs(const HeadLayout& layout, const float* HWY_RESTRICT row, T* HWY_RESTRICT to) {
  const Floats d;
  const int64_t values = layout.group_values(), cells = layout.group_cells();
  for (int64_t g = 0; g < layout.groups(); ++g, row += values, to += cells * kCellStride) {
    for (int64_t c = 0; c < cells; ++c) {
      for (int v = 0; v < kVectors; ++v) {
        const int64_t i = c * kCellValues + v * kLanes;
        const size_t here = static_cast<size_t>(std::clamp<int64_t>(values - i, 0, kLanes));
        StoreCell(LoadFirst(d, here, row + i), to + c * kCellStride + v * kLanes);
      }
    }
  }
}

void StoreCellsOnTarget(const HeadLayout& layout, CellStorage storage, const float* row, void* cells) {
  if (storage == CellStorage::kF32) {
    StoreCellsAs(layout, row, static_cast<float*>(cells));
  } else {
    StoreCellsAs(layout, row, static_cast<hwy::float16_t*>(cells));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(AttendOnTarget);
HWY_EXPORT(StoreCellsOnTarget);

int64_t AttentionScratch(const HeadLayout& layout, int64_t queries, int64_t keys) {
  const int64_t scores = (keys * layout.together() + kCellValues - 1) / kCellValues * kCellValues;
  return queries * (layout.groups() * scores + 2 * layout.cells() * kCellValues);
}

void Attend(const HeadAttention& attention) { HWY_DYNAMIC_DISPATCH(AttendOnTarget)(attention); }

void StoreCells(const HeadLayout& layout, CellStorage storage, const float* row, void* cells) {
  HWY_DYNAMIC_DISPATCH(StoreCellsOnTarget)(layout, storage, row, cells);
}

}  // namespace heed
#endif
