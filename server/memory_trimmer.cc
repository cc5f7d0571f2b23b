// SPDX-License-Identifier: Apache-2.0
#include "server/memory_trimmer.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr std::chrono::seconds kInterval(1);

// 0: the system does not tell.
int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  if (!(statm >> size >> resident)) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

bool TrimPolicy::IsDue(TimePoint now, int64_t requests_in_flight, int64_t resident_bytes) {
  if (requests_in_flight > 0) {
    idle_since_.reset();
  } else if (!idle_since_) {
    idle_since_ = now;
  }
  resident_bytes_ = std::min(resident_bytes_, resident_bytes);
  const int64_t growth = resident_bytes - resident_bytes_;
  if (idle_since_) return now - *idle_since_ >= kMinIdle && growth >= kMinGrowthBytes;
  return growth >= kMinBusyGrowthBytes && (!last_trim_ || now - *last_trim_ >= kMinInterval);
}

void TrimPolicy::Trimmed(TimePoint now, int64_t resident_bytes) {
  last_trim_ = now;
  resident_bytes_ = resident_bytes;
}

MemoryTrimmer::MemoryTrimmer(std::function<int64_t()> requests_in_flight)
    : requests_in_flight_(std::move(requests_in_flight)), thread_([this] { Run(); }) {}

MemoryTrimmer::~MemoryTrimmer() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  stopped_.NotifyOne();
  thread_.join();
}

void MemoryTrimmer::Run() {
  TrimPolicy policy;
  while (true) {
    {
      MutexLock lock(mutex_);
      const TimePoint next = Clock::now() + kInterval;
      while (!stop_ && Clock::now() < next) stopped_.WaitUntil(mutex_, next);
      if (stop_) return;
    }
    const int64_t before = ResidentBytes();
    if (!policy.IsDue(Clock::now(), requests_in_flight_(), before)) continue;
    malloc_trim(0);
    const int64_t after = ResidentBytes();
    policy.Trimmed(Clock::now(), after);
    LogDebug("memory", {{"resident_bytes", after}, {"returned_bytes", before - after}});
  }
}

}  // namespace heed
