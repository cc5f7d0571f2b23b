// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/graph_aggregation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/core/aligned_memory.h"
#include "hwy/cache_control.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/graph/graph_aggregation.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "hwy/contrib/math/math-inl.h"

#ifndef HEED_ENGINE_GRAPH_AGGREGATION_ONCE_
#define HEED_ENGINE_GRAPH_AGGREGATION_ONCE_
namespace heed {
namespace {

// The logit of an edge that is left out: its exponential is 0.
constexpr float kLeftOut = std::numeric_limits<float>::lowest();
// Rows of the projections are fetched ahead where the values take more memory than this; below, they sit in the cache.
constexpr int64_t kPrefetchValuesBytes = 1 << 20;
// How many edges, and targets, ahead. Values go into the second-level cache only: it can wait for more lines at a time
// than the first, and the processor finds them there without being asked (measured on Zen 4: 1.5 times the edges/s).
constexpr int64_t kPrefetchValues = 32;
constexpr int64_t kPrefetchScores = 24;
constexpr int64_t kPrefetchTargets = 4;

// What one chunk of a target's edges adds up to. `largest` and `sum` [score_stride], `values` [values_width]: the sums
// of exp(e - largest) and of that times the sources' values. GCN: of the weights times the values alone.
struct Partial {
  float* largest;
  float* sum;
  float* values;
};
int64_t ScoresRoom(const ProjectionLayout& layout) { return std::max<int64_t>(8, layout.score_stride()); }
int64_t PartialSize(const ProjectionLayout& layout) { return 2 * ScoresRoom(layout) + layout.values_width(); }
Partial PartialAt(float* memory, const ProjectionLayout& layout) {
  const int64_t scores = ScoresRoom(layout);
  return {memory, memory + scores, memory + 2 * scores};
}

// Edges of a target, all or one chunk: `edges` from `first` on, and with the loop that the layer adds behind them
// `count`.
struct TargetEdges {
  int64_t target;
  int64_t first;
  int64_t edges, count;
};

// Targets are weighed and summed up in blocks of so many edges, or targets, a little more at most by one target's: in
// one loop their logits and softmax, in the next their sums. GATv2 reads the sources' rows in both: its blocks are so
// small that the second loop finds them in the first-level cache.
constexpr int64_t kBlockEdges = 256;
constexpr int64_t kDynamicBlockEdges = 48;
// A target's weights begin, and end, on whole vectors of so many.
constexpr int64_t kWeightsPadding = 16;

// What a thread needs for a part of the work, kept between calls.
struct Scratch {
  AlignedPointer<float> weights;   // of a block: logits, then weights, [edge, score_stride] for each target
  AlignedPointer<float> partials;  // of a block: `largest` and `sum` of a Partial for each target, then one's `values`
  std::vector<float> loop;         // [edge_width] features of the added self-loop
  void Fit(const GraphAggregation& pass) {
    const int64_t stride = pass.layout.score_stride();
    const int64_t block_weights = (kBlockEdges + kChunkEdges + 1) * stride + (kBlockEdges + 2) * kWeightsPadding;
    const int64_t block_partials = 2 * (kBlockEdges + 1) * ScoresRoom(pass.layout) + pass.layout.values_width();
    Grow(weights, weights_size_, block_weights);
    Grow(partials, partials_size_, block_partials);
    if (static_cast<int64_t>(loop.size()) < pass.edge_width) loop.resize(static_cast<size_t>(pass.edge_width));
  }

 private:
  static void Grow(AlignedPointer<float>& memory, int64_t& size, int64_t wanted) {
    if (size >= wanted) return;
    memory.reset(static_cast<float*>(AllocateAligned(static_cast<size_t>(wanted) * sizeof(float))));
    std::fill_n(memory.get(), wanted, 0.0f);
    size = wanted;
  }
  int64_t weights_size_ = 0, partials_size_ = 0;
};

// The features of the loop that the layer adds to target i.
void FillLoop(const GraphAggregation& pass, int64_t i, float* loop) {
  const int64_t width = pass.edge_width;
  if (pass.fill == LoopFill::kConstant) {
    std::fill(loop, loop + width, pass.fill_constant);
    return;
  }
  std::fill(loop, loop + width, pass.fill == LoopFill::kMul ? 1.0f : 0.0f);
  int64_t count = 0;
  for (int64_t e = pass.offsets[i]; e < pass.offsets[i + 1]; ++e) {
    if (pass.sources[e] == i) continue;
    const float* edge = pass.edge_features + e * width;
    for (int64_t k = 0; k < width; ++k) {
      switch (pass.fill) {
        case LoopFill::kMean:
        case LoopFill::kAdd:
          loop[k] += edge[k];
          break;
        case LoopFill::kMin:
          loop[k] = count == 0 ? edge[k] : std::min(loop[k], edge[k]);
          break;
        case LoopFill::kMax:
          loop[k] = count == 0 ? edge[k] : std::max(loop[k], edge[k]);
          break;
        case LoopFill::kMul:
          loop[k] *= edge[k];
          break;
        case LoopFill::kConstant:
          break;
      }
    }
    ++count;
  }
  if (pass.fill == LoopFill::kMean && count > 0) {
    for (int64_t k = 0; k < width; ++k) loop[k] /= static_cast<float>(count);
  }
}

bool AddsLoop(const GraphAggregation& pass, int64_t i) {
  return pass.layout.kind == GraphConvolution::kGcn ? pass.loop_weight[i] != 0 : pass.add_self_loops;
}

// Scales what a chunk left in the coefficients of edges [first, last), and of the loop.
void ScaleCoefficients(const GraphAggregation& pass, int64_t i, int64_t first, int64_t last, bool loop,
                       const float* largest_of_chunk, const Partial& total) {
  if (pass.layout.kind == GraphConvolution::kGcn) return;
  const int64_t heads = pass.layout.heads;
  for (int64_t h = 0; h < heads; ++h) {
    const float factor = std::exp(largest_of_chunk[h] - total.largest[h]) / (total.sum[h] + kSoftmaxEpsilon);
    for (int64_t e = first; e < last; ++e) pass.edge_coefficients[e * heads + h] *= factor;
    if (loop) pass.loop_coefficients[i * heads + h] *= factor;
  }
}

int64_t Degree(const GraphAggregation& pass, int64_t i) { return pass.offsets[i + 1] - pass.offsets[i]; }
int64_t Chunks(int64_t degree) { return std::max<int64_t>(1, (degree + kChunkEdges - 1) / kChunkEdges); }

}  // namespace
}  // namespace heed
#endif

HWY_BEFORE_NAMESPACE();
namespace heed {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 8>;
using Vector = hn::Vec<Floats>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Floats()));
using WideFloats = hn::CappedTag<float, 16>;
constexpr int64_t kWideLanes = static_cast<int64_t>(hn::MaxLanes(WideFloats()));

// to[j] = the sum of v[j]'s lanes, added up as SumOfLanes does: halves, then halves of these.
HWY_INLINE void StoreSums(const Vector (&v)[8], float* HWY_RESTRICT to) {
  const Floats d;
#if HWY_TARGET <= HWY_AVX2
  const hn::RepartitionToWide<Floats> wide;
  // Adds the lower and the upper block of each vector, and puts the two sums side by side.
  const auto blocks = [&](Vector a, Vector b)
                          HWY_ATTR { return hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a)); };
  // Within the blocks of two vectors: lanes 0 + 2 and 1 + 3 of `a`, then of `b`.
  const auto pairs = [&](Vector a, Vector b) HWY_ATTR {
    const auto a_pairs = hn::BitCast(wide, a), b_pairs = hn::BitCast(wide, b);
    return hn::Add(hn::BitCast(d, hn::InterleaveLower(wide, a_pairs, b_pairs)),
                   hn::BitCast(d, hn::InterleaveUpper(wide, a_pairs, b_pairs)));
  };
  // Blocks hold the halves of (0, 4), (1, 5), (2, 6), (3, 7).
  const Vector a = pairs(blocks(v[0], v[4]), blocks(v[2], v[6]));
  const Vector b = pairs(blocks(v[1], v[5]), blocks(v[3], v[7]));
  hn::StoreU(hn::Add(hn::OddEven(hn::DupEven(b), a), hn::OddEven(b, hn::DupOdd(a))), d, to);
#else
  for (int j = 0; j < 8; ++j) to[j] = hn::GetLane(hn::SumOfLanes(d, v[j]));
#endif
}

// Reduces targets of one pass: a part of them, or a chunk of one.
class Reducer {
 public:
  Reducer(const GraphAggregation& pass, Scratch& scratch)
      : pass_(pass),
        scratch_(scratch),
        kind_(pass.layout.kind),
        heads_(pass.layout.heads),
        stride_(pass.layout.score_stride()),
        head_stride_(pass.layout.head_stride()),
        width_(pass.layout.values_width()),
        scores_room_(ScoresRoom(pass.layout)),
        block_edges_(kind_ == GraphConvolution::kGatv2 ? kDynamicBlockEdges : kBlockEdges),
        last_edge_(pass.offsets[pass.out.rows] - 1),
        prefetch_(last_edge_ >= 0 &&
                  pass.values.rows * width_ * static_cast<int64_t>(sizeof(float)) > kPrefetchValuesBytes),
        leaves_out_(pass.has_loops && pass.add_self_loops),
        plain_(pass.edge_width == 0 && pass.negative_slope >= 0 && pass.negative_slope <= 1),
        values_(pass.values.data),
        values_stride_(pass.values.stride),
        scores_(pass.source_scores.data),
        scores_stride_(pass.source_scores.stride),
        weights_(scratch.weights.get()),
        loop_features_(scratch.loop.data()) {}

  // Targets [first, last), none of which has more than one chunk; finish(edges, sums) for each.
  template <typename Finish>
  HWY_INLINE void ReduceTargets(int64_t first, int64_t last, Finish finish) {
    float* const scores = scratch_.partials.get();
    float* const values = scores + 2 * (kBlockEdges + 1) * scores_room_;
    for (int64_t begin = first; begin < last;) {
      int64_t end = begin, edges = 0, room = 0;
      for (; end < last && edges < block_edges_ && end - begin < block_edges_; ++end) {
        if (prefetch_ && end + kPrefetchTargets < pass_.out.rows) PrefetchTarget(end + kPrefetchTargets);
        const TargetEdges target = EdgesOf(end);
        float* const largest = scores + 2 * (end - begin) * scores_room_;
        Weigh(target, weights_ + room, {largest, largest + scores_room_, values});
        room += Padded(target.count * stride_);
        edges += target.count;
      }
      room = 0;
      for (int64_t i = begin; i < end; ++i) {
        const TargetEdges target = EdgesOf(i);
        float* const largest = scores + 2 * (i - begin) * scores_room_;
        WeightedSums(target, weights_ + room, values);
        room += Padded(target.count * stride_);
        finish(target, Partial{largest, largest + scores_room_, values});
      }
      begin = end;
    }
  }

  // Edges [first, last) of target i, and with `loop` the added loop behind them.
  HWY_INLINE void ReduceChunk(int64_t i, int64_t first, int64_t last, bool loop, const Partial& to) {
    const TargetEdges target = {i, first, last - first, last - first + (loop ? 1 : 0)};
    Weigh(target, weights_, to);
    WeightedSums(target, weights_, to.values);
  }

 private:
  static int64_t Padded(int64_t weights) { return (weights + kWeightsPadding - 1) / kWeightsPadding * kWeightsPadding; }
  TargetEdges EdgesOf(int64_t i) const {
    const int64_t degree = Degree(pass_, i);
    return {i, pass_.offsets[i], degree, degree + (AddsLoop(pass_, i) ? 1 : 0)};
  }
  int64_t SourceOf(const TargetEdges& target, int64_t e) const {
    return e < target.edges ? pass_.sources[target.first + e] : target.target;
  }
  const float* Values(int64_t node) const { return values_ + node * values_stride_; }
  const float* EdgeFeatures(const TargetEdges& target, int64_t e) const {
    return e < target.edges ? pass_.edge_features + (target.first + e) * pass_.edge_width : loop_features_;
  }
  // A later target's own part, and its values for the added loop.
  HWY_INLINE void PrefetchTarget(int64_t target) const {
    const float* row = pass_.own.row(target);
    for (int64_t column = 0; column < pass_.own.cols; column += 16) hwy::Prefetch(row + column);
    PrefetchRow(Values(target));
  }
  // What an edge behind this one will need, of a later target too.
  HWY_INLINE void PrefetchValues(int64_t edge) const {
    PrefetchRow(Values(pass_.sources[std::min(edge + kPrefetchValues, last_edge_)]));
  }
  HWY_INLINE void PrefetchRow(const float* values) const {
    for (int64_t c = 0; c < width_; c += 16) __builtin_prefetch(values + c, /*rw=*/0, /*locality=*/2);
  }
  HWY_INLINE void PrefetchScores(int64_t edge) const {
    const float* row = scores_ + pass_.sources[std::min(edge + kPrefetchScores, last_edge_)] * scores_stride_;
    for (int64_t column = 0; column < stride_; column += 16) hwy::Prefetch(row + column);
  }

  // The target's logits, and their softmax but for the division by its sum.
  HWY_INLINE void Weigh(const TargetEdges& target, float* HWY_RESTRICT weights, const Partial& to) {
    switch (kind_) {
      case GraphConvolution::kGat:
        if (plain_) {
          AdditiveLogits<true>(target, weights);
        } else {
          AdditiveLogits<false>(target, weights);
        }
        Softmax(target, weights, to);
        break;
      case GraphConvolution::kGatv2:
        if (plain_) {
          DynamicLogits<true>(target, weights);
        } else {
          DynamicLogits<false>(target, weights);
        }
        Softmax(target, weights, to);
        break;
      case GraphConvolution::kGcn:
        NormalizedWeights(target, weights);
        break;
    }
    if (pass_.loop_coefficients != nullptr) CopyCoefficients(target, weights);
  }

  void FillLoopFeatures(const TargetEdges& target) const {
    if (target.count > target.edges && pass_.edge_width > 0) FillLoop(pass_, target.target, loop_features_);
  }

  template <bool kPlain, class D>
  HWY_INLINE hn::Vec<D> Leaky(D d, hn::Vec<D> x) const {
    const hn::Vec<D> scaled = hn::Mul(x, hn::Set(d, pass_.negative_slope));
    return kPlain ? hn::Max(x, scaled) : hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, scaled);
  }

  // e_ij = LeakyReLU(s_j + t_i + a_e . x_e)
  template <bool kPlain>
  HWY_INLINE void AdditiveLogits(const TargetEdges& target, float* HWY_RESTRICT weights) {
    if (!kPlain) FillLoopFeatures(target);
    switch (stride_) {
      case 1:
        return AdditiveLogits<kPlain, hn::CappedTag<float, 1>>(target, weights);
      case 2:
        return AdditiveLogits<kPlain, hn::CappedTag<float, 2>>(target, weights);
      case 4:
        return AdditiveLogits<kPlain, hn::CappedTag<float, 4>>(target, weights);
      default:
        return AdditiveLogits<kPlain, Floats>(target, weights);
    }
  }
  template <bool kPlain, class D>
  HWY_INLINE void AdditiveLogits(const TargetEdges& target, float* HWY_RESTRICT weights) {
    const D d;
    constexpr int64_t kHeads = static_cast<int64_t>(hn::MaxLanes(d));
    const float* HWY_RESTRICT own = pass_.own.row(target.target);
    const int64_t stride = kHeads < kLanes ? kHeads : stride_;
    for (int64_t h = 0; h < stride; h += kHeads) {
      const auto of_target = hn::LoadU(d, own + h);
      for (int64_t e = 0; e < target.count; ++e) {
        if (prefetch_ && h == 0) {
          PrefetchScores(target.first + e);
          PrefetchValues(target.first + e);
        }
        auto x = hn::Add(hn::LoadU(d, scores_ + SourceOf(target, e) * scores_stride_ + h), of_target);
        if (!kPlain) {
          for (int64_t k = 0; k < pass_.edge_width; ++k) {
            x = hn::MulAdd(hn::Set(d, EdgeFeatures(target, e)[k]), hn::LoadU(d, pass_.edge_map + k * stride_ + h), x);
          }
        }
        hn::StoreU(Leaky<kPlain>(d, x), d, weights + e * stride + h);
      }
    }
  }

  // e_ij = a . LeakyReLU(l_j + r_i + W_e x_e)
  template <bool kPlain>
  HWY_INLINE void DynamicLogits(const TargetEdges& target, float* HWY_RESTRICT weights) {
    if (!kPlain) FillLoopFeatures(target);
    const bool narrow = head_stride_ == kLanes && heads_ == stride_;
    switch (stride_) {
      case 1:
        return DynamicLogits<kPlain, 1, false>(target, weights);
      case 2:
        return DynamicLogits<kPlain, 2, false>(target, weights);
      case 4:
        return DynamicLogits<kPlain, 4, false>(target, weights);
      default:
        return narrow ? DynamicLogits<kPlain, 8, true>(target, weights)
                      : DynamicLogits<kPlain, 8, false>(target, weights);
    }
  }

  // Eight logits at a time: of kStride heads of 8 / kStride edges. kNarrow: all heads are real and one vector wide.
  template <bool kPlain, int kStride, bool kNarrow>
  HWY_INLINE void DynamicLogits(const TargetEdges& target, float* HWY_RESTRICT weights) {
    const Floats d;
    constexpr int kEdges = 8 / kStride;
    const float* HWY_RESTRICT own = pass_.own.row(target.target);
    const float* HWY_RESTRICT attention = pass_.attention;
    const int64_t head_stride = kNarrow ? kLanes : head_stride_;
    const int64_t stride = kStride < 8 ? kStride : stride_;
    for (int64_t e = 0; e < target.count; e += kEdges) {
      // The last edge takes the place of edges that do not exist, and the last head that of heads: their results are
      // overwritten later, or belong to no head.
      const float* rows[kEdges];
      const float* features[kEdges];
#pragma GCC unroll 8
      for (int n = 0; n < kEdges; ++n) {
        const int64_t edge = n == 0 ? e : std::min<int64_t>(e + n, target.count - 1);
        if (prefetch_) PrefetchValues(target.first + edge);
        rows[n] = Values(SourceOf(target, edge));
        features[n] = kPlain ? nullptr : EdgeFeatures(target, edge);
      }
      for (int64_t group = 0; group < stride; group += 8) {
        Vector sums[8];
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) sums[j] = hn::Zero(d);
        for (int64_t c = 0; c < head_stride; c += kLanes) {
#pragma GCC unroll 8
          for (int j = 0; j < 8; ++j) {
            const int64_t head =
                kNarrow || kStride < 2 ? group + j % kStride : std::min(group + j % kStride, heads_ - 1);
            const int64_t column = head * head_stride + c;
            Vector x = hn::Add(hn::LoadU(d, rows[j / kStride] + column), hn::LoadU(d, own + column));
            if (!kPlain) {
              for (int64_t k = 0; k < pass_.edge_width; ++k) {
                x = hn::MulAdd(hn::Set(d, features[j / kStride][k]), hn::LoadU(d, pass_.edge_map + k * width_ + column),
                               x);
              }
            }
            sums[j] = hn::MulAdd(Leaky<kPlain>(d, x), hn::LoadU(d, attention + column), sums[j]);
          }
        }
        StoreSums(sums, weights + e * stride + group);
      }
    }
  }

  // w_ij = n_j w_e n_i
  HWY_INLINE void NormalizedWeights(const TargetEdges& target, float* HWY_RESTRICT weights) {
    const float norm = pass_.norm[target.target];
    const int32_t* HWY_RESTRICT sources = pass_.sources + target.first;
    for (int64_t e = 0; e < target.edges; ++e) {
      if (prefetch_) PrefetchValues(target.first + e);
      const float weight = pass_.edge_weights ? pass_.edge_features[target.first + e] : 1.0f;
      weights[e] = pass_.norm[sources[e]] * weight * norm;
    }
    if (target.count > target.edges) weights[target.edges] = norm * pass_.loop_weight[target.target] * norm;
    LeaveOut(target, weights, 0);
  }

  // The loops among the edges are left out where the layer adds its own.
  void LeaveOut(const TargetEdges& target, float* weights, float weight) const {
    if (!leaves_out_) return;
    for (int64_t e = 0; e < target.edges; ++e) {
      if (pass_.sources[target.first + e] == target.target) std::fill_n(weights + e * stride_, stride_, weight);
    }
  }

  // Logits become exp(logit - largest), for each head. Exp makes 0 of what is not a number; `not_finite` keeps it.
  HWY_INLINE void Softmax(const TargetEdges& target, float* HWY_RESTRICT weights, const Partial& to) const {
    const Floats d;
    const int64_t flat = target.count * stride_;
    LeaveOut(target, weights, kLeftOut);
    if (stride_ > kLanes) {
      for (int64_t h = 0; h < stride_; h += kLanes) {
        Vector largest = hn::Set(d, kLeftOut), sum = hn::Zero(d), not_finite = hn::Zero(d);
        for (int64_t j = h; j < flat; j += stride_) largest = hn::Max(largest, hn::LoadU(d, weights + j));
        for (int64_t j = h; j < flat; j += stride_) Exponential(d, weights + j, largest, sum, not_finite);
        hn::StoreU(largest, d, to.largest + h);
        hn::StoreU(hn::Add(sum, not_finite), d, to.sum + h);
      }
      return;
    }
    // A vector holds all heads of one or more edges. What stands behind the last one, up to whole vectors, does not
    // count.
    const WideFloats wide;
    const int64_t end = Padded(flat);
    for (int64_t j = flat; j < end; ++j) weights[j] = kLeftOut;
    auto wide_largest = hn::Set(wide, kLeftOut), not_finite = hn::Zero(wide);
    for (int64_t j = 0; j < flat; j += kWideLanes) wide_largest = hn::Max(wide_largest, hn::Load(wide, weights + j));
    const Vector largest = FoldHeads(FoldWide(wide_largest, MaxOf()), MaxOf());
    wide_largest = Widen(largest);
    Vector sum = hn::Zero(d);
    for (int64_t j = 0; j < flat; j += kWideLanes) Exponential(wide, weights + j, wide_largest, sum, not_finite);
    hn::StoreU(largest, d, to.largest);
    hn::StoreU(FoldHeads(hn::Add(sum, FoldWide(not_finite, SumOf())), SumOf()), d, to.sum);
  }

  // x = exp(x - largest), added to `sum`, its lower half first if it is wider.
  template <class D>
  static HWY_INLINE void Exponential(D d, float* HWY_RESTRICT x, hn::Vec<D> largest, Vector& sum,
                                     hn::Vec<D>& not_finite) {
    const auto logit = hn::LoadU(d, x);
    const auto e = hn::Exp(d, hn::Sub(logit, largest));
    AddUp(e, sum);
    not_finite = hn::MulAdd(logit, hn::Zero(d), not_finite);
    hn::StoreU(e, d, x);
  }

  struct MaxOf {
    HWY_INLINE Vector operator()(Vector a, Vector b) const { return hn::Max(a, b); }
  };
  struct SumOf {
    HWY_INLINE Vector operator()(Vector a, Vector b) const { return hn::Add(a, b); }
  };
#if HWY_TARGET <= HWY_AVX3
  static HWY_INLINE void AddUp(hn::Vec<WideFloats> wide, Vector& sum) {
    const Floats d;
    sum = hn::Add(hn::Add(sum, hn::LowerHalf(d, wide)), hn::UpperHalf(d, wide));
  }
  template <class Combine>
  static HWY_INLINE Vector FoldWide(hn::Vec<WideFloats> wide, Combine combine) {
    const Floats d;
    return combine(hn::LowerHalf(d, wide), hn::UpperHalf(d, wide));
  }
  static HWY_INLINE hn::Vec<WideFloats> Widen(Vector v) { return hn::Combine(WideFloats(), v, v); }
#else
  template <class Combine>
  static HWY_INLINE Vector FoldWide(Vector v, Combine) {
    return v;
  }
  static HWY_INLINE Vector Widen(Vector v) { return v; }
#endif
  static HWY_INLINE void AddUp(Vector v, Vector& sum) { sum = hn::Add(sum, v); }

  // In every lane the lanes of its head combined: those whose numbers are the same modulo stride_ (a divisor of
  // kLanes).
  template <class Combine>
  HWY_INLINE Vector FoldHeads(Vector v, [[maybe_unused]] Combine combine) const {
    [[maybe_unused]] const Floats d;
#if HWY_TARGET != HWY_SCALAR
#if HWY_TARGET <= HWY_AVX2
    if (stride_ <= 4) v = combine(v, hn::ConcatLowerUpper(d, v, v));
#endif
    if (stride_ <= 2) v = combine(v, hn::Shuffle1032(v));
    if (stride_ == 1) v = combine(v, hn::Shuffle2301(v));
#endif
    return v;
  }

  // to [values_width] = the sources' values times the weights of their edges.
  HWY_INLINE void WeightedSums(const TargetEdges& target, const float* weights, float* HWY_RESTRICT to) const {
    const int64_t vectors = head_stride_ / kLanes;  // of a head
    int64_t column = 0;
    // Eight vectors at a time: those of 8, 4 or 2 heads, or of a part of one.
    if (vectors == 1) {
      for (; column + 8 * kLanes <= width_; column += 8 * kLanes)
        WeightedSum<8, 1>(target, weights + column / kLanes, column, to);
    } else if (vectors == 2) {
      for (; column + 8 * kLanes <= width_; column += 8 * kLanes) {
        WeightedSum<8, 2>(target, weights + column / (2 * kLanes), column, to);
      }
    } else if (vectors == 4) {
      for (; column + 8 * kLanes <= width_; column += 8 * kLanes) {
        WeightedSum<8, 4>(target, weights + column / (4 * kLanes), column, to);
      }
    }
    for (int64_t head = column / head_stride_; head < heads_; ++head) {
      const int64_t end = (head + 1) * head_stride_;
      for (; column + 8 * kLanes <= end; column += 8 * kLanes) WeightedSum<8, 8>(target, weights + head, column, to);
      for (; column + 2 * kLanes <= end; column += 2 * kLanes) WeightedSum<2, 2>(target, weights + head, column, to);
      for (; column < end; column += kLanes) WeightedSum<1, 1>(target, weights + head, column, to);
    }
  }

  // to[column, column + V * kLanes) = sum_e weight_e value_e; kVectors vectors each take the weights of `head`, of the
  // head after it and so on. The sums stay in registers: the loops over them must be unrolled, which the compiler would
  // not do by itself.
  template <int V, int kVectors>
  HWY_INLINE void WeightedSum(const TargetEdges& target, const float* HWY_RESTRICT weight, int64_t column,
                              float* HWY_RESTRICT to) const {
    const Floats d;
    Vector sum[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[v] = hn::Zero(d);
    const float* HWY_RESTRICT values = values_ + column;
    const int32_t* HWY_RESTRICT sources = pass_.sources + target.first;
    for (int64_t e = 0; e < target.edges; ++e, weight += stride_) {
      AddWeighted<V, kVectors>(weight, values + sources[e] * values_stride_, sum);
    }
    if (target.count > target.edges) AddWeighted<V, kVectors>(weight, values + target.target * values_stride_, sum);
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) hn::StoreU(sum[v], d, to + column + v * kLanes);
  }
  template <int V, int kVectors>
  static HWY_INLINE void AddWeighted(const float* HWY_RESTRICT weight, const float* HWY_RESTRICT row,
                                     Vector (&sum)[V]) {
    const Floats d;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      sum[v] = hn::MulAdd(hn::Set(d, weight[v / kVectors]), hn::LoadU(d, row + v * kLanes), sum[v]);
    }
  }

  void CopyCoefficients(const TargetEdges& target, const float* weights) const {
    for (int64_t e = 0; e < target.edges; ++e) {
      std::copy_n(weights + e * stride_, heads_, pass_.edge_coefficients + (target.first + e) * heads_);
    }
    if (target.count > target.edges) {
      std::copy_n(weights + target.edges * stride_, heads_, pass_.loop_coefficients + target.target * heads_);
    }
  }

  const GraphAggregation& pass_;
  Scratch& scratch_;
  const GraphConvolution kind_;
  const int64_t heads_, stride_, head_stride_, width_, scores_room_;  // stride_: of the weights of one edge
  const int64_t block_edges_;
  const int64_t last_edge_;  // of the whole pass
  const bool prefetch_, leaves_out_;
  const bool plain_;  // no edge features, and a slope of which LeakyReLU is the larger of two products
  const float* const values_;
  const int64_t values_stride_;
  const float* const scores_;
  const int64_t scores_stride_;
  float* const weights_;
  float* const loop_features_;
};

// out_i = concat or mean over heads of values / (sum + epsilon), + residual + bias.
HWY_INLINE void FinishTarget(const GraphAggregation& pass, int64_t i, const Partial& from) {
  const Floats d;
  const ProjectionLayout& layout = pass.layout;
  float* HWY_RESTRICT to = pass.out.row(i);
  const int64_t head_stride = layout.head_stride(), out = layout.out();
  const bool softmax = layout.kind != GraphConvolution::kGcn;
  const float* residual = layout.residual ? pass.own.row(i) + layout.residual_column() : nullptr;
  if (layout.concat && layout.channels == head_stride) {  // nothing to leave out between heads
    for (int64_t h = 0; h < layout.heads; ++h) {
      const Vector factor = hn::Set(d, softmax ? 1.0f / (from.sum[h] + kSoftmaxEpsilon) : 1.0f);
      for (int64_t c = h * head_stride; c < (h + 1) * head_stride; c += kLanes) {
        Vector x = hn::Mul(hn::LoadU(d, from.values + c), factor);
        if (residual != nullptr) x = hn::Add(x, hn::LoadU(d, residual + c));
        if (pass.bias != nullptr) x = hn::Add(x, hn::LoadU(d, pass.bias + c));
        hn::StoreU(x, d, to + c);
      }
    }
    return;
  }
  const float share = layout.concat ? 1.0f : 1.0f / static_cast<float>(layout.heads);
  for (int64_t h = 0; h < layout.heads; ++h) {
    const float factor = (softmax ? 1.0f / (from.sum[h] + kSoftmaxEpsilon) : 1.0f) * share;
    const float* HWY_RESTRICT values = from.values + h * head_stride;
    float* HWY_RESTRICT of_head = layout.concat ? to + h * layout.channels : to;
    const bool first = layout.concat || h == 0;
    for (int64_t c = 0; c < layout.channels; ++c) of_head[c] = (first ? 0.0f : of_head[c]) + values[c] * factor;
  }
  const auto add = [&](const float* HWY_RESTRICT terms) HWY_ATTR {
    int64_t c = 0;
    for (; c + kLanes <= out; c += kLanes)
      hn::StoreU(hn::Add(hn::LoadU(d, to + c), hn::LoadU(d, terms + c)), d, to + c);
    for (; c < out; ++c) to[c] += terms[c];
  };
  if (residual != nullptr) add(residual);
  if (pass.bias != nullptr) add(pass.bias);
}

// Targets [first, last), none of which has more than one chunk.
void ReduceTargetsOnTarget(const GraphAggregation& pass, int64_t first, int64_t last, Scratch& scratch,
                           absl::FunctionRef<void(float* row)> done) {
  Reducer(pass, scratch).ReduceTargets(first, last, [&](const TargetEdges& edges, const Partial& sums) HWY_ATTR {
    const int64_t i = edges.target;
    if (pass.loop_coefficients != nullptr) {
      ScaleCoefficients(pass, i, pass.offsets[i], pass.offsets[i + 1], edges.count > edges.edges, sums.largest, sums);
    }
    FinishTarget(pass, i, sums);
    done(pass.out.row(i));
  });
}

void FinishTargetOnTarget(const GraphAggregation& pass, int64_t i, const Partial& from) { FinishTarget(pass, i, from); }

void ReduceChunkOnTarget(const GraphAggregation& pass, int64_t i, int64_t first, int64_t last, bool loop,
                         Scratch& scratch, const Partial& to) {
  Reducer(pass, scratch).ReduceChunk(i, first, last, loop, to);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(ReduceChunkOnTarget);
HWY_EXPORT(ReduceTargetsOnTarget);
HWY_EXPORT(FinishTargetOnTarget);

namespace {

// Targets of one range with about this many edges make a part of the work; so does each chunk of a larger target.
constexpr int64_t kEdgesPerPart = 4096;

struct Part {
  int64_t range;
  int64_t first, last;       // targets
  int64_t chunk = -1;        // of the only target, if it has several
  float* partial = nullptr;  // where that chunk's goes
};

// Adds a later chunk's sums to those of the chunks before it.
void Merge(const ProjectionLayout& layout, const Partial& later, const Partial& sums) {
  const int64_t head_stride = layout.head_stride();
  for (int64_t h = 0; h < layout.heads; ++h) {
    float mine = 1, its = 1;
    if (layout.kind != GraphConvolution::kGcn) {
      const float largest = std::max(sums.largest[h], later.largest[h]);
      mine = std::exp(sums.largest[h] - largest);
      its = std::exp(later.largest[h] - largest);
      sums.largest[h] = largest;
      sums.sum[h] = sums.sum[h] * mine + later.sum[h] * its;
    }
    for (int64_t c = h * head_stride; c < (h + 1) * head_stride; ++c) {
      sums.values[c] = sums.values[c] * mine + later.values[c] * its;
    }
  }
}

Scratch& ThreadScratch(const GraphAggregation& pass) {
  thread_local Scratch scratch;
  scratch.Fit(pass);
  return scratch;
}

void OneChunk(const GraphAggregation& pass, int64_t i, int64_t chunk, float* partial) {
  const int64_t first = pass.offsets[i] + chunk * kChunkEdges;
  const int64_t last = std::min(first + kChunkEdges, pass.offsets[i + 1]);
  const bool loop = last == pass.offsets[i + 1] && AddsLoop(pass, i);
  HWY_DYNAMIC_DISPATCH(ReduceChunkOnTarget)
  (pass, i, first, last, loop, ThreadScratch(pass), PartialAt(partial, pass.layout));
}

// The chunks of a target, one behind the other in `partials`, become its sums.
void MergeChunks(const GraphAggregation& pass, int64_t i, float* partials) {
  const int64_t size = PartialSize(pass.layout), chunks = Chunks(Degree(pass, i));
  std::vector<float> memory(partials, partials + size);
  const Partial sums = PartialAt(memory.data(), pass.layout);
  for (int64_t chunk = 1; chunk < chunks; ++chunk) {
    Merge(pass.layout, PartialAt(partials + chunk * size, pass.layout), sums);
  }
  for (int64_t chunk = 0; chunk < chunks && pass.loop_coefficients != nullptr; ++chunk) {
    const int64_t first = pass.offsets[i] + chunk * kChunkEdges;
    const int64_t last = std::min(first + kChunkEdges, pass.offsets[i + 1]);
    ScaleCoefficients(pass, i, first, last, chunk + 1 == chunks && AddsLoop(pass, i),
                      PartialAt(partials + chunk * size, pass.layout).largest, sums);
  }
  HWY_DYNAMIC_DISPATCH(FinishTargetOnTarget)(pass, i, sums);
}

}  // namespace

int64_t ProjectionLayout::score_stride() const {
  if (kind == GraphConvolution::kGcn) return 1;
  int64_t stride = 1;
  while (stride < heads && stride < 8) stride *= 2;
  return stride < 8 ? stride : (heads + 7) / 8 * 8;
}

int64_t ProjectionLayout::residual_column() const {
  switch (kind) {
    case GraphConvolution::kGat:
      return score_stride();
    case GraphConvolution::kGatv2:
      return values_width();
    case GraphConvolution::kGcn:
      break;
  }
  return 0;
}

void GraphAggregation::UseTable(ConstMatrixView table) {
  values = table.Cols(0, layout.values_width());
  source_scores = table.Cols(layout.values_width(), layout.source_scores_width());
  own = table.Cols(layout.own_column(), layout.own_width());
}

void Aggregate(absl::Span<const AggregationRange> ranges, Context& context,
               absl::FunctionRef<void(int64_t range, float* row)> done) {
  Arena::Scope scope(context.arena);
  std::vector<Part> parts, large;
  for (int64_t r = 0; r < static_cast<int64_t>(ranges.size()); ++r) {
    const AggregationRange& range = ranges[static_cast<size_t>(r)];
    const GraphAggregation& pass = *range.pass;
    int64_t begin = range.first;
    const auto close = [&](int64_t end) {
      if (begin < end) parts.push_back({r, begin, end});
      begin = end;
    };
    for (int64_t i = range.first; i < range.last; ++i) {
      if (Degree(pass, i) > kChunkEdges) {
        const int64_t chunks = Chunks(Degree(pass, i));
        close(i);
        const int64_t size = PartialSize(pass.layout);
        float* partials = context.arena.Take<float>(static_cast<size_t>(chunks * size));
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
          parts.push_back({r, i, i + 1, chunk, partials + chunk * size});
        }
        large.push_back({r, i, i + 1, 0, partials});
        begin = i + 1;
      } else if (pass.offsets[i + 1] - pass.offsets[begin] + i - begin >= kEdgesPerPart) {
        close(i + 1);
      }
    }
    close(range.last);
  }
  context.team.Run(static_cast<int64_t>(parts.size()), [&](int64_t p) {
    const Part& part = parts[static_cast<size_t>(p)];
    const GraphAggregation& pass = *ranges[static_cast<size_t>(part.range)].pass;
    if (part.chunk >= 0) {
      OneChunk(pass, part.first, part.chunk, part.partial);
      return;
    }
    HWY_DYNAMIC_DISPATCH(ReduceTargetsOnTarget)
    (pass, part.first, part.last, ThreadScratch(pass), [&](float* row) { done(part.range, row); });
  });
  context.team.Run(static_cast<int64_t>(large.size()), [&](int64_t p) {
    const Part& part = large[static_cast<size_t>(p)];
    const GraphAggregation& pass = *ranges[static_cast<size_t>(part.range)].pass;
    MergeChunks(pass, part.first, part.partial);
    done(part.range, pass.out.row(part.first));
  });
}

}  // namespace heed
#endif
