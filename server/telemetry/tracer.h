// SPDX-License-Identifier: Apache-2.0
// Which requests are traced, and the trace of one that is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "server/telemetry/span.h"
#include "server/telemetry/span_queue.h"
#include "server/telemetry/trace_context.h"

namespace heed {

// Follows the caller's decision where there is one. Otherwise takes a part of all traces, by their ids, so that all
// servers with the same ratio take the same ones. Immutable.
//
// Source: OpenTelemetry, https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
class Sampler {
 public:
  // `ratio`: from 0 to 1.
  explicit Sampler(double ratio);
  bool Takes(const TraceId& id) const { return (id.low & kRandomBits) >= threshold_; }
  bool Takes(const Traceparent& parent) const { return parent.sampled; }

 private:
  static constexpr uint64_t kRandomBits = (uint64_t{1} << 56) - 1;
  uint64_t threshold_;  // of these bits: from here on a trace is taken
};

// The trace of one request, or of one exchange of a conversation. Not thread-safe: belongs to the call, whose steps
// follow one another. What it was told is lost if it goes without Finish.
class RequestTrace {
 public:
  static constexpr size_t kMaxParts = 100;
  static constexpr size_t kMaxMessageBytes = 1024;  // of the status

  // `queue` outlives it.
  RequestTrace(SpanQueue& queue, RequestSpans spans) : queue_(queue), spans_(std::move(spans)) {}

  const RequestSpans& spans() const { return spans_; }
  // How it ended; the last one counts. `model`: empty if none is known.
  void SetEnd(int code, std::string_view message, std::string_view model, int64_t model_version);
  // Where it came from. `http_method`, `http_path`: empty, if not over HTTP.
  void SetOrigin(std::string peer, std::string request_id, std::string http_method, std::string http_path);
  // Beyond kMaxParts they are counted only.
  void Add(RequestPart part);
  // All that is left is to send the answer, which is the part "answer" until Finish. The first call counts.
  void BeginAnswer(TimePoint now);
  // Once, and nothing afterwards.
  void Finish(TimePoint now);

 private:
  SpanQueue& queue_;
  RequestSpans spans_;
  std::optional<TimePoint> answer_;
};

// Thread-safe.
class Tracer {
 public:
  // `queue` outlives it.
  Tracer(double ratio, SpanQueue& queue) : sampler_(ratio), queue_(queue) {}

  // Null: the request is not traced. `parent`: the caller's span, if it named one; `tracestate` belongs to that.
  std::unique_ptr<RequestTrace> Begin(std::string_view method, const std::optional<Traceparent>& parent,
                                      absl::string_view tracestate, TimePoint start);

 private:
  const Sampler sampler_;
  SpanQueue& queue_;
};

// Of a new span.
SpanId NewSpanId();

}  // namespace heed
