// SPDX-License-Identifier: Apache-2.0
// Subwords::Load for those who may include Abseil.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/text/subwords.h"

namespace heed {

// Reads a *.spm file as Subwords::Load does. Errors name the file; NOT_FOUND: there is none.
absl::StatusOr<std::unique_ptr<const Subwords>> LoadSubwords(const std::string& path,
                                                             const std::vector<std::string>& vocabulary = {});

}  // namespace heed
