// SPDX-License-Identifier: Apache-2.0
// Which versions of a model are served.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

// A version as a directory is named: digits alone, from 1, no leading zero. INVALID_ARGUMENT says what was given.
absl::StatusOr<int64_t> ParseVersion(absl::string_view text);

struct VersionPolicy {
  int64_t latest = 1;           // so many of the highest, if none are listed
  std::vector<int64_t> listed;  // these alone

  // The versions to serve among `found`, both ascending. NOT_FOUND: a listed one is not there; names it and those that
  // are.
  absl::StatusOr<std::vector<int64_t>> Choose(absl::Span<const int64_t> found) const;
};

// The policies of all models. Immutable.
class VersionPolicies {
 public:
  // The latest version of every model.
  VersionPolicies() = default;
  // A comma-separated list of `latest:N`, for all models, and `NAME=latest:N` or `NAME=V+V...`, for one.
  // INVALID_ARGUMENT names the part and what is wrong with it.
  static absl::StatusOr<VersionPolicies> Parse(absl::string_view text);

  const VersionPolicy& Of(absl::string_view name) const;

 private:
  VersionPolicy all_;
  std::map<std::string, VersionPolicy, std::less<>> by_name_;
};

}  // namespace heed
