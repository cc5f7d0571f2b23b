// SPDX-License-Identifier: Apache-2.0
// Loads a Neural Turing Machine: docs/ntm-config.md.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/linear/precision.h"
#include "models/kinds/model.h"

namespace heed {

// A QuestionAnswerer or a SequenceModel, as config.json's task says. It is computed in f32 whatever `precision` is.
// Errors as LoadModel's.
absl::StatusOr<std::shared_ptr<const Model>> LoadNtm(const std::string& directory, const std::string& name,
                                                     Precision precision = Precision::kF32);

}  // namespace heed
