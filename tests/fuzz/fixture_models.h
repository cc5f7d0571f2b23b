// SPDX-License-Identifier: Apache-2.0
// Models of tests/fixtures, small enough to be run for each input of a fuzz target.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "models/kinds/model.h"

namespace heed {

// The model in a directory of tests/fixtures, loaded on the first call.
const Model& FixtureModel(const std::string& fixture);

template <typename Front>
const Front& FixtureModel(const std::string& fixture) {
  return dynamic_cast<const Front&>(FixtureModel(fixture));
}

// Steps the tasks, which `model` started, together, until all are finished; tasks that go on for more than `max_steps`
// steps break a promise, as do errors that are neither INTERNAL nor INVALID_ARGUMENT. False: one ended with an error.
bool RunTasks(const Model& model, absl::Span<Task* const> tasks, int max_steps);

template <typename TaskType>
bool RunTasks(const Model& model, const std::vector<std::unique_ptr<TaskType>>& tasks, int max_steps) {
  std::vector<Task*> all;
  for (const auto& task : tasks) all.push_back(task.get());
  return RunTasks(model, absl::MakeConstSpan(all), max_steps);
}

}  // namespace heed
