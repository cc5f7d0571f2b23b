// SPDX-License-Identifier: Apache-2.0
#include "server/services/inference_stream.h"

#include <chrono>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/exception_barrier.h"
#include "base/mutex.h"
#include "grpcpp/alarm.h"
#include "server/rpc/cut_off.h"
#include "server/rpc/outbox.h"
#include "server/rpc/status.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

constexpr char kFinalResponse[] = "triton_final_response";
// Of the client's metadata: errors end the stream.
constexpr char kGrpcErrorKey[] = "triton_grpc_error";

bool WantsGrpcErrors(const grpc::CallbackServerContext& context) {
  const auto [begin, end] = context.client_metadata().equal_range(kGrpcErrorKey);
  return begin != end && std::next(begin) == end && begin->second == "true";
}

}  // namespace

// A stream ends once the client has sent all, the server refuses, or there is a reason (end_), and each request that
// was read is over. What may take long or be called back is done without the lock.
class InferenceStreams::Stream : public grpc::ServerBidiReactor<Received<ModelInferRequest>, ModelStreamInferResponse>,
                                 public std::enable_shared_from_this<Stream> {
 public:
  Stream(InferenceStreams& streams, grpc::CallbackServerContext& context)
      : streams_(streams),
        parts_(streams.parts_),
        context_(context),
        grpc_errors_(WantsGrpcErrors(context)),
        cut_off_(context),
        incoming_(parts_.message_limits),
        outbox_(parts_.max_stream_events) {}

  void Start() EXCLUDES(mutex_) { Advance(); }

  void Refuse() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      refusing_ = true;
    }
    Advance();
  }

  void OnReadDone(bool ok) override EXCLUDES(mutex_);
  void OnWriteDone(bool ok) override EXCLUDES(mutex_);
  void OnCancel() override EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      End(absl::CancelledError("the client cancelled the request"));
    }
    Advance();
  }
  void OnDone() override {
    cut_off_.Disarm();
    streams_.streams_.Remove(this);
  }

  // For requests, whose state is guarded by it, too.
  Mutex& mutex() { return mutex_; }
  const InferenceParts& parts() const { return parts_; }
  grpc::CallbackServerContext& context() { return context_; }
  // Sends and reads what can be sent and read now, and ends the stream if it is to end.
  void Advance() EXCLUDES(mutex_);

 private:
  // What goes to the client; and the request that it is the last response to, if it is: that is over once it is
  // written.
  struct Sent {
    ModelStreamInferResponse response;
    std::shared_ptr<Request> answered;
  };

  // Moves the responses that are ready to the outbox, those to the oldest request first. Requests that get no answer go
  // to `dropped`.
  void Collect(std::vector<std::shared_ptr<Request>>& dropped) REQUIRES(mutex_);
  // The stream is to end with `status`: what is not being sent is dropped, jobs under way are cancelled.
  void End(const absl::Status& status) REQUIRES(mutex_);
  void EndLagging(const absl::Status& status) REQUIRES(mutex_);
  // The same behind the responses that wait to be sent.
  void EndAfterAnswers(const absl::Status& status) REQUIRES(mutex_);
  void CancelJobs() REQUIRES(mutex_);
  // Sees to it that a write which the reader does not take ends the stream.
  void WatchReader() REQUIRES(mutex_);
  void CheckReader(int64_t written) EXCLUDES(mutex_);

  InferenceStreams& streams_;
  const InferenceParts& parts_;
  grpc::CallbackServerContext& context_;
  const bool grpc_errors_;
  CutOff cut_off_;
  Received<ModelInferRequest> incoming_;  // of the read under way

  Mutex mutex_;
  std::deque<std::shared_ptr<Request>> requests_ GUARDED_BY(mutex_);  // that are not answered, oldest first
  int64_t request_bytes_ GUARDED_BY(mutex_) = 0;                      // of them
  Outbox<Sent> outbox_ GUARDED_BY(mutex_);
  int64_t messages_ GUARDED_BY(mutex_) = 0;                // read
  int64_t written_ GUARDED_BY(mutex_) = 0;                 // responses
  std::unique_ptr<grpc::Alarm> alarm_ GUARDED_BY(mutex_);  // null: nobody watches the reader
  bool reading_ GUARDED_BY(mutex_) = false;
  bool read_all_ GUARDED_BY(mutex_) = false;  // the client sends no more
  bool refusing_ GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ GUARDED_BY(mutex_);
  bool finished_ GUARDED_BY(mutex_) = false;
};

// A request of a stream. The stream's lock guards what is below "under the lock".
class InferenceStreams::Request : public InferJob {
 public:
  Request(std::shared_ptr<Stream> stream, std::unique_ptr<ModelInferRequest> message)
      : InferJob(stream->parts(), stream->context(), *message, /*stream=*/true),
        stream_(std::move(stream)),
        message_(std::move(message)),
        bytes_(static_cast<int64_t>(message_->ByteSizeLong())) {}

  int64_t bytes() const { return bytes_; }

  void OnTaskOutput(int index, Task& task) override {
    Count(task);
    {
      MutexLock lock(stream_->mutex());
      begun_ = true;
      TakeOutput(index, task);
    }
    stream_->Advance();
  }

  // In place of Run: the message was refused, and is empty.
  void Refuse(const absl::Status& status) { OnWorkDone(status); }

  // Under the lock.
  bool over() const { return status_.has_value(); }
  const absl::Status& status() const { return *status_; }
  void CancelJob() { Cancel(); }
  void SetParked(bool parked) {
    if (parked == parked_ || !begun_ || over()) return;
    parked_ = parked;
    scheduler_.SetBacklogged(*job_, parked);
  }
  // The responses that can be sent now. Those of a request that is over are the last, and at least one.
  std::vector<ModelStreamInferResponse> TakeResponses() {
    if (begun_ && !over() && !failure_) {
      if (absl::Status status = AddParts(/*finished=*/false); !status.ok()) {
        failure_ = std::move(status);
        Cancel();
      }
    }
    return std::exchange(responses_, {});
  }

 private:
  void OnWorkDone(const absl::Status& status) override {
    const std::shared_ptr<Stream> stream = stream_;  // this request may be gone before Advance returns
    {
      MutexLock lock(stream->mutex());
      status_ = failure_.value_or(status);
      if (status_->ok()) status_ = AddParts(/*finished=*/true);
      if (!status_->ok()) {
        responses_.clear();
        responses_.emplace_back().set_error_message(ToGrpcStatus(*status_).error_message());
        FillHeader(*responses_.back().mutable_infer_response());
      }
      SetFinal(responses_.back(), true);
      GiveBackIfRefused(*status_);
      End(*status_, /*room_may_come=*/false);
    }
    stream->Advance();
  }

  // What the model has given since the last time.
  absl::Status AddParts(bool finished) {
    return WithoutExceptions([&]() -> absl::Status {
      for (ModelInferResponse part; NextPart(finished, part); part.Clear()) {
        if (absl::Status status = CheckSize(part); !status.ok()) return status;
        responses_.emplace_back().mutable_infer_response()->Swap(&part);
        SetFinal(responses_.back(), false);
      }
      if (finished && ends_with_empty_response()) FillHeader(*responses_.emplace_back().mutable_infer_response());
      return absl::OkStatus();
    });
  }

  static void SetFinal(ModelStreamInferResponse& response, bool is_final) {
    (*response.mutable_infer_response()->mutable_parameters())[kFinalResponse].set_bool_param(is_final);
  }

  const std::shared_ptr<Stream> stream_;
  const std::unique_ptr<ModelInferRequest> message_;
  const int64_t bytes_;
  // Under the lock.
  bool begun_ = false;                   // a task has given something out
  std::optional<absl::Status> failure_;  // of the answer, while the job goes on
  std::optional<absl::Status> status_;   // set when the job has ended, or there is none
  std::vector<ModelStreamInferResponse> responses_;
  bool parked_ = false;
};

void InferenceStreams::Stream::OnReadDone(bool ok) {
  std::shared_ptr<Request> request;
  absl::Status refused;  // its message, for want of room in the limits of who sends it
  {
    MutexLock lock(mutex_);
    reading_ = false;
    if (finished_) return;
    if (!ok) {
      read_all_ = true;
    } else if (!incoming_.status.ok() && RetryDelayOf(incoming_.status).count() == 0) {
      EndAfterAnswers(AtMessage(messages_, incoming_.status));
    } else if (!end_) {
      if (!incoming_.status.ok()) refused = AtMessage(messages_, incoming_.status);
      ++messages_;
      auto message = std::make_unique<ModelInferRequest>();
      if (refused.ok()) message->Swap(&incoming_.message);
      const CallerScope scope(incoming_.caller, incoming_.use);
      request = std::make_shared<Request>(shared_from_this(), std::move(message));
      requests_.push_back(request);
      request_bytes_ += request->bytes();
    }
  }
  if (request != nullptr) refused.ok() ? request->Run(request->bytes()) : request->Refuse(refused);
  Advance();
}

void InferenceStreams::Stream::OnWriteDone(bool ok) {
  {
    Sent sent;  // destroyed without the lock
    MutexLock lock(mutex_);
    sent = outbox_.Written();
    ++written_;
    if (!ok) End(absl::CancelledError("the client went before it had its answers"));
  }
  Advance();
}

void InferenceStreams::Stream::Advance() {
  const Sent* write = nullptr;
  std::optional<absl::Status> end;
  std::vector<std::shared_ptr<Request>> dropped;
  {
    MutexLock lock(mutex_);
    if (finished_) return;
    Collect(dropped);
    write = outbox_.Next();
    if (write != nullptr) WatchReader();
    if (!reading_ && !read_all_ && !refusing_ && !end_ && requests_.size() < kMaxStreamRequests &&
        request_bytes_ < kMaxStreamRequestBytes) {
      reading_ = true;
      // With the lock held, so that the stream ends before a read or during one. gRPC never calls back from within.
      StartRead(&incoming_);
    }
    if (requests_.empty() && outbox_.empty() && (read_all_ || refusing_ || end_)) {
      finished_ = true;
      end = end_ ? *end_ : read_all_ ? absl::OkStatus() : absl::UnavailableError("the server is shutting down");
    }
  }
  dropped.clear();
  if (write != nullptr) {
    StartWrite(&write->response);
  } else if (end) {
    Finish(ToGrpcStatus(*end));
  }
}

void InferenceStreams::Stream::Collect(std::vector<std::shared_ptr<Request>>& dropped) {
  while (!requests_.empty()) {
    const std::shared_ptr<Request>& oldest = requests_.front();
    const bool failed = oldest->over() && !oldest->status().ok();
    if (!end_ && failed && absl::IsAborted(oldest->status())) EndLagging(oldest->status());
    if (!end_ && failed && grpc_errors_) EndAfterAnswers(oldest->status());
    if (end_) {
      if (!oldest->over()) return;
      dropped.push_back(oldest);
    } else {
      if (!outbox_.full()) {
        std::vector<ModelStreamInferResponse> responses = oldest->TakeResponses();
        for (size_t i = 0; i < responses.size(); ++i) {
          const bool last = oldest->over() && i + 1 == responses.size();
          outbox_.Add({std::move(responses[i]), last ? oldest : nullptr});
        }
      } else if (oldest->over()) {
        return;
      }
      oldest->SetParked(outbox_.full());
      if (!oldest->over()) return;
    }
    request_bytes_ -= oldest->bytes();
    requests_.pop_front();
  }
}

void InferenceStreams::Stream::End(const absl::Status& status) {
  if (!end_) end_ = status;
  outbox_.Drop();
  CancelJobs();
}

void InferenceStreams::Stream::EndAfterAnswers(const absl::Status& status) {
  if (!end_) end_ = status;
  CancelJobs();
}

void InferenceStreams::Stream::EndLagging(const absl::Status& status) {
  End(status);
  cut_off_.After(parts_.max_reader_lag);
}

void InferenceStreams::Stream::CancelJobs() {
  for (const auto& request : requests_) request->CancelJob();
}

void InferenceStreams::Stream::WatchReader() {
  if (alarm_ != nullptr) return;
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(std::chrono::system_clock::now() +
                  std::chrono::duration_cast<std::chrono::system_clock::duration>(parts_.max_reader_lag),
              [stream = weak_from_this(), written = written_](bool due) {
                const std::shared_ptr<Stream> alive = due ? stream.lock() : nullptr;
                if (alive != nullptr) alive->CheckReader(written);
              });
}

void InferenceStreams::Stream::CheckReader(int64_t written) {
  {
    MutexLock lock(mutex_);
    alarm_ = nullptr;
    if (finished_ || !outbox_.writing()) return;
    if (written_ == written) {
      EndLagging(absl::AbortedError("the reader of the stream did not take its answers in time"));
    } else {
      WatchReader();
    }
  }
  Advance();
}

InferenceStreams::InferenceStreams(const InferenceParts& parts) : parts_(parts) {}

InferenceStreams::~InferenceStreams() = default;

grpc::ServerBidiReactor<Received<ModelInferRequest>, ModelStreamInferResponse>* InferenceStreams::Begin(
    grpc::CallbackServerContext& context) {
  auto stream = std::make_shared<Stream>(*this, context);
  streams_.Add(stream);
  // Asked once the stream is in the table: if Refuse does not find it there, the scheduler refused before.
  if (!parts_.jobs.scheduler.Admit().ok()) stream->Refuse();
  stream->Start();
  return stream.get();
}

void InferenceStreams::Refuse() {
  for (const auto& stream : streams_.All()) stream->Refuse();
}

}  // namespace heed
