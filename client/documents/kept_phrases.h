// SPDX-License-Identifier: Apache-2.0
// What programs fill in, found in texts of message files so that it stays.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace heed::client {

// Beside {{name}}, $t(key), ${name} and %{name}, which always are placeholders.
struct KeptRules {
  bool percent = false;  // printf's and Python's: %s, %-5.2f, %1$s, %(name)s; "%%" is none
  bool braces = false;   // {name}, {0:>10}; "{{" is none
  bool number = false;   // "#", in the plurals of an ICU message
};

struct KeptRange {
  size_t begin = 0;
  size_t end = 0;
};

// The placeholders of a text, in order, without overlaps; each within a line.
std::vector<KeptRange> KeptRangesOf(absl::string_view text, const KeptRules& rules);
// The same, as text, without those that are none of the rules' own: {{name}} and the like.
std::vector<std::string> DirectivesOf(absl::string_view text, const KeptRules& rules);
// OK, or INVALID_ARGUMENT: directives that have no number or name are in another order than in the source, which a
// program would not notice.
absl::Status CheckOrder(const std::vector<std::string>& source, const std::vector<std::string>& translation);

}  // namespace heed::client
