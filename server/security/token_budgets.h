// SPDX-License-Identifier: Apache-2.0
// What the holders of tokens have left of what they may send in a minute. Policy only: it knows no clock, no file and
// no lock.
//
// Each limit is a bucket that holds one minute's amount, is full at first and fills evenly. So a holder may send a
// minute's amount at once, and after that as much as comes back. What is refused takes nothing out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "server/security/token_limits.h"

namespace heed {

// What a message asks for, of its holder's limits.
struct TokenUse {
  int64_t requests = 0;
  int64_t characters = 0;
};

// Not thread-safe. Holds two times for each holder that Keep lets stay.
class TokenBudgets {
 public:
  // Takes `use` out of the holder's buckets at `now`, or nothing. RESOURCE_EXHAUSTED, with the time until there is
  // room: a bucket holds less. INVALID_ARGUMENT: no full bucket holds so much; the message has both values.
  absl::Status Take(const std::string& holder, const TokenLimits& limits, const TokenUse& use, TimePoint now);
  // Puts back what Take has taken. No bucket holds more than a minute's amount by that.
  void GiveBack(const std::string& holder, const TokenLimits& limits, const TokenUse& use);
  // What Take would return. Takes nothing.
  absl::Status Check(const std::string& holder, const TokenLimits& limits, const TokenUse& use, TimePoint now) const;

  // Forgets all holders but those whose name `stays`.
  void Keep(const std::function<bool(absl::string_view name)>& stays);
  size_t size() const { return holders_.size(); }

 private:
  // When its bucket is full again. The past: it is full.
  struct Holder {
    TimePoint requests_full, characters_full;
  };
  // The same after `use`.
  static absl::StatusOr<Holder> After(const Holder& before, const std::string& name, const TokenLimits& limits,
                                      const TokenUse& use, TimePoint now);

  absl::flat_hash_map<std::string, Holder> holders_;
};

}  // namespace heed
