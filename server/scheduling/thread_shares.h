// SPDX-License-Identifier: Apache-2.0
// Decides how many steps run at the same time, and on how many threads each: a plain data structure without threads,
// locks and clock. The scheduler drives it.
//
// The threads of a step wait for each other at every kernel, and long for one whose core somebody else has. So where
// there is work for several steps, they share out the threads and wait for nobody; where there is little, one step gets
// all threads, because its answer comes sooner.
//
// By load: n steps at a time get threads / n each. n is the largest power of two that divides the threads, or all of
// them, for which there are as many tasks, and enough rows for each step. A task of kLargeRows and more than its share
// of all rows (a long sentence, a block of a graph) is not left to fewer threads because of small ones beside it. A
// smaller n than before needs a quarter fewer rows than that, so that n does not swing; and a step that is to have more
// threads than are free waits for the steps under way, and takes their tasks along.
//
// How many rows are enough depends on the model. Each step reads all weights. If they stay in a core's caches, few rows
// are worth a thread. If they come from memory, which the cores share, steps of few rows only wait for it together.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace heed {

// Not thread-safe.
class ThreadShares {
 public:
  // Rows that are worth a step of their own, of models whose weights stay in the caches and of others.
  static constexpr int64_t kRowsOfSmallModel = 4;
  static constexpr int64_t kRowsOfLargeModel = 8;
  // One thread takes milliseconds for these.
  static constexpr int64_t kLargeRows = 64;
  // What a small model's weights take at most.
  static constexpr int64_t kSmallModelBytes = int64_t{32} << 20;

  // Tasks, and the rows of their next steps; `worth` is what these are worth: kRowsOfLargeModel for a step. `largest`:
  // rows of the task that has most, or had before it was taken away.
  struct Load {
    int64_t tasks = 0;
    int64_t rows = 0;
    int64_t worth = 0;
    int64_t largest = 0;

    Load& operator+=(const Load& other);
    Load& operator-=(const Load& other);
  };
  // Of one model's tasks and rows.
  static Load LoadOf(int64_t tasks, int64_t rows, int64_t resident_bytes, int64_t largest = 0);

  // What one step gets.
  struct Share {
    int steps = 1;     // that run at the same time
    int threads = 1;   // at least 1
    int64_t rows = 0;  // at most; a task with more goes alone
  };

  // The threads of each team that the `index`th of those who step adds to what they share, so that no share is without.
  static std::vector<int> TeamSizes(int threads, int steps, int index);

  // `steps` at a time, from 1 to `threads`; 0: by load.
  ThreadShares(int threads, int steps) : threads_(threads), fixed_steps_(steps), steps_(steps > 0 ? steps : 1) {}

  // What a step gets that begins now with some of `ready`, at least one task that is in no step. Nothing: wait until a
  // step under way ends.
  std::optional<Share> Offer(const Load& ready) const;
  // A step begins with a share that was offered, or ends.
  void Begin(const Share& share, const Load& load);
  void End(const Share& share, const Load& load);

  // That run at the same time, as the last step to begin had it.
  int steps() const { return steps_; }
  int threads_in_use() const { return threads_in_use_; }

 private:
  // Whether the threads may be shared out among so many steps.
  static bool Divides(int steps, int threads);
  int WantedSteps(const Load& all) const;

  const int threads_;
  const int fixed_steps_;
  int steps_;
  int threads_in_use_ = 0;
  int steps_under_way_ = 0;
  Load under_way_;
};

}  // namespace heed
