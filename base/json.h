// SPDX-License-Identifier: Apache-2.0
// Reads JSON that may come from anywhere.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace heed {

// Levels of lists and objects within each other. Whoever copies or writes a value recurses over them, so that a file of
// brackets would end the process; what we read has a handful.
inline constexpr int kMaxJsonLevels = 64;

// `input` as nlohmann::json::parse takes it: a stream, or the two ends of a range. INVALID_ARGUMENT: it is not JSON, or
// has more than kMaxJsonLevels levels.
template <typename... Input>
absl::StatusOr<nlohmann::json> ParseJson(Input&&... input) {
  bool too_deep = false;
  const auto keep = [&too_deep](int level, nlohmann::json::parse_event_t, const nlohmann::json&) {
    too_deep = too_deep || level >= kMaxJsonLevels;
    return !too_deep;
  };
  nlohmann::json json = nlohmann::json::parse(std::forward<Input>(input)..., keep, /*allow_exceptions=*/false);
  if (too_deep) {
    return absl::InvalidArgumentError(
        absl::StrCat("not valid JSON: has more than ", kMaxJsonLevels, " levels of lists and objects"));
  }
  if (json.is_discarded()) return absl::InvalidArgumentError("not valid JSON");
  return json;
}

}  // namespace heed
