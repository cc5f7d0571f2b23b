#include "server/session_place.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace heed {

bool IsSessionId(absl::string_view id) {
  return id.size() == 32 &&
         std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

absl::StatusOr<std::unique_ptr<SessionPlace>> OpenSessionPlace(const SessionOptions& options) {
  if (options.place.empty()) return nullptr;
  return absl::InvalidArgumentError("--sessions: must be empty");
}

}  // namespace heed
