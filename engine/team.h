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
#include "engine/mutex.h"

namespace heed {

class Team {
 public:
  // `size` >= 1 threads, the caller of Run included.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls body(part) once for each part in [0, parts), on any of the team's threads, and returns when all have returned.
  // One caller at a time; `body` must not call Run. Results must not depend on which thread runs a part.
  void Run(int64_t parts, absl::FunctionRef<void(int64_t part)> body);

 private:
  void Work();
  void TakeParts();

  // The call under way: written by Run before `generation_` is raised, read by the threads after they see it raised.
  const absl::FunctionRef<void(int64_t)>* body_ = nullptr;
  int64_t parts_ = 0;
  std::atomic<int64_t> next_part_{0};
  std::atomic<int> busy_{0};  // threads, the caller aside, that have not finished with this call

  std::atomic<uint32_t> generation_{0};
  std::atomic<bool> stop_{false};
  Mutex mutex_;
  CondVar wake_;
  int parked_ GUARDED_BY(mutex_) = 0;

  std::vector<std::thread> threads_;  // constant after construction
};

}  // namespace heed
