// SPDX-License-Identifier: Apache-2.0
// The clock of deadlines and durations.
#pragma once

#include <chrono>

namespace heed {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
inline constexpr TimePoint kNoDeadline = TimePoint::max();

// As people and metrics read it.
inline double ToSeconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace heed
