// SPDX-License-Identifier: Apache-2.0
// Whether a model that was loaded can answer at all.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/core/context.h"
#include "engine/linear/precision.h"
#include "models/kinds/model.h"

namespace heed {

// Model::Probe. INTERNAL: it failed, answered nothing, or with what is not a number; names the model and what was
// wrong.
absl::Status Probe(const Model& model, Context& context);

// LoadModel (models/architectures.h) of a model that then passes Probe.
absl::StatusOr<std::shared_ptr<const Model>> LoadProbedModel(const std::string& path, const std::string& name,
                                                             Precision precision = Precision::kF32);

}  // namespace heed
