// SPDX-License-Identifier: Apache-2.0
// What a request's metadata says of where it comes from, so that its log lines and spans can be found from there.
//
// Source: W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// Keys of the metadata.
inline constexpr char kRequestIdKey[] = "x-request-id";
inline constexpr char kTraceparentKey[] = "traceparent";
inline constexpr char kTracestateKey[] = "tracestate";

inline constexpr size_t kLongestRequestId = 128;
inline constexpr size_t kLongestTracestate = 512;  // what everybody has to pass on

struct Traceparent {
  std::string trace_id;   // 32 hexadecimal digits, of the whole trace
  std::string parent_id;  // 16, of the caller's span
  bool sampled = false;   // the caller records its spans of the trace
};

// Nothing: not a traceparent, of which callers of old or with faults send some; the request is served all the same.
std::optional<Traceparent> ParseTraceparent(absl::string_view text);

// What the systems along the trace tell each other, as it came; empty: none, longer than kLongestTracestate, or not of
// printable ASCII alone.
std::string ParseTracestate(absl::string_view text);

// Nothing: empty, longer than kLongestRequestId, or not of visible ASCII alone.
std::optional<std::string> ParseRequestId(absl::string_view text);

}  // namespace heed
