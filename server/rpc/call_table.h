// SPDX-License-Identifier: Apache-2.0
// The calls of a service that are under way, for whoever has something to tell all of them.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace heed {

// Shares each call until its OnDone. Thread-safe.
template <typename Reactor>
class CallTable {
 public:
  void Add(std::shared_ptr<Reactor> call) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    Reactor* const key = call.get();
    calls_[key] = std::move(call);
  }
  // In the call's OnDone; it may be gone afterwards.
  void Remove(Reactor* call) EXCLUDES(mutex_) {
    std::shared_ptr<Reactor> last;  // destroyed without the lock
    MutexLock lock(mutex_);
    const auto found = calls_.find(call);
    last = std::move(found->second);
    calls_.erase(found);
  }
  std::vector<std::shared_ptr<Reactor>> All() EXCLUDES(mutex_) {
    std::vector<std::shared_ptr<Reactor>> all;
    MutexLock lock(mutex_);
    for (const auto& [key, call] : calls_) all.push_back(call);
    return all;
  }

 private:
  Mutex mutex_;
  std::map<Reactor*, std::shared_ptr<Reactor>> calls_ GUARDED_BY(mutex_);
};

}  // namespace heed
