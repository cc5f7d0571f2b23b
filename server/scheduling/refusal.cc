// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/refusal.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace heed {
namespace {

constexpr char kReason[] = "heed/reason";
constexpr char kAnswerTooLarge[] = "answer_too_large";
constexpr char kSessionFull[] = "session_full";
constexpr char kRetryDelayMs[] = "heed/retry_delay_ms";

}  // namespace

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  status.SetPayload(kReason, absl::Cord(reason));
  return status;
}

absl::Status AnswerTooLarge(int64_t bytes, int64_t max) {
  return WithReason(absl::ResourceExhaustedError(absl::StrCat("the answer would take ", bytes,
                                                              " bytes, at most --max_response_bytes=", max,
                                                              ": ask for less at a time, or in less detail")),
                    kAnswerTooLarge);
}

absl::Status SessionFull(absl::Status status) { return WithReason(std::move(status), kSessionFull); }

bool IsFinal(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == kAnswerTooLarge || reason == kSessionFull;
}

std::string ReasonOf(const absl::Status& status) {
  const auto reason = status.GetPayload(kReason);
  return reason ? std::string(*reason) : std::string();
}

absl::Status WithRetryDelay(absl::Status status, Clock::duration delay) {
  return WithExactRetryDelay(std::move(status), std::clamp<Clock::duration>(delay, kLeastRetryDelay, kMaxRetryDelay));
}

absl::Status WithExactRetryDelay(absl::Status status, Clock::duration delay) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(delay);
  status.SetPayload(kRetryDelayMs, absl::Cord(absl::StrCat(rounded.count())));
  return status;
}

std::chrono::milliseconds RetryDelayOf(const absl::Status& status) {
  const auto delay = status.GetPayload(kRetryDelayMs);
  int64_t milliseconds = 0;
  if (!delay || !absl::SimpleAtoi(std::string(*delay), &milliseconds)) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(milliseconds);
}

}  // namespace heed
