// SPDX-License-Identifier: Apache-2.0
#include "client/lib/retry.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace heed::client {

std::optional<std::chrono::milliseconds> Backoff::Next(const grpc::Status& status, Repeat repeat,
                                                       std::chrono::milliseconds since_first_failure,
                                                       std::optional<std::chrono::milliseconds> hint) {
  if (repeat == Repeat::kNever || (hint && hint->count() < 0)) return std::nullopt;
  switch (status.error_code()) {
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      if (!hint) return std::nullopt;
      break;
    case grpc::StatusCode::UNAVAILABLE:
      if (!hint && repeat != Repeat::kAlways) return std::nullopt;
      if (since_first_failure >= policy_.unavailable_for) return std::nullopt;
      break;
    default:
      return std::nullopt;
  }
  const int64_t max_delay = policy_.max_delay.count();
  const int64_t full = std::min(max_delay, policy_.first_delay.count() << std::min(tries_++, 20));
  const int64_t delay = std::uniform_int_distribution<int64_t>(full - full / 2, full)(random_);
  return std::max(std::chrono::milliseconds(delay), hint.value_or(std::chrono::milliseconds(0)));
}

std::optional<std::chrono::milliseconds> RetryHint(const grpc::ClientContext& context) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find("grpc-retry-pushback-ms");
  if (found == metadata.end()) return std::nullopt;
  int64_t milliseconds = 0;
  if (!absl::SimpleAtoi(absl::string_view(found->second.data(), found->second.size()), &milliseconds))
    milliseconds = -1;
  return std::chrono::milliseconds(std::clamp<int64_t>(milliseconds, -1, 60000));
}

}  // namespace heed::client
