// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/current_caller.h"

#include <utility>

namespace heed {
namespace {

thread_local std::shared_ptr<const Caller> current_caller;

}  // namespace

CallerScope::CallerScope(std::shared_ptr<const Caller> caller)
    : before_(std::exchange(current_caller, std::move(caller))) {}

CallerScope::~CallerScope() { current_caller = std::move(before_); }

const std::shared_ptr<const Caller>& CurrentCaller() { return current_caller; }

const NamePatterns* CurrentlyAllowedModels() { return current_caller == nullptr ? nullptr : &current_caller->models(); }

}  // namespace heed
