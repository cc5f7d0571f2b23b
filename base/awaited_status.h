// SPDX-License-Identifier: Apache-2.0
// What one thread waits for and another reports, once.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "base/mutex.h"

namespace heed {

// Thread-safe. A std::promise would do, but the thread sanitizer cannot see into it.
class AwaitedStatus {
 public:
  // Once.
  void Set(const absl::Status& status) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    status_ = status;
    changed_.NotifyAll();
  }
  // Blocks until Set.
  absl::Status Wait() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!status_) changed_.Wait(mutex_);
    return *status_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::Status> status_ GUARDED_BY(mutex_);
};

}  // namespace heed
