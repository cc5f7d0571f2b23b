// SPDX-License-Identifier: Apache-2.0
#include "server/services/question_answering_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "server/messages/expected_version.h"
#include "server/messages/question_messages.h"
#include "server/services/question_work.h"
#include "server/session_calls/exchange_call.h"
#include "server/session_calls/store_call.h"

namespace heed {
namespace {

// Of a request's facts, and of its questions. `model`: empty where a session knows it, which is found later.
int64_t MostSentences(const SessionParts& parts, std::string_view model) {
  return parts.scheduler.LimitsOf(model).max_queued_tasks;
}

// Tell and Ask.
template <typename Response, typename Request>
grpc::ServerUnaryReactor* RunExchange(const SessionParts& parts, grpc::CallbackServerContext& context,
                                      const Request& from, Response& response, std::string_view method) {
  ExchangeRequest request;
  request.session = from.session();
  request.expected_version = ExpectedVersion(from);
  request.request_id = from.request_id();
  absl::StatusOr<std::unique_ptr<SessionWork>> work;
  if (absl::StatusOr<StoryRequest> story = ToStory(from, MostSentences(parts, {})); story.ok()) {
    work = std::make_unique<StoryWork<Response>>(parts.store.options(), *std::move(story));
  } else {
    work = story.status();
  }
  auto* call = new ExchangeCall(parts, context, response, method);
  call->Run(std::move(request), std::move(work));
  return call;
}

}  // namespace

// A story and its questions are one task.
class QuestionAnsweringService::AnswerCall : public UnaryJobCall<v1::AnswerResponse> {
 public:
  AnswerCall(const SessionParts& parts, grpc::CallbackServerContext& context, const v1::AnswerRequest& request,
             v1::AnswerResponse& response)
      : UnaryJobCall(parts.jobs(), context, response, "heed.v1.QuestionAnsweringService/Answer"),
        parts_(parts),
        request_(request) {}

 private:
  const QuestionAnswerer& model() const { return model_as<QuestionAnswerer>(); }

  absl::StatusOr<Tasks> Begin() override {
    HEED_RETURN_IF_ERROR(
        FindModel(parts_.registry, request_.model(), request_.model_version(), ModelKind::kQuestionAnswerer));
    HEED_ASSIGN_OR_RETURN(StoryRequest story, ToStory(request_, MostSentences(parts_, model_name())));
    HEED_ASSIGN_OR_RETURN(std::unique_ptr<StoryTask> task, model().Start(std::move(story)));
    Tasks tasks;
    tasks.push_back(std::move(task));
    return tasks;
  }

  void Respond(v1::AnswerResponse& response) override {
    Fill(static_cast<const StoryTask&>(*tasks()[0]), model(), response);
    response.set_model_version(model_version());
  }

  const SessionParts& parts_;
  const v1::AnswerRequest& request_;
};

QuestionAnsweringService::QuestionAnsweringService(const SessionParts& parts) : parts_(parts), chats_(parts) {
  MarkMethodCallback(MethodIndex(v1::QuestionAnsweringService::service_full_name(), "Chat"),
                     new grpc::internal::CallbackBidiHandler<Received<v1::ChatRequest>, v1::ChatResponse>(
                         [this](grpc::CallbackServerContext* context) { return chats_.Begin(*context); }));
}

// Each of these calls deletes itself in OnDone.

grpc::ServerUnaryReactor* QuestionAnsweringService::Answer(grpc::CallbackServerContext* context,
                                                           const v1::AnswerRequest* request,
                                                           v1::AnswerResponse* response) {
  auto* call = new AnswerCall(parts_, *context, *request, *response);
  call->Run(static_cast<int64_t>(request->ByteSizeLong()));
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::OpenSession(grpc::CallbackServerContext* context,
                                                                const v1::OpenSessionRequest* request,
                                                                v1::OpenSessionResponse* response) {
  auto* call = new StoreCall<QuestionSessions>(parts_, *context, "heed.v1.QuestionAnsweringService/OpenSession");
  call->Open(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::Tell(grpc::CallbackServerContext* context,
                                                         const v1::TellRequest* request, v1::TellResponse* response) {
  return RunExchange(parts_, *context, *request, *response, "heed.v1.QuestionAnsweringService/Tell");
}

grpc::ServerUnaryReactor* QuestionAnsweringService::Ask(grpc::CallbackServerContext* context,
                                                        const v1::AskRequest* request, v1::AskResponse* response) {
  return RunExchange(parts_, *context, *request, *response, "heed.v1.QuestionAnsweringService/Ask");
}

grpc::ServerUnaryReactor* QuestionAnsweringService::ForkSession(grpc::CallbackServerContext* context,
                                                                const v1::ForkSessionRequest* request,
                                                                v1::ForkSessionResponse* response) {
  auto* call = new StoreCall<QuestionSessions>(parts_, *context, "heed.v1.QuestionAnsweringService/ForkSession");
  call->Fork(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::ExportSession(grpc::CallbackServerContext* context,
                                                                  const v1::ExportSessionRequest* request,
                                                                  v1::ExportSessionResponse* response) {
  auto* call = new StoreCall<QuestionSessions>(parts_, *context, "heed.v1.QuestionAnsweringService/ExportSession");
  call->Export(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::ImportSession(grpc::CallbackServerContext* context,
                                                                  const v1::ImportSessionRequest* request,
                                                                  v1::ImportSessionResponse* response) {
  auto* call = new StoreCall<QuestionSessions>(parts_, *context, "heed.v1.QuestionAnsweringService/ImportSession");
  call->Import(*request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::CloseSession(grpc::CallbackServerContext* context,
                                                                 const v1::CloseSessionRequest* request,
                                                                 v1::CloseSessionResponse*) {
  auto* call = new StoreCall<QuestionSessions>(parts_, *context, "heed.v1.QuestionAnsweringService/CloseSession");
  call->Close(*request);
  return call;
}

}  // namespace heed
