// SPDX-License-Identifier: Apache-2.0
// Load on a server, and what it made of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <stop_token>
#include <utility>
#include <vector>

#include "client/lib/unary_call.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/support/async_unary_call.h"
#include "grpcpp/support/status.h"

namespace heed::client {

// Nearest rank: the smallest value that at least `percent` of 100 values do not exceed. Exact; 0 if there are none.
double Percentile(const std::vector<double>& sorted, double percent);

// Arrivals at a mean rate whose gaps are exponentially distributed (a Poisson process). Times are since the start of
// the run; they depend on rate and seed alone, never on how the server keeps up. Not thread-safe.
class PoissonArrivals {
 public:
  PoissonArrivals(double per_second, uint64_t seed);

  std::chrono::nanoseconds next() const { return next_; }
  // True if the next arrival is due at `now`: goes on to the one after it.
  bool TakeDue(std::chrono::nanoseconds now);

 private:
  void Draw();

  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_seconds_;
  std::chrono::nanoseconds next_{0};
};

// What answers hold.
struct AnswerCounts {
  int64_t items = 0;  // texts, nodes, edges or graphs
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;
};

struct LoadReport {
  int64_t requests = 0;  // answered in the measured time
  int64_t errors = 0;    // failed in the measured time
  int64_t expired = 0;   // of those, past their deadline
  grpc::Status first_error;
  double seconds = 0;  // of measured time
  AnswerCounts counts;
  std::vector<double> latencies_ms;  // of answered requests, ascending
  std::vector<double> refusals_ms;   // latencies of requests that the server refused (RESOURCE_EXHAUSTED), ascending
  bool unavailable = false;          // the server went away and the run ended there
};

// Sorts requests into the measured window [warmup, warmup + duration). Times are since the start of the run. Throughput
// counts what finished in the window; latency is from the time a request was scheduled for, not from when it could be
// sent, so that a stalled server shows (no coordinated omission). Not thread-safe.
class LoadRecorder {
 public:
  // `by_schedule`: latencies are those of requests scheduled in the window, whenever they finish (open loop); otherwise
  // of those that finish in it (closed loop).
  // `keep_latencies`: otherwise the report has none, and a long run takes no memory for them.
  LoadRecorder(std::chrono::nanoseconds warmup, std::chrono::nanoseconds duration, bool by_schedule,
               bool keep_latencies = true);

  void Record(std::chrono::nanoseconds scheduled, std::chrono::nanoseconds finished, const grpc::Status& status,
              const AnswerCounts& counts);
  LoadReport TakeReport();

 private:
  bool Within(std::chrono::nanoseconds time) const { return time >= begin_ && time < end_; }

  const std::chrono::nanoseconds begin_;
  const std::chrono::nanoseconds end_;
  const bool by_schedule_;
  const bool keep_latencies_;
  LoadReport report_;
};

// One request on its way or answered; its address is its tag.
struct LoadCall {
  virtual ~LoadCall() = default;
  // The queue gave its tag back, with `ok`. True: the call is over and `status` tells how; false: it waits for more.
  virtual bool Advance(bool ok [[maybe_unused]]) { return true; }
  // Of an answer whose status is OK.
  virtual AnswerCounts counts() const = 0;

  std::chrono::nanoseconds scheduled{0};
  grpc::ClientContext context;
  grpc::Status status;
  bool awaited = false;  // not cancelled at the end of a run: what it makes has to be known, for the run to undo it
  std::shared_ptr<const void> lease;  // given back before the next request is sent in the place of this one
};

// Sends the `number`-th request of a run, from 0.
using SendCall = std::function<std::unique_ptr<LoadCall>(size_t number, std::chrono::system_clock::time_point deadline,
                                                         grpc::CompletionQueue& queue)>;

// Sends what `make` makes, for each number, over `channels` in turn. Requests are those of unary_call.h.
template <typename Request>
SendCall SendUnaryCalls(const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                        std::function<Request(size_t number)> make,
                        std::function<AnswerCounts(const typename UnaryCall<Request>::Response&)> count) {
  using Response = typename UnaryCall<Request>::Response;
  using Stub = typename UnaryCall<Request>::Stub;
  struct Call : LoadCall {
    AnswerCounts counts() const override { return (*count)(response); }

    const std::function<AnswerCounts(const Response&)>* count = nullptr;
    Response response;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  };
  std::vector<std::shared_ptr<Stub>> stubs;
  for (const auto& channel : channels) stubs.push_back(std::make_shared<Stub>(channel));
  return [stubs = std::move(stubs), make = std::move(make), count = std::move(count)](
             size_t number, std::chrono::system_clock::time_point deadline, grpc::CompletionQueue& queue) {
    auto call = std::make_unique<Call>();
    call->count = &count;
    call->context.set_deadline(deadline);
    call->reader =
        ((*stubs[number % stubs.size()]).*UnaryCall<Request>::kAsyncCall)(&call->context, make(number), &queue);
    call->reader->Finish(&call->response, &call->status, static_cast<LoadCall*>(call.get()));
    return call;
  };
}

struct LoadOptions {
  std::vector<std::shared_ptr<grpc::Channel>> channels;  // that `send` uses
  SendCall send;
  std::chrono::nanoseconds warmup{0};
  std::chrono::nanoseconds duration{0};
  std::chrono::milliseconds deadline{0};  // for each request; 0: none
  std::stop_token stop;
  // Each request that ended `finished` after the start of the run, in the measured time or not, apart from those that
  // were cancelled at the end. Called by the thread that receives; may be none.
  std::function<void(const LoadCall& call, std::chrono::nanoseconds finished)> on_end = {};
  bool keep_latencies = true;
};

// Both connect first, which is not measured (10 s at most, else the report says unavailable), and block until the run
// is over and nothing is on its way any more. No retries: what the server refuses is an error.

// Keeps `in_flight` requests on their way: the next is sent when one finishes, or 10 ms after one failed. One thread,
// the caller's. What is on its way at the end is cancelled, but for awaited calls: those are answered first, within 30
// s.
LoadReport RunClosedLoop(const LoadOptions& options, int in_flight);

// Sends requests as PoissonArrivals says, however many are on their way. The caller's thread sends, a second one
// receives. Waits at the end until all are answered, at most 30 s.
LoadReport RunOpenLoop(const LoadOptions& options, double per_second, uint64_t seed);

}  // namespace heed::client
