// How long a request that comes to a queue now is likely to take, from how the queue and the tasks before it did
// lately. Plain data that takes the time as an argument: no threads, no clock.
//
// What is not known does not count: before the first departure there is no estimate, and what was learnt is forgotten
// after ten seconds without news. An empty queue is waited for by nobody. So a queue that refuses requests by these
// estimates takes them again, at the latest when what waits in it has left.
#pragma once

#include <cstdint>
#include <optional>

#include "server/job.h"

namespace heed {

// How long the queue takes to be worked off: the rows that wait, divided by the rate at which rows left it to be worked
// on while any waited. That rate holds whatever slows the queue down: long steps, other priorities, other models, the
// machine. It is a mean over about the last second, or over about the last four departures where that is longer. Time
// without a departure counts as soon as it passes, so that a queue that stands still is seen to. Times never go back.
// Not thread-safe.
class QueueTimeEstimate {
 public:
  void Join(int64_t rows, TimePoint now);
  // They are worked on from now on.
  void Depart(int64_t rows, TimePoint now);
  // Nobody waits for them any more.
  void GiveUp(int64_t rows, TimePoint now);

  // Nothing: no rows wait, or none departed lately.
  std::optional<Clock::duration> QueueTime(TimePoint now) const;

 private:
  // Since the last departure, times in which none waited aside.
  double SecondsWithoutDeparture(TimePoint now) const;

  int64_t waiting_rows_ = 0;
  TimePoint changed_{};  // when rows began to wait, departed or ceased to wait
  TimePoint last_departure_{};
  double seconds_before_change_ = 0;  // of SecondsWithoutDeparture
  double departed_rows_ = 0;          // both with the weights of the mean
  double departed_seconds_ = 0;
};

// How long a task takes once it is worked on: the geometric mean over about the last sixteen that ended, so that one
// large task among small ones changes little. Not thread-safe.
class RunTimeEstimate {
 public:
  void Add(Clock::duration run_time, TimePoint now);
  // Zero: no task ended lately.
  Clock::duration RunTime(TimePoint now) const;

 private:
  bool known_ = false;
  double log_seconds_ = 0;
  TimePoint last_{};
};

}  // namespace heed
