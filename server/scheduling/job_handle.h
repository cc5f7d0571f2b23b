// SPDX-License-Identifier: Apache-2.0
// One way to run a job: submit it, cancel it at any time, wait for it.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "server/scheduling/job.h"
#include "server/scheduling/scheduler.h"

namespace heed {

// A request's job on its way to the scheduler, which its client may cancel at any time, also before the scheduler has
// it; or its jobs, one after the other. Shared by the thread that submits and those that cancel; the scheduler outlives
// it. Thread-safe.
class JobHandle {
 public:
  explicit JobHandle(Scheduler& scheduler) : scheduler_(scheduler) {}

  // Once, and again when the job before has ended. OK: the scheduler has the job and its observer hears of the end,
  // perhaps before this returns; then only the handle itself has to live until it does. Otherwise, as
  // Scheduler::Submit, the observer hears nothing.
  absl::Status Submit(std::shared_ptr<Job> job) EXCLUDES(mutex_);
  // Ends the job, and those that may follow, with CANCELLED: at once, or as soon as the scheduler has it.
  void Cancel() EXCLUDES(mutex_);

 private:
  Scheduler& scheduler_;
  Mutex mutex_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<Job> job_ GUARDED_BY(mutex_);  // the last; null: there is none yet
};

// Submits the job and waits for its end, whose status it returns; sets the job's observer. Not on an executor's thread.
absl::Status RunJob(Scheduler& scheduler, const std::shared_ptr<Job>& job);

}  // namespace heed
