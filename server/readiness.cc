// SPDX-License-Identifier: Apache-2.0
#include "server/readiness.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"

namespace heed {

std::vector<std::string> Readiness::Reasons(absl::Span<const ModelStatus> models) const {
  ReadinessInputs inputs;
  inputs.loaded = loaded_;
  inputs.shutting_down = shutting_down_;
  inputs.needs_all = needs_all_;
  {
    MutexLock lock(mutex_);
    // A status of its own: the thread sanitizer cannot follow the count of references into Abseil's library.
    inputs.not_accepting = absl::Status(not_accepting_.code(), not_accepting_.message());
  }
  return ReasonsNotToBeReady(inputs, models);
}

HttpAnswer Readiness::Page() const {
  const std::vector<ModelStatus> models = registry_.List();
  const std::vector<std::string> reasons = Reasons(models);
  return {reasons.empty() ? 200u : 503u, ReadinessText(reasons, models)};
}

void Readiness::Update(absl::Span<const LogField> loaded_fields) {
  // Others may do the same meanwhile. Whoever is the last to set it sees what all have changed.
  std::vector<ModelStatus> models;
  std::vector<std::string> reasons;
  bool ready = false;
  do {
    models = registry_.List();
    reasons = Reasons(models);
    ready = reasons.empty();
    health_.Set("", ready);
    metrics_.Set(Metric::kReady, {}, ready ? 1 : 0);
  } while (ready != Reasons(registry_.List()).empty());
  if (!loaded_ || (is_ready_.exchange(ready) == ready && loaded_fields.empty())) return;
  auto count = [&](ModelState state) {
    return std::count_if(models.begin(), models.end(), [&](const ModelStatus& one) { return one.state == state; });
  };
  std::vector<LogField> fields = {{"models", count(ModelState::kReady)},
                                  {"unavailable", count(ModelState::kUnavailable)}};
  const std::string reason = absl::StrJoin(reasons, "; ");
  if (!ready) fields.emplace_back("reason", reason);
  fields.insert(fields.end(), loaded_fields.begin(), loaded_fields.end());
  Log(ready ? LogLevel::kInfo : LogLevel::kWarn, ready ? "ready" : "not_ready", fields);
}

void Readiness::SetAccepting(absl::Status not_accepting) {
  {
    MutexLock lock(mutex_);
    not_accepting_ = std::move(not_accepting);
  }
  Update();
}

void Readiness::OnLoaded(absl::Span<const LogField> fields) {
  loaded_ = true;
  Update(fields);
}

void Readiness::ShutDown() {
  shutting_down_ = true;
  health_.Shutdown();
  metrics_.Set(Metric::kReady, {}, 0);
}

}  // namespace heed
