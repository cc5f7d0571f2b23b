// SPDX-License-Identifier: Apache-2.0
// Which model a command works with.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "heed/v1/models.pb.h"

namespace heed::client {

// "ready"
std::string StateName(v1::ModelState state);

// The name of the model of `kind` to use: `wanted`, or if that is empty the only one that serves. Errors list what
// there is: UNAVAILABLE it depends on a model that is loading, `wanted` or one that may be of this kind: "x is
// loading"; INVALID_ARGUMENT several to choose from; NOT_FOUND no model named `wanted`, or it is of another kind;
// FAILED_PRECONDITION none that serves, with the reasons.
absl::StatusOr<std::string> ChooseModel(const v1::ListModelsResponse& models, const std::string& kind,
                                        const std::string& wanted);

}  // namespace heed::client
