// SPDX-License-Identifier: Apache-2.0
// What a trace tells of one request: a span for the request, and one for each part of its life. Plain data; a collector
// gets it in OpenTelemetry's terms (server/tracing).
//
// Source: OpenTelemetry, https://opentelemetry.io/docs/specs/otel/trace/api/#span
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace heed {

// 128 bits, not all of them 0.
struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;
};
using SpanId = uint64_t;  // not 0

// 32 and 16 hexadecimal digits, as traceparent and the log have them.
std::string HexOf(const TraceId& id);
std::string HexOf(SpanId id);

struct SpanAttribute {
  // `value`: an int64_t, a double or a text.
  template <typename T>
  SpanAttribute(std::string_view name, T&& given) : key(name), value(std::forward<T>(given)) {}

  std::string_view key;  // a constant of the program
  std::variant<int64_t, double, std::string> value;
};

struct SpanEvent {
  std::string_view name;  // a constant of the program
  TimePoint time;
};

// A part of a request: a child of the request's span.
struct RequestPart {
  std::string_view name;  // a constant of the program
  TimePoint start;
  TimePoint end;
  std::vector<SpanAttribute> attributes;
  std::vector<SpanEvent> events;
};

// A request from its arrival to its end.
struct RequestSpans {
  TraceId trace_id;
  SpanId id = 0;           // of the request's span
  SpanId parent_id = 0;    // of the caller's; 0: this one begins the trace
  std::string tracestate;  // the caller's
  std::string method;      // "heed.v1.TranslationService/Translate"
  TimePoint start;
  TimePoint end;
  // What Unix time is ahead of Clock's, the same for all times of the request: its parts stay within it.
  std::chrono::nanoseconds unix_offset{};
  int code = 0;         // gRPC's
  std::string message;  // of the status
  std::string model;    // empty: none is known
  int64_t model_version = 0;
  std::string peer;         // as gRPC writes it: "ipv4:127.0.0.1:34512"
  std::string request_id;   // x-request-id
  std::string http_method;  // of a request over HTTP
  std::string http_path;    // the same, percent-encoded
  std::vector<RequestPart> parts;
  int64_t left_out_parts = 0;

  int64_t span_count() const { return 1 + static_cast<int64_t>(parts.size()); }
};

}  // namespace heed
