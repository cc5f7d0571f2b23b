// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace heed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using GraphPointer = std::shared_ptr<const Graph>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

FeatureArrays Dense(int64_t width, std::vector<float> values) {
  FeatureArrays features;
  features.width = width;
  features.rows = width == 0 ? 0 : static_cast<int64_t>(values.size()) / width;
  features.values = std::move(values);
  return features;
}

FeatureArrays Sparse(int64_t width, std::vector<int64_t> row_ends, std::vector<int32_t> columns,
                     std::vector<float> values) {
  FeatureArrays features;
  features.sparse = true;
  features.width = width;
  features.rows = static_cast<int64_t>(row_ends.size());
  features.row_ends = std::move(row_ends);
  features.columns = std::move(columns);
  features.values = std::move(values);
  return features;
}

// `nodes` nodes of one feature, their row's number.
GraphArrays Plain(int64_t nodes, const std::vector<EdgeIds>& edges) {
  GraphArrays arrays;
  arrays.features.rows = nodes;
  arrays.features.width = 1;
  for (int64_t row = 0; row < nodes; ++row) arrays.features.values.push_back(static_cast<float>(row));
  for (const auto& [source, target] : edges) {
    arrays.sources.push_back(source);
    arrays.targets.push_back(target);
  }
  return arrays;
}

GraphPointer Built(GraphArrays arrays) {
  auto graph = Graph::Build(std::move(arrays));
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *graph : nullptr;
}

void ExpectRefused(const absl::Status& status, const std::string& message) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(std::string(status.message()), message);
}

std::vector<float> DenseRow(const Graph& graph, int32_t row) {
  const FeatureRow given = graph.Features(row);
  if (given.columns == nullptr) return {given.values, given.values + given.count};
  std::vector<float> values(static_cast<size_t>(graph.feature_width()));
  for (int64_t k = 0; k < given.count; ++k) values[static_cast<size_t>(given.columns[k])] = given.values[k];
  return values;
}

std::vector<int64_t> Ids(const Graph& graph, absl::Span<const int32_t> rows) {
  std::vector<int64_t> ids;
  for (const int32_t row : rows) ids.push_back(graph.Id(row));
  return ids;
}

std::vector<float> InFeatures(const Graph& graph, int32_t row) {
  const InEdges in = graph.In(row);
  return {in.features, in.features + static_cast<int64_t>(in.sources.size()) * graph.edge_feature_width()};
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// The naive graph: what Graph must say, said by the standard library's containers.
struct NaiveGraph {
  struct Edge {
    int64_t source, target;
    std::vector<float> features;
    bool operator<(const Edge& other) const {
      return std::tie(target, source, features) < std::tie(other.target, other.source, other.features);
    }
  };

  int64_t width = 0;
  std::map<int64_t, std::vector<float>> nodes;
  std::multiset<Edge> edges;

  void RemoveEdges(int64_t source, int64_t target) {
    std::erase_if(edges, [&](const Edge& e) { return e.source == source && e.target == target; });
  }
  void RemoveNode(int64_t id) {
    nodes.erase(id);
    std::erase_if(edges, [&](const Edge& e) { return e.source == id || e.target == id; });
  }
  void ExpectIs(const Graph& graph) const;
};

void NaiveGraph::ExpectIs(const Graph& graph) const {
  ASSERT_EQ(graph.nodes(), static_cast<int64_t>(nodes.size()));
  ASSERT_EQ(graph.edges(), static_cast<int64_t>(edges.size()));
  std::vector<int32_t> rows;
  int64_t present = 0, values = 0;
  for (int32_t row = 0; row < graph.rows(); ++row) present += graph.Has(row);
  EXPECT_EQ(present, graph.nodes());
  std::map<int64_t, std::vector<int64_t>> out;
  for (const Edge& edge : edges) out[edge.source].push_back(edge.target);
  auto edge = edges.begin();
  for (const auto& [id, features] : nodes) {
    const std::optional<int32_t> row = graph.Row(id);
    ASSERT_TRUE(row.has_value()) << id;
    ASSERT_TRUE(graph.Has(*row));
    ASSERT_EQ(graph.Id(*row), id);
    rows.push_back(*row);
    ASSERT_TRUE(SameBits(DenseRow(graph, *row), features)) << id;
    const auto nonzeros = std::count_if(features.begin(), features.end(), [](float v) { return v != 0; });
    const bool sparse = static_cast<double>(nonzeros) <= kSparseRowDensity * static_cast<double>(width);
    ASSERT_EQ(graph.Features(*row).columns != nullptr, sparse) << id;
    ASSERT_EQ(graph.Features(*row).count, sparse ? nonzeros : width);
    values += graph.Features(*row).count;
    std::vector<int64_t> sources;
    std::vector<float> in_features;
    for (; edge != edges.end() && edge->target == id; ++edge) {
      sources.push_back(edge->source);
      in_features.insert(in_features.end(), edge->features.begin(), edge->features.end());
    }
    ASSERT_EQ(Ids(graph, graph.In(*row).sources), sources) << id;
    ASSERT_TRUE(SameBits(InFeatures(graph, *row), in_features)) << id;
    ASSERT_EQ(Ids(graph, graph.Out(*row)), out[id]) << id;
  }
  EXPECT_EQ(graph.feature_values(), values);
  EXPECT_EQ(graph.RowsById(), rows);
}

TEST(Graph, KeepsRowsAndOrdersEdges) {
  GraphArrays arrays = Plain(4, {{3, 1}, {0, 1}, {2, 1}, {1, 0}, {1, 3}, {1, 2}});
  const GraphPointer graph = Built(arrays);
  EXPECT_EQ(graph->nodes(), 4);
  EXPECT_EQ(graph->edges(), 6);
  EXPECT_EQ(graph->feature_values(), 3);  // all but the zero of node 0
  EXPECT_THAT(graph->In(1).sources, ElementsAre(0, 2, 3));
  EXPECT_THAT(graph->Out(1), ElementsAre(0, 2, 3));
  EXPECT_EQ(graph->Features(2).values[0], 2.0f);
  EXPECT_EQ(graph->Row(3), 3);
  EXPECT_EQ(graph->Row(4), std::nullopt);
  EXPECT_EQ(graph->Row(-1), std::nullopt);
  EXPECT_FALSE(graph->Has(4));
  EXPECT_FALSE(graph->Has(-1));

  arrays.node_ids = {70, -5, 60, 50};
  const GraphPointer named = Built(arrays);
  EXPECT_EQ(named->Id(0), 70);
  EXPECT_THAT(named->In(1).sources, ElementsAre(3, 2, 0));  // 50, 60, 70
  EXPECT_THAT(named->Out(1), ElementsAre(3, 2, 0));
  EXPECT_EQ(named->Row(-5), 1);
  EXPECT_EQ(named->Row(0), std::nullopt);
  EXPECT_THAT(named->RowsById(), ElementsAre(1, 3, 2, 0));
}

TEST(Graph, MayBeEmptyOrWithoutFeatures) {
  const GraphPointer empty = Built({});
  EXPECT_EQ(empty->nodes(), 0);
  EXPECT_EQ(empty->rows(), 0);
  EXPECT_EQ(empty->Row(0), std::nullopt);
  EXPECT_THAT(empty->RowsById(), IsEmpty());
  EXPECT_EQ(Built(empty->ToArrays())->nodes(), 0);

  GraphArrays featureless;
  featureless.features.rows = 300;
  featureless.sources = {299};
  featureless.targets = {0};
  const GraphPointer graph = Built(featureless);
  EXPECT_EQ(graph->nodes(), 300);
  EXPECT_EQ(graph->feature_values(), 0);
  EXPECT_EQ(graph->Features(299).count, 0);
  EXPECT_THAT(graph->In(0).sources, ElementsAre(299));

  GraphArrays wide;
  wide.features.width = 5;
  GraphUpdate update;
  update.add_nodes = {8};
  update.add_features = Dense(5, {1, 2, 3, 4, 5});
  const auto grown = Built(wide)->Apply(update, nullptr);
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_EQ((*grown)->Row(8), 0);
  update = {};
  update.remove_nodes = {8};
  const auto emptied = (*grown)->Apply(update, nullptr);
  ASSERT_TRUE(emptied.ok()) << emptied.status();
  EXPECT_EQ((*emptied)->nodes(), 0);
  EXPECT_EQ((*emptied)->feature_width(), 5);
  EXPECT_THAT((*emptied)->RowsById(), IsEmpty());
}

TEST(Graph, KeepsSelfLoopsAndMultiEdgesInOrderOfTheirFeatures) {
  GraphArrays arrays = Plain(2, {{1, 0}, {1, 0}, {0, 0}, {1, 0}, {1, 1}});
  arrays.edge_feature_width = 2;
  arrays.edge_features = {2, 0, 1, 9, 5, 5, 1, 3, 7, 7};
  const GraphPointer graph = Built(arrays);
  EXPECT_THAT(graph->In(0).sources, ElementsAre(0, 1, 1, 1));
  EXPECT_EQ(InFeatures(*graph, 0), (std::vector<float>{5, 5, 1, 3, 1, 9, 2, 0}));
  EXPECT_THAT(graph->Out(1), ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(graph->Out(0), ElementsAre(0));

  GraphUpdate update;
  update.add_edges = {{1, 0}, {1, 0}};
  update.add_edge_features = {1, 4, -1, 0};
  GraphChange change;
  auto changed = graph->Apply(update, &change);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(InFeatures(**changed, 0), (std::vector<float>{5, 5, -1, 0, 1, 3, 1, 4, 1, 9, 2, 0}));
  EXPECT_THAT(change.in_edges, ElementsAre(0));
  EXPECT_THAT(change.features, IsEmpty());

  update = {};
  update.remove_edges = {{1, 0}, {1, 1}};
  changed = (*changed)->Apply(update, &change);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_THAT((*changed)->In(0).sources, ElementsAre(0));
  EXPECT_EQ((*changed)->edges(), 1);
  EXPECT_THAT((*changed)->Out(1), IsEmpty());
  EXPECT_THAT(change.in_edges, ElementsAre(0, 1));
  EXPECT_EQ(graph->edges(), 5);  // the first version stays as it was
}

TEST(Graph, StoresEachRowByItsOwnDensity) {
  // Width 20: at most 3 values are sparse.
  std::vector<float> dense(60);
  dense[0] = dense[5] = dense[19] = 1;                // sparse
  dense[20] = dense[21] = dense[22] = dense[39] = 2;  // dense
  GraphArrays arrays;                                 // and a row of zeros
  arrays.features = Dense(20, dense);
  const GraphPointer graph = Built(arrays);
  // The same as sparse rows, some of whose values are zeros.
  arrays.features = Sparse(20, {5, 9, 10}, {0, 1, 5, 18, 19, 0, 1, 2, 19, 7}, {1, 0, 1, 0, 1, 2, 2, 2, 2, -0.0f});
  for (const GraphPointer& stored : {graph, Built(arrays)}) {
    EXPECT_EQ(stored->Features(0).count, 3);
    ASSERT_NE(stored->Features(0).columns, nullptr);
    EXPECT_EQ(stored->Features(0).columns[2], 19);
    EXPECT_EQ(stored->Features(1).columns, nullptr);
    EXPECT_EQ(stored->Features(1).count, 20);
    EXPECT_EQ(stored->Features(2).count, 0);
    EXPECT_NE(stored->Features(2).columns, nullptr);
    EXPECT_EQ(stored->feature_values(), 23);
    for (int32_t row = 0; row < 3; ++row) EXPECT_EQ(DenseRow(*stored, row), DenseRow(*graph, row));
  }
  // A page of nothing but zeros.
  arrays.features = Dense(20, std::vector<float>(40));
  EXPECT_NE(Built(arrays)->Features(1).columns, nullptr);
  EXPECT_EQ(Built(arrays)->Features(1).count, 0);
}

// Building gives the arrays' memory back by and by: no row is read after that.
TEST(Graph, LargeFeaturesArriveWhole) {
  constexpr int64_t kRows = 20'000, kValues = 150;
  FeatureArrays features;
  features.rows = kRows;
  features.width = kValues;
  for (int64_t i = 0; i < kRows * kValues; ++i) features.values.push_back(static_cast<float>(i));
  GraphArrays arrays;
  arrays.features = features;
  const GraphPointer dense = Built(arrays);
  arrays.features.width = 2000;
  arrays.features.sparse = true;
  for (int64_t row = 0; row < kRows; ++row) arrays.features.row_ends.push_back((row + 1) * kValues);
  for (int64_t i = 0; i < kRows * kValues; ++i) {
    arrays.features.columns.push_back(static_cast<int32_t>(i % kValues * 13 + i / kValues % 13));
  }
  const std::vector<int32_t> columns = arrays.features.columns;
  const GraphPointer sparse = Built(std::move(arrays));
  for (int64_t i = 0; i < kRows * kValues; ++i) {
    const int32_t row = static_cast<int32_t>(i / kValues);
    if (i == 0) continue;  // a zero
    const int64_t k = i % kValues - (row == 0);
    ASSERT_EQ(dense->Features(row).values[i % kValues], static_cast<float>(i));
    ASSERT_EQ(sparse->Features(row).values[k], static_cast<float>(i));
    ASSERT_EQ(sparse->Features(row).columns[k], columns[static_cast<size_t>(i)]);
  }
}

TEST(Graph, ArraysOfAGraphKeepTheSignOfZero) {
  GraphArrays arrays;
  arrays.features = Dense(40, std::vector<float>(400));
  for (size_t i = 360; i < 367; ++i) arrays.features.values[i] = i == 361 ? -0.0f : 1.0f;
  arrays.features.values[399] = 1;  // the last row is dense, the others zeros
  const GraphPointer graph = Built(arrays);
  ASSERT_EQ(graph->Features(9).columns, nullptr);
  const GraphArrays again = graph->ToArrays();
  EXPECT_TRUE(again.features.sparse);
  EXPECT_TRUE(SameBits(DenseRow(*Built(again), 9), DenseRow(*graph, 9)));
}

TEST(Graph, HoldsHubs) {
  constexpr int64_t kSpokes = 10'000;
  std::vector<EdgeIds> edges;
  for (int64_t spoke = kSpokes; spoke > 0; --spoke) {
    edges.push_back({spoke, 0});
    edges.push_back({0, spoke});
  }
  const GraphPointer graph = Built(Plain(kSpokes + 1, edges));
  ASSERT_EQ(graph->In(0).sources.size(), size_t{kSpokes});
  EXPECT_TRUE(std::is_sorted(graph->In(0).sources.begin(), graph->In(0).sources.end()));
  EXPECT_TRUE(std::is_sorted(graph->Out(0).begin(), graph->Out(0).end()));

  GraphUpdate update;
  update.remove_nodes = {0};
  GraphChange change;
  const auto changed = graph->Apply(update, &change);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ((*changed)->edges(), 0);
  EXPECT_EQ(change.in_edges.size(), size_t{kSpokes});
  EXPECT_THAT(change.removed, ElementsAre(0));

  update = {};
  update.add_nodes = {0};
  update.add_features = Dense(1, {7});
  update.add_edges = edges;
  const auto restored = (*changed)->Apply(update, &change);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->Row(0), 0);
  EXPECT_EQ((*restored)->In(0).sources, graph->In(0).sources);
  EXPECT_EQ((*restored)->Out(0), graph->Out(0));
}

TEST(Graph, ARemovedIdMayComeBackAndANewNodeChangeInTheSameUpdate) {
  GraphArrays arrays = Plain(3, {{0, 1}, {1, 2}, {2, 0}});
  arrays.node_ids = {10, 20, 30};
  GraphUpdate update;
  update.remove_edges = {{10, 20}};
  update.remove_nodes = {30};
  update.add_nodes = {40, 30};
  update.add_features = Dense(1, {4, 3});
  update.change_nodes = {40, 10};
  update.change_features = Dense(1, {44, 11});
  update.add_edges = {{10, 20}, {30, 30}};
  GraphChange change;
  const auto graph = Built(arrays)->Apply(update, &change);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ((*graph)->Row(40), 2);  // the row that 30 left
  EXPECT_EQ((*graph)->Row(30), 3);
  EXPECT_EQ(DenseRow(**graph, 0), std::vector<float>{11});
  EXPECT_EQ(DenseRow(**graph, 2), std::vector<float>{44});
  EXPECT_EQ(DenseRow(**graph, 3), std::vector<float>{3});
  EXPECT_THAT((*graph)->In(0).sources, IsEmpty());
  EXPECT_THAT((*graph)->In(1).sources, ElementsAre(0));
  EXPECT_THAT((*graph)->In(2).sources, IsEmpty());
  EXPECT_THAT((*graph)->In(3).sources, ElementsAre(3));
  EXPECT_EQ((*graph)->edges(), 2);
  EXPECT_THAT(change.features, ElementsAre(0, 2, 3));
  EXPECT_THAT(change.in_edges, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(change.removed, IsEmpty());
}

TEST(Graph, AVersionSharesThePagesThatItDoesNotTouch) {
  constexpr int64_t kNodes = 100 * Graph::kPageRows;
  std::vector<EdgeIds> edges;
  for (int64_t node = 0; node < kNodes; ++node) edges.push_back({node, (node + 1) % kNodes});
  const GraphPointer graph = Built(Plain(kNodes, edges));
  GraphUpdate update;
  update.add_edges = {{5, 300}};  // pages 0 and 1
  const auto changed = graph->Apply(update, nullptr);
  ASSERT_TRUE(changed.ok()) << changed.status();
  for (int64_t page = 0; page < 100; ++page) {
    const int32_t row = static_cast<int32_t>(page * Graph::kPageRows);
    EXPECT_EQ((*changed)->Features(row).values, graph->Features(row).values);
    EXPECT_EQ((*changed)->In(row).sources.data() == graph->In(row).sources.data(), page != 1) << page;
    EXPECT_EQ((*changed)->Out(row).data() == graph->Out(row).data(), page != 0) << page;
  }
  EXPECT_EQ((*changed)->bytes(), graph->bytes() + 2 * 4);  // an edge, twice
  update = {};
  update.change_nodes = {256};
  update.change_features = Dense(1, {9});
  const auto again = (*changed)->Apply(update, nullptr);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE((*again)->Features(256).values, graph->Features(256).values);
  EXPECT_EQ((*again)->Features(512).values, graph->Features(512).values);
  EXPECT_EQ((*again)->In(256).sources.data(), (*changed)->In(256).sources.data());
}

TEST(Graph, BytesAreWhatTheArraysTake) {
  const int64_t nodes = 10'000;
  std::vector<EdgeIds> edges;
  for (int64_t edge = 0; edge < 50'000; ++edge) edges.push_back({edge % nodes, (edge * 7) % nodes});
  GraphArrays arrays = Plain(nodes, edges);
  const int64_t least = nodes * (4 + 2 * 4) + 50'000 * 2 * 4;
  const int64_t unnamed = Built(arrays)->bytes();
  EXPECT_GE(unnamed, least);
  EXPECT_LE(unnamed, least * 11 / 10);
  for (int64_t row = 0; row < nodes; ++row) arrays.node_ids.push_back(row * 3 + 1'000'000);
  const int64_t named = Built(arrays)->bytes();
  EXPECT_GE(named, unnamed + nodes * (8 + 16));
  EXPECT_LE(named, unnamed + nodes * (8 + 16) * 11 / 10);
}

TEST(Graph, BuildNamesTheFirstOffender) {
  const GraphArrays good = [] {
    GraphArrays arrays = Plain(34, {{0, 1}, {1, 2}, {2, 33}});
    arrays.edge_feature_width = 2;
    arrays.edge_features = {1, 2, 3, 4, 5, 6};
    return arrays;
  }();
  ASSERT_TRUE(Graph::Build(good).ok());
  const auto refused = [&](const std::string& message, auto damage) {
    GraphArrays arrays = good;
    damage(arrays);
    ExpectRefused(Graph::Build(std::move(arrays), 40).status(), message);
  };
  refused("edge 1: source 99, but the graph has 34 nodes", [](GraphArrays& a) { a.sources[1] = 99; });
  refused("edge 1: source 99, but the graph has 34 nodes; edges name nodes by row, not by node id", [](GraphArrays& a) {
    a.sources[1] = 99;
    for (int64_t i = 0; i < 34; ++i) a.node_ids.push_back(70 + i);
  });
  refused("edge 2: target -1, but the graph has 34 nodes", [](GraphArrays& a) { a.targets[2] = -1; });
  refused("edge 0: target 34, but the graph has 34 nodes", [](GraphArrays& a) { a.targets[0] = 34; });
  refused("2 edges have sources, but 3 have targets", [](GraphArrays& a) { a.sources.pop_back(); });
  refused("edge_features: 5 values, but 3 edges of width 2 need 6", [](GraphArrays& a) { a.edge_features.pop_back(); });
  refused(
      "edge_features: 6 values for 3 edges, but their width is 0: edge_feature_width is how many features each edge "
      "has",
      [](GraphArrays& a) { a.edge_feature_width = 0; });
  refused("edge_feature_width: -1, must be 0 to 2147483647", [](GraphArrays& a) { a.edge_feature_width = -1; });
  refused("features of edge 2, column 1: -inf, not a finite number",
          [](GraphArrays& a) { a.edge_features[5] = -std::numeric_limits<float>::infinity(); });
  refused("features: 33 values, but 34 rows of width 1 need 34", [](GraphArrays& a) { a.features.values.pop_back(); });
  refused("features: width -2, must be 0 to 2147483647", [](GraphArrays& a) { a.features.width = -2; });
  refused("features: 34 values, but 9223372036854775807 rows of width 2 need 9223372036854775807", [](GraphArrays& a) {
    a.features.rows = std::numeric_limits<int64_t>::max();
    a.features.width = 2;
  });
  refused("features of node 12, column 0: nan, not a finite number",
          [](GraphArrays& a) { a.features.values[12] = kNan; });
  refused("node_ids: 2 ids, but features have 34 rows", [](GraphArrays& a) { a.node_ids = {1, 2}; });
  const auto named = [](GraphArrays& a) {
    for (int64_t row = 0; row < 34; ++row) a.node_ids.push_back(row + 100);
  };
  refused("features of node 112, column 0: inf, not a finite number", [&](GraphArrays& a) {
    named(a);
    a.features.values[12] = std::numeric_limits<float>::infinity();
  });
  refused("node_ids[7]: 103, which is also node_ids[3]", [&](GraphArrays& a) {
    named(a);
    a.node_ids[7] = 103;
    a.node_ids[9] = 101;
  });
  refused("41 nodes, at most 40", [](GraphArrays& a) { a.features = Dense(1, std::vector<float>(41)); });

  const auto sparse = [&](const std::string& message, FeatureArrays features) {
    GraphArrays arrays;
    arrays.features = std::move(features);
    ExpectRefused(Graph::Build(std::move(arrays)).status(), message);
  };
  sparse("features of node 1: column 9, but there are 9 columns", Sparse(9, {1, 3}, {0, 2, 9}, {1, 1, 1}));
  sparse("features of node 1: column -3, but there are 9 columns", Sparse(9, {1, 3}, {0, -3, 8}, {1, 1, 1}));
  sparse("features of node 1: column 2 after column 2, columns must ascend", Sparse(9, {1, 3}, {0, 2, 2}, {1, 1, 1}));
  sparse("features of node 1, column 8: nan, not a finite number", Sparse(9, {1, 3}, {0, 2, 8}, {1, 1, kNan}));
  sparse("features.row_ends[1]: 0, must be 1 to 3", Sparse(9, {1, 0}, {0, 2, 8}, {1, 1, 1}));
  sparse("features.row_ends[1]: 4, must be 1 to 3", Sparse(9, {1, 4}, {0, 2, 8}, {1, 1, 1}));
  sparse("features: row_ends end at 2, but there are 3 values", Sparse(9, {1, 2}, {0, 2, 8}, {1, 1, 1}));
  sparse("features: 2 columns, but 3 values", Sparse(9, {1, 3}, {0, 2}, {1, 1, 1}));
  FeatureArrays rows = Sparse(9, {1, 3}, {0, 2, 8}, {1, 1, 1});
  rows.rows = 3;
  sparse("features: 2 row_ends, but 3 rows", rows);
  rows = Dense(2, {1, 2});
  rows.columns = {1};
  sparse("features: dense, but with 0 row_ends and 1 columns", rows);
}

TEST(Graph, ApplyNamesTheFirstOffenderAndChangesNothing) {
  GraphArrays arrays = Plain(10, {{3, 4}, {4, 5}});
  arrays.edge_feature_width = 1;
  arrays.edge_features = {1, 2};
  const GraphPointer graph = Built(arrays);
  const auto refused = [&](const std::string& message, auto fill) {
    GraphUpdate update;
    fill(update);
    GraphChange change;
    change.removed = {77};
    ExpectRefused(graph->Apply(update, &change, 11).status(), message);
    EXPECT_THAT(change.removed, ElementsAre(77));
  };
  refused("remove_edges[1]: there is no edge 3 -> 9", [](GraphUpdate& u) { u.remove_edges = {{3, 4}, {3, 9}}; });
  refused("remove_edges[1]: there is no edge 3 -> 4", [](GraphUpdate& u) { u.remove_edges = {{3, 4}, {3, 4}}; });
  refused("remove_edges[0]: there is no edge 99 -> 4", [](GraphUpdate& u) { u.remove_edges = {{99, 4}}; });
  refused("remove_nodes[0]: there is no node 10", [](GraphUpdate& u) { u.remove_nodes = {10}; });
  refused("remove_nodes[1]: there is no node 2", [](GraphUpdate& u) { u.remove_nodes = {2, 2}; });
  refused("add_nodes[0]: the graph has a node 2", [](GraphUpdate& u) {
    u.add_nodes = {2};
    u.add_features = Dense(1, {1});
  });
  refused("add_nodes[1]: 50, which is also add_nodes[0]", [](GraphUpdate& u) {
    u.remove_nodes = {1};
    u.add_nodes = {50, 50};
    u.add_features = Dense(1, {1, 1});
  });
  refused("add_features: 1 rows, but add_nodes has 2", [](GraphUpdate& u) {
    u.add_nodes = {50, 51};
    u.add_features = Dense(1, {1});
  });
  refused("add_features: width 2, but the graph's features have 1", [](GraphUpdate& u) {
    u.add_nodes = {50};
    u.add_features = Dense(2, {1, 1});
  });
  refused("add_features: 1 values, but 1 rows of width 2 need 2", [](GraphUpdate& u) {
    u.add_nodes = {50};
    u.add_features = Dense(1, {1});
    u.add_features.width = 2;
  });
  refused("features of node 50, column 0: nan, not a finite number", [](GraphUpdate& u) {
    u.add_nodes = {50};
    u.add_features = Dense(1, {kNan});
  });
  refused("12 nodes, at most 11", [](GraphUpdate& u) {
    u.add_nodes = {50, 51};
    u.add_features = Dense(1, {1, 1});
  });
  refused("change_nodes[0]: there is no node 3", [](GraphUpdate& u) {
    u.remove_nodes = {3};
    u.change_nodes = {3};
    u.change_features = Dense(1, {1});
  });
  refused("change_nodes[1]: 3, which is also change_nodes[0]", [](GraphUpdate& u) {
    u.change_nodes = {3, 3};
    u.change_features = Dense(1, {1, 1});
  });
  refused("change_features: 0 rows, but change_nodes has 1", [](GraphUpdate& u) { u.change_nodes = {3}; });
  refused("features of node 3, column 0: inf, not a finite number", [](GraphUpdate& u) {
    u.change_nodes = {3};
    u.change_features = Dense(1, {std::numeric_limits<float>::infinity()});
  });
  refused("add_edges[0]: there is no node 99", [](GraphUpdate& u) {
    u.add_edges = {{1, 99}};
    u.add_edge_features = {1};
  });
  refused("add_edges[0]: there is no node 1", [](GraphUpdate& u) {
    u.remove_nodes = {1};
    u.add_edges = {{1, 2}};
    u.add_edge_features = {1};
  });
  refused("add_edge_features: 1 values, but 2 edges of width 1 need 2", [](GraphUpdate& u) {
    u.add_edges = {{1, 2}, {2, 3}};
    u.add_edge_features = {1};
  });
  refused("features of add_edges[1], column 0: nan, not a finite number", [](GraphUpdate& u) {
    u.add_edges = {{1, 2}, {2, 3}};
    u.add_edge_features = {1, kNan};
  });
  EXPECT_EQ(graph->nodes(), 10);
  EXPECT_EQ(graph->edges(), 2);
}

// Random updates on a graph and on the naive one beside it.
class RandomUpdates {
 public:
  // Ids are drawn from [0, ids) and spread by `spread`.
  RandomUpdates(unsigned seed, int64_t ids, int64_t spread) : random_(seed), ids_(ids), spread_(spread) {
    naive_.width = kWidth;
  }

  void Run(int updates, int check_every);

 private:
  static constexpr int64_t kWidth = 14;  // 2 values are sparse, 3 dense

  int64_t Draw(int64_t end) { return std::uniform_int_distribution<int64_t>(0, end - 1)(random_); }
  int64_t AnyId() { return (Draw(ids_) - (spread_ > 1 ? ids_ / 2 : 0)) * spread_; }
  int64_t SomeNode() { return std::next(naive_.nodes.begin(), Draw(static_cast<int64_t>(naive_.nodes.size())))->first; }
  std::vector<float> AnyFeatures() {
    std::vector<float> row(kWidth);
    for (int64_t i = Draw(6); i > 0; --i) row[static_cast<size_t>(Draw(kWidth))] = static_cast<float>(Draw(9)) - 4;
    for (float& value : row) value += 0.0f;  // no zeros of negative sign
    return row;
  }
  FeatureArrays Arrays(const std::vector<std::vector<float>>& rows);
  GraphUpdate Next();
  void ExpectChange(const Graph& old, const Graph& graph, const GraphChange& change);

  std::mt19937_64 random_;
  int64_t ids_, spread_;
  NaiveGraph naive_;
};

FeatureArrays RandomUpdates::Arrays(const std::vector<std::vector<float>>& rows) {
  FeatureArrays features;
  features.rows = static_cast<int64_t>(rows.size());
  features.width = kWidth;
  features.sparse = Draw(2) == 0;
  for (const std::vector<float>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (features.sparse && row[i] == 0 && Draw(4) != 0) continue;  // some zeros stay
      features.values.push_back(row[i]);
      if (features.sparse) features.columns.push_back(static_cast<int32_t>(i));
    }
    if (features.sparse) features.row_ends.push_back(static_cast<int64_t>(features.values.size()));
  }
  return features;
}

GraphUpdate RandomUpdates::Next() {
  GraphUpdate update;
  for (int64_t i = Draw(4); i > 0 && !naive_.edges.empty(); --i) {
    const auto edge = std::next(naive_.edges.begin(), Draw(static_cast<int64_t>(naive_.edges.size())));
    const int64_t source = edge->source, target = edge->target;
    update.remove_edges.push_back({source, target});
    naive_.RemoveEdges(source, target);
  }
  for (int64_t i = Draw(4); i > 0 && !naive_.nodes.empty(); --i) {
    update.remove_nodes.push_back(SomeNode());
    naive_.RemoveNode(update.remove_nodes.back());
  }
  std::vector<std::vector<float>> rows;
  for (int64_t i = Draw(5); i > 0; --i) {
    const int64_t id = AnyId();
    if (naive_.nodes.contains(id)) continue;
    update.add_nodes.push_back(id);
    rows.push_back(naive_.nodes[id] = AnyFeatures());
  }
  update.add_features = Arrays(rows);
  rows.clear();
  std::set<int64_t> changed;
  for (int64_t i = Draw(4); i > 0 && !naive_.nodes.empty(); --i) changed.insert(SomeNode());
  for (const int64_t id : changed) {
    update.change_nodes.push_back(id);
    rows.push_back(naive_.nodes[id] = AnyFeatures());
  }
  update.change_features = Arrays(rows);
  for (int64_t i = Draw(12); i > 0 && !naive_.nodes.empty(); --i) {
    const int64_t source = SomeNode(), target = Draw(5) == 0 ? source : SomeNode();
    for (int64_t k = Draw(3); k >= 0; --k) {
      const std::vector<float> features = {static_cast<float>(Draw(2)), static_cast<float>(Draw(3))};
      update.add_edges.push_back({source, target});
      update.add_edge_features.insert(update.add_edge_features.end(), features.begin(), features.end());
      naive_.edges.insert({source, target, features});
    }
  }
  return update;
}

void RandomUpdates::ExpectChange(const Graph& old, const Graph& graph, const GraphChange& change) {
  for (const std::vector<int32_t>* rows : {&change.features, &change.in_edges, &change.removed}) {
    ASSERT_TRUE(std::adjacent_find(rows->begin(), rows->end(), std::greater_equal<>()) == rows->end());
  }
  const auto names = [](const std::vector<int32_t>& rows, int32_t row) {
    return std::binary_search(rows.begin(), rows.end(), row);
  };
  for (int32_t row = 0; row < graph.rows(); ++row) {
    ASSERT_EQ(names(change.removed, row), old.Has(row) && !graph.Has(row)) << row;
    if (!graph.Has(row)) {
      ASSERT_FALSE(names(change.features, row) || names(change.in_edges, row)) << row;
      continue;
    }
    const bool is_new = !old.Has(row) || old.Id(row) != graph.Id(row);
    if (is_new || !SameBits(DenseRow(old, row), DenseRow(graph, row))) {
      ASSERT_TRUE(names(change.features, row)) << row;
    }
    if (is_new || Ids(old, old.In(row).sources) != Ids(graph, graph.In(row).sources) ||
        !SameBits(InFeatures(old, row), InFeatures(graph, row))) {
      ASSERT_TRUE(names(change.in_edges, row)) << row;
    }
  }
}

void RandomUpdates::Run(int updates, int check_every) {
  GraphArrays first;
  std::vector<std::vector<float>> rows;
  for (int64_t i = 0; i < ids_ / 2; ++i) {
    const int64_t id = spread_ > 1 ? AnyId() : i;
    if (!naive_.nodes.emplace(id, AnyFeatures()).second) continue;
    rows.push_back(naive_.nodes[id]);
    if (spread_ > 1) first.node_ids.push_back(id);
  }
  first.features = Arrays(rows);
  first.edge_feature_width = 2;
  GraphPointer graph = Built(first);
  ASSERT_NE(graph, nullptr);
  ASSERT_NO_FATAL_FAILURE(naive_.ExpectIs(*graph));
  for (int i = 1; i <= updates; ++i) {
    SCOPED_TRACE(i);
    const GraphUpdate update = Next();
    GraphChange change;
    auto changed = graph->Apply(update, &change);
    ASSERT_TRUE(changed.ok()) << changed.status();
    ASSERT_NO_FATAL_FAILURE(ExpectChange(*graph, **changed, change));
    graph = *std::move(changed);
    if (i % check_every != 0) continue;
    ASSERT_NO_FATAL_FAILURE(naive_.ExpectIs(*graph));
    const GraphPointer again = Built(graph->ToArrays());
    ASSERT_NE(again, nullptr);
    ASSERT_NO_FATAL_FAILURE(naive_.ExpectIs(*again));
    EXPECT_EQ(again->rows(), graph->nodes());
  }
  // Rows are used again: the graph has not grown beyond its ids.
  EXPECT_LE(graph->rows(), ids_);
}

TEST(GraphUpdates, EqualTheNaiveGraphWhereIdsAreRows) { RandomUpdates(1, 700, 1).Run(1000, 20); }
TEST(GraphUpdates, EqualTheNaiveGraphWhereIdsAreSpread) { RandomUpdates(2, 700, 1'000'003).Run(1000, 20); }
TEST(GraphUpdates, EqualTheNaiveGraphWhereFewNodesComeAndGo) { RandomUpdates(3, 12, 1).Run(1000, 1); }
TEST(GraphUpdates, TheIndexGrowsWithManyNewIds) {
  RandomUpdates(4, 40, 7).Run(20, 1);
  GraphPointer graph = Built(Plain(10, {}));
  for (int64_t batch = 0; batch < 10; ++batch) {
    GraphUpdate update;
    for (int64_t i = 0; i < 1000; ++i) update.add_nodes.push_back(1'000'000 + (i * 10 + batch) * 5);
    update.add_features = Dense(1, std::vector<float>(1000, 1));
    auto grown = graph->Apply(update, nullptr);
    ASSERT_TRUE(grown.ok()) << grown.status();
    graph = *std::move(grown);
  }
  ASSERT_EQ(graph->nodes(), 10'010);
  for (int64_t i = 0; i < 10'000; ++i) {
    const std::optional<int32_t> row = graph->Row(1'000'000 + i * 5);
    ASSERT_TRUE(row.has_value());
    ASSERT_EQ(graph->Id(*row), 1'000'000 + i * 5);
  }
  EXPECT_EQ(graph->Row(1'000'001), std::nullopt);
}

TEST(GraphArrays, PartsFollowEachOther) {
  GraphArrays whole;
  GraphArrays edges_first;
  edges_first.sources = {0, 2};
  edges_first.targets = {1, 1};
  edges_first.edge_feature_width = 1;
  edges_first.edge_features = {5, 6};
  ASSERT_TRUE(Append(edges_first, whole));
  GraphArrays dense;
  dense.features = Dense(3, {1, 0, 2, 0, 0, 3});
  dense.node_ids = {7, 8};
  ASSERT_TRUE(Append(dense, whole));
  EXPECT_FALSE(whole.features.sparse);
  GraphArrays sparse;
  sparse.features = Sparse(3, {0, 1}, {1}, {4});
  sparse.node_ids = {9, 10};
  sparse.sources = {3};
  sparse.targets = {3};
  sparse.edge_feature_width = 1;
  sparse.edge_features = {7};
  ASSERT_TRUE(Append(sparse, whole));
  ASSERT_TRUE(Append(dense, whole));
  ASSERT_TRUE(Append({}, whole));
  EXPECT_TRUE(whole.features.sparse);
  EXPECT_EQ(whole.features.rows, 6);
  EXPECT_THAT(whole.features.row_ends, ElementsAre(2, 3, 3, 4, 6, 7));
  EXPECT_THAT(whole.features.columns, ElementsAre(0, 2, 2, 1, 0, 2, 2));
  EXPECT_THAT(whole.features.values, ElementsAre(1, 2, 3, 4, 1, 2, 3));
  EXPECT_THAT(whole.node_ids, ElementsAre(7, 8, 9, 10, 7, 8));
  EXPECT_THAT(whole.sources, ElementsAre(0, 2, 3));
  EXPECT_THAT(whole.edge_features, ElementsAre(5, 6, 7));
  EXPECT_TRUE(CheckSizes(whole).ok());
}

TEST(GraphArrays, PartsThatDoNotFitChangeNothing) {
  GraphArrays whole = Plain(2, {{0, 1}});
  GraphArrays wide;
  wide.features = Dense(2, {1, 2});
  EXPECT_FALSE(Append(wide, whole));
  GraphArrays named = Plain(1, {});
  named.node_ids = {5};
  EXPECT_FALSE(Append(named, whole));
  GraphArrays weighted;
  weighted.sources = weighted.targets = {0};
  weighted.edge_feature_width = 1;
  weighted.edge_features = {1};
  EXPECT_FALSE(Append(weighted, whole));
  EXPECT_EQ(whole.features.rows, 2);
  EXPECT_EQ(whole.features.values.size(), 2u);
  EXPECT_THAT(whole.node_ids, IsEmpty());
  EXPECT_EQ(whole.sources.size(), 1u);
}

}  // namespace
}  // namespace heed
