// SPDX-License-Identifier: Apache-2.0
#include "server/services/translation_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/messages/translation_messages.h"
#include "server/messages/work_metrics.h"
#include "server/rpc/stream_call.h"
#include "server/services/language_calls.h"

namespace heed {

// What both methods share: the request's texts as tasks.
class TranslationService::Translation {
 public:
  // `request`: a TranslateRequest or a TranslateStreamRequest, which have the same fields.
  template <typename Request>
  Translation(const TranslationService& service, const Request& request, bool stream)
      : service_(service),
        model_(request.model()),
        model_version_(request.model_version()),
        texts_(request.texts()),
        options_(request.options()),
        stream_(stream) {}

  const TranslationService& service() const { return service_; }
  const std::string& model() const { return model_; }
  int64_t model_version() const { return model_version_; }

  absl::StatusOr<std::vector<std::unique_ptr<Task>>> Start(const Model& model, const StartLimits& limits) {
    const auto& translator = ModelAs<Translator>(model);
    absl::StatusOr<TranslateOptions> options = ToTranslateOptions(options_, translator.default_options(), stream_);
    if (!options.ok()) return options.status();
    detail_ = ToSentenceDetail(options_);
    if (texts_.size() > limits.max_tasks) {
      return InvalidField("texts", texts_.size(), " texts in one request, at most ", limits.max_tasks);
    }
    absl::StatusOr<StartedTranslation> started =
        translator.Start(std::vector<std::string>(texts_.begin(), texts_.end()), *options, limits);
    if (!started.ok()) return started.status();

    places_ = std::move(started->places);
    trailing_ = std::move(started->trailing);
    sentence_counts_.resize(trailing_.size());
    for (const SentencePlace& place : places_) sentence_counts_[place.text] = place.sentence + 1;
    gives_text_ = options->stream;
    std::vector<std::unique_ptr<Task>> tasks;
    for (auto& task : started->tasks) tasks.push_back(std::move(task));
    return tasks;
  }

  void Fill(absl::Span<const std::unique_ptr<Task>> tasks, v1::TranslateResponse& response) const {
    FillTranslations(tasks, places_, trailing_, detail_, response);
  }

  const SentencePlace& place(int task) const { return places_[static_cast<size_t>(task)]; }
  int sentence_count(int text) const { return sentence_counts_[static_cast<size_t>(text)]; }
  bool gives_text() const { return gives_text_; }
  const SentenceDetail& detail() const { return detail_; }

 private:
  const TranslationService& service_;
  const std::string& model_;
  const int64_t model_version_;
  const google::protobuf::RepeatedPtrField<std::string>& texts_;
  const v1::TranslateOptions& options_;
  const bool stream_;

  // Constant after Start.
  std::vector<SentencePlace> places_;
  std::vector<std::string> trailing_;
  std::vector<int> sentence_counts_;  // of each text
  bool gives_text_ = false;           // tasks give out text as it grows
  SentenceDetail detail_;
};

class TranslationService::UnaryCall : public UnaryJobCall<v1::TranslateResponse> {
 public:
  UnaryCall(TranslationService& service, grpc::CallbackServerContext& context, const v1::TranslateRequest& request,
            v1::TranslateResponse& response)
      : UnaryJobCall(service.parts_, context, response, "heed.v1.TranslationService/Translate"),
        translation_(service, request, /*stream=*/false) {}

  void OnTaskOutput(int, Task& task) override {
    if (!task.finished()) return;
    const SentenceResult& result = static_cast<const TranslationTask&>(task).result();
    AddTokens(result, model_name(), metrics_);
    CountAnswer(AnswerBytes(result));
  }

 private:
  absl::StatusOr<Tasks> Begin() override {
    HEED_RETURN_IF_ERROR(FindModel(translation_.service().registry_, translation_.model(), translation_.model_version(),
                                   ModelKind::kTranslator));
    return translation_.Start(*model_, LimitsOfStart());
  }

  void Respond(v1::TranslateResponse& response) override {
    response.set_model(std::string(model_name()));
    response.set_model_version(model_version());
    translation_.Fill(tasks(), response);
  }

  Translation translation_;
};

class TranslationService::StreamCall : public StreamJobCall<v1::TranslateStreamResponse> {
 public:
  StreamCall(TranslationService& service, grpc::CallbackServerContext& context,
             const v1::TranslateStreamRequest& request)
      : StreamJobCall(service.parts_, context, "heed.v1.TranslationService/TranslateStream", service.stream_limits_),
        service_(service),
        translation_(service, request, /*stream=*/true) {}

  void OnTaskOutput(int index, Task& output) override {
    auto& task = static_cast<TranslationTask&>(output);
    std::vector<v1::TranslateStreamResponse> events;
    std::string delta = translation_.gives_text() ? task.TakeText() : std::string();
    if (!delta.empty()) *NewEvent(index, events).mutable_delta() = std::move(delta);
    if (task.finished()) {
      AddTokens(task.result(), model_name(), metrics_);
      *NewEvent(index, events).mutable_sentence() = ToProto(task, translation_.place(index), translation_.detail());
    }
    Send(std::move(events));
  }

 private:
  v1::TranslateStreamResponse& NewEvent(int index, std::vector<v1::TranslateStreamResponse>& events) const {
    const SentencePlace& place = translation_.place(index);
    v1::TranslateStreamResponse& event = events.emplace_back();
    event.set_text_index(place.text);
    event.set_sentence_index(place.sentence);
    event.set_sentence_count(translation_.sentence_count(place.text));
    event.set_model(std::string(model_name()));
    event.set_model_version(model_version());
    return event;
  }

  absl::StatusOr<Tasks> Begin() override {
    HEED_RETURN_IF_ERROR(
        FindModel(service_.registry_, translation_.model(), translation_.model_version(), ModelKind::kTranslator));
    return translation_.Start(*model_, LimitsOfStart());
  }

  TranslationService& service_;
  Translation translation_;
};

// Each of these calls deletes itself in OnDone.

grpc::ServerUnaryReactor* TranslationService::Translate(grpc::CallbackServerContext* context,
                                                        const v1::TranslateRequest* request,
                                                        v1::TranslateResponse* response) {
  auto* call = new UnaryCall(*this, *context, *request, *response);
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

grpc::ServerWriteReactor<v1::TranslateStreamResponse>* TranslationService::TranslateStream(
    grpc::CallbackServerContext* context, const v1::TranslateStreamRequest* request) {
  auto* call = new StreamCall(*this, *context, *request);
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

grpc::ServerUnaryReactor* TranslationService::ListLanguages(grpc::CallbackServerContext* context,
                                                            const v1::ListLanguagesRequest*,
                                                            v1::ListLanguagesResponse* response) {
  return heed::ListLanguages(languages_, parts_.requests, *context, *response);
}

grpc::ServerUnaryReactor* TranslationService::DetectLanguage(grpc::CallbackServerContext* context,
                                                             const v1::DetectLanguageRequest* request,
                                                             v1::DetectLanguageResponse* response) {
  return DetectLanguages(languages_, parts_, *context, *request, *response);
}

}  // namespace heed
