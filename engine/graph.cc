#include "engine/graph.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"

namespace heed {
namespace {

constexpr int64_t kShardNodes = 256;  // of the index, when it is made; four times as many make a new one

template <typename... Parts>
absl::Status Refused(const Parts&... what) {
  return absl::InvalidArgumentError(absl::StrCat(what...));
}

template <typename T>
int64_t Size(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size());
}

template <typename T>
int64_t HeldBytes(const std::vector<T>& values) {
  return static_cast<int64_t>(values.capacity() * sizeof(T));
}

template <typename T>
void Free(std::vector<T>& values) {
  std::vector<T>().swap(values);
}

FeatureRow RowOf(const FeatureArrays& features, int64_t row) {
  static constexpr int32_t kNoColumn = 0;
  if (!features.sparse) return {features.values.data() + row * features.width, nullptr, features.width};
  const int64_t begin = row == 0 ? 0 : features.row_ends[static_cast<size_t>(row - 1)];
  const int64_t count = features.row_ends[static_cast<size_t>(row)] - begin;
  return {features.values.data() + begin, count == 0 ? &kNoColumn : features.columns.data() + begin, count};
}

std::string NotFinite(float value) {
  return absl::StrCat(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf", ", not a finite number");
}

// The first value that is not finite; `count` if all are.
int64_t FirstNotFinite(const float* values, int64_t count) {
  int64_t i = 0;
  while (i < count && std::isfinite(values[i])) ++i;
  return i;
}

// `node`: its id, for the message.
absl::Status CheckFeatures(const FeatureRow& row, int64_t width, int64_t node) {
  if (row.columns != nullptr) {
    for (int64_t i = 0; i < row.count; ++i) {
      const int32_t column = row.columns[i];
      if (column < 0 || column >= width) {
        return Refused("features of node ", node, ": column ", column, ", but there are ", width, " columns");
      }
      if (i > 0 && column <= row.columns[i - 1]) {
        return Refused("features of node ", node, ": column ", column, " after column ", row.columns[i - 1],
                       ", columns must ascend");
      }
    }
  }
  const int64_t wrong = FirstNotFinite(row.values, row.count);
  if (wrong == row.count) return absl::OkStatus();
  return Refused("features of node ", node, ", column ", row.columns == nullptr ? wrong : row.columns[wrong], ": ",
                 NotFinite(row.values[wrong]));
}

absl::Status CheckCounts(int64_t nodes, int64_t most_nodes, int64_t edges) {
  most_nodes = std::min(most_nodes, kMostGraphNodes);
  if (nodes > most_nodes) return Refused("nodes: ", nodes, ", at most ", most_nodes);
  if (edges > kMostGraphEdges) return Refused("edges: ", edges, ", at most ", kMostGraphEdges);
  return absl::OkStatus();
}

// Below 0: a comes before b. A total order even of zeros of both signs, so that equal ones have the same bits.
int CompareFeatures(const float* a, const float* b, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    if (std::signbit(a[i]) != std::signbit(b[i])) return std::signbit(a[i]) ? -1 : 1;
  }
  return 0;
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

template <typename T>
void SortUnique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

int64_t Graph::RowsOf(size_t page) const { return std::min(kPageRows, rows_ - static_cast<int64_t>(page) * kPageRows); }

void Graph::Count(const IdPart& part, int64_t sign) {
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.ids));
}

void Graph::Count(const FeaturePart& part, int64_t sign) {
  feature_values_ += sign * Size(part.values);
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.value_begins) +
                         HeldBytes(part.column_begins) + HeldBytes(part.values) + HeldBytes(part.columns));
}

void Graph::Count(const InPart& part, int64_t sign) {
  edges_ += sign * Size(part.sources);
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.begins) + HeldBytes(part.sources) +
                         HeldBytes(part.features));
}

void Graph::Count(const OutPart& part, int64_t sign) {
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.begins) + HeldBytes(part.targets));
}

void Graph::Count(const Shard& shard, int64_t sign) {
  moved_ += sign * Size(shard);
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(shard)) + HeldBytes(shard));
}

template <typename Part>
void Graph::Replace(std::shared_ptr<const Part>& place, std::shared_ptr<const Part> part) {
  if (place != nullptr) Count(*place, -1);
  if (part != nullptr) Count(*part, 1);
  place = std::move(part);
}

int64_t Graph::bytes() const {
  return static_cast<int64_t>(sizeof(Graph)) + HeldBytes(pages_) + HeldBytes(shards_) + part_bytes_;
}

std::shared_ptr<const Graph::FeaturePart> Graph::MakeFeatures(int64_t width, absl::Span<const FeatureRow> rows) {
  auto part = std::make_shared<FeaturePart>();
  if (width == 0) return part;
  std::array<bool, kPageRows> sparse;
  bool all_dense = true;
  int64_t values = 0, columns = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    int64_t count = 0;  // of values that are not zero
    for (int64_t k = 0; k < rows[i].count; ++k) count += rows[i].values[k] != 0;
    sparse[i] = rows[i].count < 0 || static_cast<double>(count) <= kSparseRowDensity * static_cast<double>(width);
    values += sparse[i] ? count : width;
    columns += sparse[i] ? count : 0;
    all_dense = all_dense && !sparse[i];
  }
  part->values.reserve(static_cast<size_t>(values));
  part->columns.reserve(static_cast<size_t>(columns));
  if (!all_dense) {
    part->value_begins.reserve(rows.size() + 1);
    part->column_begins.reserve(rows.size() + 1);
    part->value_begins.push_back(0);
    part->column_begins.push_back(0);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const FeatureRow& row = rows[i];
    if (sparse[i]) {
      for (int64_t k = 0; k < row.count; ++k) {
        if (row.values[k] == 0) continue;
        part->values.push_back(row.values[k]);
        part->columns.push_back(row.columns == nullptr ? static_cast<int32_t>(k) : row.columns[k]);
      }
    } else if (row.columns == nullptr) {
      part->values.insert(part->values.end(), row.values, row.values + width);
    } else {
      const size_t begin = part->values.size();
      part->values.resize(begin + static_cast<size_t>(width));
      for (int64_t k = 0; k < row.count; ++k) part->values[begin + static_cast<size_t>(row.columns[k])] = row.values[k];
    }
    if (all_dense) continue;
    part->value_begins.push_back(Size(part->values));
    part->column_begins.push_back(Size(part->columns));
  }
  return part;
}

size_t Graph::ShardOf(int64_t id) const {
  const int bits = std::countr_zero(shards_.size());
  if (bits == 0) return 0;
  return static_cast<size_t>(static_cast<uint64_t>(id) * 0x9E3779B97F4A7C15u >> (64 - bits));
}

// Makes the index anew, of these nodes.
void Graph::MakeIndex(absl::Span<const IdRow> moved) {
  for (auto& shard : shards_) Replace(shard, {});
  shards_.clear();
  if (moved.empty()) return;
  shards_.resize(std::bit_ceil(moved.size() / kShardNodes + 1));
  std::vector<size_t> counts(shards_.size());
  for (const IdRow& node : moved) ++counts[ShardOf(node.id)];
  std::vector<std::shared_ptr<Shard>> shards(shards_.size());
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i] = std::make_shared<Shard>();
    shards[i]->reserve(counts[i]);
  }
  for (const IdRow& node : moved) shards[ShardOf(node.id)]->push_back(node);
  for (size_t i = 0; i < shards.size(); ++i) {
    std::sort(shards[i]->begin(), shards[i]->end(), [](const IdRow& a, const IdRow& b) { return a.id < b.id; });
    Replace(shards_[i], std::shared_ptr<const Shard>(std::move(shards[i])));
  }
}

std::optional<int32_t> Graph::Row(int64_t id) const {
  if (id >= 0 && id < rows_) {
    const int32_t row = static_cast<int32_t>(id);
    if (Has(row) && Id(row) == id) return row;
  }
  if (shards_.empty()) return std::nullopt;
  const Shard& shard = *shards_[ShardOf(id)];
  const auto found =
      std::lower_bound(shard.begin(), shard.end(), id, [](const IdRow& a, int64_t b) { return a.id < b; });
  if (found == shard.end() || found->id != id) return std::nullopt;
  return found->row;
}

std::vector<int32_t> Graph::RowsById() const {
  std::vector<int32_t> rows;
  rows.reserve(static_cast<size_t>(nodes_));
  for (int32_t row = 0; row < rows_; ++row) {
    if (Has(row)) rows.push_back(row);
  }
  const auto by_id = [this](int32_t a, int32_t b) { return Id(a) < Id(b); };
  if (!std::is_sorted(rows.begin(), rows.end(), by_id)) std::sort(rows.begin(), rows.end(), by_id);
  return rows;
}

GraphArrays Graph::ToArrays() const {
  const std::vector<int32_t> rows = RowsById();
  GraphArrays arrays;
  std::vector<int32_t> places(static_cast<size_t>(rows_));  // of rows, in the arrays
  bool ids_are_places = true;
  for (size_t i = 0; i < rows.size(); ++i) {
    places[static_cast<size_t>(rows[i])] = static_cast<int32_t>(i);
    ids_are_places = ids_are_places && Id(rows[i]) == static_cast<int64_t>(i);
  }
  if (!ids_are_places) {
    arrays.node_ids.reserve(rows.size());
    for (const int32_t row : rows) arrays.node_ids.push_back(Id(row));
  }

  // A dense row's zero of negative sign is a value like others: it must come back with its sign.
  const auto is_value = [](float value) { return value != 0 || std::signbit(value); };
  int64_t values = 0;
  for (const int32_t row : rows) {
    const FeatureRow features = Features(row);
    values += std::count_if(features.values, features.values + features.count, is_value);
  }
  FeatureArrays& features = arrays.features;
  features.rows = nodes_;
  features.width = feature_width_;
  features.sparse = 2 * values + 2 * nodes_ < nodes_ * feature_width_;  // by what either takes
  features.values.reserve(static_cast<size_t>(features.sparse ? values : nodes_ * feature_width_));
  if (features.sparse) {
    features.columns.reserve(static_cast<size_t>(values));
    features.row_ends.reserve(rows.size());
  }
  for (const int32_t row : rows) {
    const FeatureRow given = Features(row);
    if (features.sparse) {
      for (int64_t k = 0; k < given.count; ++k) {
        if (!is_value(given.values[k])) continue;
        features.values.push_back(given.values[k]);
        features.columns.push_back(given.columns == nullptr ? static_cast<int32_t>(k) : given.columns[k]);
      }
      features.row_ends.push_back(Size(features.values));
    } else if (given.columns == nullptr) {
      features.values.insert(features.values.end(), given.values, given.values + given.count);
    } else {
      const size_t begin = features.values.size();
      features.values.resize(begin + static_cast<size_t>(feature_width_));
      for (int64_t k = 0; k < given.count; ++k) {
        features.values[begin + static_cast<size_t>(given.columns[k])] = given.values[k];
      }
    }
  }

  arrays.edge_feature_width = edge_feature_width_;
  arrays.sources.reserve(static_cast<size_t>(edges_));
  arrays.targets.reserve(static_cast<size_t>(edges_));
  arrays.edge_features.reserve(static_cast<size_t>(edges_ * edge_feature_width_));
  for (const int32_t row : rows) {
    const InEdges in = In(row);
    for (const int32_t source : in.sources) arrays.sources.push_back(places[static_cast<size_t>(source)]);
    arrays.targets.resize(arrays.sources.size(), places[static_cast<size_t>(row)]);
    arrays.edge_features.insert(arrays.edge_features.end(), in.features,
                                in.features + static_cast<int64_t>(in.sources.size()) * edge_feature_width_);
  }
  return arrays;
}

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
  void BuildEdges();
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
    if (!is_new) return Refused("node_ids[", i, "]: ", ids[i], ", which is also node_ids[", first->second, "]");
  }
  return absl::OkStatus();
}

absl::Status Graph::Builder::CheckEdges() const {
  const int64_t width = arrays_.edge_feature_width;
  for (size_t edge = 0; edge < arrays_.sources.size(); ++edge) {
    const int64_t source = arrays_.sources[edge], target = arrays_.targets[edge];
    if (source < 0 || source >= nodes_) {
      return Refused("edge ", edge, ": source ", source, ", but the graph has ", nodes_, " nodes");
    }
    if (target < 0 || target >= nodes_) {
      return Refused("edge ", edge, ": target ", target, ", but the graph has ", nodes_, " nodes");
    }
    const float* features = arrays_.edge_features.data() + static_cast<int64_t>(edge) * width;
    const int64_t wrong = FirstNotFinite(features, width);
    if (wrong < width) {
      return Refused("features of edge ", edge, ", column ", wrong, ": ", NotFinite(features[wrong]));
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
  std::array<FeatureRow, kPageRows> rows;
  for (size_t page = 0; page < graph_->pages_.size(); ++page) {
    const int64_t begin = static_cast<int64_t>(page) * kPageRows;
    const size_t count = static_cast<size_t>(graph_->RowsOf(page));
    for (size_t i = 0; i < count; ++i) rows[i] = RowOf(arrays_.features, begin + static_cast<int64_t>(i));
    graph_->Replace(graph_->pages_[page].features,
                    MakeFeatures(arrays_.features.width, absl::MakeConstSpan(rows.data(), count)));
  }
  arrays_.features = {};
}

// Edges are dealt out to their sources, from there in order of the sources to their targets, and from there in order of
// the targets to their sources again: so both kinds of lists come out in order, without comparing.
void Graph::Builder::BuildEdges() {
  const size_t nodes = static_cast<size_t>(nodes_);
  const size_t edges = arrays_.sources.size();
  const int64_t width = arrays_.edge_feature_width;
  std::vector<Page>& pages = graph_->pages_;

  std::vector<int32_t> out_ends(nodes + 1);  // of each row's range of by_source, once that is filled
  for (const int64_t source : arrays_.sources) ++out_ends[static_cast<size_t>(source) + 1];
  std::partial_sum(out_ends.begin(), out_ends.end(), out_ends.begin());
  std::vector<int32_t> by_source(edges);  // numbers of edges
  for (size_t edge = 0; edge < edges; ++edge) {
    const size_t place = static_cast<size_t>(out_ends[static_cast<size_t>(arrays_.sources[edge])]++);
    by_source[place] = static_cast<int32_t>(edge);
  }
  Free(arrays_.sources);
  const auto out_begin = [&](int32_t row) { return row == 0 ? 0 : out_ends[static_cast<size_t>(row - 1)]; };

  // Makes a part of each page with room for its rows' counts, and turns the counts into the rows' places in the part.
  const auto make_parts = [&](std::vector<int32_t>& counts, auto& parts) {
    for (size_t page = 0; page < pages.size(); ++page) {
      auto& part = parts[page];
      using Part = typename std::decay_t<decltype(part)>::element_type;
      part = std::make_shared<Part>();
      const size_t rows = static_cast<size_t>(graph_->RowsOf(page));
      part->begins.resize(rows + 1);
      for (size_t i = 0; i < rows; ++i) {
        int32_t& count = counts[page * kPageRows + i];
        part->begins[i + 1] = part->begins[i] + count;
        count = part->begins[i];
      }
    }
  };

  std::vector<int32_t> places(nodes);
  for (const int64_t target : arrays_.targets) ++places[static_cast<size_t>(target)];
  std::vector<std::shared_ptr<InPart>> in(pages.size());
  make_parts(places, in);
  for (const auto& part : in) {
    part->sources.resize(static_cast<size_t>(part->begins.back()));
    part->features.resize(part->sources.size() * static_cast<size_t>(width));
  }
  ForRowsById([&](int32_t source) {
    for (int32_t i = out_begin(source); i < out_ends[static_cast<size_t>(source)]; ++i) {
      const int64_t edge = by_source[static_cast<size_t>(i)];
      const size_t target = static_cast<size_t>(arrays_.targets[static_cast<size_t>(edge)]);
      InPart& part = *in[target / kPageRows];
      const int32_t place = places[target]++;
      part.sources[static_cast<size_t>(place)] = source;
      std::copy_n(arrays_.edge_features.data() + edge * width, width, part.features.data() + place * width);
    }
  });
  Free(by_source);
  Free(arrays_.targets);
  Free(arrays_.edge_features);
  for (size_t page = 0; page < pages.size(); ++page) {
    InPart& part = *in[page];
    for (size_t i = 0; width > 0 && i + 1 < part.begins.size(); ++i) {
      const size_t begin = static_cast<size_t>(part.begins[i]), end = static_cast<size_t>(part.begins[i + 1]);
      SortEqualSources(absl::MakeConstSpan(part.sources).subspan(begin, end - begin),
                       part.features.data() + static_cast<int64_t>(begin) * width, width);
    }
    graph_->Replace(pages[page].in, std::shared_ptr<const InPart>(std::move(in[page])));
  }

  for (int32_t row = 0; row < nodes_; ++row) {
    places[static_cast<size_t>(row)] = out_ends[static_cast<size_t>(row)] - out_begin(row);
  }
  Free(out_ends);
  std::vector<std::shared_ptr<OutPart>> out(pages.size());
  make_parts(places, out);
  for (const auto& part : out) part->targets.resize(static_cast<size_t>(part->begins.back()));
  ForRowsById([&](int32_t target) {
    for (const int32_t source : graph_->In(target).sources) {
      OutPart& part = *out[static_cast<size_t>(source) / kPageRows];
      part.targets[static_cast<size_t>(places[static_cast<size_t>(source)]++)] = target;
    }
  });
  for (size_t page = 0; page < pages.size(); ++page) {
    graph_->Replace(pages[page].out, std::shared_ptr<const OutPart>(std::move(out[page])));
  }
}

absl::StatusOr<std::shared_ptr<const Graph>> Graph::Build(GraphArrays arrays, int64_t most_nodes) {
  HEED_RETURN_IF_ERROR(CheckSizes(arrays));
  HEED_RETURN_IF_ERROR(CheckCounts(arrays.features.rows, most_nodes, Size(arrays.sources)));
  Builder builder(std::move(arrays));
  HEED_RETURN_IF_ERROR(builder.Check());
  return builder.Build();
}

// Checks an update against a version, noting which rows it touches, and then makes the pages of these rows anew.
class Graph::Editor {
 public:
  Editor(const Graph& old, const GraphUpdate& update) : old_(old), update_(update) {}

  absl::Status Check(int64_t most_nodes);
  std::shared_ptr<const Graph> Apply();
  GraphChange Change() const;

 private:
  struct AddedNode {
    int32_t row;
    size_t index;  // in add_nodes
  };
  struct AddedEdge {
    int32_t source;
    int32_t target;
    const float* features;
  };

  absl::Status CheckSizes() const;
  absl::Status RemoveEdges();
  absl::Status RemoveNodes();
  absl::Status AddNodes(int64_t most_nodes);
  absl::Status ChangeNodes();
  absl::Status AddEdges();
  // The row of a node of the version as far as it is edited.
  std::optional<int32_t> Row(int64_t id) const;
  std::vector<int32_t> RowsForAdded() const;
  bool IsRemoved(int32_t source, int32_t target) const {
    return removed_nodes_.contains(source) || removed_nodes_.contains(target) ||
           removed_edges_.contains({source, target});
  }

  void EditIds();
  void EditIndex();
  void EditFeatures();
  void EditIn();
  void EditOut();
  // Calls visit(page, touched) for each page that has some of `rows`, which ascend.
  template <typename Visit>
  static void ForPages(absl::Span<const int32_t> rows, const Visit& visit);

  const Graph& old_;
  const GraphUpdate& update_;
  std::shared_ptr<Graph> new_;
  absl::flat_hash_set<std::pair<int32_t, int32_t>> removed_edges_;  // rows of sources and targets
  absl::flat_hash_set<int32_t> removed_nodes_;                      // rows, even if new nodes take them
  absl::flat_hash_map<int64_t, AddedNode> added_nodes_;
  std::vector<AddedEdge> added_edges_;
  std::vector<std::pair<int32_t, FeatureRow>> features_;  // of rows; a later one takes an earlier one's place
  std::vector<int32_t> touched_nodes_;                    // rows of removed and added nodes
  std::vector<int32_t> touched_in_;
  std::vector<int32_t> touched_out_;
};

absl::Status Graph::Editor::Check(int64_t most_nodes) {
  HEED_RETURN_IF_ERROR(CheckSizes());
  HEED_RETURN_IF_ERROR(RemoveEdges());
  HEED_RETURN_IF_ERROR(RemoveNodes());
  HEED_RETURN_IF_ERROR(AddNodes(most_nodes));
  HEED_RETURN_IF_ERROR(ChangeNodes());
  return AddEdges();
}

absl::Status Graph::Editor::CheckSizes() const {
  const auto check = [this](const FeatureArrays& features, absl::string_view name, const std::vector<int64_t>& nodes,
                            absl::string_view nodes_name) {
    HEED_RETURN_IF_ERROR(heed::CheckSizes(features, name));
    if (features.rows != Size(nodes)) {
      return Refused(name, ": ", features.rows, " rows, but ", nodes_name, " has ", nodes.size());
    }
    if (features.rows > 0 && features.width != old_.feature_width_) {
      return Refused(name, ": width ", features.width, ", but the graph's features have ", old_.feature_width_);
    }
    return absl::OkStatus();
  };
  HEED_RETURN_IF_ERROR(check(update_.add_features, "add_features", update_.add_nodes, "add_nodes"));
  HEED_RETURN_IF_ERROR(check(update_.change_features, "change_features", update_.change_nodes, "change_nodes"));
  const int64_t edges = Size(update_.add_edges);
  if (Size(update_.add_edge_features) != edges * old_.edge_feature_width_) {
    return Refused("add_edge_features: ", update_.add_edge_features.size(), " values, but ", edges, " edges of width ",
                   old_.edge_feature_width_, " need ", edges * old_.edge_feature_width_);
  }
  return absl::OkStatus();
}

std::optional<int32_t> Graph::Editor::Row(int64_t id) const {
  if (const auto added = added_nodes_.find(id); added != added_nodes_.end()) return added->second.row;
  const std::optional<int32_t> row = old_.Row(id);
  return row.has_value() && removed_nodes_.contains(*row) ? std::nullopt : row;
}

absl::Status Graph::Editor::RemoveEdges() {
  for (size_t i = 0; i < update_.remove_edges.size(); ++i) {
    const auto [source_id, target_id] = update_.remove_edges[i];
    const std::optional<int32_t> source = Row(source_id), target = Row(target_id);
    bool found = source.has_value() && target.has_value();
    if (found) {
      const absl::Span<const int32_t> sources = old_.In(*target).sources;
      const auto place = std::lower_bound(sources.begin(), sources.end(), source_id,
                                          [this](int32_t row, int64_t id) { return old_.Id(row) < id; });
      found = place != sources.end() && *place == *source && removed_edges_.emplace(*source, *target).second;
    }
    if (!found) return Refused("remove_edges[", i, "]: there is no edge ", source_id, " -> ", target_id);
    touched_out_.push_back(*source);
    touched_in_.push_back(*target);
  }
  return absl::OkStatus();
}

absl::Status Graph::Editor::RemoveNodes() {
  for (size_t i = 0; i < update_.remove_nodes.size(); ++i) {
    const std::optional<int32_t> row = Row(update_.remove_nodes[i]);
    if (!row.has_value()) return Refused("remove_nodes[", i, "]: there is no node ", update_.remove_nodes[i]);
    removed_nodes_.insert(*row);
    touched_nodes_.push_back(*row);
    features_.push_back({*row, FeatureRow{nullptr, nullptr, -1}});
    const absl::Span<const int32_t> sources = old_.In(*row).sources, targets = old_.Out(*row);
    touched_out_.push_back(*row);
    touched_out_.insert(touched_out_.end(), sources.begin(), sources.end());
    touched_in_.push_back(*row);
    touched_in_.insert(touched_in_.end(), targets.begin(), targets.end());
  }
  return absl::OkStatus();
}

// The lowest rows that hold no node.
std::vector<int32_t> Graph::Editor::RowsForAdded() const {
  const size_t wanted = update_.add_nodes.size();
  if (wanted == 0) return {};
  std::vector<int32_t> rows;
  for (size_t page = 0; page < old_.pages_.size() && rows.size() < wanted; ++page) {
    const IdPart* ids = old_.pages_[page].ids.get();
    if (ids == nullptr || ids->present.count() == ids->ids.size()) continue;
    for (size_t i = 0; i < ids->ids.size(); ++i) {
      if (!ids->present[i]) rows.push_back(static_cast<int32_t>(page * kPageRows + i));
    }
  }
  rows.insert(rows.end(), removed_nodes_.begin(), removed_nodes_.end());
  std::sort(rows.begin(), rows.end());
  for (int64_t row = old_.rows_; rows.size() < wanted; ++row) rows.push_back(static_cast<int32_t>(row));
  rows.resize(wanted);
  return rows;
}

absl::Status Graph::Editor::AddNodes(int64_t most_nodes) {
  const int64_t nodes = old_.nodes_ - static_cast<int64_t>(removed_nodes_.size()) + Size(update_.add_nodes);
  if (!update_.add_nodes.empty()) {
    HEED_RETURN_IF_ERROR(CheckCounts(nodes, most_nodes, old_.edges_));
  }
  const std::vector<int32_t> rows = RowsForAdded();
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t id = update_.add_nodes[i];
    if (const auto first = added_nodes_.find(id); first != added_nodes_.end()) {
      return Refused("add_nodes[", i, "]: ", id, ", which is also add_nodes[", first->second.index, "]");
    }
    if (Row(id).has_value()) return Refused("add_nodes[", i, "]: the graph has a node ", id);
    const FeatureRow features = RowOf(update_.add_features, static_cast<int64_t>(i));
    HEED_RETURN_IF_ERROR(CheckFeatures(features, old_.feature_width_, id));
    added_nodes_.emplace(id, AddedNode{rows[i], i});
    features_.push_back({rows[i], features});
    touched_nodes_.push_back(rows[i]);
    touched_in_.push_back(rows[i]);
    touched_out_.push_back(rows[i]);
  }
  return absl::OkStatus();
}

absl::Status Graph::Editor::ChangeNodes() {
  absl::flat_hash_map<int64_t, size_t> seen;
  for (size_t i = 0; i < update_.change_nodes.size(); ++i) {
    const int64_t id = update_.change_nodes[i];
    const std::optional<int32_t> row = Row(id);
    if (!row.has_value()) return Refused("change_nodes[", i, "]: there is no node ", id);
    const auto [first, is_new] = seen.emplace(id, i);
    if (!is_new) return Refused("change_nodes[", i, "]: ", id, ", which is also change_nodes[", first->second, "]");
    const FeatureRow features = RowOf(update_.change_features, static_cast<int64_t>(i));
    HEED_RETURN_IF_ERROR(CheckFeatures(features, old_.feature_width_, id));
    features_.push_back({*row, features});
  }
  return absl::OkStatus();
}

absl::Status Graph::Editor::AddEdges() {
  const int64_t width = old_.edge_feature_width_;
  HEED_RETURN_IF_ERROR(CheckCounts(0, 0, old_.edges_ + Size(update_.add_edges)));
  added_edges_.reserve(update_.add_edges.size());
  for (size_t i = 0; i < update_.add_edges.size(); ++i) {
    const auto [source_id, target_id] = update_.add_edges[i];
    const std::optional<int32_t> source = Row(source_id), target = Row(target_id);
    if (!source.has_value()) return Refused("add_edges[", i, "]: there is no node ", source_id);
    if (!target.has_value()) return Refused("add_edges[", i, "]: there is no node ", target_id);
    const float* features = update_.add_edge_features.data() + static_cast<int64_t>(i) * width;
    const int64_t wrong = FirstNotFinite(features, width);
    if (wrong < width) {
      return Refused("features of add_edges[", i, "], column ", wrong, ": ", NotFinite(features[wrong]));
    }
    added_edges_.push_back({*source, *target, features});
    touched_out_.push_back(*source);
    touched_in_.push_back(*target);
  }
  return absl::OkStatus();
}

std::shared_ptr<const Graph> Graph::Editor::Apply() {
  new_ = std::shared_ptr<Graph>(new Graph(old_));
  SortUnique(touched_nodes_);
  SortUnique(touched_in_);
  SortUnique(touched_out_);
  if (!touched_nodes_.empty()) new_->rows_ = std::max(old_.rows_, int64_t{touched_nodes_.back()} + 1);
  new_->nodes_ += static_cast<int64_t>(added_nodes_.size()) - static_cast<int64_t>(removed_nodes_.size());
  new_->pages_.resize(static_cast<size_t>((new_->rows_ + kPageRows - 1) / kPageRows));
  EditIds();
  EditIndex();
  EditFeatures();
  EditIn();
  EditOut();
  return new_;
}

template <typename Visit>
void Graph::Editor::ForPages(absl::Span<const int32_t> rows, const Visit& visit) {
  for (size_t begin = 0, end; begin < rows.size(); begin = end) {
    const size_t page = static_cast<size_t>(rows[begin]) / kPageRows;
    for (end = begin + 1; end < rows.size() && static_cast<size_t>(rows[end]) / kPageRows == page;) ++end;
    visit(page, rows.subspan(begin, end - begin));
  }
}

void Graph::Editor::EditIds() {
  std::vector<std::pair<int32_t, int64_t>> added;  // rows and ids
  added.reserve(added_nodes_.size());
  for (const auto& [id, node] : added_nodes_) added.push_back({node.row, id});
  std::sort(added.begin(), added.end());
  auto next = added.begin();
  ForPages(touched_nodes_, [&](size_t page, absl::Span<const int32_t> touched) {
    const size_t rows = static_cast<size_t>(new_->RowsOf(page));
    const int64_t first = static_cast<int64_t>(page) * kPageRows;
    auto part = std::make_shared<IdPart>();
    part->ids.resize(rows);
    for (size_t i = 0; i < rows; ++i) {
      const int32_t row = static_cast<int32_t>(first + static_cast<int64_t>(i));
      if (!old_.Has(row)) continue;
      part->ids[i] = old_.Id(row);
      part->present.set(i);
    }
    for (const int32_t row : touched) {
      const bool is_added = next != added.end() && next->first == row;
      part->ids[Slot(row)] = is_added ? next->second : 0;
      part->present.set(Slot(row), is_added);
      if (is_added) ++next;
    }
    bool ids_are_rows = true;
    for (size_t i = 0; i < rows; ++i) {
      ids_are_rows = ids_are_rows && part->present[i] && part->ids[i] == first + static_cast<int64_t>(i);
    }
    if (ids_are_rows) part = nullptr;
    new_->Replace(new_->pages_[page].ids, std::shared_ptr<const IdPart>(std::move(part)));
  });
}

void Graph::Editor::EditIndex() {
  struct Edit {
    size_t shard;
    IdRow node;
    bool add;
  };
  int64_t moved = old_.moved_;
  std::vector<std::pair<IdRow, bool>> edits;  // true: added
  for (const int32_t row : removed_nodes_) {
    if (old_.Id(row) != row) edits.push_back({{old_.Id(row), row}, false});
  }
  for (const auto& [id, node] : added_nodes_) {
    if (id != node.row) edits.push_back({{id, node.row}, true});
  }
  if (edits.empty()) return;
  for (const auto& edit : edits) moved += edit.second ? 1 : -1;
  if (new_->shards_.empty() || moved > 4 * kShardNodes * Size(new_->shards_)) {
    std::vector<IdRow> nodes;
    for (int32_t row = 0; row < new_->rows_; ++row) {
      if (new_->Has(row) && new_->Id(row) != row) nodes.push_back({new_->Id(row), row});
    }
    new_->MakeIndex(nodes);
    return;
  }
  std::vector<Edit> by_shard;
  by_shard.reserve(edits.size());
  for (const auto& [node, add] : edits) by_shard.push_back({new_->ShardOf(node.id), node, add});
  // Within a shard, what is removed comes first: an id may be removed from one row and added to another.
  std::sort(by_shard.begin(), by_shard.end(), [](const Edit& a, const Edit& b) {
    return std::tuple(a.shard, a.add, a.node.id) < std::tuple(b.shard, b.add, b.node.id);
  });
  for (size_t begin = 0, end; begin < by_shard.size(); begin = end) {
    const size_t index = by_shard[begin].shard;
    const Shard& old = *new_->shards_[index];
    auto shard = std::make_shared<Shard>();
    shard->reserve(old.size());
    auto kept = old.begin();
    for (end = begin; end < by_shard.size() && by_shard[end].shard == index && !by_shard[end].add; ++end) {
      const auto gone = std::find_if(kept, old.end(), [&](const IdRow& n) { return n.id == by_shard[end].node.id; });
      shard->insert(shard->end(), kept, gone);
      kept = gone + 1;
    }
    shard->insert(shard->end(), kept, old.end());
    const auto by_id = [](const IdRow& a, const IdRow& b) { return a.id < b.id; };
    const int64_t middle = Size(*shard);
    for (; end < by_shard.size() && by_shard[end].shard == index; ++end) shard->push_back(by_shard[end].node);
    std::inplace_merge(shard->begin(), shard->begin() + middle, shard->end(), by_id);
    new_->Replace(new_->shards_[index], std::shared_ptr<const Shard>(std::move(shard)));
  }
}

void Graph::Editor::EditFeatures() {
  const auto by_row = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(features_.begin(), features_.end(), by_row);
  std::vector<int32_t> touched;
  touched.reserve(features_.size());
  for (const auto& row : features_) touched.push_back(row.first);
  SortUnique(touched);
  auto next = features_.begin();
  std::array<FeatureRow, kPageRows> rows;
  ForPages(touched, [&](size_t page, absl::Span<const int32_t>) {
    const size_t count = static_cast<size_t>(new_->RowsOf(page));
    for (size_t i = 0; i < count; ++i) {
      const int32_t row = static_cast<int32_t>(page * kPageRows + i);
      rows[i] = old_.Has(row) ? old_.Features(row) : FeatureRow{nullptr, nullptr, -1};
      for (; next != features_.end() && next->first == row; ++next) rows[i] = next->second;
    }
    new_->Replace(new_->pages_[page].features,
                  MakeFeatures(old_.feature_width_, absl::MakeConstSpan(rows.data(), count)));
  });
}

void Graph::Editor::EditIn() {
  const int64_t width = old_.edge_feature_width_;
  const auto comes_before = [&](int32_t a, const float* a_features, int32_t b, const float* b_features) {
    if (a != b) return new_->Id(a) < new_->Id(b);
    return CompareFeatures(a_features, b_features, width) < 0;
  };
  std::sort(added_edges_.begin(), added_edges_.end(), [&](const AddedEdge& a, const AddedEdge& b) {
    if (a.target != b.target) return a.target < b.target;
    return comes_before(a.source, a.features, b.source, b.features);
  });
  auto next = added_edges_.begin();
  ForPages(touched_in_, [&](size_t page, absl::Span<const int32_t> touched) {
    const size_t rows = static_cast<size_t>(new_->RowsOf(page));
    auto part = std::make_shared<InPart>();
    part->begins.reserve(rows + 1);
    part->begins.push_back(0);
    const auto add = [&](int32_t source, const float* features) {
      part->sources.push_back(source);
      part->features.insert(part->features.end(), features, features + width);
    };
    auto touched_row = touched.begin();
    for (size_t i = 0; i < rows; ++i) {
      const int32_t row = static_cast<int32_t>(page * kPageRows + i);
      const InEdges old = row < old_.rows_ ? old_.In(row) : InEdges{};
      if (touched_row == touched.end() || *touched_row != row) {
        part->sources.insert(part->sources.end(), old.sources.begin(), old.sources.end());
        part->features.insert(part->features.end(), old.features,
                              old.features + static_cast<int64_t>(old.sources.size()) * width);
      } else {
        ++touched_row;
        for (size_t k = 0; k < old.sources.size(); ++k) {
          const int32_t source = old.sources[k];
          if (IsRemoved(source, row)) continue;
          const float* features = old.features + static_cast<int64_t>(k) * width;
          for (; next != added_edges_.end() && next->target == row &&
                 comes_before(next->source, next->features, source, features);
               ++next) {
            add(next->source, next->features);
          }
          add(source, features);
        }
        for (; next != added_edges_.end() && next->target == row; ++next) add(next->source, next->features);
      }
      part->begins.push_back(static_cast<int32_t>(part->sources.size()));
    }
    part->sources.shrink_to_fit();
    part->features.shrink_to_fit();
    new_->Replace(new_->pages_[page].in, std::shared_ptr<const InPart>(std::move(part)));
  });
}

void Graph::Editor::EditOut() {
  std::sort(added_edges_.begin(), added_edges_.end(), [&](const AddedEdge& a, const AddedEdge& b) {
    if (a.source != b.source) return a.source < b.source;
    return new_->Id(a.target) < new_->Id(b.target);
  });
  auto next = added_edges_.begin();
  ForPages(touched_out_, [&](size_t page, absl::Span<const int32_t> touched) {
    const size_t rows = static_cast<size_t>(new_->RowsOf(page));
    auto part = std::make_shared<OutPart>();
    part->begins.reserve(rows + 1);
    part->begins.push_back(0);
    auto touched_row = touched.begin();
    for (size_t i = 0; i < rows; ++i) {
      const int32_t row = static_cast<int32_t>(page * kPageRows + i);
      const absl::Span<const int32_t> old = row < old_.rows_ ? old_.Out(row) : absl::Span<const int32_t>();
      if (touched_row == touched.end() || *touched_row != row) {
        part->targets.insert(part->targets.end(), old.begin(), old.end());
      } else {
        ++touched_row;
        for (const int32_t target : old) {
          if (IsRemoved(row, target)) continue;
          for (; next != added_edges_.end() && next->source == row && new_->Id(next->target) < new_->Id(target);
               ++next) {
            part->targets.push_back(next->target);
          }
          part->targets.push_back(target);
        }
        for (; next != added_edges_.end() && next->source == row; ++next) part->targets.push_back(next->target);
      }
      part->begins.push_back(static_cast<int32_t>(part->targets.size()));
    }
    part->targets.shrink_to_fit();
    new_->Replace(new_->pages_[page].out, std::shared_ptr<const OutPart>(std::move(part)));
  });
}

GraphChange Graph::Editor::Change() const {
  GraphChange change;
  for (const auto& row : features_) {
    if (new_->Has(row.first)) change.features.push_back(row.first);
  }
  SortUnique(change.features);
  for (const int32_t row : touched_in_) {
    if (new_->Has(row)) change.in_edges.push_back(row);
  }
  for (const int32_t row : touched_nodes_) {
    if (!new_->Has(row)) change.removed.push_back(row);
  }
  return change;
}

absl::StatusOr<std::shared_ptr<const Graph>> Graph::Apply(const GraphUpdate& update, GraphChange* change,
                                                          int64_t most_nodes) const {
  Editor editor(*this, update);
  HEED_RETURN_IF_ERROR(editor.Check(most_nodes));
  std::shared_ptr<const Graph> graph = editor.Apply();
  if (change != nullptr) *change = editor.Change();
  return graph;
}

}  // namespace heed
