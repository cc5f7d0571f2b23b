// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/fixed_requests.h"

#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "heed/v1/graphs.grpc.pb.h"
#include "heed/v1/language_modeling.grpc.pb.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/questions.grpc.pb.h"
#include "heed/v1/sequences.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"
#include "inference.grpc.pb.h"
#include "tests/chaos/texts.h"

namespace heed::chaos {
namespace {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

// Reloads go from version to version of the same weights.
template <typename Response>
void ForgetWhatDiffers(Response& response) {
  if constexpr (requires { response.clear_model_version(); }) response.clear_model_version();
}

template <typename Service, typename Request, typename Response>
class Unary : public FixedRequest {
 public:
  using Method = grpc::Status (Service::Stub::*)(grpc::ClientContext*, const Request&, Response*);
  Unary(absl::string_view method, Method stub_method, Request request)
      : method_(method), stub_method_(stub_method), request_(std::move(request)) {}

  absl::string_view method() const override { return method_; }
  grpc::Status Send(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
                    std::string& bytes) const override {
    Response response;
    const auto stub = Service::NewStub(channel);
    grpc::Status status = (*stub.*stub_method_)(&context, request_, &response);
    ForgetWhatDiffers(response);
    bytes = response.SerializeAsString();
    return status;
  }

 private:
  const absl::string_view method_;
  const Method stub_method_;
  const Request request_;
};

template <typename Service, typename Request, typename Response>
FixedRequest& Add(FixedRequests& requests, absl::string_view method,
                  grpc::Status (Service::Stub::*stub_method)(grpc::ClientContext*, const Request&, Response*),
                  const std::string& name, Request request) {
  requests.push_back(std::make_unique<Unary<Service, Request, Response>>(method, stub_method, std::move(request)));
  requests.back()->name = name;
  return *requests.back();
}

// To kTranslator, if the request names no other.
void AddTranslate(FixedRequests& requests, const std::string& name, v1::TranslateRequest request) {
  if (request.model().empty()) request.set_model(kTranslator);
  Add<v1::TranslationService>(requests, "heed.v1.TranslationService/Translate",
                              &v1::TranslationService::Stub::Translate, name, std::move(request));
}

void AddInfer(FixedRequests& requests, const std::string& name, ModelInferRequest request,
              grpc::StatusCode code = grpc::StatusCode::OK) {
  Add<GRPCInferenceService>(requests, "inference.GRPCInferenceService/ModelInfer",
                            &GRPCInferenceService::Stub::ModelInfer, name, std::move(request))
      .code = code;
}

// Nodes in a ring with chords; sparse features.
v1::Graph Ring(int nodes, int width, int values) {
  v1::Graph graph;
  graph.mutable_features()->set_width(width);
  for (int node = 0; node < nodes; ++node) {
    for (int i = 0; i < values; ++i) {
      graph.mutable_features()->add_values(1.0f);
      graph.mutable_features()->add_columns((node + i * (width / values)) % (width / values) + i * (width / values));
    }
    graph.mutable_features()->add_row_ends((node + 1) * values);
    for (const int step : {1, 7}) {
      const int other = (node + step) % nodes;
      graph.add_edge_sources(node);
      graph.add_edge_targets(other);
      graph.add_edge_sources(other);
      graph.add_edge_targets(node);
    }
  }
  return graph;
}

v1::ClassifyNodesRequest Nodes(const std::string& model, v1::Graph graph) {
  v1::ClassifyNodesRequest request;
  request.set_model(model);
  *request.add_queries()->mutable_graph() = std::move(graph);
  request.mutable_options()->set_top_k(0);
  request.mutable_options()->set_return_embeddings(true);
  return request;
}

v1::RunSequenceRequest Rows(const std::string& model, int width, int rows) {
  v1::RunSequenceRequest request;
  request.set_model(model);
  request.set_width(width);
  for (int i = 0; i < width * rows; ++i) request.add_values((i * i + i / width) % 3 == 0 ? 1.0f : 0.0f);
  return request;
}

void AddText(ModelInferRequest& request, const std::string& name, const std::vector<std::string>& texts) {
  auto& input = *request.add_inputs();
  input.set_name(name);
  input.set_datatype("BYTES");
  input.add_shape(static_cast<int64_t>(texts.size()));
  for (const std::string& text : texts) input.mutable_contents()->add_bytes_contents(text);
}

ModelInferRequest InferText(const std::string& model, const std::vector<std::string>& texts) {
  ModelInferRequest request;
  request.set_model_name(model);
  AddText(request, "text", texts);
  return request;
}

ModelInferRequest InferRows(int64_t said_rows) {
  ModelInferRequest request;
  request.set_model_name("ntm-copy");
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype("FP32");
  input.add_shape(said_rows);
  input.add_shape(8);
  const std::vector<float> rows(16, 1.0f);
  std::string bytes(rows.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), rows.data(), bytes.size());
  request.add_raw_input_contents(std::move(bytes));
  return request;
}

}  // namespace

FixedRequests RightRequests() {
  FixedRequests requests;
  for (int first = 0; first < 3; ++first) {
    v1::TranslateRequest request;
    request.add_texts(Sentences()[static_cast<size_t>(first)]);
    request.mutable_options()->set_beam_size(1);
    AddTranslate(requests, absl::StrCat("greedy ", first), request);
  }
  v1::TranslateRequest several;
  for (const std::string& text : Sentences()) several.add_texts(text);
  several.mutable_options()->set_beam_size(1);
  AddTranslate(requests, "greedy, several", several);
  v1::TranslateRequest beam;
  beam.add_texts(Sentences()[3]);
  beam.add_texts(Sentences()[4]);
  beam.mutable_options()->set_beam_size(4);
  beam.mutable_options()->set_n_best(3);
  AddTranslate(requests, "beam 4", beam);
  for (const char* const model : {"translator-en-de-rnn", "translator-en-de-rnn-plain"}) {
    beam.set_model(model);
    AddTranslate(requests, absl::StrCat("beam 4, ", model), beam);
  }
  v1::TranslateRequest drawn;
  drawn.add_texts(Sentences()[5]);
  drawn.mutable_options()->set_beam_size(1);
  drawn.mutable_options()->mutable_sampling()->set_seed(7);
  drawn.mutable_options()->set_return_attention(true);
  AddTranslate(requests, "sampled, with attention", drawn);

  for (int facts = 1; facts <= 9; facts += 4) {
    v1::AnswerRequest request;
    request.set_model("ntm-babi");
    for (int i = 0; i < facts; ++i) request.add_facts(Fact(i));
    for (int i = 0; i < 3; ++i) request.add_questions()->set_text(Question(i));
    request.mutable_options()->set_top_k(3);
    request.mutable_options()->set_return_attribution(true);
    Add<v1::QuestionAnsweringService>(requests, "heed.v1.QuestionAnsweringService/Answer",
                                      &v1::QuestionAnsweringService::Stub::Answer, absl::StrCat(facts, " facts"),
                                      std::move(request));
  }

  const auto classify_nodes = &v1::GraphService::Stub::ClassifyNodes;
  Add<v1::GraphService>(requests, "heed.v1.GraphService/ClassifyNodes", classify_nodes, "gat-karate",
                        Nodes("gat-karate", Ring(34, 34, 1)));
  Add<v1::GraphService>(requests, "heed.v1.GraphService/ClassifyNodes", classify_nodes, "gcn-cora",
                        Nodes("gcn-cora", Ring(200, 1433, 20)));
  v1::ClassifyNodesRequest drawn_nodes = Nodes("gat-cora", Ring(100, 1433, 20));
  drawn_nodes.mutable_options()->set_fan_out(2);
  drawn_nodes.mutable_options()->set_seed(3);
  drawn_nodes.mutable_options()->set_return_attention(true);
  Add<v1::GraphService>(requests, "heed.v1.GraphService/ClassifyNodes", classify_nodes, "gat-cora, neighbors drawn",
                        std::move(drawn_nodes));
  v1::ClassifyEdgesRequest edges;
  edges.set_model("gat-cora-links");
  *edges.add_queries()->mutable_graph() = Ring(60, 1433, 12);
  Add<v1::GraphService>(requests, "heed.v1.GraphService/ClassifyEdges", &v1::GraphService::Stub::ClassifyEdges,
                        "gat-cora-links", std::move(edges));
  v1::ClassifyGraphsRequest graphs;
  graphs.set_model("gat-mutag");
  for (const int nodes : {17, 1, 30}) *graphs.add_queries()->mutable_graph() = Ring(nodes, 11, 1);
  Add<v1::GraphService>(requests, "heed.v1.GraphService/ClassifyGraphs", &v1::GraphService::Stub::ClassifyGraphs,
                        "gat-mutag", std::move(graphs));

  const auto run = &v1::SequenceService::Stub::RunSequence;
  Add<v1::SequenceService>(requests, "heed.v1.SequenceService/RunSequence", run, "ntm-copy", Rows("ntm-copy", 8, 12));
  v1::RunSequenceRequest repeated = Rows("ntm-repeat-copy", 8, 4);
  repeated.set_repeat_count(3);
  Add<v1::SequenceService>(requests, "heed.v1.SequenceService/RunSequence", run, "ntm-repeat-copy",
                           std::move(repeated));
  Add<v1::SequenceService>(requests, "heed.v1.SequenceService/RunSequence", run, "ntm-recall",
                           Rows("ntm-recall", 8, 6));

  v1::ScoreRequest scores;
  scores.set_model("txl-novels");
  for (const std::string& text : Sentences()) scores.add_items()->set_text(text);
  scores.mutable_options()->set_top_k(2);
  Add<v1::LanguageModelingService>(requests, "heed.v1.LanguageModelingService/Score",
                                   &v1::LanguageModelingService::Stub::Score, "scores of several texts",
                                   std::move(scores));
  v1::GenerateRequest generate;
  generate.set_model("txl-novels");
  generate.set_prompt(Sentences()[0]);
  generate.mutable_options()->set_max_tokens(12);
  generate.mutable_options()->mutable_sampling()->set_seed(5);
  Add<v1::LanguageModelingService>(requests, "heed.v1.LanguageModelingService/Generate",
                                   &v1::LanguageModelingService::Stub::Generate, "a text drawn", std::move(generate));

  AddInfer(requests, "text", InferText(kTranslator, {Sentences()[0], Sentences()[1]}));
  ModelInferRequest story;
  story.set_model_name("ntm-babi");
  AddText(story, "story", {Fact(0), Fact(1), Fact(2)});
  AddText(story, "question", {Question(0), Question(1)});
  AddInfer(requests, "story", std::move(story));
  AddInfer(requests, "rows", InferRows(2));
  return requests;
}

FixedRequests WrongRequests() {
  using grpc::StatusCode;
  FixedRequests requests;
  AddInfer(requests, "fewer bytes than the shape", InferRows(3), StatusCode::INVALID_ARGUMENT);
  AddInfer(requests, "negative shape", InferRows(-2), StatusCode::INVALID_ARGUMENT);
  AddInfer(requests, "overflowing shape", InferRows(std::numeric_limits<int64_t>::max()), StatusCode::INVALID_ARGUMENT);
  AddInfer(requests, "not UTF-8", InferText(kTranslator, {"\xff\xfe"}), StatusCode::INVALID_ARGUMENT);
  AddInfer(requests, "no such model", InferText("none", {"Hello."}), StatusCode::NOT_FOUND);
  AddInfer(requests, "no inputs", InferText("ntm-copy", {}), StatusCode::INVALID_ARGUMENT);
  v1::TranslateRequest beam;
  beam.add_texts("Hello.");
  beam.mutable_options()->set_beam_size(33);
  AddTranslate(requests, "beam too wide", beam);
  requests.back()->code = StatusCode::INVALID_ARGUMENT;
  v1::Graph edge_to_nowhere = Ring(10, 34, 1);
  edge_to_nowhere.set_edge_targets(0, 10);
  v1::Graph not_a_number = Ring(10, 34, 1);
  not_a_number.mutable_features()->set_values(3, std::numeric_limits<float>::quiet_NaN());
  for (auto& [name, graph] : {std::pair("edge to nowhere", edge_to_nowhere), std::pair("not a number", not_a_number)}) {
    Add<v1::GraphService>(requests, "heed.v1.GraphService/ClassifyNodes", &v1::GraphService::Stub::ClassifyNodes, name,
                          Nodes("gat-karate", graph))
        .code = StatusCode::INVALID_ARGUMENT;
  }
  Add<v1::SequenceService>(requests, "heed.v1.SequenceService/RunSequence", &v1::SequenceService::Stub::RunSequence,
                           "wrong width", Rows("ntm-copy", 5, 2))
      .code = StatusCode::INVALID_ARGUMENT;
  v1::AskRequest stranger;
  stranger.set_session("0123456789abcdef0123456789abcdef");
  stranger.add_questions(Question(0));
  auto& ask = Add<v1::QuestionAnsweringService>(requests, "heed.v1.QuestionAnsweringService/Ask",
                                                &v1::QuestionAnsweringService::Stub::Ask, "no such session",
                                                std::move(stranger));
  ask.code = StatusCode::NOT_FOUND;
  v1::ImportSessionRequest import;
  import.set_data(std::string(1000, 'x'));
  Add<v1::QuestionAnsweringService>(requests, "heed.v1.QuestionAnsweringService/ImportSession",
                                    &v1::QuestionAnsweringService::Stub::ImportSession, "damaged", std::move(import))
      .code = StatusCode::INVALID_ARGUMENT;
  v1::ScoreRequest score;
  score.set_model("ntm-babi");
  score.add_items()->set_text("No language model.");
  Add<v1::LanguageModelingService>(requests, "heed.v1.LanguageModelingService/Score",
                                   &v1::LanguageModelingService::Stub::Score, "a model of another kind",
                                   std::move(score))
      .code = StatusCode::INVALID_ARGUMENT;
  v1::ReadTextRequest read;
  read.set_session("0123456789abcdef0123456789abcdef");
  read.set_text("Nobody reads this.");
  Add<v1::LanguageModelingService>(requests, "heed.v1.LanguageModelingService/ReadText",
                                   &v1::LanguageModelingService::Stub::ReadText, "no such session of texts",
                                   std::move(read))
      .code = StatusCode::NOT_FOUND;
  v1::TranslateRequest huge;
  huge.add_texts(std::string(17 << 20, 'a'));
  auto& large = Add<v1::TranslationService>(requests, "Translate (17 MiB)", &v1::TranslationService::Stub::Translate,
                                            "larger than a message may be", std::move(huge));
  large.code = StatusCode::RESOURCE_EXHAUSTED;
  return requests;
}

void FixedWorker::Step(const std::stop_token& stop) {
  const FixedRequest& one = *requests_[static_cast<size_t>(Draw(0, static_cast<int>(requests_.size()) - 1))];
  Expected expected;
  if (one.code != grpc::StatusCode::OK) {
    expected.codes = {one.code};
    expected.fault = Fault::kSessionPlace;  // whether there is such a session, a place has to tell
    world_.ledger.Count("wrong requests");
  }
  std::string answer;
  const grpc::Status status = Call(
      one.method(), expected, [&](grpc::ClientContext& context) { return one.Send(AnyChannel(), context, answer); });
  if (status.ok()) {
    Check(one.code == grpc::StatusCode::OK,
          [&] { return absl::StrCat(one.method(), " (", one.name, "): was answered, although it is wrong"); });
    Check(answer == one.answer,
          [&] { return absl::StrCat(one.method(), " (", one.name, "): the answer is not the one that it got alone"); });
    world_.ledger.Count("answers compared");
  }
  if (one.code != grpc::StatusCode::OK) Pause(stop, std::chrono::milliseconds(20));
}

}  // namespace heed::chaos
