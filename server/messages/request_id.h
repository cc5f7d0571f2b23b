// SPDX-License-Identifier: Apache-2.0
// The name that a caller gives to a change of a session, so that it can be sent again.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/invalid_argument.h"

namespace heed {

inline constexpr size_t kMaxRequestIdBytes = 128;

inline absl::Status CheckRequestId(const std::string& request_id) {
  if (request_id.size() <= kMaxRequestIdBytes) return absl::OkStatus();
  return InvalidField("request_id", "has ", request_id.size(), " bytes, at most ", kMaxRequestIdBytes);
}

}  // namespace heed
