// SPDX-License-Identifier: Apache-2.0
#include "server/services/question_chat.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/invalid_argument.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "server/messages/question_messages.h"
#include "server/rpc/call.h"
#include "server/scheduling/refusal.h"
#include "server/services/question_work.h"
#include "server/session_calls/session_exchange.h"

namespace heed {
namespace {

// Errors of a sentence, after which the conversation can go on: it is none for the model, there is no room for it, or
// somebody else is changing the session.
bool IsRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status) || absl::IsAborted(status);
}

// The message of an error, which names the field of ChatRequest: a sentence is the only one of its message.
std::string ChatMessage(const absl::Status& status) {
  const std::string field = FieldOf(status);
  absl::string_view rest = status.message();
  const absl::string_view name = field == "facts[0]" ? "fact" : field == "questions[0]" ? "question" : "";
  if (name.empty() || !absl::ConsumePrefix(&rest, field)) return std::string(status.message());
  return absl::StrCat(name, rest);
}

}  // namespace

// Shared by the service and whoever tells it of the server's end. One thing is under way at a time: a read, a message's
// work in the store or the model, or a write. Only its callback, or Refuse during a read, starts the next or ends the
// call.
class QuestionChats::Chat : public Call,
                            public grpc::ServerBidiReactor<Received<v1::ChatRequest>, v1::ChatResponse>,
                            public std::enable_shared_from_this<Chat> {
 public:
  Chat(QuestionChats& chats, grpc::CallbackServerContext& context)
      : Call(chats.parts_.requests, context, "heed.v1.QuestionAnsweringService/Chat", CallType::kConversation),
        chats_(chats),
        parts_(chats.parts_),
        received_(parts_.message_limits) {}

  bool is_paced_by_client() const override { return true; }

  void Read() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (!refusing_) {
        reading_ = true;
        // With the lock held, so that Refuse ends the call before a read or during one. gRPC never calls back from
        // within.
        StartRead(&received_);
        return;
      }
    }
    EndRefused();
  }

  void Refuse() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      refusing_ = true;
      if (!std::exchange(reading_, false)) return;
    }
    EndRefused();
  }

  void OnReadDone(bool ok) override {
    {
      MutexLock lock(mutex_);
      if (!std::exchange(reading_, false)) return;  // Refuse has ended the call
    }
    if (const absl::Status status = ok ? Take() : EndOfMessages(); !status.ok() || !ok) Finish(End(status));
  }

  void OnWriteDone(bool ok) override {
    if (ok) {
      FinishTrace(refusal_);
      Read();
    } else {
      Finish(End(absl::CancelledError("the client went before it had its answer")));
    }
  }

  void OnCancel() override {
    std::function<void()> cancel;
    {
      MutexLock lock(mutex_);
      cancelled_ = true;
      cancel = cancel_;
    }
    if (cancel != nullptr) cancel();
  }

  void OnDone() override { chats_.chats_.Remove(this); }

 private:
  std::string_view model_name() const override { return session_.model(); }

  void EndRefused() { Finish(End(absl::UnavailableError("the server is shutting down"))); }

  // The client has sent all, or is gone.
  absl::Status EndOfMessages() const {
    if (context_.IsCancelled()) return absl::CancelledError("the client cancelled the request");
    if (messages_ > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "the stream holds no message; the first one is open_session, session or import_session");
  }

  // OK: the message's work is under way, and what comes of it is written.
  absl::Status Take() {
    const int64_t number = messages_++;
    BeginTrace();
    refusal_ = absl::OkStatus();
    if (!received_.status.ok()) {
      const absl::Status status = AtMessage(number, received_.status);
      if (number == 0 || RetryDelayOf(status).count() == 0) return status;
      Refused(status);  // there is no room in the limits of who sends it
      return absl::OkStatus();
    }
    SetUse(received_.use);
    switch (request_.message_case()) {
      case v1::ChatRequest::kOpenSession:
      case v1::ChatRequest::kSession:
      case v1::ChatRequest::kImportSession:
        if (number == 0) return TakeSession();
        return absl::InvalidArgumentError(
            absl::StrCat("message ", number, ": has a session, which the first message alone may have"));
      case v1::ChatRequest::kFact:
      case v1::ChatRequest::kQuestion:
        if (number > 0) return request_.has_fact() ? Tell() : Ask();
        return absl::InvalidArgumentError(
            "message 0: is a sentence; the first one is open_session, session or import_session");
      case v1::ChatRequest::MESSAGE_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError(absl::StrCat("message ", number, ": is empty"));
  }

  absl::Status TakeSession() {
    HEED_ASSIGN_OR_RETURN(priority_, PriorityOfMetadata());
    const auto done = [self = shared_from_this()](const absl::StatusOr<SessionStore::Found>& found) {
      if (!found.ok()) return self->Finish(self->End(found.status(), !self->request_.has_import_session()));
      self->session_ = QuestionSessions::ToProto(self->parts_, **found);
      self->Answer(v1::ChatResponse());
    };
    if (request_.has_open_session()) {
      const v1::OpenSessionRequest& open = request_.open_session();
      HEED_ASSIGN_OR_RETURN(ServedModel served,
                            LookUp(parts_.registry, open.model(), open.model_version(), ModelKind::kQuestionAnswerer));
      auto model = ModelAs<StatefulModel>(std::move(served.model));
      auto state = model->NewState();
      parts_.store.Create(std::move(model), std::move(state), done);
    } else if (request_.has_import_session()) {
      parts_.store.Import(
          request_.import_session().data(), request_.import_session().model(), ModelKind::kQuestionAnswerer,
          [this](absl::string_view model) { return CheckModel(model); }, done);
    } else {
      parts_.store.Find(request_.session(), ModelKind::kQuestionAnswerer, std::nullopt,
                        [self = shared_from_this(), done](const absl::StatusOr<SessionStore::Found>& found) {
                          const absl::Status status =
                              found.ok() ? self->CheckModel((*found)->model_name) : found.status();
                          status.ok() ? done(found) : done(status);
                        });
    }
    return absl::OkStatus();
  }

  absl::Status Tell() {
    StoryRequest story;
    story.facts.push_back(std::move(*request_.mutable_fact()));
    Start<v1::TellResponse>(std::move(story), [](v1::TellResponse& from, v1::ChatResponse& to) {
      to.mutable_told()->mutable_unknown_words()->Swap(from.mutable_unknown_words());
    });
    return absl::OkStatus();
  }

  absl::Status Ask() {
    StoryRequest story;
    if (const absl::Status status = SetOptions(request_.options(), story); !status.ok()) {
      Refused(status);
      return absl::OkStatus();
    }
    story.questions.emplace_back().text = std::move(*request_.mutable_question());
    Start<v1::AskResponse>(std::move(story), [](v1::AskResponse& from, v1::ChatResponse& to) {
      to.mutable_answer()->Swap(from.mutable_answers(0));
    });
    return absl::OkStatus();
  }

  template <typename Response>
  void Start(StoryRequest story, void (*fill)(Response& from, v1::ChatResponse& to)) {
    ExchangeRequest request;
    request.session = session_.name();
    request.deadline = deadline();
    request.priority = priority_;
    request.trace = trace();
    request.caller = caller();
    request.use = ReleaseUse();
    auto work = std::make_unique<StoryWork<Response>>(parts_.store.options(), std::move(story));
    Response& response = work->response();  // which lives as long as the exchange
    const auto exchange =
        std::make_shared<SessionExchange>(parts_, std::move(request), std::move(work),
                                          [self = shared_from_this(), fill, &response](const absl::Status& status) {
                                            self->SetCancel(nullptr);
                                            if (!status.ok()) return self->Refused(status);
                                            self->session_ = std::move(*response.mutable_session());
                                            v1::ChatResponse answer;
                                            fill(response, answer);
                                            self->Answer(std::move(answer));
                                          });
    if (SetCancel([exchange] { exchange->Cancel(); })) exchange->Cancel();
    exchange->Run();
  }

  // What OnCancel does from now on. True: it has come before.
  bool SetCancel(std::function<void()> cancel) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    cancel_.swap(cancel);  // whose last one goes without the lock
    return cancelled_;
  }

  void Answer(v1::ChatResponse answer) {
    SetUse({});  // its message is served
    response_ = std::move(answer);
    *response_.mutable_session() = session_;
    StartWrite(&response_);
  }

  void Refused(const absl::Status& status) {
    if (!IsRefusal(status)) return Finish(End(status));
    refusal_ = status;
    v1::ChatResponse answer;
    answer.mutable_refusal()->set_code(status.raw_code());
    answer.mutable_refusal()->set_message(ChatMessage(status));
    Answer(std::move(answer));
  }

  QuestionChats& chats_;
  const SessionParts parts_;

  // Of whatever is under way.
  Received<v1::ChatRequest> received_;
  v1::ChatRequest& request_ = received_.message;
  v1::ChatResponse response_;
  absl::Status refusal_;  // OK: the message is answered
  int64_t messages_ = 0;  // taken
  Priority priority_ = kDefaultPriority;
  v1::QuestionSession session_;  // as it was last seen

  Mutex mutex_;
  std::function<void()> cancel_ GUARDED_BY(mutex_);  // ends the model's work
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool reading_ GUARDED_BY(mutex_) = false;
  bool refusing_ GUARDED_BY(mutex_) = false;
};

QuestionChats::QuestionChats(const SessionParts& parts) : parts_(parts) {}

QuestionChats::~QuestionChats() = default;

grpc::ServerBidiReactor<Received<v1::ChatRequest>, v1::ChatResponse>* QuestionChats::Begin(
    grpc::CallbackServerContext& context) {
  auto chat = std::make_shared<Chat>(*this, context);
  chats_.Add(chat);
  // Asked once the chat is in the table: if Refuse does not find it there, the scheduler refused before.
  if (!parts_.scheduler.Admit().ok()) chat->Refuse();
  chat->Read();
  return chat.get();
}

void QuestionChats::Refuse() {
  for (const auto& chat : chats_.All()) chat->Refuse();
}

}  // namespace heed
