// SPDX-License-Identifier: Apache-2.0
#include "server/language/memory_reading.h"

#include <utility>

#include "base/exception_barrier.h"
#include "base/status_macros.h"
#include "server/messages/work_metrics.h"
#include "server/rpc/job_trace.h"

namespace heed {

void MemoryReading::Run(ScoreRequest request, TimePoint deadline, Priority priority, RequestTrace* trace) {
  trace_ = trace;
  const auto self = shared_from_this();
  const absl::Status status = WithoutExceptions([&] { return Start(std::move(request), deadline, priority); });
  if (!status.ok()) End(status);
}

absl::Status MemoryReading::Start(ScoreRequest request, TimePoint deadline, Priority priority) {
  const TimePoint start = Clock::now();
  HEED_ASSIGN_OR_RETURN(admission_, parts_.scheduler.Admit());
  auto job = std::make_shared<Job>();
  job->model = model_;
  job->deadline = deadline;
  job->priority = priority;
  job->admitted = true;
  job->observer = this;
  HEED_RETURN_IF_ERROR(parts_.scheduler.CheckRoom(*job));
  const BatchLimits& limits = parts_.scheduler.LimitsOf(model_->spec().name);
  HEED_ASSIGN_OR_RETURN(auto task,
                        model_->StartScore(std::move(request), {limits.max_queued_tasks, limits.max_queued_rows, {}}));
  task_ = task.get();
  job->tasks.push_back(std::move(task));
  job_ = job;
  if (trace_ != nullptr) trace_->Add(PartOf("prepare", start, Clock::now(), model_->spec().name));
  self_ = shared_from_this();  // its end may come before Submit returns
  absl::Status status = handle_.Submit(std::move(job));
  if (!status.ok()) self_ = nullptr;
  return status;
}

void MemoryReading::OnTaskOutput(int, Task& task) {
  if (task.finished()) AddTextTokens(task_->result().tokens, 0, model_->spec().name, parts_.requests.metrics());
}

void MemoryReading::OnJobDone(const absl::Status& status, const JobTimes& times) {
  const auto self = std::move(self_);
  if (trace_ != nullptr) AddJobParts(*job_, times, {}, *trace_);
  End(status);
}

void MemoryReading::End(const absl::Status& status) {
  admission_ = nullptr;
  if (trace_ != nullptr) trace_->BeginAnswer(Clock::now());
  std::exchange(done_, nullptr)(status);
}

}  // namespace heed
