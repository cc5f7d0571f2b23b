// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/block_attention.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/block_attention.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, kBlockKeys>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
constexpr int kVectors = static_cast<int>(kBlockKeys / kLanes);  // of a block
constexpr int kMaxRows = 6;                                      // whose sums stay in registers together

// How many blocks, or vectors of values, M rows take at once: independent sums that hide the latency of a multiply-add
// and fit into the registers, 16 or 32 where a block is one vector.
template <int M>
constexpr int AtOnce() {
  constexpr int kSums = (kVectors == 1 ? 24 : 12) / M;
  return kSums >= 8 ? 8 : kSums >= 4 ? 4 : kSums >= 2 ? 2 : 1;
}

// A row's scores of the keys t, t + 1, ...: the sums of their contents and what the distance adds; least() where the
// row does not see them.
HWY_INLINE Vector Score(const BlockQuery& seen, int64_t t, Vector content) {
  const Floats d;
  const int64_t from = t - seen.near;
  const Vector position = from > -kBlockKeys ? hn::LoadU(d, seen.positions + from) : hn::Set(d, seen.positions[0]);
  const Vector score = hn::Add(content, position);
  if (t >= seen.first && t + kLanes <= seen.last) return score;
  const auto before = hn::FirstN(d, static_cast<size_t>(std::clamp<int64_t>(seen.first - t, 0, kLanes)));
  const auto within = hn::FirstN(d, static_cast<size_t>(std::clamp<int64_t>(seen.last - t, 0, kLanes)));
  return hn::IfThenElse(hn::AndNot(before, within), score, hn::Set(d, std::numeric_limits<float>::lowest()));
}

// M rows from row m on against the P blocks from block b on.
template <int M, int P>
HWY_INLINE void ScoreSome(const BlockAttention& a, int64_t m0, int64_t b) {
  const Floats d;
  constexpr int kSums = P * kVectors;
  const float* HWY_RESTRICT x = a.queries + m0 * a.query_stride;
  Vector sum[M][kSums];
  HWY_UNROLL(16)
  for (int m = 0; m < M; ++m) {
    HWY_UNROLL(16)
    for (int v = 0; v < kSums; ++v) sum[m][v] = hn::Zero(d);
  }
  const float* panel[P];
  for (int p = 0; p < P; ++p) panel[p] = a.keys[b + p];
  for (int64_t k = 0; k < a.head_dim; ++k) {
    Vector row[M];
    HWY_UNROLL(16)
    for (int m = 0; m < M; ++m) row[m] = hn::Set(d, x[m * a.query_stride + k]);
    HWY_UNROLL(16)
    for (int v = 0; v < kSums; ++v) {
      const Vector key = hn::Load(d, panel[v / kVectors] + k * kBlockKeys + (v % kVectors) * kLanes);
      HWY_UNROLL(16)
      for (int m = 0; m < M; ++m) sum[m][v] = hn::MulAdd(row[m], key, sum[m][v]);
    }
  }
  HWY_UNROLL(16)
  for (int m = 0; m < M; ++m) {
    float* HWY_RESTRICT to = a.weights + (m0 + m) * a.weights_stride;
    HWY_UNROLL(16)
    for (int v = 0; v < kSums; ++v) {
      const int64_t t = b * kBlockKeys + v * kLanes;
      hn::StoreU(Score(a.seen[m0 + m], t, sum[m][v]), d, to + t);
    }
  }
}

// M rows against the blocks [b, last), P at a time, and what is left by halves.
template <int M, int P>
HWY_INLINE void ScoreRows(const BlockAttention& a, int64_t m0, int64_t b, int64_t last) {
  for (; b + P <= last; b += P) ScoreSome<M, P>(a, m0, b);
  if constexpr (P > 1) {
    if (b < last) ScoreRows<M, P / 2>(a, m0, b, last);
  }
}

// context of M rows += weights of the keys of the blocks [b, last) times N vectors of their values from number i on.
template <int M, int N>
HWY_INLINE void WeighSome(const BlockAttention& a, int64_t m0, int64_t b, int64_t last, int64_t i) {
  const Floats d;
  const int64_t stride = BlockValueStride(a.head_dim);
  Vector sum[M][N];
  HWY_UNROLL(16)
  for (int m = 0; m < M; ++m) {
    HWY_UNROLL(16)
    for (int n = 0; n < N; ++n) sum[m][n] = hn::LoadU(d, a.context + (m0 + m) * a.context_stride + i + n * kLanes);
  }
  for (; b < last; ++b) {
    const float* HWY_RESTRICT values = a.values[b] + i;
    const float* HWY_RESTRICT weights = a.weights + m0 * a.weights_stride + b * kBlockKeys;
    for (int64_t t = 0; t < kBlockKeys; ++t) {
      Vector value[N];
      HWY_UNROLL(16)
      for (int n = 0; n < N; ++n) value[n] = hn::Load(d, values + t * stride + n * kLanes);
      HWY_UNROLL(16)
      for (int m = 0; m < M; ++m) {
        const Vector weight = hn::Set(d, weights[m * a.weights_stride + t]);
        HWY_UNROLL(16)
        for (int n = 0; n < N; ++n) sum[m][n] = hn::MulAdd(weight, value[n], sum[m][n]);
      }
    }
  }
  HWY_UNROLL(16)
  for (int m = 0; m < M; ++m) {
    HWY_UNROLL(16)
    for (int n = 0; n < N; ++n) hn::StoreU(sum[m][n], d, a.context + (m0 + m) * a.context_stride + i + n * kLanes);
  }
}

template <int M, int N>
HWY_INLINE void WeighRows(const BlockAttention& a, int64_t m0, int64_t b, int64_t last, int64_t i) {
  const int64_t numbers = BlockValueStride(a.head_dim);
  for (; i + N * kLanes <= numbers; i += N * kLanes) WeighSome<M, N>(a, m0, b, last, i);
  if constexpr (N > 1) {
    if (i < numbers) WeighRows<M, N / 2>(a, m0, b, last, i);
  }
}

enum class Pass { kScore, kWeigh };

template <int M>
HWY_INLINE void TakeRows(Pass pass, const BlockAttention& a, int64_t m0, int64_t b, int64_t last) {
  if (pass == Pass::kScore) {
    ScoreRows<M, AtOnce<M>()>(a, m0, b, last);
  } else {
    WeighRows<M, AtOnce<M>()>(a, m0, b, last, 0);
  }
}

// All rows pass the blocks [b, last), which stay in the cache meanwhile; in groups as equal as can be.
void TakeAllRows(Pass pass, const BlockAttention& a, int64_t b, int64_t last) {
  const int64_t groups = (a.rows + kMaxRows - 1) / kMaxRows;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t m0 = a.rows * g / groups;
    switch (a.rows * (g + 1) / groups - m0) {
      case 1:
        TakeRows<1>(pass, a, m0, b, last);
        break;
      case 2:
        TakeRows<2>(pass, a, m0, b, last);
        break;
      case 3:
        TakeRows<3>(pass, a, m0, b, last);
        break;
      case 4:
        TakeRows<4>(pass, a, m0, b, last);
        break;
      case 5:
        TakeRows<5>(pass, a, m0, b, last);
        break;
      default:
        TakeRows<6>(pass, a, m0, b, last);
        break;
    }
  }
}

// weights = exp(weights - their maximum), and 1 / their sum.
HWY_INLINE float ExpOfRow(float* HWY_RESTRICT weights, int64_t count) {
  const Floats d;
  Vector maxima = hn::LoadU(d, weights);
  for (int64_t t = kLanes; t < count; t += kLanes) maxima = hn::Max(maxima, hn::LoadU(d, weights + t));
  const Vector max = hn::MaxOfLanes(d, maxima);
  Vector sums = hn::Zero(d);
  for (int64_t t = 0; t < count; t += kLanes) {
    const Vector e = hn::Exp(d, hn::Sub(hn::LoadU(d, weights + t), max));
    sums = hn::Add(sums, e);
    hn::StoreU(e, d, weights + t);
  }
  return 1.0f / hn::GetLane(hn::SumOfLanes(d, sums));
}

// context = what the constant blocks' keys add to it.
HWY_INLINE void BeginContext(const BlockAttention& a, int64_t m) {
  const Floats d;
  const int64_t numbers = BlockValueStride(a.head_dim);
  float* HWY_RESTRICT context = a.context + m * a.context_stride;
  std::fill(context, context + numbers, 0.0f);
  if (a.constant_value == nullptr || a.constant_blocks == 0) return;
  const float* HWY_RESTRICT weights = a.weights + m * a.weights_stride;
  Vector sums = hn::Zero(d);
  for (int64_t t = 0; t < a.constant_blocks * kBlockKeys; t += kLanes) sums = hn::Add(sums, hn::LoadU(d, weights + t));
  const float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (int64_t i = 0; i < a.head_dim; ++i) context[i] = sum * a.constant_value[i];
}

void AttendBlocksOnTarget(const BlockAttention& a) {
  const Floats d;
  for (int64_t m = 0; m < a.rows; ++m) {
    const Vector constant = hn::Set(d, a.constant_scores == nullptr ? 0.0f : a.constant_scores[m]);
    float* to = a.weights + m * a.weights_stride;
    for (int64_t t = 0; t < a.constant_blocks * kBlockKeys; t += kLanes) {
      hn::StoreU(Score(a.seen[m], t, constant), d, to + t);
    }
  }
  // So many blocks of keys or of values are about 16 KiB for heads of 64 numbers: they stay in the first cache.
  constexpr int64_t kCachedBlocks = 8;
  for (int64_t b = a.constant_blocks; b < a.blocks; b += kCachedBlocks) {
    TakeAllRows(Pass::kScore, a, b, std::min(b + kCachedBlocks, a.blocks));
  }
  for (int64_t m = 0; m < a.rows; ++m) {
    a.factors[m] = ExpOfRow(a.weights + m * a.weights_stride, a.blocks * kBlockKeys);
    BeginContext(a, m);
  }
  for (int64_t b = a.constant_blocks; b < a.blocks; b += kCachedBlocks / 2) {
    TakeAllRows(Pass::kWeigh, a, b, std::min(b + kCachedBlocks / 2, a.blocks));
  }
  for (int64_t m = 0; m < a.rows; ++m) {
    float* context = a.context + m * a.context_stride;
    const Vector factor = hn::Set(d, a.factors[m]);
    for (int64_t i = 0; i < BlockValueStride(a.head_dim); i += kLanes) {
      hn::StoreU(hn::Mul(hn::LoadU(d, context + i), factor), d, context + i);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(AttendBlocksOnTarget);

void AttendBlocks(const BlockAttention& attention) { HWY_DYNAMIC_DISPATCH(AttendBlocksOnTarget)(attention); }

}  // namespace heed
#endif
