// SPDX-License-Identifier: Apache-2.0
// Many requests in flight at a time, answers in the order of submission.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <unordered_map>

#include "base/mutex.h"
#include "client/lib/retry.h"
#include "client/lib/unary_call.h"
#include "grpcpp/channel.h"
#include "grpcpp/completion_queue.h"

namespace heed::client {

struct PipelineOptions {
  int in_flight = 64;  // requests that are sent, or wait to be sent again, at a time
  // Requests that were submitted and not yet delivered; more than in_flight, so that one slow request does not hold up
  // the others before there are this many finished ones behind it. Bounds the memory.
  int undelivered = 1024;
  std::chrono::milliseconds deadline{0};  // for each request with all its tries; 0: none
  RetryPolicy retry;
  // Called like Deliver when the server becomes unavailable and requests wait for it to come back; not again before
  // none waits any more. May be empty.
  std::function<void(const grpc::Status&)> on_outage;
};

// For each request of unary_call.h. One thread of its own drives all calls and delivers. Submit(), Reject() and
// Finish() belong to one other thread; Cancel() may be called from anywhere, `deliver` included. Requests are sent
// again as the retry policy says, so that a full queue loses none. While some wait to be sent again no new ones are
// sent, and each answer lets the oldest of them go at once: what is on its way follows the room that the server has,
// and no request is overtaken without end.
template <typename Request>
class RequestPipeline {
 public:
  using Response = typename UnaryCall<Request>::Response;
  struct Result {
    int64_t index = 0;  // place in the order of submission, from 0
    grpc::Status status;
    Response response;  // if status is OK
  };
  using Deliver = std::function<void(Result)>;

  // `deliver` is called without a lock, one result at a time, in order; while it blocks, at most
  // options.undelivered requests pile up and Submit() blocks.
  RequestPipeline(const std::shared_ptr<grpc::Channel>& channel, const PipelineOptions& options, Deliver deliver);
  ~RequestPipeline();  // cancels what is not finished

  RequestPipeline(const RequestPipeline&) = delete;
  RequestPipeline& operator=(const RequestPipeline&) = delete;

  // Sends a request; blocks while the pipeline is full. False: the pipeline is cancelled, nothing was sent.
  bool Submit(Request request) EXCLUDES(mutex_);
  // Takes the next place in the order with a failure that the caller found itself. Blocks and returns like Submit().
  bool Reject(grpc::Status status) EXCLUDES(mutex_);
  // Blocks until everything submitted is delivered or, after Cancel(), given up.
  void Finish() EXCLUDES(mutex_);
  // Cancels every call; nothing is delivered any more, apart from a delivery under way.
  void Cancel() EXCLUDES(mutex_);

 private:
  struct Call;

  bool WaitForRoom(int in_flight_limit) REQUIRES(mutex_);  // false: cancelled
  void Register(std::unique_ptr<Call> call) REQUIRES(mutex_);
  void Start(Call& call) REQUIRES(mutex_);
  bool TryAgainLater(Call& call) REQUIRES(mutex_);
  bool GoOn(Call& call) REQUIRES(mutex_);  // false: it is over

  // The thread's.
  void Run() EXCLUDES(mutex_);
  void Complete(Call& call) EXCLUDES(mutex_);

  const PipelineOptions options_;
  const Deliver deliver_;
  const std::unique_ptr<typename UnaryCall<Request>::Stub> stub_;
  grpc::CompletionQueue queue_;

  Mutex mutex_;
  CondVar changed_;
  // In the completion queue, or being delivered.
  std::unordered_map<Call*, std::unique_ptr<Call>> calls_ GUARDED_BY(mutex_);
  std::map<int64_t, Call*> waiting_ GUARDED_BY(mutex_);  // for their next try, by place
  int in_flight_ GUARDED_BY(mutex_) = 0;
  int undelivered_ GUARDED_BY(mutex_) = 0;
  int64_t submitted_ GUARDED_BY(mutex_) = 0;
  bool cancelled_ GUARDED_BY(mutex_) = false;

  // Only the thread's.
  std::map<int64_t, Result> finished_;  // waits for those before it
  int64_t next_delivery_ = 0;
  bool outage_ = false;  // on_outage was told
  std::random_device random_;

  std::thread thread_;  // last: starts when all else is there
};

}  // namespace heed::client
