#include "server/services/translation.h"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/status_macros.h"
#include "grpcpp/alarm.h"
#include "server/services/call.h"
#include "server/services/translation_messages.h"
#include "server/services/work_metrics.h"

namespace heed {

// What both methods share: one request, from its arrival to its end.
class TranslationService::Call : public JobCall {
 public:
  Call(TranslationService& service, grpc::CallbackServerContext& context, const v1::TranslateRequest& request,
       std::string_view method)
      : JobCall(service.requests_, service.scheduler_, context, method), service_(service), request_(request) {}

 protected:
  // Looks the model up, converts, starts and submits. OK: the job was accepted, or there is none because there are no
  // texts; the observer's calls may already have come. Otherwise they never come.
  absl::Status Begin(bool stream) {
    HEED_RETURN_IF_ERROR(FindModel(service_.registry_, request_.model(), "translator"));
    const auto& translator = static_cast<const Translator&>(*model_);
    absl::StatusOr<TranslateOptions> options =
        ToTranslateOptions(request_.options(), translator.default_options(), stream);
    if (!options.ok()) return options.status();
    detail_ = ToSentenceDetail(request_.options());
    absl::StatusOr<StartedTranslation> started =
        translator.Start({request_.texts().begin(), request_.texts().end()}, *options);
    if (!started.ok()) return started.status();

    places_ = std::move(started->places);
    trailing_ = std::move(started->trailing);
    sentence_counts_.resize(trailing_.size());
    for (const SentencePlace& place : places_) sentence_counts_[place.text] = place.sentence + 1;
    gives_text_ = options->stream;
    if (started->tasks.empty()) return absl::OkStatus();
    std::vector<std::unique_ptr<Task>> tasks;
    for (auto& task : started->tasks) tasks.push_back(std::move(task));
    return Submit(std::move(tasks));
  }

  void CountTokensOf(const TranslationTask& task) { AddTokens(task.result(), model_name(), metrics_); }

  TranslationService& service_;
  const v1::TranslateRequest& request_;

  // Constant once Begin has called Submit.
  std::vector<SentencePlace> places_;
  std::vector<std::string> trailing_;
  std::vector<int> sentence_counts_;  // of each text
  bool gives_text_ = false;           // tasks give out text as it grows
  SentenceDetail detail_;
};

class TranslationService::UnaryCall : public Call, public grpc::ServerUnaryReactor {
 public:
  UnaryCall(TranslationService& service, grpc::CallbackServerContext& context, const v1::TranslateRequest& request,
            v1::TranslateResponse& response)
      : Call(service, context, request, "Translate"), response_(response) {}

  void Run() {
    const absl::Status status = Begin(/*stream=*/false);
    if (!status.ok()) {
      Finish(End(status));
    } else if (!has_job()) {
      response_.set_model(std::string(model_name()));
      Finish(End(status));
    }
  }

  void OnTaskOutput(int, Task& task) override {
    if (task.finished()) CountTokensOf(static_cast<const TranslationTask&>(task));
  }

  void OnWorkDone(const absl::Status& status) override {
    if (status.ok()) {
      response_.set_model(std::string(model_name()));
      FillTranslations(job_->tasks, places_, trailing_, detail_, response_);
    }
    Finish(End(status));
  }

  void OnCancel() override { Cancel(); }
  void OnDone() override { delete this; }

 private:
  v1::TranslateResponse& response_;
};

class TranslationService::StreamCall : public Call, public grpc::ServerWriteReactor<v1::TranslateStreamResponse> {
 public:
  StreamCall(TranslationService& service, grpc::CallbackServerContext& context, const v1::TranslateRequest& request)
      : Call(service, context, request, "TranslateStream"), connection_(std::make_shared<Connection>(&context)) {}

  void Run() {
    const absl::Status status = Begin(/*stream=*/true);
    if (!status.ok() || !has_job()) Finish(End(status));
  }

  void OnTaskOutput(int index, Task& output) override {
    auto& task = static_cast<TranslationTask&>(output);
    std::vector<v1::TranslateStreamResponse> events;
    std::string delta = gives_text_ ? task.TakeText() : std::string();
    if (!delta.empty()) *NewEvent(index, events).mutable_delta() = std::move(delta);
    if (task.finished()) {
      CountTokensOf(task);
      *NewEvent(index, events).mutable_sentence() = ToProto(task, places_[index], detail_);
    }
    const v1::TranslateStreamResponse* write = nullptr;
    {
      MutexLock lock(mutex_);
      if (broken_) return;
      for (v1::TranslateStreamResponse& event : events) unsent_.push_back(std::move(event));
      if (!backlogged_ && static_cast<int64_t>(unsent_.size()) >= service_.max_stream_events_) SetBacklogged(true);
      write = NextWrite();
    }
    if (write != nullptr) StartWrite(write);
  }

  void OnWriteDone(bool ok) override {
    const v1::TranslateStreamResponse* write = nullptr;
    std::optional<absl::Status> end;
    {
      MutexLock lock(mutex_);
      writing_ = false;
      unsent_.pop_front();
      if (!ok) {
        broken_ = true;
        unsent_.clear();
        Cancel();
      }
      if (backlogged_ && static_cast<int64_t>(unsent_.size()) <= service_.max_stream_events_ / 2) SetBacklogged(false);
      write = NextWrite();
      if (write == nullptr) end = job_status_;
    }
    if (write != nullptr) {
      StartWrite(write);
    } else if (end) {
      Finish(End(*end));
    }
  }

  void OnWorkDone(const absl::Status& status) override {
    {
      MutexLock lock(mutex_);
      job_status_ = status;
      if (!status.ok()) unsent_.resize(writing_ ? 1 : 0);
      if (absl::IsAborted(status)) CutOffLater();
      if (writing_) return;  // OnWriteDone finishes
    }
    Finish(End(status));
  }

  void OnCancel() override { Cancel(); }
  void OnDone() override {
    {
      MutexLock lock(connection_->mutex);
      connection_->context = nullptr;
    }
    delete this;
  }

 private:
  // What the alarm may still find when the call is gone.
  struct Connection {
    explicit Connection(grpc::CallbackServerContext* of) : context(of) {}

    Mutex mutex;
    grpc::CallbackServerContext* context GUARDED_BY(mutex);  // null: the call is over
  };

  // The status of a reader that lags comes behind what it has not taken yet. One that goes on reading gets it; one that
  // does not is not waited for.
  void CutOffLater() {
    auto cut_off = [connection = connection_](bool due) {
      MutexLock lock(connection->mutex);
      if (due && connection->context != nullptr) connection->context->TryCancel();
    };
    alarm_.Set(std::chrono::system_clock::now() +
                   std::chrono::duration_cast<std::chrono::system_clock::duration>(service_.last_wait_),
               std::move(cut_off));
  }

  v1::TranslateStreamResponse& NewEvent(int index, std::vector<v1::TranslateStreamResponse>& events) const {
    const SentencePlace& place = places_[index];
    v1::TranslateStreamResponse& event = events.emplace_back();
    event.set_text_index(place.text);
    event.set_sentence_index(place.sentence);
    event.set_sentence_count(sentence_counts_[place.text]);
    return event;
  }

  // The event to write now, if none is being written. It stays in place until OnWriteDone.
  const v1::TranslateStreamResponse* NextWrite() REQUIRES(mutex_) {
    if (writing_ || unsent_.empty()) return nullptr;
    writing_ = true;
    return &unsent_.front();
  }

  // With the lock held, so that parking and going on reach the scheduler in the order in which they were decided.
  void SetBacklogged(bool backlogged) REQUIRES(mutex_) {
    backlogged_ = backlogged;
    service_.scheduler_.SetBacklogged(*job_, backlogged);
  }

  const std::shared_ptr<Connection> connection_;
  grpc::Alarm alarm_;

  Mutex mutex_;
  std::deque<v1::TranslateStreamResponse> unsent_ GUARDED_BY(mutex_);  // the front one is being written if writing_
  bool writing_ GUARDED_BY(mutex_) = false;
  bool backlogged_ GUARDED_BY(mutex_) = false;
  bool broken_ GUARDED_BY(mutex_) = false;                     // a write failed: nobody reads any more
  std::optional<absl::Status> job_status_ GUARDED_BY(mutex_);  // set when the job has ended
};

grpc::ServerUnaryReactor* TranslationService::Translate(grpc::CallbackServerContext* context,
                                                        const v1::TranslateRequest* request,
                                                        v1::TranslateResponse* response) {
  auto* call = new UnaryCall(*this, *context, *request, *response);  // deletes itself in OnDone
  call->Run();
  return call;
}

grpc::ServerWriteReactor<v1::TranslateStreamResponse>* TranslationService::TranslateStream(
    grpc::CallbackServerContext* context, const v1::TranslateRequest* request) {
  auto* call = new StreamCall(*this, *context, *request);  // deletes itself in OnDone
  call->Run();
  return call;
}

}  // namespace heed
