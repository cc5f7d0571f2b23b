// SPDX-License-Identifier: Apache-2.0
// What programs fill in: found in texts of message files, so that it stays.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace heed::client {

// The placeholders that a translation has to keep to the byte, in order, repeated ones repeated: {{name}}, $t(key),
// ${name}, %{name}; each only where its end is on the same line.
std::vector<std::string> InterpolationsOf(absl::string_view text);

enum class PlaceholderKind {
  kNone,
  kPercent,  // printf's and Python's: %s, %-5.2f, %1$s, %(name)s
  kBraces,   // {name}, {0:>10}
};
// The directives of a format string. "%%" and "{{" are none.
std::vector<std::string> DirectivesOf(absl::string_view text, PlaceholderKind kind);
// OK, or INVALID_ARGUMENT: the translation has lost a directive ("it lost %s"), has one more, or those without numbers
// or names in another order.
absl::Status CheckDirectives(absl::string_view source, absl::string_view translation, PlaceholderKind kind);
// OK, or INVALID_ARGUMENT: "it lost {{name}}".
absl::Status CheckInterpolations(absl::string_view source, absl::string_view translation);

}  // namespace heed::client
