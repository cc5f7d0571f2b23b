// SPDX-License-Identifier: Apache-2.0
// Between heed.v1's messages about generated texts and the types of models/kinds/language_model.h.
//
// Errors are INVALID_ARGUMENT and name the field.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"

namespace heed {

// `defaults`: of the model. `stream`: deltas are wanted, which beam search and several texts do not have.
absl::StatusOr<GenerateOptions> ToGenerateOptions(const v1::GenerateOptions& options, const GenerateOptions& defaults,
                                                  bool stream);
// What a GenerateRequest says of its session fits together.
absl::Status CheckCommit(const v1::GenerateRequest& request);

// Without session, model and model_version.
void Fill(const GenerateResult& result, const GenerateOptions& options, v1::GenerateResponse& to);

}  // namespace heed
