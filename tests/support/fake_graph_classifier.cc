// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_graph_classifier.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

constexpr float kSure = 0.75f;

// The number of in-edges of each row, of one version of a graph.
class FakeOutputs : public GraphOutputs {
 public:
  FakeOutputs(std::shared_ptr<const Graph> graph, std::vector<int64_t> counts, int64_t computed,
              std::function<void()> on_gone)
      : graph_(std::move(graph)), counts_(std::move(counts)), computed_(computed), on_gone_(std::move(on_gone)) {}
  ~FakeOutputs() override {
    if (on_gone_) on_gone_();
  }
  int64_t bytes() const override { return static_cast<int64_t>(counts_.size() * sizeof(int64_t)); }
  int64_t rows_computed() const override { return computed_; }
  const std::shared_ptr<const Graph>& graph() const { return graph_; }
  const std::vector<int64_t>& counts() const { return counts_; }

 private:
  const std::shared_ptr<const Graph> graph_;
  const std::vector<int64_t> counts_;
  const int64_t computed_;
  const std::function<void()> on_gone_;
};

// What Step knows of its tasks.
class Advancing {
 public:
  virtual ~Advancing() = default;
  virtual void Advance(const absl::Status& precompute_error, const std::function<void()>& on_outputs_gone) = 0;
};

int64_t InEdgeCount(const Graph& graph, int32_t row) { return static_cast<int64_t>(graph.In(row).sources.size()); }

class FakeQueryTask : public GraphQueryTask, public Advancing {
 public:
  FakeQueryTask(GraphQuery query, ModelKind kind, int classes)
      : query_(std::move(query)), kind_(kind), classes_(classes) {}

  int64_t next_rows() const override { return 1; }
  int64_t peak_bytes() const override { return 1; }
  bool has_output() const override { return finished(); }
  const GraphAnswer& answer() const override { return answer_; }

  void Advance(const absl::Status&, const std::function<void()>&) override {
    const Graph& graph = *query_.graph;
    outputs_ = static_cast<const FakeOutputs*>(query_.outputs.get());
    if (outputs_ != nullptr && outputs_->graph() != query_.graph) {
      return Finish(absl::InternalError("the outputs are of another version"));
    }
    answer_.classes = classes_;
    answer_.precomputed = outputs_ != nullptr;
    if (kind_ == ModelKind::kNodeClassifier) {
      answer_.nodes = query_.nodes;
      if (query_.all) {
        for (const int32_t row : graph.RowsById()) answer_.nodes.push_back(graph.Id(row));
      }
      for (const int64_t node : answer_.nodes) Answer({Count(node)});
    } else if (kind_ == ModelKind::kEdgeClassifier) {
      answer_.edges = query_.edges;
      if (query_.all) {
        for (const int32_t row : graph.RowsById()) {
          for (const int32_t target : graph.Out(row)) answer_.edges.emplace_back(graph.Id(row), graph.Id(target));
        }
      }
      for (const auto& [source, target] : answer_.edges) {
        Answer({Count(source), Count(target)});
      }
    } else {
      Answer({graph.edges()});
    }
    if (query_.return_attention) Attend();
    Finish();
  }

 private:
  int64_t Count(int64_t id) {
    const int32_t row = *query_.graph->Row(id);
    if (outputs_ != nullptr) return outputs_->counts()[static_cast<size_t>(row)];
    int64_t count = InEdgeCount(*query_.graph, row);
    if (query_.fan_out) count = std::min<int64_t>(count, *query_.fan_out);
    answer_.nodes_computed += 1;
    answer_.edges_computed += count;
    return count;
  }
  void Answer(const std::vector<int64_t>& embedding) {
    const int64_t sum = std::accumulate(embedding.begin(), embedding.end(), int64_t{0});
    for (int i = 0; i < classes_; ++i) {
      answer_.probabilities.push_back(i == sum % classes_ ? kSure : (1 - kSure) / static_cast<float>(classes_ - 1));
    }
    if (!query_.return_embeddings) return;
    answer_.embedding_width = static_cast<int>(embedding.size());
    answer_.embeddings.insert(answer_.embeddings.end(), embedding.begin(), embedding.end());
  }
  void Attend() {
    LayerAttention& layer = answer_.attention.emplace_back();
    for (const int64_t node : answer_.nodes) {
      const absl::Span<const int32_t> sources = query_.graph->In(*query_.graph->Row(node)).sources;
      for (const int32_t source : sources) {
        layer.sources.push_back(query_.graph->Id(source));
        layer.targets.push_back(node);
        layer.self_loops.push_back(layer.sources.back() == node);
        layer.weights.push_back(1 / static_cast<float>(sources.size()));
      }
    }
  }

  const GraphQuery query_;
  const ModelKind kind_;
  const int classes_;
  const FakeOutputs* outputs_ = nullptr;
  GraphAnswer answer_;
};

class FakePrecomputeTask : public PrecomputeTask, public Advancing {
 public:
  FakePrecomputeTask(std::shared_ptr<const Graph> graph, std::shared_ptr<const GraphOutputs> previous,
                     GraphChange change)
      : graph_(std::move(graph)), previous_(std::move(previous)), change_(std::move(change)) {}

  int64_t next_rows() const override { return 256; }
  int64_t peak_bytes() const override { return 8 * graph_->rows(); }
  bool has_output() const override { return finished(); }
  std::shared_ptr<const GraphOutputs> outputs() const override { return outputs_; }

  void Advance(const absl::Status& precompute_error, const std::function<void()>& on_outputs_gone) override {
    if (!precompute_error.ok()) return Finish(precompute_error);
    std::vector<int64_t> counts;
    std::vector<int32_t> rows;
    if (previous_ != nullptr) {
      counts = static_cast<const FakeOutputs&>(*previous_).counts();
      rows = change_.in_edges;
    } else {
      rows = graph_->RowsById();
    }
    counts.resize(static_cast<size_t>(graph_->rows()));
    for (const int32_t row : rows) counts[static_cast<size_t>(row)] = InEdgeCount(*graph_, row);
    outputs_ =
        std::make_shared<FakeOutputs>(graph_, std::move(counts), static_cast<int64_t>(rows.size()), on_outputs_gone);
    Finish();
  }

 private:
  const std::shared_ptr<const Graph> graph_;
  const std::shared_ptr<const GraphOutputs> previous_;
  const GraphChange change_;
  std::shared_ptr<const GraphOutputs> outputs_;
};

}  // namespace

FakeGraphClassifier::FakeGraphClassifier(std::string name, ModelKind kind, int classes) {
  spec_.name = std::move(name);
  kind_ = kind;
  spec_.architecture = "fake-graph";
  static const char* const kNames[] = {"zero", "one", "two", "three", "four"};
  labels_.assign(kNames, kNames + classes);
}

absl::StatusOr<std::unique_ptr<GraphQueryTask>> FakeGraphClassifier::Start(GraphQuery query) const {
  if (query.graph->feature_width() != feature_width()) {
    return absl::InvalidArgumentError(
        absl::StrCat("features: width ", query.graph->feature_width(), ", the model's is ", feature_width()));
  }
  if (needs_whole_graph_ && query.has_unseen) return absl::InvalidArgumentError("unseen: the model needs all nodes");
  auto check = [&](int64_t node) {
    if (query.graph->Row(node)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("node ", node, ": is not in the graph"));
  };
  for (const int64_t node : query.nodes) {
    if (absl::Status status = check(node); !status.ok()) return status;
  }
  for (const auto& [source, target] : query.edges) {
    if (absl::Status status = check(source); !status.ok()) return status;
    if (absl::Status status = check(target); !status.ok()) return status;
  }
  return std::make_unique<FakeQueryTask>(std::move(query), kind_, static_cast<int>(labels_.size()));
}

absl::StatusOr<std::unique_ptr<PrecomputeTask>> FakeGraphClassifier::StartPrecompute(
    std::shared_ptr<const Graph> graph, std::shared_ptr<const GraphOutputs> previous, const GraphChange& change) const {
  if (graph->feature_width() != feature_width()) {
    return absl::InvalidArgumentError(
        absl::StrCat("features: width ", graph->feature_width(), ", the model's is ", feature_width()));
  }
  if (needs_whole_graph_ && previous != nullptr) return absl::InvalidArgumentError("the model needs all nodes");
  return std::make_unique<FakePrecomputeTask>(std::move(graph), std::move(previous), change);
}

void FakeGraphClassifier::Step(absl::Span<Task* const> tasks, Context&) const {
  absl::Status precompute_error;
  std::function<void()> on_outputs_gone;
  gate_.Pass();
  {
    MutexLock lock(mutex_);
    precompute_error = precompute_error_;
    on_outputs_gone = on_outputs_gone_;
  }
  for (Task* task : tasks) dynamic_cast<Advancing&>(*task).Advance(precompute_error, on_outputs_gone);
}

void FakeGraphClassifier::set_precompute_error(absl::Status error) {
  MutexLock lock(mutex_);
  precompute_error_ = std::move(error);
}

void FakeGraphClassifier::set_on_outputs_gone(std::function<void()> callback) {
  MutexLock lock(mutex_);
  on_outputs_gone_ = std::move(callback);
}

}  // namespace heed
