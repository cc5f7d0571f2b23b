// SPDX-License-Identifier: Apache-2.0
// The life of a model on this server, in one place. ModelLoader calls it, on its thread:
//
//   1. Registry finds a version, and ModelLoader's thread reads it (models/architectures.h) and gives it a first input
//      (Model::Probe).
//   2. Prepare: the stored graphs that want the model's outputs have them computed before it takes over.
//   3. Registry swaps: new requests find the new version; those under way end on the one that they began with, and
//      sessions of its weights keep it for --session_pin_s.
//   4. OnChange: log, metrics, health and readiness say so; graphs forget a model that is gone.
//   5. Registry::Sweep destroys a version that nobody holds any more.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/graphs/graph_store.h"
#include "server/readiness.h"
#include "server/registry/registry.h"
#include "server/scheduling/scheduler.h"
#include "server/services/health_service.h"
#include "server/telemetry/metrics.h"

namespace heed {

// Thread-safe. All that it is given outlives it.
class ModelLifecycle : public ModelObserver {
 public:
  ModelLifecycle(const Registry& registry, const Scheduler& scheduler, GraphStore& graphs, Metrics& metrics,
                 HealthService& health, Readiness& readiness)
      : registry_(registry),
        scheduler_(scheduler),
        graphs_(graphs),
        metrics_(metrics),
        health_(health),
        readiness_(readiness) {}

  // Gives the model's metrics their first values, if they have none: whoever watches them sees the first change, too.
  void Show(const std::string& name);

  // Waits for the outputs of the stored graphs that want them. The model serves without them, should that fail.
  absl::Status Prepare(const std::shared_ptr<const Model>& model, bool is_default) override;
  void OnChange(const ModelStatus& version) override;

 private:
  const Registry& registry_;
  const Scheduler& scheduler_;
  GraphStore& graphs_;
  Metrics& metrics_;
  HealthService& health_;
  Readiness& readiness_;
};

}  // namespace heed
