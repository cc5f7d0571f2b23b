// SPDX-License-Identifier: Apache-2.0
#include "files/graph_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "files/safetensors_writer.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class GraphFiles : public testing::Test {
 protected:
  template <typename T>
  void Set(const std::string& name, DType dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
    const char* bytes = reinterpret_cast<const char*>(values.data());
    tensors_[name] = {dtype, std::move(shape), {bytes, bytes + values.size() * sizeof(T)}};
  }
  void Longs(const std::string& name, const std::vector<int64_t>& values) {
    Set(name, DType::kI64, {static_cast<int64_t>(values.size())}, values);
  }
  void Edges(const std::vector<int64_t>& sources_then_targets) {
    Set("edge_index", DType::kI64, {2, static_cast<int64_t>(sources_then_targets.size() / 2)}, sources_then_targets);
  }
  // x [nodes, 1], a node's row as its feature.
  void Nodes(int64_t nodes) {
    std::vector<float> x;
    for (int64_t row = 0; row < nodes; ++row) x.push_back(static_cast<float>(row));
    Set("x", DType::kF32, {nodes, 1}, x);
  }
  // Two rows of width 4: {.5 at 1, 1.5 at 3} and {2.5 at 0}.
  void SparseNodes() {
    tensors_.erase("x");
    Longs("x_shape", {2, 4});
    Longs("x_indptr", {0, 2, 3});
    Longs("x_indices", {1, 3, 0});
    Set<float>("x_values", DType::kF32, {3}, {0.5f, 1.5f, 2.5f});
  }

  std::string path() const { return directory_.File("graph.safetensors"); }
  absl::StatusOr<GraphFile> Read() {
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, tensor] : tensors_) {
      tensors.push_back({name, tensor.dtype, tensor.shape, {BytesOf(tensor.bytes)}});
    }
    EXPECT_TRUE(WriteSafetensors(path(), tensors, {{"format", "pt"}}).ok());
    return ReadGraphFile(path());
  }
  GraphArrays ReadOne() {
    const auto file = Read();
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() && file->graphs.size() == 1 ? file->graphs[0] : GraphArrays();
  }
  // The file of the tensors as they stand is refused.
  void ExpectRefused(const std::string& message) {
    const auto file = Read();
    ASSERT_FALSE(file.ok()) << message;
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(file.status().message()), path() + ": " + message);
  }

  struct Tensor {
    DType dtype;
    std::vector<int64_t> shape;
    std::vector<char> bytes;
  };
  TemporaryDirectory directory_;
  std::map<std::string, Tensor> tensors_;
};

TEST_F(GraphFiles, HoldFeaturesEdgesAndClasses) {
  Nodes(3);
  Edges({0, 1, 2, 2});
  Set<float>("edge_attr", DType::kF32, {2, 2}, {1, 2, 3, 4});
  Longs("node_id", {30, 10, 20});
  Longs("y", {1, 0, -1});
  Set<uint8_t>("train_mask", DType::kBool, {3}, {1, 0, 1});  // left alone
  const auto file = Read();
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->graphs.size(), 1u);
  const GraphArrays& graph = file->graphs[0];
  EXPECT_EQ(graph.features.rows, 3);
  EXPECT_EQ(graph.features.width, 1);
  EXPECT_FALSE(graph.features.sparse);
  EXPECT_THAT(graph.features.values, ElementsAre(0, 1, 2));
  EXPECT_THAT(graph.sources, ElementsAre(0, 1));
  EXPECT_THAT(graph.targets, ElementsAre(2, 2));
  EXPECT_EQ(graph.edge_feature_width, 2);
  EXPECT_THAT(graph.edge_features, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(graph.node_ids, ElementsAre(30, 10, 20));
  EXPECT_THAT(file->classes, ElementsAre(1, 0, -1));
  EXPECT_THAT(file->metadata, ElementsAre(Pair("format", "pt")));
}

TEST_F(GraphFiles, MayHaveNoEdgesAndNoNodes) {
  Nodes(2);
  EXPECT_THAT(ReadOne().sources, IsEmpty());
  Nodes(0);
  Edges({});
  const GraphArrays empty = ReadOne();
  EXPECT_EQ(empty.features.rows, 0);
  EXPECT_EQ(empty.features.width, 1);
  Set<float>("x", DType::kF32, {5000, 0}, {});
  EXPECT_EQ(ReadOne().features.rows, 5000);
}

TEST_F(GraphFiles, SmallOnesMakeNoLargeGraphs) {
  Set<float>("x", DType::kF32, {int64_t{1} << 30, 0}, {});
  ExpectRefused("x: shape [1073741824, 0]: nodes without features, at most 1048576");
}

TEST_F(GraphFiles, HoldNumbersOfAllTypes) {
  Edges({0, 1});
  Set<uint16_t>("x", DType::kF16, {2, 1}, {0x3C00, 0xC000});
  Set<float>("edge_attr", DType::kF32, {1}, {7});  // [E] is [E, 1]
  EXPECT_THAT(ReadOne().features.values, ElementsAre(1, -2));
  EXPECT_EQ(ReadOne().edge_feature_width, 1);
  Set<uint16_t>("x", DType::kBF16, {2, 1}, {0x3F80, 0xC000});
  EXPECT_THAT(ReadOne().features.values, ElementsAre(1, -2));
  Set<double>("x", DType::kF64, {2, 1}, {1, -2});
  EXPECT_THAT(ReadOne().features.values, ElementsAre(1, -2));
  Set<int32_t>("edge_index", DType::kI32, {2, 2}, {0, 1, 1, 0});
  Set<float>("edge_attr", DType::kF32, {2, 0}, {});
  EXPECT_THAT(ReadOne().sources, ElementsAre(0, 1));
  EXPECT_THAT(ReadOne().targets, ElementsAre(1, 0));
}

TEST_F(GraphFiles, HoldSparseRows) {
  SparseNodes();
  const GraphArrays graph = ReadOne();
  EXPECT_TRUE(graph.features.sparse);
  EXPECT_EQ(graph.features.rows, 2);
  EXPECT_EQ(graph.features.width, 4);
  EXPECT_THAT(graph.features.row_ends, ElementsAre(2, 3));
  EXPECT_THAT(graph.features.columns, ElementsAre(1, 3, 0));
  EXPECT_THAT(graph.features.values, ElementsAre(0.5f, 1.5f, 2.5f));
}

TEST_F(GraphFiles, AreCutIntoGraphs) {
  Nodes(5);
  Longs("graph_ptr", {0, 2, 2, 5});
  Edges({4, 0, 2, 2, 1, 3});
  Set<float>("edge_attr", DType::kF32, {3}, {1, 2, 3});
  Longs("y", {1, 0, 1});
  auto file = Read();
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->graphs.size(), 3u);
  EXPECT_THAT(file->graphs[0].features.values, ElementsAre(0, 1));
  EXPECT_THAT(file->graphs[0].sources, ElementsAre(0));
  EXPECT_THAT(file->graphs[0].targets, ElementsAre(1));
  EXPECT_EQ(file->graphs[1].features.rows, 0);
  EXPECT_EQ(file->graphs[1].features.width, 1);
  EXPECT_THAT(file->graphs[2].features.values, ElementsAre(2, 3, 4));
  EXPECT_THAT(file->graphs[2].sources, ElementsAre(2, 0));
  EXPECT_THAT(file->graphs[2].targets, ElementsAre(0, 1));
  EXPECT_THAT(file->graphs[2].edge_features, ElementsAre(1, 3));
  EXPECT_THAT(file->graphs[2].node_ids, IsEmpty());
  EXPECT_THAT(file->classes, ElementsAre(1, 0, 1));

  Longs("node_id", {9, 8, 9, 8, 7});
  Longs("y", {5, 4, 3, 2, 1});
  file = Read();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->graphs[2].node_ids, ElementsAre(9, 8, 7));
  EXPECT_EQ(file->classes.size(), 5u);

  tensors_.clear();
  SparseNodes();
  Set<int32_t>("graph_ptr", DType::kI32, {3}, {0, 1, 2});
  file = Read();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->graphs[1].features.row_ends, ElementsAre(1));
  EXPECT_THAT(file->graphs[1].features.columns, ElementsAre(0));
  EXPECT_THAT(file->graphs[1].features.values, ElementsAre(2.5f));
}

TEST_F(GraphFiles, RefuseWhatDoesNotFit) {
  EXPECT_EQ(ReadGraphFile(directory_.File("nothing")).status().code(), absl::StatusCode::kNotFound);
  ExpectRefused("tensor 'x' is missing (or, for sparse rows, 'x_indptr')");
  Set<float>("x", DType::kF32, {34}, std::vector<float>(34));
  ExpectRefused("x: shape [34], must be [nodes, features]");
  Set<int64_t>("x", DType::kI64, {34, 1}, std::vector<int64_t>(34));
  ExpectRefused("x: dtype I64, must be F32, F16, BF16 or F64");
  Nodes(34);

  Set<int64_t>("edge_index", DType::kI64, {1, 2}, {0, 1});
  ExpectRefused("edge_index: shape [1, 2], must be [2, edges]");
  Set<float>("edge_index", DType::kF32, {2, 1}, {0, 1});
  ExpectRefused("edge_index: dtype F32, must be I64 or I32");
  Edges({0, 1, 5, 99});
  Set<float>("edge_attr", DType::kF32, {3, 1}, {1, 2, 3});
  ExpectRefused("edge_attr: shape [3, 1], must be [2, features] or [2] (edge_index has 2 edges)");
  Set<float>("edge_attr", DType::kF32, {}, {1});
  ExpectRefused("edge_attr: shape [], must be [2, features] or [2] (edge_index has 2 edges)");
  tensors_.erase("edge_attr");

  Longs("node_id", {1, 2});
  ExpectRefused("node_id: shape [2], must be [34] (one for each node)");
  tensors_.erase("node_id");
  Longs("y", {1, 2});
  ExpectRefused("y: shape [2], must be [34] (nodes) or [1] (graphs)");
  Set<float>("y", DType::kF32, {34}, std::vector<float>(34));
  ExpectRefused("y: dtype F32, must be I64 or I32");
  tensors_.erase("y");
  EXPECT_EQ(ReadOne().targets[1], 99);  // Graph::Build's to refuse

  Longs("graph_ptr", {});
  ExpectRefused("graph_ptr: shape [0], must be [graphs + 1]");
  Longs("graph_ptr", {1, 34});
  ExpectRefused("graph_ptr[0]: 1, must be 0");
  Longs("graph_ptr", {0, 20, 10, 34});
  ExpectRefused("graph_ptr[2]: 10, less than 20 before it");
  Longs("graph_ptr", {0, 33});
  ExpectRefused("graph_ptr[1]: 33, must be 34 (the file's nodes)");
  Longs("graph_ptr", {0, 20, 34});
  ExpectRefused("edge_index: edge 1: target 99, but the file has 34 nodes");
  Edges({0, 1, 5, 33});
  ExpectRefused("edge_index: edge 1: 1 -> 33 leads from graph 0 to graph 1 of graph_ptr");
}

TEST_F(GraphFiles, RefuseSparseRowsThatDoNotFit) {
  SparseNodes();
  Nodes(2);
  ExpectRefused("tensors 'x' and 'x_indptr': features are dense or sparse, not both");
  const auto refused = [&](const std::string& message, auto damage) {
    SparseNodes();
    damage();
    ExpectRefused(message);
  };
  for (const char* name : {"x_shape", "x_indptr", "x_indices", "x_values"}) {
    refused(std::string("tensor '") + name + "' is missing", [&] { tensors_.erase(name); });
  }
  refused("x_shape: shape [3], must be [2] (nodes and features)", [&] { Longs("x_shape", {2, 4, 1}); });
  refused("x_shape[0]: -2, must be 0 to 2147483647", [&] { Longs("x_shape", {-2, 4}); });
  refused("x_shape[1]: 4294967296, must be 0 to 2147483647", [&] { Longs("x_shape", {2, int64_t{1} << 32}); });
  refused("x_values: shape [3, 1], must be [values]", [&] { tensors_["x_values"].shape = {3, 1}; });
  refused("x_indices: shape [2], must be [3] (as x_values)", [&] { Longs("x_indices", {1, 3}); });
  refused("x_indices[1]: 4, but x_shape says 4 features", [&] { Longs("x_indices", {1, 4, 0}); });
  refused("x_indices[2]: -1, but x_shape says 4 features", [&] { Longs("x_indices", {1, 3, -1}); });
  refused("x_indptr: shape [2], must be [3] (one more than x_shape's nodes)", [&] { Longs("x_indptr", {0, 3}); });
  refused("x_indptr[0]: 1, must be 0", [&] { Longs("x_indptr", {1, 2, 3}); });
  refused("x_indptr[2]: 1, less than 2 before it", [&] { Longs("x_indptr", {0, 2, 1}); });
  refused("x_indptr[2]: 4, must be 3 (the length of x_values)", [&] { Longs("x_indptr", {0, 2, 4}); });
}

GraphArrays Written() {
  GraphArrays graph;
  graph.features.rows = 3;
  graph.features.width = 2;
  graph.features.values = {1, 2, 3, 4, 5, -0.0f};
  graph.node_ids = {5, -6, 7};
  graph.sources = {0, 1};
  graph.targets = {2, 2};
  graph.edge_feature_width = 1;
  graph.edge_features = {8, 9};
  return graph;
}

void ExpectSame(const GraphArrays& a, const GraphArrays& b) {
  EXPECT_EQ(a.features.rows, b.features.rows);
  EXPECT_EQ(a.features.width, b.features.width);
  EXPECT_EQ(a.features.sparse, b.features.sparse);
  EXPECT_EQ(a.features.values, b.features.values);
  EXPECT_EQ(a.features.row_ends, b.features.row_ends);
  EXPECT_EQ(a.features.columns, b.features.columns);
  EXPECT_EQ(a.node_ids, b.node_ids);
  EXPECT_EQ(a.sources, b.sources);
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_EQ(a.edge_feature_width, b.edge_feature_width);
  EXPECT_EQ(a.edge_features, b.edge_features);
}

TEST_F(GraphFiles, AreReadAsTheyWereWritten) {
  GraphArrays sparse = Written();
  sparse.features.sparse = true;
  sparse.features.row_ends = {1, 1, 2};
  sparse.features.columns = {0, 1};
  sparse.features.values = {3, 4};
  GraphArrays plain;
  plain.features.rows = 300;
  plain.edge_feature_width = 3;
  for (const GraphArrays& graph : {Written(), sparse, plain, GraphArrays()}) {
    ASSERT_TRUE(WriteGraphFile(path(), graph, {{"version", "12"}}).ok());
    const auto file = ReadGraphFile(path());
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_EQ(file->graphs.size(), 1u);
    ExpectSame(file->graphs[0], graph);
    EXPECT_THAT(file->metadata, ElementsAre(Pair("version", "12")));
  }
  GraphArrays torn = Written();
  torn.sources.pop_back();
  EXPECT_EQ(std::string(WriteGraphFile(path(), torn, {}).message()),
            path() + ": 1 edges have sources, but 2 have targets");
  EXPECT_EQ(WriteGraphFile(directory_.File("no/graph"), Written(), {}).code(), absl::StatusCode::kNotFound);
}

// A process that writes versions without end is killed at a moment that nobody chose: the file is always one of them,
// whole, and the next writer is not in the way of what was left behind.
TEST_F(GraphFiles, SurviveAWriterThatIsKilledAtAnyMoment) {
  const auto version = [](int64_t number) {
    GraphArrays graph;
    graph.features.rows = 20'000 + number % 5;
    graph.features.width = 4;
    graph.features.values.assign(static_cast<size_t>(graph.features.rows * 4), static_cast<float>(number));
    return graph;
  };
  ASSERT_TRUE(WriteGraphFile(path(), version(0), {{"version", "0"}}).ok());
  std::mt19937 random(7);
  int64_t last = 0;
  for (int round = 0; round < 20; ++round) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t writer = fork();
    ASSERT_GE(writer, 0);
    if (writer == 0) {
      for (int64_t number = last + 1;; ++number) {
        if (!WriteGraphFile(path(), version(number), {{"version", std::to_string(number)}}).ok()) _exit(1);
        if (write(ready[1], "", 1) != 1) _exit(1);
      }
    }
    close(ready[1]);
    char byte;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);  // it has written at least one
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 8000));
    ASSERT_EQ(kill(writer, SIGKILL), 0);
    int status;
    ASSERT_EQ(waitpid(writer, &status, 0), writer);
    ASSERT_TRUE(WIFSIGNALED(status));
    close(ready[0]);

    const auto file = ReadGraphFile(path());
    ASSERT_TRUE(file.ok()) << file.status();
    const int64_t number = std::stoll(file->metadata.at("version"));
    EXPECT_GT(number, last);
    ExpectSame(file->graphs.at(0), version(number));
    last = number;
  }
  ASSERT_TRUE(WriteGraphFile(path(), version(1), {}).ok());
  EXPECT_FALSE(std::filesystem::exists(path() + ".partial"));
}

}  // namespace
}  // namespace heed
