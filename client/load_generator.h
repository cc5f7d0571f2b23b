// Load on a server, and what it made of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "heed/v1/translation.pb.h"

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

struct LoadReport {
  int64_t requests = 0;  // answered in the measured time
  int64_t errors = 0;    // failed in the measured time
  grpc::Status first_error;
  double seconds = 0;  // of measured time
  int64_t source_tokens = 0;
  int64_t target_tokens = 0;
  std::vector<double> latencies_ms;  // of answered requests, ascending
  bool unavailable = false;          // the server went away and the run ended there
};

// Sorts requests into the measured window [warmup, warmup + duration). Times are since the start of the run. Throughput
// counts what finished in the window; latency is from the time a request was scheduled for, not from when it could be
// sent, so that a stalled server shows (no coordinated omission). Not thread-safe.
class LoadRecorder {
 public:
  // `by_schedule`: latencies are those of requests scheduled in the window, whenever they finish (open loop); otherwise
  // of those that finish in it (closed loop).
  LoadRecorder(std::chrono::nanoseconds warmup, std::chrono::nanoseconds duration, bool by_schedule);

  void Record(std::chrono::nanoseconds scheduled, std::chrono::nanoseconds finished, const grpc::Status& status,
              const v1::TranslateResponse& response);
  LoadReport TakeReport();

 private:
  bool Within(std::chrono::nanoseconds time) const { return time >= begin_ && time < end_; }

  const std::chrono::nanoseconds begin_;
  const std::chrono::nanoseconds end_;
  const bool by_schedule_;
  LoadReport report_;
};

struct LoadOptions {
  std::vector<std::shared_ptr<grpc::Channel>> channels;  // requests go round them
  v1::TranslateRequest prototype;                        // model and options; texts are added
  std::vector<std::string> texts;                        // sent one per request, round and round
  std::chrono::nanoseconds warmup{0};
  std::chrono::nanoseconds duration{0};
  std::chrono::milliseconds deadline{0};  // for each request; 0: none
  std::stop_token stop;
};

// Both connect first, which is not measured (10 s at most, else the report says unavailable), and block until the run
// is over and nothing is on its way any more. No retries: what the server refuses is an error.

// Keeps `in_flight` requests on their way: the next is sent when one finishes, or 10 ms after one failed. One thread,
// the caller's. The rest is cancelled at the end.
LoadReport RunClosedLoop(const LoadOptions& options, int in_flight);

// Sends requests as PoissonArrivals says, however many are on their way. The caller's thread sends, a second one
// receives. Waits at the end until all are answered, at most 30 s.
LoadReport RunOpenLoop(const LoadOptions& options, double per_second, uint64_t seed);

}  // namespace heed::client
