// SPDX-License-Identifier: Apache-2.0
// A request that is not accepted: what its status tells beside code and message.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace heed {

// Shorter, and the refused requests would be an overload of their own; longer, and room would stand empty.
inline constexpr std::chrono::milliseconds kLeastRetryDelay(10);
inline constexpr std::chrono::milliseconds kMaxRetryDelay(10'000);
// Where nothing better is known: about a few steps.
inline constexpr std::chrono::milliseconds kDefaultRetryDelay(100);

// The reason of a request that the limits of its token refuse (server/security/token_limits.h).
inline constexpr char kTokenLimit[] = "token_limit";

// `status`, with what heed_rejections_total counts it as.
absl::Status WithReason(absl::Status status, absl::string_view reason);
// RESOURCE_EXHAUSTED, which no other try changes: an answer of `bytes`, or of that many at most as far as is known
// before it is computed. `max`: --max_response_bytes.
absl::Status AnswerTooLarge(int64_t bytes, int64_t max);
// `status`, RESOURCE_EXHAUSTED, of a session that has no room for what the request would add: which no other try
// changes.
absl::Status SessionFull(absl::Status status);
// Empty: it has none.
std::string ReasonOf(const absl::Status& status);
// Whether the refusal stays, however often the request is tried again.
bool IsFinal(const absl::Status& status);

// `status`, of a refusal that is worth another try after `delay`, within the bounds above.
absl::Status WithRetryDelay(absl::Status status, Clock::duration delay);
// The same where the time is known and not guessed: it has no bounds, and is rounded up to a millisecond.
absl::Status WithExactRetryDelay(absl::Status status, Clock::duration delay);
// Zero: it tells none.
std::chrono::milliseconds RetryDelayOf(const absl::Status& status);

}  // namespace heed
