// SPDX-License-Identifier: Apache-2.0
#include "server/registry/version_policy.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"
#include "base/status_macros.h"

namespace heed {
namespace {

absl::StatusOr<VersionPolicy> ParsePolicy(absl::string_view text) {
  VersionPolicy policy;
  if (absl::ConsumePrefix(&text, "latest:")) {
    if (!absl::SimpleAtoi(text, &policy.latest) || policy.latest < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("latest: is followed by \"", text, "\", not by a number that is at least 1"));
    }
    return policy;
  }
  for (const absl::string_view part : absl::StrSplit(text, '+')) {
    HEED_ASSIGN_OR_RETURN(const int64_t version, ParseVersion(part));
    policy.listed.push_back(version);
  }
  std::sort(policy.listed.begin(), policy.listed.end());
  policy.listed.erase(std::unique(policy.listed.begin(), policy.listed.end()), policy.listed.end());
  return policy;
}

}  // namespace

absl::StatusOr<int64_t> ParseVersion(absl::string_view text) {
  int64_t version = 0;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == absl::string_view::npos;
  if (!digits || text[0] == '0' || !absl::SimpleAtoi(text, &version)) {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(text, 64), " is no version: 1, 2 and so on are"));
  }
  return version;
}

absl::StatusOr<std::vector<int64_t>> VersionPolicy::Choose(absl::Span<const int64_t> found) const {
  if (listed.empty()) {
    const auto count = static_cast<size_t>(std::min(latest, static_cast<int64_t>(found.size())));
    return std::vector<int64_t>(found.end() - static_cast<std::ptrdiff_t>(count), found.end());
  }
  for (const int64_t version : listed) {
    if (std::binary_search(found.begin(), found.end(), version)) continue;
    return absl::NotFoundError(
        absl::StrCat("version ", version, " is not there; these are: ", absl::StrJoin(found, ", ")));
  }
  return listed;
}

absl::StatusOr<VersionPolicies> VersionPolicies::Parse(absl::string_view text) {
  VersionPolicies policies;
  bool has_all = false;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> sides = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const bool named = part.find('=') != absl::string_view::npos;
    absl::StatusOr<VersionPolicy> policy = ParsePolicy(named ? sides.second : part);
    if (!policy.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("\"", part, "\": ", policy.status().message()));
    }
    if (named) {
      if (sides.first.empty()) return absl::InvalidArgumentError(absl::StrCat("\"", part, "\": no model is named"));
      if (!policies.by_name_.emplace(std::string(sides.first), *std::move(policy)).second) {
        return absl::InvalidArgumentError(absl::StrCat("model \"", sides.first, "\" has two policies"));
      }
      continue;
    }
    if (!policy->listed.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", part, "\": versions are listed for one model, as in NAME=", part));
    }
    if (std::exchange(has_all, true)) return absl::InvalidArgumentError("latest:N for all models is given twice");
    policies.all_ = *std::move(policy);
  }
  return policies;
}

const VersionPolicy& VersionPolicies::Of(absl::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? all_ : found->second;
}

}  // namespace heed
