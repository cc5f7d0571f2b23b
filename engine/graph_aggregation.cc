#include "engine/graph_aggregation.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "hwy/cache_control.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/graph_aggregation.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
//
#include "hwy/contrib/math/math-inl.h"

#ifndef HEED_ENGINE_GRAPH_AGGREGATION_ONCE_
#define HEED_ENGINE_GRAPH_AGGREGATION_ONCE_
namespace heed {
namespace {

// The logit of an edge that is left out: far below every other, and its exponential is 0.
constexpr float kLeftOut = -1e30f;
// PyTorch Geometric adds it to the sum of a softmax.
constexpr float kSoftmaxEpsilon = 1e-16f;
// How many edges ahead rows of the table are fetched, and from what size of a table on: below it sits in the cache.
constexpr int64_t kPrefetchEdges = 12;
constexpr int64_t kPrefetchTableBytes = 1 << 18;

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
  std::vector<int32_t> sources;   // [kChunkEdges + 1]
  std::vector<float> weights;     // [(kChunkEdges + 1) * score_stride], rounded up to whole vectors
  std::vector<float> loop;        // [edge_width] features of the added self-loop
  std::vector<float> partial;     // a Partial
  void Fit(const GraphAggregation& pass) {
    const auto grow = [](auto& vector, int64_t size) {
      if (static_cast<int64_t>(vector.size()) < size) vector.resize(static_cast<size_t>(size));
    };
    grow(sources, kChunkEdges + 1);
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

// One chunk of target i: edges [first, last), and the added loop behind them. Weights stand as [edge, score_stride].
class Chunk {
 public:
  Chunk(const GraphAggregation& pass, int64_t i, int64_t first, int64_t last, bool loop, Scratch& scratch)
      : pass_(pass),
        layout_(pass.layout),
        stride_(pass.layout.score_stride()),
        pattern_(std::max<int64_t>(8, stride_)),
        i_(i),
        first_(first),
        edges_(last - first),
        count_(last - first + (loop ? 1 : 0)),
        flat_((count_ * stride_ + pattern_ - 1) / pattern_ * pattern_),
        sources_(scratch.sources.data()),
        weights_(scratch.weights.data()),
        loop_features_(scratch.loop.data()) {
    std::copy(pass.sources + first, pass.sources + last, sources_);
    if (loop) sources_[edges_] = static_cast<int32_t>(i);
    if (loop && pass.edge_width > 0 && layout_.kind != GraphConvolution::kGcn) FillLoop(pass, i, loop_features_);
  }

  HWY_ATTR void Reduce(const Partial& to) {
    switch (layout_.kind) {
      case GraphConvolution::kGat:
        AdditiveLogits();
        Softmax(to);
        break;
      case GraphConvolution::kGatv2:
        DynamicLogits();
        Softmax(to);
        break;
      case GraphConvolution::kGcn:
        NormalisedWeights();
        break;
    }
    int64_t column = 0;
    const int64_t width = layout_.values_width();
    for (; column + 8 * kLanes <= width; column += 8 * kLanes) WeightedSum<8>(column, to.values);
    for (; column + 4 * kLanes <= width; column += 4 * kLanes) WeightedSum<4>(column, to.values);
    for (; column < width; column += kLanes) WeightedSum<1>(column, to.values);
    if (pass_.loop_coefficients != nullptr) CopyCoefficients();
  }

 private:
  const float* Row(int64_t e) const { return pass_.table.row(sources_[e]); }
  const float* EdgeFeatures(int64_t e) const {
    return e < edges_ ? pass_.edge_features + (first_ + e) * pass_.edge_width : loop_features_;
  }
  // The loops among the edges are left out where the layer adds its own.
  bool LeftOut(int64_t e) const { return e < edges_ && sources_[e] == i_; }

  HWY_INLINE void Prefetch(int64_t e) const {
    const int64_t ahead = std::min(first_ + e + kPrefetchEdges, pass_.offsets[pass_.out.rows] - 1);
    const float* row = pass_.table.row(pass_.sources[ahead]);
    for (int64_t column = 0; column < layout_.target_scores(); column += 16) hwy::Prefetch(row + column);
  }

  // e_ij = LeakyReLU(s_j + t_i + a_e . x_e)
  HWY_ATTR void AdditiveLogits() {
    const Floats d;
    const bool prefetch = pass_.table.rows * pass_.table.stride * 4 > kPrefetchTableBytes && edges_ > 0;
    const int64_t column = layout_.source_scores();
    for (int64_t e = 0; e < count_; ++e) {
      const float* HWY_RESTRICT scores = Row(e) + column;
      float* HWY_RESTRICT to = weights_ + e * stride_;
      if (prefetch) Prefetch(e);
      if (stride_ >= 8) {
        for (int64_t h = 0; h < stride_; h += kLanes) hn::StoreU(hn::LoadU(d, scores + h), d, to + h);
      } else {
        for (int64_t h = 0; h < stride_; ++h) to[h] = scores[h];
      }
      if (pass_.edge_width == 0) continue;
      const float* features = EdgeFeatures(e);
      for (int64_t k = 0; k < pass_.edge_width; ++k) {
        for (int64_t h = 0; h < stride_; ++h) to[h] += features[k] * pass_.edge_map[k * stride_ + h];
      }
    }
    for (int64_t j = count_ * stride_; j < flat_; ++j) weights_[j] = 0;
    const Vector slope = hn::Set(d, pass_.negative_slope);
    const float* target = pass_.table.row(i_) + layout_.target_scores();
    HWY_ALIGN float pattern[8];
    for (int64_t h = 0; h < pattern_; h += kLanes) {
      if (stride_ < 8) {
        for (int64_t j = 0; j < kLanes; ++j) pattern[j] = target[(h + j) % stride_];
      }
      const Vector t = stride_ < 8 ? hn::Load(d, pattern) : hn::LoadU(d, target + h);
      for (int64_t j = h; j < flat_; j += pattern_) {
        const Vector x = hn::Add(hn::LoadU(d, weights_ + j), t);
        hn::StoreU(hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(x, slope)), d, weights_ + j);
      }
    }
    LeaveOut(kLeftOut);
  }

  // e_ij = a . LeakyReLU(l_j + r_i + W_e x_e)
  HWY_ATTR void DynamicLogits() {
    const Floats d;
    const Vector slope = hn::Set(d, pass_.negative_slope);
    const float* target = pass_.table.row(i_) + layout_.target_values();
    const int64_t width = layout_.values_width();
    const bool prefetch = pass_.table.rows * pass_.table.stride * 4 > kPrefetchTableBytes && edges_ > 0;
    for (int64_t e = 0; e < count_; ++e) {
      const float* HWY_RESTRICT row = Row(e);
      float* HWY_RESTRICT to = weights_ + e * stride_;
      if (prefetch) Prefetch(e);
      const float* features = pass_.edge_width > 0 ? EdgeFeatures(e) : nullptr;
      for (int64_t h = 0; h < layout_.heads; ++h) {
        Vector sum = hn::Zero(d);
        for (int64_t c = h * layout_.head_stride(); c < (h + 1) * layout_.head_stride(); c += kLanes) {
          Vector x = hn::Add(hn::LoadU(d, row + c), hn::LoadU(d, target + c));
          for (int64_t k = 0; k < pass_.edge_width; ++k) {
            x = hn::MulAdd(hn::Set(d, features[k]), hn::LoadU(d, pass_.edge_map + k * width + c), x);
          }
          x = hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(x, slope));
          sum = hn::MulAdd(x, hn::LoadU(d, pass_.attention + c), sum);
        }
        to[h] = hn::GetLane(hn::SumOfLanes(d, sum));
      }
      for (int64_t h = layout_.heads; h < stride_; ++h) to[h] = 0;
    }
    for (int64_t j = count_ * stride_; j < flat_; ++j) weights_[j] = 0;
    LeaveOut(kLeftOut);
  }

  // w_ij = n_j w_e n_i
  void NormalisedWeights() {
    const float norm = pass_.norm[i_];
    for (int64_t e = 0; e < edges_; ++e) {
      const float weight = pass_.edge_weights ? pass_.edge_features[first_ + e] : 1.0f;
      weights_[e] = pass_.norm[sources_[e]] * weight * norm;
    }
    if (count_ > edges_) weights_[edges_] = norm * pass_.loop_weight[i_] * norm;
    LeaveOut(0);
  }

  void LeaveOut(float weight) {
    if (!pass_.has_loops || !pass_.add_self_loops) return;
    for (int64_t e = 0; e < edges_; ++e) {
      if (LeftOut(e)) std::fill(weights_ + e * stride_, weights_ + (e + 1) * stride_, weight);
    }
  }

  // Weights become exp(weight - largest), for each head.
  HWY_ATTR void Softmax(const Partial& to) {
    const Floats d;
    // What rounds the weights up to whole patterns must not count.
    for (int64_t j = count_ * stride_; j < flat_; ++j) weights_[j] = kLeftOut;
    HWY_ALIGN float lanes[8];
    for (int64_t h = 0; h < pattern_; h += kLanes) {
      Vector largest = hn::Set(d, kLeftOut);
      for (int64_t j = h; j < flat_; j += pattern_) largest = hn::Max(largest, hn::LoadU(d, weights_ + j));
      if (stride_ < 8) {
        hn::Store(largest, d, lanes);
        if (h == 0) std::fill(to.largest, to.largest + 8, kLeftOut);
        for (int64_t j = 0; j < kLanes; ++j) {
          float& of_head = to.largest[(h + j) % stride_];
          of_head = std::max(of_head, lanes[j]);
        }
      } else {
        hn::StoreU(largest, d, to.largest + h);
      }
    }
    if (stride_ < 8) {
      for (int64_t j = stride_; j < 8; ++j) to.largest[j] = to.largest[j % stride_];
      std::fill(to.sum, to.sum + 8, 0.0f);
    }
    for (int64_t h = 0; h < pattern_; h += kLanes) {
      const Vector largest = hn::LoadU(d, to.largest + h);
      Vector sum = hn::Zero(d);
      for (int64_t j = h; j < flat_; j += pattern_) {
        const Vector e = hn::Exp(d, hn::Sub(hn::LoadU(d, weights_ + j), largest));
        sum = hn::Add(sum, e);
        hn::StoreU(e, d, weights_ + j);
      }
      if (stride_ < 8) {
        hn::Store(sum, d, lanes);
        for (int64_t j = 0; j < kLanes; ++j) to.sum[(h + j) % stride_] += lanes[j];
      } else {
        hn::StoreU(sum, d, to.sum + h);
      }
    }
  }

  // to[column, column + V * kLanes) = sum_e weight_e value_e
  template <int V>
  HWY_INLINE void WeightedSum(int64_t column, float* HWY_RESTRICT to) {
    const Floats d;
    Vector sum[V];
    int64_t head[V];
    for (int v = 0; v < V; ++v) {
      sum[v] = hn::Zero(d);
      head[v] = (column + v * kLanes) / layout_.head_stride();
    }
    for (int64_t e = 0; e < count_; ++e) {
      const float* HWY_RESTRICT row = Row(e) + column;
      const float* HWY_RESTRICT weight = weights_ + e * stride_;
      for (int v = 0; v < V; ++v) {
        sum[v] = hn::MulAdd(hn::Set(d, weight[head[v]]), hn::LoadU(d, row + v * kLanes), sum[v]);
      }
    }
    for (int v = 0; v < V; ++v) hn::StoreU(sum[v], d, to + column + v * kLanes);
  }

  void CopyCoefficients() {
    const int64_t heads = layout_.heads;
    for (int64_t e = 0; e < edges_; ++e) {
      std::copy(weights_ + e * stride_, weights_ + e * stride_ + heads, pass_.edge_coefficients + (first_ + e) * heads);
    }
    if (count_ > edges_) {
      std::copy(weights_ + edges_ * stride_, weights_ + edges_ * stride_ + heads, pass_.loop_coefficients + i_ * heads);
    }
  }

  const GraphAggregation& pass_;
  const ProjectionLayout& layout_;
  const int64_t stride_;   // of the weights of one edge
  const int64_t pattern_;  // after so many weights the heads begin again, and so do whole vectors
  const int64_t i_, first_, edges_, count_, flat_;
  int32_t* const sources_;
  float* const weights_;
  float* const loop_features_;
};

void ReduceChunkOnTarget(const GraphAggregation& pass, int64_t i, int64_t first, int64_t last, bool loop,
                         Scratch& scratch, const Partial& to) {
  Chunk(pass, i, first, last, loop, scratch).Reduce(to);
}

// out_i = concat or mean over heads of values / (sum + epsilon), + residual + bias. `values` is scaled in place.
void FinishTargetOnTarget(const GraphAggregation& pass, int64_t i, const Partial& from, float* HWY_RESTRICT to) {
  const Floats d;
  const ProjectionLayout& layout = pass.layout;
  const int64_t head_stride = layout.head_stride();
  if (layout.kind != GraphConvolution::kGcn) {
    for (int64_t h = 0; h < layout.heads; ++h) {
      const Vector factor = hn::Set(d, 1.0f / (from.sum[h] + kSoftmaxEpsilon));
      for (int64_t c = h * head_stride; c < (h + 1) * head_stride; c += kLanes) {
        hn::StoreU(hn::Mul(hn::LoadU(d, from.values + c), factor), d, from.values + c);
      }
    }
  }
  const int64_t out = layout.out();
  if (layout.heads == 1 || (layout.concat && layout.channels == head_stride)) {
    std::copy(from.values, from.values + out, to);
  } else if (layout.concat) {
    for (int64_t h = 0; h < layout.heads; ++h) {
      std::copy(from.values + h * head_stride, from.values + h * head_stride + layout.channels,
                to + h * layout.channels);
    }
  } else {
    const float share = 1.0f / static_cast<float>(layout.heads);
    for (int64_t c = 0; c < out; ++c) {
      float sum = 0;
      for (int64_t h = 0; h < layout.heads; ++h) sum += from.values[h * head_stride + c];
      to[c] = sum * share;
    }
  }
  const auto add = [&](const float* HWY_RESTRICT terms) HWY_ATTR {
    int64_t c = 0;
    for (; c + kLanes <= out; c += kLanes) hn::StoreU(hn::Add(hn::LoadU(d, to + c), hn::LoadU(d, terms + c)), d, to + c);
    for (; c < out; ++c) to[c] += terms[c];
  };
  if (layout.residual) add(pass.table.row(i) + layout.residual_column());
  if (pass.bias != nullptr) add(pass.bias);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace heed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed {

HWY_EXPORT(ReduceChunkOnTarget);
HWY_EXPORT(FinishTargetOnTarget);

namespace {

// Targets of one range with about this many edges make a part of the work; so does each chunk of a larger target.
constexpr int64_t kEdgesPerPart = 4096;

struct Part {
  int64_t range;
  int64_t first, last;      // targets
  int64_t chunk = -1;       // of the only target, if it has several
  float* partial = nullptr;  // where that chunk's goes
};

bool AddsLoop(const GraphAggregation& pass, int64_t i) {
  return pass.layout.kind == GraphConvolution::kGcn ? pass.loop_weight[i] != 0 : pass.add_self_loops;
}

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

// Scales what a chunk left in the coefficients of edges [first, last), and of the loop.
void ScaleCoefficients(const GraphAggregation& pass, int64_t i, int64_t first, int64_t last, bool loop,
                       const float* largest_of_chunk, const Partial& total) {
  if (pass.loop_coefficients == nullptr || pass.layout.kind == GraphConvolution::kGcn) return;
  const int64_t heads = pass.layout.heads;
  for (int64_t h = 0; h < heads; ++h) {
    const float factor = std::exp(largest_of_chunk[h] - total.largest[h]) / (total.sum[h] + kSoftmaxEpsilon);
    for (int64_t e = first; e < last; ++e) pass.edge_coefficients[e * heads + h] *= factor;
    if (loop) pass.loop_coefficients[i * heads + h] *= factor;
  }
}

Scratch& ThreadScratch(const GraphAggregation& pass) {
  thread_local Scratch scratch;
  scratch.Fit(pass);
  return scratch;
}

void WholeTarget(const GraphAggregation& pass, int64_t i) {
  Scratch& scratch = ThreadScratch(pass);
  const Partial sums = PartialAt(scratch.partial.data(), pass.layout);
  const int64_t first = pass.offsets[i], last = pass.offsets[i + 1];
  const bool loop = AddsLoop(pass, i);
  HWY_DYNAMIC_DISPATCH(ReduceChunkOnTarget)(pass, i, first, last, loop, scratch, sums);
  ScaleCoefficients(pass, i, first, last, loop, sums.largest, sums);
  HWY_DYNAMIC_DISPATCH(FinishTargetOnTarget)(pass, i, sums, pass.out.row(i));
}

void OneChunk(const GraphAggregation& pass, int64_t i, int64_t chunk, float* partial) {
  const int64_t first = pass.offsets[i] + chunk * kChunkEdges;
  const int64_t last = std::min(first + kChunkEdges, pass.offsets[i + 1]);
  const bool loop = last == pass.offsets[i + 1] && AddsLoop(pass, i);
  HWY_DYNAMIC_DISPATCH(ReduceChunkOnTarget)(pass, i, first, last, loop, ThreadScratch(pass),
                                            PartialAt(partial, pass.layout));
}

// The chunks of a target, one behind the other in `partials`, become its sums.
void MergeChunks(const GraphAggregation& pass, int64_t i, float* partials) {
  const int64_t size = PartialSize(pass.layout), chunks = Chunks(Degree(pass, i));
  std::vector<float> memory(partials, partials + size);
  const Partial sums = PartialAt(memory.data(), pass.layout);
  for (int64_t chunk = 1; chunk < chunks; ++chunk) {
    Merge(pass.layout, PartialAt(partials + chunk * size, pass.layout), sums);
  }
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t first = pass.offsets[i] + chunk * kChunkEdges;
    const int64_t last = std::min(first + kChunkEdges, pass.offsets[i + 1]);
    ScaleCoefficients(pass, i, first, last, chunk + 1 == chunks && AddsLoop(pass, i),
                      PartialAt(partials + chunk * size, pass.layout).largest, sums);
  }
  HWY_DYNAMIC_DISPATCH(FinishTargetOnTarget)(pass, i, sums, pass.out.row(i));
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
      const int64_t chunks = Chunks(Degree(pass, i));
      if (chunks > 1) {
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
    for (int64_t i = part.first; i < part.last; ++i) {
      WholeTarget(pass, i);
      done(part.range, pass.out.row(i));
    }
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
