// SPDX-License-Identifier: Apache-2.0
#include "server/model_lifecycle.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/awaited_status.h"
#include "engine/linear/precision.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

// The layers that lost most are worth a look when answers are worse than expected.
constexpr size_t kWorstLayers = 3;

void LogQuantization(absl::string_view name, int64_t version, std::vector<QuantizationError> errors) {
  std::stable_sort(errors.begin(), errors.end(),
                   [](const auto& a, const auto& b) { return a.relative_error > b.relative_error; });
  for (size_t i = 0; i < errors.size(); ++i) {
    Log(i < kWorstLayers ? LogLevel::kInfo : LogLevel::kDebug, "quantization",
        {{"name", name},
         {"version", version},
         {"weight", errors[i].name},
         {"relative_error", errors[i].relative_error}});
  }
}

void LogChange(const ModelStatus& version) {
  if (!version.reason.ok()) {
    LogError("model", {{"name", version.name},
                       {"version", version.version},
                       {"state", version.model == nullptr ? "unavailable" : "ready"},
                       {"code", absl::StatusCodeToString(version.reason.code())},
                       {"reason", version.reason.message()}});
    return;
  }
  if (version.model == nullptr) {
    LogInfo("model", {{"name", version.name}, {"version", version.version}, {"state", "unloaded"}});
    return;
  }
  const ModelSpec& spec = version.model->spec();
  for (const std::string& warning : spec.warnings) {
    LogWarn("model", {{"name", version.name}, {"version", version.version}, {"warning", warning}});
  }
  LogInfo("model", {{"name", version.name},
                    {"version", version.version},
                    {"state", "ready"},
                    {"architecture", spec.architecture},
                    {"weights", spec.weights},
                    {"resident_bytes", spec.resident_bytes},
                    {"precision", PrecisionName(spec.precision)},
                    {"kernel", spec.kernel},
                    {"seconds", version.load_seconds}});
  LogQuantization(version.name, version.version, spec.quantization_errors);
}

}  // namespace

void ModelLifecycle::Show(const std::string& name) {
  const BatchLimits& limits = scheduler_.LimitsOf(name);
  metrics_.Set(Metric::kMaxBatchRows, {name}, static_cast<double>(limits.max_batch_rows));
  metrics_.Set(Metric::kMaxQueuedRequests, {name}, static_cast<double>(limits.max_queued_jobs));
  for (const char* outcome : {"ok", "failed"}) metrics_.Add(Metric::kModelLoads, {name, outcome}, 0);
  for (const Metric gauge : {Metric::kModelReady, Metric::kModelVersion, Metric::kQueuedRequests, Metric::kQueuedTasks,
                             Metric::kRunningTasks}) {
    metrics_.Increment(gauge, {name}, 0);
  }
}

absl::Status ModelLifecycle::Prepare(const std::shared_ptr<const Model>& model, bool is_default) {
  auto classifier = std::dynamic_pointer_cast<const GraphClassifier>(model);
  if (!is_default || classifier == nullptr) return absl::OkStatus();
  auto done = std::make_shared<AwaitedStatus>();
  absl::Status status =
      graphs_.Precompute(std::move(classifier), [done](const absl::Status& result) { done->Set(result); });
  if (status.ok()) status = done->Wait();
  // Before GraphStore::Restore there are no graphs.
  if (!status.ok() && !absl::IsUnavailable(status)) {
    LogError("graphs", {{"precompute", model->spec().name},
                        {"code", absl::StatusCodeToString(status.code())},
                        {"reason", status.message()}});
  }
  return absl::OkStatus();
}

void ModelLifecycle::OnChange(const ModelStatus& version) {
  const std::string& name = version.name;
  Show(name);
  LogChange(version);
  if (!version.reason.ok()) {
    metrics_.Add(Metric::kModelLoads, {name, "failed"});
  } else if (version.model != nullptr) {
    metrics_.Add(Metric::kModelLoads, {name, "ok"});
  }
  int64_t default_version = 0;
  int64_t resident_bytes = 0;
  for (const ModelStatus& one : registry_.List()) {
    if (one.name != name || one.model == nullptr) continue;
    resident_bytes += one.model->spec().resident_bytes;
    if (one.is_default) default_version = one.version;
  }
  metrics_.Set(Metric::kModelReady, {name}, default_version > 0 ? 1 : 0);
  metrics_.Set(Metric::kModelVersion, {name}, static_cast<double>(default_version));
  metrics_.Set(Metric::kModelResidentBytes, {name}, static_cast<double>(resident_bytes));
  if (version.load_seconds > 0) metrics_.Set(Metric::kModelLoadSeconds, {name}, version.load_seconds);
  health_.Set(name, default_version > 0);
  readiness_.Update();
  // Before the graphs are restored, and after they have stopped, there are no outputs to lose.
  if (default_version == 0 && version.state == ModelState::kUnloaded) graphs_.Forget(name).IgnoreError();
}

}  // namespace heed
