// SPDX-License-Identifier: Apache-2.0
#include "server/security/token_limits.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr absl::string_view kRequests = "requests_per_minute";
constexpr absl::string_view kCharacters = "characters_per_minute";
constexpr absl::string_view kModels = "models";

absl::Status ReadCount(absl::string_view key, absl::string_view value, int64_t& count) {
  if (absl::SimpleAtoi(value, &count) && count >= 1 && count <= TokenLimits::kMaxPerMinute) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(key, " is no whole number from 1 to ", TokenLimits::kMaxPerMinute, "; leave it out for no limit"));
}

// "requests_per_minute=600", or that there is none.
std::string Shown(absl::string_view key, int64_t count) {
  return count == 0 ? absl::StrCat("no ", key) : absl::StrCat(key, "=", count);
}
std::string Shown(absl::string_view key, const NamePatterns& names) {
  return names.match_all() ? absl::StrCat("no ", key) : absl::StrCat(key, "=", names.ToString());
}

}  // namespace

absl::Status TokenLimitsReader::Read(absl::string_view word) {
  const size_t equals = word.find('=');
  const absl::string_view key = word.substr(0, equals);
  const bool is_known = key == kRequests || key == kCharacters || key == kModels;
  if (!is_known || equals == absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("a word behind the rights is none of ", kRequests, "=N, ",
                                                   kCharacters, "=N and ", kModels, "=NAME,NAME*"));
  }
  if (!seen_.insert(std::string(key)).second) return absl::InvalidArgumentError(absl::StrCat(key, " is given twice"));
  const absl::string_view value = word.substr(equals + 1);
  if (key == kRequests) return ReadCount(key, value, limits_.requests_per_minute);
  if (key == kCharacters) return ReadCount(key, value, limits_.characters_per_minute);
  absl::StatusOr<NamePatterns> names = NamePatterns::Parse(value);
  if (!names.ok()) return absl::InvalidArgumentError(absl::StrCat(key, ": ", names.status().message()));
  limits_.models = *std::move(names);
  return absl::OkStatus();
}

std::string DifferenceOf(const TokenLimits& limits, int line, const TokenLimits& first) {
  const auto differ = [line](const std::string& one, const std::string& other) {
    return one == other ? std::string() : absl::StrCat(one, ", but line ", line, " says ", other);
  };
  for (const std::string& difference :
       {differ(Shown(kRequests, limits.requests_per_minute), Shown(kRequests, first.requests_per_minute)),
        differ(Shown(kCharacters, limits.characters_per_minute), Shown(kCharacters, first.characters_per_minute)),
        differ(Shown(kModels, limits.models), Shown(kModels, first.models))}) {
    if (!difference.empty()) return difference;
  }
  return "";
}

}  // namespace heed
