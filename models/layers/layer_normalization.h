// SPDX-License-Identifier: Apache-2.0
// Layer normalization (Ba et al. 2016): each row to mean 0 and variance 1, then scaled and shifted by learned weights.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "models/layers/weight_reader.h"

namespace heed {

// Immutable once loaded; thread-safe.
class LayerNormalization {
 public:
  // Reads NAME.weight and NAME.bias, both [width].
  static absl::StatusOr<LayerNormalization> Load(const WeightReader& reader, absl::string_view name, int64_t width,
                                                 float epsilon);

  // x [rows, width], in place.
  void Apply(MatrixView x, Context& context) const;

 private:
  std::vector<float> scale_, shift_;  // [width]
  float epsilon_ = 0;
};

}  // namespace heed
