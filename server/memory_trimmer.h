// SPDX-License-Identifier: Apache-2.0
// Gives memory back to the system after a peak: the allocator keeps what large requests have freed, and in a container
// it counts as used.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"

namespace heed {

// When it is worth it: a plain data structure that takes the time. To return what is free takes some 0.1 s for each
// GiB, and to take it again about as long.
class TrimPolicy {
 public:
  static constexpr int64_t kMinGrowthBytes = 16 << 20;       // below this it is never worth it
  static constexpr int64_t kMinBusyGrowthBytes = 256 << 20;  // while there are requests
  static constexpr std::chrono::seconds kMinIdle{2};
  static constexpr std::chrono::seconds kMinInterval{30};  // between two trims while there are requests

  // Asked about once a second. `resident_bytes`: of the process now. True: trim, and report what is left by Trimmed.
  bool IsDue(TimePoint now, int64_t requests_in_flight, int64_t resident_bytes);
  void Trimmed(TimePoint now, int64_t resident_bytes);

 private:
  std::optional<TimePoint> idle_since_;
  std::optional<TimePoint> last_trim_;
  int64_t resident_bytes_ = 0;  // after the last trim, or the least since; none yet: everything is growth
};

// A thread that asks the policy. Thread-safe.
class MemoryTrimmer {
 public:
  // `requests_in_flight`: asked on the trimmer's thread.
  explicit MemoryTrimmer(std::function<int64_t()> requests_in_flight);
  ~MemoryTrimmer();
  MemoryTrimmer(const MemoryTrimmer&) = delete;
  MemoryTrimmer& operator=(const MemoryTrimmer&) = delete;

 private:
  void Run() EXCLUDES(mutex_);

  const std::function<int64_t()> requests_in_flight_;
  Mutex mutex_;
  CondVar stopped_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace heed
