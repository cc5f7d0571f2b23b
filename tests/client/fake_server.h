// SPDX-License-Identifier: Apache-2.0
// A Heed server without models, for the client's tests: every service of heed.v1 and grpc.health.v1 on a loopback port,
// with failures on request. What it "translates" is the text in brackets.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "heed/v1/models.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"
#include "tests/client/fake_graphs.h"
#include "tests/client/fake_questions.h"
#include "tests/client/fake_sequences.h"
#include "tests/client/fake_texts.h"

namespace heed::client {

// The refusal of a full queue, with the delay that a server asks for.
inline grpc::Status QueueFull(const std::string& message = "queue full") {
  return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, message, /*error_details=*/"1");
}

class FakeServer {
 public:
  // The status of the `attempt`-th try (from 1) of a text; its details, if any, are the delay in milliseconds that the
  // server asks for before another try. Called on gRPC's threads, several at a time; may block.
  using Behavior = std::function<grpc::Status(const std::string& text, int attempt)>;

  explicit FakeServer(Behavior behavior = [](const std::string&, int) { return grpc::Status::OK; })
      : behavior_(std::move(behavior)) {
    AddModel("en-de", v1::MODEL_STATE_READY);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&translation_);
    builder.RegisterService(&graphs_);
    builder.RegisterService(&questions_);
    builder.RegisterService(&sequences_);
    builder.RegisterService(&texts_);
    builder.RegisterService(&models_);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() { Stop(); }

  // Ends the calls under way; afterwards none comes. A run that gives up, or whose time is over, leaves such calls.
  void Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  std::string flag() const { return "--server=" + address(); }

  v1::ModelInfo& AddModel(const std::string& name, v1::ModelState state, const std::string& kind = "translator") {
    v1::ModelInfo& model = *model_list_.add_models();
    model.set_name(name);
    model.set_kind(KindOf(kind));
    model.set_state(state);
    return model;
  }
  // "node-classifier" is MODEL_KIND_NODE_CLASSIFIER.
  static v1::ModelKind KindOf(const std::string& kind) {
    v1::ModelKind result = v1::MODEL_KIND_UNSPECIFIED;
    (void)v1::ModelKind_Parse(
        absl::StrCat("MODEL_KIND_", absl::AsciiStrToUpper(absl::StrReplaceAll(kind, {{"-", "_"}}))), &result);
    return result;
  }
  FakeGraphs& graphs() { return graphs_; }
  FakeQuestions& questions() { return questions_; }
  FakeSequences& sequences() { return sequences_; }
  FakeTexts& texts() { return texts_; }
  const v1::LoadModelRequest& last_load() const { return last_load_; }
  void ClearModels() { model_list_.clear_models(); }

  // Answers of the health service, in the order Watch gives them; Check gives the last.
  void SetHealth(const std::string& service, std::vector<grpc::health::v1::HealthCheckResponse::ServingStatus> states) {
    states_[service] = std::move(states);
  }
  // Watches go on behind the states that were set, until their caller ends them.
  void HoldWatches() { holds_watches_ = true; }
  // What TranslateStream sends.
  void SetEvents(std::vector<v1::TranslateStreamResponse> events) { events_ = std::move(events); }
  // Changes the models before each list of them is sent. Called on gRPC's threads, one call at a time.
  void OnList(std::function<void(v1::ListModelsResponse&)> on_list) { on_list_ = std::move(on_list); }
  // What ListLanguages answers.
  v1::ListLanguagesResponse& languages() { return languages_; }
  // Changes an answer before it is sent.
  void SetEdit(std::function<void(v1::TranslatedText&)> edit) { edit_ = std::move(edit); }

  int max_running() const {
    const std::lock_guard lock(mutex_);
    return max_running_;
  }
  int attempts(const std::string& text) const {
    const std::lock_guard lock(mutex_);
    const auto found = attempts_.find(text);
    return found == attempts_.end() ? 0 : found->second;
  }
  v1::TranslateRequest last_request() const {
    const std::lock_guard lock(mutex_);
    return last_request_;
  }
  // Blocks until so many calls have run at a time.
  void WaitForRunning(int count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return max_running_ >= count; });
  }

 private:
  grpc::Status Arrive(const v1::TranslateRequest& request, grpc::ServerContext& context) {
    int attempt = 0;
    {
      const std::lock_guard lock(mutex_);
      last_request_ = request;
      attempt = ++attempts_[request.texts(0)];
      max_running_ = std::max(max_running_, ++running_);
    }
    changed_.notify_all();
    const grpc::Status status = behavior_(request.texts(0), attempt);
    if (!status.error_details().empty()) context.AddTrailingMetadata("grpc-retry-pushback-ms", status.error_details());
    const std::lock_guard lock(mutex_);
    --running_;
    return status;
  }

  class Translation : public v1::TranslationService::Service {
   public:
    explicit Translation(FakeServer& server) : server_(server) {}
    grpc::Status Translate(grpc::ServerContext* context, const v1::TranslateRequest* request,
                           v1::TranslateResponse* response) override {
      const grpc::Status status = server_.Arrive(*request, *context);
      if (!status.ok()) return status;
      for (const std::string& text : request->texts()) {
        v1::TranslatedText& answer = *response->add_translations();
        answer.set_text(text.empty() ? "" : absl::StrCat("[", text, "]"));
        answer.set_finish_reason(v1::TRANSLATION_FINISH_REASON_EOS);
        answer.set_source_token_count(3);
        answer.set_target_token_count(4);
        if (server_.edit_) server_.edit_(answer);
      }
      return grpc::Status::OK;
    }
    grpc::Status TranslateStream(grpc::ServerContext* context, const v1::TranslateStreamRequest* stream_request,
                                 grpc::ServerWriter<v1::TranslateStreamResponse>* writer) override {
      v1::TranslateRequest request;  // the fields are the same, and have the same numbers
      request.ParseFromString(stream_request->SerializeAsString());
      const grpc::Status status = server_.Arrive(request, *context);
      if (!status.ok()) return status;
      for (const v1::TranslateStreamResponse& event : server_.events_) writer->Write(event);
      return grpc::Status::OK;
    }
    grpc::Status ListLanguages(grpc::ServerContext*, const v1::ListLanguagesRequest*,
                               v1::ListLanguagesResponse* response) override {
      *response = server_.languages_;
      return grpc::Status::OK;
    }
    // A text of one word is in the language that it names, one without any in none. The languages that were asked for
    // come behind it.
    grpc::Status DetectLanguage(grpc::ServerContext*, const v1::DetectLanguageRequest* request,
                                v1::DetectLanguageResponse* response) override {
      for (const std::string& text : request->texts()) {
        v1::DetectedLanguages& detected = *response->add_texts();
        if (text.empty()) continue;
        v1::LanguageGuess& guess = *detected.add_guesses();
        guess.set_language(text);
        guess.set_confidence(0.75F);
        for (const std::string& language : request->languages()) detected.add_guesses()->set_language(language);
      }
      return grpc::Status::OK;
    }

   private:
    FakeServer& server_;
  };

  class Models : public v1::ModelService::Service {
   public:
    explicit Models(FakeServer& server) : server_(server) {}
    // In pages of two, whose tokens are numbers.
    grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest* request,
                            v1::ListModelsResponse* response) override {
      int next = request->page_token().empty() ? 0 : std::stoi(request->page_token());
      if (next == 0 && server_.on_list_) server_.on_list_(server_.model_list_);
      const v1::ListModelsResponse& list = server_.model_list_;
      for (int i = 0; i < 2 && next < list.models_size(); ++i) *response->add_models() = list.models(next++);
      if (next < list.models_size()) response->set_next_page_token(std::to_string(next));
      return grpc::Status::OK;
    }
    // Of a model of the list; "broken" fails.
    grpc::Status LoadModel(grpc::ServerContext*, const v1::LoadModelRequest* request,
                           v1::LoadModelResponse* response) override {
      if (request->model() == "broken") return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "no config.json");
      server_.last_load_ = *request;
      for (const v1::ModelInfo& model : server_.model_list_.models()) {
        if (model.name() == request->model()) *response->add_versions() = model;
      }
      return response->versions_size() > 0 ? grpc::Status::OK : grpc::Status(grpc::StatusCode::NOT_FOUND, "no model");
    }
    grpc::Status UnloadModel(grpc::ServerContext*, const v1::UnloadModelRequest* request,
                             v1::UnloadModelResponse*) override {
      for (v1::ModelInfo& model : *server_.model_list_.mutable_models()) {
        if (model.name() != request->model()) continue;
        model.set_state(v1::MODEL_STATE_UNLOADED);
        return grpc::Status::OK;
      }
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "no model");
    }

   private:
    FakeServer& server_;
  };

  class Health : public grpc::health::v1::Health::Service {
   public:
    explicit Health(FakeServer& server) : server_(server) {}
    grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                       grpc::health::v1::HealthCheckResponse* response) override {
      const auto found = server_.states_.find(request->service());
      if (found == server_.states_.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such service");
      response->set_status(found->second.back());
      return grpc::Status::OK;
    }
    grpc::Status Watch(grpc::ServerContext* context, const grpc::health::v1::HealthCheckRequest* request,
                       grpc::ServerWriter<grpc::health::v1::HealthCheckResponse>* writer) override {
      for (const auto state : server_.states_[request->service()]) {
        grpc::health::v1::HealthCheckResponse response;
        response.set_status(state);
        writer->Write(response);
      }
      while (server_.holds_watches_ && !context->IsCancelled()) std::this_thread::yield();
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down");
    }

   private:
    FakeServer& server_;
  };

  // Set before the first call, apart from what mutex_ guards.
  const Behavior behavior_;
  v1::ListModelsResponse model_list_;
  v1::ListLanguagesResponse languages_;
  v1::LoadModelRequest last_load_;
  std::map<std::string, std::vector<grpc::health::v1::HealthCheckResponse::ServingStatus>> states_;
  std::atomic<bool> holds_watches_ = false;
  std::vector<v1::TranslateStreamResponse> events_;
  std::function<void(v1::TranslatedText&)> edit_;
  std::function<void(v1::ListModelsResponse&)> on_list_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Guarded by mutex_.
  int running_ = 0;
  int max_running_ = 0;
  std::map<std::string, int> attempts_;
  v1::TranslateRequest last_request_;

  int port_ = 0;
  Translation translation_{*this};
  FakeGraphs graphs_;
  FakeQuestions questions_;
  FakeSequences sequences_;
  FakeTexts texts_;
  Models models_{*this};
  Health health_{*this};
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace heed::client
