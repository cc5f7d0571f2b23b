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

namespace heed {
namespace {

// Of a request's facts, and of its questions. `model`: empty where a session knows it, which is found later.
int64_t MostSentences(const QuestionParts& parts, std::string_view model) {
  return parts.scheduler.LimitsOf(model).max_queued_tasks;
}

}  // namespace

// A story and its questions are one task.
class QuestionAnsweringService::AnswerCall : public UnaryJobCall<v1::AnswerResponse> {
 public:
  AnswerCall(const QuestionParts& parts, grpc::CallbackServerContext& context, const v1::AnswerRequest& request,
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

  const QuestionParts& parts_;
  const v1::AnswerRequest& request_;
};

// Tell and Ask.
template <typename Response>
class QuestionAnsweringService::ExchangeCall : public Call, public grpc::ServerUnaryReactor {
 public:
  ExchangeCall(const QuestionParts& parts, grpc::CallbackServerContext& context, Response& response,
               std::string_view method)
      : Call(parts.requests, context, method), parts_(parts), response_(response) {}

  template <typename Request>
  void Run(const Request& from) {
    const absl::StatusOr<Priority> priority = PriorityOfMetadata();
    if (!priority.ok()) return Finish(End(priority.status()));
    absl::StatusOr<StoryRequest> story = ToStory(from, MostSentences(parts_, {}));
    if (!story.ok()) return Finish(End(story.status()));
    ExchangeRequest request;
    request.session = from.session();
    request.expected_version = ExpectedVersion(from);
    request.request_id = from.request_id();
    request.story = *std::move(story);
    request.deadline = deadline();
    request.priority = *priority;
    exchange_ = std::make_shared<Exchange<Response>>(parts_, std::move(request), [this](auto result) {
      if (result.ok()) response_ = *std::move(result);
      Finish(End(result.status(), exchange_->room_may_come()));
    });
    exchange_->Run();
  }

  void OnCancel() override {
    if (exchange_ != nullptr) exchange_->Cancel();
  }
  void OnDone() override { delete this; }

 private:
  std::string_view model_name() const override {
    return exchange_ == nullptr ? std::string_view() : exchange_->model_name();
  }

  const QuestionParts& parts_;
  Response& response_;
  std::shared_ptr<Exchange<Response>> exchange_;  // constant after Run; null: the request was refused before
};

// A request whose answer the store gives, at once or later.
class QuestionAnsweringService::StoreCall : public Call, public grpc::ServerUnaryReactor {
 public:
  StoreCall(const QuestionParts& parts, grpc::CallbackServerContext& context, std::string_view method)
      : Call(parts.requests, context, method), parts_(parts) {}

  // Calls the method with the request and the response, unless the server is shutting down.
  template <typename Request, typename Response>
  void Run(void (StoreCall::*method)(const Request&, Response&), const Request& request, Response& response) {
    auto admission = parts_.scheduler.Admit();
    if (!admission.ok()) return EndWith(admission.status());
    admission_ = *std::move(admission);
    (this->*method)(request, response);
  }

  void Open(const v1::OpenSessionRequest& request, v1::OpenSessionResponse& response) {
    auto served = LookUp(parts_.registry, request.model(), request.model_version(), ModelKind::kQuestionAnswerer);
    if (!served.ok()) return EndWith(served.status());
    CreateSession(parts_, std::move(served->model), AnswerWith(*response.mutable_session()));
  }

  void Fork(const v1::ForkSessionRequest& request, v1::ForkSessionResponse& response) {
    parts_.store.Find(request.session(), ExpectedVersion(request), [this, &response](const auto& found) {
      if (!found.ok()) return EndWith(found.status());
      const Session& session = **found;
      auto model = parts_.store.ModelOf(session);
      if (!model.ok()) return EndWith(model.status());
      parts_.store.Create(*std::move(model), session.state, AnswerWith(*response.mutable_session()));
    });
  }

  void Export(const v1::ExportSessionRequest& request, v1::ExportSessionResponse& response) {
    parts_.store.Find(request.session(), ExpectedVersion(request), [this, &response](const auto& found) {
      if (found.ok()) response.set_data(parts_.store.Export(**found));
      AnswerWith (*response.mutable_session())(found);
    });
  }

  void Import(const v1::ImportSessionRequest& request, v1::ImportSessionResponse& response) {
    room_may_come_ = false;  // for a session with too many facts
    parts_.store.Import(request.data(), request.model(), AnswerWith(*response.mutable_session()));
  }

  void Close(const v1::CloseSessionRequest& request, v1::CloseSessionResponse&) {
    parts_.store.Close(request.session(), [this](const absl::Status& status) { EndWith(status); });
  }

  void OnDone() override { delete this; }

 private:
  std::string_view model_name() const override { return model_name_; }

  // Ends the call with the session that the store gives.
  SessionStore::Done<SessionStore::Found> AnswerWith(v1::QuestionSession& response) {
    return [this, &response](const absl::StatusOr<SessionStore::Found>& found) {
      if (found.ok()) {
        response = SessionToProto(parts_, **found);
        model_name_ = response.model();
      }
      EndWith(found.status());
    };
  }

  void EndWith(const absl::Status& status) {
    admission_ = nullptr;
    Finish(End(status, room_may_come_));
  }

  const QuestionParts& parts_;
  std::unique_ptr<Scheduler::Admission> admission_;
  std::string model_name_;
  bool room_may_come_ = true;
};

QuestionAnsweringService::QuestionAnsweringService(const QuestionParts& parts) : parts_(parts), chats_(parts) {
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
  auto* call = new StoreCall(parts_, *context, "heed.v1.QuestionAnsweringService/OpenSession");
  call->Run(&StoreCall::Open, *request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::Tell(grpc::CallbackServerContext* context,
                                                         const v1::TellRequest* request, v1::TellResponse* response) {
  auto* call = new ExchangeCall<v1::TellResponse>(parts_, *context, *response, "heed.v1.QuestionAnsweringService/Tell");
  call->Run(*request);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::Ask(grpc::CallbackServerContext* context,
                                                        const v1::AskRequest* request, v1::AskResponse* response) {
  auto* call = new ExchangeCall<v1::AskResponse>(parts_, *context, *response, "heed.v1.QuestionAnsweringService/Ask");
  call->Run(*request);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::ForkSession(grpc::CallbackServerContext* context,
                                                                const v1::ForkSessionRequest* request,
                                                                v1::ForkSessionResponse* response) {
  auto* call = new StoreCall(parts_, *context, "heed.v1.QuestionAnsweringService/ForkSession");
  call->Run(&StoreCall::Fork, *request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::ExportSession(grpc::CallbackServerContext* context,
                                                                  const v1::ExportSessionRequest* request,
                                                                  v1::ExportSessionResponse* response) {
  auto* call = new StoreCall(parts_, *context, "heed.v1.QuestionAnsweringService/ExportSession");
  call->Run(&StoreCall::Export, *request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::ImportSession(grpc::CallbackServerContext* context,
                                                                  const v1::ImportSessionRequest* request,
                                                                  v1::ImportSessionResponse* response) {
  auto* call = new StoreCall(parts_, *context, "heed.v1.QuestionAnsweringService/ImportSession");
  call->Run(&StoreCall::Import, *request, *response);
  return call;
}

grpc::ServerUnaryReactor* QuestionAnsweringService::CloseSession(grpc::CallbackServerContext* context,
                                                                 const v1::CloseSessionRequest* request,
                                                                 v1::CloseSessionResponse* response) {
  auto* call = new StoreCall(parts_, *context, "heed.v1.QuestionAnsweringService/CloseSession");
  call->Run(&StoreCall::Close, *request, *response);
  return call;
}

}  // namespace heed
