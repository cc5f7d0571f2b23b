// SPDX-License-Identifier: Apache-2.0
// heed.v1.GraphService end to end: the whole server in this process, over a real socket, with graph classifiers that
// are fakes; with the files of stored graphs.
#include <atomic>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "files/graph_file.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "heed/v1/graphs.grpc.pb.h"
#include "server/graphs/graph_store.h"
#include "server/server.h"
#include "tests/support/fake_graph_classifier.h"
#include "tests/support/fake_translator.h"
#include "tests/support/metric_samples.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 0 -> 1, 0 -> 2, 1 -> 2, 3 alone: 0, 1, 2 and 0 in-edges. Features are [row, 1].
v1::Graph SmallGraph() {
  v1::Graph graph;
  graph.mutable_features()->set_width(2);
  for (const float value : {0, 1, 1, 1, 2, 1, 3, 1}) graph.mutable_features()->add_values(value);
  for (const int source : {0, 0, 1}) graph.add_edge_sources(source);
  for (const int target : {1, 2, 2}) graph.add_edge_targets(target);
  return graph;
}
v1::Graph WithIds(v1::Graph graph, std::initializer_list<int64_t> ids) {
  for (const int64_t id : ids) graph.add_node_ids(id);
  return graph;
}
// `count` nodes in a ring.
v1::Graph Ring(int count) {
  v1::Graph graph;
  graph.mutable_features()->set_width(2);
  for (int i = 0; i < count; ++i) {
    graph.mutable_features()->add_values(1);
    graph.mutable_features()->add_values(static_cast<float>(i));
    graph.add_edge_sources(i);
    graph.add_edge_targets((i + 1) % count);
  }
  return graph;
}
v1::GraphUpdate AddEdge(int64_t source, int64_t target) {
  v1::GraphUpdate update;
  v1::GraphEdgeId& edge = *update.add_add_edges();
  edge.set_source(source);
  edge.set_target(target);
  return update;
}
v1::GraphUpdate AddNode(int64_t id) {
  v1::GraphUpdate update;
  update.add_add_nodes(id);
  update.mutable_add_features()->set_width(2);
  update.mutable_add_features()->add_values(1);
  update.mutable_add_features()->add_values(2);
  return update;
}
template <typename Response>
std::vector<int> Classes(const Response& response, int answer = 0) {
  std::vector<int> classes;
  for (const auto& node : response.answers(answer).nodes()) classes.push_back(node.classification().class_index());
  return classes;
}
template <typename Response>
std::vector<int64_t> Ids(const Response& response, int answer = 0) {
  std::vector<int64_t> ids;
  for (const auto& node : response.answers(answer).nodes()) ids.push_back(node.id());
  return ids;
}

class GraphsTest : public ::testing::Test {
 protected:
  GraphsTest() {
    for (const char* model : {"edges", "graphs", "nodes", "words"}) {
      std::filesystem::create_directories(root_.path() / "models" / model);
      root_.Write(absl::StrCat("models/", model, "/config.json"), "{}");
    }
    options_.models = root_.File("models");
    options_.listen = "127.0.0.1:0";
    options_.metrics_listen = "";
    options_.threads = 1;
    options_.management = true;
  }
  ~GraphsTest() override {
    nodes_->Release();
    server_.reset();
  }

  void Start(bool wait_until_loaded = true) {
    server_.reset();
    auto server =
        Server::Start(options_, [this](const std::string& path, const std::string&, Precision) { return Load(path); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    if (wait_until_loaded) server_->WaitUntilLoaded();
    stub_ = v1::GraphService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials()));
  }
  absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& path) {
    const std::string name = std::filesystem::path(path).filename().string();
    if (name == "edges") return std::make_shared<FakeGraphClassifier>(name, ModelKind::kEdgeClassifier);
    if (name == "graphs") return std::make_shared<FakeGraphClassifier>(name, ModelKind::kGraphClassifier);
    if (name == "words") return std::make_shared<FakeTranslator>(name);
    if (nodes_ == nullptr) return absl::InvalidArgumentError("config.json: is broken");
    return nodes_;
  }
  // Kept in files, in a directory that lives as long as the test.
  void KeepFiles() {
    options_.graphs = root_.File("graphs");
    options_.graph_save_interval_s = 1e6;
  }
  std::string FileOf(const std::string& name) const { return absl::StrCat("graphs/", name, ".safetensors"); }

  template <typename Request, typename Response>
  using Method = grpc::Status (v1::GraphService::Stub::*)(grpc::ClientContext*, const Request&, Response*);
  template <typename Request, typename Response>
  grpc::Status Call(Method<Request, Response> method, const Request& request, Response* response) {
    grpc::ClientContext context;
    response->Clear();
    return (stub_.get()->*method)(&context, request, response);
  }
  grpc::Status Classify(const v1::ClassifyNodesRequest& request, v1::ClassifyNodesResponse* response) {
    return Call(&v1::GraphService::Stub::ClassifyNodes, request, response);
  }
  grpc::Status Classify(const v1::ClassifyEdgesRequest& request, v1::ClassifyEdgesResponse* response) {
    return Call(&v1::GraphService::Stub::ClassifyEdges, request, response);
  }
  grpc::Status Classify(const v1::ClassifyGraphsRequest& request, v1::ClassifyGraphsResponse* response) {
    return Call(&v1::GraphService::Stub::ClassifyGraphs, request, response);
  }
  v1::ClassifyNodesResponse Classified(const v1::ClassifyNodesRequest& request) {
    v1::ClassifyNodesResponse response;
    const grpc::Status status = Classify(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  template <typename Request>
  std::string InvalidityOf(const Request& request) {
    decltype(ResponseOf(request)) response;
    return MessageOf(Classify(request, &response), StatusCode::INVALID_ARGUMENT);
  }
  static v1::ClassifyNodesResponse ResponseOf(const v1::ClassifyNodesRequest&);
  static v1::ClassifyEdgesResponse ResponseOf(const v1::ClassifyEdgesRequest&);
  static v1::ClassifyGraphsResponse ResponseOf(const v1::ClassifyGraphsRequest&);
  static std::string MessageOf(const grpc::Status& status, StatusCode code) {
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    return status.error_message();
  }

  static v1::ClassifyNodesRequest Inline(const v1::Graph& graph) {
    v1::ClassifyNodesRequest request;
    *request.add_queries()->mutable_graph() = graph;
    return request;
  }
  static v1::ClassifyNodesRequest Stored(const std::string& name, std::optional<int64_t> version = std::nullopt) {
    v1::ClassifyNodesRequest request;
    v1::StoredGraph& stored = *request.add_queries()->mutable_stored();
    stored.set_name(name);
    if (version) stored.set_expected_version(*version);
    return request;
  }

  grpc::Status PutParts(const std::vector<v1::PutGraphRequest>& messages, v1::GraphInfo* info = nullptr) {
    v1::PutGraphResponse response;
    grpc::ClientContext context;
    auto writer = stub_->PutGraph(&context, &response);
    for (const v1::PutGraphRequest& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (info != nullptr) *info = response.graph();
    return status;
  }
  static v1::PutGraphRequest Message(const std::string& name, const v1::Graph& part,
                                     const std::vector<std::string>& precompute = {}) {
    v1::PutGraphRequest message;
    message.set_name(name);
    *message.mutable_part() = part;
    for (const std::string& model : precompute) message.add_precompute(model);
    return message;
  }
  v1::GraphInfo Put(const std::string& name, const v1::Graph& graph, const std::vector<std::string>& precompute = {}) {
    v1::GraphInfo info;
    const grpc::Status status = PutParts({Message(name, graph, precompute)}, &info);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return info;
  }
  grpc::Status Update(const std::string& name, const v1::GraphUpdate& update, v1::GraphInfo* info,
                      std::optional<int64_t> expected_version = std::nullopt) {
    v1::UpdateGraphRequest request;
    request.set_name(name);
    if (expected_version) request.set_expected_version(*expected_version);
    *request.mutable_update() = update;
    v1::UpdateGraphResponse response;
    const grpc::Status status = Call(&v1::GraphService::Stub::UpdateGraph, request, &response);
    *info = response.graph();
    return status;
  }
  v1::GraphInfo Updated(const std::string& name, const v1::GraphUpdate& update) {
    v1::GraphInfo info;
    const grpc::Status status = Update(name, update, &info);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return info;
  }
  grpc::Status Delete(const std::string& name, std::optional<int64_t> expected_version = std::nullopt) {
    v1::DeleteGraphRequest request;
    v1::DeleteGraphResponse response;
    request.set_name(name);
    if (expected_version) request.set_expected_version(*expected_version);
    return Call(&v1::GraphService::Stub::DeleteGraph, request, &response);
  }
  // One graph, or all of them.
  grpc::Status Describe(const std::string& name, v1::ListGraphsResponse* response) {
    response->Clear();
    if (name.empty()) return Call(&v1::GraphService::Stub::ListGraphs, v1::ListGraphsRequest(), response);
    v1::GetGraphRequest request;
    request.set_name(name);
    v1::GetGraphResponse one;
    const grpc::Status status = Call(&v1::GraphService::Stub::GetGraph, request, &one);
    if (status.ok()) *response->add_graphs() = one.graph();
    return status;
  }
  v1::GraphInfo Described(const std::string& name) {
    v1::ListGraphsResponse response;
    const grpc::Status status = Describe(name, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.graphs_size() == 1 ? response.graphs(0) : v1::GraphInfo();
  }
  bool HasMetric(const std::string& line) { return HasSample(server_->metrics().Text(), line); }
  void WaitForMetric(const std::string& line) {
    while (!HasMetric(line)) std::this_thread::yield();
  }

  TemporaryDirectory root_;
  ServerOptions options_;
  std::shared_ptr<FakeGraphClassifier> nodes_ = std::make_shared<FakeGraphClassifier>("nodes");
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::GraphService::Stub> stub_;
};

// Inline graphs.

TEST_F(GraphsTest, ClassifiesTheNodesOfAnInlineGraphInItsOrder) {
  Start();
  v1::ClassifyNodesRequest request = Inline(WithIds(SmallGraph(), {70, 10, 40, 20}));
  *request.add_queries()->mutable_graph() = SmallGraph();
  request.mutable_queries(1)->add_nodes(2);
  request.mutable_queries(1)->add_nodes(0);
  const v1::ClassifyNodesResponse response = Classified(request);
  EXPECT_EQ(response.model(), "nodes");
  ASSERT_EQ(response.answers_size(), 2);
  EXPECT_THAT(Ids(response, 0), ElementsAre(70, 10, 40, 20));
  EXPECT_THAT(Classes(response, 0), ElementsAre(0, 1, 2, 0));
  EXPECT_THAT(Ids(response, 1), ElementsAre(2, 0));
  EXPECT_THAT(Classes(response, 1), ElementsAre(2, 0));
  const v1::GraphClassification& classification = response.answers(1).nodes(0).classification();
  EXPECT_EQ(classification.label(), "two");
  EXPECT_EQ(classification.probability(), 0.75f);
  EXPECT_EQ(classification.top_size(), 0);
  EXPECT_EQ(classification.embedding_size(), 0);
  EXPECT_EQ(classification.present_labels_size(), 0);
  EXPECT_FALSE(response.answers(0).has_attention());
  EXPECT_EQ(response.answers(0).source().version(), 0);
  EXPECT_EQ(response.answers(0).source().computed_node_count(), 4);
  EXPECT_EQ(response.answers(0).source().computed_edge_count(), 3);
  EXPECT_TRUE(HasMetric("heed_graph_nodes_total{model=\"nodes\"} 6"));
  EXPECT_TRUE(HasMetric("heed_graph_edges_total{model=\"nodes\"} 5"));
}

TEST_F(GraphsTest, ClassifiesEdgesThatAreAskedAndOtherwiseThoseOfTheGraph) {
  Start();
  v1::ClassifyEdgesRequest request;
  *request.add_queries()->mutable_graph() = WithIds(SmallGraph(), {70, 10, 40, 20});
  *request.add_queries()->mutable_graph() = SmallGraph();
  request.mutable_queries(1)->add_edges()->set_target(3);  // 0 -> 3 is no edge
  v1::ClassifyEdgesResponse response;
  ASSERT_TRUE(Classify(request, &response).ok());
  ASSERT_EQ(response.answers(0).edges_size(), 3);
  EXPECT_EQ(response.answers(0).edges(2).id().source(), 10);
  EXPECT_EQ(response.answers(0).edges(2).id().target(), 40);
  EXPECT_EQ(response.answers(0).edges(2).classification().class_index(), 0);  // 1 + 2, modulo 3
  ASSERT_EQ(response.answers(1).edges_size(), 1);
  EXPECT_EQ(response.answers(1).edges(0).classification().class_index(), 0);
}

TEST_F(GraphsTest, ClassifiesWholeGraphs) {
  Start();
  v1::ClassifyGraphsRequest request;
  *request.add_queries()->mutable_graph() = SmallGraph();
  *request.add_queries()->mutable_graph() = Ring(5);
  v1::ClassifyGraphsResponse response;
  ASSERT_TRUE(Classify(request, &response).ok());
  EXPECT_EQ(response.model(), "graphs");
  EXPECT_EQ(response.answers(0).classification().class_index(), 0);
  EXPECT_EQ(response.answers(1).classification().class_index(), 2);
}

TEST_F(GraphsTest, TopKListsTheLikeliestClassesBestFirst) {
  Start();
  v1::ClassifyNodesRequest request = Inline(SmallGraph());
  request.mutable_queries(0)->add_nodes(2);
  auto top = [&](int k) {
    request.mutable_options()->set_top_k(k);
    std::vector<int> classes;
    const v1::ClassifyNodesResponse response = Classified(request);
    for (const auto& one : response.answers(0).nodes(0).classification().top()) classes.push_back(one.index());
    return classes;
  };
  EXPECT_THAT(top(1), IsEmpty());
  EXPECT_THAT(top(2), ElementsAre(2, 0));
  EXPECT_THAT(top(0), ElementsAre(2, 0, 1));
  EXPECT_THAT(top(99), ElementsAre(2, 0, 1));
}

TEST_F(GraphsTest, EmbeddingsAttentionAndPresentLabelsComeOnRequest) {
  nodes_->set_multi_label(true);
  Start();
  v1::ClassifyNodesRequest request = Inline(WithIds(SmallGraph(), {70, 10, 40, 20}));
  request.mutable_queries(0)->add_nodes(40);
  request.mutable_options()->set_return_embeddings(true);
  request.mutable_options()->set_return_attention(true);
  const v1::ClassifyNodesResponse response = Classified(request);
  const v1::GraphClassification& classification = response.answers(0).nodes(0).classification();
  EXPECT_THAT(classification.present_labels(), ElementsAre(2));
  EXPECT_THAT(classification.embedding(), ElementsAre(2));
  ASSERT_EQ(response.answers(0).attention().layers_size(), 1);
  const v1::GraphAttention::Layer& layer = response.answers(0).attention().layers(0);
  EXPECT_EQ(layer.head_count(), 1);
  EXPECT_THAT(layer.sources(), ElementsAre(10, 70));
  EXPECT_THAT(layer.targets(), ElementsAre(40, 40));
  EXPECT_THAT(layer.self_loops(), ElementsAre(false, false));
  EXPECT_THAT(layer.weights(), ElementsAre(0.5f, 0.5f));
}

TEST_F(GraphsTest, NoQueriesGiveNoAnswers) {
  Start();
  const v1::ClassifyNodesResponse response = Classified({});
  EXPECT_EQ(response.answers_size(), 0);
  EXPECT_EQ(response.model(), "nodes");
}

TEST_F(GraphsTest, EmptyGraphsHaveNoNodesToClassify) {
  Start();
  v1::Graph empty;
  empty.mutable_features()->set_width(2);
  EXPECT_EQ(Classified(Inline(empty)).answers(0).nodes_size(), 0);
}

TEST_F(GraphsTest, BadQueriesAreInvalidAndNameTheirPlace) {
  Start();
  v1::ClassifyNodesRequest request = Inline(SmallGraph());
  auto with = [&](const std::function<void(v1::Graph&)>& change) {
    v1::ClassifyNodesRequest changed = Inline(SmallGraph());
    *changed.add_queries()->mutable_graph() = SmallGraph();
    change(*changed.mutable_queries(1)->mutable_graph());
    return InvalidityOf(changed);
  };
  EXPECT_EQ(with([](v1::Graph& graph) { graph.set_edge_sources(1, 99); }),
            "queries[1].graph: edge 1: source 99, but the graph has 4 nodes");
  EXPECT_EQ(with([](v1::Graph& graph) { graph.add_edge_sources(0); }),
            "queries[1].graph: 4 edges have sources, but 3 have targets");
  EXPECT_EQ(with([](v1::Graph& graph) { graph.mutable_features()->add_values(1); }),
            "queries[1].graph.features: 9 values are no whole rows of width 2");
  EXPECT_EQ(with([](v1::Graph& graph) { graph.mutable_features()->set_width(-2); }),
            "queries[1].graph.features: 8 values are no whole rows of width -2");
  EXPECT_EQ(with([](v1::Graph& graph) { graph.mutable_features()->add_columns(1); }),
            "queries[1].graph.features: 1 columns, but 8 values");
  EXPECT_EQ(with([](v1::Graph& graph) {
              graph.mutable_features()->set_width(4);
              graph.clear_edge_sources();
              graph.clear_edge_targets();
            }),
            "queries[1]: features: width 4, the model's is 2");
  EXPECT_EQ(with([](v1::Graph& graph) {
              graph = WithIds(graph, {1, 2});
            }),
            "queries[1].graph.node_ids: 2 ids, but features have 4 rows");
  EXPECT_EQ(with([](v1::Graph& graph) {
              graph = WithIds(graph, {1, 2, 3, 1});
            }),
            "queries[1].graph.node_ids[3]: 1, which is also node_ids[0]");
  EXPECT_THAT(
      with([](v1::Graph& graph) { graph.mutable_features()->set_values(5, std::numeric_limits<float>::quiet_NaN()); }),
      AllOf(HasSubstr("queries[1].graph: features of node 2, column 1: nan")));
  EXPECT_EQ(with([](v1::Graph& graph) { graph.set_edge_feature_width(3); }),
            "queries[1].graph.edge_features: 0 values, but 3 edges of width 3 need 9");
  request.mutable_queries(0)->add_nodes(17);
  EXPECT_EQ(InvalidityOf(request), "queries[0]: node 17: is not in the graph");
  request.clear_queries();
  request.add_queries();
  EXPECT_EQ(InvalidityOf(request), "queries[0]: has neither a graph nor a stored one");
}

TEST_F(GraphsTest, BadOptionsAreInvalidAndSayWhy) {
  Start();
  v1::ClassifyNodesRequest request = Inline(SmallGraph());
  request.mutable_options()->set_top_k(-1);
  EXPECT_THAT(InvalidityOf(request), HasSubstr("options.top_k: -1"));
  request.mutable_options()->clear_top_k();
  request.mutable_options()->set_fan_out(0);
  EXPECT_THAT(InvalidityOf(request), HasSubstr("options.fan_out: 0"));
}

TEST_F(GraphsTest, ModelsOfAnotherTaskAndUnknownOnesAreRefused) {
  Start();
  v1::ClassifyNodesRequest request = Inline(SmallGraph());
  request.set_model("edges");
  EXPECT_EQ(InvalidityOf(request), "model: \"edges\" is a edge-classifier, not a node-classifier");
  request.set_model("none");
  v1::ClassifyNodesResponse response;
  EXPECT_EQ(MessageOf(Classify(request, &response), StatusCode::NOT_FOUND), "model: there is no \"none\"");
}

TEST_F(GraphsTest, InlineGraphsMayHaveSoManyNodesAndNoMore) {
  options_.max_inline_nodes = 4;
  Start();
  EXPECT_EQ(Classified(Inline(SmallGraph())).answers(0).nodes_size(), 4);
  EXPECT_EQ(InvalidityOf(Inline(Ring(5))), "queries[0].graph: 5 nodes, at most 4");
}

TEST_F(GraphsTest, RequestsMayHaveSoManyQueriesAndNoMore) {
  options_.max_queued_tasks = 2;
  Start();
  v1::ClassifyNodesRequest request = Inline(SmallGraph());
  *request.add_queries() = request.queries(0);
  EXPECT_EQ(Classified(request).answers_size(), 2);
  request.add_queries();  // none of them is looked at: this one has no graph
  EXPECT_EQ(InvalidityOf(request), "queries: 3, at most 2");
}

TEST_F(GraphsTest, GraphsOfARequestMayTakeSoMuchMemoryAndNoMore) {
  Start();
  const int64_t bytes = Put("g", Ring(1000)).resident_bytes();
  options_.max_cache_bytes = 3 * bytes - 1;
  Start();
  v1::ClassifyNodesRequest request;
  for (int i = 0; i < 4; ++i) {
    *request.add_queries()->mutable_graph() = Ring(1000);
    request.mutable_queries(i)->add_nodes(0);
  }
  grpc::ClientContext context;
  v1::ClassifyNodesResponse response;
  EXPECT_EQ(MessageOf(stub_->ClassifyNodes(&context, request, &response), StatusCode::RESOURCE_EXHAUSTED),
            absl::StrCat("queries[2].graph: the request's graphs up to this one take ", 3 * bytes,
                         " bytes, at most --max_cache_bytes=", 3 * bytes - 1));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 0u) << "trying again will not help";
  request.mutable_queries()->DeleteSubrange(2, 2);
  EXPECT_EQ(Classified(request).answers_size(), 2);

  Put("g", Ring(1000));
  auto with_unseen = [&](int queries) {
    v1::ClassifyNodesRequest stored;
    for (int i = 0; i < queries; ++i) {
      *stored.add_queries() = Stored("g").queries(0);
      *stored.mutable_queries(i)->mutable_stored()->mutable_unseen() = AddNode(5000);
      stored.mutable_queries(i)->add_nodes(5000);
    }
    return Classify(stored, &response);
  };
  EXPECT_TRUE(with_unseen(8).ok()) << "they share what they leave alone";
  EXPECT_THAT(MessageOf(with_unseen(1000), StatusCode::RESOURCE_EXHAUSTED),
              AllOf(HasSubstr(".stored.unseen: the request's graphs"), HasSubstr(absl::StrCat("=", 3 * bytes - 1))));
  options_.max_cache_bytes = 1;
  Start();
  EXPECT_EQ(Classified(Inline(Ring(1000))).answers_size(), 1) << "one alone is bounded by its nodes";
}

// Stored graphs.

TEST_F(GraphsTest, StoredGraphIsDescribedAskedAndDeleted) {
  Start();
  const v1::GraphInfo info = Put("club", WithIds(SmallGraph(), {70, 10, 40, 20}));
  EXPECT_EQ(info.name(), "club");
  EXPECT_EQ(info.version(), 1);
  EXPECT_EQ(info.node_count(), 4);
  EXPECT_EQ(info.edge_count(), 3);
  EXPECT_EQ(info.feature_width(), 2);
  EXPECT_EQ(info.edge_feature_width(), 0);
  EXPECT_GT(info.resident_bytes(), 0);
  EXPECT_EQ(info.saved_version(), 0);
  EXPECT_EQ(info.precomputed_size(), 0);
  EXPECT_EQ(Described("club").SerializeAsString(), info.SerializeAsString());
  Put("another", SmallGraph());
  v1::ListGraphsResponse all;
  ASSERT_TRUE(Describe("", &all).ok());
  ASSERT_EQ(all.graphs_size(), 2);
  EXPECT_EQ(all.graphs(0).name(), "another");
  EXPECT_TRUE(HasMetric("heed_stored_graphs 2"));

  const v1::ClassifyNodesResponse response = Classified(Stored("club"));
  EXPECT_THAT(Ids(response), ElementsAre(10, 20, 40, 70));
  EXPECT_THAT(Classes(response), ElementsAre(1, 0, 2, 0));
  EXPECT_EQ(response.answers(0).source().version(), 1);
  EXPECT_FALSE(response.answers(0).source().precomputed());
  v1::ClassifyEdgesRequest edges;
  edges.add_queries()->mutable_stored()->set_name("club");
  v1::ClassifyEdgesResponse edge_response;
  ASSERT_TRUE(Classify(edges, &edge_response).ok());
  ASSERT_EQ(edge_response.answers(0).edges_size(), 3);
  EXPECT_EQ(edge_response.answers(0).edges(0).id().source(), 10);
  v1::ClassifyGraphsRequest graphs;
  graphs.add_queries()->mutable_stored()->set_name("club");
  v1::ClassifyGraphsResponse graph_response;
  ASSERT_TRUE(Classify(graphs, &graph_response).ok());
  EXPECT_EQ(graph_response.answers(0).source().version(), 1);

  ASSERT_TRUE(Delete("club").ok());
  EXPECT_EQ(MessageOf(Delete("club"), StatusCode::NOT_FOUND), "there is no stored graph \"club\"");
  v1::ClassifyNodesResponse none;
  EXPECT_EQ(MessageOf(Classify(Stored("club"), &none), StatusCode::NOT_FOUND),
            "queries[0].stored: there is no stored graph \"club\"");
  v1::GraphInfo no_info;
  EXPECT_EQ(Update("club", AddEdge(10, 20), &no_info).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Describe("club", &all).error_code(), StatusCode::NOT_FOUND);
  EXPECT_TRUE(HasMetric("heed_stored_graphs 1"));
}

TEST_F(GraphsTest, PutTakesAGraphInParts) {
  Start();
  v1::Graph edges, nodes, more_nodes;
  edges.add_edge_sources(2);
  edges.add_edge_targets(0);
  for (v1::Graph* part : {&nodes, &more_nodes}) {
    part->mutable_features()->set_width(2);
    for (int i = 0; i < 4; ++i) part->mutable_features()->add_values(1);
  }
  v1::GraphInfo info;
  const grpc::Status status = PutParts({Message("g", edges), Message("", nodes), Message("", more_nodes)}, &info);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(info.node_count(), 4);
  EXPECT_EQ(info.edge_count(), 1);
  EXPECT_THAT(Classes(Classified(Stored("g"))), ElementsAre(1, 0, 0, 0));
}

TEST_F(GraphsTest, BadPutsAreRefusedAndStoreNothing) {
  options_.max_graph_nodes = 6;
  Start();
  auto refusal = [&](const std::vector<v1::PutGraphRequest>& messages, StatusCode code = StatusCode::INVALID_ARGUMENT) {
    return MessageOf(PutParts(messages), code);
  };
  EXPECT_THAT(refusal({}), HasSubstr("the stream holds no message"));
  EXPECT_EQ(refusal({Message("", SmallGraph())}), "name: \"\" is empty");
  EXPECT_EQ(refusal({Message(".hidden", SmallGraph())}), "name: \".hidden\" starts with '.'");
  EXPECT_THAT(refusal({Message("a/b", SmallGraph())}), HasSubstr("no letter, digit"));
  EXPECT_THAT(refusal({Message(std::string(129, 'a'), SmallGraph())}), HasSubstr("has 129 bytes, at most 128"));
  EXPECT_THAT(refusal({Message("g", SmallGraph()), Message("g", SmallGraph())}),
              HasSubstr("message 1: name: is set, which only the first message may do"));
  v1::Graph wide = SmallGraph();
  wide.mutable_features()->set_width(4);
  EXPECT_EQ(refusal({Message("g", SmallGraph()), Message("", wide)}),
            "message 1: part.features: width 4, but that of the parts before it is 2");
  EXPECT_EQ(refusal({Message("g", SmallGraph()), Message("", WithIds(SmallGraph(), {4, 5, 6, 7}))}),
            "message 1: part.node_ids: 4 for 4 nodes, but the parts before it have 0 for 4");
  v1::Graph featured = SmallGraph();
  featured.set_edge_feature_width(1);
  for (int i = 0; i < 3; ++i) featured.add_edge_features(1);
  EXPECT_EQ(refusal({Message("g", SmallGraph()), Message("", featured)}),
            "message 1: part.edge_feature_width: 1, but that of the parts before it is 0");
  EXPECT_EQ(refusal({Message("g", SmallGraph()), Message("", SmallGraph())}),
            "message 1: part: makes 8 nodes, at most 6");
  v1::Graph dangling = SmallGraph();
  dangling.set_edge_targets(2, 4);
  EXPECT_EQ(refusal({Message("g", dangling)}), "part: edge 2: target 4, but the graph has 4 nodes");
  EXPECT_EQ(refusal({Message("g", SmallGraph(), {"nodes", "none"})}, StatusCode::NOT_FOUND),
            "precompute[1]: model: there is no \"none\"");
  EXPECT_EQ(refusal({Message("g", SmallGraph(), {"words"})}),
            "precompute[0]: model: \"words\" is a translator, which computes nothing for graphs");
  EXPECT_EQ(refusal({Message("g", SmallGraph(), {"nodes", "nodes"})}), "precompute[1]: \"nodes\" is named twice");
  wide.clear_edge_sources();
  wide.clear_edge_targets();
  EXPECT_EQ(refusal({Message("g", wide, {"nodes"})}), "precomputing \"nodes\": features: width 4, the model's is 2");
  nodes_->set_precompute_error(absl::InternalError("the fake was told to fail"));
  EXPECT_EQ(refusal({Message("g", SmallGraph(), {"nodes"})}, StatusCode::INTERNAL),
            "precomputing \"nodes\": the fake was told to fail");
  v1::ListGraphsResponse all;
  ASSERT_TRUE(Describe("", &all).ok());
  EXPECT_EQ(all.graphs_size(), 0);
  EXPECT_TRUE(HasMetric("heed_stored_graph_bytes 0"));
}

TEST_F(GraphsTest, PutThatIsCutOffStoresNothing) {
  Start();
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    v1::PutGraphResponse response;
    auto writer = stub_->PutGraph(&context, &response);
    ASSERT_TRUE(writer->Write(Message("g", SmallGraph())));
    WaitForMetric("heed_requests_in_flight{method=\"heed.v1.GraphService/PutGraph\"} 1");
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), StatusCode::CANCELLED);
    WaitForMetric("heed_requests_in_flight{method=\"heed.v1.GraphService/PutGraph\"} 0");
    v1::ListGraphsResponse all;
    ASSERT_TRUE(Describe("", &all).ok());
    ASSERT_EQ(all.graphs_size(), 0) << "after " << i;
  }
}

TEST_F(GraphsTest, UpdatesMakeVersions) {
  Start();
  Put("g", SmallGraph());
  v1::GraphInfo info;
  ASSERT_TRUE(Update("g", AddEdge(3, 0), &info, /*expected_version=*/1).ok());
  EXPECT_EQ(info.version(), 2);
  EXPECT_EQ(info.edge_count(), 4);
  EXPECT_EQ(MessageOf(Update("g", AddEdge(3, 0), &info, /*expected_version=*/1), StatusCode::ABORTED),
            "version: 1 is expected, but \"g\" has version 2");
  v1::ClassifyNodesResponse response;
  EXPECT_EQ(MessageOf(Classify(Stored("g", 1), &response), StatusCode::ABORTED),
            "queries[0].stored: version: 1 is expected, but \"g\" has version 2");
  EXPECT_EQ(MessageOf(Delete("g", /*expected_version=*/1), StatusCode::ABORTED),
            "version: 1 is expected, but \"g\" has version 2");
  EXPECT_THAT(Classes(Classified(Stored("g", 2))), ElementsAre(1, 1, 2, 0));
  EXPECT_EQ(Put("g", SmallGraph()).version(), 3);
  EXPECT_THAT(Classes(Classified(Stored("g"))), ElementsAre(0, 1, 2, 0));
  ASSERT_TRUE(Delete("g").ok());
  EXPECT_EQ(Put("g", SmallGraph()).version(), 1);
  EXPECT_TRUE(HasMetric("heed_graph_updates_total{change=\"put\"} 3"));
  EXPECT_TRUE(HasMetric("heed_graph_updates_total{change=\"update\"} 1"));
  EXPECT_TRUE(HasMetric("heed_graph_updates_total{change=\"delete\"} 1"));
}

TEST_F(GraphsTest, UpdateIsAllOrNothing) {
  options_.max_graph_nodes = 5;
  Start();
  const v1::GraphInfo before = Put("g", SmallGraph(), {"nodes"});
  v1::GraphInfo info;
  auto refusal = [&](const v1::GraphUpdate& update, StatusCode code = StatusCode::INVALID_ARGUMENT) {
    return MessageOf(Update("g", update, &info), code);
  };
  v1::GraphUpdate update = AddEdge(3, 0);
  *update.add_add_edges() = AddEdge(3, 9).add_edges(0);
  EXPECT_EQ(refusal(update), "update.add_edges[1]: there is no node 9");
  update = AddNode(7);
  update.mutable_add_features()->add_values(1);
  EXPECT_EQ(refusal(update), "update.add_features: 3 values are no whole rows of width 2");
  update = AddNode(7);
  update.add_add_nodes(8);
  EXPECT_THAT(refusal(update), AllOf(HasSubstr("add_features"), HasSubstr("1"), HasSubstr("2")));
  update = AddNode(7);
  update.MergeFrom(AddNode(8));
  EXPECT_EQ(refusal(update), "update: 6 nodes, at most 5");
  nodes_->set_precompute_error(absl::InternalError("the fake was told to fail"));
  EXPECT_EQ(refusal(AddEdge(3, 0), StatusCode::INTERNAL), "precomputing \"nodes\": the fake was told to fail");
  EXPECT_EQ(Described("g").SerializeAsString(), before.SerializeAsString());
  EXPECT_THAT(Classes(Classified(Stored("g"))), ElementsAre(0, 1, 2, 0));
}

TEST_F(GraphsTest, ModelThatNeedsTheWholeGraphRefusesUpdatesOfWhatItPrecomputed) {
  nodes_->set_needs_whole_graph(true);
  Start();
  Put("g", SmallGraph(), {"nodes"});
  v1::GraphInfo info;
  EXPECT_EQ(MessageOf(Update("g", AddEdge(3, 0), &info), StatusCode::INVALID_ARGUMENT),
            "precomputing \"nodes\": the model needs all nodes");
  EXPECT_EQ(Described("g").version(), 1);
}

TEST_F(GraphsTest, PrecomputedOutputsAreReadUntilAQueryNeedsMore) {
  Start();
  const v1::GraphInfo info = Put("g", SmallGraph(), {"nodes", "edges"});
  ASSERT_EQ(info.precomputed_size(), 2);
  EXPECT_EQ(info.precomputed(0).model(), "nodes");
  EXPECT_EQ(info.precomputed(0).computed_row_count(), 4);
  EXPECT_EQ(info.precomputed(0).resident_bytes(), 32);
  EXPECT_EQ(info.precomputed(0).unavailable(), "");
  EXPECT_EQ(Put("h", SmallGraph()).resident_bytes() + 64, info.resident_bytes());
  EXPECT_TRUE(HasMetric(absl::StrCat("heed_stored_graph_bytes ", 2 * info.resident_bytes() - 64)));
  EXPECT_TRUE(HasMetric("heed_graph_precompute_seconds_count{model=\"edges\"} 1"));

  auto precomputed = [&](const v1::ClassifyNodesRequest& request) {
    return Classified(request).answers(0).source().precomputed();
  };
  v1::ClassifyNodesRequest request = Stored("g");
  EXPECT_TRUE(precomputed(request));
  EXPECT_EQ(Classified(request).answers(0).source().computed_node_count(), 0);
  request.mutable_options()->set_compute(true);
  EXPECT_FALSE(precomputed(request));
  request = Stored("g");
  request.mutable_options()->set_fan_out(1);
  EXPECT_FALSE(precomputed(request));
  request = Stored("g");
  request.mutable_options()->set_return_attention(true);
  EXPECT_FALSE(precomputed(request));
  request = Stored("g");
  *request.mutable_queries(0)->mutable_stored()->mutable_unseen() = AddEdge(3, 0);
  EXPECT_FALSE(precomputed(request));
  EXPECT_FALSE(precomputed(Stored("h")));

  const v1::GraphInfo updated = Updated("g", AddEdge(3, 0));
  EXPECT_EQ(updated.precomputed(0).computed_row_count(), 1);
  const v1::ClassifyNodesResponse response = Classified(Stored("g"));
  EXPECT_TRUE(response.answers(0).source().precomputed());
  EXPECT_THAT(Classes(response), ElementsAre(1, 1, 2, 0));
}

TEST_F(GraphsTest, UnseenNodesAreSeenByTheirQueryAlone) {
  Start();
  Put("g", SmallGraph());
  v1::ClassifyNodesRequest request = Stored("g");
  v1::GraphUpdate& unseen = *request.mutable_queries(0)->mutable_stored()->mutable_unseen();
  unseen = AddNode(50);
  unseen.MergeFrom(AddEdge(0, 50));
  request.mutable_queries(0)->add_nodes(50);
  EXPECT_THAT(Classes(Classified(request)), ElementsAre(1));
  EXPECT_EQ(Described("g").version(), 1);
  EXPECT_EQ(Described("g").node_count(), 4);
  v1::ClassifyNodesResponse response;
  unseen.add_remove_nodes(99);
  EXPECT_EQ(MessageOf(Classify(request, &response), StatusCode::INVALID_ARGUMENT),
            "queries[0].stored.unseen.remove_nodes[0]: there is no node 99");
  unseen.clear_remove_nodes();
  unseen.mutable_add_features()->add_values(1);
  EXPECT_THAT(InvalidityOf(request), HasSubstr("queries[0].stored.unseen.add_features"));
}

TEST_F(GraphsTest, UnseenFeaturesWithoutTheirNodesOrEdgesAreRefusedAsInUpdates) {
  Start();
  Put("g", SmallGraph(), {"nodes"});
  auto expect_refused = [&](const v1::GraphUpdate& update) {
    v1::GraphInfo info;
    const std::string reason = MessageOf(Update("g", update, &info), StatusCode::INVALID_ARGUMENT);
    v1::ClassifyNodesRequest request = Stored("g");
    *request.mutable_queries(0)->mutable_stored()->mutable_unseen() = update;
    EXPECT_EQ(InvalidityOf(request), "queries[0].stored.unseen" + reason.substr(sizeof("update") - 1));
  };
  const v1::NodeFeatures features = AddNode(7).add_features();
  v1::GraphUpdate update;
  *update.mutable_add_features() = features;
  expect_refused(update);
  update.Clear();
  *update.mutable_change_features() = features;
  expect_refused(update);
  update.Clear();
  update.add_add_edge_features(1);
  expect_refused(update);
  update.Clear();
  update.mutable_add_features()->set_width(2);  // says nothing
  v1::ClassifyNodesRequest request = Stored("g");
  *request.mutable_queries(0)->mutable_stored()->mutable_unseen() = update;
  EXPECT_TRUE(Classified(request).answers(0).source().precomputed());
}

TEST_F(GraphsTest, LongNamesAreNotRepeatedInMessages) {
  Start();
  const std::string name(20'000, 'a');
  const std::string reason = absl::StrCat("there is no stored graph \"", std::string(128, 'a'), "...\"");
  v1::ClassifyNodesResponse response;
  EXPECT_EQ(MessageOf(Classify(Stored(name), &response), StatusCode::NOT_FOUND), "queries[0].stored: " + reason);
  v1::ListGraphsResponse all;
  EXPECT_EQ(MessageOf(Describe(name, &all), StatusCode::NOT_FOUND), reason);
  v1::GraphInfo info;
  EXPECT_EQ(MessageOf(Update(name, AddEdge(3, 0), &info), StatusCode::NOT_FOUND), reason);
  EXPECT_EQ(MessageOf(Delete(name), StatusCode::NOT_FOUND), reason);
  EXPECT_EQ(MessageOf(PutParts({Message(name, SmallGraph())}), StatusCode::INVALID_ARGUMENT),
            absl::StrCat("name: \"", std::string(128, 'a'), "...\" has 20000 bytes, at most 128"));
  v1::ClassifyNodesRequest request = Inline(SmallGraph());
  request.set_model(name);
  EXPECT_EQ(MessageOf(Classify(request, &response), StatusCode::NOT_FOUND),
            absl::StrCat("model: there is no \"", std::string(128, 'a'), "...\""));
}

TEST_F(GraphsTest, QueriesKeepTheVersionTheyBeganWith) {
  Start();
  Put("g", SmallGraph());
  nodes_->Hold();
  v1::ClassifyNodesResponse response;
  grpc::Status status;
  std::thread query([&] { status = Classify(Stored("g"), &response); });
  nodes_->WaitUntilHeld();
  EXPECT_EQ(Put("g", Ring(7)).version(), 2);
  EXPECT_EQ(Updated("g", AddEdge(3, 0)).version(), 3);
  EXPECT_TRUE(Delete("g").ok());
  nodes_->Release();
  query.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.answers(0).source().version(), 1);
  EXPECT_THAT(Classes(response), ElementsAre(0, 1, 2, 0));
}

TEST_F(GraphsTest, MemoryLimitRefusesWhatExceedsItAndLosesNothing) {
  Start();
  const int64_t ring = Put("g", Ring(1000), {"nodes"}).resident_bytes();
  const int64_t updated = Updated("g", AddNode(5000)).resident_bytes();
  ASSERT_GT(updated, ring);
  options_.max_graph_bytes = ring - 1;
  Start();
  auto refusal = [&](const std::string& name) {
    return MessageOf(PutParts({Message(name, Ring(1000), {"nodes"})}), StatusCode::RESOURCE_EXHAUSTED);
  };
  EXPECT_THAT(refusal("g"), AllOf(HasSubstr("stored graphs take "), HasSubstr(" more would exceed --max_graph_bytes="),
                                  HasSubstr(absl::StrCat(ring - 1))));
  options_.max_graph_bytes = updated - 1;
  Start();
  EXPECT_EQ(Put("g", Ring(1000), {"nodes"}).resident_bytes(), ring);
  v1::GraphInfo info;
  EXPECT_EQ(MessageOf(Update("g", AddNode(5000), &info), StatusCode::RESOURCE_EXHAUSTED),
            absl::StrCat("stored graphs take ", ring, " bytes; ", updated - ring,
                         " more would exceed --max_graph_bytes=", updated - 1));
  // What replaces a graph takes its room beside it; in arriving, too.
  EXPECT_THAT(refusal("g"), HasSubstr(absl::StrCat("--max_graph_bytes=", updated - 1)));
  EXPECT_EQ(Described("g").version(), 1);
  EXPECT_TRUE(HasMetric(absl::StrCat("heed_stored_graph_bytes ", ring)));
  ASSERT_TRUE(Delete("g").ok());
  EXPECT_EQ(Put("h", Ring(1000), {"nodes"}).resident_bytes(), ring) << "room that was refused or deleted is free again";
}

TEST_F(GraphsTest, PartsCountWhileTheyArrive) {
  options_.max_graph_bytes = 100'000;
  Start();
  grpc::ClientContext context;
  v1::PutGraphResponse response;
  auto writer = stub_->PutGraph(&context, &response);
  v1::PutGraphRequest message = Message("g", Ring(100));
  while (writer->Write(message)) message.clear_name();  // it is refused long before its end
  EXPECT_THAT(MessageOf(writer->Finish(), StatusCode::RESOURCE_EXHAUSTED), HasSubstr("--max_graph_bytes=100000"));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 0u) << "trying again will not help";
}

// Files.

TEST_F(GraphsTest, RestartFindsTheGraphsAgain) {
  KeepFiles();
  Start();
  EXPECT_EQ(Put("club", WithIds(SmallGraph(), {70, 10, 40, 20}), {"nodes"}).saved_version(), 1);
  Put("gone", SmallGraph());
  EXPECT_EQ(Updated("club", AddEdge(20, 70)).saved_version(), 1);
  ASSERT_TRUE(Delete("gone").ok());
  EXPECT_FALSE(std::filesystem::exists(root_.path() / FileOf("gone")));
  Start();  // the one before writes what is not saved
  const v1::GraphInfo info = Described("club");
  EXPECT_EQ(info.version(), 2);
  EXPECT_EQ(info.saved_version(), 2);
  ASSERT_EQ(info.precomputed_size(), 1);
  EXPECT_EQ(info.precomputed(0).computed_row_count(), 4);
  const v1::ClassifyNodesResponse response = Classified(Stored("club"));
  EXPECT_TRUE(response.answers(0).source().precomputed());
  EXPECT_THAT(Ids(response), ElementsAre(10, 20, 40, 70));
  EXPECT_THAT(Classes(response), ElementsAre(1, 0, 2, 1));
  v1::ListGraphsResponse all;
  ASSERT_TRUE(Describe("", &all).ok());
  EXPECT_EQ(all.graphs_size(), 1);
}

TEST_F(GraphsTest, UpdatesAreWrittenInTheBackground) {
  KeepFiles();
  options_.graph_save_interval_s = 0;
  Start();
  Put("g", SmallGraph());
  Updated("g", AddEdge(3, 0));
  WaitForMetric("heed_graph_saves_total{outcome=\"ok\"} 2");
  while (Described("g").saved_version() < 2) std::this_thread::yield();
  const auto file = ReadGraphFile(root_.File(FileOf("g")));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata.at("version"), "2");
  EXPECT_EQ(file->graphs.front().sources.size(), 4u);
}

TEST_F(GraphsTest, DiskThatFailsRefusesPutsAndLetsUpdatesWait) {
  KeepFiles();
  options_.graph_save_interval_s = 0;
  Start();
  Put("g", SmallGraph());
  const std::filesystem::path obstacle = root_.path() / (FileOf("g") + ".partial");  // where writers begin
  std::filesystem::create_directory(obstacle);
  EXPECT_THAT(MessageOf(PutParts({Message("g", Ring(7))}), StatusCode::UNAVAILABLE),
              HasSubstr("\"g\" is not stored, its file could not be written: "));
  EXPECT_EQ(Described("g").node_count(), 4);
  EXPECT_EQ(Described("g").version(), 1);
  EXPECT_EQ(Updated("g", AddEdge(3, 0)).version(), 2);
  WaitForMetric("heed_graph_saves_total{outcome=\"failed\"} 2");
  EXPECT_EQ(Described("g").saved_version(), 1);
  EXPECT_THAT(Classes(Classified(Stored("g", 2))), ElementsAre(1, 1, 2, 0));
  std::filesystem::remove(obstacle);
  while (Described("g").saved_version() < 2) std::this_thread::yield();
}

TEST_F(GraphsTest, DamagedFileIsNamedAndLeftAlone) {
  KeepFiles();
  Start();
  Put("good", SmallGraph());
  Put("bad", SmallGraph());
  server_.reset();
  const std::string damaged = root_.Read(FileOf("bad")).substr(0, 100);
  root_.Write(FileOf("bad"), damaged);
  root_.Write(FileOf("several"), "");
  ASSERT_TRUE(WriteGraphFile(root_.File(FileOf("numberless")), GraphArrays(), {{"version", "x"}}).ok());
  root_.Write(FileOf("bad") + ".partial", "half of a fi");
  root_.Write(FileOf("not a name"), "");
  Start();
  EXPECT_FALSE(std::filesystem::exists(root_.path() / (FileOf("bad") + ".partial")));
  v1::ClassifyNodesResponse response;
  const std::string reason = MessageOf(Classify(Stored("bad"), &response), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(reason, AllOf(HasSubstr("queries[0].stored: \"bad\" could not be read: "), HasSubstr("bad.safetensors")));
  v1::GraphInfo info;
  EXPECT_EQ(Update("bad", AddEdge(3, 0), &info).error_code(), StatusCode::FAILED_PRECONDITION);
  v1::ListGraphsResponse all;
  EXPECT_EQ(Describe("bad", &all).error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(MessageOf(Describe("numberless", &all), StatusCode::FAILED_PRECONDITION), HasSubstr("version is \"x\""));
  ASSERT_TRUE(Describe("", &all).ok());
  ASSERT_EQ(all.graphs_size(), 4);
  EXPECT_EQ(all.graphs(0).name(), "bad");
  EXPECT_THAT(all.graphs(0).unavailable(), HasSubstr("could not be read"));
  EXPECT_EQ(all.graphs(1).unavailable(), "");
  EXPECT_EQ(root_.Read(FileOf("bad")), damaged);
  EXPECT_EQ(Described("good").version(), 1);
  EXPECT_EQ(Put("bad", SmallGraph()).version(), 1);
  EXPECT_TRUE(Classify(Stored("bad"), &response).ok());
  EXPECT_TRUE(Delete("several").ok());
  EXPECT_FALSE(std::filesystem::exists(root_.path() / FileOf("several")));
}

TEST_F(GraphsTest, GraphThatDoesNotFitIntoMemoryIsNamed) {
  KeepFiles();
  Start();
  const int64_t bytes = Put("g", SmallGraph()).resident_bytes();
  options_.max_graph_bytes = bytes - 1;
  Start();
  v1::ListGraphsResponse all;
  EXPECT_THAT(MessageOf(Describe("g", &all), StatusCode::FAILED_PRECONDITION),
              HasSubstr(absl::StrCat("--max_graph_bytes=", bytes - 1)));
  options_.max_graph_bytes = bytes;
  Start();
  EXPECT_EQ(Described("g").node_count(), 4);
}

TEST_F(GraphsTest, GraphIsServedWithoutTheModelThatIsMissing) {
  KeepFiles();
  Start();
  Put("g", SmallGraph(), {"nodes", "edges"});
  nodes_ = nullptr;
  Start();
  v1::GraphInfo info = Described("g");
  ASSERT_EQ(info.precomputed_size(), 2);
  EXPECT_EQ(info.precomputed(0).model(), "nodes");
  EXPECT_THAT(info.precomputed(0).unavailable(), HasSubstr("failed to load: config.json: is broken"));
  EXPECT_EQ(info.precomputed(1).unavailable(), "");
  info = Updated("g", AddEdge(3, 0));
  EXPECT_EQ(info.precomputed(1).computed_row_count(), 1);
  nodes_ = std::make_shared<FakeGraphClassifier>("nodes");
  Start();
  info = Described("g");
  EXPECT_EQ(info.version(), 2);
  EXPECT_EQ(info.precomputed(0).unavailable(), "");
  EXPECT_TRUE(Classified(Stored("g")).answers(0).source().precomputed());
}

TEST_F(GraphsTest, StoredGraphsAreUnavailableWhileTheyLoad) {
  KeepFiles();
  Start();
  Put("g", SmallGraph(), {"nodes"});
  server_.reset();
  nodes_->Hold();
  Start(/*wait_until_loaded=*/false);
  nodes_->WaitUntilHeld();
  v1::ClassifyNodesResponse response;
  EXPECT_EQ(MessageOf(Classify(Stored("g"), &response), StatusCode::UNAVAILABLE),
            "queries[0].stored: the stored graphs are loading");
  EXPECT_EQ(PutParts({Message("h", SmallGraph())}).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(Delete("g").error_code(), StatusCode::UNAVAILABLE);
  v1::ListGraphsResponse all;
  EXPECT_EQ(Describe("", &all).error_code(), StatusCode::UNAVAILABLE);
  nodes_->Release();
  server_->WaitUntilLoaded();
  EXPECT_TRUE(Classify(Stored("g"), &response).ok());
}

TEST_F(GraphsTest, OneServerAtATimeHasADirectory) {
  KeepFiles();
  Start();
  auto load = [this](const std::string& path, const std::string&, Precision) { return Load(path); };
  const auto second = Server::Start(options_, load);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr("--graphs="), HasSubstr("another server uses it")));
  options_.graphs = root_.File("none/of/these");
  const auto missing = Server::Start(options_, load);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("No such file or directory"));
  root_.Write("file", "");
  options_.graphs = root_.File("file");
  EXPECT_THAT(std::string(Server::Start(options_, load).status().message()), HasSubstr("Not a directory"));
}

// Life and death.

TEST_F(GraphsTest, ShutdownCarriesOutWhatWasAcceptedAndRefusesTheRest) {
  KeepFiles();
  Start();
  Put("g", SmallGraph(), {"nodes"});
  nodes_->Hold();
  v1::GraphInfo info;
  grpc::Status status;
  std::thread update([&] { status = Update("g", AddEdge(3, 0), &info); });
  nodes_->WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  WaitForMetric("heed_graph_updates_total{change=\"put\"} 1");
  std::vector<std::thread> others;
  v1::GraphInfo ignored[1000];
  while (!HasMetric("reason=\"draining\"}") && others.size() < 1000) {
    others.emplace_back(
        [this, to = &ignored[others.size()]] { Update("g", AddEdge(2, 0), to, /*expected_version=*/77); });
    std::this_thread::yield();
  }
  nodes_->Release();
  update.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  for (std::thread& other : others) other.join();
  shutdown.join();
  Start();
  EXPECT_EQ(Described("g").version(), 2);
  EXPECT_EQ(Described("g").edge_count(), 4);
}

TEST_F(GraphsTest, ShutdownCutsOffAChangeThatOutlastsItsLimit) {
  options_.drain_timeout_s = 0;
  Start();
  Put("g", SmallGraph(), {"nodes"});
  nodes_->Hold();
  v1::GraphInfo info;
  grpc::Status status;
  std::thread update([&] { status = Update("g", AddEdge(3, 0), &info); });
  nodes_->WaitUntilHeld();
  std::thread shutdown([this] { server_->Shutdown(); });
  while (!HasMetric("reason=\"draining\"}")) {
    v1::ClassifyEdgesRequest request;
    *request.add_queries()->mutable_graph() = SmallGraph();
    v1::ClassifyEdgesResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));  // the executor is held
    stub_->ClassifyEdges(&context, request, &response);
  }
  nodes_->Release();
  update.join();
  shutdown.join();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
}

TEST_F(GraphsTest, QueriesUpdatesPutsAndDeletesGoOnTogether) {
  KeepFiles();
  options_.graph_save_interval_s = 0;
  options_.executors = 1;
  Start();
  constexpr int kRing = 300;  // more than a page
  Put("g", Ring(kRing), {"nodes"});
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      while (!stop) {
        v1::ClassifyNodesRequest request = Stored("g");
        request.mutable_options()->set_compute(t == 1);
        if (t == 2) *request.mutable_queries(0)->mutable_stored()->mutable_unseen() = AddNode(-1);
        v1::ClassifyNodesResponse response;
        const grpc::Status status = Classify(request, &response);
        if (!status.ok()) {
          EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND) << status.error_message();
          continue;
        }
        // A ring, then one edge more to node 0 with each version: every answer is one version's, whole.
        const v1::ClassifyNodesResponse::Answer& answer = response.answers(0);
        const int first = t == 2 ? 1 : 0;
        EXPECT_EQ(answer.nodes_size(), kRing + first);
        EXPECT_EQ(answer.source().precomputed(), t == 0);
        EXPECT_EQ(answer.nodes(first).classification().class_index(), answer.source().version() % 3);
        EXPECT_EQ(answer.nodes(first + 1).classification().class_index(), 1);
        ++answered;
      }
    });
  }
  int version = 1;
  for (int round = 0; round < 60 || answered < 60; ++round) {
    EXPECT_EQ(Updated("g", AddEdge(1 + round % 5, 0)).version(), ++version);
    if (round % 20 == 19) {
      ASSERT_TRUE(Delete("g").ok());
      Put("other", Ring(5), {"nodes", "edges"});
      EXPECT_EQ(Put("g", Ring(kRing), {"nodes"}).version(), 1);
      version = 1;
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace heed
