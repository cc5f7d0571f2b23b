// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/soak_load.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/bench/bench_sentences.h"
#include "client/bench/bench_story.h"
#include "client/lib/channel.h"
#include "client/lib/graph_message.h"
#include "client/lib/model_kind.h"
#include "client/lib/question_client.h"
#include "client/lib/translation_client.h"
#include "client/lib/unary_call.h"
#include "files/graph_arrays.h"
#include "google/protobuf/message.h"
#include "inference.grpc.pb.h"

namespace heed::client {

class SoakSource {
 public:
  virtual ~SoakSource() = default;
  virtual std::unique_ptr<SoakCall> Send(std::chrono::system_clock::time_point deadline,
                                         grpc::CompletionQueue& queue) = 0;
  virtual void AppendOpenSessions(std::vector<std::string>& /*sessions*/) const {}
};

namespace {

using Deadline = std::chrono::system_clock::time_point;

constexpr std::chrono::seconds kAloneLimit{60};  // for a request that is made alone
constexpr int kGraphs = 8;                       // of a model
constexpr int kSequences = 8;
constexpr int kSequenceRows = 6;  // for a recall model, two items of three
constexpr int kMaxSequenceWidth = 512;

std::string Shortened(const google::protobuf::Message& message) {
  constexpr size_t kMost = 300;
  const std::string text = message.ShortDebugString();
  return text.size() <= kMost ? text : absl::StrCat(text.substr(0, kMost), "...");
}

// "" if the answer is as it has to be.
template <typename Response>
std::string Difference(const Response& answer, const Response& expected) {
  if (answer.SerializeAsString() == expected.SerializeAsString()) return "";
  return absl::StrCat("the answer is {", Shortened(answer), "}, made alone it was {", Shortened(expected), "}");
}

// Makes one call and waits for it.
grpc::Status CallAlone(const std::stop_token& stop, const std::function<grpc::Status(grpc::ClientContext&)>& call) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAloneLimit);
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  return call(context);
}

template <typename Request>
struct UnarySoakCall : SoakCall {
  using Response = typename UnaryCall<Request>::Response;

  bool Advance(bool /*ok*/) override {
    on_end(*this);
    return true;
  }

  Response response;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  std::function<void(UnarySoakCall& call)> on_end;  // whatever its status
};

template <typename Request>
std::unique_ptr<SoakCall> SendUnary(typename UnaryCall<Request>::Stub& stub, const Request& request, Deadline deadline,
                                    grpc::CompletionQueue& queue,
                                    std::function<void(UnarySoakCall<Request>& call)> on_end) {
  auto call = std::make_unique<UnarySoakCall<Request>>();
  call->on_end = std::move(on_end);
  call->context.set_deadline(deadline);
  call->reader = (stub.*UnaryCall<Request>::kAsyncCall)(&call->context, request, &queue);
  call->reader->Finish(&call->response, &call->status, static_cast<LoadCall*>(call.get()));
  return call;
}

// The same few requests again and again.
template <typename Request>
class UnarySource : public SoakSource {
 public:
  using Response = typename UnaryCall<Request>::Response;

  explicit UnarySource(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {}

  grpc::Status Learn(const Request& request, const std::stop_token& stop) {
    Response response;
    const grpc::Status status = CallAlone(stop, [&](grpc::ClientContext& context) {
      return (stub_.*UnaryCall<Request>::kCall)(&context, request, &response);
    });
    if (status.ok()) known_.emplace_back(request, std::move(response));
    return status;
  }

  std::unique_ptr<SoakCall> Send(Deadline deadline, grpc::CompletionQueue& queue) override {
    const std::pair<Request, Response>& known = known_[next_++ % known_.size()];
    return SendUnary<Request>(stub_, known.first, deadline, queue, [&known](UnarySoakCall<Request>& call) {
      if (!call.status.ok()) return;
      const std::string difference = Difference(call.response, known.second);
      if (!difference.empty()) call.SetWrong(difference);
    });
  }

 private:
  typename UnaryCall<Request>::Stub stub_;
  std::vector<std::pair<Request, Response>> known_;
  size_t next_ = 0;
};

// What a stream said, however it was cut into events.
class StreamedText {
 public:
  void Take(const v1::TranslateStreamResponse& event) {
    std::string& sentence = sentences_[{event.text_index(), event.sentence_index()}];
    if (event.has_sentence()) {
      absl::StrAppend(&sentence, " = ", event.sentence().ShortDebugString());
    } else {
      absl::StrAppend(&sentence, event.delta());
    }
  }
  std::string text() const {
    std::string all;
    for (const auto& [place, sentence] : sentences_) {
      absl::StrAppend(&all, place.first, ".", place.second, ": ", sentence, "\n");
    }
    return all;
  }

 private:
  std::map<std::pair<int, int>, std::string> sentences_;
};

class StreamSource : public SoakSource {
 public:
  explicit StreamSource(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {}

  grpc::Status Learn(const v1::TranslateStreamRequest& request, const std::stop_token& stop) {
    StreamedText streamed;
    const grpc::Status status = CallAlone(stop, [&](grpc::ClientContext& context) {
      const auto reader = stub_.TranslateStream(&context, request);
      v1::TranslateStreamResponse event;
      while (reader->Read(&event)) streamed.Take(event);
      return reader->Finish();
    });
    if (status.ok()) known_.emplace_back(request, streamed.text());
    return status;
  }

  std::unique_ptr<SoakCall> Send(Deadline deadline, grpc::CompletionQueue& queue) override {
    const auto& [request, expected] = known_[next_++ % known_.size()];
    auto call = std::make_unique<Call>(expected);
    call->context.set_deadline(deadline);
    call->reader = stub_.AsyncTranslateStream(&call->context, request, &queue, static_cast<LoadCall*>(call.get()));
    return call;
  }

 private:
  struct Call : SoakCall {
    explicit Call(const std::string& text) : expected(text) {}

    bool Advance(bool ok) override {
      void* const tag = static_cast<LoadCall*>(this);
      if (finishing) {
        if (status.ok() && streamed.text() != expected) {
          SetWrong(absl::StrCat("the stream said {", streamed.text(), "}, made alone it said {", expected, "}"));
        }
        return true;
      }
      if (!ok) {
        finishing = true;
        reader->Finish(&status, tag);
        return false;
      }
      if (reading) streamed.Take(event);
      reading = true;
      reader->Read(&event, tag);
      return false;
    }

    const std::string& expected;
    std::unique_ptr<grpc::ClientAsyncReader<v1::TranslateStreamResponse>> reader;
    v1::TranslateStreamResponse event;
    StreamedText streamed;
    bool reading = false;    // the stream has begun
    bool finishing = false;  // and has ended: its status is asked for
  };

  v1::TranslationService::Stub stub_;
  std::vector<std::pair<v1::TranslateStreamRequest, std::string>> known_;
  size_t next_ = 0;
};

// Sessions that go through their course, each with one request on its way at most.
class SessionSource : public SoakSource {
 public:
  SessionSource(const std::shared_ptr<grpc::Channel>& channel, const std::string& model) : stub_(channel) {
    v1::OpenSessionRequest open;
    open.set_model(model);
    steps_.push_back({.request = open});
    const Story story = BenchStory();
    int64_t told = 0;
    v1::AskRequest ask;
    ask.mutable_options()->set_top_k(0);
    for (const AskedQuestion& asked : story.questions) {
      v1::TellRequest tell;
      for (; told < asked.after_facts; ++told) tell.add_facts(story.facts[static_cast<size_t>(told)]);
      if (tell.facts_size() > 0) steps_.push_back({.request = tell});
      ask.clear_questions();
      ask.add_questions(asked.text);
      steps_.push_back({.request = ask});
    }
    steps_.push_back({.request = v1::ForkSessionRequest()});
    steps_.push_back({.request = ask, .on_copy = true});
    steps_.push_back({.request = v1::CloseSessionRequest(), .on_copy = true});
    steps_.push_back({.request = v1::CloseSessionRequest()});
  }

  // Goes through the course alone.
  grpc::Status Learn(const std::stop_token& stop) {
    Session session;
    for (Step& step : steps_) {
      const grpc::Status status = std::visit(
          [&](auto request) {
            using Request = decltype(request);
            typename UnaryCall<Request>::Response response;
            Address(session, step, request);
            const grpc::Status called = CallAlone(stop, [&](grpc::ClientContext& context) {
              return (stub_.*UnaryCall<Request>::kCall)(&context, request, &response);
            });
            if (!called.ok()) return called;
            Keep(step, response, session);
            HideName(response);
            step.expected = response.SerializeAsString();
            return called;
          },
          step.request);
      if (!status.ok()) {
        lost_.insert(lost_.end(), {session.name, session.copy});
        return status;
      }
    }
    return grpc::Status::OK;
  }

  std::unique_ptr<SoakCall> Send(Deadline deadline, grpc::CompletionQueue& queue) override {
    if (idle_.empty()) {
      idle_.push_back(sessions_.size());
      sessions_.emplace_back();
    }
    const size_t place = idle_.front();
    idle_.pop_front();
    const Step& step = steps_[sessions_[place].step];
    return std::visit(
        [&](auto request) {
          using Request = decltype(request);
          Address(sessions_[place], step, request);
          std::unique_ptr<SoakCall> call =
              SendUnary<Request>(stub_, request, deadline, queue,
                                 [this, place, &step](UnarySoakCall<Request>& ended) { End(place, step, ended); });
          // What it makes has to be closed.
          call->awaited =
              std::is_same_v<Request, v1::OpenSessionRequest> || std::is_same_v<Request, v1::ForkSessionRequest>;
          return call;
        },
        step.request);
  }

  void AppendOpenSessions(std::vector<std::string>& sessions) const override {
    const auto append = [&sessions](const std::string& name) {
      if (!name.empty()) sessions.push_back(name);
    };
    std::for_each(lost_.begin(), lost_.end(), append);
    for (const Session& session : sessions_) {
      append(session.name);
      append(session.copy);
    }
  }

 private:
  struct Step {
    std::variant<v1::OpenSessionRequest, v1::TellRequest, v1::AskRequest, v1::ForkSessionRequest,
                 v1::CloseSessionRequest>
        request;
    bool on_copy = false;
    std::string expected;  // without the session's name
  };
  struct Session {
    std::string name;  // empty: none
    std::string copy;
    size_t step = 0;  // the next one
  };

  template <typename Request>
  static void Address(const Session& session, const Step& step, Request& request) {
    if constexpr (!std::is_same_v<Request, v1::OpenSessionRequest>) {
      request.set_session(step.on_copy ? session.copy : session.name);
    }
  }

  template <typename Response>
  static void HideName(Response& response) {
    if constexpr (!std::is_same_v<Response, v1::CloseSessionResponse>) response.mutable_session()->clear_name();
  }

  // What an answer makes of the session.
  template <typename Response>
  static void Keep(const Step& step, const Response& response, Session& session) {
    if constexpr (std::is_same_v<Response, v1::OpenSessionResponse>) {
      session.name = response.session().name();
    } else if constexpr (std::is_same_v<Response, v1::ForkSessionResponse>) {
      session.copy = response.session().name();
    } else if constexpr (std::is_same_v<Response, v1::CloseSessionResponse>) {
      (step.on_copy ? session.copy : session.name).clear();
    }
  }

  template <typename Request>
  void End(size_t place, const Step& step, UnarySoakCall<Request>& call) {
    Session& session = sessions_[place];
    if (call.status.ok()) {
      Keep(step, call.response, session);
      HideName(call.response);
      typename UnaryCall<Request>::Response expected;
      expected.ParseFromString(step.expected);
      const std::string difference = Difference(call.response, expected);
      if (!difference.empty()) call.SetWrong(difference);
    }
    if (call.status.ok()) {
      session.step = (session.step + 1) % steps_.size();
    } else {
      // What may have happened to it is not known: another one takes its place.
      lost_.insert(lost_.end(), {session.name, session.copy});
      session = {};
    }
    idle_.push_back(place);
  }

  v1::QuestionAnsweringService::Stub stub_;
  std::vector<Step> steps_;
  std::deque<Session> sessions_;
  std::deque<size_t> idle_;  // places in sessions_
  std::vector<std::string> lost_;
};

// --- What is asked of graphs.

// The width of the tensor `name` of a model's inputs, as its metadata tell it; 0 if it has no such input.
int64_t InputWidth(const inference::ModelMetadataResponse& metadata, const std::string& name) {
  for (const auto& input : metadata.inputs()) {
    if (input.name() == name && input.shape_size() == 2) return input.shape(1);
  }
  return 0;
}

// 8 to 40 nodes, each with edges both ways to about two others. Wide features are mostly zeros, as bags of words are.
GraphArrays DrawGraph(int64_t width, int64_t edge_width, std::mt19937_64& random) {
  const auto draw = [&random](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
  };
  std::uniform_real_distribution<float> number(0, 1);
  GraphArrays graph;
  graph.features.rows = draw(8, 40);
  graph.features.width = width;
  graph.features.values.resize(static_cast<size_t>(graph.features.rows * width));
  for (int64_t row = 0; row < graph.features.rows; ++row) {
    float* const features = graph.features.values.data() + row * width;
    if (width > 64) {
      for (int word = 0; word < 20; ++word) features[draw(0, width - 1)] = 1;
    } else {
      std::generate_n(features, width, [&] { return number(random); });
    }
  }
  const auto connect = [&graph](int64_t source, int64_t target) {
    graph.sources.push_back(source);
    graph.targets.push_back(target);
  };
  for (int64_t row = 1; row < graph.features.rows; ++row) {
    for (const int64_t other : {draw(0, row - 1), draw(0, row - 1)}) {
      connect(row, other);
      connect(other, row);
    }
  }
  graph.edge_feature_width = edge_width;
  graph.edge_features.resize(graph.sources.size() * static_cast<size_t>(edge_width));
  std::generate(graph.edge_features.begin(), graph.edge_features.end(), [&] { return number(random); });
  return graph;
}

int64_t DrawNode(const GraphArrays& graph, std::mt19937_64& random) {
  return std::uniform_int_distribution<int64_t>(0, graph.features.rows - 1)(random);
}

void FillItems(const GraphArrays& graph, std::mt19937_64& random, v1::ClassifyNodesRequest::Query& query) {
  for (int i = 0; i < 4; ++i) query.add_nodes(DrawNode(graph, random));
}
void FillItems(const GraphArrays& graph, std::mt19937_64& random, v1::ClassifyEdgesRequest::Query& query) {
  for (int i = 0; i < 4; ++i) {
    v1::GraphEdgeId& edge = *query.add_edges();
    edge.set_source(DrawNode(graph, random));
    edge.set_target(DrawNode(graph, random));
  }
}
void FillItems(const GraphArrays&, std::mt19937_64&, v1::ClassifyGraphsRequest::Query&) {}

template <typename Request>
grpc::Status LearnGraphs(const std::shared_ptr<grpc::Channel>& channel, const std::string& model,
                         const std::stop_token& stop, UnarySource<Request>& source) {
  inference::GRPCInferenceService::Stub stub(channel);
  inference::ModelMetadataRequest about;
  about.set_name(model);
  inference::ModelMetadataResponse metadata;
  grpc::Status status =
      CallAlone(stop, [&](grpc::ClientContext& context) { return stub.ModelMetadata(&context, about, &metadata); });
  std::mt19937_64 random(1);
  for (int i = 0; i < kGraphs && status.ok(); ++i) {
    const GraphArrays graph = DrawGraph(InputWidth(metadata, "x"), InputWidth(metadata, "edge_attr"), random);
    Request request;
    request.set_model(model);
    request.mutable_options()->set_top_k(0);
    request.mutable_options()->set_return_attention(i % 4 == 0);
    auto& query = *request.add_queries();
    FillGraph(graph, *query.mutable_graph());
    FillItems(graph, random, query);
    status = source.Learn(request, stop);
  }
  return status;
}

// The server does not tell how wide a sequence model's rows are: the narrowest that it takes.
grpc::Status LearnSequences(const std::string& model, const std::stop_token& stop,
                            UnarySource<v1::RunSequenceRequest>& source) {
  std::mt19937_64 random(1);
  grpc::Status status;
  int learnt = 0;
  for (int width = 1; width <= kMaxSequenceWidth && learnt < kSequences; width += status.ok() ? 0 : 1) {
    v1::RunSequenceRequest request;
    request.set_model(model);
    request.set_width(width);
    for (int i = 0; i < kSequenceRows * width; ++i) request.add_values(static_cast<float>(random() % 2));
    status = source.Learn(request, stop);
    if (status.ok()) ++learnt;
    if (!status.ok() && status.error_code() != grpc::StatusCode::INVALID_ARGUMENT) break;
  }
  return status;
}

// What every language model of a kind of head can be asked: scores and texts, or labels.
template <typename Request, typename Fill>
grpc::Status LearnTexts(const std::string& model, const std::stop_token& stop, UnarySource<Request>& source,
                        const Fill& fill) {
  grpc::Status status;
  for (const std::string& text : BenchSentences()) {
    Request request;
    request.set_model(model);
    fill(text, request);
    if (status.ok()) status = source.Learn(request, stop);
  }
  return status;
}

v1::TranslateRequest TranslationOf(const std::string& model, const std::string& text, int beam) {
  v1::TranslateRequest request;
  request.set_model(model);
  request.add_texts(text);
  request.mutable_options()->set_beam_size(beam);
  return request;
}

}  // namespace

void SoakCall::SetWrong(const std::string& how) {
  wrong = true;
  status = grpc::Status(grpc::StatusCode::DATA_LOSS, how);
}

SoakLoad::SoakLoad(std::shared_ptr<grpc::Channel> channel, std::stop_token stop)
    : channel_(std::move(channel)), stop_(std::move(stop)) {}
SoakLoad::~SoakLoad() = default;

void SoakLoad::Add(const std::string& model, const std::string& request, std::unique_ptr<SoakSource> source) {
  kinds_.push_back({.model = model, .request = request});
  sources_.push_back(std::move(source));
}

grpc::Status SoakLoad::AddModel(const v1::ModelInfo& model) {
  const std::string& name = model.name();
  const std::string kind = KindName(model.kind());
  grpc::Status status;
  if (kind == "translator") {
    for (const auto& [request, beam] : {std::pair("translate", 1), std::pair("translate, beam 4", 4)}) {
      auto source = std::make_unique<UnarySource<v1::TranslateRequest>>(channel_);
      for (const std::string& text : BenchSentences()) {
        if (status.ok()) status = source->Learn(TranslationOf(name, text, beam), stop_);
      }
      Add(name, request, std::move(source));
    }
    auto source = std::make_unique<StreamSource>(channel_);
    for (const std::string& text : BenchSentences()) {
      if (status.ok()) status = source->Learn(StreamRequestOf(TranslationOf(name, text, 1)), stop_);
    }
    Add(name, "stream", std::move(source));
  } else if (kind == "node-classifier") {
    auto source = std::make_unique<UnarySource<v1::ClassifyNodesRequest>>(channel_);
    status = LearnGraphs(channel_, name, stop_, *source);
    Add(name, "classify nodes", std::move(source));
  } else if (kind == "edge-classifier") {
    auto source = std::make_unique<UnarySource<v1::ClassifyEdgesRequest>>(channel_);
    status = LearnGraphs(channel_, name, stop_, *source);
    Add(name, "classify edges", std::move(source));
  } else if (kind == "graph-classifier") {
    auto source = std::make_unique<UnarySource<v1::ClassifyGraphsRequest>>(channel_);
    status = LearnGraphs(channel_, name, stop_, *source);
    Add(name, "classify graphs", std::move(source));
  } else if (kind == kQuestionAnswerer) {
    auto answers = std::make_unique<UnarySource<v1::AnswerRequest>>(channel_);
    const Story story = BenchStory();
    for (const AskedQuestion& asked : story.questions) {
      v1::AnswerRequest request;
      request.set_model(name);
      request.mutable_facts()->Add(story.facts.begin(), story.facts.begin() + asked.after_facts);
      request.add_questions()->set_text(asked.text);
      request.mutable_options()->set_top_k(0);
      if (status.ok()) status = answers->Learn(request, stop_);
    }
    Add(name, "answer", std::move(answers));
    auto sessions = std::make_unique<SessionSource>(channel_, name);
    if (status.ok()) status = sessions->Learn(stop_);
    Add(name, "session", std::move(sessions));
  } else if (kind == "sequence-model") {
    auto source = std::make_unique<UnarySource<v1::RunSequenceRequest>>(channel_);
    status = LearnSequences(name, stop_, *source);
    Add(name, "run", std::move(source));
  } else if (kind == "language-model") {
    return AddLanguageModel(name);
  } else {
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, absl::StrCat("no requests are known for a ", kind));
  }
  return status;
}

grpc::Status SoakLoad::AddLanguageModel(const std::string& name) {
  auto scores = std::make_unique<UnarySource<v1::ScoreRequest>>(channel_);
  grpc::Status status = LearnTexts(name, stop_, *scores, [](const std::string& text, v1::ScoreRequest& request) {
    request.add_items()->set_text(text);
    request.mutable_options()->set_top_k(2);
  });
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {  // it has a head for labels instead
    auto labels = std::make_unique<UnarySource<v1::ClassifyTextsRequest>>(channel_);
    status = LearnTexts(name, stop_, *labels, [](const std::string& text, v1::ClassifyTextsRequest& request) {
      request.add_items()->set_text(text);
      request.set_overlong(v1::OVERLONG_TEXT_TRUNCATE);
    });
    Add(name, "classify texts", std::move(labels));
    return status;
  }
  Add(name, "score", std::move(scores));
  auto texts = std::make_unique<UnarySource<v1::GenerateRequest>>(channel_);
  if (status.ok()) {
    status = LearnTexts(name, stop_, *texts, [](const std::string& text, v1::GenerateRequest& request) {
      request.set_prompt(text);
      request.mutable_options()->set_max_tokens(8);
    });
  }
  Add(name, "generate", std::move(texts));
  return status;
}

SendCall SoakLoad::Send() {
  return [this](size_t number, Deadline deadline, grpc::CompletionQueue& queue) -> std::unique_ptr<LoadCall> {
    const size_t kind = number % sources_.size();
    std::unique_ptr<SoakCall> call = sources_[kind]->Send(deadline, queue);
    call->kind = kind;
    return call;
  };
}

std::vector<std::string> SoakLoad::OpenSessions() const {
  std::vector<std::string> sessions;
  for (const auto& source : sources_) source->AppendOpenSessions(sessions);
  return sessions;
}

}  // namespace heed::client
