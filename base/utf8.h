// SPDX-License-Identifier: Apache-2.0
// Whether bytes are text, and how long it is.
#pragma once

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace heed {

// Returns the offset of the first byte that is not part of valid UTF-8.
std::optional<size_t> FirstInvalidUtf8(absl::string_view text);

// Characters of a text in UTF-8: code points.
size_t CharacterCount(absl::string_view text);

}  // namespace heed
