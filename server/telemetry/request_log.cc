// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/request_log.h"

#include <vector>

namespace heed {

RequestInterest RequestLog::InterestIn(Clock::duration elapsed, bool is_fault) const {
  return {slow_ > Clock::duration::zero() && elapsed >= slow_, is_fault, IsLogged(LogLevel::kDebug)};
}

void RequestLog::Write(RequestInterest interest, const FinishedRequest& record) {
  if (interest.is_slow) metrics_.Add(Metric::kSlowRequests, {record.method, record.model});
  std::optional<int64_t> left_out = 0;
  if (!IsLogged(LogLevel::kDebug)) left_out = budget_.Take(Clock::now());
  if (!left_out) return;

  std::vector<LogField> fields = {{"method", record.method}, {"model", record.model}, {"code", record.code}};
  if (!record.message.empty()) fields.emplace_back("message", record.message);
  fields.emplace_back("seconds", record.seconds);
  if (record.queue_seconds) fields.emplace_back("queue_seconds", *record.queue_seconds);
  if (record.first_output_seconds) fields.emplace_back("first_output_seconds", *record.first_output_seconds);
  if (record.work_seconds) fields.emplace_back("work_seconds", *record.work_seconds);
  if (record.tasks) fields.emplace_back("tasks", *record.tasks);
  if (!record.peer.empty()) fields.emplace_back("peer", record.peer);
  if (record.request_id) fields.emplace_back("request_id", *record.request_id);
  if (!record.trace_id.empty()) fields.emplace_back("trace_id", record.trace_id);
  if (!record.parent_id.empty()) fields.emplace_back("parent_id", record.parent_id);
  if (!record.span_id.empty()) fields.emplace_back("span_id", record.span_id);
  if (*left_out > 0) fields.emplace_back("left_out", *left_out);
  const LogLevel level = interest.is_fault ? LogLevel::kError : interest.is_slow ? LogLevel::kWarn : LogLevel::kDebug;
  Log(level, interest.is_slow ? "slow_request" : "request", fields);
}

}  // namespace heed
