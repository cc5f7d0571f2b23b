// SPDX-License-Identifier: Apache-2.0
#include "models/layers/positions.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/status_macros.h"
#include "files/tensor_values.h"

namespace heed {

Matrix SinusoidalPositions(int64_t positions, int64_t d_model) {
  Matrix table(positions, d_model);
  const int64_t half = d_model / 2;
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(p) / std::pow(10000.0, static_cast<double>(2 * i) / static_cast<double>(d_model));
      table.row(p)[i] = static_cast<float>(std::sin(angle));
      table.row(p)[half + i] = static_cast<float>(std::cos(angle));
    }
  }
  return table;
}

absl::StatusOr<Matrix> ReadPositions(const WeightReader& reader, absl::string_view name, int64_t positions,
                                     int64_t d_model) {
  if (!reader.Has(name)) return SinusoidalPositions(positions, d_model);
  HEED_ASSIGN_OR_RETURN(const StoredTensor* stored, reader.Get(name, {positions, d_model}));
  const std::vector<float> values = ReadFloats(*stored);
  Matrix table(positions, d_model);
  for (int64_t p = 0; p < positions; ++p) std::copy_n(values.begin() + p * d_model, d_model, table.row(p));
  return table;
}

}  // namespace heed
