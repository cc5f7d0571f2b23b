// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/model_statistics.h"

namespace heed {

ModelCounts& ModelStatistics::CountsOf(const std::shared_ptr<const Model>& model) {
  const auto found = entries_.find(model.get());
  if (found != entries_.end()) {
    // An address may come back for another model.
    if (found->second.model.lock() == model) return found->second.counts;
    entries_.erase(found);
  }
  std::erase_if(entries_, [](const auto& item) { return item.second.model.expired(); });
  Entry& entry = entries_[model.get()];
  entry.model = model;
  return entry.counts;
}

void ModelStatistics::AddStep(const std::shared_ptr<const Model>& model, int64_t tasks,
                              std::chrono::nanoseconds duration) {
  MutexLock lock(mutex_);
  CountsOf(model).steps[tasks].Add(duration);
}

void ModelStatistics::AddJob(const Job& job, const absl::Status& status, const JobTimes& times) {
  const TimePoint end = times.done.value_or(times.submitted);
  MutexLock lock(mutex_);
  ModelCounts& counts = CountsOf(job.model);
  (status.ok() ? counts.success : counts.fail).Add(end - times.submitted);
  if (times.started) counts.queue.Add(*times.started - times.submitted);
  if (!status.ok()) return;
  if (times.started) counts.compute.Add(end - *times.started);
  counts.tasks += static_cast<int64_t>(job.tasks.size());
  counts.last = std::chrono::system_clock::now();
}

void ModelStatistics::AddConversions(const std::shared_ptr<const Model>& model, std::chrono::nanoseconds input,
                                     std::chrono::nanoseconds output) {
  MutexLock lock(mutex_);
  ModelCounts& counts = CountsOf(model);
  counts.input.Add(input);
  counts.output.Add(output);
}

ModelCounts ModelStatistics::Of(const Model& model) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(&model);
  if (found == entries_.end() || found->second.model.expired()) return {};
  return found->second.counts;
}

}  // namespace heed
