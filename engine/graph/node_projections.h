// SPDX-License-Identifier: Apache-2.0
// The projections of a large graph's nodes, as a pass over its edges reads them fastest: values, source scores and own
// parts each in a table of their own, rows one directly behind the other. A random access then fetches only cache lines
// that the edge needs, and the scores of all nodes fit into the caches.
#pragma once

#include <cstdint>

#include "engine/core/aligned_memory.h"
#include "engine/core/matrix.h"
#include "engine/core/team.h"
#include "engine/graph/graph_aggregation.h"

namespace heed {

// Owns the tables; movable. One thread at a time while rows are put in, any number afterwards.
class NodeProjections {
 public:
  NodeProjections() = default;
  // Room for `nodes` nodes, of which the first `targets` are targets and need their own parts. Not zeroed.
  NodeProjections(const ProjectionLayout& layout, int64_t nodes, int64_t targets);

  // `rows` [count, layout.width()] are those of the nodes from `first` on.
  void Put(int64_t first, ConstMatrixView rows, Team& team);
  // Makes `pass`, whose layout is this one, read these tables.
  void UseIn(GraphAggregation& pass) const;

  static int64_t Bytes(const ProjectionLayout& layout, int64_t nodes, int64_t targets);

 private:
  ProjectionLayout layout_;
  AlignedPointer<float> memory_;
  MatrixView values_, source_scores_, own_;
};

}  // namespace heed
