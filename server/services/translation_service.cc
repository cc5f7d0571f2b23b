// SPDX-License-Identifier: Apache-2.0
#include "server/services/translation_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "server/messages/translation_messages.h"
#include "server/messages/work_metrics.h"
#include "server/rpc/stream_call.h"
#include "server/services/language_calls.h"
#include "server/translation/translation_work.h"

namespace heed {
namespace {

// Of the sentences that are done.
std::vector<SpanAttribute> TokenAttributes(absl::Span<const std::unique_ptr<Task>> tasks) {
  TokenCounts counts;
  for (const auto& task : tasks) {
    if (!task->finished() || !task->error().ok()) continue;
    const TokenCounts of_task = CountTokens(static_cast<const TranslationTask&>(*task).result());
    counts.source += of_task.source;
    counts.target += of_task.target;
  }
  std::vector<SpanAttribute> attributes;
  attributes.emplace_back("heed.source_tokens", counts.source);
  attributes.emplace_back("heed.target_tokens", counts.target);
  return attributes;
}

}  // namespace

// What both methods share: a call whose work is a TranslationWork. `Base`: a UnaryJobCall or a StreamJobCall.
template <typename Base>
class TranslationService::WorkCall : public Base {
 protected:
  using typename Base::Progress;
  using typename Base::Tasks;

  // `shares`: sentences with other requests.
  template <typename... Arguments>
  WorkCall(TranslationService& service, const TranslationFields& fields, bool shares, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...),
        service_(service),
        fields_(fields),
        work_({service.languages_, service.cache_, service.markup_bytes_, this->allowed_models()}, fields,
              shares ? std::function<void()>([this] { this->Resume(); }) : nullptr) {}

  absl::StatusOr<Tasks> Begin() override {
    const absl::Status planned = work_.Plan(
        [this] {
          return this->LookUp(service_.registry_, fields_.model, fields_.model_version, ModelKind::kTranslator);
        },
        this->LimitsOfStart().check);
    if (!planned.ok()) {
      const bool is_of_a_named_model = fields_.has_languages() && !fields_.model.empty();
      if (absl::IsUnavailable(planned) && is_of_a_named_model) this->CountUnavailable(fields_.model);
      return planned;
    }
    if (work_.next_leg() == nullptr) return Tasks();
    if (work_.may_take_jobs()) {
      auto admission = this->scheduler_.Admit();
      if (!admission.ok()) return admission.status();
      this->SetAdmission(*std::move(admission));
    }
    return StartLeg();
  }

  absl::StatusOr<Progress> AfterJob() override {
    HEED_ASSIGN_OR_RETURN(const TranslationWork::Progress progress,
                          work_.AfterJob(this->tasks(), [this](int64_t bytes) { return this->CheckAnswer(bytes); }));
    // Another thread may go on with a request that waits, and end it, before this one is back here.
    if (progress == TranslationWork::Progress::kWaits) return Progress::kWaits;
    has_given_up_ = progress == TranslationWork::Progress::kGivenUp;
    return progress == TranslationWork::Progress::kDone ? Progress::kDone : Progress::kMore;
  }

  absl::StatusOr<Tasks> Next() override {
    if (has_given_up_) return work_.TakeGivenUp();
    return StartLeg();
  }
  int64_t next_bytes() const override { return work_.next_bytes(); }
  std::vector<SpanAttribute> DescribeWork() const override { return TokenAttributes(this->tasks()); }

  TranslationService& service() { return service_; }
  TranslationWork& work() { return work_; }

 private:
  absl::StatusOr<Tasks> StartLeg() {
    HEED_RETURN_IF_ERROR(this->TakeModel(work_.next_leg()->served));
    return work_.StartLeg(this->LimitsOfStart(), this->priority());
  }

  TranslationService& service_;
  const TranslationFields fields_;
  TranslationWork work_;
  bool has_given_up_ = false;
};

class TranslationService::UnaryCall : public WorkCall<UnaryJobCall<v1::TranslateResponse>> {
 public:
  UnaryCall(TranslationService& service, grpc::CallbackServerContext& context, const v1::TranslateRequest& request,
            v1::TranslateResponse& response)
      : WorkCall(service, TranslationFields(request), /*shares=*/true, service.parts_, context, response,
                 "heed.v1.TranslationService/Translate") {}

  void OnTaskOutput(int index, Task& output) override {
    if (!output.finished()) return;
    const auto& task = static_cast<const TranslationTask&>(output);
    AddTokens(task.result(), model_name(), metrics_);
    CountAnswer(AnswerBytes(task.result()));
    if (task.error().ok()) work().OnFinished(index, task);
  }

  void OnCancel() override {
    Cancel();
    if (!work().Cancel()) return;
    Abandon(Clock::now() >= deadline() ? absl::DeadlineExceededError("the deadline passed before the request was done")
                                       : absl::CancelledError("the client cancelled the request"));
  }

 private:
  void Respond(v1::TranslateResponse& response) override { work().Fill(response); }
};

class TranslationService::StreamCall : public WorkCall<StreamJobCall<v1::TranslateStreamResponse>> {
 public:
  StreamCall(TranslationService& service, grpc::CallbackServerContext& context,
             const v1::TranslateStreamRequest& request)
      : WorkCall(service, TranslationFields(request), /*shares=*/false, service.parts_, context,
                 "heed.v1.TranslationService/TranslateStream", service.stream_limits_),
        request_(request) {}

  void OnTaskOutput(int index, Task& output) override {
    auto& task = static_cast<TranslationTask&>(output);
    if (task.finished()) AddTokens(task.result(), model_name(), metrics_);
    if (!work().is_last_leg()) return;
    const SentencePlace place = work().PlaceOf(index);
    std::vector<v1::TranslateStreamResponse> events;
    std::string delta = work().gives_text() ? task.TakeText() : std::string();
    if (!delta.empty()) *NewEvent(place, events).mutable_delta() = std::move(delta);
    if (task.finished())
      *NewEvent(place, events).mutable_sentence() = ToProto(SentenceOf(task, place), work().detail());
    Send(std::move(events));
  }

 private:
  v1::TranslateStreamResponse& NewEvent(const SentencePlace& place, std::vector<v1::TranslateStreamResponse>& events) {
    v1::TranslateStreamResponse& event = events.emplace_back();
    event.set_text_index(place.text);
    event.set_sentence_index(place.sentence);
    event.set_sentence_count(work().sentence_count(place.text));
    event.set_model(std::string(model_name()));
    event.set_model_version(model_version());
    return event;
  }

  absl::StatusOr<Tasks> Begin() override {
    absl::StatusOr<Tasks> tasks = WorkCall::Begin();
    if (!tasks.ok()) return tasks;
    // Texts that no model translates are one sentence, which is its own translation.
    std::vector<v1::TranslateStreamResponse> events;
    for (const int text : work().untranslated()) {
      v1::TranslateStreamResponse& event = events.emplace_back();
      event.set_text_index(text);
      event.set_sentence_count(1);
      event.mutable_sentence()->set_source(request_.texts(text));
      v1::TranslationHypothesis& hypothesis = *event.mutable_sentence()->add_hypotheses();
      hypothesis.set_text(request_.texts(text));
      hypothesis.set_finish_reason(v1::TRANSLATION_FINISH_REASON_EOS);
    }
    if (!events.empty()) Send(std::move(events));
    return tasks;
  }

  const v1::TranslateStreamRequest& request_;
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
