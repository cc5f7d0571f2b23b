// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/graph_aggregation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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
// How many edges, and targets, ahead rows of the table are fetched, and from what size of a table on: below it sits in
// the cache.
constexpr int64_t kPrefetchEdges = 16;
constexpr int64_t kPrefetchTargets = 3;
constexpr int64_t kPrefetchTableBytes = 2 << 20;

// What one chunk of a target's edges adds up to. `largest` and `sum` [score_stride], `values` [values_width]: the sums
// of exp(e - largest) and of that times the sources' values. GCN: of the weights times the values alone.
struct Partial {
  float* largest;
  float* sum;
  float* values;
};
int64_t PartialSize(const ProjectionLayout& layout) {
  return 2 * std::max<int64_t>(8, layout.score_stride()) + layout.values_width();
}
Partial PartialAt(float* memory, const ProjectionLayout& layout) {
  const int64_t scores = std::max<int64_t>(8, layout.score_stride());
  return {memory, memory + scores, memory + 2 * scores};
}

// What a thread needs for one chunk, kept between calls.
struct Scratch {
  std::vector<float> weights;  // [(kChunkEdges + 1) * score_stride], rounded up to whole vectors
  std::vector<float> loop;     // [edge_width] features of the added self-loop
  std::vector<float> partial;  // a Partial
  void Fit(const GraphAggregation& pass) {
    const auto grow = [](std::vector<float>& vector, int64_t size) {
      if (static_cast<int64_t>(vector.size()) < size) vector.resize(static_cast<size_t>(size));
    };
    grow(weights, (kChunkEdges + 1) * pass.layout.score_stride() + 16);
    grow(loop, pass.edge_width);
    grow(partial, PartialSize(pass.layout));
  }
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

// Chunks of one pass: edges [first, last) of target i, and with `loop` the added loop behind them. While a chunk is
// reduced, weights_ holds [edge, score_stride] logits, then weights.
class ChunkReducer {
 public:
  ChunkReducer(const GraphAggregation& pass, Scratch& scratch)
      : pass_(pass),
        kind_(pass.layout.kind),
        heads_(pass.layout.heads),
        stride_(pass.layout.score_stride()),
        head_stride_(pass.layout.head_stride()),
        width_(pass.layout.values_width()),
        row_width_(pass.layout.width()),
        source_width_(kind_ == GraphConvolution::kGat ? pass.layout.target_scores() : width_),
        last_edge_(pass.offsets[pass.out.rows] - 1),
        prefetch_(pass.table.rows * pass.table.stride * static_cast<int64_t>(sizeof(float)) > kPrefetchTableBytes),
        leaves_out_(pass.has_loops && pass.add_self_loops),
        table_(pass.table.data),
        table_stride_(pass.table.stride),
        weights_(scratch.weights.data()),
        loop_features_(scratch.loop.data()) {}

  HWY_INLINE void Reduce(int64_t i, int64_t first, int64_t last, bool loop, const Partial& to) {
    i_ = i;
    first_ = first;
    edges_ = last - first;
    count_ = edges_ + (loop ? 1 : 0);
    sources_ = pass_.sources + first;
    if (prefetch_) PrefetchTarget(i);
    if (loop && pass_.edge_width > 0 && kind_ != GraphConvolution::kGcn) FillLoop(pass_, i, loop_features_);
    switch (kind_) {
      case GraphConvolution::kGat:
        AdditiveLogits(to);
        Softmax(to);
        break;
      case GraphConvolution::kGatv2:
        DynamicLogits(to);
        Softmax(to);
        break;
      case GraphConvolution::kGcn:
        NormalizedWeights();
        break;
    }
    WeightedSums(to.values);
    if (pass_.loop_coefficients != nullptr) CopyCoefficients();
  }

 private:
  int64_t SourceOf(int64_t e) const { return e < edges_ ? sources_[e] : i_; }
  const float* Row(int64_t node) const { return table_ + node * table_stride_; }
  const float* EdgeFeatures(int64_t e) const {
    return e < edges_ ? pass_.edge_features + (first_ + e) * pass_.edge_width : loop_features_;
  }
  // The loops among the edges are left out where the layer adds its own.
  bool LeftOut(int64_t e) const { return leaves_out_ && e < edges_ && sources_[e] == i_; }

  // The own row of a later target, which does not come from its edges.
  HWY_INLINE void PrefetchTarget(int64_t i) const {
    const float* row = Row(std::min(i + kPrefetchTargets, pass_.out.rows - 1));
    for (int64_t column = 0; column < row_width_; column += 16) hwy::Prefetch(row + column);
  }

  // Part `part` of two of what later edges will need, also those of the targets behind this one. The two are asked for
  // in different loops, so that the memory is kept busy while the processor computes.
  HWY_INLINE void Prefetch(int64_t e, int part) const {
    const float* row = Row(pass_.sources[std::min(first_ + e + kPrefetchEdges, last_edge_)]);
    const int64_t half = (source_width_ + 31) / 32 * 16;
    const int64_t end = part == 0 ? half : source_width_;
    for (int64_t column = part == 0 ? 0 : half; column < end; column += 16) hwy::Prefetch(row + column);
  }

  // e_ij = LeakyReLU(s_j + t_i + a_e . x_e)
  HWY_INLINE void AdditiveLogits(const Partial& sums) {
    const Floats d;
    const float* target = Row(i_) + pass_.layout.target_scores();
    const Vector slope = hn::Set(d, pass_.negative_slope);
    const auto leaky = [&](Vector x) HWY_ATTR { return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(x, slope)); };
    if (stride_ >= 8) {
      for (int64_t h = 0; h < stride_; h += kLanes) {
        const Vector own = hn::LoadU(d, target + h);
        Vector largest = hn::Set(d, kLeftOut);
        for (int64_t e = 0; e < count_; ++e) {
          if (prefetch_ && h == 0 && e < edges_) Prefetch(e, 0);
          Vector x = hn::Add(hn::LoadU(d, Row(SourceOf(e)) + pass_.layout.source_scores() + h), own);
          for (int64_t k = 0; k < pass_.edge_width; ++k) {
            x = hn::MulAdd(hn::Set(d, EdgeFeatures(e)[k]), hn::LoadU(d, pass_.edge_map + k * stride_ + h), x);
          }
          x = LeftOut(e) ? hn::Set(d, kLeftOut) : leaky(x);
          largest = hn::Max(largest, x);
          hn::StoreU(x, d, weights_ + e * stride_ + h);
        }
        hn::StoreU(largest, d, sums.largest + h);
      }
      return;
    }
    for (int64_t e = 0; e < count_; ++e) {
      if (prefetch_ && e < edges_) Prefetch(e, 0);
      const float* HWY_RESTRICT scores = Row(SourceOf(e)) + pass_.layout.source_scores();
      float* HWY_RESTRICT to = weights_ + e * stride_;
      for (int64_t h = 0; h < stride_; ++h) {
        float x = scores[h] + target[h];
        for (int64_t k = 0; k < pass_.edge_width; ++k) x += EdgeFeatures(e)[k] * pass_.edge_map[k * stride_ + h];
        to[h] = x;
      }
    }
    const int64_t flat = count_ * stride_;
    for (int64_t j = 0; j < flat; j += kLanes) hn::StoreU(leaky(hn::LoadU(d, weights_ + j)), d, weights_ + j);
    LeaveOut(kLeftOut);
    FindLargest(sums);
  }

  // e_ij = a . LeakyReLU(l_j + r_i + W_e x_e)
  HWY_INLINE void DynamicLogits(const Partial& sums) {
    const Floats d;
    const Vector slope = hn::Set(d, pass_.negative_slope);
    const float* target = Row(i_) + pass_.layout.target_values();
    for (int64_t e = 0; e < count_; ++e) {
      if (prefetch_ && e < edges_) Prefetch(e, 0);
      const float* HWY_RESTRICT row = Row(SourceOf(e));
      float* HWY_RESTRICT to = weights_ + e * stride_;
      const float* features = pass_.edge_width > 0 ? EdgeFeatures(e) : nullptr;
      for (int64_t h = 0; h < heads_; ++h) {
        Vector sum = hn::Zero(d);
        for (int64_t c = h * head_stride_; c < (h + 1) * head_stride_; c += kLanes) {
          Vector x = hn::Add(hn::LoadU(d, row + c), hn::LoadU(d, target + c));
          for (int64_t k = 0; k < pass_.edge_width; ++k) {
            x = hn::MulAdd(hn::Set(d, features[k]), hn::LoadU(d, pass_.edge_map + k * width_ + c), x);
          }
          x = hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(x, slope));
          sum = hn::MulAdd(x, hn::LoadU(d, pass_.attention + c), sum);
        }
        to[h] = hn::GetLane(hn::SumOfLanes(d, sum));
      }
      for (int64_t h = heads_; h < stride_; ++h) to[h] = 0;
    }
    LeaveOut(kLeftOut);
    FindLargest(sums);
  }

  // w_ij = n_j w_e n_i
  HWY_INLINE void NormalizedWeights() {
    const float norm = pass_.norm[i_];
    for (int64_t e = 0; e < edges_; ++e) {
      if (prefetch_) Prefetch(e, 0);
      const float weight = pass_.edge_weights ? pass_.edge_features[first_ + e] : 1.0f;
      weights_[e] = pass_.norm[sources_[e]] * weight * norm;
    }
    if (count_ > edges_) weights_[edges_] = norm * pass_.loop_weight[i_] * norm;
    LeaveOut(0);
  }

  void LeaveOut(float weight) {
    if (!leaves_out_) return;
    for (int64_t e = 0; e < edges_; ++e) {
      if (LeftOut(e)) std::fill(weights_ + e * stride_, weights_ + (e + 1) * stride_, weight);
    }
  }

  // The largest logit of each head. Where a vector holds the weights of several edges, fills the last one up with what
  // does not count.
  HWY_INLINE void FindLargest(const Partial& to) {
    const Floats d;
    const int64_t flat = count_ * stride_;
    if (stride_ >= 8) {
      for (int64_t h = 0; h < stride_; h += kLanes) {
        Vector largest = hn::Set(d, kLeftOut);
        for (int64_t j = h; j < flat; j += stride_) largest = hn::Max(largest, hn::LoadU(d, weights_ + j));
        hn::StoreU(largest, d, to.largest + h);
      }
      return;
    }
    for (int64_t j = flat; j < flat + kLanes; ++j) weights_[j] = kLeftOut;
    Vector largest = hn::Set(d, kLeftOut);
    for (int64_t j = 0; j < flat; j += kLanes) largest = hn::Max(largest, hn::LoadU(d, weights_ + j));
    if (stride_ == 1) {
      to.largest[0] = hn::GetLane(hn::MaxOfLanes(d, largest));
    } else {
      FoldLanes(largest, to.largest, [](float a, float b) { return std::max(a, b); });
    }
  }

  // Logits become exp(logit - largest), for each head.
  HWY_INLINE void Softmax(const Partial& to) {
    const Floats d;
    const int64_t flat = count_ * stride_;
    if (stride_ >= 8) {
      for (int64_t h = 0; h < stride_; h += kLanes) {
        const Vector largest = hn::LoadU(d, to.largest + h);
        Vector sum = hn::Zero(d), not_finite = hn::Zero(d);
        for (int64_t j = h; j < flat; j += stride_) Exponential(weights_ + j, largest, sum, not_finite);
        hn::StoreU(hn::Add(sum, not_finite), d, to.sum + h);
      }
      return;
    }
    const Vector largest = RepeatHeads(to.largest);
    Vector sum = hn::Zero(d), not_finite = hn::Zero(d);
    for (int64_t j = 0; j < flat; j += kLanes) Exponential(weights_ + j, largest, sum, not_finite);
    if (stride_ == 1) {
      to.sum[0] = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum, not_finite)));
    } else {
      FoldLanes(hn::Add(sum, not_finite), to.sum, [](float a, float b) { return a + b; });
    }
  }

  // x = exp(x - largest), added to `sum`. Exp makes 0 of what is not a number; `not_finite` keeps it.
  static HWY_INLINE void Exponential(float* x, Vector largest, Vector& sum, Vector& not_finite) {
    const Floats d;
    const Vector exponent = hn::Sub(hn::LoadU(d, x), largest);
    const Vector e = hn::Exp(d, exponent);
    sum = hn::Add(sum, e);
    not_finite = hn::MulAdd(exponent, hn::Zero(d), not_finite);
    hn::StoreU(e, d, x);
  }

  // to[h] = the lanes of head h combined: those whose number is h modulo stride_ (1, 2, 4: a divisor of kLanes).
  template <typename Combine>
  HWY_INLINE void FoldLanes(Vector lanes, float* to, Combine combine) const {
    const Floats d;
    HWY_ALIGN float values[8];
    hn::Store(lanes, d, values);
    for (int64_t half = kLanes / 2; half >= stride_; half /= 2) {
      for (int64_t j = 0; j < half; ++j) values[j] = combine(values[j], values[j + half]);
    }
    for (int64_t h = 0; h < stride_; ++h) to[h] = values[h];
  }
  HWY_INLINE Vector RepeatHeads(const float* of_head) const {
    const Floats d;
    if (stride_ == 1) return hn::Set(d, of_head[0]);
    HWY_ALIGN float values[8];
    for (int64_t j = 0; j < kLanes; ++j) values[j] = of_head[j & (stride_ - 1)];
    return hn::Load(d, values);
  }

  HWY_INLINE void WeightedSums(float* HWY_RESTRICT to) const {
    if (head_stride_ == kLanes) {
      int64_t head = 0;
      for (; head + 8 <= heads_; head += 8) WeightedSum<8, 1>(head, head * kLanes, to);
      for (; head < heads_; ++head) WeightedSum<1, 0>(head, head * kLanes, to);
      return;
    }
    for (int64_t head = 0; head < heads_; ++head) {
      int64_t column = head * head_stride_;
      const int64_t end = column + head_stride_;
      for (; column + 8 * kLanes <= end; column += 8 * kLanes) WeightedSum<8, 0>(head, column, to);
      for (; column + 2 * kLanes <= end; column += 2 * kLanes) WeightedSum<2, 0>(head, column, to);
      for (; column < end; column += kLanes) WeightedSum<1, 0>(head, column, to);
    }
  }

  // to[column, column + V * kLanes) = sum_e weight_e value_e; vector v takes the weights of `head`, or with kHeadStep 1
  // of the v-th head after it. The sums stay in registers: the loops over them must be unrolled, which the compiler
  // would not do by itself.
  template <int V, int kHeadStep>
  HWY_INLINE void WeightedSum(int64_t head, int64_t column, float* HWY_RESTRICT to) const {
    const Floats d;
    Vector sum[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[v] = hn::Zero(d);
    const float* HWY_RESTRICT weight = weights_ + head;
    const float* HWY_RESTRICT values = table_ + column;
    const auto add = [&](int64_t node) HWY_ATTR {
      const float* HWY_RESTRICT row = values + node * table_stride_;
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        sum[v] = hn::MulAdd(hn::Set(d, weight[v * kHeadStep]), hn::LoadU(d, row + v * kLanes), sum[v]);
      }
    };
    const bool prefetch = prefetch_ && column == 0;
    for (int64_t e = 0; e < edges_; ++e, weight += stride_) {
      if (prefetch) Prefetch(e, 1);
      add(sources_[e]);
    }
    if (count_ > edges_) add(i_);
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) hn::StoreU(sum[v], d, to + column + v * kLanes);
  }

  void CopyCoefficients() const {
    for (int64_t e = 0; e < edges_; ++e) {
      std::copy(weights_ + e * stride_, weights_ + e * stride_ + heads_,
                pass_.edge_coefficients + (first_ + e) * heads_);
    }
    if (count_ > edges_) {
      std::copy(weights_ + edges_ * stride_, weights_ + edges_ * stride_ + heads_,
                pass_.loop_coefficients + i_ * heads_);
    }
  }

  const GraphAggregation& pass_;
  const GraphConvolution kind_;
  const int64_t heads_, stride_, head_stride_, width_;  // stride_: of the weights of one edge
  const int64_t row_width_, source_width_;              // of a row, and of what is read of a source's
  const int64_t last_edge_;                             // of the whole pass
  const bool prefetch_, leaves_out_;
  const float* const table_;
  const int64_t table_stride_;
  float* const weights_;
  float* const loop_features_;

  // The chunk at hand.
  int64_t i_ = 0, first_ = 0, edges_ = 0, count_ = 0;
  const int32_t* sources_ = nullptr;
};

// out_i = concat or mean over heads of values / (sum + epsilon), + residual + bias.
HWY_INLINE void FinishTarget(const GraphAggregation& pass, int64_t i, const Partial& from) {
  const Floats d;
  const ProjectionLayout& layout = pass.layout;
  float* HWY_RESTRICT to = pass.out.row(i);
  const int64_t head_stride = layout.head_stride(), out = layout.out();
  const bool softmax = layout.kind != GraphConvolution::kGcn;
  const float* residual = layout.residual ? pass.table.row(i) + layout.residual_column() : nullptr;
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
  ChunkReducer reducer(pass, scratch);
  const Partial sums = PartialAt(scratch.partial.data(), pass.layout);
  for (int64_t i = first; i < last; ++i) {
    const bool loop = AddsLoop(pass, i);
    reducer.Reduce(i, pass.offsets[i], pass.offsets[i + 1], loop, sums);
    if (pass.loop_coefficients != nullptr) {
      ScaleCoefficients(pass, i, pass.offsets[i], pass.offsets[i + 1], loop, sums.largest, sums);
    }
    FinishTarget(pass, i, sums);
    done(pass.out.row(i));
  }
}

void FinishTargetOnTarget(const GraphAggregation& pass, int64_t i, const Partial& from) { FinishTarget(pass, i, from); }

void ReduceChunkOnTarget(const GraphAggregation& pass, int64_t i, int64_t first, int64_t last, bool loop,
                         Scratch& scratch, const Partial& to) {
  ChunkReducer(pass, scratch).Reduce(i, first, last, loop, to);
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
      return values_width() + 2 * score_stride();
    case GraphConvolution::kGatv2:
      return 2 * values_width();
    case GraphConvolution::kGcn:
      break;
  }
  return values_width();
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
