// SPDX-License-Identifier: Apache-2.0
#include "base/name_patterns.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace heed {

absl::StatusOr<NamePatterns> NamePatterns::Parse(absl::string_view text) {
  NamePatterns patterns;
  for (const absl::string_view pattern : absl::StrSplit(text, ',')) {
    if (pattern.empty()) return absl::InvalidArgumentError("a name is empty");
    if (pattern.find('*') + 1 < pattern.size() && absl::StrContains(pattern, '*')) {
      return absl::InvalidArgumentError("a name has a * before its end");
    }
    patterns.patterns_.emplace_back(pattern);
  }
  return patterns;
}

bool NamePatterns::Match(absl::string_view name) const {
  return match_all() || std::any_of(patterns_.begin(), patterns_.end(), [name](absl::string_view pattern) {
           return absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWith(name, pattern) : name == pattern;
         });
}

std::string NamePatterns::ToString() const { return absl::StrJoin(patterns_, ","); }

}  // namespace heed
