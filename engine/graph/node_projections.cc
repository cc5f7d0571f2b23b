// SPDX-License-Identifier: Apache-2.0
#include "engine/graph/node_projections.h"

#include <algorithm>

namespace heed {
namespace {

// Floats of a table whose rows lie one behind the other; the next one begins on a cache line.
int64_t TableSize(int64_t rows, int64_t width) { return WholeCacheLines(rows * width); }

int64_t Floats(const ProjectionLayout& layout, int64_t nodes, int64_t targets) {
  return TableSize(nodes, layout.values_width()) + TableSize(nodes, layout.source_scores_width()) +
         TableSize(targets, layout.own_width());
}

}  // namespace

NodeProjections::NodeProjections(const ProjectionLayout& layout, int64_t nodes, int64_t targets)
    : layout_(layout),
      memory_(static_cast<float*>(AllocateAligned(static_cast<size_t>(Bytes(layout, nodes, targets))))) {
  float* next = memory_.get();
  const auto take = [&](int64_t rows, int64_t width) {
    const MatrixView table = {next, rows, width, width};
    next += TableSize(rows, width);
    return table;
  };
  values_ = take(nodes, layout.values_width());
  source_scores_ = take(nodes, layout.source_scores_width());
  own_ = take(targets, layout.own_width());
}

void NodeProjections::Put(int64_t first, ConstMatrixView rows, Team& team) {
  RunRows(team, rows.rows, layout_.width(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = rows.row(i);
      std::copy_n(from, values_.cols, values_.row(first + i));
      std::copy_n(from + values_.cols, source_scores_.cols, source_scores_.row(first + i));
      if (first + i < own_.rows) std::copy_n(from + layout_.own_column(), own_.cols, own_.row(first + i));
    }
  });
}

void NodeProjections::UseIn(GraphAggregation& pass) const {
  pass.values = values_;
  pass.source_scores = source_scores_;
  pass.own = own_;
}

int64_t NodeProjections::Bytes(const ProjectionLayout& layout, int64_t nodes, int64_t targets) {
  return Floats(layout, nodes, targets) * static_cast<int64_t>(sizeof(float));
}

}  // namespace heed
