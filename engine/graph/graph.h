// SPDX-License-Identifier: Apache-2.0
// A graph as it stands at one moment: an immutable version, made from arrays or from another version and a change.
//
// Nodes live in rows, in pages of kPageRows rows; a version is a list of pages, and shares with the version it came
// from all pages that the change does not touch. So an update costs what it changes, reading costs what a flat array
// costs, and nothing ever needs merging (docs/design.md, "Stored graphs"). A page holds its
// rows' ids, features, in-edges (compressed sparse rows by destination) and out-edges, each shared on its own.
//
// The in-edges of a node stand in ascending order of their sources' ids (equal ones in order of their features), after
// updates as after a load, so that sums over neighbors have the same bits however the graph came to be.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "files/graph_arrays.h"

namespace heed {

// Numbers of rows, and of edges, are 32 bits wide.
inline constexpr int64_t kMaxGraphNodes = int64_t{1} << 30;
inline constexpr int64_t kMaxGraphEdges = (int64_t{1} << 31) - 1;

// One node's features: all `width` values (columns is null), or `count` values at ascending columns. Which of the two
// depends on how many of the row's own values are not zero, never on how they were given or on other rows.
struct FeatureRow {
  const float* values = nullptr;
  const int32_t* columns = nullptr;
  int64_t count = 0;
};
// Rows with at most this share of values that are not zero are kept, and multiplied, sparse.
inline constexpr double kSparseRowDensity = 0.15;

// The in-edges of one node: their sources' rows, ascending by id, and their features [edges, width].
struct InEdges {
  absl::Span<const int32_t> sources;
  const float* features = nullptr;
};

using EdgeIds = std::pair<int64_t, int64_t>;  // source, target

// Nodes are named by id. Applied in the order of the members: a removed id may be added again, and new nodes may be
// changed and have edges.
struct GraphUpdate {
  std::vector<EdgeIds> remove_edges;  // every edge between the two
  std::vector<int64_t> remove_nodes;  // with their edges
  std::vector<int64_t> add_nodes;
  FeatureArrays add_features;  // a row for each
  std::vector<int64_t> change_nodes;
  FeatureArrays change_features;  // a row for each
  std::vector<EdgeIds> add_edges;
  std::vector<float> add_edge_features;  // row-major [add_edges, edge_feature_width]
};

// Which rows of the new version differ from the old one's. Each sorted, without duplicates.
struct GraphChange {
  std::vector<int32_t> features;  // new nodes, and those whose features changed
  std::vector<int32_t> in_edges;  // those whose in-edges, or these edges' features, changed; new nodes too
  std::vector<int32_t> removed;   // hold no node any more
};

// Immutable; thread-safe.
class Graph {
 public:
  static constexpr int64_t kPageRows = 256;

  // Checks and takes the arrays. INVALID_ARGUMENT names the first offender and both values: an edge to a row that is
  // not there, a number that is not finite, an id that occurs twice, columns that do not ascend or lie beyond the
  // width, arrays whose sizes do not fit each other, more nodes than `max_nodes`. Nodes keep the arrays' rows; the
  // width of features may be 0.
  static absl::StatusOr<std::shared_ptr<const Graph>> Build(GraphArrays arrays, int64_t max_nodes = kMaxGraphNodes);

  // The version after `update`; this one stays as it is. All or nothing. `change`, if not null, tells what differs.
  // INVALID_ARGUMENT names the first offender: a node or edge to remove or change that is not there, an id to add that
  // is, one that is named twice, and what Build checks. New nodes take the lowest rows that hold none.
  absl::StatusOr<std::shared_ptr<const Graph>> Apply(const GraphUpdate& update, GraphChange* change,
                                                     int64_t max_nodes = kMaxGraphNodes) const;

  int64_t nodes() const { return nodes_; }
  int64_t edges() const { return edges_; }
  int64_t feature_width() const { return feature_width_; }
  int64_t feature_values() const { return feature_values_; }  // that are stored
  int64_t edge_feature_width() const { return edge_feature_width_; }
  // Memory of this version, what it shares with others included.
  int64_t bytes() const;

  // Rows are numbered [0, rows()); those of removed nodes hold none until a new node takes them.
  int64_t rows() const { return rows_; }
  bool Has(int32_t row) const;
  // The functions below: only for rows that hold a node.
  int64_t Id(int32_t row) const;
  FeatureRow Features(int32_t row) const;
  InEdges In(int32_t row) const;
  absl::Span<const int32_t> Out(int32_t row) const;  // the targets' rows, ascending by id, one for each edge

  // The row of the node of this id.
  std::optional<int32_t> Row(int64_t id) const;
  // The rows of all nodes, ascending by id.
  std::vector<int32_t> RowsById() const;

  // The graph as arrays, nodes ascending by id: Build makes the same graph of them.
  GraphArrays ToArrays() const;

 private:
  class Builder;
  class Editor;

  // The parts of a page: immutable, shared by versions. A list of `begins` has one entry for each row of the page and
  // one more; rows that hold no node have nothing between theirs.
  struct IdPart {
    std::vector<int64_t> ids;
    std::bitset<kPageRows> present;
  };
  struct FeaturePart {
    std::vector<int64_t> value_begins;   // none: all rows are dense
    std::vector<int64_t> column_begins;  // none: all rows are dense; a dense row has no columns
    std::vector<float> values;
    std::vector<int32_t> columns;
  };
  struct InPart {
    std::vector<int32_t> begins;
    std::vector<int32_t> sources;
    std::vector<float> features;
  };
  struct OutPart {
    std::vector<int32_t> begins;
    std::vector<int32_t> targets;
  };
  struct Page {
    std::shared_ptr<const IdPart> ids;  // null: every row holds a node, whose id is the row
    std::shared_ptr<const FeaturePart> features;
    std::shared_ptr<const InPart> in;
    std::shared_ptr<const OutPart> out;
  };

  struct IdRow {
    int64_t id;
    int32_t row;
  };
  using Shard = std::vector<IdRow>;  // ascending by id

  Graph() = default;
  Graph(const Graph&) = default;  // a version to change

  const Page& PageOf(int32_t row) const { return pages_[static_cast<size_t>(row) / kPageRows]; }
  static size_t Slot(int32_t row) { return static_cast<size_t>(row) % kPageRows; }
  int64_t RowsOf(size_t page) const;  // rows of this page that are numbered
  size_t ShardOf(int64_t id) const;
  // Counts a part that comes or goes.
  void Count(const IdPart& part, int64_t sign);
  void Count(const FeaturePart& part, int64_t sign);
  void Count(const InPart& part, int64_t sign);
  void Count(const OutPart& part, int64_t sign);
  void Count(const Shard& shard, int64_t sign);
  template <typename Part>
  void Replace(std::shared_ptr<const Part>& place, std::shared_ptr<const Part> part) {
    if (place != nullptr) Count(*place, -1);
    if (part != nullptr) Count(*part, 1);
    place = std::move(part);
  }
  // The features of these rows, in their order, by whichever form takes less memory.
  FeatureArrays FeaturesOf(const std::vector<int32_t>& rows) const;
  // Stores the rows by the density rule. A count below 0: no node.
  static std::shared_ptr<const FeaturePart> MakeFeatures(int64_t width, absl::Span<const FeatureRow> rows);
  void MakeIndex(absl::Span<const IdRow> moved);

  int64_t rows_ = 0;
  int64_t nodes_ = 0;
  int64_t edges_ = 0;
  int64_t feature_width_ = 0;
  int64_t feature_values_ = 0;
  int64_t edge_feature_width_ = 0;
  int64_t part_bytes_ = 0;  // of the pages' parts and the index
  std::vector<Page> pages_;
  // Finds the nodes whose ids are not their rows; the others need no index. As many shards as a power of two.
  int64_t moved_ = 0;
  std::vector<std::shared_ptr<const Shard>> shards_;
};

inline bool Graph::Has(int32_t row) const {
  if (row < 0 || row >= rows_) return false;
  const IdPart* ids = PageOf(row).ids.get();
  return ids == nullptr || ids->present[Slot(row)];
}

inline int64_t Graph::Id(int32_t row) const {
  const IdPart* ids = PageOf(row).ids.get();
  return ids == nullptr ? row : ids->ids[Slot(row)];
}

inline FeatureRow Graph::Features(int32_t row) const {
  static constexpr int32_t kNoColumn = 0;  // a row of zeros must not look like a dense one
  const FeaturePart& part = *PageOf(row).features;
  const size_t slot = Slot(row);
  if (part.value_begins.empty()) {
    return {part.values.data() + static_cast<int64_t>(slot) * feature_width_, nullptr, feature_width_};
  }
  const float* values = part.values.data() + part.value_begins[slot];
  const int64_t count = part.value_begins[slot + 1] - part.value_begins[slot];
  const bool dense = count > 0 && part.column_begins[slot] == part.column_begins[slot + 1];
  if (dense) return {values, nullptr, count};
  return {values, part.columns.empty() ? &kNoColumn : part.columns.data() + part.column_begins[slot], count};
}

inline InEdges Graph::In(int32_t row) const {
  const InPart& part = *PageOf(row).in;
  const size_t begin = static_cast<size_t>(part.begins[Slot(row)]);
  const size_t end = static_cast<size_t>(part.begins[Slot(row) + 1]);
  return {{part.sources.data() + begin, end - begin},
          part.features.data() + begin * static_cast<size_t>(edge_feature_width_)};
}

inline absl::Span<const int32_t> Graph::Out(int32_t row) const {
  const OutPart& part = *PageOf(row).out;
  const size_t begin = static_cast<size_t>(part.begins[Slot(row)]);
  const size_t end = static_cast<size_t>(part.begins[Slot(row) + 1]);
  return {part.targets.data() + begin, end - begin};
}

}  // namespace heed
