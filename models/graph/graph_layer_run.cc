// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph_layer_run.h"

#include <algorithm>
#include <utility>

namespace heed {

void AttentionCoefficients::Attach(GraphAggregation& pass) {
  const int64_t targets = pass.out.rows, heads = pass.layout.heads;
  edges.assign(static_cast<size_t>(pass.offsets[targets] * heads), 0.0f);
  loops.assign(static_cast<size_t>(targets * heads), 0.0f);
  pass.edge_coefficients = edges.data();
  pass.loop_coefficients = loops.data();
}

void AttentionCoefficients::AppendTo(GraphAnswer& answer, const Graph& graph, const Neighborhood& hood,
                                     const GraphAggregation& pass) const {
  LayerAttention& layer = answer.attention.emplace_back();
  layer.heads = static_cast<int>(pass.layout.heads);
  const auto id = [&](int64_t node) { return graph.Id(hood.rows[static_cast<size_t>(node)]); };
  const auto append = [&](int64_t source, int64_t target, const float* weights) {
    layer.sources.push_back(id(source));
    layer.targets.push_back(id(target));
    layer.self_loops.push_back(source == target);
    layer.weights.insert(layer.weights.end(), weights, weights + pass.layout.heads);
  };
  const bool gcn = pass.layout.kind == GraphConvolution::kGcn;
  for (int64_t i = 0; i < pass.out.rows; ++i) {
    for (int64_t e = pass.offsets[i]; e < pass.offsets[i + 1]; ++e) {
      if (pass.add_self_loops && pass.sources[e] == i) continue;
      append(pass.sources[e], i, edges.data() + e * pass.layout.heads);
    }
    if (gcn ? pass.loop_weight[i] != 0 : pass.add_self_loops) append(i, i, loops.data() + i * pass.layout.heads);
  }
}

GraphLayerRun::GraphLayerRun(const GraphLayer& layer, const Graph& graph, const Neighborhood& hood, int64_t sources,
                             int64_t targets, Matrix input, bool attention)
    : layer_(layer),
      graph_(graph),
      hood_(hood),
      sources_(sources),
      input_(std::move(input)),
      out_(Matrix::Uninitialized(targets, layer.out())) {
  if (layer.linear()) {
    table_ = Matrix::Uninitialized(sources, layer.table_width());
    return;
  }
  projections_ = NodeProjections(layer.layout(), sources, targets);
  layer.Normalize(hood, norm_, loop_weight_);
  pass_ = layer.Pass(hood, norm_, loop_weight_, out_.view());
  projections_.UseIn(pass_);
  if (attention) coefficients_.Attach(pass_);
}

bool GraphLayerRun::Advance(Context& context) {
  if (projected_ < sources_) {
    ProjectBlock(context);
    if (projected_ < sources_ || out_.rows() > 0) return false;
  }
  const int64_t first = aggregated_;
  if (layer_.linear()) {
    const int64_t rows = std::max<int64_t>(1, kBlockMultiplyAdds / layer_.out());
    aggregated_ = std::min(first + rows, out_.rows());
    layer_.TakeRows(table_.view(), out_.view(), first, aggregated_, context);
    if (aggregated_ < out_.rows()) return false;
    layer_.FinishGraph(out_.view());
    return true;
  }
  int64_t last = std::min(first + 1, out_.rows());
  while (last < out_.rows() &&
         hood_.offsets[static_cast<size_t>(last) + 1] - hood_.offsets[static_cast<size_t>(first)] + last - first <=
             kBlockEdges) {
    ++last;
  }
  const AggregationRange range = {&pass_, first, last};
  Aggregate(absl::MakeConstSpan(&range, 1), context, [&](int64_t, float* row) { layer_.FinishRow(row); });
  aggregated_ = last;
  if (aggregated_ < out_.rows()) return false;
  layer_.FinishGraph(out_.view());
  return true;
}

void GraphLayerRun::ProjectBlock(Context& context) {
  std::vector<FeatureRow> features;
  const int64_t first = projected_;
  int64_t work = 0, last = first;
  for (; last < sources_ && work < kBlockMultiplyAdds; ++last) {
    if (input_.rows() == 0) features.push_back(graph_.Features(hood_.rows[static_cast<size_t>(last)]));
    work += (input_.rows() == 0 ? features.back().count : layer_.in()) * layer_.table_width();
  }
  const auto project = [&](int64_t begin, MatrixView to) {
    if (input_.rows() == 0) {
      layer_.Project(
          absl::MakeConstSpan(features).subspan(static_cast<size_t>(begin - first), static_cast<size_t>(to.rows)), to,
          context);
    } else {
      layer_.Project(input_.view().Rows(begin, to.rows), to, context);
    }
  };
  if (layer_.linear()) {
    project(first, table_.view().Rows(first, last - first));
    projected_ = last;
    return;
  }
  for (; projected_ < last; projected_ = std::min(last, projected_ + kProjectedRows)) {
    Arena::Scope scope(context.arena);
    const MatrixView rows =
        TakeMatrix(context.arena, std::min(last - projected_, kProjectedRows), layer_.table_width());
    project(projected_, rows);
    projections_.Put(projected_, rows, context.team);
  }
}

}  // namespace heed
