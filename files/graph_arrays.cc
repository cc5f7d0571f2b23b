// SPDX-License-Identifier: Apache-2.0
#include "files/graph_arrays.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"

namespace heed {
namespace {

// rows * width, as far as it can be counted.
int64_t Product(int64_t rows, int64_t width) {
  int64_t product;
  return __builtin_mul_overflow(rows, width, &product) ? std::numeric_limits<int64_t>::max() : product;
}

template <typename T>
int64_t Size(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size());
}

template <typename T>
void AppendTo(std::vector<T>& whole, std::vector<T> part) {
  if (whole.empty()) {
    whole = std::move(part);
  } else {
    whole.insert(whole.end(), part.begin(), part.end());
  }
}

void MakeSparse(FeatureArrays& features) {
  if (features.sparse) return;
  std::vector<float> values;
  for (int64_t row = 0, i = 0; row < features.rows; ++row) {
    for (int64_t column = 0; column < features.width; ++column, ++i) {
      const float value = features.values[static_cast<size_t>(i)];
      if (value == 0) continue;
      values.push_back(value);
      features.columns.push_back(static_cast<int32_t>(column));
    }
    features.row_ends.push_back(Size(values));
  }
  features.values = std::move(values);
  features.sparse = true;
}

void AppendFeatures(FeatureArrays part, FeatureArrays& whole) {
  if (whole.rows == 0 && (part.rows > 0 || whole.width == 0)) {
    whole = std::move(part);
    return;
  }
  if (part.rows == 0) return;
  if (part.sparse || whole.sparse) {
    MakeSparse(part);
    MakeSparse(whole);
  }
  const int64_t values = Size(whole.values);
  for (int64_t& end : part.row_ends) end += values;
  whole.rows += part.rows;
  AppendTo(whole.values, std::move(part.values));
  AppendTo(whole.row_ends, std::move(part.row_ends));
  AppendTo(whole.columns, std::move(part.columns));
}

}  // namespace

absl::Status CheckSizes(const FeatureArrays& features, absl::string_view name) {
  if (features.rows < 0) return InvalidField(name, features.rows, " rows");
  if (features.width < 0 || features.width > std::numeric_limits<int32_t>::max()) {
    return InvalidField(name, "width ", features.width, ", must be 0 to ", std::numeric_limits<int32_t>::max());
  }
  const int64_t values = Size(features.values);
  if (!features.sparse) {
    const int64_t wanted = Product(features.rows, features.width);
    if (values != wanted) {
      return InvalidField(name, values, " values, but ", features.rows, " rows of width ", features.width, " need ",
                          wanted);
    }
    if (!features.row_ends.empty() || !features.columns.empty()) {
      return InvalidField(name, "dense, but with ", features.row_ends.size(), " row_ends and ", features.columns.size(),
                          " columns");
    }
    return absl::OkStatus();
  }
  if (Size(features.row_ends) != features.rows) {
    return InvalidField(name, features.row_ends.size(), " row_ends, but ", features.rows, " rows");
  }
  if (Size(features.columns) != values) {
    return InvalidField(name, features.columns.size(), " columns, but ", values, " values");
  }
  int64_t begin = 0;
  for (int64_t row = 0; row < features.rows; ++row) {
    const int64_t end = features.row_ends[static_cast<size_t>(row)];
    if (end < begin || end > values) {
      return InvalidField(absl::StrCat(name, ".row_ends[", row, "]"), end, ", must be ", begin, " to ", values);
    }
    begin = end;
  }
  if (begin != values) return InvalidField(name, "row_ends end at ", begin, ", but there are ", values, " values");
  return absl::OkStatus();
}

absl::Status CheckSizes(const GraphArrays& arrays) {
  HEED_RETURN_IF_ERROR(CheckSizes(arrays.features, "features"));
  if (!arrays.node_ids.empty() && Size(arrays.node_ids) != arrays.features.rows) {
    return InvalidField("node_ids", arrays.node_ids.size(), " ids, but features have ", arrays.features.rows, " rows");
  }
  if (arrays.sources.size() != arrays.targets.size()) {
    return InvalidArgument(arrays.sources.size(), " edges have sources, but ", arrays.targets.size(), " have targets");
  }
  const int64_t width = arrays.edge_feature_width;
  if (width < 0 || width > std::numeric_limits<int32_t>::max()) {
    return InvalidField("edge_feature_width", width, ", must be 0 to ", std::numeric_limits<int32_t>::max());
  }
  const int64_t wanted = Product(Size(arrays.sources), width);
  if (width == 0 && !arrays.edge_features.empty()) {
    return InvalidField("edge_features", arrays.edge_features.size(), " values for ", arrays.sources.size(),
                        " edges, but their width is 0: edge_feature_width is how many features each edge has");
  }
  if (Size(arrays.edge_features) != wanted) {
    return InvalidField("edge_features", arrays.edge_features.size(), " values, but ", arrays.sources.size(),
                        " edges of width ", width, " need ", wanted);
  }
  return absl::OkStatus();
}

bool Append(GraphArrays part, GraphArrays& whole) {
  if (part.features.rows > 0 && whole.features.rows > 0 &&
      (part.features.width != whole.features.width || part.node_ids.empty() != whole.node_ids.empty())) {
    return false;
  }
  if (!part.sources.empty() && !whole.sources.empty() && part.edge_feature_width != whole.edge_feature_width) {
    return false;
  }
  AppendFeatures(std::move(part.features), whole.features);
  AppendTo(whole.node_ids, std::move(part.node_ids));
  if (!part.sources.empty() || (whole.sources.empty() && whole.edge_feature_width == 0)) {
    whole.edge_feature_width = part.edge_feature_width;
  }
  AppendTo(whole.sources, std::move(part.sources));
  AppendTo(whole.targets, std::move(part.targets));
  AppendTo(whole.edge_features, std::move(part.edge_features));
  return true;
}

}  // namespace heed
