// SPDX-License-Identifier: Apache-2.0
// The beginning of a text that somebody else chose, for a message.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// `text`, if it has at most `max_bytes` bytes; otherwise what fits of it, no character of UTF-8 cut apart, and "...".
std::string Excerpt(absl::string_view text, size_t max_bytes);

// The same between quotation marks: how a message names what a caller sent.
std::string Quoted(absl::string_view text, size_t max_bytes = 128);

// The first `max_bytes` bytes of a name from a file, with controls, quotation marks and backslashes escaped as in C.
std::string Escaped(absl::string_view text, size_t max_bytes = 200);

}  // namespace heed
