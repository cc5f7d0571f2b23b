// SPDX-License-Identifier: Apache-2.0
// One request, as the scheduler sees it: tasks in order, a deadline, and somebody to tell.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "models/kinds/model.h"
#include "server/scheduling/priority.h"

namespace heed {

// When a job passed each point of its life; nothing where it never came that far. And what its steps were.
struct JobTimes {
  TimePoint submitted;
  std::optional<TimePoint> started;       // the first step that advanced one of its tasks began
  std::optional<TimePoint> first_output;  // the first output was ready to take
  std::optional<TimePoint> done;
  int64_t steps = 0;      // that advanced any of its tasks
  int64_t step_rows = 0;  // of those steps, in all: its own rows and those of other jobs
};

// Who asked for the job. Called on the executors' threads with no lock held; must return soon and never block: an
// executor that calls it steps no batch meanwhile.
class JobObserver {
 public:
  virtual ~JobObserver() = default;

  // Task `index` has output to take or is finished without an error. No step touches the task during the call. Calls
  // for different tasks of a job may come at the same time from several executors; calls for one task come in order.
  virtual void OnTaskOutput(int index, Task& task) = 0;
  // The last call, exactly once for a job that was accepted, after every other call has returned. OK: every task is
  // finished. Otherwise why the job ended early:
  //   CANCELLED Scheduler::Cancel; DEADLINE_EXCEEDED its deadline; ABORTED its reader lagged for too long; UNAVAILABLE
  //   the server stopped first; or a task's own error.
  // The scheduler touches neither the observer nor the tasks afterwards.
  virtual void OnJobDone(const absl::Status& status, const JobTimes& times) = 0;
};

// Shared by its submitter and the scheduler. Constant once submitted, but for the tasks themselves: they belong to the
// scheduler from then until OnJobDone, OnTaskOutput's calls aside.
struct Job {
  std::shared_ptr<const Model> model;        // keeps the model alive while the job runs
  std::vector<std::unique_ptr<Task>> tasks;  // all started by `model`; at least one
  TimePoint deadline = kNoDeadline;
  Priority priority = kDefaultPriority;
  bool internal = false;    // a part of what the server accepted before: taken while new requests are refused, and
                            // although the queue is full
  bool continued = false;   // of a request one of whose jobs is done: taken although the queue is full
  bool one_by_one = false;  // its tasks' answers are sent one by one, not as one message
  bool admitted = false;    // of a request that Scheduler::Admit took: taken while new requests are refused
  JobObserver* observer = nullptr;  // outlives its OnJobDone
};

}  // namespace heed
