// A graph as it stands at one moment: an immutable version, made from arrays or from another version and a change.
//
// Nodes live in rows, in pages of kPageRows rows; a version is a list of pages, and shares with the version it came
// from all pages that the change does not touch. So an update costs what it changes, reading costs what a flat array
// costs, and nothing ever needs merging (the design's base and delta, without the background merge). A page holds its
// rows' ids, features, in-edges (compressed sparse rows by destination) and out-edges, each shared on its own.
//
// The in-edges of a node stand in ascending order of their sources' ids (equal ones in order of their features), after
// updates as after a load, so that sums over neighbours have the same bits however the graph came to be.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/graph_arrays.h"

namespace heed {

// Row numbers are 32 bits wide.
inline constexpr int64_t kMostGraphNodes = int64_t{1} << 30;

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

// Nodes are named by id. Applied in the order of the members.
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
  // width, arrays whose sizes do not fit each other, more nodes than `most_nodes`.
  static absl::StatusOr<std::shared_ptr<const Graph>> Build(GraphArrays arrays, int64_t most_nodes = kMostGraphNodes);

  // The version after `update`; this one stays as it is. All or nothing. `change`, if not null, tells what differs.
  // INVALID_ARGUMENT names the first offender: a node or edge to remove or change that is not there, an id to add that
  // is, and what Build checks.
  absl::StatusOr<std::shared_ptr<const Graph>> Apply(const GraphUpdate& update, GraphChange* change,
                                                     int64_t most_nodes = kMostGraphNodes) const;

  int64_t nodes() const;
  int64_t edges() const;
  int64_t feature_width() const;
  int64_t feature_values() const;  // that are stored
  int64_t edge_feature_width() const;
  // Memory of this version, what it shares with others included.
  int64_t bytes() const;

  // Rows are numbered [0, rows()); those of removed nodes hold none until a new node takes them.
  int64_t rows() const;
  bool Has(int32_t row) const;
  // The functions below: only for rows that hold a node.
  int64_t Id(int32_t row) const;
  FeatureRow Features(int32_t row) const;
  InEdges In(int32_t row) const;
  absl::Span<const int32_t> Out(int32_t row) const;  // the targets' rows, one for each edge

  // The row of the node of this id.
  std::optional<int32_t> Row(int64_t id) const;
  // The rows of all nodes, ascending by id.
  std::vector<int32_t> RowsById() const;

  // The graph as arrays, nodes ascending by id: Build makes the same graph of them.
  GraphArrays ToArrays() const;
};

}  // namespace heed
