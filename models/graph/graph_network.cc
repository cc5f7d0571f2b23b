// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph_network.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "models/graph/graph_layer_run.h"
#include "models/graph/graph_outputs.h"
#include "models/kinds/served_precision.h"

namespace heed {
namespace {

// A task's rows, for the scheduler's budget: edges and nodes in units of this many. A block of 64 k edges counts 256.
constexpr int64_t kWorkPerRow = 256;
constexpr int64_t kMaxRows = kBlockEdges / kWorkPerRow;
// How many multiply-adds weigh as much as an edge.
constexpr int64_t kMultiplyAddsPerEdge = kBlockMultiplyAdds / kBlockEdges;

// Of an item that is asked about, and of an edge whose coefficients are: ids, numbers, and a message for each.
constexpr int64_t kAskedBytes = 64;
constexpr int64_t kAttendedBytes = 17;

// Finite weights that were trained compute finite logits of inputs up to here; where they do not, the model is at
// fault.
constexpr float kModestInput = 1e6f;

int64_t WorkRows(int64_t work) { return std::clamp<int64_t>((work + kWorkPerRow - 1) / kWorkPerRow, 1, kMaxRows); }

int64_t MatrixBytes(int64_t rows, int64_t cols) {
  return rows * PaddedStride(cols) * static_cast<int64_t>(sizeof(float));
}

// The largest absolute value of a graph's features and, if the model reads them, its edges' features.
float LargestInput(const Graph& graph, bool reads_edges) {
  float largest = 0;
  const auto look_at = [&largest](const float* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(values[i]));
  };
  for (const int32_t row : graph.RowsById()) {
    const FeatureRow features = graph.Features(row);
    look_at(features.values, features.count);
    const InEdges in = graph.In(row);
    if (reads_edges) look_at(in.features, static_cast<int64_t>(in.sources.size()) * graph.edge_feature_width());
  }
  return largest;
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

// Items [first, last) of what a task asks for, and the rows that they are decoded from: the final rows of the task's
// targets, and what the last layer read; none of both where they are precomputed.
struct GraphNetwork::Decoding {
  QueryTask* task;
  ConstMatrixView final_rows;
  ConstMatrixView before;
  int64_t first = 0, last = 0;
};

// A query, from what is asked to its answer. Start has checked it; the first step finds the neighborhood, so that only
// tasks which were admitted hold one.
class GraphNetwork::QueryTask : public GraphQueryTask {
 public:
  QueryTask(const GraphNetwork& network, GraphQuery graph_query) : query(std::move(graph_query)), network_(network) {}

  int64_t next_rows() const override { return WorkRows(work_); }
  int64_t peak_bytes() const override { return peak_bytes_; }
  int64_t answer_bytes() const override { return answer_bytes_; }
  bool has_output() const override { return finished(); }
  const GraphAnswer& answer() const override { return result; }

  bool precomputed() const { return query.outputs != nullptr; }
  bool large() const { return work_ > kBlockEdges; }
  bool begun() const { return begun_; }
  // Nodes that layer `layer` reads; that of the layer behind the last one: targets.
  int64_t NodesOf(int layer) const { return hood.within[static_cast<size_t>(network_.hops_from(layer))]; }
  // How many items are asked for.
  int64_t items() const {
    if (network_.config_.task == GraphTaskKind::kGraph) return 1;
    return static_cast<int64_t>(asked.size()) / (network_.config_.task == GraphTaskKind::kEdge ? 2 : 1);
  }

  // Reserves for what FindNeighborhood may find and the answer may hold. `rows`: what is asked, unless it is all.
  void Reserve(absl::Span<const int32_t> rows) {
    const Graph& graph = *query.graph;
    const bool edge_task = network_.config_.task == GraphTaskKind::kEdge;
    const bool whole = query.all || network_.NeedsAllRows();
    NeighborhoodBound bound = {graph.nodes(), graph.edges()};
    if (!whole && !precomputed()) bound = BoundNeighborhood(graph, rows, network_.hops_from(0));
    int64_t asked_for = static_cast<int64_t>(rows.size()) / (edge_task ? 2 : 1);
    if (query.all) asked_for = edge_task ? graph.edges() : graph.nodes();
    if (network_.config_.task == GraphTaskKind::kGraph) asked_for = 1;
    const int64_t reached = whole ? graph.nodes() : static_cast<int64_t>(rows.size());
    if (precomputed()) bound = {};
    work_ = network_.Work(bound.nodes, bound.edges, graph, asked_for);
    if (precomputed() && network_.config_.task == GraphTaskKind::kGraph) work_ += reached;

    answer_bytes_ = asked_for * (kAskedBytes + 4 * int64_t{network_.head_.classes()});
    if (query.return_embeddings) answer_bytes_ += asked_for * 4 * network_.layers_.back().in();

    // Vectors that grow may take twice what they hold.
    peak_bytes_ = 2 * (bound.nodes * 24 + bound.edges * (4 + 4 * network_.config_.edge_dim)) + reached * 8 +
                  asked_for * (32 + 12 * int64_t{network_.head_.classes()});
    if (query.return_embeddings) peak_bytes_ += 2 * asked_for * 8 * network_.max_embedding_width();
    for (const GraphLayer& layer : network_.layers_) {
      peak_bytes_ +=
          MatrixBytes(bound.nodes, layer.table_width()) + MatrixBytes(bound.nodes, layer.out()) + bound.nodes * 8;
      if (query.return_attention && !layer.linear()) {
        peak_bytes_ += (bound.nodes + bound.edges) * 2 * (18 + 8 * layer.heads());
      }
    }
    if (network_.jumps()) peak_bytes_ += MatrixBytes(reached, network_.final_width());
    if (network_.config_.task == GraphTaskKind::kGraph) peak_bytes_ += MatrixBytes(reached, 3 * network_.head_.in());
  }

  void Begin() {
    begun_ = true;
    const Graph& graph = *query.graph;
    result.precomputed = precomputed();
    if (query.all || network_.NeedsAllRows()) Widen();
    if (!precomputed()) {
      NeighborhoodOptions options = network_.HoodOptions(graph, network_.hops_from(0));
      options.fan_out = query.fan_out;
      options.seed = query.seed;
      hood = FindNeighborhood(graph, targets, options);
      result.nodes_computed = hood.nodes();
      for (int l = 0; l < network_.layer_count(); ++l) {
        if (network_.layers_[static_cast<size_t>(l)].linear()) continue;
        result.edges_computed += hood.offsets[static_cast<size_t>(NodesOf(l + 1))];
      }
      work_ = network_.Work(hood.nodes(), hood.edges(), graph, items());
      if (query.return_attention) {
        for (const GraphLayer& layer : network_.layers_) {
          answer_bytes_ += (hood.nodes() + hood.edges()) * (kAttendedBytes + 4 * layer.heads());
        }
      }
    }
  }

  // Large: one block, of one layer or of the head.
  void Advance(Context& context) {
    if (!precomputed() && layer_ < network_.layer_count()) {
      AdvanceLayer(context);
      return;
    }
    const int64_t per_item = std::max<int64_t>(1, network_.head_.weights());
    const int64_t count = std::clamp<int64_t>(kBlockMultiplyAdds / per_item, 256, kBlockEdges);
    const int64_t last = std::min(items(), decoded_ + count);
    const ConstMatrixView final_rows = network_.jumps() ? jumped_.view() : rows_.view();
    const Decoding decoding = {this, final_rows, before_.view(), decoded_, last};
    network_.Decode(absl::MakeConstSpan(&decoding, 1), context);
    decoded_ = last;
    if (decoded_ == items()) network_.FinishAnswer(*this);
  }

  // A target's final row, and the row that the last layer read. `room` [final_width]: where a row is put that has to be
  // put together.
  const float* FinalRow(const Decoding& decoding, int64_t place, float* room) const {
    if (!precomputed()) return decoding.final_rows.row(place);
    if (!network_.jumps()) return OutputRow(network_.layer_count() - 1, place);
    for (int l = 0; l < network_.layer_count(); ++l) network_.Collect(l, OutputRow(l, place), room);
    return room;
  }
  const float* RowBefore(const Decoding& decoding, int64_t place) const {
    return precomputed() ? OutputRow(network_.layer_count() - 2, place) : decoding.before.row(place);
  }

  using Task::Finish;

  const GraphQuery query;
  std::vector<int32_t> targets;  // rows of the graph: each node that was asked for, once
  std::vector<int64_t> asked;    // node task: places in `targets`; edge task: of source and target in turn
  Neighborhood hood;             // of the targets; none if their outputs are precomputed
  GraphAnswer result;

 private:
  const float* OutputRow(int layer, int64_t place) const {
    return static_cast<const LayerOutputs&>(*query.outputs).Row(layer, targets[static_cast<size_t>(place)]);
  }

  // Every node becomes a target; `asked` follows. Ascending by id, as sums over a whole graph are taken.
  void Widen() {
    const Graph& graph = *query.graph;
    std::vector<int32_t> all = graph.RowsById();
    std::vector<int64_t> place_of(static_cast<size_t>(graph.rows()));
    for (size_t i = 0; i < all.size(); ++i) place_of[static_cast<size_t>(all[i])] = static_cast<int64_t>(i);
    for (int64_t& place : asked) place = place_of[static_cast<size_t>(targets[static_cast<size_t>(place)])];
    targets = std::move(all);
    if (!query.all) return;
    if (network_.config_.task == GraphTaskKind::kNode) {
      for (size_t i = 0; i < targets.size(); ++i) {
        asked.push_back(static_cast<int64_t>(i));
        result.nodes.push_back(graph.Id(targets[i]));
      }
    } else if (network_.config_.task == GraphTaskKind::kEdge) {
      for (const int32_t source : targets) {
        for (const int32_t target : graph.Out(source)) {
          asked.push_back(place_of[static_cast<size_t>(source)]);
          asked.push_back(place_of[static_cast<size_t>(target)]);
          result.edges.emplace_back(graph.Id(source), graph.Id(target));
        }
      }
    }
  }

  void AdvanceLayer(Context& context) {
    if (!run_) {
      run_.emplace(network_.layers_[static_cast<size_t>(layer_)], *query.graph, hood, NodesOf(layer_),
                   NodesOf(layer_ + 1), std::move(rows_), query.return_attention);
    }
    if (!run_->Advance(context)) return;
    const bool linear = network_.layers_[static_cast<size_t>(layer_)].linear();
    if (query.return_attention && !linear) run_->AppendAttention(result);
    rows_ = run_->TakeOut();
    run_.reset();
    if (network_.jumps()) {
      const int64_t count = NodesOf(network_.layer_count());
      if (jumped_.rows() < count) jumped_ = Matrix::Uninitialized(count, network_.final_width());
      for (int64_t i = 0; i < count; ++i) network_.Collect(layer_, rows_.row(i), jumped_.row(i));
    }
    ++layer_;
    if (query.return_embeddings && layer_ == network_.layer_count() - 1) {
      before_ = Matrix::Uninitialized(NodesOf(network_.layer_count()), rows_.cols());
      for (int64_t i = 0; i < before_.rows(); ++i) std::copy(rows_.row(i), rows_.row(i) + rows_.cols(), before_.row(i));
    }
  }

  const GraphNetwork& network_;
  int64_t work_ = 0;  // in edges
  int64_t peak_bytes_ = 0;
  int64_t answer_bytes_ = 0;
  bool begun_ = false;
  // Of a large query.
  int layer_ = 0;
  std::optional<GraphLayerRun> run_;
  Matrix rows_;    // of the layer before
  Matrix before_;  // what the last layer read, of the targets
  Matrix jumped_;  // jumping knowledge: the targets' final rows, as far as the layers have run
  int64_t decoded_ = 0;
};

// Outputs of all layers, or of what a change reaches.
class GraphNetwork::OutputsTask : public PrecomputeTask {
 public:
  OutputsTask(const GraphNetwork& network, std::shared_ptr<const Graph> graph, const LayerOutputs* previous,
              const GraphChange& change)
      : network_(network), graph_(std::move(graph)) {
    if (previous != nullptr) {
      outputs_ = std::make_shared<LayerOutputs>(*previous);
      const std::vector<int32_t>* changed = &change.features;
      for (int l = 0; l < network.layer_count(); ++l) {
        targets_.push_back(Reached(change, *changed, network.layers_[static_cast<size_t>(l)].linear()));
        changed = &targets_.back();
      }
    } else {
      std::vector<int64_t> widths;
      for (const GraphLayer& layer : network.layers_) widths.push_back(layer.out());
      outputs_ = std::make_shared<LayerOutputs>(network.identity_, std::move(widths));
      targets_.assign(network.layers_.size(), graph_->RowsById());
    }
    // Pages of outputs that may be made again, and the largest layer's table, input, output and neighborhood.
    int64_t largest = 0;
    for (size_t l = 0; l < targets_.size(); ++l) {
      const GraphLayer& layer = network.layers_[l];
      const int64_t targets = static_cast<int64_t>(targets_[l].size());
      int64_t edges = 0;
      if (!layer.linear()) {
        for (const int32_t row : targets_[l]) edges += static_cast<int64_t>(graph_->In(row).sources.size());
      }
      const int64_t nodes = std::min(graph_->nodes(), targets + edges);
      const int64_t pages = std::min(targets, graph_->rows() / Graph::kPageRows + 1);
      peak_bytes_ += MatrixBytes(pages * Graph::kPageRows, layer.out()) + targets * 4;
      largest = std::max(largest, MatrixBytes(nodes, layer.table_width()) + MatrixBytes(nodes, layer.in()) +
                                      MatrixBytes(targets, layer.out()) +
                                      2 * (nodes * 24 + edges * (4 + 4 * network.config_.edge_dim)));
    }
    peak_bytes_ += largest;
  }

  int64_t next_rows() const override { return kMaxRows; }
  int64_t peak_bytes() const override { return peak_bytes_; }
  bool has_output() const override { return finished(); }
  std::shared_ptr<const GraphOutputs> outputs() const override { return outputs_; }

  void Advance(Context& context) {
    if (!run_) Begin();
    if (!run_->Advance(context)) return;
    outputs_->Set(layer_, targets_[static_cast<size_t>(layer_)], run_->TakeOut().view());
    run_.reset();
    if (++layer_ == network_.layer_count()) Finish();
  }

 private:
  // The rows whose output of a layer the change can reach, `inputs` being those whose input changed: these, and of a
  // convolution their targets and those whose in-edges changed.
  std::vector<int32_t> Reached(const GraphChange& change, const std::vector<int32_t>& inputs, bool linear) const {
    std::vector<int32_t> reached = linear ? inputs : change.in_edges;
    const auto add = [&](const std::vector<int32_t>& rows) {
      if (linear) return;
      for (const int32_t row : rows) {
        reached.push_back(row);
        const absl::Span<const int32_t> out = graph_->Out(row);
        reached.insert(reached.end(), out.begin(), out.end());
      }
    };
    add(inputs);
    // GCN: a node's degree is a factor of what it gives to others.
    if (network_.config_.convolution == GraphConvolution::kGcn) add(change.in_edges);
    std::sort(reached.begin(), reached.end());
    reached.erase(std::unique(reached.begin(), reached.end()), reached.end());
    return reached;
  }

  void Begin() {
    const std::vector<int32_t>& targets = targets_[static_cast<size_t>(layer_)];
    const GraphLayer& layer = network_.layers_[static_cast<size_t>(layer_)];
    hood_ = FindNeighborhood(*graph_, targets, network_.HoodOptions(*graph_, layer.linear() ? 0 : 1));
    Matrix input;
    if (layer_ > 0) {
      input = Matrix::Uninitialized(hood_.nodes(), layer.in());
      for (int64_t i = 0; i < hood_.nodes(); ++i) {
        const float* row = outputs_->Row(layer_ - 1, hood_.rows[static_cast<size_t>(i)]);
        std::copy(row, row + layer.in(), input.row(i));
      }
    }
    run_.emplace(layer, *graph_, hood_, hood_.nodes(), static_cast<int64_t>(targets.size()), std::move(input), false);
  }

  const GraphNetwork& network_;
  const std::shared_ptr<const Graph> graph_;
  std::shared_ptr<LayerOutputs> outputs_;
  std::vector<std::vector<int32_t>> targets_;  // of each layer: the rows to compute
  int64_t peak_bytes_ = 0;
  int layer_ = 0;
  Neighborhood hood_;
  std::optional<GraphLayerRun> run_;
};

absl::Status GraphNetwork::CheckGraph(const Graph& graph) const {
  if (graph.feature_width() != config_.in_channels && graph.nodes() > 0) {
    return InvalidField("features", "width ", graph.feature_width(), ", but model \"", spec_.name, "\" takes ",
                        config_.in_channels);
  }
  const int64_t width = graph.edge_feature_width();
  // The edges of a GCN weigh 1 if they have no weights.
  const bool optional = config_.convolution == GraphConvolution::kGcn && width == 0;
  if (config_.edge_dim > 0 && width != config_.edge_dim && graph.edges() > 0 && !optional) {
    return InvalidField("edge_features", "width ", width, width == 0 ? " (none)" : "", ", but model \"", spec_.name,
                        "\" takes ", config_.edge_dim, " for each edge (edge_attr)");
  }
  return absl::OkStatus();
}

absl::Status GraphNetwork::CheckNothingIgnored(const GraphQuery& query) const {
  const int64_t width = query.graph->edge_feature_width();
  if (config_.edge_dim > 0 || width == 0 || query.graph->edges() == 0 || query.ignore_edge_features) {
    return absl::OkStatus();
  }
  const absl::string_view weights = config_.convolution == GraphConvolution::kGcn && width == 1
                                        ? "; if they are weights, convert the model with --edge-weights"
                                        : "";
  return InvalidField("edge_features", "width ", width, ", but model \"", spec_.name,
                      "\" takes none (edge_dim 0): send the graph without edge_attr, or set ignore_edge_features",
                      weights);
}

absl::Status GraphNetwork::CannotDo(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(
      "model \"", spec_.name, "\" normalizes over the whole graph, so that every node's answer depends on ",
      "every other node: it cannot ", what));
}

NeighborhoodOptions GraphNetwork::HoodOptions(const Graph& graph, int hops) const {
  NeighborhoodOptions options;
  options.hops = hops;
  options.edge_features = config_.edge_dim > 0;
  options.in_weights = config_.convolution == GraphConvolution::kGcn;
  options.edge_weights = options.in_weights && config_.edge_dim > 0 && graph.edge_feature_width() > 0;
  return options;
}

void GraphNetwork::Collect(int layer, const float* row, float* final_row) const {
  const GraphLayer& from = layers_[static_cast<size_t>(layer)];
  if (from.linear()) return;
  const int64_t column = columns_[static_cast<size_t>(layer)];
  if (config_.jumping_knowledge == JumpingKnowledge::kCat || column == 0) {
    std::copy(row, row + from.out(), final_row + (config_.jumping_knowledge == JumpingKnowledge::kCat ? column : 0));
    return;
  }
  for (int64_t c = 0; c < from.out(); ++c) {
    if (row[c] > final_row[c] || std::isnan(row[c])) final_row[c] = row[c];
  }
}

int64_t GraphNetwork::Work(int64_t nodes, int64_t edges, const Graph& graph, int64_t items) const {
  int64_t multiply_adds = items * head_.weights();
  for (size_t l = 0; l < layers_.size(); ++l) {
    const int64_t values = l > 0 ? layers_[l].in() : graph.feature_values() / std::max<int64_t>(1, graph.nodes());
    multiply_adds += nodes * values * layers_[l].table_width();
  }
  return nodes + hops_from(0) * (nodes + edges) + items + multiply_adds / kMultiplyAddsPerEdge;
}

absl::StatusOr<std::unique_ptr<GraphQueryTask>> GraphNetwork::Start(GraphQuery given) const {
  const Graph& graph = *given.graph;
  HEED_RETURN_IF_ERROR(CheckGraph(graph));
  HEED_RETURN_IF_ERROR(CheckNothingIgnored(given));
  if (given.fan_out && *given.fan_out < 1) {
    return InvalidField("options.fan_out", *given.fan_out, ", must be at least 1");
  }
  const bool whole = config_.NeedsWholeGraph();
  if (whole && given.has_unseen) return CannotDo("answer about nodes that the graph does not hold");
  if (whole && given.stored && !given.all && config_.task != GraphTaskKind::kGraph) {
    return CannotDo("compute the neighborhood of some nodes alone; ask about all");
  }
  if (given.outputs != nullptr) {
    const auto* outputs = dynamic_cast<const LayerOutputs*>(given.outputs.get());
    if (outputs == nullptr || outputs->model() != identity_.get()) {
      return absl::InternalError(absl::StrCat("model \"", spec_.name, "\" was given another model's outputs"));
    }
    if (given.fan_out || given.return_attention || given.has_unseen) {
      return absl::InternalError("precomputed outputs tell nothing of a fan-out, attention or unseen nodes");
    }
  }
  auto task = std::make_unique<QueryTask>(*this, std::move(given));
  const GraphQuery& query = task->query;
  std::vector<int32_t> rows;  // of what is asked, unless it is all
  if (!query.all && config_.task == GraphTaskKind::kNode) {
    for (size_t i = 0; i < query.nodes.size(); ++i) {
      const std::optional<int32_t> row = graph.Row(query.nodes[i]);
      if (!row) {
        return InvalidField(absl::StrCat("nodes[", i, "]"), query.nodes[i], " is not among the graph's ", graph.nodes(),
                            " nodes");
      }
      rows.push_back(*row);
    }
    task->result.nodes = query.nodes;
  } else if (!query.all && config_.task == GraphTaskKind::kEdge) {
    for (size_t i = 0; i < query.edges.size(); ++i) {
      for (const int64_t id : {query.edges[i].first, query.edges[i].second}) {
        const std::optional<int32_t> row = graph.Row(id);
        if (!row) {
          return InvalidField(absl::StrCat("edges[", i, "]"), query.edges[i].first, " -> ", query.edges[i].second,
                              ", but ", id, " is not among the graph's ", graph.nodes(), " nodes");
        }
        rows.push_back(*row);
      }
    }
    task->result.edges = query.edges;
  }
  AskedRows distinct = Distinct(rows);
  task->targets = std::move(distinct.rows);
  task->asked = std::move(distinct.places);
  task->Reserve(rows);
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
      continue;
    }
    if (!query->begun()) query->Begin();
    if (query->large()) {
      query->Advance(context);
    } else {
      together.push_back(query);
    }
  }
  if (!together.empty()) RunTogether(together, context);
}

void GraphNetwork::AggregateTogether(const GraphLayer& layer, absl::Span<QueryTask* const> tasks, MatrixView table,
                                     const std::vector<int64_t>& first, MatrixView out,
                                     const std::vector<int64_t>& next_first, Context& context) const {
  const size_t count = tasks.size();
  std::vector<GraphAggregation> passes;
  std::vector<AggregationRange> ranges;
  std::vector<AttentionCoefficients> coefficients(count);
  std::vector<std::vector<float>> norms(count), loop_weights(count);
  passes.reserve(count);
  for (size_t t = 0; t < count; ++t) {
    const Neighborhood& hood = tasks[t]->hood;
    const int64_t targets = next_first[t + 1] - next_first[t];
    layer.Normalize(hood, norms[t], loop_weights[t]);
    passes.push_back(layer.Pass(hood, norms[t], loop_weights[t], out.Rows(next_first[t], targets)));
    passes.back().UseTable(table.Rows(first[t], first[t + 1] - first[t]));
    if (tasks[t]->query.return_attention) coefficients[t].Attach(passes.back());
    ranges.push_back({&passes.back(), 0, targets});
  }
  Aggregate(ranges, context, [&](int64_t, float* row) { layer.FinishRow(row); });
  for (size_t t = 0; t < count; ++t) {
    layer.FinishGraph(passes[t].out);
    if (!tasks[t]->query.return_attention) continue;
    coefficients[t].AppendTo(tasks[t]->result, *tasks[t]->query.graph, tasks[t]->hood, passes[t]);
  }
}

// The rows of tasks that are computed together, between two layers: those of task t from first[t] on.
struct GraphNetwork::TogetherRows {
  MatrixView rows;
  std::vector<int64_t> first;

  MatrixView Of(size_t task) const { return rows.Rows(first[task], first[task + 1] - first[task]); }
};

void GraphNetwork::RunTogether(absl::Span<QueryTask* const> tasks, Context& context) const {
  Arena::Scope scope(context.arena);
  std::vector<QueryTask*> computed;
  std::vector<Decoding> decodings;
  std::vector<FeatureRow> features;
  for (QueryTask* task : tasks) {
    if (task->precomputed()) {
      decodings.push_back({task, {}, {}, 0, task->items()});
      continue;
    }
    computed.push_back(task);
    features.reserve(features.size() + task->hood.rows.size());
    for (const int32_t row : task->hood.rows) features.push_back(task->query.graph->Features(row));
  }
  if (!computed.empty()) RunLayers(computed, features, decodings, context);
  Decode(decodings, context);
  for (QueryTask* task : tasks) FinishAnswer(*task);
}

void GraphNetwork::RunLayers(absl::Span<QueryTask* const> tasks, const std::vector<FeatureRow>& features,
                             std::vector<Decoding>& decodings, Context& context) const {
  const size_t count = tasks.size();
  const auto targets_of = [&](int layers) {
    std::vector<int64_t> first(count + 1);
    for (size_t t = 0; t < count; ++t) first[t + 1] = first[t] + tasks[t]->NodesOf(layers);
    return first;
  };
  TogetherRows now = {{}, targets_of(0)}, before;
  MatrixView jumped;
  if (jumps()) jumped = TakeMatrix(context.arena, targets_of(layer_count()).back(), final_width());
  for (int l = 0; l < layer_count(); ++l) {
    const GraphLayer& layer = layers_[static_cast<size_t>(l)];
    TogetherRows next = {{}, targets_of(l + 1)};
    const MatrixView table = TakeMatrix(context.arena, now.first.back(), layer.table_width());
    next.rows = TakeMatrix(context.arena, next.first.back(), layer.out());
    if (l == 0) {
      layer.Project(features, table, context);
    } else {
      layer.Project(ConstMatrixView(now.rows), table, context);
    }
    if (layer.linear()) {
      layer.TakeRows(table, next.rows, 0, next.rows.rows, context);
      for (size_t t = 0; t < count; ++t) layer.FinishGraph(next.Of(t));
    } else {
      AggregateTogether(layer, tasks, table, now.first, next.rows, next.first, context);
      if (jumps()) CollectTogether(l, tasks, next, jumped);
    }
    before = std::move(now);
    now = std::move(next);
  }
  if (jumps()) now.rows = jumped;  // the last layer's rows are only those of the targets
  for (size_t t = 0; t < count; ++t) {
    const MatrixView last_but_one =
        before.rows.rows > 0 ? before.rows.Rows(before.first[t], now.first[t + 1] - now.first[t]) : MatrixView();
    decodings.push_back({tasks[t], now.Of(t), last_but_one, 0, tasks[t]->items()});
  }
}

void GraphNetwork::CollectTogether(int layer, absl::Span<QueryTask* const> tasks, const TogetherRows& out,
                                   MatrixView jumped) const {
  int64_t to = 0;
  for (size_t t = 0; t < tasks.size(); ++t) {
    const int64_t targets = tasks[t]->NodesOf(layer_count());
    for (int64_t i = 0; i < targets; ++i, ++to) Collect(layer, out.rows.row(out.first[t] + i), jumped.row(to));
  }
}

void GraphNetwork::Decode(absl::Span<const Decoding> decodings, Context& context) const {
  Arena::Scope scope(context.arena);
  int64_t total = 0;
  for (const Decoding& decoding : decodings) total += decoding.last - decoding.first;
  const MatrixView read = TakeMatrix(context.arena, total, head_.in());
  const MatrixView room = TakeMatrix(context.arena, 2, final_width());
  int64_t to = 0;
  for (const Decoding& decoding : decodings) {
    const QueryTask& task = *decoding.task;
    const auto row_of = [&](int64_t place, int64_t which) {
      return task.FinalRow(decoding, task.asked[static_cast<size_t>(place)], room.row(which));
    };
    for (int64_t i = decoding.first; i < decoding.last; ++i, ++to) {
      if (config_.task == GraphTaskKind::kNode) {
        const float* row = row_of(i, 0);
        std::copy(row, row + head_.in(), read.row(to));
      } else if (config_.task == GraphTaskKind::kEdge) {
        head_.CombineEnds(row_of(2 * i, 0), row_of(2 * i + 1, 1), read.row(to));
      } else if (!task.precomputed()) {
        head_.Pool(decoding.final_rows, read.row(to), context);
      } else {
        const int64_t nodes = static_cast<int64_t>(task.targets.size());
        Arena::Scope pooled(context.arena);
        const MatrixView rows = TakeMatrix(context.arena, nodes, final_width());
        for (int64_t n = 0; n < nodes; ++n) {
          const float* row = task.FinalRow(decoding, n, room.row(0));
          std::copy(row, row + final_width(), rows.row(n));
        }
        head_.Pool(rows, read.row(to), context);
      }
    }
  }
  const std::vector<float> probabilities = head_.Decode(read, context);

  to = 0;
  for (const Decoding& decoding : decodings) {
    QueryTask& task = *decoding.task;
    GraphAnswer& answer = task.result;
    const int64_t count = decoding.last - decoding.first;
    answer.classes = head_.classes();
    answer.probabilities.insert(answer.probabilities.end(), probabilities.begin() + to * head_.classes(),
                                probabilities.begin() + (to + count) * head_.classes());
    if (task.query.return_embeddings) AppendEmbeddings(decoding, read.Rows(to, count), room.row(0));
    to += count;
  }
}

void GraphNetwork::AppendEmbeddings(const Decoding& decoding, ConstMatrixView read, float* room) const {
  const QueryTask& task = *decoding.task;
  GraphAnswer& answer = decoding.task->result;
  const auto append = [&](const float* row, int64_t width) {
    answer.embeddings.insert(answer.embeddings.end(), row, row + width);
  };
  const int64_t width = final_width();
  for (int64_t i = decoding.first; i < decoding.last; ++i) {
    const auto place = [&](int64_t n) { return task.asked[static_cast<size_t>(n)]; };
    if (config_.task == GraphTaskKind::kGraph) {
      answer.embedding_width = static_cast<int>(head_.in());
      append(read.row(i - decoding.first), head_.in());
    } else if (config_.task == GraphTaskKind::kEdge) {
      answer.embedding_width = static_cast<int>(2 * width);
      append(task.FinalRow(decoding, place(2 * i), room), width);
      append(task.FinalRow(decoding, place(2 * i + 1), room), width);
    } else if (head_.has_mlp() || layer_count() == 1) {  // what the last linear map reads
      answer.embedding_width = static_cast<int>(width);
      append(task.FinalRow(decoding, place(i), room), width);
    } else {
      answer.embedding_width = static_cast<int>(layers_.back().in());
      append(task.RowBefore(decoding, place(i)), layers_.back().in());
    }
  }
}

void GraphNetwork::FinishAnswer(QueryTask& task) const {
  const std::vector<float>& probabilities = task.result.probabilities;
  const auto bad = std::find_if(probabilities.begin(), probabilities.end(),
                                [](float probability) { return std::isnan(probability); });
  if (bad == probabilities.end()) {
    task.Finish();
    return;
  }
  const int64_t item = (bad - probabilities.begin()) / head_.classes();
  const std::string what =
      absl::StrCat("model \"", spec_.name, "\": the logits of item ", item, " of what was asked are not finite");
  const float largest = LargestInput(*task.query.graph, config_.edge_dim > 0);
  if (largest > kModestInput) {
    task.Finish(absl::InvalidArgumentError(
        absl::StrCat(what, ": features or edge weights of up to ", largest, " are beyond what it computes with")));
  } else {
    task.Finish(absl::InternalError(
        absl::StrCat(what, ", though no feature or edge weight is beyond ", largest, ": its weights are too large")));
  }
}

absl::StatusOr<int64_t> GraphNetwork::PlanLayers(int64_t last_width) {
  hops_from_.assign(layers_.size() + 1, 0);
  for (size_t l = layers_.size(); l-- > 0;) hops_from_[l] = hops_from_[l + 1] + (layers_[l].linear() ? 0 : 1);
  int64_t side_by_side = 0;
  for (size_t l = 0; l < layers_.size(); ++l) {
    columns_.push_back(side_by_side);
    if (layers_[l].linear()) continue;
    side_by_side += layers_[l].out();
    if (config_.jumping_knowledge == JumpingKnowledge::kMax && layers_[l].out() != last_width) {
      return absl::InvalidArgumentError(absl::StrCat(config_.path, ": jumping_knowledge is \"max\", but layer ",
                                                     config_.layers[l].name, " is ", layers_[l].out(),
                                                     " wide and layer ", config_.layers.back().name, " ", last_width));
    }
  }
  return config_.jumping_knowledge == JumpingKnowledge::kCat ? side_by_side : last_width;
}

absl::StatusOr<std::shared_ptr<const GraphClassifier>> LoadGraphNetwork(const std::string& directory,
                                                                        const std::string& name, Precision precision) {
  const std::filesystem::path path(directory);
  std::shared_ptr<GraphNetwork> network(new GraphNetwork);
  HEED_ASSIGN_OR_RETURN(network->config_, ReadGraphConfig((path / "config.json").string()));
  const GraphConfig& config = network->config_;
  HEED_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(directory));
  const WeightReader tensors(checkpoint);
  int64_t width = config.in_channels;
  for (const GraphLayerConfig& layer : config.layers) {
    HEED_ASSIGN_OR_RETURN(GraphLayer loaded, GraphLayer::Load(config, layer, width, network->layers_.empty(), tensors));
    width = loaded.out();
    network->layers_.push_back(std::move(loaded));
  }
  HEED_ASSIGN_OR_RETURN(width, network->PlanLayers(width));
  HEED_ASSIGN_OR_RETURN(network->head_, GraphHead::Load(config, width, tensors));
  HEED_RETURN_IF_ERROR(tensors.CheckAllRead());

  network->labels_ = config.labels;
  if (network->labels_.empty()) {
    for (int i = 0; i < network->head_.classes(); ++i) network->labels_.push_back(absl::StrCat(i));
  }
  ModelSpec& spec = network->spec_;
  spec.name = name;
  spec.architecture = config.model_type;
  NoteOnlyF32(precision, "a graph network", spec);
  network->kind_ = config.task == GraphTaskKind::kNode   ? ModelKind::kNodeClassifier
                   : config.task == GraphTaskKind::kEdge ? ModelKind::kEdgeClassifier
                                                         : ModelKind::kGraphClassifier;
  spec.weights = tensors.weights();
  spec.resident_bytes = network->head_.resident_bytes();
  for (const GraphLayer& layer : network->layers_) {
    spec.resident_bytes += layer.resident_bytes();
  }
  return network;
}

}  // namespace heed
