// SPDX-License-Identifier: Apache-2.0
// What is kept of requests: their numbers, in the metrics; the log's lines about them: each one that was slow, each
// that failed by the server's own fault, and at the level debug every one; and traces of those that are traced.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "server/telemetry/line_budget.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/tracer.h"

namespace heed {

// So many lines a second at most are written of slow and failed requests, the level debug aside: an overload does not
// drown the log. What was left out is told by the next one that is written.
inline constexpr int kMaxRequestLines = 10;

// What a line tells of a request.
struct FinishedRequest {
  std::string_view method;
  std::string model;
  std::string_view code;
  std::string message;  // of the status; empty: OK
  double seconds = 0;   // from its arrival to its end
  // Of a request that was one job.
  std::optional<double> queue_seconds, first_output_seconds, work_seconds;
  std::optional<int64_t> tasks;
  std::string peer;
  std::optional<std::string> request_id;
  // Hexadecimal: of the trace, of the caller's span, and of the request's own if it is traced. Empty: there is none.
  std::string trace_id, parent_id, span_id;
};

// Why there is a line to write of a request.
struct RequestInterest {
  bool is_slow = false;
  bool is_fault = false;  // it fails, and the server is to blame
  bool is_debug = false;  // every one is logged

  bool any() const { return is_slow || is_fault || is_debug; }
};

// Thread-safe.
class RequestLog {
 public:
  // `slow`: what takes at least so long is slow; zero: nothing is. `tracer`: null traces nothing. Both others outlive
  // it.
  RequestLog(Clock::duration slow, Metrics& metrics, Tracer* tracer = nullptr)
      : slow_(slow), metrics_(metrics), tracer_(tracer) {}

  Metrics& metrics() const { return metrics_; }
  Tracer* tracer() const { return tracer_; }
  void Begin() { ++in_flight_; }
  void End() { --in_flight_; }
  // Requests that arrived and have not ended.
  int64_t in_flight() const { return in_flight_; }
  // In a request whose answer is ready after `elapsed`. `is_fault`: it fails, and the server is to blame.
  RequestInterest InterestIn(Clock::duration elapsed, bool is_fault) const;
  // Counts a slow one. Writes the line, if there is room for it.
  void Write(RequestInterest interest, const FinishedRequest& record);

 private:
  const Clock::duration slow_;
  Metrics& metrics_;
  Tracer* const tracer_;
  std::atomic<int64_t> in_flight_ = 0;
  LineBudget budget_{kMaxRequestLines};
};

}  // namespace heed
