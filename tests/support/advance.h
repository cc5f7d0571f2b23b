// SPDX-License-Identifier: Apache-2.0
// Advances tasks to their end, as an executor would.
#pragma once

#include <vector>

#include "models/kinds/model.h"

namespace heed {

// Steps all that are not finished together, until all are.
inline void Advance(const Model& model, std::vector<Task*> tasks, Context& context) {
  while (true) {
    std::vector<Task*> running;
    for (Task* task : tasks) {
      if (!task->finished()) running.push_back(task);
    }
    if (running.empty()) return;
    model.Step(running, context);
  }
}

}  // namespace heed
