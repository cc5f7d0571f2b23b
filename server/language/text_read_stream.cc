// SPDX-License-Identifier: Apache-2.0
#include "server/language/text_read_stream.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "server/language/line_buffer.h"
#include "server/language/memory_reading.h"
#include "server/language/text_session_work.h"
#include "server/messages/score_messages.h"
#include "server/rpc/call.h"
#include "server/session_calls/session_exchange.h"

namespace heed {
namespace {

constexpr size_t kMaxPieceBytes = 1 << 20;

}  // namespace

// Shared by the service and whoever tells it of the server's end. One thing is under way at a time: a read, the store's
// or the model's work, or a write. Only its callback, or Refuse during a read, starts the next or ends the call.
class TextReadStreams::Stream
    : public Call,
      public grpc::ServerBidiReactor<Received<v1::ReadTextStreamRequest>, v1::ReadTextStreamResponse>,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(TextReadStreams& streams, grpc::CallbackServerContext& context)
      : Call(streams.parts_.requests, context, "heed.v1.LanguageModelingService/ReadTextStream",
             CallType::kConversation),
        streams_(streams),
        parts_(streams.parts_),
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
    if (const absl::Status status = ok ? Take() : EndOfMessages(); !status.ok()) Finish(End(status));
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(End(absl::CancelledError("the client went before it had its answer")));
    FinishTrace(absl::OkStatus());
    if (response_.has_total()) return Finish(End(absl::OkStatus()));
    bool refusing = false;
    {
      MutexLock lock(mutex_);
      refusing = refusing_;
    }
    refusing ? EndRefused() : GoOn();
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

  void OnDone() override { streams_.streams_.Remove(this); }

 private:
  std::string_view model_name() const override { return model_name_; }

  void EndRefused() { Finish(End(absl::UnavailableError("the server is shutting down"))); }

  // The client has sent all, or is gone.
  absl::Status EndOfMessages() {
    if (context_.IsCancelled()) return absl::CancelledError("the client cancelled the request");
    if (messages_ == 0) {
      return absl::InvalidArgumentError("the stream holds no message; the first one has open or session");
    }
    buffer_->End();
    GoOn();
    return absl::OkStatus();
  }

  // OK: what follows is under way.
  absl::Status Take() {
    const int64_t number = messages_++;
    const auto about = [number](const absl::Status& status) {
      return WithinField(absl::StrCat("message ", number), status);
    };
    if (!received_.status.ok()) {
      return AtMessage(number, received_.status);
    }
    if (message_.text().size() > kMaxPieceBytes) {
      return about(InvalidField("text", "has ", message_.text().size(), " bytes, at most ", kMaxPieceBytes));
    }
    if (number == 0) {
      const absl::Status status = TakeFirst();
      return absl::IsInvalidArgument(status) ? about(status) : status;
    }
    if (message_.begin_case() != v1::ReadTextStreamRequest::BEGIN_NOT_SET || message_.has_options()) {
      return about(absl::InvalidArgumentError("has open, session or options, which the first message alone may have"));
    }
    buffer_->Add(message_.text());
    GoOn();
    return absl::OkStatus();
  }

  absl::Status TakeFirst() {
    HEED_ASSIGN_OR_RETURN(priority_, PriorityOfMetadata());
    HEED_ASSIGN_OR_RETURN(options_, ToReadOptions(message_.options()));
    buffer_.emplace(options_.text.append_line_end);
    buffer_->Add(message_.text());
    switch (message_.begin_case()) {
      case v1::ReadTextStreamRequest::kOpen: {
        HEED_ASSIGN_OR_RETURN(ServedModel served, LookUp(parts_.registry, message_.open().model(),
                                                         message_.open().model_version(), ModelKind::kLanguageModel));
        model_ = ModelAs<LanguageModel>(std::move(served.model));
        HEED_ASSIGN_OR_RETURN(state_, TextSessions::NewState(*model_, message_.open()));
        model_name_ = model_->spec().name;
        GoOn();
        return absl::OkStatus();
      }
      case v1::ReadTextStreamRequest::kSession:
        parts_.store.Find(message_.session(), ModelKind::kLanguageModel, std::nullopt,
                          [self = shared_from_this()](const absl::StatusOr<SessionStore::Found>& found) {
                            if (!found.ok()) return self->Finish(self->End(found.status()));
                            const absl::Status allowed = self->CheckModel((*found)->model_name);
                            if (!allowed.ok()) return self->Finish(self->End(allowed));
                            self->model_name_ = (*found)->model_name;
                            self->session_ = TextSessions::ToProto(self->parts_, **found);
                            self->tokens_before_ = self->session_.tokens_read();
                            self->GoOn();
                          });
        return absl::OkStatus();
      case v1::ReadTextStreamRequest::BEGIN_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError("has neither open nor session, of which the first message has one");
  }

  // Reads the next part, or asks for more, or says what all comes to.
  void GoOn() {
    absl::StatusOr<std::optional<std::string>> part = buffer_->Take();
    if (!part.ok()) return Finish(End(part.status()));
    if (*part) return ReadPart(**std::move(part));
    if (!buffer_->ended()) return Read();
    v1::ReadTextStreamResponse response;
    ScoreOptions sums;
    Fill(total_, sums, *response.mutable_total());
    Answer(std::move(response));
  }

  void ReadPart(std::string text) {
    BeginTrace();
    ScoreRequest request;
    request.options = options_;
    options_.begin = ScoreBegin::kNothing;  // something stands before every other part
    part_bytes_ = static_cast<int64_t>(text.size());
    request.text = std::move(text);
    request.keep_state = true;
    state_ == nullptr ? ReadIntoSession(std::move(request)) : ReadIntoMemory(std::move(request));
  }

  void ReadIntoSession(ScoreRequest request) {
    auto work = std::make_unique<ReadWork>(parts_, std::move(request), bytes_read_);
    ReadWork& reading = *work;  // lives as long as the exchange
    ExchangeRequest change;
    change.session = session_.name();
    change.expected_version = session_.version();
    change.deadline = deadline();
    change.priority = priority_;
    change.trace = trace();
    change.caller = caller();
    const auto exchange = std::make_shared<SessionExchange>(
        parts_, std::move(change), std::move(work), [self = shared_from_this(), &reading](const absl::Status& status) {
          self->SetCancel(nullptr);
          if (!status.ok()) return self->Finish(self->End(status));
          self->session_ = reading.response().session();
          self->tokens_read_ = self->session_.tokens_read() - self->tokens_before_;
          v1::ReadTextStreamResponse response;
          response.mutable_score()->Swap(reading.response().mutable_score());
          self->PartRead(reading.result(), std::move(response));
        });
    if (SetCancel([exchange] { exchange->Cancel(); })) exchange->Cancel();
    exchange->Run();
  }

  void ReadIntoMemory(ScoreRequest request) {
    request.state = state_;
    const ScoreOptions options = request.options;
    // The stream keeps the reading, which must not keep itself by its own callback.
    memory_reading_ = std::make_shared<MemoryReading>(
        parts_, model_, [self = shared_from_this(), options](const absl::Status& status) {
          self->SetCancel(nullptr);
          const std::shared_ptr<MemoryReading> reading = std::move(self->memory_reading_);
          if (!status.ok()) return self->Finish(self->End(status));
          if (const absl::Status full =
                  CheckTextState("text", *self->model_, *reading->task().state(), self->parts_.store.options());
              !full.ok()) {
            return self->Finish(self->End(full));
          }
          self->state_ = reading->task().state();
          self->tokens_read_ = self->state_->units();
          v1::ReadTextStreamResponse response;
          Fill(reading->task().result(), options, *response.mutable_score(), self->bytes_read_);
          self->PartRead(reading->task().result(), std::move(response));
        });
    const std::shared_ptr<MemoryReading> reading = memory_reading_;
    if (SetCancel([reading] { reading->Cancel(); })) reading->Cancel();
    reading->Run(std::move(request), deadline(), priority_, trace());
  }

  void PartRead(const ScoreResult& result, v1::ReadTextStreamResponse response) {
    Add(result, total_);
    bytes_read_ += part_bytes_;
    Answer(std::move(response));
  }

  // What OnCancel does from now on. True: it has come before.
  bool SetCancel(std::function<void()> cancel) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    cancel_.swap(cancel);  // whose last one goes without the lock
    return cancelled_;
  }

  void Answer(v1::ReadTextStreamResponse response) {
    response_ = std::move(response);
    response_.set_bytes_read(bytes_read_);
    response_.set_tokens_read(tokens_read_);
    if (state_ == nullptr) *response_.mutable_session() = session_;
    StartWrite(&response_);
  }

  TextReadStreams& streams_;
  const SessionParts& parts_;

  // Of whatever is under way.
  Received<v1::ReadTextStreamRequest> received_;
  v1::ReadTextStreamRequest& message_ = received_.message;
  v1::ReadTextStreamResponse response_;
  int64_t messages_ = 0;  // taken
  Priority priority_ = kDefaultPriority;
  ScoreOptions options_;              // of the next part
  std::optional<LineBuffer> buffer_;  // since the first message
  std::string model_name_;
  // With a session: as it was last seen.
  v1::TextSession session_;
  int64_t tokens_before_ = 0;  // that it had read
  // Without one: the stream's own.
  std::shared_ptr<const LanguageModel> model_;
  std::shared_ptr<const State> state_;  // null: there is a session
  std::shared_ptr<MemoryReading> memory_reading_;

  int64_t part_bytes_ = 0;
  int64_t bytes_read_ = 0;
  int64_t tokens_read_ = 0;
  ScoreResult total_;

  Mutex mutex_;
  std::function<void()> cancel_ GUARDED_BY(mutex_);  // ends the model's work
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool reading_ GUARDED_BY(mutex_) = false;
  bool refusing_ GUARDED_BY(mutex_) = false;
};

TextReadStreams::TextReadStreams(const SessionParts& parts) : parts_(parts) {}

TextReadStreams::~TextReadStreams() = default;

grpc::ServerBidiReactor<Received<v1::ReadTextStreamRequest>, v1::ReadTextStreamResponse>* TextReadStreams::Begin(
    grpc::CallbackServerContext& context) {
  auto stream = std::make_shared<Stream>(*this, context);
  streams_.Add(stream);
  // Asked once the stream is in the table: if Refuse does not find it there, the scheduler refused before.
  if (!parts_.scheduler.Admit().ok()) stream->Refuse();
  stream->Read();
  return stream.get();
}

void TextReadStreams::Refuse() {
  for (const auto& stream : streams_.All()) stream->Refuse();
}

}  // namespace heed
