// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fixture_models.h"

#include <map>

#include "models/architectures.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {

const Model& FixtureModel(const std::string& fixture) {
  static auto& models = *new std::map<std::string, std::shared_ptr<const Model>>;
  std::shared_ptr<const Model>& model = models[fixture];
  if (model == nullptr) {
    auto loaded = LoadModel(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture);
    HEED_FUZZ_EXPECT(loaded.ok(), fixture.c_str());
    model = *std::move(loaded);
  }
  return *model;
}

bool RunTasks(const Model& model, absl::Span<Task* const> tasks, int max_steps) {
  static auto& context = *new Context(1);
  bool good = true;
  for (int step = 0;; ++step) {
    std::vector<Task*> running;
    for (Task* task : tasks) {
      HEED_FUZZ_EXPECT(task->peak_bytes() >= 0, "a task's memory");
      if (task->finished()) continue;
      HEED_FUZZ_EXPECT(task->next_rows() >= 1, "a task's rows");
      running.push_back(task);
    }
    if (running.empty()) break;
    HEED_FUZZ_EXPECT(step < max_steps, "a task does not end");
    model.Step(running, context);
  }
  for (const Task* task : tasks) {
    const absl::StatusCode code = task->error().code();
    HEED_FUZZ_EXPECT(
        task->error().ok() || code == absl::StatusCode::kInternal || code == absl::StatusCode::kInvalidArgument,
        task->error().ToString().c_str());
    good = good && task->error().ok();
  }
  return good;
}

}  // namespace heed
