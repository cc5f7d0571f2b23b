// SPDX-License-Identifier: Apache-2.0
// How far a long run is, on one line of a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

namespace heed::client {

struct Progress {
  int64_t lines = 0;
  std::string unit = "lines";  // what `lines` counts
  int64_t bytes = 0;
  int64_t total_bytes = -1;  // -1: unknown, then there is no bar and no remaining time
  std::string note;          // what else there is to say: "perplexity 23.41"
};

// "[=====>    ]  52%  431 lines  120 lines/s  0:04 left", at most `columns` wide.
std::string ProgressText(const Progress& progress, std::chrono::duration<double> elapsed, int columns);

// Draws at most every 0.1 s, and only once a run has taken a second. Not thread-safe. Time is the caller's.
class ProgressBar {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Draws on `out`, which it borrows; on none if null.
  ProgressBar(std::ostream* out, int columns, TimePoint start) : out_(out), columns_(columns), start_(start) {}

  void Update(const Progress& progress, TimePoint now);
  // Takes the bar off the terminal, before something else is written there and at the end.
  void Clear();

 private:
  std::ostream* const out_;
  const int columns_;
  const TimePoint start_;
  TimePoint last_draw_;
  bool drawn_ = false;
};

}  // namespace heed::client
