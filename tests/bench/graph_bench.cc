// SPDX-License-Identifier: Apache-2.0
// Graph networks without a server.
//
//   graph_bench layer GRAPH_FILE [THREADS]
//   graph_bench forward GRAPH_FILE MODEL_DIR [THREADS]
//
// `layer`: the fused pass over all edges, for layers 64 wide. `forward`: a model's answer for all nodes, from the
// features on.
//
// tests/bench/make_power_law_graph.py writes large graph files; weights/recipes/from_planetoid.py writes Cora.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/graph_aggregation.h"
#include "engine/graph/neighborhood.h"
#include "engine/graph/node_projections.h"
#include "files/graph_file.h"
#include "models/architectures.h"
#include "models/kinds/graph_classifier.h"
#include "tests/bench/measure.h"

namespace heed::bench {
namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "graph_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<std::shared_ptr<const Graph>> ReadGraph(const std::string& path) {
  auto file = ReadGraphFile(path);
  if (!file.ok()) return file.status();
  return Graph::Build(std::move(file->graphs[0]));
}

void FillRandom(Matrix& matrix) {
  uint32_t state = 1;
  for (int64_t i = 0; i < matrix.rows(); ++i) {
    for (int64_t c = 0; c < matrix.cols(); ++c) {
      state = state * 1664525 + 1013904223;
      matrix.row(i)[c] = static_cast<float>(state >> 8) / (1 << 23) - 1;
    }
  }
}

int Layer(const Graph& graph, int threads) {
  const Neighborhood hood = FindNeighborhood(graph, graph.RowsById(), {});
  const int64_t nodes = hood.nodes(), edges = hood.edges() + nodes;
  std::printf("%lld nodes, %lld edges and a loop for each node, %d threads\n", static_cast<long long>(nodes),
              static_cast<long long>(hood.edges()), threads);
  struct Row {
    const char* name;
    GraphConvolution kind;
    int64_t heads, channels;
  };
  const std::vector<Row> rows = {{"gat, 8 heads of 8", GraphConvolution::kGat, 8, 8},
                                 {"gat, 1 head of 64", GraphConvolution::kGat, 1, 64},
                                 {"gat, 4 heads of 16", GraphConvolution::kGat, 4, 16},
                                 {"gatv2, 8 heads of 8", GraphConvolution::kGatv2, 8, 8},
                                 {"gatv2, 1 head of 64", GraphConvolution::kGatv2, 1, 64},
                                 {"gatv2, 4 heads of 16", GraphConvolution::kGatv2, 4, 16},
                                 {"gcn, 64", GraphConvolution::kGcn, 1, 64}};
  Context context(threads);
  std::vector<NodeProjections> projections;
  std::vector<Matrix> outs;
  std::vector<GraphAggregation> passes;
  const std::vector<float> attention(64, 0.1f), ones(static_cast<size_t>(nodes), 1.0f);
  for (const Row& row : rows) {
    GraphAggregation& pass = passes.emplace_back();
    pass.layout.kind = row.kind;
    pass.layout.heads = row.heads;
    pass.layout.channels = row.channels;
    Matrix table(nodes, pass.layout.width());
    FillRandom(table);
    projections.emplace_back(pass.layout, nodes, nodes).Put(0, table.view(), context.team);
    outs.emplace_back(nodes, pass.layout.out());
    pass.offsets = hood.offsets.data();
    pass.sources = hood.sources.data();
    pass.has_loops = hood.has_loops;
    projections.back().UseIn(pass);
    pass.out = outs.back().view();
    pass.attention = attention.data();
    pass.norm = pass.loop_weight = ones.data();
  }
  std::vector<std::function<void()>> rivals;
  for (const GraphAggregation& pass : passes) {
    rivals.push_back([&pass, &context, nodes] {
      const AggregationRange range = {&pass, 0, nodes};
      Aggregate(absl::MakeConstSpan(&range, 1), context, [](int64_t, float*) {});
    });
  }
  const std::vector<double> seconds = TakeTurns(rivals, 9, 0.2);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::printf("%-20s %8.2f ms  %7.1f M edges/s\n", rows[i].name, seconds[i] * 1e3,
                static_cast<double>(edges) / seconds[i] * 1e-6);
  }
  return 0;
}

int Forward(std::shared_ptr<const Graph> graph, const std::string& directory, int threads) {
  const auto loaded = LoadModel(directory);
  if (!loaded.ok()) return Fail(loaded.status());
  const auto model = std::dynamic_pointer_cast<const GraphClassifier>(*loaded);
  if (model == nullptr) return Fail(absl::InvalidArgumentError(directory + ": not a graph model"));
  Context context(threads);
  std::vector<double> start_seconds, step_seconds;
  for (int i = 0; i < 201; ++i) {
    const double begin = SecondsNow();
    GraphQuery query;
    query.graph = graph;
    query.all = true;
    auto task = model->Start(std::move(query));
    if (!task.ok()) return Fail(task.status());
    const double started = SecondsNow();
    Task* const only = task->get();
    while (!only->finished()) model->Step(absl::MakeConstSpan(&only, 1), context);
    if (!only->error().ok()) return Fail(only->error());
    start_seconds.push_back(started - begin);
    step_seconds.push_back(SecondsNow() - started);
    if (SecondsNow() - begin > 1 && i > 3) break;
  }
  std::printf(
      "%lld nodes, %lld edges, %lld feature values, %d threads: neighborhood %.3f ms, forward %.3f ms (medians)\n",
      static_cast<long long>(graph->nodes()), static_cast<long long>(graph->edges()),
      static_cast<long long>(graph->feature_values()), threads, Median(start_seconds) * 1e3,
      Median(step_seconds) * 1e3);
  return 0;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int threads_at = what == "forward" ? 4 : 3;
  if (argc < threads_at || (what != "layer" && what != "forward")) {
    std::fprintf(stderr,
                 "usage: graph_bench layer GRAPH_FILE [THREADS]\n"
                 "       graph_bench forward GRAPH_FILE MODEL_DIR [THREADS]\n");
    return 2;
  }
  const int threads = argc > threads_at ? std::max(1, std::atoi(argv[threads_at])) : 1;
  auto graph = heed::bench::ReadGraph(argv[2]);
  if (!graph.ok()) return heed::bench::Fail(graph.status());
  return what == "layer" ? heed::bench::Layer(**graph, threads) : heed::bench::Forward(*graph, argv[3], threads);
}
