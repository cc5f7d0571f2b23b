// SPDX-License-Identifier: Apache-2.0
// A directory that one server at a time has.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// The open directory `path`, made with `mode` if it is not there: the caller closes it, which lets others have it.
// INVALID_ARGUMENT, naming `flag`: it cannot be used, or another server uses it.
absl::StatusOr<int> OpenLockedDirectory(absl::string_view flag, const std::string& path, mode_t mode);

}  // namespace heed
