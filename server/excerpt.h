// The beginning of a text that somebody else chose, for a message.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// `text`, if it has at most `most_bytes` bytes; otherwise what fits of it, no character of UTF-8 cut apart, and "...".
std::string Excerpt(absl::string_view text, size_t most_bytes);

}  // namespace heed
