// SPDX-License-Identifier: Apache-2.0
// Timing for benchmarks on a noisy machine: rivals take turns within one run, and medians are compared.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "engine/core/team.h"

namespace heed::bench {

inline double SecondsNow() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Seconds of one call of each rival: the median of `rounds` rounds, in each of which every rival runs for `seconds`.
inline std::vector<double> TakeTurns(const std::vector<std::function<void()>>& rivals, int rounds, double seconds) {
  std::vector<std::vector<double>> times(rivals.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < rivals.size(); ++i) {
      const double begin = SecondsNow();
      double now = begin;
      int calls = 0;
      for (; now - begin < seconds; now = SecondsNow(), ++calls) rivals[i]();
      times[i].push_back((now - begin) / calls);
    }
  }
  std::vector<double> medians;
  for (const std::vector<double>& t : times) medians.push_back(Median(t));
  return medians;
}

// GFLOP/s of fused multiply-adds that stay in registers, on the calling thread: what no kernel can exceed.
double FmaPeak();

// Bytes a second that the team reads from memory, far more than the caches hold: the median of some rounds.
double ReadingSpeed(Team& team);

}  // namespace heed::bench
