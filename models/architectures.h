// SPDX-License-Identifier: Apache-2.0
// The explicit table from a config.json's `model_type` to the code that serves it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/linear/precision.h"
#include "models/kinds/model.h"

namespace heed {

// Loads the model directory `path` (config.json, the weights, files/checkpoint.h, and tokenizer files) as the model
// `name`; if that is empty, the directory's name is the model's. `precision` is the one that its linear layers are to
// be computed in; ModelSpec tells which it is. Slow; on the caller's thread. Errors name the file, and the tensor or
// field in it, and say what is wrong:
//   NOT_FOUND a file is missing; INVALID_ARGUMENT a file is damaged or contradicts another; UNIMPLEMENTED an
//   architecture or option that is not served.
absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const std::string& path, const std::string& name = "",
                                                       Precision precision = Precision::kF32);

// The model_types that LoadModel serves, sorted.
std::vector<std::string> ServedArchitectures();

}  // namespace heed
