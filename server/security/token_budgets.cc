// SPDX-License-Identifier: Apache-2.0
#include "server/security/token_budgets.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

constexpr Clock::duration kMinute = std::chrono::minutes(1);

// How long a bucket of `limit` takes to fill by `amount`; nothing if there is no limit.
Clock::duration FillTime(int64_t amount, int64_t limit) {
  if (limit == 0) return Clock::duration::zero();
  const double share = static_cast<double>(amount) / static_cast<double>(limit);
  return Clock::duration(std::llround(share * static_cast<double>(kMinute.count())));
}

// When a bucket that is full at `full` is full again if `amount` is taken out at `now`. `limit`: it holds so much, and
// fills by as much in a minute; 0: there is no limit. `limit_name` and `unit` are for the errors.
absl::StatusOr<TimePoint> TakeOut(TimePoint full, int64_t amount, int64_t limit, TimePoint now,
                                  absl::string_view holder, absl::string_view limit_name, absl::string_view unit) {
  if (limit == 0 || amount == 0) return full;
  if (amount > limit) {
    return absl::InvalidArgumentError(absl::StrCat("the request has ", amount, " ", unit, ", and ", holder,
                                                   " may send ", limit_name, "=", limit, ": send less at a time"));
  }
  const TimePoint after = std::max(full, now) + FillTime(amount, limit);
  const Clock::duration wait = after - now - kMinute;
  if (wait <= Clock::duration::zero()) return after;
  return WithExactRetryDelay(
      WithReason(absl::ResourceExhaustedError(absl::StrCat(
                     holder, " may send ", limit_name, "=", limit, ", and has sent as much: there is room for ", amount,
                     " ", unit, " in ", absl::StrFormat("%.3f", ToSeconds(wait)), " s")),
                 kTokenLimit),
      wait);
}

}  // namespace

absl::StatusOr<TokenBudgets::Holder> TokenBudgets::After(const Holder& before, const std::string& name,
                                                         const TokenLimits& limits, const TokenUse& use,
                                                         TimePoint now) {
  Holder after;
  HEED_ASSIGN_OR_RETURN(after.requests_full,
                        TakeOut(before.requests_full, use.requests, limits.requests_per_minute, now, name,
                                "requests_per_minute", use.requests == 1 ? "request" : "requests"));
  HEED_ASSIGN_OR_RETURN(after.characters_full,
                        TakeOut(before.characters_full, use.characters, limits.characters_per_minute, now, name,
                                "characters_per_minute", "characters"));
  return after;
}

absl::Status TokenBudgets::Take(const std::string& holder, const TokenLimits& limits, const TokenUse& use,
                                TimePoint now) {
  if (limits.requests_per_minute == 0 && limits.characters_per_minute == 0) return absl::OkStatus();
  Holder& held = holders_[holder];
  HEED_ASSIGN_OR_RETURN(held, After(held, holder, limits, use, now));
  return absl::OkStatus();
}

void TokenBudgets::GiveBack(const std::string& holder, const TokenLimits& limits, const TokenUse& use) {
  const auto found = holders_.find(holder);
  if (found == holders_.end()) return;
  found->second.requests_full -= FillTime(use.requests, limits.requests_per_minute);
  found->second.characters_full -= FillTime(use.characters, limits.characters_per_minute);
}

absl::Status TokenBudgets::Check(const std::string& holder, const TokenLimits& limits, const TokenUse& use,
                                 TimePoint now) const {
  const auto found = holders_.find(holder);
  return After(found == holders_.end() ? Holder() : found->second, holder, limits, use, now).status();
}

void TokenBudgets::Keep(const std::function<bool(absl::string_view name)>& stays) {
  absl::erase_if(holders_, [&stays](const auto& holder) { return !stays(holder.first); });
}

}  // namespace heed
