// SPDX-License-Identifier: Apache-2.0
// Graph::Build.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "engine/graph/graph.h"
#include "engine/graph/graph_checks.h"

namespace heed {
namespace {

template <typename T>
void Free(std::vector<T>& values) {
  std::vector<T>().swap(values);
}

// Gives the memory under values that are no longer needed back to the system, from `given_back` on: a large vector's
// cannot be freed in part otherwise. Their contents are lost.
template <typename T>
void GiveBack(std::vector<T>& values, size_t end, size_t& given_back) {
  constexpr size_t kLeastBytes = size_t{4} << 20;
  if ((end - given_back) * sizeof(T) < kLeastBytes) return;
  static const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = (reinterpret_cast<uintptr_t>(values.data() + given_back) + page - 1) / page * page;
  const uintptr_t last = reinterpret_cast<uintptr_t>(values.data() + end) / page * page;
  madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  given_back = end;
}

// Orders the edges that share a source by their features. `sources` are in order already.
void SortEqualSources(absl::Span<const int32_t> sources, float* features, int64_t width) {
  std::vector<size_t> order;
  std::vector<float> sorted;
  for (size_t begin = 0, end; begin < sources.size(); begin = end) {
    for (end = begin + 1; end < sources.size() && sources[end] == sources[begin];) ++end;
    if (end - begin == 1) continue;
    const auto at = [&](size_t edge) { return features + static_cast<int64_t>(edge) * width; };
    order.resize(end - begin);
    std::iota(order.begin(), order.end(), begin);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return CompareFeatures(at(a), at(b), width) < 0; });
    sorted.clear();
    for (const size_t edge : order) sorted.insert(sorted.end(), at(edge), at(edge) + width);
    std::copy(sorted.begin(), sorted.end(), at(begin));
  }
}

}  // namespace

// Makes a graph of arrays that fit each other, and frees each of them when it is no longer needed.
class Graph::Builder {
 public:
  explicit Builder(GraphArrays arrays) : arrays_(std::move(arrays)), nodes_(arrays_.features.rows) {}

  absl::Status Check() const;
  std::shared_ptr<const Graph> Build();

 private:
  int64_t Id(int64_t row) const { return arrays_.node_ids.empty() ? row : arrays_.node_ids[static_cast<size_t>(row)]; }
  absl::Status CheckIds() const;
  absl::Status CheckEdges() const;
  void BuildIds();
  void BuildFeatures();

  // Edges in the order of their sources' rows.
  struct EdgesBySource {
    std::vector<int32_t> edges;  // their numbers
    std::vector<int32_t> ends;   // of each row's range of `edges`

    int32_t begin(int32_t row) const { return row == 0 ? 0 : ends[static_cast<size_t>(row - 1)]; }
  };
  void BuildEdges();
  EdgesBySource OrderBySource();
  void BuildInParts(EdgesBySource& by_source, std::vector<int32_t>& places);
  void BuildOutParts(std::vector<int32_t>& places);
  // A part for each page with room for its rows' counts; turns the counts into the rows' places in the part.
  template <typename Part>
  std::vector<std::shared_ptr<Part>> MakeParts(std::vector<int32_t>& counts) const;

  // Calls visit(row) for all rows, ascending by id.
  template <typename Visit>
  void ForRowsById(const Visit& visit) const;

  GraphArrays arrays_;
  const int64_t nodes_;
  std::shared_ptr<Graph> graph_{new Graph};
  std::vector<int32_t> rows_by_id_;  // none: rows ascend by id
};

absl::Status Graph::Builder::Check() const {
  HEED_RETURN_IF_ERROR(CheckIds());
  for (int64_t row = 0; row < nodes_; ++row) {
    HEED_RETURN_IF_ERROR(CheckFeatures(RowOf(arrays_.features, row), arrays_.features.width, Id(row)));
  }
  return CheckEdges();
}

absl::Status Graph::Builder::CheckIds() const {
  const std::vector<int64_t>& ids = arrays_.node_ids;
  if (std::adjacent_find(ids.begin(), ids.end(), [](int64_t a, int64_t b) { return a >= b; }) == ids.end()) {
    return absl::OkStatus();
  }
  std::vector<int64_t> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) return absl::OkStatus();
  absl::flat_hash_map<int64_t, size_t> seen;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto [first, is_new] = seen.emplace(ids[i], i);
    if (!is_new)
      return InvalidField(absl::StrCat("node_ids[", i, "]"), ids[i], ", which is also node_ids[", first->second, "]");
  }
  return absl::OkStatus();
}

absl::Status Graph::Builder::CheckEdges() const {
  const int64_t width = arrays_.edge_feature_width;
  const char* hint = arrays_.node_ids.empty() ? "" : "; edges name nodes by row, not by node id";
  for (size_t edge = 0; edge < arrays_.sources.size(); ++edge) {
    const int64_t source = arrays_.sources[edge], target = arrays_.targets[edge];
    if (source < 0 || source >= nodes_) {
      return InvalidArgument("edge ", edge, ": source ", source, ", but the graph has ", nodes_, " nodes", hint);
    }
    if (target < 0 || target >= nodes_) {
      return InvalidArgument("edge ", edge, ": target ", target, ", but the graph has ", nodes_, " nodes", hint);
    }
    const float* features = arrays_.edge_features.data() + static_cast<int64_t>(edge) * width;
    const int64_t wrong = FirstNotFinite(features, width);
    if (wrong < width) {
      return InvalidArgument("features of edge ", edge, ", column ", wrong, ": ", NotFinite(features[wrong]));
    }
  }
  return absl::OkStatus();
}

template <typename Visit>
void Graph::Builder::ForRowsById(const Visit& visit) const {
  if (rows_by_id_.empty()) {
    for (int32_t row = 0; row < nodes_; ++row) visit(row);
  } else {
    for (const int32_t row : rows_by_id_) visit(row);
  }
}

std::shared_ptr<const Graph> Graph::Builder::Build() {
  graph_->rows_ = graph_->nodes_ = nodes_;
  graph_->feature_width_ = arrays_.features.width;
  graph_->edge_feature_width_ = arrays_.edge_feature_width;
  graph_->pages_.resize(static_cast<size_t>((nodes_ + kPageRows - 1) / kPageRows));
  BuildIds();
  BuildFeatures();
  BuildEdges();
  return std::move(graph_);
}

void Graph::Builder::BuildIds() {
  const std::vector<int64_t>& ids = arrays_.node_ids;
  if (ids.empty()) return;
  std::vector<IdRow> moved;
  for (size_t page = 0; page < graph_->pages_.size(); ++page) {
    const int64_t begin = static_cast<int64_t>(page) * kPageRows, end = begin + graph_->RowsOf(page);
    const size_t before = moved.size();
    for (int64_t row = begin; row < end; ++row) {
      if (Id(row) != row) moved.push_back({Id(row), static_cast<int32_t>(row)});
    }
    if (moved.size() == before) continue;
    auto part = std::make_shared<IdPart>();
    part->ids.assign(ids.begin() + begin, ids.begin() + end);
    for (int64_t row = begin; row < end; ++row) part->present.set(static_cast<size_t>(row - begin));
    graph_->Replace(graph_->pages_[page].ids, std::shared_ptr<const IdPart>(std::move(part)));
  }
  graph_->MakeIndex(moved);
  if (!std::is_sorted(ids.begin(), ids.end())) rows_by_id_ = graph_->RowsById();
  Free(arrays_.node_ids);
}

void Graph::Builder::BuildFeatures() {
  FeatureArrays& features = arrays_.features;
  std::array<FeatureRow, kPageRows> rows;
  size_t values_given_back = 0, columns_given_back = 0;
  for (size_t page = 0; page < graph_->pages_.size(); ++page) {
    const int64_t begin = static_cast<int64_t>(page) * kPageRows;
    const size_t count = static_cast<size_t>(graph_->RowsOf(page));
    for (size_t i = 0; i < count; ++i) rows[i] = RowOf(features, begin + static_cast<int64_t>(i));
    graph_->Replace(graph_->pages_[page].features,
                    MakeFeatures(features.width, absl::MakeConstSpan(rows.data(), count)));
    const int64_t used = rows[count - 1].values + rows[count - 1].count - features.values.data();
    GiveBack(features.values, static_cast<size_t>(used), values_given_back);
    if (features.sparse) GiveBack(features.columns, static_cast<size_t>(used), columns_given_back);
  }
  features = {};
}

// Edges are dealt out to their sources, from there in order of the sources to their targets, and from there in order of
// the targets to their sources again: so both kinds of lists come out in order, without comparing.
void Graph::Builder::BuildEdges() {
  EdgesBySource by_source = OrderBySource();
  std::vector<int32_t> places(static_cast<size_t>(nodes_));  // the number of each row's edges, then places in its part
  for (const int64_t target : arrays_.targets) ++places[static_cast<size_t>(target)];
  BuildInParts(by_source, places);
  for (int32_t row = 0; row < nodes_; ++row) {
    places[static_cast<size_t>(row)] = by_source.ends[static_cast<size_t>(row)] - by_source.begin(row);
  }
  Free(by_source.ends);
  BuildOutParts(places);
}

Graph::Builder::EdgesBySource Graph::Builder::OrderBySource() {
  EdgesBySource ordered;
  ordered.ends.resize(static_cast<size_t>(nodes_) + 1);
  for (const int64_t source : arrays_.sources) ++ordered.ends[static_cast<size_t>(source) + 1];
  std::partial_sum(ordered.ends.begin(), ordered.ends.end(), ordered.ends.begin());
  ordered.edges.resize(arrays_.sources.size());
  for (size_t edge = 0; edge < arrays_.sources.size(); ++edge) {
    const size_t place = static_cast<size_t>(ordered.ends[static_cast<size_t>(arrays_.sources[edge])]++);
    ordered.edges[place] = static_cast<int32_t>(edge);
  }
  Free(arrays_.sources);
  return ordered;
}

template <typename Part>
std::vector<std::shared_ptr<Part>> Graph::Builder::MakeParts(std::vector<int32_t>& counts) const {
  std::vector<std::shared_ptr<Part>> parts(graph_->pages_.size());
  for (size_t page = 0; page < parts.size(); ++page) {
    parts[page] = std::make_shared<Part>();
    std::vector<int32_t>& begins = parts[page]->begins;
    const size_t rows = static_cast<size_t>(graph_->RowsOf(page));
    begins.resize(rows + 1);
    for (size_t i = 0; i < rows; ++i) {
      int32_t& count = counts[page * kPageRows + i];
      begins[i + 1] = begins[i] + count;
      count = begins[i];
    }
  }
  return parts;
}

void Graph::Builder::BuildInParts(EdgesBySource& by_source, std::vector<int32_t>& places) {
  const int64_t width = arrays_.edge_feature_width;
  std::vector<std::shared_ptr<InPart>> in = MakeParts<InPart>(places);
  for (const auto& part : in) {
    part->sources.resize(static_cast<size_t>(part->begins.back()));
    part->features.resize(part->sources.size() * static_cast<size_t>(width));
  }
  ForRowsById([&](int32_t source) {
    for (int32_t i = by_source.begin(source); i < by_source.ends[static_cast<size_t>(source)]; ++i) {
      const int64_t edge = by_source.edges[static_cast<size_t>(i)];
      const size_t target = static_cast<size_t>(arrays_.targets[static_cast<size_t>(edge)]);
      InPart& part = *in[target / kPageRows];
      const int32_t place = places[target]++;
      part.sources[static_cast<size_t>(place)] = source;
      std::copy_n(arrays_.edge_features.data() + edge * width, width, part.features.data() + place * width);
    }
  });
  Free(by_source.edges);
  Free(arrays_.targets);
  Free(arrays_.edge_features);
  for (size_t page = 0; page < in.size(); ++page) {
    InPart& part = *in[page];
    for (size_t i = 0; width > 0 && i + 1 < part.begins.size(); ++i) {
      const size_t begin = static_cast<size_t>(part.begins[i]), end = static_cast<size_t>(part.begins[i + 1]);
      SortEqualSources(absl::MakeConstSpan(part.sources).subspan(begin, end - begin),
                       part.features.data() + static_cast<int64_t>(begin) * width, width);
    }
    graph_->Replace(graph_->pages_[page].in, std::shared_ptr<const InPart>(std::move(in[page])));
  }
}

void Graph::Builder::BuildOutParts(std::vector<int32_t>& places) {
  std::vector<std::shared_ptr<OutPart>> out = MakeParts<OutPart>(places);
  for (const auto& part : out) part->targets.resize(static_cast<size_t>(part->begins.back()));
  ForRowsById([&](int32_t target) {
    for (const int32_t source : graph_->In(target).sources) {
      OutPart& part = *out[static_cast<size_t>(source) / kPageRows];
      part.targets[static_cast<size_t>(places[static_cast<size_t>(source)]++)] = target;
    }
  });
  for (size_t page = 0; page < out.size(); ++page) {
    graph_->Replace(graph_->pages_[page].out, std::shared_ptr<const OutPart>(std::move(out[page])));
  }
}

absl::StatusOr<std::shared_ptr<const Graph>> Graph::Build(GraphArrays arrays, int64_t max_nodes) {
  HEED_RETURN_IF_ERROR(CheckSizes(arrays));
  HEED_RETURN_IF_ERROR(CheckCounts(arrays.features.rows, max_nodes, static_cast<int64_t>(arrays.sources.size())));
  Builder builder(std::move(arrays));
  HEED_RETURN_IF_ERROR(builder.Check());
  return builder.Build();
}

}  // namespace heed
