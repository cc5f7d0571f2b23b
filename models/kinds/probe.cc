// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/probe.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

// A probe that takes more steps than this does not end.
constexpr int kMaxSteps = 1000;

}  // namespace

absl::Status RunToEnd(const Model& model, Task& task, Context& context) {
  for (int step = 0; !task.finished(); ++step) {
    if (step == kMaxSteps) return absl::InternalError(absl::StrCat("has not ended after ", kMaxSteps, " steps"));
    Task* const tasks[] = {&task};
    model.Step(tasks, context);
  }
  return task.error();
}

absl::Status CheckFinite(absl::Span<const float> values, absl::string_view what) {
  if (values.empty()) return absl::InternalError(absl::StrCat("gave no ", what));
  const auto wrong = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (wrong == values.end()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(what, "[", wrong - values.begin(), "] is ", *wrong));
}

}  // namespace heed
