// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/neighborhood.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace heed {
namespace {

constexpr size_t kKeptMarks = 1 << 20;
constexpr int64_t kMaxCountedEdges = 1 << 16;  // some 100 us

// Node numbers by row, for one search at a time on each thread: a row is known if it has this search's mark. So all
// searches of a thread but the first cost what they reach, not the size of the graph. Marks of a graph that was much
// larger are given back.
class NodeNumbers {
 public:
  explicit NodeNumbers(int64_t rows) : marks_(Marks()) {
    const size_t wanted = static_cast<size_t>(rows);
    if (marks_.of_row.size() > kKeptMarks && marks_.of_row.size() / 8 > wanted) marks_.of_row = {};
    if (marks_.of_row.size() < wanted) marks_.of_row.resize(wanted);
    if (++marks_.search == 0) {  // all marks have been used
      std::fill(marks_.of_row.begin(), marks_.of_row.end(), Mark{});
      marks_.search = 1;
    }
  }
  // The number of `row`; `next` if it had none.
  int32_t NumberOr(int32_t row, int32_t next) {
    Mark& mark = marks_.of_row[static_cast<size_t>(row)];
    if (mark.search != marks_.search) mark = {marks_.search, next};
    return mark.number;
  }

 private:
  struct Mark {
    uint32_t search = 0;
    int32_t number = 0;
  };
  struct PerThread {
    std::vector<Mark> of_row;
    uint32_t search = 0;
  };
  static PerThread& Marks() {
    thread_local PerThread marks;
    return marks;
  }
  PerThread& marks_;
};

// Steele, Lea and Flood 2014: well-mixed numbers from a counter.
uint64_t SplitMix64(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// The in-edges of one node that count: all, or those drawn.
class InEdgeChoice {
 public:
  InEdgeChoice(const Graph& graph, const NeighborhoodOptions& options) : graph_(graph), options_(options) {}

  // Calls edge(source row, position in In(row)) in order.
  template <typename Function>
  void ForEach(int32_t row, Function edge) const {
    const InEdges in = graph_.In(row);
    const int64_t degree = static_cast<int64_t>(in.sources.size());
    int64_t left = degree, wanted = degree;
    if (options_.fan_out && degree > *options_.fan_out) {
      for (int32_t source : in.sources) left -= source == row;
      wanted = std::min<int64_t>(left, *options_.fan_out);
    }
    const bool draw = wanted < left;
    uint64_t state = options_.seed;
    state = SplitMix64(state) ^ static_cast<uint64_t>(graph_.Id(row));
    for (int64_t i = 0; i < degree; ++i) {
      const int32_t source = in.sources[static_cast<size_t>(i)];
      if (draw && source != row) {
        // Selection sampling (Knuth, vol. 2, algorithm S): keeps the order.
        const bool taken = static_cast<int64_t>(SplitMix64(state) % static_cast<uint64_t>(left)) < wanted;
        --left;
        if (!taken) continue;
        --wanted;
      }
      edge(source, i);
    }
  }

 private:
  const Graph& graph_;
  const NeighborhoodOptions& options_;
};

}  // namespace

int64_t Neighborhood::bytes() const {
  const size_t bytes = rows.size() * sizeof(rows[0]) + offsets.size() * sizeof(offsets[0]) +
                       sources.size() * sizeof(sources[0]) +
                       (edge_features.size() + 3 * in_weights.size()) * sizeof(float);
  return static_cast<int64_t>(bytes);
}

NeighborhoodBound BoundNeighborhood(const Graph& graph, absl::Span<const int32_t> targets, int hops) {
  NeighborhoodBound bound;
  bound.nodes = static_cast<int64_t>(targets.size());
  std::vector<int32_t> level(targets.begin(), targets.end());
  for (int hop = 0; hop < hops; ++hop) {
    std::vector<int32_t> next;
    for (const int32_t row : level) {
      const absl::Span<const int32_t> sources = graph.In(row).sources;
      bound.edges += static_cast<int64_t>(sources.size());
      if (bound.edges >= std::min(graph.edges(), kMaxCountedEdges)) return {graph.nodes(), graph.edges()};
      if (hop + 1 < hops) next.insert(next.end(), sources.begin(), sources.end());
    }
    level = std::move(next);
  }
  bound.nodes = std::min(graph.nodes(), bound.nodes + bound.edges);
  return bound;
}

Neighborhood FindNeighborhood(const Graph& graph, absl::Span<const int32_t> targets,
                              const NeighborhoodOptions& options) {
  Neighborhood found;
  found.edge_weights = options.edge_weights;
  const int64_t width = graph.edge_feature_width();
  const int64_t copied_width = options.edge_features ? width : 0;
  const InEdgeChoice choice(graph, options);
  NodeNumbers numbers(graph.rows());
  found.rows.assign(targets.begin(), targets.end());
  for (size_t i = 0; i < found.rows.size(); ++i) numbers.NumberOr(found.rows[i], static_cast<int32_t>(i));
  found.within.push_back(found.nodes());
  if (found.nodes() == graph.nodes()) {
    found.offsets.reserve(targets.size() + 1);
    found.sources.reserve(static_cast<size_t>(graph.edges()));
  }
  found.offsets.push_back(0);
  for (int hop = 0; hop < options.hops; ++hop) {
    const int64_t first = hop == 0 ? 0 : found.within[static_cast<size_t>(hop) - 1];
    for (int64_t i = first; i < found.within.back(); ++i) {
      const int32_t row = found.rows[static_cast<size_t>(i)];
      const float* features = graph.In(row).features;
      choice.ForEach(row, [&](int32_t source, int64_t position) {
        const int32_t next = static_cast<int32_t>(found.rows.size());
        const int32_t number = numbers.NumberOr(source, next);
        if (number == next) found.rows.push_back(source);
        found.has_loops |= source == row;
        found.sources.push_back(number);
        if (copied_width > 0) {
          const float* edge = features + position * width;
          found.edge_features.insert(found.edge_features.end(), edge, edge + width);
        }
      });
      found.offsets.push_back(found.edges());
    }
    found.within.push_back(found.nodes());
  }
  if (options.in_weights) {
    for (const int32_t row : found.rows) {
      const float* features = graph.In(row).features;
      float sum = 0, loops = 0, last_loop = std::numeric_limits<float>::quiet_NaN();
      choice.ForEach(row, [&](int32_t source, int64_t position) {
        const float weight = options.edge_weights ? features[position * width] : 1.0f;
        if (source == row) {
          loops += weight;
          last_loop = weight;
        } else {
          sum += weight;
        }
      });
      found.in_weights.push_back(sum);
      found.loop_weights.push_back(loops);
      found.last_loop_weights.push_back(last_loop);
    }
  }
  return found;
}

}  // namespace heed
