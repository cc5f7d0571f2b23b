// SPDX-License-Identifier: Apache-2.0
// In which precision each model is to be computed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/linear/precision.h"

namespace heed {

// "f32", "bf16", "int8"
std::vector<std::string> PrecisionNames();

// Of all models. Immutable.
class ModelPrecisions {
 public:
  // f32 for every model.
  ModelPrecisions() = default;
  // `all`: the name of one, for every model that `models` does not name, a comma-separated list of NAME=PRECISION. A
  // model need not exist (yet). INVALID_ARGUMENT names the part, what is wrong with it and what is allowed.
  static absl::StatusOr<ModelPrecisions> Parse(absl::string_view all, absl::string_view models);

  Precision Of(absl::string_view name) const;

 private:
  Precision all_ = Precision::kF32;
  std::map<std::string, Precision, std::less<>> by_name_;
};

}  // namespace heed
