// SPDX-License-Identifier: Apache-2.0
// A ModelObserver whose callbacks a test sets.
#pragma once

#include <functional>
#include <memory>

#include "server/registry/registry.h"

namespace heed {

struct RecordingObserver : ModelObserver {
  std::function<void(const ModelStatus&)> on_change = [](const ModelStatus&) {};
  std::function<absl::Status(bool is_default)> prepare = [](bool) { return absl::OkStatus(); };

  absl::Status Prepare(const std::shared_ptr<const Model>&, bool is_default) override { return prepare(is_default); }
  void OnChange(const ModelStatus& version) override { on_change(version); }
};

}  // namespace heed
