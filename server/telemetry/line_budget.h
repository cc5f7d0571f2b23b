// SPDX-License-Identifier: Apache-2.0
// Keeps what goes wrong often from flooding the log.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/mutex.h"

namespace heed {

// Admits so many lines in each second. Thread-safe.
class LineBudget {
 public:
  explicit LineBudget(int lines_a_second) : lines_a_second_(lines_a_second) {}

  // Nothing: this line is to be left out. Otherwise how many were, since the last that was not.
  std::optional<int64_t> Take(TimePoint now) EXCLUDES(mutex_);

 private:
  const int lines_a_second_;
  Mutex mutex_;
  TimePoint second_ GUARDED_BY(mutex_);
  int lines_ GUARDED_BY(mutex_) = 0;
  int64_t left_out_ GUARDED_BY(mutex_) = 0;
};

}  // namespace heed
