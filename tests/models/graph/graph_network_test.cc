// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/graph/graph_layer_run.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::HasSubstr;

std::string Fixture(const std::string& name) { return std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + name; }

std::shared_ptr<const GraphClassifier> Load(const std::string& fixture) {
  auto model = LoadGraphNetwork(Fixture(fixture), fixture);
  EXPECT_TRUE(model.ok()) << model.status();
  return *model;
}

void RunToEnd(const Model& model, Task& task, int team_size = 1) {
  Context context(team_size);
  Task* const only = &task;
  for (int steps = 0; !task.finished(); ++steps) {
    ASSERT_LT(steps, 10000);
    model.Step(absl::MakeConstSpan(&only, 1), context);
  }
}

GraphAnswer Ask(const GraphClassifier& model, GraphQuery query, int team_size = 1) {
  auto task = model.Start(std::move(query));
  EXPECT_TRUE(task.ok()) << task.status();
  RunToEnd(model, **task, team_size);
  EXPECT_TRUE((*task)->error().ok()) << (*task)->error();
  return (*task)->answer();
}

GraphAnswer AskAll(const GraphClassifier& model, std::shared_ptr<const Graph> graph,
                   std::shared_ptr<const GraphOutputs> outputs = nullptr) {
  GraphQuery query;
  query.graph = std::move(graph);
  query.outputs = std::move(outputs);
  query.stored = query.all = query.return_embeddings = true;
  return Ask(model, std::move(query));
}

std::shared_ptr<const GraphOutputs> Precompute(const GraphClassifier& model, std::shared_ptr<const Graph> graph,
                                               std::shared_ptr<const GraphOutputs> previous,
                                               const GraphChange& change) {
  auto task = model.StartPrecompute(std::move(graph), std::move(previous), change);
  EXPECT_TRUE(task.ok()) << task.status();
  RunToEnd(model, **task);
  EXPECT_TRUE((*task)->error().ok()) << (*task)->error();
  return (*task)->outputs();
}

class RandomGraph {
 public:
  RandomGraph(int64_t feature_width, int64_t edge_width, uint32_t seed)
      : random_(seed), feature_width_(feature_width), edge_width_(edge_width) {}

  FeatureArrays Features(int64_t rows) {
    FeatureArrays features;
    features.rows = rows;
    features.width = feature_width_;
    const bool sparse = Below(2) == 0;  // rows of both kinds
    for (int64_t i = 0; i < rows * feature_width_; ++i)
      features.values.push_back(sparse && Below(8) > 0 ? 0 : Number());
    return features;
  }
  std::vector<float> EdgeFeatures(int64_t edges) {
    std::vector<float> values;
    // Few distinct ones: several edges between two nodes with the same features are a case, too. GCN's weights are
    // positive.
    for (int64_t i = 0; i < edges * edge_width_; ++i) values.push_back(static_cast<float>(1 + Below(3)) / 2);
    return values;
  }
  GraphArrays Arrays(int64_t nodes, int64_t edges) {
    GraphArrays arrays;
    arrays.features = Features(nodes);
    arrays.edge_feature_width = edge_width_;
    for (int64_t i = 0; i < edges; ++i) {
      // A few nodes have most of the edges.
      arrays.sources.push_back(Below(4) == 0 ? Below(3) : Below(nodes));
      arrays.targets.push_back(Below(4) == 0 ? Below(3) : Below(nodes));
    }
    arrays.edge_features = EdgeFeatures(edges);
    return arrays;
  }
  // A change to a graph of these nodes and edges; keeps both up to date.
  GraphUpdate Update(std::vector<int64_t>& nodes, std::multiset<EdgeIds>& edges) {
    GraphUpdate update;
    if (Below(2) == 0 && !edges.empty()) {
      auto edge = edges.begin();
      std::advance(edge, Below(static_cast<int64_t>(edges.size())));
      update.remove_edges.push_back(*edge);
      edges.erase(EdgeIds(*edge));  // every one between the two
    }
    if (Below(6) == 0 && nodes.size() > 5) {
      const auto node = nodes.begin() + Below(static_cast<int64_t>(nodes.size()));
      update.remove_nodes.push_back(*node);
      std::erase_if(edges, [&](const EdgeIds& edge) { return edge.first == *node || edge.second == *node; });
      nodes.erase(node);
    }
    if (Below(4) == 0) {
      int64_t id = Below(100000) - 50000;
      while (std::find(nodes.begin(), nodes.end(), id) != nodes.end()) ++id;
      update.add_nodes.push_back(id);
      update.add_features = Features(1);
      nodes.push_back(id);
    }
    if (Below(3) == 0) {
      update.change_nodes.push_back(nodes[static_cast<size_t>(Below(static_cast<int64_t>(nodes.size())))]);
      update.change_features = Features(1);
    }
    const int64_t added = Below(3);
    for (int64_t i = 0; i < added; ++i) {
      const auto any = [&] { return nodes[static_cast<size_t>(Below(static_cast<int64_t>(nodes.size())))]; };
      update.add_edges.emplace_back(any(), any());
      edges.insert(update.add_edges.back());
    }
    update.add_edge_features = EdgeFeatures(added);
    return update;
  }

  int64_t Below(int64_t limit) { return std::uniform_int_distribution<int64_t>(0, limit - 1)(random_); }

 private:
  float Number() { return std::uniform_real_distribution<float>(-1, 1)(random_); }

  std::mt19937 random_;
  const int64_t feature_width_, edge_width_;
};

std::shared_ptr<const Graph> Build(GraphArrays arrays) {
  auto graph = Graph::Build(std::move(arrays));
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

struct UpdatedGraph {
  const char* fixture;
  int64_t edges;  // at first, among 60 nodes
  int updates;
};
class GraphUpdates : public testing::TestWithParam<UpdatedGraph> {};

// To the bit: what was computed for each change alone, the whole graph computed anew, and the neighborhood of a node.
TEST_P(GraphUpdates, LeaveTheAnswersOfAFullComputation) {
  const auto model = Load(GetParam().fixture);
  RandomGraph random(model->feature_width(), model->edge_feature_width(), 5);
  std::vector<int64_t> nodes;
  std::multiset<EdgeIds> edges;
  GraphArrays arrays = random.Arrays(60, GetParam().edges);
  for (int64_t i = 0; i < 60; ++i) nodes.push_back(i);
  for (size_t e = 0; e < arrays.sources.size(); ++e) edges.emplace(arrays.sources[e], arrays.targets[e]);
  std::shared_ptr<const Graph> graph = Build(std::move(arrays));
  std::shared_ptr<const GraphOutputs> outputs = Precompute(*model, graph, nullptr, {});
  const int64_t layers = outputs->rows_computed() / graph->nodes();
  int64_t computed = 0, total = 0;
  for (int i = 1; i <= GetParam().updates; ++i) {
    GraphChange change;
    auto next = graph->Apply(random.Update(nodes, edges), &change);
    ASSERT_TRUE(next.ok()) << next.status();
    graph = *next;
    outputs = Precompute(*model, graph, outputs, change);
    computed += outputs->rows_computed();
    total += graph->nodes();
    if (i % 25 != 0) continue;
    const GraphAnswer incremental = AskAll(*model, graph, outputs);
    const GraphAnswer full = AskAll(*model, Build(graph->ToArrays()));
    ASSERT_TRUE(incremental.precomputed);
    ASSERT_EQ(incremental.nodes, full.nodes);
    ASSERT_EQ(incremental.probabilities, full.probabilities) << "after " << i << " updates";
    ASSERT_EQ(incremental.embeddings, full.embeddings);
    GraphQuery one;
    one.graph = graph;
    one.stored = true;
    const size_t place = static_cast<size_t>(random.Below(static_cast<int64_t>(full.nodes.size())));
    one.nodes = {full.nodes[place]};
    const GraphAnswer alone = Ask(*model, one);
    const size_t classes = static_cast<size_t>(full.classes);
    ASSERT_EQ(alone.probabilities,
              std::vector<float>(full.probabilities.begin() + static_cast<int64_t>(place * classes),
                                 full.probabilities.begin() + static_cast<int64_t>((place + 1) * classes)));
  }
  // In the dense graphs a change reaches nearly all nodes.
  if (GetParam().edges < 1000) {
    EXPECT_LT(computed, layers * total) << "updates compute all nodes";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, GraphUpdates,
    testing::Values(UpdatedGraph{"pyg-gat", 150, 1000}, UpdatedGraph{"pyg-gatv2", 150, 1000},
                    UpdatedGraph{"pyg-gcn", 150, 1000}, UpdatedGraph{"pyg-gcn-edge-weights", 150, 1000},
                    UpdatedGraph{"pyg-gat-edge-features-mean", 150, 1000},
                    UpdatedGraph{"pyg-gatv2-edge-features-max", 150, 1000},
                    UpdatedGraph{"pyg-gat-no-self-loops", 150, 1000}, UpdatedGraph{"pyg-norm-node", 150, 1000},
                    UpdatedGraph{"pyg-norm-batch", 150, 300}, UpdatedGraph{"pyg-norm-l2-activation-first", 150, 300},
                    UpdatedGraph{"pyg-linear-before", 150, 300}, UpdatedGraph{"pyg-linear-between", 150, 300},
                    UpdatedGraph{"pyg-linear-before-sparse", 150, 300}, UpdatedGraph{"pyg-jk-max", 150, 300},
                    UpdatedGraph{"pyg-jk-cat", 150, 300}, UpdatedGraph{"pyg-jk-cat-no-mlp", 150, 300},
                    // Hubs of more than a chunk of edges.
                    UpdatedGraph{"pyg-gat", 16'000, 100}, UpdatedGraph{"pyg-gcn-edge-weights", 16'000, 100}),
    [](const auto& row) {
      std::string name = row.param.fixture + std::string("_") + std::to_string(row.param.edges);
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(GraphNetworkTest, AGraphInBlocksHasTheBitsOfItsNeighborhoods) {
  for (const char* fixture : {"pyg-gat", "pyg-gcn", "pyg-linear-before", "pyg-linear-between", "pyg-jk-cat"}) {
    const auto model = Load(fixture);
    RandomGraph random(model->feature_width(), 0, 9);
    const std::shared_ptr<const Graph> graph = Build(random.Arrays(3000, 90'000));
    GraphQuery query;
    query.graph = graph;
    query.all = query.return_embeddings = query.return_attention = true;
    auto task = model->Start(query);
    ASSERT_TRUE(task.ok());
    EXPECT_EQ((*task)->next_rows(), kBlockEdges / 256);
    Context context(2);
    int steps = 0;
    for (Task* const only = task->get(); !only->finished(); ++steps)
      model->Step(absl::MakeConstSpan(&only, 1), context);
    EXPECT_GT(steps, 4);
    const GraphAnswer whole = (*task)->answer();
    const GraphAnswer precomputed = AskAll(*model, graph, Precompute(*model, graph, nullptr, {}));
    EXPECT_EQ(whole.probabilities, precomputed.probabilities);
    EXPECT_EQ(whole.embeddings, precomputed.embeddings);
    ASSERT_EQ(whole.attention.size(), 2u);
    EXPECT_GT(whole.attention[0].sources.size(), 85'000u);
  }
}

TEST(GraphNetworkTest, ManyItemsAreDecodedInBlocks) {
  for (const char* fixture : {"pyg-edge-mlp-concat", "pyg-gat"}) {
    const auto model = Load(fixture);
    RandomGraph random(model->feature_width(), 0, 9);
    const std::shared_ptr<const Graph> graph = Build(random.Arrays(30, 60));
    GraphQuery some, many;
    some.graph = many.graph = graph;
    for (int64_t i = 0; i < 30; ++i) {
      some.nodes.push_back(i);
      some.edges.emplace_back(i, 29 - i);
    }
    for (int64_t i = 0; i < 150'000; ++i) {
      many.nodes.push_back(i % 30);
      many.edges.emplace_back(i % 30, 29 - i % 30);
    }
    const GraphAnswer expected = Ask(*model, some);
    for (const bool precomputed : {false, true}) {
      if (precomputed) many.outputs = Precompute(*model, graph, nullptr, {});
      auto task = model->Start(many);
      ASSERT_TRUE(task.ok()) << task.status();
      EXPECT_EQ((*task)->next_rows(), kBlockEdges / 256);
      Context context(2);
      int steps = 0;
      for (Task* const only = task->get(); !only->finished(); ++steps) {
        model->Step(absl::MakeConstSpan(&only, 1), context);
      }
      EXPECT_GE(steps, 3);
      const GraphAnswer& answer = (*task)->answer();
      const size_t row = static_cast<size_t>(30 * expected.classes);
      ASSERT_EQ(answer.probabilities.size(), 5000 * row);
      for (size_t i = 0; i < answer.probabilities.size(); ++i) {
        ASSERT_EQ(answer.probabilities[i], expected.probabilities[i % row]) << i;
      }
    }
  }
}

TEST(GraphNetworkTest, ReservesAtLeastWhatANeighborhoodTakes) {
  const auto model = Load("pyg-gat");
  RandomGraph random(model->feature_width(), 0, 9);
  GraphQuery query;
  query.graph = Build(random.Arrays(3000, 20'000));
  query.stored = true;
  query.nodes = {77};
  auto task = model->Start(query);
  ASSERT_TRUE(task.ok());
  const int64_t one = (*task)->peak_bytes();
  RunToEnd(*model, **task);
  const GraphAnswer& answer = (*task)->answer();
  // Its nodes' rows in the tables of two layers are but a part of it.
  EXPECT_GT(one, answer.nodes_computed * 4 * 16);
  query.nodes.clear();
  query.all = true;
  EXPECT_GT((*model->Start(query))->peak_bytes(), one);
  query.return_attention = true;
  const int64_t all = (*model->Start(query))->peak_bytes();
  EXPECT_GT(all, 20'000 * 2 * (17 + 4));
}

TEST(GraphNetworkTest, ATensorWithoutValuesDoesNotLoad) {
  const TemporaryDirectory directory;
  std::filesystem::copy(Fixture("pyg-gat"), directory.path(), std::filesystem::copy_options::recursive);
  const std::string config = directory.Read("config.json");
  directory.Write("config.json", "{\"mlp\": [{\"name\": \"mlp\"}], " + config.substr(1));
  // A file of one tensor more, without values.
  const std::string file = directory.Read("model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  std::string header = file.substr(8, length);
  header = header.substr(0, header.rfind('}')) +
           ", \"mlp.weight\": {\"dtype\": \"F32\", \"shape\": [0, 3], \"data_offsets\": [0, 0]}}";
  const uint64_t longer = header.size();
  directory.Write("model.safetensors",
                  std::string(reinterpret_cast<const char*>(&longer), 8) + header + file.substr(8 + length));
  EXPECT_THAT(std::string(LoadGraphNetwork(directory.path().string(), "model").status().message()),
              HasSubstr("mlp.weight"));
}

// Whatever a file's bytes say, it loads or is refused; what loads answers, or says that its numbers are beyond it.
TEST(GraphNetworkTest, FilesWithBytesChangedDoNoHarm) {
  std::mt19937 random(1);
  const auto below = [&](size_t limit) { return std::uniform_int_distribution<size_t>(0, limit - 1)(random); };
  int loaded = 0;
  for (const char* fixture : {"pyg-gat", "pyg-gatv2-edge-features-mul", "pyg-pool-attention", "pyg-norm-graph",
                              "pyg-linear-between", "pyg-pool-jk-cat-max-mean"}) {
    const TemporaryDirectory directory;
    std::filesystem::copy(Fixture(fixture), directory.path(), std::filesystem::copy_options::recursive);
    for (const char* name : {"config.json", "model.safetensors"}) {
      const std::string whole = directory.Read(name);
      for (int i = 0; i < 150; ++i) {
        std::string bytes = whole;
        // Mostly in the header, where it matters.
        const size_t changes = 1 + below(3);
        for (size_t c = 0; c < changes; ++c) {
          bytes[below(below(4) > 0 ? std::min<size_t>(bytes.size(), 800) : bytes.size())] =
              "0123456789-{}[],:\"eE.\xff"[below(22)];
        }
        if (below(10) == 0) bytes.resize(below(bytes.size()));
        directory.Write(name, bytes);
        const auto model = LoadGraphNetwork(directory.path().string(), "model");
        if (!model.ok()) {
          EXPECT_FALSE(model.status().message().empty());
          continue;
        }
        ++loaded;
        if ((*model)->feature_width() > 1000 || (*model)->edge_feature_width() > 1000) continue;
        RandomGraph graph((*model)->feature_width(), (*model)->edge_feature_width(), 5);
        GraphQuery query;
        query.graph = Build(graph.Arrays(10, 30));
        query.all = true;
        auto task = (*model)->Start(query);
        ASSERT_TRUE(task.ok()) << task.status();
        RunToEnd(**model, **task);
      }
      directory.Write(name, whole);
    }
  }
  EXPECT_GT(loaded, 50);
}

TEST(GraphNetworkTest, UnseenNodesAreAnsweredAsIfTheyWereStored) {
  const auto model = Load("pyg-gat");
  RandomGraph random(model->feature_width(), 0, 3);
  GraphArrays arrays = random.Arrays(40, 100);
  const std::shared_ptr<const Graph> stored = Build(arrays);
  GraphUpdate unseen;
  unseen.add_nodes = {1000};
  unseen.add_features = random.Features(1);
  unseen.add_edges = {{3, 1000}, {1000, 5}};
  auto seen = stored->Apply(unseen, nullptr);
  ASSERT_TRUE(seen.ok());
  GraphQuery query;
  query.graph = *seen;
  query.stored = query.has_unseen = true;
  query.nodes = {1000, 5};
  const GraphAnswer answer = Ask(*model, query);

  const std::vector<float> features = unseen.add_features.values;
  arrays.features.values.insert(arrays.features.values.end(), features.begin(), features.end());
  ++arrays.features.rows;
  for (int64_t i = 0; i < 40; ++i) arrays.node_ids.push_back(i);
  arrays.node_ids.push_back(1000);
  arrays.sources.insert(arrays.sources.end(), {3, 40});
  arrays.targets.insert(arrays.targets.end(), {40, 5});
  GraphQuery whole;
  whole.graph = Build(std::move(arrays));
  whole.nodes = {1000, 5};
  EXPECT_EQ(answer.probabilities, Ask(*model, whole).probabilities);
  EXPECT_FALSE(stored->Row(1000).has_value());
}

TEST(GraphNetworkTest, FanOutDrawsSoManyNeighborsTheSameForASeed) {
  const auto model = Load("pyg-gat");
  RandomGraph random(model->feature_width(), 0, 4);
  GraphQuery query;
  query.graph = Build(random.Arrays(200, 3000));
  query.all = query.return_attention = true;
  const GraphAnswer all = Ask(*model, query);
  query.fan_out = 100'000;
  EXPECT_EQ(Ask(*model, query).probabilities, all.probabilities);
  query.fan_out = 3;
  query.seed = 1;
  const GraphAnswer drawn = Ask(*model, query);
  EXPECT_EQ(Ask(*model, query).probabilities, drawn.probabilities);
  EXPECT_NE(drawn.probabilities, all.probabilities);
  for (const LayerAttention& layer : drawn.attention) {
    std::map<int64_t, int> neighbors;
    for (size_t e = 0; e < layer.targets.size(); ++e) neighbors[layer.targets[e]] += !layer.self_loops[e];
    for (const auto& [node, count] : neighbors) EXPECT_LE(count, 3) << node;
  }
  query.seed = 2;
  EXPECT_NE(Ask(*model, query).probabilities, drawn.probabilities);
  query.fan_out = 0;
  EXPECT_THAT(std::string(model->Start(query).status().message()), HasSubstr("fan_out: 0, must be at least 1"));
}

TEST(GraphNetworkTest, AModelThatNeedsTheWholeGraphRefusesParts) {
  const auto model = Load("pyg-norm-graph");
  RandomGraph random(model->feature_width(), 0, 4);
  GraphQuery query;
  query.graph = Build(random.Arrays(20, 50));
  query.nodes = {3, 1};
  EXPECT_EQ(Ask(*model, query).nodes, query.nodes);  // of an inline graph: computed in full
  GraphQuery stored = query;
  stored.stored = true;
  absl::Status status = model->Start(stored).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("normalizes over the whole graph"));
  stored.nodes.clear();
  stored.all = true;
  EXPECT_EQ(Ask(*model, stored).nodes.size(), 20u);
  stored.has_unseen = true;
  EXPECT_THAT(std::string(model->Start(stored).status().message()), HasSubstr("that the graph does not hold"));
  EXPECT_THAT(std::string(model->StartPrecompute(query.graph, nullptr, {}).status().message()),
              HasSubstr("when a part of the graph changes"));
}

TEST(GraphNetworkTest, BadQueriesAreNamed) {
  const auto model = Load("pyg-gat");
  const int64_t width = model->feature_width();
  RandomGraph random(width, 0, 4), wider(width + 1, 0, 4);
  GraphQuery query;
  query.graph = Build(random.Arrays(20, 50));
  query.nodes = {3, 77};
  EXPECT_EQ(model->Start(query).status().message(), "nodes[1]: 77 is not among the graph's 20 nodes");
  query.graph = Build(wider.Arrays(20, 50));
  EXPECT_THAT(std::string(model->Start(query).status().message()),
              HasSubstr("features: width " + std::to_string(width + 1) + ", but model \"pyg-gat\" takes " +
                        std::to_string(width)));
  const auto edges = Load("pyg-edge-dot");
  RandomGraph other(edges->feature_width(), 0, 4);
  GraphQuery pairs;
  pairs.graph = Build(other.Arrays(20, 50));
  pairs.edges = {{1, 2}, {2, 99}};
  EXPECT_EQ(edges->Start(pairs).status().message(), "edges[1]: 2 -> 99, but 99 is not among the graph's 20 nodes");
  // Another model's outputs.
  const auto twin = Load("pyg-gat");
  GraphQuery foreign;
  foreign.graph = Build(random.Arrays(20, 50));
  foreign.all = true;
  foreign.outputs = Precompute(*twin, foreign.graph, nullptr, {});
  EXPECT_EQ(model->Start(foreign).status().code(), absl::StatusCode::kInternal);
}

TEST(GraphNetworkTest, EdgeFeaturesThatTheModelDoesNotTakeAreRefusedUnlessIgnored) {
  for (const auto& [fixture, width, hint] : {std::tuple("pyg-gat", 2, ""), std::tuple("pyg-gcn", 2, ""),
                                             std::tuple("pyg-gcn", 1, "convert the model with --edge-weights")}) {
    const auto model = Load(fixture);
    RandomGraph random(model->feature_width(), width, 4);
    GraphArrays arrays = random.Arrays(20, 50);
    GraphQuery query;
    query.graph = Build(arrays);
    query.all = true;
    const std::string refused(model->Start(query).status().message());
    EXPECT_THAT(refused, HasSubstr("edge_features: width " + std::to_string(width) + ", but model \"" + fixture +
                                   "\" takes none (edge_dim 0): send the graph without edge_attr, or set "
                                   "ignore_edge_features"));
    EXPECT_THAT(refused, HasSubstr(hint));
    EXPECT_EQ(refused.find("--edge-weights") != std::string::npos, *hint != '\0');
    query.ignore_edge_features = true;
    const GraphAnswer ignored = Ask(*model, query);
    arrays.edge_feature_width = 0;
    arrays.edge_features.clear();
    GraphQuery plain;
    plain.graph = Build(arrays);
    plain.all = true;
    EXPECT_EQ(ignored.probabilities, Ask(*model, plain).probabilities);
  }
}

// PyTorch Geometric's default of edge_weight; `improved` then has no effect.
TEST(GraphNetworkTest, EdgesWithoutWeightsWeighOne) {
  for (const char* fixture : {"pyg-gcn-edge-weights", "pyg-gcn-not-normalized", "pyg-gcn-edge-weights-improved"}) {
    const auto model = Load(fixture);
    RandomGraph random(model->feature_width(), 0, 4);
    GraphArrays arrays = random.Arrays(20, 50);
    GraphQuery without, ones;
    without.graph = Build(arrays);
    arrays.edge_feature_width = 1;
    arrays.edge_features.assign(arrays.sources.size(), 1.0f);
    ones.graph = Build(arrays);
    without.all = ones.all = true;
    const bool same = Ask(*model, without).probabilities == Ask(*model, ones).probabilities;
    EXPECT_EQ(same, std::string(fixture) != "pyg-gcn-edge-weights-improved") << fixture;
    EXPECT_EQ(AskAll(*model, without.graph, Precompute(*model, without.graph, nullptr, {})).probabilities,
              Ask(*model, without).probabilities);
  }
  const auto model = Load("pyg-gat-edge-features-mean");
  RandomGraph random(model->feature_width(), 0, 4);
  GraphQuery query;
  query.graph = Build(random.Arrays(20, 50));
  EXPECT_THAT(std::string(model->Start(query).status().message()),
              HasSubstr("edge_features: width 0 (none), but model \"pyg-gat-edge-features-mean\" takes 3 for each edge "
                        "(edge_attr)"));
}

TEST(GraphNetworkTest, FeaturesTooLargeAreAnErrorAndHarmNoOther) {
  const auto model = Load("pyg-gat");
  RandomGraph random(model->feature_width(), 0, 4);
  GraphArrays arrays = random.Arrays(20, 50);
  GraphQuery good, bad;
  good.graph = Build(arrays);
  std::fill(arrays.features.values.begin(), arrays.features.values.end(), 3e38f);
  bad.graph = Build(arrays);
  good.all = bad.all = true;
  auto good_task = model->Start(good), bad_task = model->Start(bad);
  ASSERT_TRUE(good_task.ok() && bad_task.ok());
  Context context(1);
  std::vector<Task*> tasks = {bad_task->get(), good_task->get()};
  model->Step(tasks, context);
  EXPECT_EQ((*bad_task)->error().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string((*bad_task)->error().message()), HasSubstr("features or edge weights of up to 3e+38"));
  ASSERT_TRUE((*good_task)->error().ok());
  EXPECT_EQ((*good_task)->answer().probabilities, Ask(*model, good).probabilities);
}

// Finite weights whose products are not: the caller's features are ones.
TEST(GraphNetworkTest, WeightsTooLargeAreNotTheCallersFault) {
  const TemporaryDirectory directory;
  std::filesystem::copy(Fixture("pyg-gat"), directory.path(), std::filesystem::copy_options::recursive);
  std::string file = directory.Read("model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  const float large = 3e38f;
  for (size_t at = 8 + length; at + 4 <= file.size(); at += 4) std::memcpy(file.data() + at, &large, 4);
  directory.Write("model.safetensors", file);
  const auto model = LoadGraphNetwork(directory.path().string(), "large");
  ASSERT_TRUE(model.ok()) << model.status();
  GraphArrays arrays = RandomGraph((*model)->feature_width(), 0, 4).Arrays(20, 50);
  std::fill(arrays.features.values.begin(), arrays.features.values.end(), 1.0f);
  GraphQuery query;
  query.graph = Build(arrays);
  query.all = true;
  auto task = (*model)->Start(query);
  ASSERT_TRUE(task.ok()) << task.status();
  RunToEnd(**model, **task);
  EXPECT_EQ((*task)->error().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string((*task)->error().message()), HasSubstr("its weights are too large"));
}

TEST(GraphNetworkTest, AnEmptyGraphHasNoNodes) {
  const auto model = Load("pyg-gat");
  GraphArrays arrays;
  arrays.features.width = model->feature_width();
  GraphQuery query;
  query.graph = Build(std::move(arrays));
  query.all = query.return_attention = query.return_embeddings = true;
  const GraphAnswer answer = Ask(*model, query);
  EXPECT_TRUE(answer.nodes.empty());
  EXPECT_TRUE(answer.probabilities.empty());
}

// Copies a fixture, replaces `from` in its config.json by `to`, and loads it.
std::string LoadError(const std::string& fixture, const std::string& from, const std::string& to) {
  const TemporaryDirectory directory;
  std::filesystem::copy(Fixture(fixture), directory.path(), std::filesystem::copy_options::recursive);
  const std::string path = directory.File("config.json");
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at == std::string::npos) return "";
  text.replace(at, from.size(), to);
  std::ofstream(path) << text;
  const auto model = LoadGraphNetwork(directory.path().string(), "model");
  return model.ok() ? "it loads" : std::string(model.status().message());
}

TEST(GraphNetworkTest, WrongConfigurationsAreNamed) {
  struct Row {
    const char *fixture, *from, *to, *message;
  };
  const Row rows[] = {
      {"pyg-gat", "\"task\": \"node\"", "\"task\": \"nodes\"", "task is \"nodes\", which is none of node, edge, graph"},
      {"pyg-gat", "\"task\": \"node\",", "", "task is missing"},
      {"pyg-gat", "\"heads\": 8", "\"heads\": 7", "lin.weight"},
      {"pyg-gat", "\"heads\": 8", "\"heads\": 0", "layers[0]: heads is 0, which is not a whole number from 1"},
      {"pyg-gat", "\"heads\": 8", "\"head\": 8", "layers[0]: head is 8, but there is no such field"},
      {"pyg-gat", "\"activation\": \"elu\"", "\"activation\": \"sine\"", "activation is \"sine\", which is none of"},
      {"pyg-gat", "\"model_type\": \"gat\"", "\"model_type\": \"gatv2\"", "is missing"},
      {"pyg-pool-mean", "\"task\": \"graph\"", "\"labels\": [\"a\"], \"task\": \"graph\"",
       "labels are 1, but the network has"},
      {"pyg-gat", "\"task\": \"node\"", "\"edge_dim\": 3, \"task\": \"node\"", "lin_edge.weight"},
      {"pyg-gat-residual", "\"residual\": true", "\"residual\": false", "belongs to nothing that config.json names"},
      {"pyg-norm-node", "\"mode\": \"node\"", "\"mode\": \"batch\"", "mode is \"batch\", which is none of node, graph"},
      {"pyg-pool-mean", "\"mean\"", "\"median\"", "pooling is \"median\", which is none of mean, max, sum, attention"},
      {"pyg-edge-mlp-one-output", "\"output\": \"sigmoid\"", "\"output\": \"softmax\"", "it would always be certain"},
      {"pyg-gat", "\"heads\": 8", "\"negative_slope\": 1e39, \"heads\": 8",
       "negative_slope is 1e+39, which is not from"},
      {"pyg-activation-leaky-relu-slope", "\"slope\": 0.3", "\"slope\": \"steep\"", "slope is \"steep\""},
      {"pyg-activation-leaky-relu-slope", "\"leaky_relu\"", "\"elu\"", "slope is 0.3, which only leaky_relu has"},
      {"pyg-norm-batch", "\"batch\"", "\"layer\"", "tensor 'bn1.num_batches_tracked' [] belongs to nothing"},
      {"pyg-norm-batch", "\"name\": \"bn1\",", "\"name\": \"bn2\",", "bn2.running_mean"},
      {"pyg-norm-l2", "\"l2\"", "\"l1\"", "type is \"l1\", which is none of layer, batch, l2, pair"},
      {"pyg-mlp-batch-norm", "\"type\": \"batch\"", "\"type\": \"instance\"", "which is over the nodes of a graph"},
      {"pyg-linear-before", "\"type\": \"linear\"", "\"type\": \"conv\"", "type is \"conv\", which is none of"},
      {"pyg-linear-before", "\"type\": \"linear\"", "\"type\": \"linear\", \"heads\": 2",
       "heads is 2, but there is no"},
      {"pyg-linear-before", "\"out_channels\": 10", "\"out_channels\": 9", "lin_in.weight"},
      {"pyg-jk-max", "\"max\"", "\"lstm\"", "jumping_knowledge is \"lstm\", which is none of none, last, max, cat"},
      {"pyg-jk-cat", "\"cat\"", "\"max\"", "jumping_knowledge is \"max\", but layer conv1 is 8 wide and layer conv2 3"},
      {"pyg-pool-max-mean", "\"readout\": [", "\"readout\": [7, ", "readout is a list, whose item 0 is not an object"},
      {"pyg-gat", "\"layers\": [", "\"layers\": [7, ", "layers is a list, whose item 0 is not an object"},
  };
  for (const Row& row : rows) EXPECT_THAT(LoadError(row.fixture, row.from, row.to), HasSubstr(row.message)) << row.to;
}

}  // namespace
}  // namespace heed
