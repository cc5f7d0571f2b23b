// Whether a model that was loaded can answer at all.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/core/context.h"
#include "models/kinds/task.h"

namespace heed {

// Gives the model a small input of its kind and steps it to the end, which also brings its weights into memory and
// fills the caches of its kernels. INTERNAL: it failed, answered nothing, or with what is not a number; names the model
// and what was wrong. A kind that is not known passes. On the caller's thread.
absl::Status Probe(const Model& model, Context& context);

// LoadModel (models/architectures.h) of a model that then passes Probe.
absl::StatusOr<std::shared_ptr<const Model>> LoadProbedModel(const std::string& path, const std::string& name);

}  // namespace heed
