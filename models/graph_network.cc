#include "models/graph_network.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/status_macros.h"
#include "models/graph_outputs.h"

namespace heed {
namespace {

// A task's rows, for the scheduler's budget: edges and nodes in units of this many. A block of 64 k edges counts 256.
constexpr int64_t kWorkPerRow = 256;
constexpr int64_t kMostRows = GraphNetwork::kBlockEdges / kWorkPerRow;
// Multiply-adds of a block of a projection: some milliseconds of a core.
constexpr int64_t kBlockMultiplyAdds = int64_t{1} << 26;

int64_t WorkRows(int64_t work) { return std::clamp<int64_t>((work + kWorkPerRow - 1) / kWorkPerRow, 1, kMostRows); }

int64_t MatrixBytes(int64_t rows, int64_t cols) {
  return rows * PaddedStride(cols) * static_cast<int64_t>(sizeof(float));
}

// Distinct rows in the order in which they were asked for, and the place of each that was asked.
struct AskedRows {
  std::vector<int32_t> rows;
  std::vector<int64_t> places;
};

AskedRows Distinct(const std::vector<int32_t>& asked) {
  AskedRows distinct;
  absl::flat_hash_map<int32_t, int64_t> place_of;
  for (const int32_t row : asked) {
    const auto [place, added] = place_of.try_emplace(row, static_cast<int64_t>(distinct.rows.size()));
    if (added) distinct.rows.push_back(row);
    distinct.places.push_back(place->second);
  }
  return distinct;
}

}  // namespace

// What the last layer made of a task's targets, in their order, and what it read.
struct GraphNetwork::LastRows {
  QueryTask* task;
  ConstMatrixView last;
  ConstMatrixView before;
};

// One layer over one neighbourhood, in blocks.
class GraphNetwork::LayerRun {
 public:
  // Reads the first `sources` nodes of `hood`, from `input` [sources, in], or from the graph's features if that is
  // empty, and computes the first `targets`. Borrows all but `input`.
  LayerRun(const GraphLayer& layer, const Graph& graph, const Neighbourhood& hood, int64_t sources, int64_t targets,
           Matrix input, bool attention)
      : layer_(layer),
        graph_(graph),
        hood_(hood),
        sources_(sources),
        input_(std::move(input)),
        table_(sources, layer.table_width()),
        out_(targets, layer.out()) {
    layer.Normalise(hood, norm_, loop_weight_);
    pass_ = layer.Pass(hood, norm_, loop_weight_, table_.view(), out_.view());
    if (attention) coefficients_.Attach(pass_);
  }
  LayerRun(const LayerRun&) = delete;
  LayerRun& operator=(const LayerRun&) = delete;

  // Where a pass writes its attention coefficients.
  struct Coefficients {
    std::vector<float> edges, loops;
    void Attach(GraphAggregation& pass) {
      const int64_t targets = pass.out.rows, heads = pass.layout.heads;
      edges.assign(static_cast<size_t>(pass.offsets[targets] * heads), 0.0f);
      loops.assign(static_cast<size_t>(targets * heads), 0.0f);
      pass.edge_coefficients = edges.data();
      pass.loop_coefficients = loops.data();
    }
    void AppendTo(GraphAnswer& answer, const Graph& graph, const Neighbourhood& hood,
                  const GraphAggregation& pass) const;
  };

  // One block of work. True: that was the last one.
  bool Advance(Context& context) {
    if (projected_ < sources_) {
      ProjectBlock(context);
      if (projected_ < sources_ || out_.rows() > 0) return false;
    }
    const int64_t first = aggregated_;
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

  // Once it is through.
  Matrix TakeOut() { return std::move(out_); }
  const GraphAggregation& pass() const { return pass_; }
  const Coefficients& coefficients() const { return coefficients_; }

 private:
  void ProjectBlock(Context& context) {
    std::vector<FeatureRow> features;
    int64_t work = 0, last = projected_;
    for (; last < sources_ && work < kBlockMultiplyAdds; ++last) {
      if (input_.rows() == 0) features.push_back(graph_.Features(hood_.rows[static_cast<size_t>(last)]));
      work += (input_.rows() == 0 ? features.back().count : layer_.in()) * layer_.table_width();
    }
    const MatrixView to = table_.view().Rows(projected_, last - projected_);
    if (input_.rows() == 0) {
      layer_.Project(features, to, context);
    } else {
      layer_.Project(ConstMatrixView(input_.view()).Rows(projected_, last - projected_), to, context);
    }
    projected_ = last;
  }

  const GraphLayer& layer_;
  const Graph& graph_;
  const Neighbourhood& hood_;
  const int64_t sources_;
  const Matrix input_;
  Matrix table_;
  Matrix out_;
  std::vector<float> norm_, loop_weight_;
  GraphAggregation pass_;
  Coefficients coefficients_;
  int64_t projected_ = 0, aggregated_ = 0;
};

void GraphNetwork::LayerRun::Coefficients::AppendTo(GraphAnswer& answer, const Graph& graph, const Neighbourhood& hood,
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

// A query, from its neighbourhood to its answer.
class GraphNetwork::QueryTask : public GraphQueryTask {
 public:
  QueryTask(const GraphNetwork& network, GraphQuery graph_query) : query(std::move(graph_query)), network_(network) {}

  int64_t next_rows() const override { return WorkRows(work_); }
  int64_t peak_bytes() const override { return peak_bytes_; }
  bool has_output() const override { return finished(); }
  const GraphAnswer& answer() const override { return result; }

  bool precomputed() const { return query.outputs != nullptr; }
  bool large() const { return work_ > kBlockEdges; }
  // Nodes that layer `layer` reads; that of the layer behind the last one: nodes asked for.
  int64_t NodesOf(int layer) const { return hood.within[static_cast<size_t>(network_.layer_count() - layer)]; }

  // Once `targets` and the neighbourhood stand.
  void Plan() {
    result.precomputed = precomputed();
    if (precomputed()) {
      work_ = static_cast<int64_t>(targets.size());
      peak_bytes_ = MatrixBytes(work_, 2 * network_.head_.in());
      return;
    }
    const int layers = network_.layer_count();
    work_ = hood.nodes();
    result.nodes_computed = hood.nodes();
    for (int l = 0; l < layers; ++l) {
      const GraphLayer& layer = network_.layers_[static_cast<size_t>(l)];
      const int64_t nodes = NodesOf(l + 1), edges = hood.offsets[static_cast<size_t>(nodes)];
      work_ += nodes + edges;
      result.edges_computed += edges;
      peak_bytes_ = std::max(peak_bytes_, MatrixBytes(NodesOf(l), layer.table_width()) +
                                              MatrixBytes(NodesOf(l), layer.in()) + MatrixBytes(nodes, layer.out()));
    }
    peak_bytes_ += hood.bytes();
  }

  // Large: one block of one layer.
  void Advance(Context& context) {
    const bool embeds = query.return_embeddings;
    if (!run_) {
      run_.emplace(network_.layers_[static_cast<size_t>(layer_)], *query.graph, hood, NodesOf(layer_),
                   NodesOf(layer_ + 1), std::move(rows_), query.return_attention);
    }
    if (!run_->Advance(context)) return;
    if (query.return_attention) run_->coefficients().AppendTo(result, *query.graph, hood, run_->pass());
    rows_ = run_->TakeOut();
    run_.reset();
    ++layer_;
    if (embeds && layer_ == network_.layer_count() - 1) {
      before_ = Matrix(NodesOf(network_.layer_count()), rows_.cols());
      for (int64_t i = 0; i < before_.rows(); ++i) std::copy(rows_.row(i), rows_.row(i) + rows_.cols(), before_.row(i));
    }
    if (layer_ < network_.layer_count()) return;
    const LastRows last = {this, rows_.view(), before_.view()};
    network_.Answer(absl::MakeConstSpan(&last, 1), context);
    rows_ = Matrix();
  }

  using Task::Finish;

  const GraphQuery query;
  std::vector<int32_t> targets;  // rows of the graph: each node that was asked for, once
  std::vector<int64_t> asked;    // node task: places in `targets`; edge task: of source and target in turn
  Neighbourhood hood;            // of the targets; none if their outputs are precomputed
  GraphAnswer result;

 private:
  const GraphNetwork& network_;
  int64_t work_ = 0;
  int64_t peak_bytes_ = 0;
  // Of a large query.
  int layer_ = 0;
  std::optional<LayerRun> run_;
  Matrix rows_;    // of the layer before
  Matrix before_;  // what the last layer read, of the targets
};

// Outputs of all layers, or of what a change reaches.
class GraphNetwork::OutputsTask : public PrecomputeTask {
 public:
  OutputsTask(const GraphNetwork& network, std::shared_ptr<const Graph> graph, const LayerOutputs* previous,
              const GraphChange& change)
      : network_(network), graph_(std::move(graph)) {
    if (previous != nullptr) {
      outputs_ = std::make_shared<LayerOutputs>(*previous);
      change_ = change;
    } else {
      std::vector<int64_t> widths;
      for (const GraphLayer& layer : network.layers_) widths.push_back(layer.out());
      outputs_ = std::make_shared<LayerOutputs>(network.identity_, std::move(widths));
      all_ = graph_->RowsById();
    }
    incremental_ = previous != nullptr;
    if (!incremental_) {
      for (const GraphLayer& layer : network.layers_) {
        peak_bytes_ += MatrixBytes(graph_->nodes(), layer.out());
      }
      int64_t widest = 0;
      for (const GraphLayer& layer : network.layers_) {
        widest =
            std::max(widest, MatrixBytes(graph_->nodes(), layer.table_width()) +
                                 MatrixBytes(graph_->nodes(), layer.in()) + MatrixBytes(graph_->nodes(), layer.out()));
      }
      peak_bytes_ += widest + 12 * graph_->edges();
    }
  }

  int64_t next_rows() const override { return kMostRows; }
  int64_t peak_bytes() const override { return peak_bytes_; }
  bool has_output() const override { return finished(); }
  std::shared_ptr<const GraphOutputs> outputs() const override { return outputs_; }

  void Advance(Context& context) {
    if (!run_) Begin();
    if (!run_->Advance(context)) return;
    outputs_->Set(layer_, targets_, run_->TakeOut().view());
    run_.reset();
    changed_ = std::move(targets_);
    if (++layer_ == network_.layer_count()) Finish();
  }

 private:
  // The rows whose output of this layer the change can reach: those whose in-edges changed, those whose input changed,
  // and the targets of the latter.
  std::vector<int32_t> Reached() const {
    std::vector<int32_t> inputs = layer_ == 0 ? change_.features : changed_;
    // GCN: a node's degree is a factor of what it gives to others.
    if (network_.config_.convolution == GraphConvolution::kGcn) {
      inputs.insert(inputs.end(), change_.in_edges.begin(), change_.in_edges.end());
    }
    std::vector<int32_t> reached = change_.in_edges;
    for (const int32_t row : inputs) {
      reached.push_back(row);
      const absl::Span<const int32_t> out = graph_->Out(row);
      reached.insert(reached.end(), out.begin(), out.end());
    }
    std::sort(reached.begin(), reached.end());
    reached.erase(std::unique(reached.begin(), reached.end()), reached.end());
    return reached;
  }

  void Begin() {
    targets_ = incremental_ ? Reached() : all_;
    hood_ = FindNeighbourhood(*graph_, targets_, network_.HoodOptions(1));
    const GraphLayer& layer = network_.layers_[static_cast<size_t>(layer_)];
    Matrix input;
    if (layer_ > 0) {
      input = Matrix(hood_.nodes(), layer.in());
      for (int64_t i = 0; i < hood_.nodes(); ++i) {
        const float* row = outputs_->Row(layer_ - 1, hood_.rows[static_cast<size_t>(i)]);
        std::copy(row, row + layer.in(), input.row(i));
      }
    }
    run_.emplace(layer, *graph_, hood_, hood_.nodes(), static_cast<int64_t>(targets_.size()), std::move(input), false);
  }

  const GraphNetwork& network_;
  const std::shared_ptr<const Graph> graph_;
  GraphChange change_;
  bool incremental_ = false;
  std::vector<int32_t> all_;  // rows, ascending by id
  std::shared_ptr<LayerOutputs> outputs_;
  int64_t peak_bytes_ = 0;
  int layer_ = 0;
  std::vector<int32_t> targets_;  // rows of the layer under way
  std::vector<int32_t> changed_;  // rows of the layer before that were computed
  Neighbourhood hood_;
  std::optional<LayerRun> run_;
};

absl::Status GraphNetwork::CheckGraph(const Graph& graph) const {
  if (graph.feature_width() != config_.in_channels && graph.nodes() > 0) {
    return absl::InvalidArgumentError(absl::StrCat("features: width ", graph.feature_width(), ", but model \"",
                                                   spec_.name, "\" takes ", config_.in_channels));
  }
  if (config_.edge_dim > 0 && graph.edge_feature_width() != config_.edge_dim && graph.edges() > 0) {
    return absl::InvalidArgumentError(absl::StrCat("edge features: width ", graph.edge_feature_width(),
                                                   ", but model \"", spec_.name, "\" takes ", config_.edge_dim));
  }
  return absl::OkStatus();
}

absl::Status GraphNetwork::CannotDo(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(
      "model \"", spec_.name, "\" normalises over the whole graph, so that every node's answer depends on ",
      "every other node: it cannot ", what));
}

NeighbourhoodOptions GraphNetwork::HoodOptions(int hops) const {
  NeighbourhoodOptions options;
  options.hops = hops;
  options.in_weights = config_.convolution == GraphConvolution::kGcn;
  options.edge_weights = options.in_weights && config_.edge_dim > 0;
  return options;
}

absl::StatusOr<std::unique_ptr<GraphQueryTask>> GraphNetwork::Start(GraphQuery given) const {
  const Graph& graph = *given.graph;
  HEED_RETURN_IF_ERROR(CheckGraph(graph));
  if (given.fan_out && *given.fan_out < 1) {
    return absl::InvalidArgumentError(absl::StrCat("fan_out: ", *given.fan_out, ", must be at least 1"));
  }
  const bool whole = config_.NeedsWholeGraph();
  if (whole && given.has_unseen) return CannotDo("answer about nodes that the graph does not hold");
  if (whole && given.stored && !given.all && config_.task != GraphTaskKind::kGraph) {
    return CannotDo("compute the neighbourhood of some nodes alone; ask about all");
  }
  if (given.outputs != nullptr) {
    const auto* outputs = dynamic_cast<const LayerOutputs*>(given.outputs.get());
    if (outputs == nullptr || outputs->model() != identity_.get()) {
      return absl::InternalError(absl::StrCat("model \"", spec_.name, "\" was given another model's outputs"));
    }
  }
  auto task = std::make_unique<QueryTask>(*this, std::move(given));
  const GraphQuery& query = task->query;

  // What is asked, as rows.
  std::vector<int32_t> asked;
  std::vector<int32_t> by_id;
  if (whole || query.all || config_.task == GraphTaskKind::kGraph) by_id = graph.RowsById();
  switch (config_.task) {
    case GraphTaskKind::kNode:
      if (query.all) {
        asked = by_id;
        for (const int32_t row : by_id) task->result.nodes.push_back(graph.Id(row));
      } else {
        for (size_t i = 0; i < query.nodes.size(); ++i) {
          const std::optional<int32_t> row = graph.Row(query.nodes[i]);
          if (!row) {
            return absl::InvalidArgumentError(absl::StrCat("nodes[", i, "]: ", query.nodes[i],
                                                           " is not among the graph's ", graph.nodes(), " nodes"));
          }
          asked.push_back(*row);
        }
        task->result.nodes = query.nodes;
      }
      break;
    case GraphTaskKind::kEdge:
      if (query.all) {
        for (const int32_t source : by_id) {
          for (const int32_t target : graph.Out(source)) {
            asked.push_back(source);
            asked.push_back(target);
            task->result.edges.emplace_back(graph.Id(source), graph.Id(target));
          }
        }
      } else {
        for (size_t i = 0; i < query.edges.size(); ++i) {
          for (const int64_t id : {query.edges[i].first, query.edges[i].second}) {
            const std::optional<int32_t> row = graph.Row(id);
            if (!row) {
              return absl::InvalidArgumentError(absl::StrCat("edges[", i, "]: ", query.edges[i].first, " -> ",
                                                             query.edges[i].second, ", but ", id,
                                                             " is not among the graph's ", graph.nodes(), " nodes"));
            }
            asked.push_back(*row);
          }
        }
        task->result.edges = query.edges;
      }
      break;
    case GraphTaskKind::kGraph:
      break;
  }

  // The nodes whose last layer's rows are needed.
  if (config_.task == GraphTaskKind::kGraph || (query.all && config_.task == GraphTaskKind::kNode)) {
    task->targets = std::move(by_id);
    if (config_.task == GraphTaskKind::kNode) {
      for (size_t i = 0; i < task->targets.size(); ++i) task->asked.push_back(static_cast<int64_t>(i));
    }
  } else if (whole) {
    std::vector<int64_t> place_of(static_cast<size_t>(graph.rows()));
    for (size_t i = 0; i < by_id.size(); ++i) place_of[static_cast<size_t>(by_id[i])] = static_cast<int64_t>(i);
    for (const int32_t row : asked) task->asked.push_back(place_of[static_cast<size_t>(row)]);
    task->targets = std::move(by_id);
  } else {
    AskedRows distinct = Distinct(asked);
    task->targets = std::move(distinct.rows);
    task->asked = std::move(distinct.places);
  }
  if (!task->precomputed()) {
    NeighbourhoodOptions options = HoodOptions(layer_count());
    options.fan_out = query.fan_out;
    options.seed = query.seed;
    task->hood = FindNeighbourhood(graph, task->targets, options);
  }
  task->Plan();
  return task;
}

absl::StatusOr<std::unique_ptr<PrecomputeTask>> GraphNetwork::StartPrecompute(
    std::shared_ptr<const Graph> graph, std::shared_ptr<const GraphOutputs> previous, const GraphChange& change) const {
  if (config_.NeedsWholeGraph()) return CannotDo("keep outputs up to date when a part of the graph changes");
  HEED_RETURN_IF_ERROR(CheckGraph(*graph));
  const auto* outputs = dynamic_cast<const LayerOutputs*>(previous.get());
  // Another model's, such as the version of this one before it was loaded again, are of no use.
  if (outputs != nullptr && outputs->model() != identity_.get()) outputs = nullptr;
  return std::make_unique<OutputsTask>(*this, std::move(graph), outputs, change);
}

void GraphNetwork::Step(absl::Span<Task* const> tasks, Context& context) const {
  std::vector<QueryTask*> together;
  for (Task* task : tasks) {
    auto* query = dynamic_cast<QueryTask*>(task);
    if (query == nullptr) {
      static_cast<OutputsTask*>(task)->Advance(context);
    } else if (query->large() && !query->precomputed()) {
      query->Advance(context);
    } else {
      together.push_back(query);
    }
  }
  if (!together.empty()) RunTogether(together, context);
}

void GraphNetwork::RunTogether(absl::Span<QueryTask* const> tasks, Context& context) const {
  Arena::Scope scope(context.arena);
  std::vector<QueryTask*> computed;
  std::vector<LastRows> results;
  std::vector<FeatureRow> features;
  for (QueryTask* task : tasks) {
    if (!task->precomputed()) {
      computed.push_back(task);
      for (const int32_t row : task->hood.rows) features.push_back(task->query.graph->Features(row));
      continue;
    }
    const auto& outputs = static_cast<const LayerOutputs&>(*task->query.outputs);
    const auto gather = [&](int layer) {
      const int64_t width = outputs.width(layer);
      const MatrixView rows = TakeMatrix(context.arena, static_cast<int64_t>(task->targets.size()), width);
      for (int64_t i = 0; i < rows.rows; ++i) {
        const float* row = outputs.Row(layer, task->targets[static_cast<size_t>(i)]);
        std::copy(row, row + width, rows.row(i));
      }
      return rows;
    };
    const int last = layer_count() - 1;
    const bool before = task->query.return_embeddings && last > 0;
    results.push_back({task, gather(last), before ? gather(last - 1) : MatrixView()});
  }

  // The tasks' nodes stand one behind the other: those of task t from node first[t] on.
  const size_t count = computed.size();
  std::vector<int64_t> first(count + 1), next_first(count + 1);
  for (size_t t = 0; t < count; ++t) first[t + 1] = first[t] + computed[t]->NodesOf(0);
  MatrixView rows, before;
  std::vector<int64_t> before_first;
  for (int l = 0; l < layer_count() && count > 0; ++l) {
    const GraphLayer& layer = layers_[static_cast<size_t>(l)];
    for (size_t t = 0; t < count; ++t) next_first[t + 1] = next_first[t] + computed[t]->NodesOf(l + 1);
    const MatrixView table = TakeMatrix(context.arena, first[count], layer.table_width());
    const MatrixView out = TakeMatrix(context.arena, next_first[count], layer.out());
    if (l == 0) {
      layer.Project(features, table, context);
    } else {
      layer.Project(ConstMatrixView(rows), table, context);
    }
    std::vector<GraphAggregation> passes;
    std::vector<AggregationRange> ranges;
    std::vector<LayerRun::Coefficients> coefficients(count);
    std::vector<std::vector<float>> norms(count), loop_weights(count);
    passes.reserve(count);
    for (size_t t = 0; t < count; ++t) {
      const Neighbourhood& hood = computed[t]->hood;
      const int64_t targets = next_first[t + 1] - next_first[t];
      layer.Normalise(hood, norms[t], loop_weights[t]);
      passes.push_back(layer.Pass(hood, norms[t], loop_weights[t], table.Rows(first[t], first[t + 1] - first[t]),
                                  out.Rows(next_first[t], targets)));
      if (computed[t]->query.return_attention) coefficients[t].Attach(passes.back());
      ranges.push_back({&passes.back(), 0, targets});
    }
    Aggregate(ranges, context, [&](int64_t, float* row) { layer.FinishRow(row); });
    for (size_t t = 0; t < count; ++t) {
      layer.FinishGraph(passes[t].out);
      if (!computed[t]->query.return_attention) continue;
      coefficients[t].AppendTo(computed[t]->result, *computed[t]->query.graph, computed[t]->hood, passes[t]);
    }
    before = rows;
    before_first = first;
    rows = out;
    std::swap(first, next_first);
  }
  for (size_t t = 0; t < count; ++t) {
    const int64_t targets = first[t + 1] - first[t];
    results.push_back({computed[t], rows.Rows(first[t], targets),
                       before.rows > 0 ? before.Rows(before_first[t], targets) : MatrixView()});
  }
  Answer(results, context);
}

void GraphNetwork::Answer(absl::Span<const LastRows> results, Context& context) const {
  Arena::Scope scope(context.arena);
  const auto asked = [&](const LastRows& result) {
    switch (config_.task) {
      case GraphTaskKind::kNode:
        return static_cast<int64_t>(result.task->asked.size());
      case GraphTaskKind::kEdge:
        return static_cast<int64_t>(result.task->asked.size() / 2);
      case GraphTaskKind::kGraph:
        break;
    }
    return int64_t{1};
  };
  int64_t total = 0;
  for (const LastRows& result : results) total += asked(result);
  const MatrixView decoded = TakeMatrix(context.arena, total, head_.in());
  int64_t to = 0;
  for (const LastRows& result : results) {
    const std::vector<int64_t>& places = result.task->asked;
    for (int64_t i = 0; i < asked(result); ++i, ++to) {
      if (config_.task == GraphTaskKind::kNode) {
        const float* row = result.last.row(places[static_cast<size_t>(i)]);
        std::copy(row, row + head_.in(), decoded.row(to));
      } else if (config_.task == GraphTaskKind::kEdge) {
        head_.CombineEnds(result.last.row(places[static_cast<size_t>(2 * i)]),
                          result.last.row(places[static_cast<size_t>(2 * i) + 1]), decoded.row(to));
      } else {
        head_.Pool(result.last, decoded.row(to), context);
      }
    }
  }
  const std::vector<float> probabilities = head_.Decode(decoded, context);

  to = 0;
  for (const LastRows& result : results) {
    QueryTask& task = *result.task;
    const int64_t count = asked(result);
    GraphAnswer& answer = task.result;
    answer.classes = head_.classes();
    answer.probabilities.assign(probabilities.begin() + to * head_.classes(),
                                probabilities.begin() + (to + count) * head_.classes());
    if (task.query.return_embeddings) {
      const auto append = [&](const float* row, int64_t width) {
        answer.embeddings.insert(answer.embeddings.end(), row, row + width);
      };
      for (int64_t i = 0; i < count; ++i) {
        if (config_.task == GraphTaskKind::kGraph) {
          append(decoded.row(to + i), head_.in());
        } else if (config_.task == GraphTaskKind::kEdge) {
          append(result.last.row(task.asked[static_cast<size_t>(2 * i)]), result.last.cols);
          append(result.last.row(task.asked[static_cast<size_t>(2 * i) + 1]), result.last.cols);
        } else {
          // What the last linear map reads.
          const ConstMatrixView rows = head_.has_mlp() || layer_count() == 1 ? result.last : result.before;
          append(rows.row(task.asked[static_cast<size_t>(i)]), rows.cols);
        }
      }
      if (count > 0) answer.embedding_width = static_cast<int>(static_cast<int64_t>(answer.embeddings.size()) / count);
    }
    const auto bad = std::find_if(answer.probabilities.begin(), answer.probabilities.end(),
                                  [](float probability) { return std::isnan(probability); });
    if (bad != answer.probabilities.end()) {
      const int64_t place = (bad - answer.probabilities.begin()) / head_.classes();
      task.Finish(absl::InvalidArgumentError(absl::StrCat(
          "model \"", spec_.name, "\": the logits of item ", place,
          " of what was asked are not finite: features or edge weights are beyond what it computes with")));
    } else {
      task.Finish();
    }
    to += count;
  }
}

absl::StatusOr<std::shared_ptr<const GraphClassifier>> LoadGraphNetwork(const std::string& directory) {
  const std::filesystem::path path(directory);
  std::shared_ptr<GraphNetwork> network(new GraphNetwork);
  HEED_ASSIGN_OR_RETURN(network->config_, ReadGraphConfig((path / "config.json").string()));
  const GraphConfig& config = network->config_;
  HEED_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open((path / "model.safetensors").string()));
  GraphTensors tensors(file);
  int64_t width = config.in_channels;
  for (const GraphLayerConfig& layer : config.layers) {
    HEED_ASSIGN_OR_RETURN(GraphLayer loaded, GraphLayer::Load(config, layer, width, tensors));
    width = loaded.out();
    network->layers_.push_back(std::move(loaded));
  }
  HEED_ASSIGN_OR_RETURN(network->head_, GraphHead::Load(config, width, tensors));
  HEED_RETURN_IF_ERROR(tensors.CheckAllRead());

  network->labels_ = config.labels;
  if (network->labels_.empty()) {
    for (int i = 0; i < network->head_.classes(); ++i) network->labels_.push_back(absl::StrCat(i));
  }
  ModelSpec& spec = network->spec_;
  spec.name = path.filename().string();
  spec.architecture = config.model_type;
  spec.kind = config.task == GraphTaskKind::kNode   ? kNodeClassifier
              : config.task == GraphTaskKind::kEdge ? kEdgeClassifier
                                                    : kGraphClassifier;
  spec.weights = network->head_.weights();
  spec.resident_bytes = network->head_.resident_bytes();
  for (const GraphLayer& layer : network->layers_) {
    spec.weights += layer.weights();
    spec.resident_bytes += layer.resident_bytes();
  }
  return network;
}

}  // namespace heed
