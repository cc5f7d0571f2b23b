// SPDX-License-Identifier: Apache-2.0
// Whether the server is ready for requests: what grpc.health.v1 and /readyz say of it as a whole.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/registry/registry.h"

namespace heed {

struct ReadinessInputs {
  bool loaded = false;  // each model and each stored graph was tried
  bool shutting_down = false;
  bool needs_all = false;      // --ready_when=all
  absl::Status not_accepting;  // why gRPC's port takes no connection; OK: it does
};

// Why the server is not ready, one reason each; none: it is ready. At least one version of a model must serve. With
// `needs_all` one of each model, those that were unloaded aside.
std::vector<std::string> ReasonsNotToBeReady(const ReadinessInputs& inputs, absl::Span<const ModelStatus> models);

// The page: "ready" or "not ready", the reasons, and the models that are loading or unavailable, each on a line. What a
// name or a reason holds breaks no line and reaches no terminal as a control sequence.
std::string ReadinessText(absl::Span<const std::string> reasons, absl::Span<const ModelStatus> models);

}  // namespace heed
