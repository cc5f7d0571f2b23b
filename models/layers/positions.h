// SPDX-License-Identifier: Apache-2.0
// Where a token is: position embeddings.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/core/matrix.h"
#include "models/layers/weight_reader.h"

namespace heed {

// [positions, d_model]. Vaswani et al. 2017, section 3.5, but all sines before all cosines:
// P[p][i] = sin(p / 10000^(2i/d)), i < d/2.
Matrix SinusoidalPositions(int64_t positions, int64_t d_model);

// The tensor `name`, as checkpoints trained with another formula have it, or else sinusoids.
absl::StatusOr<Matrix> ReadPositions(const WeightReader& reader, absl::string_view name, int64_t positions,
                                     int64_t d_model);

}  // namespace heed
