// SPDX-License-Identifier: Apache-2.0
// ClassifyNodes, ClassifyEdges and ClassifyGraphs: a request's messages converted, started and run as the service does.
//
// Input: a byte that says which model, and so which request; then its bytes.
#include <memory>
#include <string>
#include <utility>

#include "engine/graph/graph.h"
#include "heed/v1/graphs.pb.h"
#include "models/kinds/graph_classifier.h"
#include "server/messages/graph_messages.h"
#include "tests/fuzz/fixture_models.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_mutator.h"

namespace heed {
namespace {

constexpr int64_t kMaxNodes = 1 << 16;
constexpr int kMaxSteps = 1000;

// By the request that they answer: nodes, edges, graphs.
constexpr const char* kFixtures[][3] = {
    {"pyg-gat", "pyg-gatv2-edge-features-mean", "pyg-gcn-edge-weights"},
    {"pyg-edge-dot", "pyg-edge-mlp-concat", "pyg-edge-mlp-product"},
    {"pyg-pool-attention", "pyg-pool-max", "pyg-pool-norm-graph"},
};

std::unique_ptr<google::protobuf::Message> MessageFor(uint8_t selector) {
  if (selector % 3 == 0) return std::make_unique<v1::ClassifyNodesRequest>();
  if (selector % 3 == 1) return std::make_unique<v1::ClassifyEdgesRequest>();
  return std::make_unique<v1::ClassifyGraphsRequest>();
}

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateMessage(data, size, max_size, seed, MessageFor);
}

// A graph as the server might keep it, for queries about a stored one.
std::shared_ptr<const Graph> StoredFor(const GraphClassifier& model) {
  constexpr int64_t kNodes = 5;
  GraphArrays arrays;
  arrays.features.rows = kNodes;
  arrays.features.width = model.feature_width();
  for (int64_t i = 0; i < kNodes * model.feature_width(); ++i) {
    arrays.features.values.push_back(static_cast<float>(i % 7) / 4 - 0.5f);
  }
  arrays.sources = {0, 1, 2, 3, 0, 0};
  arrays.targets = {1, 2, 0, 3, 1, 4};
  arrays.edge_feature_width = model.edge_feature_width();
  arrays.edge_features.assign(arrays.sources.size() * static_cast<size_t>(model.edge_feature_width()), 0.5f);
  auto graph = Graph::Build(std::move(arrays));
  HEED_FUZZ_EXPECT(graph.ok(), "the stored graph");
  return *graph;
}

template <typename Request, typename Response>
void RunRequest(absl::string_view bytes, const GraphClassifier& model) {
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const absl::StatusOr<int> top_k = ToTopK(request.options());
  if (!top_k.ok()) return;
  std::vector<std::unique_ptr<GraphQueryTask>> tasks;
  for (const typename Request::Query& from : request.queries()) {
    GraphQuery query;
    if (!SetOptions(request.options(), query).ok()) return;
    if (from.has_graph()) {
      absl::StatusOr<GraphArrays> arrays = ToGraphArrays(from.graph());
      if (!arrays.ok()) return;
      absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Build(*std::move(arrays), kMaxNodes);
      if (!graph.ok()) return;
      query.graph = *std::move(graph);
    } else if (from.has_stored()) {
      query.stored = true;
      query.graph = StoredFor(model);
      if (!IsEmpty(from.stored().unseen())) {
        const absl::StatusOr<GraphUpdate> unseen = ToGraphUpdate(from.stored().unseen());
        if (!unseen.ok()) return;
        absl::StatusOr<std::shared_ptr<const Graph>> graph = query.graph->Apply(*unseen, nullptr, kMaxNodes);
        if (!graph.ok()) return;
        query.graph = *std::move(graph);
        query.has_unseen = true;
      }
    } else {
      return;
    }
    Ask(from, query.graph->nodes(), query);
    absl::StatusOr<std::unique_ptr<GraphQueryTask>> task = model.Start(std::move(query));
    if (!task.ok()) return;
    tasks.push_back(*std::move(task));
  }
  if (!RunTasks(model, tasks, kMaxSteps)) return;
  Response response;
  for (const auto& task : tasks) {
    const GraphAnswer& answer = task->answer();
    auto& to = *response.add_answers();
    FillAsked(answer, model, *top_k, to);
    *to.mutable_source() = ToSource(answer, 0);
    *to.mutable_attention() = ToProto(answer.attention);
  }
  response.ByteSizeLong();
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto selector = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  const auto& model = FixtureModel<GraphClassifier>(kFixtures[selector % 3][selector / 3 % 3]);
  if (selector % 3 == 0) {
    RunRequest<v1::ClassifyNodesRequest, v1::ClassifyNodesResponse>(input, model);
  } else if (selector % 3 == 1) {
    RunRequest<v1::ClassifyEdgesRequest, v1::ClassifyEdgesResponse>(input, model);
  } else {
    RunRequest<v1::ClassifyGraphsRequest, v1::ClassifyGraphsResponse>(input, model);
  }
}

}  // namespace

HEED_FUZZ_TARGET(graph_request, Run, Mutate)

}  // namespace heed
