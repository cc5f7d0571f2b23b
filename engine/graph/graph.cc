// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/graph.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace heed {
namespace {

constexpr size_t kShardNodes = 256;  // of the index, when it is made

template <typename T>
int64_t Size(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size());
}

template <typename T>
int64_t HeldBytes(const std::vector<T>& values) {
  return static_cast<int64_t>(values.capacity() * sizeof(T));
}

}  // namespace

int64_t Graph::RowsOf(size_t page) const { return std::min(kPageRows, rows_ - static_cast<int64_t>(page) * kPageRows); }

void Graph::Count(const IdPart& part, int64_t sign) {
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.ids));
}

void Graph::Count(const FeaturePart& part, int64_t sign) {
  feature_values_ += sign * Size(part.values);
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.value_begins) +
                         HeldBytes(part.column_begins) + HeldBytes(part.values) + HeldBytes(part.columns));
}

void Graph::Count(const InPart& part, int64_t sign) {
  edges_ += sign * Size(part.sources);
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.begins) + HeldBytes(part.sources) +
                         HeldBytes(part.features));
}

void Graph::Count(const OutPart& part, int64_t sign) {
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(part)) + HeldBytes(part.begins) + HeldBytes(part.targets));
}

void Graph::Count(const Shard& shard, int64_t sign) {
  moved_ += sign * Size(shard);
  part_bytes_ += sign * (static_cast<int64_t>(sizeof(shard)) + HeldBytes(shard));
}

int64_t Graph::bytes() const {
  return static_cast<int64_t>(sizeof(Graph)) + HeldBytes(pages_) + HeldBytes(shards_) + part_bytes_;
}

std::shared_ptr<const Graph::FeaturePart> Graph::MakeFeatures(int64_t width, absl::Span<const FeatureRow> rows) {
  auto part = std::make_shared<FeaturePart>();
  if (width == 0) return part;
  std::array<bool, kPageRows> sparse;
  bool all_dense = true;
  int64_t values = 0, columns = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    int64_t count = 0;  // of values that are not zero
    for (int64_t k = 0; k < rows[i].count; ++k) count += rows[i].values[k] != 0;
    sparse[i] = rows[i].count < 0 || static_cast<double>(count) <= kSparseRowDensity * static_cast<double>(width);
    values += sparse[i] ? count : width;
    columns += sparse[i] ? count : 0;
    all_dense = all_dense && !sparse[i];
  }
  part->values.reserve(static_cast<size_t>(values));
  part->columns.reserve(static_cast<size_t>(columns));
  if (!all_dense) {
    part->value_begins.reserve(rows.size() + 1);
    part->column_begins.reserve(rows.size() + 1);
    part->value_begins.push_back(0);
    part->column_begins.push_back(0);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const FeatureRow& row = rows[i];
    if (sparse[i]) {
      for (int64_t k = 0; k < row.count; ++k) {
        if (row.values[k] == 0) continue;
        part->values.push_back(row.values[k]);
        part->columns.push_back(row.columns == nullptr ? static_cast<int32_t>(k) : row.columns[k]);
      }
    } else if (row.columns == nullptr) {
      part->values.insert(part->values.end(), row.values, row.values + width);
    } else {
      const size_t begin = part->values.size();
      part->values.resize(begin + static_cast<size_t>(width));
      for (int64_t k = 0; k < row.count; ++k) part->values[begin + static_cast<size_t>(row.columns[k])] = row.values[k];
    }
    if (all_dense) continue;
    part->value_begins.push_back(Size(part->values));
    part->column_begins.push_back(Size(part->columns));
  }
  return part;
}

size_t Graph::ShardOf(int64_t id) const {
  const int bits = std::countr_zero(shards_.size());
  if (bits == 0) return 0;
  return static_cast<size_t>(static_cast<uint64_t>(id) * 0x9E3779B97F4A7C15u >> (64 - bits));
}

// Makes the index anew, of these nodes.
void Graph::MakeIndex(absl::Span<const IdRow> moved) {
  for (auto& shard : shards_) Replace(shard, {});
  shards_.clear();
  if (moved.empty()) return;
  shards_.resize(std::bit_ceil(moved.size() / kShardNodes + 1));
  std::vector<size_t> counts(shards_.size());
  for (const IdRow& node : moved) ++counts[ShardOf(node.id)];
  std::vector<std::shared_ptr<Shard>> shards(shards_.size());
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i] = std::make_shared<Shard>();
    shards[i]->reserve(counts[i]);
  }
  for (const IdRow& node : moved) shards[ShardOf(node.id)]->push_back(node);
  for (size_t i = 0; i < shards.size(); ++i) {
    std::sort(shards[i]->begin(), shards[i]->end(), [](const IdRow& a, const IdRow& b) { return a.id < b.id; });
    Replace(shards_[i], std::shared_ptr<const Shard>(std::move(shards[i])));
  }
}

std::optional<int32_t> Graph::Row(int64_t id) const {
  if (id >= 0 && id < rows_) {
    const int32_t row = static_cast<int32_t>(id);
    if (Has(row) && Id(row) == id) return row;
  }
  if (shards_.empty()) return std::nullopt;
  const Shard& shard = *shards_[ShardOf(id)];
  const auto found =
      std::lower_bound(shard.begin(), shard.end(), id, [](const IdRow& a, int64_t b) { return a.id < b; });
  if (found == shard.end() || found->id != id) return std::nullopt;
  return found->row;
}

std::vector<int32_t> Graph::RowsById() const {
  std::vector<int32_t> rows;
  rows.reserve(static_cast<size_t>(nodes_));
  for (int32_t row = 0; row < rows_; ++row) {
    if (Has(row)) rows.push_back(row);
  }
  const auto by_id = [this](int32_t a, int32_t b) { return Id(a) < Id(b); };
  if (!std::is_sorted(rows.begin(), rows.end(), by_id)) std::sort(rows.begin(), rows.end(), by_id);
  return rows;
}

GraphArrays Graph::ToArrays() const {
  const std::vector<int32_t> rows = RowsById();
  GraphArrays arrays;
  std::vector<int32_t> places(static_cast<size_t>(rows_));  // of rows, in the arrays
  bool ids_are_places = true;
  for (size_t i = 0; i < rows.size(); ++i) {
    places[static_cast<size_t>(rows[i])] = static_cast<int32_t>(i);
    ids_are_places = ids_are_places && Id(rows[i]) == static_cast<int64_t>(i);
  }
  if (!ids_are_places) {
    arrays.node_ids.reserve(rows.size());
    for (const int32_t row : rows) arrays.node_ids.push_back(Id(row));
  }
  arrays.features = FeaturesOf(rows);
  arrays.edge_feature_width = edge_feature_width_;
  arrays.sources.reserve(static_cast<size_t>(edges_));
  arrays.targets.reserve(static_cast<size_t>(edges_));
  arrays.edge_features.reserve(static_cast<size_t>(edges_ * edge_feature_width_));
  for (const int32_t row : rows) {
    const InEdges in = In(row);
    for (const int32_t source : in.sources) arrays.sources.push_back(places[static_cast<size_t>(source)]);
    arrays.targets.resize(arrays.sources.size(), places[static_cast<size_t>(row)]);
    arrays.edge_features.insert(arrays.edge_features.end(), in.features,
                                in.features + static_cast<int64_t>(in.sources.size()) * edge_feature_width_);
  }
  return arrays;
}

FeatureArrays Graph::FeaturesOf(const std::vector<int32_t>& rows) const {
  // A dense row's zero of negative sign is a value like others: it must come back with its sign.
  const auto is_value = [](float value) { return value != 0 || std::signbit(value); };
  int64_t values = 0;
  for (const int32_t row : rows) {
    const FeatureRow features = Features(row);
    values += std::count_if(features.values, features.values + features.count, is_value);
  }
  FeatureArrays arrays;
  arrays.rows = Size(rows);
  arrays.width = feature_width_;
  arrays.sparse = 2 * values + 2 * arrays.rows < arrays.rows * feature_width_;  // whichever takes less memory
  arrays.values.reserve(static_cast<size_t>(arrays.sparse ? values : arrays.rows * feature_width_));
  if (arrays.sparse) {
    arrays.columns.reserve(static_cast<size_t>(values));
    arrays.row_ends.reserve(rows.size());
  }
  for (const int32_t row : rows) {
    const FeatureRow given = Features(row);
    if (arrays.sparse) {
      for (int64_t k = 0; k < given.count; ++k) {
        if (!is_value(given.values[k])) continue;
        arrays.values.push_back(given.values[k]);
        arrays.columns.push_back(given.columns == nullptr ? static_cast<int32_t>(k) : given.columns[k]);
      }
      arrays.row_ends.push_back(Size(arrays.values));
    } else if (given.columns == nullptr) {
      arrays.values.insert(arrays.values.end(), given.values, given.values + given.count);
    } else {
      const size_t begin = arrays.values.size();
      arrays.values.resize(begin + static_cast<size_t>(feature_width_));
      for (int64_t k = 0; k < given.count; ++k) {
        arrays.values[begin + static_cast<size_t>(given.columns[k])] = given.values[k];
      }
    }
  }
  return arrays;
}

}  // namespace heed
