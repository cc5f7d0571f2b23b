// SPDX-License-Identifier: Apache-2.0
// Graph networks against PyTorch Geometric itself: every directory tests/fixtures/pyg-*.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "files/graph_file.h"
#include "files/safetensors.h"
#include "files/tensor_values.h"
#include "models/architectures.h"
#include "models/graph/graph_config.h"
#include "models/kinds/graph_classifier.h"

namespace heed {
namespace {

// PyTorch Geometric computed in double: what is left is our rounding, of sums of up to a hundred products of about 1 in
// 3 layers. Relative to 1.
constexpr double kTolerance = 2e-5;

std::vector<std::string> Fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(HEED_SOURCE_DIR) + "/tests/fixtures")) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("pyg-", 0) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<double> Probabilities(const float* logits, int64_t count, bool sigmoid) {
  std::vector<double> result;
  if (sigmoid) {
    for (int64_t c = 0; c < count; ++c) result.push_back(1 / (1 + std::exp(-static_cast<double>(logits[c]))));
    if (count == 1) result.insert(result.begin(), 1 - result[0]);
    return result;
  }
  double sum = 0;
  const double largest = static_cast<double>(*std::max_element(logits, logits + count));
  for (int64_t c = 0; c < count; ++c) result.push_back(std::exp(static_cast<double>(logits[c]) - largest));
  for (const double value : result) sum += value;
  for (double& value : result) value /= sum;
  return result;
}

class GraphParity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string directory = std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + GetParam();
    auto config = ReadGraphConfig(directory + "/config.json");
    ASSERT_TRUE(config.ok()) << config.status();
    config_ = *config;
    auto model = LoadModel(directory);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::dynamic_pointer_cast<const GraphClassifier>(*model);
    ASSERT_NE(model_, nullptr);
    auto file = ReadGraphFile(directory + "/graph.safetensors");
    ASSERT_TRUE(file.ok()) << file.status();
    for (GraphArrays& arrays : file->graphs) {
      ids_.push_back(arrays.node_ids);
      auto graph = Graph::Build(std::move(arrays));
      ASSERT_TRUE(graph.ok()) << graph.status();
      graphs_.push_back(*graph);
    }
    auto expected = SafetensorsFile::Open(directory + "/expected.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status();
    expected_ = std::make_unique<SafetensorsFile>(std::move(*expected));
  }

  // Expected values, and how many there are in a row.
  std::vector<float> Expected(const std::string& name) const { return ReadFloats(*expected_->Find(name)); }
  int64_t Columns(const std::string& name) const {
    const StoredTensor& tensor = *expected_->Find(name);
    return tensor.shape.size() < 2 ? 1 : tensor.shape[1];
  }
  std::vector<int64_t> Integers(const std::string& name) const {
    const StoredTensor* tensor = expected_->Find(name);
    std::vector<int64_t> values;
    if (tensor == nullptr) return values;
    for (int64_t i = 0; i < tensor->size(); ++i) {
      int64_t value = 0;
      std::copy_n(tensor->data + i * 8, 8, reinterpret_cast<std::byte*>(&value));
      values.push_back(value);
    }
    return values;
  }

  // One query for each graph, all in one batch.
  std::vector<GraphAnswer> Run(std::vector<GraphQuery> queries, int team_size) const {
    std::vector<std::unique_ptr<GraphQueryTask>> tasks;
    for (GraphQuery& query : queries) {
      auto task = model_->Start(std::move(query));
      EXPECT_TRUE(task.ok()) << task.status();
      if (!task.ok()) return {};
      tasks.push_back(std::move(*task));
    }
    Context context(team_size);
    std::vector<GraphAnswer> answers;
    while (true) {
      std::vector<Task*> unfinished;
      for (const auto& task : tasks) {
        if (!task->finished()) unfinished.push_back(task.get());
      }
      if (unfinished.empty()) break;
      model_->Step(unfinished, context);
    }
    for (const auto& task : tasks) {
      EXPECT_TRUE(task->error().ok()) << task->error();
      answers.push_back(task->answer());
    }
    return answers;
  }

  std::vector<GraphQuery> Queries() const {
    std::vector<GraphQuery> queries;
    for (size_t g = 0; g < graphs_.size(); ++g) {
      GraphQuery query;
      query.graph = graphs_[g];
      query.all = config_.task != GraphTaskKind::kEdge;
      query.return_attention = query.return_embeddings = true;
      const std::vector<int64_t> pairs = Integers("edge_label_index");
      const std::vector<int64_t> rows = Integers("rows");
      for (size_t i = 0; i < pairs.size() / 2; ++i) query.edges.emplace_back(pairs[i], pairs[pairs.size() / 2 + i]);
      query.nodes = config_.task == GraphTaskKind::kNode && rows.empty() ? ids_[g] : rows;  // in the file's order
      if (!query.nodes.empty()) query.all = false;
      queries.push_back(std::move(query));
    }
    return queries;
  }

  GraphConfig config_;
  std::shared_ptr<const GraphClassifier> model_;
  std::vector<std::shared_ptr<const Graph>> graphs_;
  std::vector<std::vector<int64_t>> ids_;  // of each graph's rows, if the file names them
  std::unique_ptr<SafetensorsFile> expected_;
};

TEST_P(GraphParity, ProbabilitiesAreTheirs) {
  const std::vector<GraphAnswer> answers = Run(Queries(), 1);
  std::vector<float> probabilities;
  for (const GraphAnswer& answer : answers) {
    probabilities.insert(probabilities.end(), answer.probabilities.begin(), answer.probabilities.end());
  }
  const std::vector<float> logits = Expected("logits");
  const int64_t columns = Columns("logits");
  std::vector<double> expected;
  for (size_t i = 0; i < logits.size(); i += static_cast<size_t>(columns)) {
    const std::vector<double> row = Probabilities(logits.data() + i, columns, config_.sigmoid);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  ASSERT_EQ(probabilities.size(), expected.size());
  ASSERT_GT(expected.size(), 0u);
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(probabilities[i]), expected[i], kTolerance) << "item " << i;
  }
}

TEST_P(GraphParity, WhatTheLastLayerReadsIsTheirs) {
  if (config_.task != GraphTaskKind::kNode || config_.layers.size() < 2) return;  // their embeddings are others
  const std::vector<GraphAnswer> answers = Run(Queries(), 1);
  const size_t layer = config_.layers.size() - (config_.mlp.empty() ? 2 : 1);
  const bool jumps = expected_->Find("jumping_knowledge") != nullptr && !config_.mlp.empty();
  const std::vector<float> expected = Expected(jumps ? "jumping_knowledge" : "hidden." + std::to_string(layer));
  ASSERT_EQ(answers.size(), 1u);
  ASSERT_EQ(answers[0].embeddings.size(), expected.size());
  double largest = 1;
  for (const float value : expected) largest = std::max(largest, std::abs(static_cast<double>(value)));
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(answers[0].embeddings[i]), static_cast<double>(expected[i]), kTolerance * largest)
        << "value " << i;
  }
}

TEST_P(GraphParity, AttentionIsTheirs) {
  if (config_.convolution == GraphConvolution::kGcn) return;
  if (graphs_.size() != 1 || !Integers("rows").empty()) return;  // of a batch, or of some nodes
  std::vector<GraphQuery> queries = Queries();
  // Every node's attention, also where the task asks about pairs.
  if (config_.task == GraphTaskKind::kEdge) {
    for (const int32_t row : graphs_[0]->RowsById()) {
      queries[0].edges.emplace_back(graphs_[0]->Id(row), graphs_[0]->Id(row));
    }
  }
  const std::vector<GraphAnswer> answers = Run(std::move(queries), 1);
  size_t convolution = 0;
  for (size_t l = 0; l < config_.layers.size(); ++l) {
    if (config_.layers[l].linear) continue;
    ASSERT_LT(convolution, answers[0].attention.size());
    const LayerAttention& layer = answers[0].attention[convolution++];
    const std::string suffix = "." + std::to_string(l);
    const std::vector<float> weights = Expected("attention" + suffix);
    const std::vector<int64_t> index = Integers("attention_index" + suffix);
    const int64_t heads = Columns("attention" + suffix);
    ASSERT_EQ(layer.heads, heads);
    ASSERT_EQ(layer.weights.size(), weights.size());
    // By edge and head; edges between the same two nodes in order of their weights.
    using Key = std::tuple<int64_t, int64_t, int64_t>;
    std::map<Key, std::vector<double>> ours, theirs;
    const size_t edges = index.size() / 2;
    for (size_t e = 0; e < edges; ++e) {
      for (int64_t h = 0; h < heads; ++h) {
        const size_t at = e * static_cast<size_t>(heads) + static_cast<size_t>(h);
        ours[{layer.sources[e], layer.targets[e], h}].push_back(static_cast<double>(layer.weights[at]));
        const int32_t source = static_cast<int32_t>(index[e]), target = static_cast<int32_t>(index[edges + e]);
        theirs[{graphs_[0]->Id(source), graphs_[0]->Id(target), h}].push_back(static_cast<double>(weights[at]));
      }
      EXPECT_EQ(layer.self_loops[e], layer.sources[e] == layer.targets[e]);
    }
    for (auto& [key, values] : theirs) {
      std::vector<double>& mine = ours[key];
      std::sort(mine.begin(), mine.end());
      std::sort(values.begin(), values.end());
      ASSERT_EQ(mine.size(), values.size());
      for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(mine[i], values[i], kTolerance) << "layer " << l;
    }
  }
  EXPECT_EQ(answers[0].attention.size(), convolution);
}

// What is kept of every node decodes to the same bits as what is computed for the question.
TEST_P(GraphParity, PrecomputedOutputsAnswerTheSame) {
  if (config_.NeedsWholeGraph() || graphs_.size() != 1) return;
  std::vector<GraphQuery> queries = Queries();
  queries[0].return_attention = false;
  const std::vector<GraphAnswer> computed = Run(queries, 1);
  auto task = model_->StartPrecompute(graphs_[0], nullptr, {});
  ASSERT_TRUE(task.ok()) << task.status();
  Context context(2);
  for (Task* const only = task->get(); !only->finished();) model_->Step(absl::MakeConstSpan(&only, 1), context);
  queries[0].outputs = (*task)->outputs();
  const std::vector<GraphAnswer> precomputed = Run(queries, 1);
  ASSERT_TRUE(precomputed[0].precomputed);
  EXPECT_EQ(precomputed[0].probabilities, computed[0].probabilities);
  EXPECT_EQ(precomputed[0].embeddings, computed[0].embeddings);
}

// To the bit: alone or in a batch, for any team, for some nodes or for all.
TEST_P(GraphParity, AnswersDoNotDependOnWhatStandsBeside) {
  std::vector<GraphQuery> queries = Queries();
  const std::vector<GraphAnswer> alone = Run(queries, 1);
  std::vector<GraphQuery> twice = queries;
  twice.insert(twice.end(), queries.begin(), queries.end());
  const std::vector<GraphAnswer> together = Run(twice, 3);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i].probabilities, together[i].probabilities);
    EXPECT_EQ(alone[i].probabilities, together[i + alone.size()].probabilities);
    EXPECT_EQ(alone[i].embeddings, together[i].embeddings);
  }
  if (config_.task != GraphTaskKind::kNode || alone[0].nodes.empty()) return;
  std::vector<GraphQuery> some = queries;
  some[0].all = false;
  some[0].nodes = {alone[0].nodes.back(), alone[0].nodes.front(), alone[0].nodes.back()};
  const std::vector<GraphAnswer> part = Run(some, 1);
  const size_t classes = static_cast<size_t>(alone[0].classes), last = alone[0].nodes.size() - 1;
  for (size_t c = 0; c < classes; ++c) {
    EXPECT_EQ(part[0].probabilities[c], alone[0].probabilities[last * classes + c]);
    EXPECT_EQ(part[0].probabilities[classes + c], alone[0].probabilities[c]);
    EXPECT_EQ(part[0].probabilities[2 * classes + c], alone[0].probabilities[last * classes + c]);
  }
}

INSTANTIATE_TEST_SUITE_P(PyTorchGeometric, GraphParity, testing::ValuesIn(Fixtures()), [](const auto& name) {
  std::string result = name.param;
  std::replace(result.begin(), result.end(), '-', '_');
  return result;
});

}  // namespace
}  // namespace heed
