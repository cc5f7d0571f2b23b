// SPDX-License-Identifier: Apache-2.0
#include "engine/core/team.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace heed {
namespace {

// About 50 microseconds: longer than the gaps between a step's kernels, shorter than anyone would notice on an idle
// server.
constexpr int kSpins = 2000;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

Team::Team(int size) {
  for (int i = 1; i < size; ++i) threads_.emplace_back([this] { Work(); });
}

Team::~Team() {
  stop_ = true;
  {
    MutexLock lock(mutex_);
    ++generation_;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void Team::TakeParts() {
  const int64_t parts = parts_;
  const absl::FunctionRef<void(int64_t)>& body = *body_;
  for (int64_t part; (part = next_part_.fetch_add(1, std::memory_order_relaxed)) < parts;) body(part);
}

void Team::Run(int64_t parts, absl::FunctionRef<void(int64_t)> body) {
  if (parts <= 1 || threads_.empty()) {
    for (int64_t part = 0; part < parts; ++part) body(part);
    return;
  }
  body_ = &body;
  parts_ = parts;
  next_part_.store(0, std::memory_order_relaxed);
  open_ = true;
  ++generation_;
  if (parked_ > 0) {
    MutexLock lock(mutex_);  // a thread between its last look at generation_ and its sleep holds it
    wake_.NotifyAll();
  }
  TakeParts();
  open_ = false;
  for (int spins = 0; inside_ != 0; ++spins) {
    if (spins < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();  // more threads than cores: let the one inside run
    }
  }
}

void RunRows(Team& team, int64_t rows, int64_t work_per_row, absl::FunctionRef<void(int64_t, int64_t)> body) {
  constexpr int64_t kWorkPerPart = 1 << 16;  // a few microseconds
  const int64_t worthwhile = kWorkPerPart / std::max<int64_t>(1, work_per_row) + 1;
  const int64_t fair = (rows + 4 * team.size() - 1) / (4 * team.size());
  const int64_t per_part = std::max(worthwhile, fair);
  team.Run((rows + per_part - 1) / per_part,
           [&](int64_t part) { body(part * per_part, std::min(rows, (part + 1) * per_part)); });
}

void Team::Work() {
  uint32_t seen = 0;
  for (;;) {
    for (int spins = 0; generation_ == seen && spins < kSpins; ++spins) Pause();
    if (generation_ == seen) {
      MutexLock lock(mutex_);
      ++parked_;
      while (generation_ == seen) wake_.Wait(mutex_);
      --parked_;
    }
    if (stop_) return;
    seen = generation_;
    ++inside_;
    if (open_) TakeParts();
    --inside_;
  }
}

}  // namespace heed
