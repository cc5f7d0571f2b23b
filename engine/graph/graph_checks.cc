// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/graph_checks.h"

#include <algorithm>
#include <cmath>

#include "base/invalid_argument.h"

namespace heed {

FeatureRow RowOf(const FeatureArrays& features, int64_t row) {
  static constexpr int32_t kNoColumn = 0;
  if (!features.sparse) return {features.values.data() + row * features.width, nullptr, features.width};
  const int64_t begin = row == 0 ? 0 : features.row_ends[static_cast<size_t>(row - 1)];
  const int64_t count = features.row_ends[static_cast<size_t>(row)] - begin;
  return {features.values.data() + begin, count == 0 ? &kNoColumn : features.columns.data() + begin, count};
}

std::string NotFinite(float value) {
  return absl::StrCat(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf", ", not a finite number");
}

int64_t FirstNotFinite(const float* values, int64_t count) {
  int64_t i = 0;
  while (i < count && std::isfinite(values[i])) ++i;
  return i;
}

absl::Status CheckFeatures(const FeatureRow& row, int64_t width, int64_t node) {
  if (row.columns != nullptr) {
    for (int64_t i = 0; i < row.count; ++i) {
      const int32_t column = row.columns[i];
      if (column < 0 || column >= width) {
        return InvalidArgument("features of node ", node, ": column ", column, ", but there are ", width, " columns");
      }
      if (i > 0 && column <= row.columns[i - 1]) {
        return InvalidArgument("features of node ", node, ": column ", column, " after column ", row.columns[i - 1],
                               ", columns must ascend");
      }
    }
  }
  const int64_t wrong = FirstNotFinite(row.values, row.count);
  if (wrong == row.count) return absl::OkStatus();
  return InvalidArgument("features of node ", node, ", column ", row.columns == nullptr ? wrong : row.columns[wrong],
                         ": ", NotFinite(row.values[wrong]));
}

absl::Status CheckCounts(int64_t nodes, int64_t max_nodes, int64_t edges) {
  max_nodes = std::min(max_nodes, kMaxGraphNodes);
  if (nodes > max_nodes) return InvalidArgument(nodes, " nodes, at most ", max_nodes);
  if (edges > kMaxGraphEdges) return InvalidArgument(edges, " edges, at most ", kMaxGraphEdges);
  return absl::OkStatus();
}

int CompareFeatures(const float* a, const float* b, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    if (std::signbit(a[i]) != std::signbit(b[i])) return std::signbit(a[i]) ? -1 : 1;
  }
  return 0;
}

}  // namespace heed
