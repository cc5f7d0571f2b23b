// SPDX-License-Identifier: Apache-2.0
// A text that is read into a memory that is no session's.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "models/kinds/language_model.h"
#include "server/scheduling/job.h"
#include "server/scheduling/job_handle.h"
#include "server/session_calls/session_parts.h"
#include "server/telemetry/tracer.h"

namespace heed {

// Keeps itself alive from Run until `done` was called. Thread-safe.
class MemoryReading : public JobObserver, public std::enable_shared_from_this<MemoryReading> {
 public:
  using Done = std::function<void(const absl::Status&)>;

  // `parts` outlives it. `done` is called once, by Run or later by another thread.
  MemoryReading(const SessionParts& parts, std::shared_ptr<const LanguageModel> model, Done done)
      : parts_(parts), model_(std::move(model)), done_(std::move(done)), handle_(parts.scheduler) {}

  // Once. `request`, of at most some 64 KiB, keeps its state. `trace`: that it is a part of, and which lives until
  // `done`; null: it is not traced.
  void Run(ScoreRequest request, TimePoint deadline, Priority priority, RequestTrace* trace);
  // The client has gone.
  void Cancel() { handle_.Cancel(); }

  // For `done`, once it was called with OK.
  const ScoreTask& task() const { return *task_; }

  // The scheduler's.
  void OnTaskOutput(int, Task& task) override;
  void OnJobDone(const absl::Status& status, const JobTimes& times) override;

 private:
  absl::Status Start(ScoreRequest request, TimePoint deadline, Priority priority);
  void End(const absl::Status& status);

  const SessionParts& parts_;
  const std::shared_ptr<const LanguageModel> model_;
  Done done_;
  std::unique_ptr<Scheduler::Admission> admission_;
  std::shared_ptr<Job> job_;  // keeps the task
  const ScoreTask* task_ = nullptr;
  RequestTrace* trace_ = nullptr;
  std::shared_ptr<MemoryReading> self_;  // while the scheduler has the job
  JobHandle handle_;
};

}  // namespace heed
