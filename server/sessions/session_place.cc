// SPDX-License-Identifier: Apache-2.0
#include "server/sessions/session_place.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "server/sessions/session_place_directory.h"
#include "server/sessions/session_place_redis.h"

namespace heed {

bool IsSessionId(absl::string_view id) {
  return id.size() == 32 &&
         std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

absl::StatusOr<std::unique_ptr<SessionPlace>> OpenSessionPlace(const SessionOptions& options) {
  if (options.place.empty()) return nullptr;
  // A mistyped URL must not become a directory, whose name would show the password.
  if (absl::StrContains(options.place, "://") || absl::StartsWith(options.place, "redis:") ||
      absl::StartsWith(options.place, "redis/")) {
    return SessionRedis::Open(options);
  }
  return SessionDirectory::Open(options.place);
}

}  // namespace heed
