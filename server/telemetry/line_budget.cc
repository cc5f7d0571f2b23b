// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/line_budget.h"

#include <chrono>
#include <utility>

namespace heed {

std::optional<int64_t> LineBudget::Take(TimePoint now) {
  MutexLock lock(mutex_);
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    lines_ = 0;
  }
  if (lines_ == lines_a_second_) {
    ++left_out_;
    return std::nullopt;
  }
  ++lines_;
  return std::exchange(left_out_, 0);
}

}  // namespace heed
