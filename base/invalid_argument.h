// The error of input that cannot be used.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heed {

// INVALID_ARGUMENT with the parts as its message.
template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

}  // namespace heed
