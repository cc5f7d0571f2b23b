// SPDX-License-Identifier: Apache-2.0
// What a soak found: counts and latencies by kind of request, the server's memory, and whether it passed.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/bench/latency_counts.h"
#include "tests/soak/memory_growth.h"
#include "tests/soak/soak_load.h"

namespace heed::client {

// The settings of a run that its report names.
struct SoakSettings {
  int concurrency = 16;
  double duration_seconds = 60;
  double warmup_seconds = 5;
  // A server that keeps nothing moves by 1 to 2 MiB as the allocator takes and gives back; at 500 requests a second
  // this finds a leak of 560 bytes a request in a minute, of 56 in ten.
  double max_growth_mib = 8;

  // Time between two readings of the memory, in seconds.
  double reading_interval() const;
};

// What became of the requests of one kind.
struct KindReport {
  int64_t requests = 0;  // that were answered or failed, in the warm-up too
  int64_t failures = 0;
  LatencyCounts latencies;  // of the answers in the measured time
};

// What a run came to.
struct SoakReport {
  std::vector<KindReport> kinds;            // as SoakLoad::kinds()
  std::map<std::string, int64_t> failures;  // by status, or "wrong answer"
  std::string first_failure;
  std::array<LatencyCounts, 4> quarters;  // of the measured time
  double seconds = 0;                     // that were measured
  std::optional<MemoryGrowth> memory;     // none: it was not watched
  int64_t second_half_readings = 0;
  int missed_readings = 0;
  bool restarted = false;

  int64_t requests() const;
  int64_t failed() const;
};

// Counts a call that ended `finished` after the start of the run.
void CountCall(const SoakCall& call, std::chrono::nanoseconds finished, const SoakSettings& settings,
               const std::vector<SoakKind>& kinds, SoakReport& report);

std::string SoakReportText(const SoakReport& report, const std::vector<SoakKind>& kinds, const SoakSettings& settings);
std::string SoakReportJson(const SoakReport& report, const std::vector<SoakKind>& kinds, const SoakSettings& settings);

// What is wrong with the run, a sentence each. None: it passed.
std::vector<std::string> SoakFaults(const SoakReport& report, const SoakSettings& settings);

}  // namespace heed::client
