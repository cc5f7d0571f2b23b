// SPDX-License-Identifier: Apache-2.0
// The threads of one executor: they split a kernel's rows or columns among themselves.
//
// A team of size n is the calling thread and n - 1 of its own. Between calls these spin briefly, then park, so that a
// model step's hundreds of short kernels do not pay for a wake-up each, and an idle server costs nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"

namespace heed {

class Team {
 public:
  // `size` >= 1 threads, the caller of Run included.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls body(part) once for each part in [0, parts), on any of the team's threads, and returns when all have
  // returned. One caller at a time; `body` must not call Run. Results must not depend on which thread runs a part.
  void Run(int64_t parts, absl::FunctionRef<void(int64_t part)> body);

 private:
  void Work();
  void TakeParts();

  // The call under way. Written by Run while the call is closed and nobody is inside, so that a thread which enters and
  // then sees the call open reads them whole; a thread that comes too late leaves again, and Run never waits for it.
  const absl::FunctionRef<void(int64_t)>* body_ = nullptr;
  int64_t parts_ = 0;
  std::atomic<int64_t> next_part_{0};
  std::atomic<bool> open_{false};
  std::atomic<int> inside_{0};  // threads, the caller aside, that may be reading the above

  std::atomic<uint32_t> generation_{0};  // raised by each call and by the destructor
  std::atomic<bool> stop_{false};
  std::atomic<int> parked_{0};
  Mutex mutex_;  // held to park and to wake up; guards no data but the sleep itself
  CondVar wake_;

  std::vector<std::thread> threads_;  // constant after construction
};

// Shares out rows [0, rows) among a team in stretches worth a thread's while, when each costs about `work_per_row`
// multiply-adds: body(first, last) for each stretch. What body computes for a row must not depend on its stretch.
void RunRows(Team& team, int64_t rows, int64_t work_per_row, absl::FunctionRef<void(int64_t first, int64_t last)> body);

}  // namespace heed
