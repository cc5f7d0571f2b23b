// SPDX-License-Identifier: Apache-2.0
#include "models/layers/layer_normalization.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/core/team.h"
#include "engine/kernels/kernels.h"
#include "files/tensor_values.h"

namespace heed {

absl::StatusOr<LayerNormalization> LayerNormalization::Load(const WeightReader& reader, absl::string_view name,
                                                            int64_t width, float epsilon) {
  LayerNormalization norm;
  HEED_ASSIGN_OR_RETURN(const StoredTensor* scale, reader.Get(absl::StrCat(name, ".weight"), {width}));
  HEED_ASSIGN_OR_RETURN(const StoredTensor* shift, reader.Get(absl::StrCat(name, ".bias"), {width}));
  norm.scale_ = ReadFloats(*scale);
  norm.shift_ = ReadFloats(*shift);
  norm.epsilon_ = epsilon;
  reader.Count(2 * width, 2 * width * static_cast<int64_t>(sizeof(float)));
  return norm;
}

void LayerNormalization::Apply(MatrixView x, Context& context) const {
  RunRows(context.team, x.rows, 4 * x.cols, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) LayerNorm(x.row(i), x.cols, scale_.data(), shift_.data(), epsilon_);
  });
}

}  // namespace heed
