// SPDX-License-Identifier: Apache-2.0
// heed classify, heed graph and heed bench classify as a script sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/item_list.h"
#include "files/graph_file.h"
#include "files/safetensors_writer.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/unserved_address.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

// A fake server with a model of each kind, and graph files.
class GraphCommands : public testing::Test {
 protected:
  GraphCommands() {
    server_.AddModel("gat-nodes", v1::MODEL_STATE_READY, "node-classifier");
    server_.AddModel("gat-edges", v1::MODEL_STATE_READY, "edge-classifier");
    server_.AddModel("gat-graphs", v1::MODEL_STATE_READY, "graph-classifier");
  }

  // Rows of `width` ones; edges 0 > 1 > 2 and so on.
  std::string WriteGraph(const std::string& name, int64_t rows, std::vector<int64_t> ids = {}, int64_t width = 2) {
    GraphArrays graph;
    graph.features = {.rows = rows, .width = width};
    graph.features.values.assign(static_cast<size_t>(rows * width), 1.0f);
    for (int64_t row = 0; row + 1 < rows; ++row) {
      graph.sources.push_back(row);
      graph.targets.push_back(row + 1);
    }
    graph.node_ids = std::move(ids);
    return Write(name, graph);
  }
  std::string Write(const std::string& name, const GraphArrays& graph) {
    EXPECT_TRUE(WriteGraphFile(directory_.File(name), graph, {}).ok());
    return directory_.File(name);
  }
  // A file of graphs with these numbers of nodes, of width 1, without edges.
  std::string WriteGraphs(const std::string& name, const std::vector<int64_t>& sizes) {
    std::vector<int64_t> bounds = {0};
    for (const int64_t size : sizes) bounds.push_back(bounds.back() + size);
    const std::vector<float> x(static_cast<size_t>(bounds.back()), 1.0f);
    const std::vector<TensorToWrite> tensors = {
        {"graph_ptr", DType::kI64, {static_cast<int64_t>(bounds.size())}, {BytesOf(bounds)}},
        {"x", DType::kF32, {bounds.back(), 1}, {BytesOf(x)}}};
    EXPECT_TRUE(WriteSafetensors(directory_.File(name), tensors, {}).ok());
    return directory_.File(name);
  }

  HeedRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back(server_.flag());
    return RunHeedWith(arguments, input);
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeGraphs& graphs_ = server_.graphs();
};

TEST_F(GraphCommands, HelpNamesExitCodesAndExamples) {
  for (const std::string command : {"classify nodes", "classify edges", "classify graphs", "graph put", "graph update",
                                    "graph describe", "graph delete", "bench classify"}) {
    std::vector<std::string> arguments = absl::StrSplit(command, ' ');
    arguments.push_back("--help");
    const HeedRun run = RunHeedWith(arguments);
    EXPECT_EQ(run.code, kExitOk);
    EXPECT_THAT(run.out, StartsWith("Usage: heed " + command));
    for (const char* part : {"--server=HOST:PORT", "Exit codes:", "Examples:"}) EXPECT_THAT(run.out, HasSubstr(part));
    EXPECT_THAT(RunHeedWith({arguments[0], "--help"}).out, HasSubstr("\n  " + command));
  }
}

TEST_F(GraphCommands, WrongArgumentsAreUsageErrors) {
  const std::string graph = WriteGraph("g.safetensors", 3);
  const std::string several = WriteGraphs("several.safetensors", {2, 2});
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"classify"}, "'classify' is half a command"},
      {{"classify", "nodes"}, "one of --graph and --stored is needed"},
      {{"classify", "nodes", "--graph=a", "--stored=b"}, "one of --graph and --stored is needed"},
      {{"classify", "nodes", "--graph=a", "--version=1"}, "--version needs --stored"},
      {{"classify", "nodes", "--graph=a", "--unseen=b"}, "--unseen needs --stored"},
      {{"classify", "nodes", "--graph=a", "--seed=1"}, "--seed needs --fan_out"},
      {{"classify", "nodes", "--graph=a", "--embeddings"}, "--embeddings needs --json"},
      {{"classify", "nodes", "--graph=a", "--edges=1:2"}, "unknown flag --edges"},
      {{"classify", "graphs", "--graph=a", "--nodes=1"}, "unknown flag --nodes"},
      {{"classify", "nodes", "--graph=/no/such"}, "/no/such"},
      {{"classify", "nodes", "--graph=" + graph, "--nodes="}, "--nodes: '' is not a node's id, a whole number"},
      {{"classify", "edges", "--graph=" + graph, "--edges=1"}, "--edges: '1' is not an edge, SOURCE:TARGET"},
      {{"classify", "nodes", "--graph=" + several, "--nodes=4"}, "--nodes: none of the file's 2 graphs has a node 4"},
      {{"classify", "nodes", "--stored=a", "--unseen=" + several}, "holds 2 graphs, must hold 1"},
      {{"classify", "nodes", "--stored=a", "--unseen=" + graph}, "has no node_id, the ids of its 3 unseen nodes"},
      {{"graph", "put", "--graph=" + graph}, "the graph's NAME is needed"},
      {{"graph", "put", "g"}, "--graph is needed"},
      {{"graph", "put", "g", "--graph=" + several}, "holds 2 graphs, must hold 1"},
      {{"graph", "update", "g"}, "one of --add, --change, --remove_nodes and --remove_edges is needed"},
      {{"graph", "update", "g", "--change=" + graph}, "has no node_id, the ids of its 3 nodes"},
      {{"graph", "update", "g", "--remove-nodes=x"}, "--remove_nodes: 'x' is not a node's id"},
      {{"graph", "delete"}, "the graph's NAME is needed"},
      {{"bench", "classify", "--stored=a"}, "--model is needed"},
      {{"bench", "classify", "--model=m", "--stored=a", "--rate=3"}, "need --mode=open"},
  };
  for (const auto& [arguments, message] : cases) {
    const HeedRun run = Run(arguments);
    EXPECT_EQ(run.code, kExitUsage) << message << run.out;
    EXPECT_THAT(run.err, HasSubstr(message));
    EXPECT_EQ(run.out, "");
  }
}

TEST_F(GraphCommands, MissingServerIsNamed) {
  const UnservedAddress unserved;
  const std::string& address = unserved.text();
  const std::string graph = "--graph=" + WriteGraph("g.safetensors", 3);
  const std::vector<std::vector<std::string>> commands = {{"classify", "nodes", graph},
                                                          {"classify", "graphs", "--stored=a"},
                                                          {"graph", "put", "a", graph},
                                                          {"graph", "update", "a", "--remove_nodes=1"},
                                                          {"graph", "describe"},
                                                          {"graph", "delete", "a"},
                                                          {"bench", "classify", "--model=m", graph}};
  for (std::vector<std::string> command : commands) {
    command.push_back("--server=" + address);
    const HeedRun run = RunHeedWith(command);
    EXPECT_EQ(run.code, kExitUnavailable) << command[0] << " " << command[1];
    EXPECT_THAT(run.err, HasSubstr("heed-server --listen=" + address));
  }
}

TEST_F(GraphCommands, ModelOfAnotherKindIsAUsageError) {
  const HeedRun run = Run({"classify", "nodes", "--stored=a", "--model=gat-edges"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: model 'gat-edges' is of kind edge-classifier, not node-classifier\n");
}

TEST_F(GraphCommands, NodesPrintOneLineEachInTheOrderAsked) {
  const HeedRun run = Run({"classify", "nodes", "--graph=" + WriteGraph("g.safetensors", 4), "--nodes=3,0,2"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "3\todd\t0.7500\n0\teven\t0.7500\n2\teven\t0.7500\n");
  EXPECT_EQ(run.err, "");
  ASSERT_THAT(graphs_.node_requests, SizeIs(1));
  const v1::ClassifyNodesRequest& request = graphs_.node_requests[0];
  EXPECT_EQ(request.model(), "gat-nodes");
  ASSERT_EQ(request.queries_size(), 1);
  EXPECT_THAT(request.queries(0).nodes(), ElementsAre(3, 0, 2));
  EXPECT_EQ(request.queries(0).graph().features().values_size(), 8);
  EXPECT_THAT(request.queries(0).graph().edge_targets(), ElementsAre(1, 2, 3));
  EXPECT_EQ(request.options().ByteSizeLong(), 0u);
}

TEST_F(GraphCommands, WithoutNodesAllAreAsked) {
  EXPECT_EQ(Run({"classify", "nodes", "--graph=" + WriteGraph("g.safetensors", 2, {7, 4})}).out,
            "7\todd\t0.7500\n4\teven\t0.7500\n");
  EXPECT_THAT(graphs_.node_requests[0].queries(0).nodes(), IsEmpty());
}

TEST_F(GraphCommands, NodesComeFromAFileOrStandardInputAndNoneIsNotAll) {
  const std::string graph = "--graph=" + WriteGraph("g.safetensors", 4);
  EXPECT_EQ(Run({"classify", "nodes", graph, "--nodes=@-"}, "2\n1\n").out, "2\teven\t0.7500\n1\todd\t0.7500\n");
  const HeedRun none = Run({"classify", "nodes", graph, "--nodes=@-"}, "");
  EXPECT_EQ(none.code, kExitOk);
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(graphs_.node_requests, SizeIs(1));
}

TEST_F(GraphCommands, ListThatCannotBeReadToItsEndIsAnError) {
  const std::string directory = directory_.path().string();
  const HeedRun run = Run({"classify", "nodes", "--graph=" + WriteGraph("g.safetensors", 4), "--nodes=@" + directory});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "heed: --nodes: cannot read '" + directory + "' after line 0\n");
  EXPECT_THAT(graphs_.node_requests, IsEmpty());

  // Two lines, then an error.
  class Failing : public std::streambuf {
   public:
    Failing() { setg(lines_, lines_, lines_ + 4); }

   protected:
    int_type underflow() override { throw std::ios_base::failure("I/O error"); }

   private:
    char lines_[5] = "2\n1\n";
  } failing;
  std::istream in(&failing);
  EXPECT_EQ(ReadNodeList("@-", in).status().message(), "cannot read standard input after line 2");
}

TEST_F(GraphCommands, NodesOfSeveralGraphsComeInTheOrderAsked) {
  const std::string file = "--graph=" + WriteGraphs("several.safetensors", {2, 3, 1});
  const HeedRun run = Run({"classify", "nodes", file, "--nodes=5,0,4,1"});
  EXPECT_EQ(run.out, "5\todd\t0.7500\n0\teven\t0.7500\n4\teven\t0.7500\n1\todd\t0.7500\n");
  ASSERT_THAT(graphs_.node_requests, SizeIs(1));
  ASSERT_EQ(graphs_.node_requests[0].queries_size(), 3);
  EXPECT_THAT(graphs_.node_requests[0].queries(1).graph().node_ids(), ElementsAre(2, 3, 4));
  EXPECT_THAT(graphs_.node_requests[0].queries(1).nodes(), ElementsAre(4));

  std::string all;
  for (int i = 0; i < 6; ++i) absl::StrAppend(&all, i, i % 2 == 0 ? "\teven" : "\todd", "\t0.7500\n");
  EXPECT_EQ(Run({"classify", "nodes", file}).out, all);
}

TEST_F(GraphCommands, FlagsBecomeOptions) {
  Run({"classify", "nodes", "--stored=cora", "--version=4", "--top=3", "--attention", "--json", "--embeddings",
       "--fan-out=10", "--seed=7", "--compute", "--ignore-edge-features"});
  const v1::ClassifyNodesRequest& request = graphs_.node_requests.at(0);
  EXPECT_EQ(request.queries(0).stored().name(), "cora");
  EXPECT_EQ(request.queries(0).stored().expected_version(), 4);
  EXPECT_FALSE(request.queries(0).stored().has_unseen());
  EXPECT_EQ(request.options().top_k(), 3);
  EXPECT_TRUE(request.options().return_attention());
  EXPECT_TRUE(request.options().return_embeddings());
  EXPECT_EQ(request.options().fan_out(), 10);
  EXPECT_EQ(request.options().seed(), 7u);
  EXPECT_TRUE(request.options().compute());
  EXPECT_TRUE(request.options().ignore_edge_features());
}

TEST_F(GraphCommands, UnseenNodesGoWithTheQuery) {
  GraphArrays unseen;
  unseen.features = {.rows = 1, .width = 2, .values = {0.5f, 1}};
  unseen.node_ids = {9001};
  unseen.sources = {3};
  unseen.targets = {9001};
  const HeedRun run = Run({"classify", "nodes", "--stored=cora", "--nodes=9001", "--unseen=" + Write("u", unseen)});
  EXPECT_EQ(run.out, "9001\todd\t0.7500\n") << run.err;
  const v1::GraphUpdate& update = graphs_.node_requests.at(0).queries(0).stored().unseen();
  EXPECT_THAT(update.add_nodes(), ElementsAre(9001));
  EXPECT_THAT(update.add_features().values(), ElementsAre(0.5f, 1));
  EXPECT_EQ(EdgeName(update.add_edges(0)), "3:9001");
}

TEST_F(GraphCommands, TopAppendsTheNextClasses) {
  graphs_.edit = [](v1::GraphClassification& classification) {
    for (int i = 0; i < 3; ++i) {
      v1::GraphClassification::Class& top = *classification.add_top();
      top.set_index(i);
      top.set_label(absl::StrCat("class\t", i));
      top.set_probability(0.5f / static_cast<float>(i + 1));
    }
  };
  const std::string graph = "--graph=" + WriteGraph("g.safetensors", 1);
  EXPECT_EQ(Run({"classify", "nodes", graph, "--top=3"}).out, "0\teven\t0.7500\tclass 1\t0.2500\tclass 2\t0.1667\n");
  const auto json = JsonLines(Run({"classify", "nodes", graph, "--top=3", "--json"}).out).at(0);
  ASSERT_THAT(json["top"], SizeIs(3));
  EXPECT_EQ(json["top"][1], nlohmann::json::parse(R"({"class":1,"label":"class\t1","probability":0.25})"));
}

TEST_F(GraphCommands, JsonIsOneObjectALine) {
  graphs_.edit = [](v1::GraphClassification& classification) {
    classification.set_probability(0.1f);
    classification.add_present_labels(1);
    classification.add_embedding(0.3f);
  };
  graphs_.source.set_version(5);
  graphs_.source.set_precomputed(true);
  const HeedRun run = Run({"classify", "nodes", "--stored=cora", "--nodes=7", "--json", "--embeddings"});
  EXPECT_EQ(run.out,
            "{\"id\":7,\"class\":1,\"label\":\"odd\",\"probability\":0.1,\"present\":[1],\"embedding\":[0.3],"
            "\"version\":5,\"precomputed\":true}\n");
}

v1::GraphAttention TwoLayers() {
  v1::GraphAttention attention;
  const auto add = [](v1::GraphAttention::Layer& layer, int64_t source, int64_t target, std::vector<float> weights) {
    layer.add_sources(source);
    layer.add_targets(target);
    layer.add_self_loops(source == target);
    for (const float weight : weights) layer.add_weights(weight);
  };
  v1::GraphAttention::Layer& first = *attention.add_layers();
  first.set_head_count(2);
  add(first, 1, 0, {0.25f, 0.5f});
  add(first, 0, 0, {0.75f, 0.5f});
  v1::GraphAttention::Layer& second = *attention.add_layers();
  second.set_head_count(1);
  add(second, 1, 0, {0.25f});
  add(second, 2, 0, {0.125f});
  add(second, 1, 0, {0.375f});
  add(second, 0, 0, {0.25f});
  add(second, 1, 1, {1});
  return attention;
}

TEST_F(GraphCommands, AttentionDrawsTheNeighborsOfTheLastLayer) {
  graphs_.attention = TwoLayers();
  const HeedRun run = Run({"classify", "nodes", "--stored=g", "--nodes=0,2", "--attention"});
  EXPECT_EQ(run.out,
            "0\teven\t0.7500\n"
            "    0.62 ████████████████████ 1\n"
            "    0.25 ████████             0 (itself)\n"
            "    0.12 ████                 2\n"
            "2\teven\t0.7500\n"
            "    no neighbors\n");
}

TEST_F(GraphCommands, AttentionOfManyNeighborsSumsTheRest) {
  v1::GraphAttention::Layer& layer = *graphs_.attention.add_layers();
  layer.set_head_count(1);
  for (int i = 0; i < 10; ++i) {
    layer.add_sources(i + 1);
    layer.add_targets(0);
    layer.add_weights(0.1f);
  }
  const std::vector<std::string> lines =
      absl::StrSplit(Run({"classify", "nodes", "--stored=g", "--nodes=0", "--attention"}).out, '\n');
  ASSERT_THAT(lines, SizeIs(11));
  EXPECT_EQ(lines[1], "    0.10 ████████████████████ 1");
  EXPECT_EQ(lines[8], "    0.10 ████████████████████ 8");
  EXPECT_EQ(lines[9], "    0.20                      2 more");
}

TEST_F(GraphCommands, AttentionOfAnEdgeIsThatOfBothEnds) {
  graphs_.attention = TwoLayers();
  const HeedRun run = Run({"classify", "edges", "--stored=g", "--edges=2:1", "--attention"});
  EXPECT_EQ(run.out,
            "2:1\todd\t0.7500\n"
            "  2:\n"
            "    no neighbors\n"
            "  1:\n"
            "    1.00 ████████████████████ 1 (itself)\n");
}

TEST_F(GraphCommands, AttentionOfAGraphSaysWhoWeighsMost) {
  graphs_.attention = TwoLayers();
  // (0.25 + 0.375 + 1) / 2, 0.25 / 2, 0.125 / 2.
  EXPECT_EQ(Run({"classify", "graphs", "--stored=g", "--attention"}).out,
            "g\todd\t0.7500\n"
            "    0.81 ████████████████████ 1\n"
            "    0.12 ███▏                 0\n"
            "    0.06 █▌                   2\n");
}

TEST_F(GraphCommands, AttentionAsJsonHasEveryLayerAndHead) {
  graphs_.attention = TwoLayers();
  const auto lines = JsonLines(Run({"classify", "nodes", "--stored=g", "--nodes=0,1", "--attention", "--json"}).out);
  ASSERT_THAT(lines, SizeIs(2));
  ASSERT_THAT(lines[0]["attention"], SizeIs(6));
  EXPECT_EQ(lines[0]["attention"][0].dump(),
            R"({"layer":0,"self_loop":false,"source":1,"target":0,"weights":[0.25,0.5]})");
  EXPECT_EQ(lines[0]["attention"][5].dump(), R"({"layer":1,"self_loop":true,"source":0,"target":0,"weights":[0.25]})");
  ASSERT_THAT(lines[1]["attention"], SizeIs(1));
}

TEST_F(GraphCommands, EdgesPrintSourceAndTarget) {
  const std::string graph = "--graph=" + WriteGraph("g.safetensors", 8);
  EXPECT_EQ(Run({"classify", "edges", graph, "--edges=3:7,7:4"}).out, "3:7\teven\t0.7500\n7:4\todd\t0.7500\n");
  EXPECT_EQ(Run({"classify", "edges", graph, "--edges=3:7", "--json"}).out,
            "{\"id\":\"3:7\",\"source\":3,\"target\":7,\"class\":0,\"label\":\"even\",\"probability\":0.75}\n");
  EXPECT_EQ(graphs_.edge_requests.at(0).model(), "gat-edges");
}

TEST_F(GraphCommands, ManyGraphsTravelInBatchesAndComeInOrder) {
  std::vector<int64_t> sizes;
  std::string expected;
  for (int64_t i = 0; i < 300; ++i) {
    sizes.push_back(1 + i % 5);
    absl::StrAppend(&expected, i, sizes.back() % 2 == 0 ? "\teven" : "\todd", "\t0.7500\n");
  }
  const HeedRun run = Run({"classify", "graphs", "--graph=" + WriteGraphs("many.safetensors", sizes)});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, expected);
  EXPECT_THAT(graphs_.graph_requests, SizeIs(5));
  int queries = 0;
  for (const auto& request : graphs_.graph_requests) queries += request.queries_size();
  EXPECT_EQ(queries, 300);
}

TEST_F(GraphCommands, RequestsStayBelowTheLimitOfAMessage) {
  const std::string file = WriteGraphs("many.safetensors", std::vector<int64_t>(40, 500));  // 2 kB each
  const HeedRun run = Run({"classify", "graphs", "--graph=" + file, "--max_message_bytes=8192"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_GE(graphs_.graph_requests.size(), 10u);
  for (const auto& request : graphs_.graph_requests) EXPECT_LE(request.ByteSizeLong(), 8192u);
}

TEST_F(GraphCommands, AGraphTooLargeForAMessageIsToBeStored) {
  const std::string file = WriteGraph("big.safetensors", 3000);
  const HeedRun run = Run({"classify", "nodes", "--graph=" + file, "--max_message_bytes=8192"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("bytes, more than --max_message_bytes=8192; store it with `heed graph put NAME "
                                 "--graph=" +
                                 file + "` and ask with --stored=NAME"));
  EXPECT_THAT(graphs_.node_requests, IsEmpty());
}

TEST_F(GraphCommands, OneTooLargeOfSeveralGraphsFailsAlone) {
  const HeedRun run = Run(
      {"classify", "graphs", "--max_message_bytes=8192", "--graph=" + WriteGraphs("mixed.safetensors", {1, 3000, 2})});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "0\todd\t0.7500\n\n2\teven\t0.7500\n");
  EXPECT_THAT(run.err, StartsWith("heed: graph 1: OUT_OF_RANGE: the request takes"));
}

TEST_F(GraphCommands, OneBadGraphOfARequestFailsAlone) {
  graphs_.check = [](const v1::Graph& graph) {
    return graph.features().values_size() == 3 ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "three nodes")
                                               : grpc::Status::OK;
  };
  const std::string file = "--graph=" + WriteGraphs("mixed.safetensors", {1, 3, 2});
  HeedRun run = Run({"classify", "graphs", file});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "0\todd\t0.7500\n\n2\teven\t0.7500\n");
  EXPECT_EQ(run.err, "heed: graph 1: INVALID_ARGUMENT: three nodes\n");

  run = Run({"classify", "graphs", file, "--json"});
  EXPECT_EQ(JsonLines(run.out).at(1),
            nlohmann::json::parse(R"({"id":1,"error":{"code":"INVALID_ARGUMENT","message":"three nodes"}})"));

  run = Run({"classify", "nodes", file, "--nodes=2,5,0"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "\n5\todd\t0.7500\n0\teven\t0.7500\n");
}

TEST_F(GraphCommands, WhatTheServerRefusesIsTold) {
  const std::string graph = "--graph=" + WriteGraph("g.safetensors", 2);
  graphs_.check = [](const v1::Graph&) { return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no node 9"); };
  HeedRun run = Run({"classify", "nodes", graph, "--nodes=9"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "heed: INVALID_ARGUMENT: no node 9\n");

  graphs_.stored_status = grpc::Status(grpc::StatusCode::NOT_FOUND, "no graph 'a'");
  run = Run({"classify", "nodes", "--stored=a"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: NOT_FOUND: no graph 'a'\n");
  EXPECT_EQ(Run({"graph", "describe", "a"}).code, kExitUsage);
  EXPECT_EQ(Run({"graph", "delete", "a"}).code, kExitUsage);

  graphs_.stored_status = grpc::Status(grpc::StatusCode::ABORTED, "version 3, expected 2");
  run = Run({"graph", "update", "a", "--remove_nodes=1", "--expected_version=2"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.err, "heed: ABORTED: version 3, expected 2\n");

  // The store is full: no use in waiting.
  graphs_.stored_status = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "beyond --graph_bytes");
  run = Run({"graph", "put", "a", graph});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.err, "heed: RESOURCE_EXHAUSTED: beyond --graph_bytes\n");
}

TEST_F(GraphCommands, ServerThatSaysWhyItCannotIsNotTakenForAMissingOne) {
  graphs_.stored_status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "\"a\" could not be read: truncated");
  const std::vector<std::vector<std::string>> commands = {{"classify", "nodes", "--stored=a", "--deadline=0.2"},
                                                          {"graph", "put", "a", "--graph=" + WriteGraph("g", 3)},
                                                          {"graph", "update", "a", "--remove_nodes=1"},
                                                          {"graph", "describe", "a"},
                                                          {"graph", "delete", "a"}};
  for (const std::vector<std::string>& command : commands) {
    const HeedRun run = Run(command);
    EXPECT_EQ(run.code, kExitUnavailable) << command[0] << " " << command[1];
    EXPECT_THAT(run.err, EndsWith("heed: UNAVAILABLE: \"a\" could not be read: truncated\n"));
    EXPECT_THAT(run.err, Not(HasSubstr("heed-server")));
  }

  graphs_.stored_status = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "too slow");
  const HeedRun run = Run({"graph", "describe", "a"});
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_EQ(run.err, "heed: DEADLINE_EXCEEDED: too slow\n");
}

TEST_F(GraphCommands, InterruptExitsWith130) {
  std::stop_source stop;
  stop.request_stop();
  const HeedRun run = RunHeedWith({"classify", "nodes", "--stored=a", server_.flag()}, "", stop.get_token());
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_EQ(run.out, "");
}

v1::GraphInfo Info() {
  v1::GraphInfo info;
  info.set_name("cora");
  info.set_version(2);
  info.set_node_count(2708);
  info.set_edge_count(10556);
  info.set_feature_width(1433);
  info.set_feature_value_count(49216);
  info.set_resident_bytes(1 << 20);
  v1::PrecomputedGraphOutputs& precomputed = *info.add_precomputed();
  precomputed.set_model("gat-cora");
  precomputed.set_resident_bytes(3 << 19);
  precomputed.set_computed_row_count(5416);
  precomputed.mutable_compute_duration()->set_nanos(15'625'000);
  return info;
}

TEST_F(GraphCommands, PutSendsTheGraphInPartsAndPrintsItsVersion) {
  graphs_.info = Info();
  const std::string file = WriteGraph("big.safetensors", 3000, {}, 250);  // 3 MB
  const HeedRun run = Run({"graph", "put", "cora", "--graph=" + file, "--precompute=gat-cora,gcn-cora"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out,
            "cora: version 2, 2708 nodes, 10556 edges, 1433 features, 1.0 MiB\n"
            "cora: gat-cora: precomputed, 5416 outputs of nodes in 0.02 s, 1.5 MiB\n");
  ASSERT_THAT(graphs_.puts, SizeIs(2));
  EXPECT_EQ(graphs_.puts[0].name(), "cora");
  EXPECT_THAT(graphs_.puts[0].precompute(), ElementsAre("gat-cora", "gcn-cora"));
  EXPECT_EQ(graphs_.puts[1].name(), "");
  EXPECT_THAT(graphs_.puts[1].precompute(), IsEmpty());
  int64_t values = 0;
  int64_t edges = 0;
  for (const auto& put : graphs_.puts) {
    EXPECT_LT(put.ByteSizeLong(), 3u << 20);
    values += put.part().features().values_size();
    edges += put.part().edge_sources_size();
  }
  EXPECT_EQ(values, 3000 * 250);
  EXPECT_EQ(edges, 2999);
}

TEST_F(GraphCommands, PutFailsIfAModelIsNotPrecomputed) {
  graphs_.info = Info();
  graphs_.info.mutable_precomputed(0)->set_unavailable("no such model");
  const HeedRun run = Run({"graph", "put", "cora", "--graph=" + WriteGraph("g.safetensors", 3), "--json"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(JsonLines(run.out).at(0)["precomputed"][0]["unavailable"], "no such model");
  EXPECT_EQ(run.err, "heed: gat-cora is not precomputed: no such model\n");
}

TEST_F(GraphCommands, UpdateTakesFilesAndLists) {
  graphs_.info = Info();
  GraphArrays added;
  added.features = {.rows = 1, .width = 2, .values = {1, 2}};
  added.node_ids = {50};
  added.sources = {50, 3};
  added.targets = {3, 4};
  GraphArrays changed;
  changed.features = {.rows = 2, .width = 2, .values = {5, 6, 7, 8}};
  changed.node_ids = {3, 4};
  const HeedRun run =
      Run({"graph", "update", "cora", "--add=" + Write("add", added), "--change=" + Write("change", changed),
           "--remove-nodes=@-", "--remove-edges=1:2", "--expected-version=1", "--json"},
          "17\n18\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(JsonLines(run.out).at(0)["version"], 2);
  EXPECT_EQ(graphs_.update.name(), "cora");
  EXPECT_EQ(graphs_.update.expected_version(), 1);
  const v1::GraphUpdate& update = graphs_.update.update();
  EXPECT_THAT(update.add_nodes(), ElementsAre(50));
  EXPECT_EQ(EdgeName(update.add_edges(1)), "3:4");
  EXPECT_THAT(update.change_nodes(), ElementsAre(3, 4));
  EXPECT_THAT(update.change_features().values(), ElementsAre(5, 6, 7, 8));
  EXPECT_THAT(update.remove_nodes(), ElementsAre(17, 18));
  EXPECT_EQ(EdgeName(update.remove_edges(0)), "1:2");

  changed.sources = {0};
  changed.targets = {1};
  EXPECT_THAT(Run({"graph", "update", "cora", "--change=" + Write("change", changed)}).err,
              HasSubstr("edge_index has 1 edges; --change takes features alone, edges are --add's"));
}

TEST_F(GraphCommands, UpdateAddsEdgesAlone) {
  GraphArrays edges;
  edges.features.width = 2;
  edges.sources = {3};
  edges.targets = {4};
  const HeedRun run = Run({"graph", "update", "cora", "--add=" + Write("edges", edges)});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_FALSE(graphs_.update.update().has_add_features());
  EXPECT_EQ(EdgeName(graphs_.update.update().add_edges(0)), "3:4");
}

TEST_F(GraphCommands, DescribePrintsATable) {
  EXPECT_EQ(Run({"graph", "describe"}).err, "heed: the server keeps no graphs\n");
  graphs_.stored = {Info(), Info()};
  graphs_.stored[1].set_name("karate");
  graphs_.stored[1].clear_precomputed();
  graphs_.stored[1].set_saved_version(2);
  const HeedRun run = Run({"graph", "describe"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out,
            "NAME    VERSION  NODES  EDGES  FEATURES  VALUES  EDGE FEATURES   MEMORY  SAVED VERSION\n"
            "cora          2   2708  10556      1433   49216              -  1.0 MiB              -\n"
            "karate        2   2708  10556      1433   49216              -  1.0 MiB              2\n"
            "cora: gat-cora: precomputed, 5416 outputs of nodes in 0.02 s, 1.5 MiB\n");
  const auto json = nlohmann::json::parse(Run({"graph", "describe", "cora", "--json"}).out);
  EXPECT_EQ(graphs_.described, "cora");
  ASSERT_THAT(json, SizeIs(1));
  EXPECT_EQ(json[0]["feature_values"], 49216);
  EXPECT_EQ(json[0]["precomputed"][0]["model"], "gat-cora");
  EXPECT_EQ(json[0]["precomputed"][0]["seconds"], 0.015625);

  graphs_.stored.resize(5, graphs_.stored[1]);
  const auto all = nlohmann::json::parse(Run({"graph", "describe", "--json"}).out);
  ASSERT_THAT(all, SizeIs(5)) << "the list comes in pages of two";
  EXPECT_EQ(all[1]["saved_version"], 2);
}

TEST_F(GraphCommands, DescribeTellsWhyAGraphIsUnavailableAndExitsWith1) {
  graphs_.stored = {Info(), v1::GraphInfo()};
  graphs_.stored[0].clear_precomputed();
  graphs_.stored[1].set_name("karate");
  graphs_.stored[1].set_unavailable("karate.graph: truncated");
  const HeedRun run = Run({"graph", "describe"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out,
            "NAME    VERSION  NODES  EDGES  FEATURES  VALUES  EDGE FEATURES   MEMORY  SAVED VERSION\n"
            "cora          2   2708  10556      1433   49216              -  1.0 MiB              -\n"
            "karate        -      -      -         -       -              -        -              -\n"
            "karate: unavailable: karate.graph: truncated\n");
  const HeedRun json = Run({"graph", "describe", "--json"});
  EXPECT_EQ(json.code, kExitFailed);
  EXPECT_FALSE(nlohmann::json::parse(json.out)[0].contains("unavailable"));
  EXPECT_EQ(nlohmann::json::parse(json.out)[1]["unavailable"], "karate.graph: truncated");

  graphs_.stored = {graphs_.stored[1]};
  const HeedRun bench = Run({"bench", "classify", "--model=gat-nodes", "--stored=karate"});
  EXPECT_EQ(bench.code, kExitUnavailable);
  EXPECT_EQ(bench.err, "heed: graph 'karate' is unavailable: karate.graph: truncated\n");
}

TEST_F(GraphCommands, DeleteNamesTheGraph) {
  const HeedRun run = Run({"graph", "delete", "cora"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(graphs_.deleted.name(), "cora");
  EXPECT_FALSE(graphs_.deleted.has_expected_version());
  EXPECT_EQ(Run({"graph", "delete", "cora", "--expected_version=4"}).code, kExitOk);
  EXPECT_EQ(graphs_.deleted.expected_version(), 4);
}

TEST_F(GraphCommands, BenchDrawsNodesOfAStoredGraph) {
  graphs_.stored = {Info()};
  const HeedRun run = Run({"bench", "classify", "--model=gat-nodes", "--stored=cora", "--nodes_per_request=3",
                           "--concurrency=1,4", "--duration=0.3", "--warmup=0", "--compute"});
  server_.Stop();
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<std::string> lines = absl::StrSplit(run.out, '\n', absl::SkipEmpty());
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_EQ(lines[0],
            "gat-nodes, 3 nodes per request, closed loop, stored graph cora, computed, 0.3 s after 0 s of warm-up");
  EXPECT_EQ(lines[1], "in flight  requests  errors  requests/s     nodes/s    p50 ms    p90 ms    p99 ms    max ms");
  EXPECT_THAT(lines[3], StartsWith("        4  "));
  std::set<int64_t> drawn;
  for (const v1::ClassifyNodesRequest& request : graphs_.node_requests) {
    EXPECT_TRUE(request.options().compute());
    ASSERT_EQ(request.queries(0).nodes_size(), 3);
    for (const int64_t id : request.queries(0).nodes()) {
      EXPECT_TRUE(id >= 0 && id < 2708) << id;
      drawn.insert(id);
    }
  }
  EXPECT_GT(drawn.size(), 3u);
}

TEST_F(GraphCommands, BenchSendsTheGraphsOfAFileInTurn) {
  const std::string file = WriteGraphs("several.safetensors", {1, 2, 3});
  const HeedRun run = Run({"bench", "classify", "--model=gat-graphs", "--graph=" + file, "--concurrency=2",
                           "--duration=0.3", "--warmup=0", "--json"});
  server_.Stop();
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const auto rows = JsonLines(run.out);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0]["model"], "gat-graphs");
  EXPECT_EQ(rows[0]["in_flight"], 2);
  EXPECT_EQ(rows[0]["requests_per_second"], rows[0]["graphs_per_second"]);
  std::set<int> sizes;
  for (const v1::ClassifyGraphsRequest& request : graphs_.graph_requests) {
    ASSERT_EQ(request.queries_size(), 1);
    sizes.insert(request.queries(0).graph().features().values_size());
  }
  EXPECT_THAT(sizes, ElementsAre(1, 2, 3));
}

TEST_F(GraphCommands, BenchDrawsPairsForAnEdgeModel) {
  const std::string file = "--graph=" + WriteGraph("g.safetensors", 4, {10, 11, 12, 13});
  const HeedRun run = Run({"bench", "classify", "--model=gat-edges", file, "--concurrency=1", "--duration=0.2",
                           "--warmup=0", "--nodes_per_request=2"});
  server_.Stop();
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("2 edges per request"));
  ASSERT_FALSE(graphs_.edge_requests.empty());
  for (const v1::GraphEdgeId& edge : graphs_.edge_requests[0].queries(0).edges()) {
    EXPECT_TRUE(edge.source() >= 10 && edge.source() <= 13) << edge.source();
  }
}

TEST_F(GraphCommands, BenchNeedsAModelForGraphs) {
  EXPECT_THAT(Run({"bench", "classify", "--model=en-de", "--stored=a"}).err,
              HasSubstr("model 'en-de' is of kind translator"));
  EXPECT_THAT(Run({"bench", "classify", "--model=none", "--stored=a"}).err, HasSubstr("no model named 'none'"));
}

}  // namespace
}  // namespace heed::client
