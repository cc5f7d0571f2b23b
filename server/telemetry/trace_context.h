// SPDX-License-Identifier: Apache-2.0
// What a request's metadata says of where it comes from, so that its log lines can be found from there.
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

inline constexpr size_t kLongestRequestId = 128;

struct Traceparent {
  std::string trace_id;   // 32 hexadecimal digits, of the whole trace
  std::string parent_id;  // 16, of the caller's span
};

// Nothing: not a traceparent, of which callers of old or with faults send some; the request is served all the same.
std::optional<Traceparent> ParseTraceparent(absl::string_view text);

// Nothing: empty, longer than kLongestRequestId, or not of visible ASCII alone.
std::optional<std::string> ParseRequestId(absl::string_view text);

}  // namespace heed
