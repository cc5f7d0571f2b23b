// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/priority.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/excerpt.h"

namespace heed {
namespace {

// Of a value that is no level, in a message.
constexpr size_t kLongestEcho = 32;

absl::Status NoSuchLevel(absl::string_view field, absl::string_view value) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": \"", value, "\", known are 1 (first) to ", kPriorityLevels, " (last)"));
}

}  // namespace

absl::StatusOr<Priority> ToPriority(absl::string_view field, int64_t level) {
  if (level < 1 || level > static_cast<int64_t>(kPriorityLevels)) return NoSuchLevel(field, absl::StrCat(level));
  return static_cast<Priority>(level);
}

absl::StatusOr<Priority> ParsePriority(absl::string_view field, absl::string_view text) {
  if (text.size() == 1 && text[0] >= '1' && text[0] <= '9') return ToPriority(field, text[0] - '0');
  return NoSuchLevel(field, Excerpt(text, kLongestEcho));
}

}  // namespace heed
