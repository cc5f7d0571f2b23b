// SPDX-License-Identifier: Apache-2.0
// Whether the server is ready for requests, kept up to date where it is asked for: grpc.health.v1, /readyz, the metric
// and the log.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "server/http/http_exchange.h"
#include "server/registry/readiness_page.h"
#include "server/registry/registry.h"
#include "server/services/health_service.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace heed {

// Thread-safe. All that it is given outlives it.
class Readiness {
 public:
  // `needs_all`: every model has to serve, instead of at least one.
  Readiness(bool needs_all, const Registry& registry, HealthService& health, Metrics& metrics)
      : needs_all_(needs_all), registry_(registry), health_(health), metrics_(metrics) {}

  // A model has changed.
  void Update() { Update({}); }
  // Why gRPC's port takes no connection; OK: it does.
  void SetAccepting(absl::Status not_accepting) EXCLUDES(mutex_);
  // Each model and each stored graph was tried. Logs a line with `fields`.
  void OnLoaded(absl::Span<const LogField> fields);
  // From now on the server is not ready, and health says so for everything.
  void ShutDown();

  HttpAnswer Page() const;

 private:
  std::vector<std::string> Reasons(absl::Span<const ModelStatus> models) const EXCLUDES(mutex_);
  // Logs a line if there are fields for it, or if readiness has changed.
  void Update(absl::Span<const LogField> fields);

  const bool needs_all_;
  const Registry& registry_;
  HealthService& health_;
  Metrics& metrics_;

  std::atomic<bool> loaded_ = false;
  std::atomic<bool> shutting_down_ = false;
  std::atomic<bool> is_ready_ = false;  // as was last reported
  mutable Mutex mutex_;
  absl::Status not_accepting_ GUARDED_BY(mutex_);
};

}  // namespace heed
