// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/job_handle.h"

#include <utility>

#include "base/awaited_status.h"

namespace heed {
namespace {

class Waiter : public JobObserver {
 public:
  void OnTaskOutput(int, Task&) override {}
  void OnJobDone(const absl::Status& status, const JobTimes&) override { end_.Set(status); }
  absl::Status Wait() { return end_.Wait(); }

 private:
  AwaitedStatus end_;
};

}  // namespace

absl::Status JobHandle::Submit(std::shared_ptr<Job> job) {
  {
    MutexLock lock(mutex_);
    job_ = job;
  }
  if (absl::Status status = scheduler_.Submit(job); !status.ok()) return status;
  bool cancelled = false;
  {
    MutexLock lock(mutex_);
    cancelled = cancelled_;
  }
  // A Cancel that came before the scheduler had the job did nothing there.
  if (cancelled) scheduler_.Cancel(*job);
  return absl::OkStatus();
}

void JobHandle::Cancel() {
  std::shared_ptr<Job> job;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    job = job_;
  }
  if (job != nullptr) scheduler_.Cancel(*job);
}

absl::Status RunJob(Scheduler& scheduler, const std::shared_ptr<Job>& job) {
  Waiter waiter;
  job->observer = &waiter;
  if (absl::Status status = scheduler.Submit(job); !status.ok()) return status;
  return waiter.Wait();
}

}  // namespace heed
