// SPDX-License-Identifier: Apache-2.0
#include "server/registry/model_precisions.h"

#include <optional>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"

namespace heed {
namespace {

absl::StatusOr<Precision> ParsePrecision(absl::string_view name) {
  if (const std::optional<Precision> precision = PrecisionNamed(name)) return *precision;
  return InvalidArgument("\"", name, "\" is no precision, must be one of ", absl::StrJoin(PrecisionNames(), ", "));
}

}  // namespace

std::vector<std::string> PrecisionNames() {
  std::vector<std::string> names;
  for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kInt8}) {
    names.emplace_back(PrecisionName(precision));
  }
  return names;
}

absl::StatusOr<ModelPrecisions> ModelPrecisions::Parse(absl::string_view all, absl::string_view models) {
  ModelPrecisions precisions;
  HEED_ASSIGN_OR_RETURN(precisions.all_, ParsePrecision(all));
  for (const absl::string_view part : absl::StrSplit(models, ',', absl::SkipEmpty())) {
    const size_t equals = part.rfind('=');  // a name may hold one
    if (equals == 0 || equals == part.npos) {
      return InvalidArgument("\"", part, "\" is not NAME=PRECISION, as in NAME=int8");
    }
    const absl::string_view name = part.substr(0, equals);
    const absl::StatusOr<Precision> precision = ParsePrecision(part.substr(equals + 1));
    if (!precision.ok()) return InvalidArgument("model \"", name, "\": ", precision.status().message());
    if (!precisions.by_name_.emplace(std::string(name), *precision).second) {
      return InvalidArgument("model \"", name, "\" is named twice");
    }
  }
  return precisions;
}

Precision ModelPrecisions::Of(absl::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? all_ : found->second;
}

}  // namespace heed
