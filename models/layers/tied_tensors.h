// SPDX-License-Identifier: Apache-2.0
// Tensors that a configuration ties to each other: a checkpoint holds them under one of their names, or under several
// with the same values.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "files/checkpoint.h"
#include "models/layers/weight_reader.h"

namespace heed {

struct TiedName {
  const char* name;
  const char* field;  // of config.json, whose false would untie it from the first
};

// The first of `names` that is there, of this shape. INVALID_ARGUMENT if another has other values, which would be lost:
// the message names both tensors, the place, both values, and the field.
absl::StatusOr<const StoredTensor*> ReadTied(const WeightReader& scope, const std::vector<TiedName>& names,
                                             const std::vector<int64_t>& shape);

}  // namespace heed
