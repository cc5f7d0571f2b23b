// SPDX-License-Identifier: Apache-2.0
// What Graph::Build and Graph::Apply share: the checks of what callers bring, and the order of edges.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/invalid_argument.h"
#include "engine/graph/graph.h"
#include "files/graph_arrays.h"

namespace heed {

FeatureRow RowOf(const FeatureArrays& features, int64_t row);

absl::Status CheckCounts(int64_t nodes, int64_t max_nodes, int64_t edges);
// Columns and numbers. `node`: its id, for the message.
absl::Status CheckFeatures(const FeatureRow& row, int64_t width, int64_t node);
// The first value that is not finite; `count` if all are.
int64_t FirstNotFinite(const float* values, int64_t count);
// "nan, not a finite number"
std::string NotFinite(float value);

// Below 0: a comes before b. A total order even of zeros of both signs, so that equal ones have the same bits.
int CompareFeatures(const float* a, const float* b, int64_t width);

}  // namespace heed
