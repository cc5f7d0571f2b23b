// SPDX-License-Identifier: Apache-2.0
// The version that a request expects of what it is about.
#pragma once

#include <cstdint>
#include <optional>

namespace heed {

// `Request` has the field `optional int64 expected_version`. Absent: any version will do.
template <typename Request>
std::optional<int64_t> ExpectedVersion(const Request& request) {
  if (!request.has_expected_version()) return std::nullopt;
  return request.expected_version();
}

}  // namespace heed
