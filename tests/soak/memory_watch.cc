// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/memory_watch.h"

#include <algorithm>
#include <optional>

#include "absl/status/statusor.h"
#include "client/lib/pause.h"
#include "client/top/server_metrics.h"

namespace heed::client {

MemoryWatch::MemoryWatch(const HttpAddress& address, SteadyClock::time_point start, SteadyClock::duration interval)
    : address_(address),
      start_(start),
      interval_(interval),
      thread_([this](const std::stop_token& stop) { Watch(stop); }) {}

std::vector<MemoryReading> MemoryWatch::TakeReadings(double begin, double seconds) {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  std::vector<MemoryReading> taken;
  for (const MemoryReading& reading : readings_) {
    const double time = reading.seconds - begin;
    if (time >= 0 && time <= seconds) taken.push_back({time, reading.bytes});
  }
  return taken;
}

void MemoryWatch::Watch(const std::stop_token& stop) {
  SteadyClock::time_point next = start_;
  while (!stop.stop_requested()) {
    const absl::StatusOr<MetricsPage> page = ReadServerMetrics(address_, stop);
    if (stop.stop_requested()) return;
    const std::optional<double> bytes = page.ok() ? page->Sum("process_resident_memory_bytes") : std::nullopt;
    if (bytes) {
      readings_.push_back({std::chrono::duration<double>(SteadyClock::now() - start_).count(), *bytes});
      starts_.insert(page->Sum("process_start_time_seconds").value_or(0));
    } else {
      ++failed_;
    }
    next = std::max(next + interval_, SteadyClock::now());
    PauseUntil(next, stop);
  }
}

}  // namespace heed::client
