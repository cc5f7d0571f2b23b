// SPDX-License-Identifier: Apache-2.0
#include "client/lib/request_pipeline.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "grpcpp/alarm.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/async_unary_call.h"

namespace heed::client {

using SteadyClock = std::chrono::steady_clock;
using SystemClock = std::chrono::system_clock;

// One request and its place. At any time at most one tag of it is in the completion queue: that of its running try or
// that of its alarm. Guarded by mutex_, apart from `result`, which gRPC fills and the thread reads in turn.
template <typename Request>
struct RequestPipeline<Request>::Call {
  enum class Waiting { kForAnswer, kForNextTry, kForDelivery };  // kForDelivery: rejected, never in flight

  Request request;
  Result result;
  Waiting waiting = Waiting::kForAnswer;
  SystemClock::time_point deadline = SystemClock::time_point::max();
  std::optional<Backoff> backoff;  // from the first failure on
  SteadyClock::time_point first_failure;
  // Of the present try.
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  std::unique_ptr<grpc::Alarm> alarm;
};

template <typename Request>
RequestPipeline<Request>::RequestPipeline(const std::shared_ptr<grpc::Channel>& channel, const PipelineOptions& options,
                                          Deliver deliver)
    : options_(options),
      deliver_(std::move(deliver)),
      stub_(std::make_unique<typename UnaryCall<Request>::Stub>(channel)),
      thread_([this] { Run(); }) {}

template <typename Request>
RequestPipeline<Request>::~RequestPipeline() {
  Cancel();
  Finish();
  queue_.Shutdown();
  thread_.join();
}

template <typename Request>
bool RequestPipeline<Request>::Submit(Request request) {
  auto call = std::make_unique<Call>();
  call->request = std::move(request);
  MutexLock lock(mutex_);
  if (!WaitForRoom(options_.in_flight)) return false;
  if (options_.deadline.count() > 0) call->deadline = SystemClock::now() + options_.deadline;
  Start(*call);
  ++in_flight_;
  Register(std::move(call));
  return true;
}

template <typename Request>
bool RequestPipeline<Request>::Reject(grpc::Status status) {
  auto call = std::make_unique<Call>();
  call->result.status = std::move(status);
  MutexLock lock(mutex_);
  if (!WaitForRoom(std::numeric_limits<int>::max())) return false;
  call->waiting = Call::Waiting::kForDelivery;
  call->alarm = std::make_unique<grpc::Alarm>();
  call->alarm->Set(&queue_, SystemClock::now(), call.get());
  Register(std::move(call));
  return true;
}

template <typename Request>
bool RequestPipeline<Request>::WaitForRoom(int in_flight_limit) {
  const int undelivered_limit = std::max(options_.undelivered, options_.in_flight);
  while (!cancelled_ && (undelivered_ >= undelivered_limit || in_flight_ >= in_flight_limit)) changed_.Wait(mutex_);
  return !cancelled_;
}

template <typename Request>
void RequestPipeline<Request>::Register(std::unique_ptr<Call> call) {
  call->result.index = submitted_++;
  ++undelivered_;
  calls_.emplace(call.get(), std::move(call));
}

template <typename Request>
void RequestPipeline<Request>::Start(Call& call) {
  call.reader.reset();
  call.context = std::make_unique<grpc::ClientContext>();
  if (call.deadline != SystemClock::time_point::max()) call.context->set_deadline(call.deadline);
  call.waiting = Call::Waiting::kForAnswer;
  call.reader = ((*stub_).*UnaryCall<Request>::kAsyncCall)(call.context.get(), call.request, &queue_);
  call.reader->Finish(&call.result.response, &call.result.status, &call);
}

template <typename Request>
void RequestPipeline<Request>::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    Call& call = *static_cast<Call*>(tag);
    bool over = false;
    std::optional<grpc::Status> outage;
    {
      MutexLock lock(mutex_);
      over = !GoOn(call);
      if (!over && call.result.status.error_code() == grpc::StatusCode::UNAVAILABLE && !outage_) {
        outage_ = true;
        outage = call.result.status;
      }
    }
    if (over) Complete(call);
    if (outage && options_.on_outage) options_.on_outage(*outage);
  }
}

template <typename Request>
bool RequestPipeline<Request>::GoOn(Call& call) {
  waiting_.erase(call.result.index);
  if (waiting_.empty()) changed_.NotifyAll();
  if (cancelled_) return false;
  switch (call.waiting) {
    case Call::Waiting::kForAnswer:
      return !call.result.status.ok() && TryAgainLater(call);
    case Call::Waiting::kForNextTry:
      call.result.status = grpc::Status::OK;
      Start(call);
      return true;
    case Call::Waiting::kForDelivery:
      return false;
  }
  return false;
}

template <typename Request>
bool RequestPipeline<Request>::TryAgainLater(Call& call) {
  const SteadyClock::time_point now = SteadyClock::now();
  if (!call.backoff) {
    call.backoff.emplace(options_.retry, random_());
    call.first_failure = now;
  }
  const auto delay = call.backoff->Next(call.result.status, Repeat::kAlways,
                                        std::chrono::duration_cast<std::chrono::milliseconds>(now - call.first_failure),
                                        RetryHint(*call.context));
  if (!delay) return false;
  const SystemClock::time_point again = SystemClock::now() + *delay;
  if (again >= call.deadline) return false;
  call.waiting = Call::Waiting::kForNextTry;
  call.alarm = std::make_unique<grpc::Alarm>();
  call.alarm->Set(&queue_, again, &call);
  waiting_.emplace(call.result.index, &call);
  return true;
}

template <typename Request>
void RequestPipeline<Request>::Complete(Call& call) {
  const bool answered = call.result.status.ok() && call.waiting == Call::Waiting::kForAnswer;
  finished_.emplace(call.result.index, std::move(call.result));
  mutex_.Lock();
  if (answered && waiting_.empty()) outage_ = false;
  if (answered && !waiting_.empty()) {
    waiting_.begin()->second->alarm->Cancel();  // ends its wait: it has room now
    waiting_.erase(waiting_.begin());
    if (waiting_.empty()) changed_.NotifyAll();
  }
  if (call.waiting != Call::Waiting::kForDelivery) {
    --in_flight_;
    changed_.NotifyAll();
  }
  while (!cancelled_ && !finished_.empty() && finished_.begin()->first == next_delivery_) {
    Result result = std::move(finished_.begin()->second);
    finished_.erase(finished_.begin());
    ++next_delivery_;
    mutex_.Unlock();
    deliver_(std::move(result));
    mutex_.Lock();
    --undelivered_;
    changed_.NotifyAll();
  }
  calls_.erase(&call);  // last: an empty calls_ tells Finish() that no delivery is under way
  changed_.NotifyAll();
  mutex_.Unlock();
}

template <typename Request>
void RequestPipeline<Request>::Finish() {
  MutexLock lock(mutex_);
  while (!calls_.empty()) changed_.Wait(mutex_);
}

template <typename Request>
void RequestPipeline<Request>::Cancel() {
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    for (const auto& [call, owned] : calls_) {
      if (call->context) call->context->TryCancel();
      if (call->alarm) call->alarm->Cancel();
    }
  }
  changed_.NotifyAll();
}

template class RequestPipeline<v1::TranslateRequest>;
template class RequestPipeline<v1::ClassifyNodesRequest>;
template class RequestPipeline<v1::ClassifyEdgesRequest>;
template class RequestPipeline<v1::ClassifyGraphsRequest>;
template class RequestPipeline<v1::AnswerRequest>;
template class RequestPipeline<v1::RunSequenceRequest>;
template class RequestPipeline<v1::ScoreRequest>;
template class RequestPipeline<v1::GenerateRequest>;
template class RequestPipeline<v1::FillInRequest>;
template class RequestPipeline<v1::ClassifyTextsRequest>;
template class RequestPipeline<v1::TagTextsRequest>;
template class RequestPipeline<v1::AnswerFromTextRequest>;
template class RequestPipeline<v1::EmbedTextsRequest>;

}  // namespace heed::client
