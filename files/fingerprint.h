// SPDX-License-Identifier: Apache-2.0
// A hash of files' contents, to tell whether a model is the one that something was made with.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace heed {

// 128 bits (XXH3) of the files' contents and sizes, in order, as 32 hexadecimal digits. Not for secrets. NOT_FOUND,
// INVALID_ARGUMENT: a file that cannot be read.
absl::StatusOr<std::string> FingerprintOfFiles(const std::vector<std::string>& paths);

}  // namespace heed
