// SPDX-License-Identifier: Apache-2.0
// One layer of a graph network over one neighborhood, in blocks of work.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/core/context.h"
#include "engine/core/matrix.h"
#include "engine/graph/graph.h"
#include "engine/graph/graph_aggregation.h"
#include "engine/graph/neighborhood.h"
#include "engine/graph/node_projections.h"
#include "models/graph/graph_layer.h"
#include "models/kinds/graph_classifier.h"

namespace heed {

// A block passes at most so many edges (a single node's are never parted), or multiplies at most so often: some
// milliseconds of a core.
inline constexpr int64_t kBlockEdges = 64 << 10;
inline constexpr int64_t kBlockMultiplyAdds = int64_t{1} << 26;

// Where a pass over targets writes its attention coefficients.
struct AttentionCoefficients {
  std::vector<float> edges, loops;

  // Makes room, and makes `pass` write here.
  void Attach(GraphAggregation& pass);
  // Once the pass is through: the layer's entry of the answer, by node ids.
  void AppendTo(GraphAnswer& answer, const Graph& graph, const Neighborhood& hood, const GraphAggregation& pass) const;
};

// One thread at a time.
class GraphLayerRun {
 public:
  // Reads the first `sources` nodes of `hood`, from `input` [sources, in], or from the graph's features if that is
  // empty, and computes the first `targets`. Borrows all but `input`.
  GraphLayerRun(const GraphLayer& layer, const Graph& graph, const Neighborhood& hood, int64_t sources, int64_t targets,
                Matrix input, bool attention);
  GraphLayerRun(const GraphLayerRun&) = delete;
  GraphLayerRun& operator=(const GraphLayerRun&) = delete;

  // One block of work. True: that was the last one.
  bool Advance(Context& context);

  // Once it is through: the targets' rows [targets, out]; and, if it was to keep it, the attention of a convolution.
  Matrix TakeOut() { return std::move(out_); }
  void AppendAttention(GraphAnswer& answer) const { coefficients_.AppendTo(answer, graph_, hood_, pass_); }

 private:
  void ProjectBlock(Context& context);

  const GraphLayer& layer_;
  const Graph& graph_;
  const Neighborhood& hood_;
  const int64_t sources_;
  const Matrix input_;
  Matrix table_;                 // of a linear layer
  NodeProjections projections_;  // of a convolution
  Matrix out_;
  std::vector<float> norm_, loop_weight_;
  GraphAggregation pass_;
  AttentionCoefficients coefficients_;
  int64_t projected_ = 0, aggregated_ = 0;
};

}  // namespace heed
