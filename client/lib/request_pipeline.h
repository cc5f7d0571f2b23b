// Many requests in flight at a time, answers in the order of submission.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>

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
  bool Submit(Request request);
  // Takes the next place in the order with a failure that the caller found itself. Blocks and returns like Submit().
  bool Reject(grpc::Status status);
  // Blocks until everything submitted is delivered or, after Cancel(), given up.
  void Finish();
  // Cancels every call; nothing is delivered any more, apart from a delivery under way.
  void Cancel();

 private:
  struct Call;

  // With mutex_ held.
  bool WaitForRoom(std::unique_lock<std::mutex>& lock, int in_flight_limit);  // false: cancelled
  void Register(std::unique_ptr<Call> call);
  void Start(Call& call);
  bool TryAgainLater(Call& call);
  bool GoOn(Call& call);  // false: it is over

  // The thread's.
  void Run();
  void Complete(Call& call);

  const PipelineOptions options_;
  const Deliver deliver_;
  const std::unique_ptr<typename UnaryCall<Request>::Stub> stub_;
  grpc::CompletionQueue queue_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::unordered_map<Call*, std::unique_ptr<Call>> calls_;  // in the completion queue, or being delivered
  std::map<int64_t, Call*> waiting_;                        // for their next try, by place
  int in_flight_ = 0;
  int undelivered_ = 0;
  int64_t submitted_ = 0;
  bool cancelled_ = false;

  // Of the thread alone.
  std::map<int64_t, Result> finished_;  // waits for those before it
  int64_t next_delivery_ = 0;
  bool outage_ = false;  // on_outage was told
  std::random_device random_;

  std::thread thread_;  // last: starts when all else is there
};

}  // namespace heed::client
