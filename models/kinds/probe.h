// SPDX-License-Identifier: Apache-2.0
// What the probes of all kinds need.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/model.h"

namespace heed {

// Steps a task of the model to its end. INTERNAL: it does not end. Otherwise the task's own error.
absl::Status RunToEnd(const Model& model, Task& task, Context& context);

// INTERNAL: there are no values, or one is infinite or NaN. `what`: their name.
absl::Status CheckFinite(absl::Span<const float> values, absl::string_view what);

}  // namespace heed
