// SPDX-License-Identifier: Apache-2.0
// A graph as flat arrays: what files and requests hold, before it is checked.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace heed {

// Node features [rows, width], dense or in compressed sparse row form.
struct FeatureArrays {
  int64_t rows = 0;
  int64_t width = 0;
  bool sparse = false;
  std::vector<float> values;      // dense: row-major [rows, width]; sparse: the values row by row
  std::vector<int64_t> row_ends;  // sparse: [rows], where each row's values end
  std::vector<int32_t> columns;   // sparse: [values]
};

struct GraphArrays {
  FeatureArrays features;
  std::vector<int64_t> node_ids;  // [rows], or none: a node's id is its row
  std::vector<int64_t> sources;   // [edges], rows
  std::vector<int64_t> targets;   // [edges], rows
  int64_t edge_feature_width = 0;
  std::vector<float> edge_features;  // row-major [edges, edge_feature_width]
};

// Whether the arrays fit each other, so that they may be read without looking at their sizes again; what stands in them
// (columns, edges, numbers) is Graph::Build's to check. INVALID_ARGUMENT names the field, after `name` for features
// alone, and both sizes.
absl::Status CheckSizes(const FeatureArrays& features, absl::string_view name);
absl::Status CheckSizes(const GraphArrays& arrays);

// Appends `part`, whose edges count rows over all parts. The parts' features become sparse if one of them is.
// False, and nothing done, if the widths of features or edge features differ, or one has ids and the other none: the
// caller's message names them. A part without nodes, or without edges, fits any. Both must be as CheckSizes wants them.
bool Append(GraphArrays part, GraphArrays& whole);

}  // namespace heed
