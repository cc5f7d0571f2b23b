// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol over gRPC: every method, every kind of model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/create_channel.h"
#include "heed/v1/graphs.grpc.pb.h"
#include "inference.grpc.pb.h"
#include "models/architectures.h"
#include "server/server.h"
#include "tests/support/fake_question_answerer.h"
#include "tests/support/fake_sequence_model.h"
#include "tests/support/fake_translator.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Texts(const std::string& name, const std::vector<std::string>& texts) {
  std::string contents;
  for (const std::string& text : texts) absl::StrAppend(&contents, " bytes_contents: '", text, "'");
  return absl::StrCat("inputs { name: '", name, "' datatype: 'BYTES' shape: ", texts.size(), " contents {", contents,
                      "} }");
}
std::string Zeros(const std::string& name, int rows, int width) {
  std::string contents;
  for (int i = 0; i < rows * width; ++i) absl::StrAppend(&contents, " fp32_contents: ", (i * 7 % 5) / 4.0);
  return absl::StrCat("inputs { name: '", name, "' datatype: 'FP32' shape: [", rows, ", ", width, "] contents {",
                      contents, "} }");
}

// Fakes "tr", "qa" and "sequences"; real graph models of the fixtures: "nodes", "edges" and "graphs", "weighted" with
// edge weights and "attributed" with edge features; "broken" fails.
class InferenceTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"tr", "qa", "sequences", "nodes", "edges", "graphs", "weighted", "attributed", "broken"}) {
      std::filesystem::create_directories(root_.path() / name);
      root_.Write(absl::StrCat(name, "/config.json"), "{}");
    }
    ServerOptions options;
    options.models = root_.path().string();
    options.listen = "127.0.0.1:0";
    options.metrics_listen = "";
    options.management = true;
    options.threads = 1;
    options.max_inline_nodes = 100;
    auto server = Server::Start(
        options,
        [this](const std::string&, const std::string& name, Precision) -> absl::StatusOr<std::shared_ptr<const Model>> {
          static const auto& fixtures =
              *new std::map<std::string, std::string>{{"nodes", "pyg-gat"},
                                                      {"edges", "pyg-edge-dot"},
                                                      {"graphs", "pyg-pool-mean"},
                                                      {"weighted", "pyg-gcn-edge-weights"},
                                                      {"attributed", "pyg-gatv2-edge-features-mean"}};
          if (name == "broken") return absl::InvalidArgumentError("config.json: is broken");
          if (name == "tr") return translator_;
          if (name == "qa") return std::make_shared<FakeQuestionAnswerer>(name);
          if (name == "sequences") return std::make_shared<FakeSequenceModel>(name);
          return LoadModel(absl::StrCat(HEED_SOURCE_DIR, "/tests/fixtures/", fixtures.at(name)), name);
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->WaitUntilLoaded();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  ~InferenceTest() override { translator_->Release(); }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (inference::GRPCInferenceService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                                  Response*),
                    const std::string& request_text, Response& response) {
    Request request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(request_text, &request)) << request_text;
    grpc::ClientContext context;
    return (stub_.get()->*method)(&context, request, &response);
  }
  grpc::Status Infer(const std::string& request) {
    response_.Clear();
    return Call(&inference::GRPCInferenceService::Stub::ModelInfer, request, response_);
  }
  std::string ErrorOf(const std::string& request) {
    const grpc::Status status = Infer(request);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT) << request << status.error_message();
    return status.error_message();
  }

  // Two nodes and an edge, for "nodes".
  std::string GraphOfNodes() {
    inference::ModelMetadataResponse metadata;
    EXPECT_TRUE(Call(&inference::GRPCInferenceService::Stub::ModelMetadata, "name: 'nodes'", metadata).ok());
    return Zeros("x", 2, static_cast<int>(metadata.inputs(0).shape(1))) +
           "inputs { name: 'edge_index' datatype: 'INT64' shape: [2, 1] contents { int64_contents: [0, 1] } }";
  }

  int IndexOf(const std::string& output) const {
    for (int i = 0; i < response_.outputs_size(); ++i) {
      if (response_.outputs(i).name() == output) return i;
    }
    ADD_FAILURE() << "no output " << output;
    return 0;
  }
  std::vector<std::string> Strings(const std::string& output) const {
    const std::string& raw = response_.raw_output_contents(IndexOf(output));
    std::vector<std::string> strings;
    for (size_t place = 0; place < raw.size();) {
      uint32_t length = 0;
      std::memcpy(&length, raw.data() + place, 4);
      strings.push_back(raw.substr(place + 4, length));
      place += 4 + length;
    }
    return strings;
  }
  template <typename T>
  std::vector<T> Numbers(const std::string& output) const {
    const std::string& raw = response_.raw_output_contents(IndexOf(output));
    std::vector<T> numbers(raw.size() / sizeof(T));
    std::memcpy(numbers.data(), raw.data(), raw.size());
    return numbers;
  }
  std::vector<int64_t> Shape(const std::string& output) const {
    const auto& shape = response_.outputs(IndexOf(output)).shape();
    return {shape.begin(), shape.end()};
  }

  TemporaryDirectory root_;
  std::shared_ptr<FakeTranslator> translator_ = std::make_shared<FakeTranslator>("tr", Precision::kInt8);
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  ModelInferResponse response_;
};

using Stub = inference::GRPCInferenceService::Stub;

TEST_F(InferenceTest, TranslatorGivesAnOutputForEachText) {
  ASSERT_TRUE(Infer("model_name: 'tr' id: 'seven' " + Texts("text", {"one two. three!", "", "loop"})).ok());
  EXPECT_EQ(response_.id(), "seven");
  EXPECT_EQ(response_.model_name(), "tr");
  EXPECT_EQ(response_.model_version(), "1");
  EXPECT_EQ(response_.outputs(0).name(), "translation");
  EXPECT_EQ(response_.raw_output_contents_size(), response_.outputs_size());
  EXPECT_THAT(Shape("translation"), ElementsAre(3));
  EXPECT_THAT(Strings("translation"), ElementsAre("ONE TWO. THREE!", "", "LOOP"));
  EXPECT_THAT(Strings("finish_reason"), ElementsAre("eos", "eos", "loop"));
  EXPECT_THAT(Numbers<float>("score"), ElementsAre(-3, 0, -1));
  EXPECT_THAT(Numbers<int64_t>("source_tokens"), ElementsAre(5, 0, 2));
}

TEST_F(InferenceTest, OptionsAreParametersAndDetailsComeOnRequest) {
  ASSERT_TRUE(Infer("model_name: 'tr' outputs { name: 'details' }"
                    "parameters { key: 'beam_size' value { int64_param: 4 } }"
                    "parameters { key: 'n_best' value { string_param: '2' } }" +
                    Texts("text", {"one"}))
                  .ok());
  EXPECT_EQ(translator_->last_options().beam_size, 4);
  ASSERT_EQ(response_.outputs_size(), 1);
  const nlohmann::json details = nlohmann::json::parse(Strings("details").at(0));
  EXPECT_EQ(details["text"], "ONE");
  EXPECT_EQ(details["sentences"][0]["hypotheses"][1]["text"], "ONE#1");
  EXPECT_THAT(
      ErrorOf("model_name: 'tr' parameters { key: 'beam_size' value { int64_param: 99 } }" + Texts("text", {"a"})),
      HasSubstr("99"));
  EXPECT_THAT(ErrorOf("model_name: 'tr' parameters { key: 'beam' value { int64_param: 1 } }" + Texts("text", {"a"})),
              HasSubstr("parameters: \"beam\" is not known; known are: priority, timeout, "
                        "triton_enable_empty_final_response, beam_size"));
}

TEST_F(InferenceTest, ParameterThatEveryCppClientSendsIsTaken) {
  EXPECT_TRUE(
      Infer("model_name: 'tr' parameters { key: 'triton_enable_empty_final_response' value { bool_param: true } }" +
            Texts("text", {"one"}))
          .ok());
}

TEST_F(InferenceTest, NoTextsGiveNoTranslations) {
  ASSERT_TRUE(Infer("model_name: 'tr' inputs { name: 'text' datatype: 'BYTES' shape: 0 }").ok());
  EXPECT_THAT(Shape("translation"), ElementsAre(0));
  EXPECT_THAT(Strings("translation"), IsEmpty());
}

TEST_F(InferenceTest, QuestionsAreAnsweredFromTheFactsBeforeThem) {
  ASSERT_TRUE(Infer("model_name: 'qa' " + Texts("story", {"it rains\\nit pours", "it dries"}) +
                    Texts("question", {"what", "what then"}) +
                    "inputs { name: 'after_facts' datatype: 'INT64' shape: 2 contents { int64_contents: [1, 3] } }")
                  .ok());
  EXPECT_THAT(Strings("answer"), ElementsAre("it rains", "it dries"));
  EXPECT_THAT(Numbers<float>("probability"), ElementsAre(0.5f, 0.5f));
  ASSERT_TRUE(
      Infer("model_name: 'qa' outputs { name: 'details' } parameters { key: 'top_k' value { int64_param: 2 } }" +
            Texts("story", {"it rains", "it pours"}) + Texts("question", {"what"}))
          .ok());
  EXPECT_EQ(nlohmann::json::parse(Strings("details").at(0))["candidates"][1]["text"], "it rains");
  EXPECT_THAT(ErrorOf("model_name: 'qa' " + Texts("story", {"it rains"}) + Texts("question", {})),
              HasSubstr("\"question\": shape: is [0], at least [1]"));
  EXPECT_THAT(ErrorOf("model_name: 'qa' " + Texts("story", {"it rains"}) + Texts("question", {"what"}) +
                      "inputs { name: 'after_facts' datatype: 'INT64' shape: 2 contents { int64_contents: [1, 1] } }"),
              HasSubstr("\"after_facts\": shape: is [2], must be that of \"question\", [1]"));
}

TEST_F(InferenceTest, SequencesGoInAndOut) {
  ASSERT_TRUE(Infer("model_name: 'sequences' inputs { name: 'input' datatype: 'FP32' shape: [2, 3]"
                    " contents { fp32_contents: [1, 2, 0, 3, 4, 0] } }")
                  .ok());
  EXPECT_THAT(Shape("output"), ElementsAre(2, 2));
  EXPECT_THAT(Numbers<float>("output"), ElementsAre(1, 2, 4, 6));
  ASSERT_TRUE(Infer("model_name: 'sequences' parameters { key: 'repeats' value { int64_param: 2 } }"
                    "inputs { name: 'input' datatype: 'FP32' shape: [1, 2] contents { fp32_contents: [1, 2] } }")
                  .ok());
  EXPECT_THAT(
      ErrorOf("model_name: 'sequences' parameters { key: 'repeat' value { int64_param: 2 } }" + Zeros("input", 1, 3)),
      HasSubstr("\"repeat\" is not known; known are: priority, timeout, triton_enable_empty_final_response, repeats, "
                "answer_rows"));
}

// The same graph through heed.v1.GraphService.
TEST_F(InferenceTest, NodesAreClassifiedAsByTheTypedService) {
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, "name: 'nodes'", metadata).ok());
  const int width = static_cast<int>(metadata.inputs(0).shape(1));
  const std::string graph =
      "model_name: 'nodes' " + Zeros("x", 3, width) +
      "inputs { name: 'edge_index' datatype: 'INT64' shape: [2, 3] contents { int64_contents: [0, 1, 2, 1, 2, 0] } }";
  ASSERT_TRUE(Infer(graph).ok());
  const std::vector<float> all = Numbers<float>("probabilities");
  const int64_t classes = metadata.outputs(0).shape(1);
  EXPECT_THAT(Shape("probabilities"), ElementsAre(3, classes));

  v1::ClassifyNodesRequest typed;
  typed.set_model("nodes");
  typed.mutable_options()->set_top_k(0);
  v1::Graph& inline_graph = *typed.add_queries()->mutable_graph();
  inline_graph.mutable_features()->set_width(width);
  for (int i = 0; i < 3 * width; ++i)
    inline_graph.mutable_features()->add_values(static_cast<float>((i * 7 % 5) / 4.0));
  for (const int source : {0, 1, 2}) inline_graph.add_edge_sources(source);
  for (const int target : {1, 2, 0}) inline_graph.add_edge_targets(target);
  v1::ClassifyNodesResponse answer;
  grpc::ClientContext context;
  const grpc::Status status = v1::GraphService::NewStub(channel_)->ClassifyNodes(&context, typed, &answer);
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (int node = 0; node < 3; ++node) {
    const v1::GraphClassification& one = answer.answers(0).nodes(node).classification();
    EXPECT_EQ(Numbers<int64_t>("class").at(static_cast<size_t>(node)), one.class_index());
    EXPECT_EQ(Strings("label").at(static_cast<size_t>(node)), one.label());
    for (const v1::GraphClassification::Class& top : one.top()) {
      EXPECT_EQ(all.at(static_cast<size_t>(node * classes + top.index())), top.probability());
    }
  }

  ASSERT_TRUE(Infer(graph + "outputs { name: 'probabilities' } outputs { name: 'embedding' }"
                            "inputs { name: 'nodes' datatype: 'INT64' shape: 1 contents { int64_contents: 2 } }")
                  .ok());
  EXPECT_THAT(Numbers<float>("probabilities"),
              testing::ElementsAreArray(all.end() - static_cast<std::ptrdiff_t>(classes), all.end()));
  EXPECT_EQ(Shape("embedding").at(0), 1);
  EXPECT_GT(Shape("embedding").at(1), 0);
  EXPECT_THAT(ErrorOf(graph + "inputs { name: 'nodes' datatype: 'INT64' shape: 1 contents { int64_contents: 7 } }"),
              HasSubstr("7"));
}

TEST_F(InferenceTest, EdgesAreAskedAboutByTheirRows) {
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, "name: 'edges'", metadata).ok());
  const int width = static_cast<int>(metadata.inputs(0).shape(1));
  const std::string graph =
      "model_name: 'edges' " + Zeros("x", 3, width) +
      "inputs { name: 'edge_index' datatype: 'INT64' shape: [2, 2] contents { int64_contents: [0, 1, 1, 2] } }";
  ASSERT_TRUE(Infer(graph).ok());
  EXPECT_EQ(Shape("probabilities").at(0), 2);
  ASSERT_TRUE(
      Infer(graph +
            "inputs { name: 'edge_label_index' datatype: 'INT64' shape: [2, 1] contents { int64_contents: [2, 0] } }")
          .ok());
  EXPECT_EQ(Shape("probabilities").at(0), 1);
}

TEST_F(InferenceTest, BatchTellsSeveralGraphsApart) {
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, "name: 'graphs'", metadata).ok());
  const int width = static_cast<int>(metadata.inputs(0).shape(1));
  const auto request = [&](int nodes, const std::string& edges, const std::string& batch) {
    return absl::StrCat("model_name: 'graphs' ", Zeros("x", nodes, width),
                        "inputs { name: 'edge_index' datatype: 'INT64' ", edges, " } ",
                        batch.empty() ? ""
                                      : absl::StrCat("inputs { name: 'batch' datatype: 'INT64' shape: ", nodes,
                                                     " contents { int64_contents: [", batch, "] } }"));
  };
  const std::string first = "shape: [2, 1] contents { int64_contents: [0, 1] }";
  ASSERT_TRUE(Infer(request(2, first, "")).ok());
  const std::vector<float> alone = Numbers<float>("probabilities");
  ASSERT_TRUE(Infer(request(5, "shape: [2, 2] contents { int64_contents: [0, 3, 1, 4] }", "0, 0, 1, 1, 1")).ok());
  ASSERT_EQ(Shape("probabilities").at(0), 2);
  const std::vector<float> both = Numbers<float>("probabilities");
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), both.begin()));

  EXPECT_THAT(ErrorOf(request(2, first, "-1, -1")), HasSubstr("\"batch\": element 0 is -1, must be at least 0"));
  EXPECT_THAT(ErrorOf(request(2, first, "3, 1")),
              HasSubstr("\"batch\": element 1 is 1, must be at least 3: ascending"));
  EXPECT_THAT(ErrorOf(request(2, first, "0, 4611686018427387904")),
              HasSubstr("\"batch\": element 1 is 4611686018427387904, but a request has at most 100000 graphs"));
  EXPECT_THAT(ErrorOf(request(2, first, "0, 1")), HasSubstr("edge 0 leads from graph 0 to graph 1"));
  EXPECT_THAT(ErrorOf(request(2, "shape: [2, 1] contents { int64_contents: [0, 9] }", "0, 0")),
              HasSubstr("edge 0 names row 9, but x has 2 rows"));
  EXPECT_THAT(ErrorOf(request(2, "shape: [2, 1] contents { int64_contents: [0, -1] }", "")), HasSubstr("-1"));
  EXPECT_THAT(ErrorOf(request(101, first, "")), HasSubstr("100"));
}

// Each answer is that of the graph alone, in its place.
TEST_F(InferenceTest, GraphsWithoutNodesKeepTheirPlaces) {
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, "name: 'graphs'", metadata).ok());
  const int width = static_cast<int>(metadata.inputs(0).shape(1));
  const auto edges = [](int count, const std::string& ends) {
    return absl::StrCat("inputs { name: 'edge_index' datatype: 'INT64' shape: [2, ", count,
                        "] contents { int64_contents: [", ends, "] } }");
  };
  const auto integers = [](const std::string& name, int count, const std::string& values) {
    return absl::StrCat("inputs { name: '", name, "' datatype: 'INT64' shape: ", count, " contents { int64_contents: [",
                        values, "] } }");
  };
  const std::string model = "model_name: 'graphs' ";
  ASSERT_TRUE(Infer(model + Zeros("x", 2, width) + edges(1, "0, 1")).ok());
  const std::vector<float> two = Numbers<float>("probabilities");
  ASSERT_TRUE(Infer(model + Zeros("x", 0, width) + edges(0, "")).ok());
  const std::vector<float> none = Numbers<float>("probabilities");
  ASSERT_EQ(none.size(), two.size());
  const auto expect = [&](const std::string& request, const std::vector<std::vector<float>>& graphs) {
    ASSERT_TRUE(Infer(model + request).ok()) << request;
    std::vector<float> all;
    for (const std::vector<float>& graph : graphs) all.insert(all.end(), graph.begin(), graph.end());
    EXPECT_EQ(Numbers<float>("probabilities"), all) << request;
    EXPECT_EQ(Shape("probabilities").at(0), static_cast<int64_t>(graphs.size()));
  };
  const std::string graph = Zeros("x", 2, width) + edges(1, "0, 1");
  expect(graph + integers("batch", 2, "2, 2"), {none, none, two});
  expect(graph + integers("graph_ptr", 6, "0, 0, 2, 2, 2, 2"), {none, two, none, none, none});
  expect(graph + integers("graph_ptr", 2, "0, 2"), {two});
  expect(Zeros("x", 0, width) + edges(0, "") + integers("graph_ptr", 3, "0, 0, 0"), {none, none});
  expect(Zeros("x", 0, width) + edges(0, "") + integers("graph_ptr", 1, "0"), {});
  expect(Zeros("x", 0, width) + edges(0, "") + integers("batch", 0, ""), {});

  const std::vector<std::pair<std::string, std::string>> wrong = {
      {integers("graph_ptr", 0, ""), "\"graph_ptr\": is empty, must hold at least a 0"},
      {integers("graph_ptr", 2, "1, 2"), "\"graph_ptr\": element 0 is 1, must be 0"},
      {integers("graph_ptr", 3, "0, 3, 2"), "\"graph_ptr\": element 2 is 2, must be at least 3"},
      {integers("graph_ptr", 2, "0, 3"), "\"graph_ptr\": element 1 is 3, must be 2, the number of rows of x"},
      {integers("graph_ptr", 3, "0, 1, 2"), "edge 0 leads from graph 0 to graph 1"},
      {integers("graph_ptr", 2, "0, 2") + integers("batch", 2, "0, 0"), "\"graph_ptr\": is there beside \"batch\""},
  };
  for (const auto& [input, message] : wrong) EXPECT_THAT(ErrorOf(model + graph + input), HasSubstr(message)) << input;
}

// As the typed service and the command line have it.
TEST_F(InferenceTest, EdgeFeaturesThatTheModelDoesNotTakeAreRefusedUnlessIgnored) {
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, "name: 'nodes'", metadata).ok());
  const std::string graph = absl::StrCat(
      "model_name: 'nodes' ", Zeros("x", 3, static_cast<int>(metadata.inputs(0).shape(1))),
      "inputs { name: 'edge_index' datatype: 'INT64' shape: [2, 2] contents { int64_contents: [0, 1, 1, 2] } }");
  const std::string features =
      "inputs { name: 'edge_attr' datatype: 'FP32' shape: [2, 2] contents { fp32_contents: [1, 2, 3, 4] } }";
  ASSERT_TRUE(Infer(graph).ok());
  const std::vector<float> without = Numbers<float>("probabilities");
  EXPECT_THAT(ErrorOf(graph + features),
              AllOf(HasSubstr("inputs \"edge_attr\": width 2"), HasSubstr("set ignore_edge_features")));
  ASSERT_TRUE(Infer(graph + features + "parameters { key: 'ignore_edge_features' value { bool_param: true } }").ok());
  EXPECT_EQ(Numbers<float>("probabilities"), without);
}

// A GCN's edges weigh 1 without weights, as in PyTorch Geometric; a GAT has no such number.
TEST_F(InferenceTest, EdgeFeaturesAreOptionalWhereThereIsADefault) {
  for (const auto& [model, optional] : {std::pair{"weighted", true}, {"attributed", false}}) {
    inference::ModelConfigResponse config;
    ASSERT_TRUE(Call(&Stub::ModelConfig, absl::StrCat("name: '", model, "'"), config).ok());
    EXPECT_EQ(config.config().input(2).name(), "edge_attr");
    EXPECT_EQ(config.config().input(2).optional(), optional) << model;
    inference::ModelMetadataResponse metadata;
    ASSERT_TRUE(Call(&Stub::ModelMetadata, absl::StrCat("name: '", model, "'"), metadata).ok());
    const std::string edges =
        "inputs { name: 'edge_index' datatype: 'INT64' shape: [2, 3] contents { int64_contents: [0, 1, 1, 1, 0, 2] } }";
    const std::string graph =
        absl::StrCat("model_name: '", model, "' ", Zeros("x", 3, static_cast<int>(metadata.inputs(0).shape(1))), edges);
    if (!optional) {
      EXPECT_THAT(ErrorOf(graph), HasSubstr("inputs: \"edge_attr\" (FP32 [-1, "));
      continue;
    }
    ASSERT_TRUE(Infer(graph).ok());
    const std::vector<float> without = Numbers<float>("probabilities");
    const auto weighted = [&](const std::string& weights) {
      EXPECT_TRUE(Infer(graph +
                        "inputs { name: 'edge_attr' datatype: 'FP32' shape: [3, 1] contents { fp32_contents: [" +
                        weights + "] } }")
                      .ok());
      return Numbers<float>("probabilities");
    };
    EXPECT_EQ(weighted("1, 1, 1"), without);
    EXPECT_NE(weighted("1, 2, 1"), without);
  }
}

TEST_F(InferenceTest, ErrorsNameTheInputOrTheParameter) {
  const std::string bad_utf8 =
      "inputs { name: 'story' datatype: 'BYTES' shape: 1 contents { bytes_contents: 'a\\377' } }";
  const std::string story = Texts("story", {"it rains"});
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"model_name: 'tr' parameters { key: 'beam_size' value { int64_param: 99 } }" + Texts("text", {"a"}),
       "beam_size"},
      {"model_name: 'qa' " + bad_utf8 + Texts("question", {"what"}), "inputs \"story\": element 0 is not UTF-8"},
      {"model_name: 'qa' " + story + Texts("question", {"a b c d e f g h i j k"}), "inputs \"question\"[0]"},
      {"model_name: 'qa' " + Texts("story", {"a b c d e f g h i j k"}) + Texts("question", {"what"}),
       "inputs \"story\": fact[0]"},
      {"model_name: 'qa' " + story + Texts("question", {"what"}) +
           "inputs { name: 'after_facts' datatype: 'INT64' shape: 1 contents { int64_contents: 7 } }",
       "inputs \"after_facts\"[0]: 7, must be from 0"},
      {"model_name: 'qa' parameters { key: 'top_k' value { int64_param: -1 } }" + story + Texts("question", {"what"}),
       "parameters: top_k: -1"},
      {"model_name: 'sequences' " + Zeros("input", 1, 5), "inputs \"input\": width: 5"},
      {"model_name: 'nodes' parameters { key: 'top_k' value { int64_param: 1 } }" + GraphOfNodes(),
       "\"top_k\" is not known; known are: priority, timeout, triton_enable_empty_final_response, fan_out, seed"},
      {"model_name: 'nodes' parameters { key: 'fan_out' value { int64_param: 0 } }" + GraphOfNodes(),
       "\"fan_out\" is 0, must be from 1"},
  };
  for (const auto& [request, message] : cases) EXPECT_THAT(ErrorOf(request), HasSubstr(message)) << request;
}

// Inputs of the right names and types, whose numbers are anything.
TEST_F(InferenceTest, RandomGraphsAreAnsweredOrRefused) {
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, "name: 'graphs'", metadata).ok());
  const int width = static_cast<int>(metadata.inputs(0).shape(1));
  std::mt19937 random(2);
  const auto pick = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  int answered = 0;
  for (int round = 0; round < 300; ++round) {
    const int nodes = pick(5), edges = pick(4);
    std::string batch, ends;
    for (int i = 0, graph = 0; i < nodes; ++i) {
      graph += pick(3) == 0;
      absl::StrAppend(&batch, " int64_contents: ", pick(8) == 0 ? pick(5) - 2 : graph);
    }
    for (int i = 0; i < 2 * edges; ++i) absl::StrAppend(&ends, " int64_contents: ", pick(6) - (pick(6) == 0));
    const grpc::Status status =
        Infer(absl::StrCat("model_name: 'graphs' ", Zeros("x", nodes, width),
                           "inputs { name: 'edge_index' datatype: 'INT64' shape: [2, ", edges, "] contents {", ends,
                           "} } inputs { name: 'batch' datatype: 'INT64' shape: ", nodes, " contents {", batch, "} }"));
    answered += status.ok();
    EXPECT_TRUE(status.ok() || status.error_code() == StatusCode::INVALID_ARGUMENT) << status.error_message();
  }
  EXPECT_GT(answered, 0);
}

TEST_F(InferenceTest, UnknownModelsAndVersionsAreTold) {
  EXPECT_EQ(Infer("").error_code(), StatusCode::INVALID_ARGUMENT);
  grpc::Status status = Infer("model_name: 'none'");
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("there is no \"none\""));
  status = Infer("model_name: 'tr' model_version: '2'");
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("\"tr\" has no version 2; these are there: 1"));
  EXPECT_THAT(ErrorOf("model_name: 'tr' model_version: 'new'"), HasSubstr("model_version: \"new\""));
  status = Infer("model_name: 'broken'");
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("config.json: is broken"));
  EXPECT_THAT(ErrorOf("model_name: 'tr'"), HasSubstr("inputs: \"text\" (BYTES [-1]) is missing"));
}

TEST_F(InferenceTest, PriorityParameterIsALevelOrTheDefault) {
  const auto request = [](const std::string& level) {
    return "model_name: 'tr' parameters { key: 'priority' value { " + level + " } }" + Texts("text", {"a"});
  };
  for (const char* level : {"uint64_param: 0", "uint64_param: 1", "int64_param: 3", "string_param: '2'"}) {
    EXPECT_TRUE(Infer(request(level)).ok()) << level;
  }
  EXPECT_THAT(ErrorOf(request("uint64_param: 4")), HasSubstr("parameters: \"priority\""));
  EXPECT_THAT(ErrorOf(request("string_param: 'high'")), HasSubstr("\"priority\" is \"high\", must be a whole number"));
}

TEST_F(InferenceTest, TimeoutParameterIsADeadline) {
  // A microsecond is over before the first step.
  EXPECT_EQ(Infer("model_name: 'tr' parameters { key: 'timeout' value { int64_param: 1 } }" + Texts("text", {"one"}))
                .error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(
      Infer("model_name: 'tr' parameters { key: 'timeout' value { int64_param: 0 } }" + Texts("text", {"a"})).ok());
  EXPECT_THAT(
      ErrorOf("model_name: 'tr' parameters { key: 'timeout' value { int64_param: -1 } }" + Texts("text", {"a"})),
      HasSubstr("\"timeout\" is -1, must be at least 0"));
}

TEST_F(InferenceTest, ServerAndModelsTellWhatTheyAre) {
  inference::ServerLiveResponse live;
  ASSERT_TRUE(Call(&Stub::ServerLive, "", live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(Call(&Stub::ServerReady, "", ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(Call(&Stub::ServerMetadata, "", server).ok());
  EXPECT_EQ(server.name(), "heed");
  EXPECT_THAT(server.extensions(), testing::Contains("statistics"));

  inference::ModelReadyResponse model;
  ASSERT_TRUE(Call(&Stub::ModelReady, "name: 'tr' version: '1'", model).ok());
  EXPECT_TRUE(model.ready());
  ASSERT_TRUE(Call(&Stub::ModelReady, "name: 'broken'", model).ok());
  EXPECT_FALSE(model.ready());
  EXPECT_EQ(Call(&Stub::ModelReady, "name: 'none'", model).error_code(), StatusCode::NOT_FOUND);

  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, "name: 'tr'", metadata).ok());
  EXPECT_THAT(metadata.versions(), ElementsAre("1"));
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_EQ(metadata.inputs(0).name(), "text");
  EXPECT_EQ(metadata.inputs(0).datatype(), "BYTES");
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1));
  EXPECT_EQ(metadata.outputs(0).name(), "translation");
  EXPECT_THAT(metadata.properties().at("parameters"), HasSubstr("beam_size: integer"));
  EXPECT_EQ(metadata.properties().at("precision"), "int8");
  EXPECT_EQ(metadata.properties().at("kernel"), KernelName(Precision::kInt8));
  EXPECT_EQ(Call(&Stub::ModelMetadata, "name: 'none'", metadata).error_code(), StatusCode::NOT_FOUND);

  inference::ModelConfigResponse config;
  ASSERT_TRUE(Call(&Stub::ModelConfig, "name: 'qa'", config).ok());
  EXPECT_EQ(config.config().max_batch_size(), 0);
  ASSERT_EQ(config.config().input_size(), 3);
  EXPECT_EQ(config.config().input(0).name(), "story");
  EXPECT_EQ(config.config().input(0).data_type(), inference::TYPE_STRING);
  EXPECT_TRUE(config.config().input(2).optional());
  EXPECT_EQ(config.config().parameters().at("precision").string_value(), "f32");
}

TEST_F(InferenceTest, StatisticsCountRequestsAndSteps) {
  ASSERT_TRUE(Infer("model_name: 'tr' " + Texts("text", {"one two", "one two"})).ok());
  EXPECT_FALSE(Infer("model_name: 'tr' " + Texts("text", {"fail"})).ok());
  inference::ModelStatisticsResponse statistics;
  ASSERT_TRUE(Call(&Stub::ModelStatistics, "name: 'tr'", statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 1);
  const inference::ModelStatistics& one = statistics.model_stats(0);
  EXPECT_EQ(one.version(), "1");
  EXPECT_EQ(one.inference_count(), 2u);
  EXPECT_EQ(one.execution_count(), 3u);  // two of two tasks, one of one
  EXPECT_GT(one.last_inference(), 0u);
  EXPECT_EQ(one.inference_stats().success().count(), 1u);
  EXPECT_EQ(one.inference_stats().fail().count(), 1u);
  EXPECT_EQ(one.inference_stats().queue().count(), 2u);
  EXPECT_EQ(one.inference_stats().compute_input().count(), 1u);
  EXPECT_GT(one.inference_stats().compute_infer().ns(), 0u);
  ASSERT_EQ(one.batch_stats_size(), 2);
  EXPECT_EQ(one.batch_stats(1).batch_size(), 2u);
  EXPECT_EQ(one.batch_stats(1).compute_infer().count(), 2u);

  ASSERT_TRUE(Call(&Stub::ModelStatistics, "", statistics).ok());
  EXPECT_EQ(statistics.model_stats_size(), 8);  // those that serve
  EXPECT_EQ(Call(&Stub::ModelStatistics, "name: 'none'", statistics).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Call(&Stub::ModelStatistics, "version: '1'", statistics).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(InferenceTest, RepositoryIsListedLoadedAndUnloaded) {
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(Call(&Stub::RepositoryIndex, "", index).ok());
  ASSERT_EQ(index.models_size(), 9);
  EXPECT_EQ(index.models(0).state(), "READY");
  EXPECT_EQ(index.models(1).name(), "broken");
  EXPECT_EQ(index.models(1).state(), "UNAVAILABLE");
  EXPECT_THAT(index.models(1).reason(), HasSubstr("is broken"));
  ASSERT_TRUE(Call(&Stub::RepositoryIndex, "ready: true", index).ok());
  EXPECT_EQ(index.models_size(), 8);
  EXPECT_EQ(Call(&Stub::RepositoryIndex, "repository_name: 'x'", index).error_code(), StatusCode::NOT_FOUND);

  inference::RepositoryModelUnloadResponse unloaded;
  ASSERT_TRUE(Call(&Stub::RepositoryModelUnload,
                   "model_name: 'tr' parameters { key: 'unload_dependents' value { bool_param: false } }", unloaded)
                  .ok());
  inference::ModelReadyResponse ready;
  ASSERT_TRUE(Call(&Stub::ModelReady, "name: 'tr'", ready).ok());
  EXPECT_FALSE(ready.ready());
  EXPECT_EQ(Infer("model_name: 'tr' " + Texts("text", {"a"})).error_code(), StatusCode::UNAVAILABLE);
  inference::RepositoryModelLoadResponse loaded;
  ASSERT_TRUE(Call(&Stub::RepositoryModelLoad, "model_name: 'tr'", loaded).ok());
  EXPECT_TRUE(Infer("model_name: 'tr' " + Texts("text", {"a"})).ok());
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, "model_name: 'broken'", loaded).error_code(),
            StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad,
                 "model_name: 'tr' parameters { key: 'config' value { string_param: '{}' } }", loaded)
                .error_code(),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Call(&Stub::RepositoryModelUnload, "model_name: 'none'", unloaded).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(InferenceTest, HintsOfPublicClientsAreIgnored) {
  const std::string hints =
      "parameters { key: 'content_type' value { string_param: 'str' } }"
      "parameters { key: 'binary_data_size' value { int64_param: 7 } }";
  ASSERT_TRUE(Infer("model_name: 'tr' parameters { key: 'binary_data_output' value { bool_param: true } }" + hints +
                    "inputs { name: 'text' datatype: 'BYTES' shape: 1 " + hints +
                    "} raw_input_contents: '\\003\\000\\000\\000one'"
                    "outputs { name: 'translation' parameters { key: 'binary_data' value { bool_param: true } } }")
                  .ok());
  EXPECT_THAT(Strings("translation"), ElementsAre("ONE"));
  EXPECT_THAT(
      ErrorOf("model_name: 'tr' parameters { key: 'sequence_id' value { int64_param: 7 } }" + Texts("text", {"one"})),
      HasSubstr("\"sequence_id\" is 7: requests of a sequence are not served here: heed.v1.QuestionAnsweringService"));
}

TEST_F(InferenceTest, UnservedExtensionsSayWhatThereIsInstead) {
  const auto expect = [](const grpc::Status& status, const char* message) {
    EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  };
  inference::SystemSharedMemoryStatusResponse system_status;
  expect(Call(&Stub::SystemSharedMemoryStatus, "", system_status), "shared memory is not served: tensors travel");
  inference::SystemSharedMemoryRegisterResponse system_register;
  expect(Call(&Stub::SystemSharedMemoryRegister, "name: 'a'", system_register), "shared memory is not served");
  inference::SystemSharedMemoryUnregisterResponse system_unregister;
  expect(Call(&Stub::SystemSharedMemoryUnregister, "", system_unregister), "shared memory is not served");
  inference::CudaSharedMemoryStatusResponse cuda_status;
  expect(Call(&Stub::CudaSharedMemoryStatus, "", cuda_status), "shared memory is not served");
  inference::CudaSharedMemoryRegisterResponse cuda_register;
  expect(Call(&Stub::CudaSharedMemoryRegister, "name: 'a'", cuda_register), "shared memory is not served");
  inference::CudaSharedMemoryUnregisterResponse cuda_unregister;
  expect(Call(&Stub::CudaSharedMemoryUnregister, "", cuda_unregister), "shared memory is not served");
  inference::TraceSettingResponse trace;
  expect(Call(&Stub::TraceSetting, "", trace),
         "trace settings are not served: --trace_endpoint and --trace_sample_ratio");
  inference::LogSettingsResponse log;
  expect(Call(&Stub::LogSettings, "", log), "log settings are not served: --log_level");
}

TEST_F(InferenceTest, NothingIsReadyOnceTheServerShutsDown) {
  translator_->Hold();
  std::thread request([&] { EXPECT_TRUE(Infer("model_name: 'tr' " + Texts("text", {"one"})).ok()); });
  translator_->WaitUntilHeld();
  std::thread shutdown([&] { server_->Shutdown(); });
  inference::ServerReadyResponse ready;
  do {
    ASSERT_TRUE(Call(&Stub::ServerReady, "", ready).ok());
  } while (ready.ready());
  inference::ModelReadyResponse model;
  ASSERT_TRUE(Call(&Stub::ModelReady, "name: 'tr'", model).ok());
  EXPECT_FALSE(model.ready());
  translator_->Release();
  request.join();
  shutdown.join();
}

}  // namespace
}  // namespace heed
