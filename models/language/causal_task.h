// SPDX-License-Identifier: Apache-2.0
// What a task gives to each step of a network that reads from left to right.
#pragma once

#include <cstdint>
#include <vector>

#include "models/language/causal_network.h"

namespace heed {

// Tokens of one stream that a step reads at most: enough rows to be worth the reading of the weights, few enough that
// others do not wait long for their step.
inline constexpr int64_t kTokensPerReading = 128;

// Of one token's score in an answer and in its message, and of one alternative.
inline constexpr int64_t kTokenScoreBytes = 160;
inline constexpr int64_t kAlternativeBytes = 64;

// Implemented by tasks.
class CausalTask {
 public:
  virtual ~CausalTask() = default;
  // Appends its part of the next step, which points into the task until Take.
  virtual void AppendReadings(std::vector<Reading>& readings) = 0;
  // The step is done: the answers are there.
  virtual void Take() = 0;
};

}  // namespace heed
