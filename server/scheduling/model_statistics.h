// SPDX-License-Identifier: Apache-2.0
// What each loaded model has done: counts and times, as the Open Inference Protocol's statistics extension tells them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>

#include "base/mutex.h"
#include "models/kinds/model.h"
#include "server/scheduling/job.h"

namespace heed {

struct DurationSum {
  int64_t count = 0;
  std::chrono::nanoseconds total{0};

  void Add(std::chrono::nanoseconds duration) {
    ++count;
    total += duration;
  }
};

// Since the model was loaded.
struct ModelCounts {
  DurationSum success, fail;                   // requests, from submission to their end; refused ones are in neither
  DurationSum queue;                           // of those that began: from submission to the first step
  DurationSum compute;                         // of those that succeeded: from the first step to the end
  DurationSum input, output;                   // between tensors and the model's types
  int64_t tasks = 0;                           // of requests that succeeded
  std::map<int64_t, DurationSum> steps;        // by the number of tasks
  std::chrono::system_clock::time_point last;  // when a request succeeded; the epoch: none did
};

// Thread-safe. Models are told apart by identity: one that is loaded again begins with nothing.
class ModelStatistics {
 public:
  void AddStep(const std::shared_ptr<const Model>& model, int64_t tasks, std::chrono::nanoseconds duration);
  void AddJob(const Job& job, const absl::Status& status, const JobTimes& times);
  void AddConversions(const std::shared_ptr<const Model>& model, std::chrono::nanoseconds input,
                      std::chrono::nanoseconds output);

  ModelCounts Of(const Model& model) const;

 private:
  struct Entry {
    std::weak_ptr<const Model> model;
    ModelCounts counts;
  };
  ModelCounts& CountsOf(const std::shared_ptr<const Model>& model) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<const Model*, Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace heed
