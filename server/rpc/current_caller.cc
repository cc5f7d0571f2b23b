// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/current_caller.h"

#include <utility>

namespace heed {
namespace {

thread_local std::shared_ptr<const Caller> current_caller;
thread_local TokenUse current_use;

}  // namespace

CallerScope::CallerScope(std::shared_ptr<const Caller> caller, const TokenUse& use)
    : before_(std::exchange(current_caller, std::move(caller))), use_before_(std::exchange(current_use, use)) {}

CallerScope::~CallerScope() {
  current_caller = std::move(before_);
  current_use = use_before_;
}

const std::shared_ptr<const Caller>& CurrentCaller() { return current_caller; }

TokenUse CurrentUse() { return current_use; }

const NamePatterns* CurrentlyAllowedModels() { return current_caller == nullptr ? nullptr : &current_caller->models(); }

}  // namespace heed
