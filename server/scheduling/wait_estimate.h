// SPDX-License-Identifier: Apache-2.0
// How long a request that comes to a queue now is likely to take, from how the queue and the tasks before it did
// lately. Plain data that takes the time as an argument: no threads, no clock.
//
// What is not known does not count, so that an estimate is zero until there is one. A queue that refuses requests by
// these estimates takes them again, at the latest when what waits in it has left.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace heed {

// How long the queue takes to be worked off: the rows that wait, divided by the rate at which rows left it to be worked
// on. That rate holds whatever slows the queue down: long steps, other priorities, other models, the machine. It is a
// mean over about the last second, or over about the last four departures where that is longer, and begins again with
// an empty queue: while a queue empties at each departure, its rate is that of its arrivals. Time without a departure
// counts as soon as it passes, so that a queue that stands still is seen to. Times never go back. Not thread-safe.
class QueueTimeEstimate {
 public:
  void Join(int64_t rows, TimePoint now);
  // They are worked on from now on.
  void Depart(int64_t rows, TimePoint now);
  // Nobody waits for them any more.
  void GiveUp(int64_t rows) { waiting_rows_ -= rows; }

  // Nothing: no rows wait, or none departed since some do.
  std::optional<Clock::duration> QueueTime(TimePoint now) const;

 private:
  int64_t waiting_rows_ = 0;
  TimePoint last_departure_{};  // or when rows began to wait
  double departed_rows_ = 0;    // both with the weights of the mean
  double departed_seconds_ = 0;
};

// Estimates an upper bound of the time that a task takes once it is started: its steps times the time of a step, which
// grows with the number of tasks that share it.
//
// The number of steps is two standard deviations above the mean over about the last 32 tasks that ended. Mean and
// deviation are of the logarithm, so that one large task among small ones changes little; nearly all tasks take fewer
// steps. The estimate never exceeds the longest of about the last 512 tasks. A task's share of a step is a mean over
// about the last four steps. Not thread-safe.
class RunTimeEstimate {
 public:
  // A task ended after so many steps, at least 1; or it ran out of time, and would have taken more.
  void AddTask(int64_t steps, bool ended);
  // Tasks ended a step so long after the one before, in the mean, while `tasks` shared the steps.
  void AddStep(Clock::duration period, int64_t tasks);

  // While `tasks` share the steps. Zero: nothing is known.
  Clock::duration RunTime(int64_t tasks) const;

 private:
  bool knows_tasks_ = false;
  bool knows_steps_ = false;
  double log_steps_ = 0;  // their mean and variance
  double variance_ = 0;
  double longest_ = 0;  // of the logarithms; comes down to the mean as tasks are forgotten
  double share_seconds_ = 0;
};

}  // namespace heed
