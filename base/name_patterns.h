// SPDX-License-Identifier: Apache-2.0
// Names, or beginnings of names, that are meant: "translator-en-de,gat-*".
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// Immutable.
class NamePatterns {
 public:
  // No pattern: every name matches.
  NamePatterns() = default;

  // `text`: patterns with commas between them. A pattern is a name, or the beginning of one and a '*' behind it.
  // INVALID_ARGUMENT: a pattern is empty, or has a '*' before its end.
  static absl::StatusOr<NamePatterns> Parse(absl::string_view text);

  bool match_all() const { return patterns_.empty(); }
  bool Match(absl::string_view name) const;
  // As Parse takes it.
  std::string ToString() const;

  bool operator==(const NamePatterns& other) const = default;

 private:
  std::vector<std::string> patterns_;
};

}  // namespace heed
