// SPDX-License-Identifier: Apache-2.0
// How much one session's memory may hold, in units of its model's kind: facts, or tokens.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "models/kinds/stateful_model.h"
#include "server/sessions/session.h"

namespace heed {

// Facts that were told; of a language model, tokens that the memory still holds. `state` is of `model`.
int64_t HeldUnits(const StatefulModel& model, const State& state);

// RESOURCE_EXHAUSTED, about `field`: a session of `model` may not hold `units`.
absl::Status CheckHeldUnits(absl::string_view field, const StatefulModel& model, int64_t units,
                            const SessionOptions& options);

}  // namespace heed
