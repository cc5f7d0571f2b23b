// SPDX-License-Identifier: Apache-2.0
// PutGraph and UpdateGraph: a graph that comes in parts, and changes of it. Each version must be the one that its own
// arrays make, and what a model computed for it after a change must be, to the bit, what it computes for it anew.
//
// Input: a byte that says which model; then a ClassifyNodesRequest, whose queries are the changes in order: the graphs
// of the first ones are the parts, `stored.unseen` of the others the updates.
#include <cstring>
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

constexpr int64_t kMaxNodes = 1 << 14;
constexpr int kMaxSteps = 1000;

constexpr const char* kFixtures[] = {"pyg-gat", "pyg-gatv2-edge-features-mean", "pyg-gcn-edge-weights"};

std::unique_ptr<google::protobuf::Message> MessageFor(uint8_t) { return std::make_unique<v1::ClassifyNodesRequest>(); }

size_t Mutate(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateMessage(data, size, max_size, seed, MessageFor);
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

void CheckVersion(const Graph& graph) {
  const GraphArrays arrays = graph.ToArrays();
  const auto again = Graph::Build(arrays);
  HEED_FUZZ_EXPECT(again.ok(), "a version's arrays make no graph");
  const GraphArrays same = (*again)->ToArrays();
  HEED_FUZZ_EXPECT(arrays.node_ids == same.node_ids && arrays.sources == same.sources &&
                       arrays.targets == same.targets && SameBits(arrays.edge_features, same.edge_features) &&
                       SameBits(arrays.features.values, same.features.values) &&
                       arrays.features.columns == same.features.columns,
                   "a version's arrays make another graph");
  HEED_FUZZ_EXPECT(graph.nodes() == (*again)->nodes() && graph.edges() == (*again)->edges(), "a version's counts");
}

std::shared_ptr<const GraphOutputs> Precompute(const GraphClassifier& model, const std::shared_ptr<const Graph>& graph,
                                               const std::shared_ptr<const GraphOutputs>& previous,
                                               const GraphChange& change) {
  auto task = model.StartPrecompute(graph, previous, change);
  if (!task.ok()) return nullptr;
  std::vector<std::unique_ptr<PrecomputeTask>> tasks;
  tasks.push_back(*std::move(task));
  return RunTasks(model, tasks, kMaxSteps) ? tasks[0]->outputs() : nullptr;
}

// The probabilities of every node.
std::vector<float> Answer(const GraphClassifier& model, const std::shared_ptr<const Graph>& graph,
                          std::shared_ptr<const GraphOutputs> outputs) {
  GraphQuery query;
  query.graph = graph;
  query.outputs = std::move(outputs);
  query.stored = true;
  query.all = true;
  auto task = model.Start(std::move(query));
  if (!task.ok()) return {};
  std::vector<std::unique_ptr<GraphQueryTask>> tasks;
  tasks.push_back(*std::move(task));
  return RunTasks(model, tasks, kMaxSteps) ? tasks[0]->answer().probabilities : std::vector<float>();
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto& model = FixtureModel<GraphClassifier>(kFixtures[static_cast<uint8_t>(input[0]) % std::size(kFixtures)]);
  v1::ClassifyNodesRequest changes;
  if (!changes.ParseFromArray(input.data() + 1, static_cast<int>(input.size() - 1))) return;
  GraphArrays whole;
  int next = 0;
  for (; next < changes.queries_size() && !changes.queries(next).has_stored(); ++next) {
    absl::StatusOr<GraphArrays> part = ToGraphArrays(changes.queries(next).graph());
    if (!part.ok() || !AppendPart(*std::move(part), whole).ok()) return;
    HEED_FUZZ_EXPECT(CheckSizes(whole).ok(), "parts that fit make arrays that do not");
  }
  absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Build(std::move(whole), kMaxNodes);
  if (!graph.ok()) return;
  CheckVersion(**graph);
  std::shared_ptr<const GraphOutputs> outputs = Precompute(model, *graph, nullptr, {});
  for (; next < changes.queries_size(); ++next) {
    const absl::StatusOr<GraphUpdate> update = ToGraphUpdate(changes.queries(next).stored().unseen());
    if (!update.ok()) continue;
    GraphChange change;
    absl::StatusOr<std::shared_ptr<const Graph>> version = (*graph)->Apply(*update, &change, kMaxNodes);
    if (!version.ok()) continue;
    CheckVersion(**version);
    if (outputs != nullptr) outputs = Precompute(model, *version, outputs, change);
    graph = std::move(version);
    if (outputs == nullptr) continue;
    HEED_FUZZ_EXPECT(SameBits(Answer(model, *graph, outputs), Answer(model, *graph, nullptr)),
                     "what was computed after a change is not what is computed anew");
  }
}

}  // namespace

HEED_FUZZ_TARGET(graph_changes, Run, Mutate)

}  // namespace heed
