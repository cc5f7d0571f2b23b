// SPDX-License-Identifier: Apache-2.0
// From graph files and lists to messages.
#include "client/lib/graph_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "client/cli/item_list.h"
#include "client/commands/graph_queries.h"
#include "tests/support/temporary_directory.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

GraphArrays Dense(int64_t rows, int64_t width) {
  GraphArrays graph;
  graph.features.rows = rows;
  graph.features.width = width;
  for (int64_t i = 0; i < rows * width; ++i) graph.features.values.push_back(static_cast<float>(i + 1));
  for (int64_t row = 0; row + 1 < rows; ++row) {
    graph.sources.push_back(row);
    graph.targets.push_back(row + 1);
  }
  return graph;
}

std::vector<v1::Graph> Parts(const GraphArrays& graph, int64_t bytes) {
  std::vector<v1::Graph> parts;
  GraphParts cutter(graph);
  for (v1::Graph part; cutter.Next(bytes, part); part.Clear()) parts.push_back(part);
  EXPECT_EQ(cutter.rows_done(), graph.features.rows);
  EXPECT_EQ(cutter.edges_done(), static_cast<int64_t>(graph.sources.size()));
  return parts;
}

TEST(GraphParts, OnePartHasTheWholeGraph) {
  GraphArrays graph = Dense(3, 2);
  graph.node_ids = {7, 8, 9};
  graph.edge_feature_width = 1;
  graph.edge_features = {0.5f, 0.25f};
  const auto parts = Parts(graph, kAll);
  ASSERT_THAT(parts, SizeIs(1));
  EXPECT_EQ(parts[0].features().width(), 2);
  EXPECT_THAT(parts[0].features().values(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(parts[0].features().row_ends(), IsEmpty());
  EXPECT_THAT(parts[0].node_ids(), ElementsAre(7, 8, 9));
  EXPECT_THAT(parts[0].edge_sources(), ElementsAre(0, 1));
  EXPECT_THAT(parts[0].edge_targets(), ElementsAre(1, 2));
  EXPECT_EQ(parts[0].edge_feature_width(), 1);
  EXPECT_THAT(parts[0].edge_features(), ElementsAre(0.5f, 0.25f));
}

TEST(GraphParts, PartsInOrderMakeUpTheGraphWhateverTheirSize) {
  GraphArrays graph = Dense(50, 3);
  for (int i = 0; i < 50; ++i) graph.node_ids.push_back(1000 + i);
  graph.edge_feature_width = 2;
  for (int i = 0; i < 98; ++i) graph.edge_features.push_back(static_cast<float>(i));
  v1::Graph whole;
  FillGraph(graph, whole);
  for (const int64_t bytes : {1, 20, 100, 333, 5000}) {
    v1::Graph joined;
    for (const v1::Graph& part : Parts(graph, bytes)) {
      EXPECT_LE(part.ByteSizeLong(), static_cast<size_t>(bytes) + 64) << bytes;
      EXPECT_EQ(part.features().width(), 3);
      EXPECT_EQ(part.edge_feature_width(), 2);
      joined.MergeFrom(part);
    }
    EXPECT_EQ(joined.SerializeAsString(), whole.SerializeAsString()) << bytes;
  }
}

TEST(GraphParts, AnEmptyGraphIsOnePartThatTellsItsWidth) {
  GraphArrays graph;
  graph.features.width = 5;
  const auto parts = Parts(graph, kAll);
  ASSERT_THAT(parts, SizeIs(1));
  EXPECT_EQ(parts[0].features().width(), 5);
}

TEST(GraphParts, MostlyZerosGoSparseInEveryPart) {
  GraphArrays graph = Dense(4, 4);
  std::fill(graph.features.values.begin(), graph.features.values.end(), 0.0f);
  graph.features.values[0 * 4 + 2] = 0.5f;
  graph.features.values[2 * 4 + 0] = 1;
  graph.features.values[2 * 4 + 3] = std::numeric_limits<float>::infinity();
  const auto parts = Parts(graph, 1);
  ASSERT_THAT(parts, SizeIs(testing::Ge(4u)));
  EXPECT_THAT(parts[0].features().values(), ElementsAre(0.5f));
  EXPECT_THAT(parts[0].features().columns(), ElementsAre(2));
  EXPECT_THAT(parts[0].features().row_ends(), ElementsAre(1));
  EXPECT_THAT(parts[1].features().row_ends(), ElementsAre(0));
  EXPECT_THAT(parts[2].features().columns(), ElementsAre(0, 3));
  EXPECT_THAT(parts[2].features().row_ends(), ElementsAre(2));
  EXPECT_EQ(parts[0].features().width(), 4);
}

TEST(GraphParts, MoreThanAQuarterOfValuesStaysDense) {
  GraphArrays graph = Dense(1, 8);
  for (int i = 2; i < 8; ++i) graph.features.values[static_cast<size_t>(i)] = 0;
  EXPECT_THAT(Parts(graph, kAll)[0].features().row_ends(), SizeIs(1));
  graph.features.values[2] = 1;
  EXPECT_THAT(Parts(graph, kAll)[0].features().values(), SizeIs(8));
}

TEST(GraphParts, SparseRowsOfAFileKeepTheirValues) {
  GraphArrays graph;
  graph.features = {
      .rows = 3, .width = 9, .sparse = true, .values = {1, 2, 3}, .row_ends = {2, 2, 3}, .columns = {0, 8, 4}};
  const auto parts = Parts(graph, 1);
  ASSERT_THAT(parts, SizeIs(3));
  EXPECT_THAT(parts[0].features().columns(), ElementsAre(0, 8));
  EXPECT_THAT(parts[1].features().row_ends(), ElementsAre(0));
  EXPECT_THAT(parts[2].features().values(), ElementsAre(3));
  EXPECT_THAT(parts[2].features().row_ends(), ElementsAre(1));
}

TEST(FillAdditions, NamesNodesAndEndsOfEdgesByIds) {
  GraphArrays graph = Dense(2, 1);
  graph.node_ids = {100, 101};
  graph.sources = {100, 5};
  graph.targets = {101, 100};
  graph.edge_features = {1, 2};
  v1::GraphUpdate update;
  FillAdditions(graph, update);
  EXPECT_THAT(update.add_nodes(), ElementsAre(100, 101));
  EXPECT_THAT(update.add_features().values(), ElementsAre(1, 2));
  ASSERT_EQ(update.add_edges_size(), 2);
  EXPECT_EQ(EdgeName(update.add_edges(1)), "5:100");
  EXPECT_THAT(update.add_edge_features(), ElementsAre(1, 2));
}

TEST(ItemList, ReadsNodesFromTheArgumentAFileOrStandardInput) {
  const TemporaryDirectory directory;
  std::istringstream in("4\n\n 5 \r\n");
  EXPECT_THAT(*ReadNodeList("0,-5,9", in), ElementsAre(0, -5, 9));
  EXPECT_THAT(*ReadNodeList("@-", in), ElementsAre(4, 5));
  directory.Write("nodes.txt", "1\n2");
  EXPECT_THAT(*ReadNodeList("@" + directory.File("nodes.txt"), in), ElementsAre(1, 2));
  directory.Write("none.txt", "");
  EXPECT_THAT(*ReadNodeList("@" + directory.File("none.txt"), in), IsEmpty());
}

TEST(ItemList, ReadsEdges) {
  std::istringstream in("1:2\n");
  const auto edges = ReadEdgeList("3:7,-1:0", in);
  ASSERT_TRUE(edges.ok());
  EXPECT_EQ(EdgeName((*edges)[0]), "3:7");
  EXPECT_EQ(EdgeName((*edges)[1]), "-1:0");
  EXPECT_EQ(EdgeName(ReadEdgeList("@-", in)->at(0)), "1:2");
}

TEST(ItemList, ErrorsQuoteWhatIsNoItemWithItsLine) {
  std::istringstream in("1\nx\n");
  EXPECT_EQ(ReadNodeList("1,,2", in).status().message(), "'' is not a node's id, a whole number");
  EXPECT_EQ(ReadNodeList("", in).status().message(), "'' is not a node's id, a whole number");
  EXPECT_EQ(ReadNodeList("1.5", in).status().message(), "'1.5' is not a node's id, a whole number");
  EXPECT_EQ(ReadNodeList("@-", in).status().message(),
            "standard input, line 2: 'x' is not a node's id, a whole number");
  EXPECT_EQ(ReadEdgeList("3-7", in).status().message(), "'3-7' is not an edge, SOURCE:TARGET");
  EXPECT_EQ(ReadEdgeList("3:7:9", in).status().message(), "'3:7:9' is not an edge, SOURCE:TARGET");
  EXPECT_EQ(ReadNodeList("@/no/such", in).status().message(), "cannot read '/no/such': No such file or directory");
}

TEST(GraphQueries, NodesOfSeveralGraphsCountOverTheWholeFile) {
  std::vector<GraphArrays> graphs = {Dense(2, 1), Dense(3, 1), Dense(1, 1)};
  NumberNodes(graphs);
  EXPECT_THAT(graphs[0].node_ids, IsEmpty());
  EXPECT_THAT(graphs[1].node_ids, ElementsAre(2, 3, 4));
  EXPECT_THAT(graphs[2].node_ids, ElementsAre(5));
  const auto queries = AskNodes(graphs, {5, 0, 3, 5, 1});
  ASSERT_TRUE(queries.ok());
  ASSERT_THAT(*queries, SizeIs(3));
  EXPECT_EQ((*queries)[0].graph, 0u);
  EXPECT_THAT((*queries)[0].items, ElementsAre(0, 1));
  EXPECT_THAT((*queries)[0].places, ElementsAre(1, 4));
  EXPECT_THAT((*queries)[1].items, ElementsAre(3));
  EXPECT_THAT((*queries)[2].items, ElementsAre(5, 5));
  EXPECT_THAT((*queries)[2].places, ElementsAre(0, 3));
}

TEST(GraphQueries, AnIdHasToBeInExactlyOneOfSeveralGraphs) {
  std::vector<GraphArrays> graphs = {Dense(2, 1), Dense(2, 1)};
  graphs[0].node_ids = {10, 11};
  graphs[1].node_ids = {11, 12};
  EXPECT_EQ(AskNodes(graphs, {10, 13}).status().message(), "none of the file's 2 graphs has a node 13");
  EXPECT_EQ(AskNodes(graphs, {11}).status().message(), "node 11 is in graph 0 and in graph 1 of the file");
  v1::GraphEdgeId edge;
  edge.set_source(10);
  edge.set_target(12);
  EXPECT_EQ(AskEdges(graphs, {edge}).status().message(), "edge 10:12: node 10 is in graph 0, node 12 in graph 1");
}

TEST(GraphQueries, OneGraphIsTheServersToCheck) {
  const std::vector<GraphArrays> graphs = {Dense(2, 1)};
  EXPECT_THAT(AskNodes(graphs, {99})->at(0).items, ElementsAre(99));
  EXPECT_THAT(AskNodes({}, {99})->at(0).places, ElementsAre(0));
  EXPECT_THAT(*AskNodes(graphs, {}), IsEmpty());
}

}  // namespace
}  // namespace heed::client
