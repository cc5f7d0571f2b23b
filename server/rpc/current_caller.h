// SPDX-License-Identifier: Apache-2.0
// Who has sent the call that this thread is beginning. Every call begins within one function of one thread, from the
// handler in front of its service (server/rpc/checked_messages.h) to the constructor of its Call: so its caller need
// not pass through each service on the way.
#pragma once

#include <memory>

#include "server/security/caller.h"

namespace heed {

// Sets the caller of this thread as long as it lives, and then the one before it again.
class CallerScope {
 public:
  // Null: nobody is asked for a token, or none was sent.
  // `use`: what its message was taken for of the limits.
  explicit CallerScope(std::shared_ptr<const Caller> caller, const TokenUse& use = {});
  ~CallerScope();
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

 private:
  std::shared_ptr<const Caller> before_;
  TokenUse use_before_;
};

// Null outside of a scope, too.
const std::shared_ptr<const Caller>& CurrentCaller();
TokenUse CurrentUse();
// The models that it may use. Null: all.
const NamePatterns* CurrentlyAllowedModels();

}  // namespace heed
