// SPDX-License-Identifier: Apache-2.0
#include "server/language/language_modeling_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "server/language/generation_calls.h"
#include "server/language/text_methods.h"
#include "server/language/text_session_work.h"
#include "server/messages/expected_version.h"
#include "server/messages/generation_messages.h"
#include "server/messages/work_metrics.h"
#include "server/session_calls/exchange_call.h"
#include "server/session_calls/store_call.h"

namespace heed {
namespace {

// A method of text_methods.h, without a session.
template <typename Method>
class TextsCall final : public UnaryJobCall<typename Method::Response> {
 public:
  TextsCall(const SessionParts& parts, grpc::CallbackServerContext& context, const typename Method::Message& message,
            typename Method::Response& response)
      : UnaryJobCall<typename Method::Response>(parts.jobs(), context, response, Method::kName),
        registry_(parts.registry),
        message_(message) {}

  void OnTaskOutput(int, Task& task) override {
    if (!task.finished()) return;
    const auto& result = static_cast<const typename Method::Task&>(task).result();
    AddTextTokens(Method::TokensOf(result), 0, this->model_name(), this->metrics_);
    this->CountAnswer(task.answer_bytes());
  }

 private:
  absl::StatusOr<JobCall::Tasks> Begin() override {
    HEED_RETURN_IF_ERROR(
        this->FindModel(registry_, message_.model(), message_.model_version(), ModelKind::kLanguageModel));
    const StartLimits limits = this->LimitsOfStart();
    HEED_ASSIGN_OR_RETURN(std::vector<typename Method::Request> requests, Method::Convert(message_, limits.max_tasks));
    return StartAll<Method>(this->template model_as<LanguageModel>(), std::move(requests), limits);
  }

  void Respond(typename Method::Response& response) override {
    FillAll<Method>(message_, this->tasks(), response);
    response.set_model(std::string(this->model_name()));
    response.set_model_version(this->model_version());
  }

  const Registry& registry_;
  const typename Method::Message& message_;
};

// Each of these calls deletes itself in OnDone.

template <typename Method>
grpc::ServerUnaryReactor* RunTexts(const SessionParts& parts, grpc::CallbackServerContext& context,
                                   const typename Method::Message& message, typename Method::Response& response) {
  auto* call = new TextsCall<Method>(parts, context, message, response);
  call->Run(static_cast<int64_t>(message.ByteSizeLong()));
  return call;
}

// `request_id`: as far as the method has one.
template <typename Request>
ExchangeRequest ToExchange(const Request& from, const std::string& request_id = "") {
  ExchangeRequest request;
  request.session = from.session();
  request.expected_version = ExpectedVersion(from);
  request.request_id = request_id;
  return request;
}

absl::StatusOr<std::unique_ptr<SessionWork>> ToWork(const SessionParts& parts, const v1::ScoreRequest& request) {
  HEED_ASSIGN_OR_RETURN(auto scores, ToScores(request, parts.scheduler.LimitsOf({}).max_queued_tasks));
  return std::make_unique<ScoreWork>(parts, request, std::move(scores));
}

absl::StatusOr<std::unique_ptr<SessionWork>> ToWork(const SessionParts& parts, const v1::GenerateRequest& request) {
  HEED_RETURN_IF_ERROR(CheckCommit(request));
  return std::make_unique<GenerateWork>(parts, request);
}

absl::StatusOr<std::unique_ptr<SessionWork>> ToWork(const SessionParts& parts, const v1::ReadTextRequest& request) {
  HEED_ASSIGN_OR_RETURN(ScoreRequest read, ToRead(request));
  return std::make_unique<ReadWork>(parts, std::move(read));
}

}  // namespace

LanguageModelingService::LanguageModelingService(const SessionParts& parts, const StreamLimits& stream_limits)
    : parts_(parts), stream_limits_(stream_limits), read_streams_(parts_) {
  MarkMethodCallback(
      MethodIndex(v1::LanguageModelingService::service_full_name(), "ReadTextStream"),
      new grpc::internal::CallbackBidiHandler<Received<v1::ReadTextStreamRequest>, v1::ReadTextStreamResponse>(
          [this](grpc::CallbackServerContext* context) { return read_streams_.Begin(*context); }));
}

grpc::ServerUnaryReactor* LanguageModelingService::Score(grpc::CallbackServerContext* context,
                                                         const v1::ScoreRequest* request, v1::ScoreResponse* response) {
  if (request->session().empty()) return RunTexts<ScoreMethod>(parts_, *context, *request, *response);
  auto* call = new ExchangeCall(parts_, *context, *response, ScoreMethod::kName);
  call->Run(ToExchange(*request), ToWork(parts_, *request));
  return call;
}

grpc::ServerUnaryReactor* LanguageModelingService::Generate(grpc::CallbackServerContext* context,
                                                            const v1::GenerateRequest* request,
                                                            v1::GenerateResponse* response) {
  if (request->session().empty()) {
    auto* call = new GenerateCall(parts_, *context, *request, *response);
    call->Run(static_cast<int64_t>(request->ByteSizeLong()));
    return call;
  }
  auto* call = new ExchangeCall(parts_, *context, *response, "heed.v1.LanguageModelingService/Generate");
  call->Run(ToExchange(*request, request->request_id()), ToWork(parts_, *request));
  return call;
}

grpc::ServerWriteReactor<v1::GenerateStreamResponse>* LanguageModelingService::GenerateStream(
    grpc::CallbackServerContext* context, const v1::GenerateStreamRequest* request) {
  auto* call = new GenerateStreamCall(parts_, *context, *request, stream_limits_);
  call->Start();
  return call;
}

grpc::ServerUnaryReactor* LanguageModelingService::FillIn(grpc::CallbackServerContext* context,
                                                          const v1::FillInRequest* request,
                                                          v1::FillInResponse* response) {
  return RunTexts<FillInMethod>(parts_, *context, *request, *response);
}

grpc::ServerUnaryReactor* LanguageModelingService::ClassifyTexts(grpc::CallbackServerContext* context,
                                                                 const v1::ClassifyTextsRequest* request,
                                                                 v1::ClassifyTextsResponse* response) {
  return RunTexts<ClassifyMethod>(parts_, *context, *request, *response);
}

grpc::ServerUnaryReactor* LanguageModelingService::TagTexts(grpc::CallbackServerContext* context,
                                                            const v1::TagTextsRequest* request,
                                                            v1::TagTextsResponse* response) {
  return RunTexts<TagMethod>(parts_, *context, *request, *response);
}

grpc::ServerUnaryReactor* LanguageModelingService::AnswerFromText(grpc::CallbackServerContext* context,
                                                                  const v1::AnswerFromTextRequest* request,
                                                                  v1::AnswerFromTextResponse* response) {
  return RunTexts<AnswerMethod>(parts_, *context, *request, *response);
}

grpc::ServerUnaryReactor* LanguageModelingService::EmbedTexts(grpc::CallbackServerContext* context,
                                                              const v1::EmbedTextsRequest* request,
                                                              v1::EmbedTextsResponse* response) {
  return RunTexts<EmbedMethod>(parts_, *context, *request, *response);
}

grpc::ServerUnaryReactor* LanguageModelingService::OpenTextSession(grpc::CallbackServerContext* context,
                                                                   const v1::OpenTextSessionRequest* request,
                                                                   v1::OpenTextSessionResponse* response) {
  auto* call = new StoreCall<TextSessions>(parts_, *context, "heed.v1.LanguageModelingService/OpenTextSession");
  call->Open(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* LanguageModelingService::ReadText(grpc::CallbackServerContext* context,
                                                            const v1::ReadTextRequest* request,
                                                            v1::ReadTextResponse* response) {
  auto* call = new ExchangeCall(parts_, *context, *response, "heed.v1.LanguageModelingService/ReadText");
  call->Run(ToExchange(*request, request->request_id()), ToWork(parts_, *request));
  return call;
}

grpc::ServerUnaryReactor* LanguageModelingService::ForkTextSession(grpc::CallbackServerContext* context,
                                                                   const v1::ForkTextSessionRequest* request,
                                                                   v1::ForkTextSessionResponse* response) {
  auto* call = new StoreCall<TextSessions>(parts_, *context, "heed.v1.LanguageModelingService/ForkTextSession");
  call->Fork(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* LanguageModelingService::ExportTextSession(grpc::CallbackServerContext* context,
                                                                     const v1::ExportTextSessionRequest* request,
                                                                     v1::ExportTextSessionResponse* response) {
  auto* call = new StoreCall<TextSessions>(parts_, *context, "heed.v1.LanguageModelingService/ExportTextSession");
  call->Export(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* LanguageModelingService::ImportTextSession(grpc::CallbackServerContext* context,
                                                                     const v1::ImportTextSessionRequest* request,
                                                                     v1::ImportTextSessionResponse* response) {
  auto* call = new StoreCall<TextSessions>(parts_, *context, "heed.v1.LanguageModelingService/ImportTextSession");
  call->Import(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* LanguageModelingService::CloseTextSession(grpc::CallbackServerContext* context,
                                                                    const v1::CloseTextSessionRequest* request,
                                                                    v1::CloseTextSessionResponse*) {
  auto* call = new StoreCall<TextSessions>(parts_, *context, "heed.v1.LanguageModelingService/CloseTextSession");
  call->Close(*request);
  return call;
}

}  // namespace heed
