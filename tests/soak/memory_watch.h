// SPDX-License-Identifier: Apache-2.0
// Reads a server's resident memory from its metrics page while a load runs.
#pragma once

#include <chrono>
#include <set>
#include <stop_token>
#include <thread>
#include <vector>

#include "client/lib/http_page.h"
#include "tests/soak/memory_growth.h"

namespace heed::client {

// Reads every `interval`, on a thread of its own, from its construction on. Its methods are for one thread.
class MemoryWatch {
 public:
  using SteadyClock = std::chrono::steady_clock;

  MemoryWatch(const HttpAddress& address, SteadyClock::time_point start, SteadyClock::duration interval);

  // Ends the watch. Returns the readings of the measured time, which begins `begin` seconds after the start and takes
  // `seconds`; their times are since that beginning.
  std::vector<MemoryReading> TakeReadings(double begin, double seconds);
  // After TakeReadings(): the number of readings that failed, and whether more than one process answered.
  int failed() const { return failed_; }
  bool restarted() const { return starts_.size() > 1; }

 private:
  void Watch(const std::stop_token& stop);

  const HttpAddress address_;
  const SteadyClock::time_point start_;
  const SteadyClock::duration interval_;
  // The thread's until it has ended.
  std::vector<MemoryReading> readings_;
  std::set<double> starts_;  // start times of the processes that answered
  int failed_ = 0;
  std::jthread thread_;
};

}  // namespace heed::client
