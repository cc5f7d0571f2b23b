// SPDX-License-Identifier: Apache-2.0
#include "server/oip/graph_front.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "heed/v1/graphs.pb.h"
#include "models/kinds/graph_classifier.h"
#include "server/messages/graph_messages.h"
#include "server/messages/work_metrics.h"

namespace heed {
namespace {

class GraphFront : public InferFront {
 public:
  GraphFront(const GraphClassifier& model, const InferLimits& limits) : model_(model), limits_(limits) {}

  absl::StatusOr<Tasks> Start(const InputTensors& inputs, const InferParameters& parameters,
                              const OutputTensors& outputs, bool) override {
    GraphQuery prototype;
    HEED_RETURN_IF_ERROR(TakeParameters(parameters, prototype));
    prototype.return_embeddings = outputs.Wants("embedding");
    HEED_ASSIGN_OR_RETURN(std::vector<GraphArrays> graphs, Split(inputs));
    HEED_RETURN_IF_ERROR(CheckCount("batch", Size(graphs), limits_.start.max_tasks));
    Tasks tasks;
    for (GraphArrays& arrays : graphs) {
      const int64_t nodes = arrays.features.rows;
      GraphQuery query = prototype;
      std::vector<EdgeIds> edges;
      for (size_t i = 0; i < arrays.sources.size(); ++i) edges.emplace_back(arrays.sources[i], arrays.targets[i]);
      absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Build(std::move(arrays), limits_.max_graph_nodes);
      if (!graph.ok())
        return Renamed(graph.status(), {{"features", "inputs \"x\""}, {"edge_features", "inputs \"edge_attr\""}},
                       "inputs \"x\", \"edge_index\": ");
      query.graph = *std::move(graph);
      if (!Ask(inputs, nodes, std::move(edges), query)) continue;
      absl::StatusOr<std::unique_ptr<GraphQueryTask>> task = model_.Start(std::move(query));
      if (!task.ok()) {
        return Renamed(task.status(),
                       {{"features", "inputs \"x\""},
                        {"nodes", "inputs \"nodes\""},
                        {"edges", "inputs \"edge_label_index\""},
                        {"edge_features", "inputs \"edge_attr\""},
                        kOptionsField},
                       "inputs: ");
      }
      tasks.push_back(*std::move(task));
    }
    return tasks;
  }

  void Count(const Task& task, Metrics& metrics) const override {
    AddComputed(static_cast<const GraphQueryTask&>(task).answer(), model_.spec().name, metrics);
  }

  void Finish(absl::Span<const std::unique_ptr<Task>> tasks, OutputTensors& outputs) const override {
    const int64_t classes = Size(model_.labels());
    std::vector<float> probabilities, embeddings;
    std::vector<int64_t> indices;
    std::vector<std::string> labels;
    int64_t width = 0;
    for (const auto& task : tasks) {
      const GraphAnswer& answer = static_cast<const GraphQueryTask&>(*task).answer();
      const int64_t asked = Size(answer.probabilities) / answer.classes;
      for (int64_t i = 0; i < asked; ++i) {
        const v1::GraphClassification one = ToProto(answer, i, model_, /*top_k=*/1);
        indices.push_back(one.class_index());
        labels.push_back(one.label());
      }
      probabilities.insert(probabilities.end(), answer.probabilities.begin(), answer.probabilities.end());
      embeddings.insert(embeddings.end(), answer.embeddings.begin(), answer.embeddings.end());
      width = answer.embedding_width;
    }
    const int64_t asked = Size(indices);
    outputs.Set("probabilities", {asked, classes}, probabilities);
    outputs.Set("class", {asked}, indices);
    outputs.Set("label", {asked}, labels);
    outputs.Set("embedding", {embeddings.empty() ? 0 : asked, width}, embeddings);
  }

 private:
  // Those of the typed service that an answer in tensors can show.
  static absl::Status TakeParameters(const InferParameters& parameters, GraphQuery& query) {
    for (const auto& [name, parameter] : parameters) {
      if (name == "ignore_edge_features") {
        HEED_ASSIGN_OR_RETURN(query.ignore_edge_features, ToBool(name, parameter));
        continue;
      }
      if (name != "fan_out" && name != "seed") return UnknownParameter(name, "fan_out, seed, ignore_edge_features");
      HEED_ASSIGN_OR_RETURN(const int64_t number, ToInteger(name, parameter));
      if (name == "seed") {
        query.seed = static_cast<uint64_t>(number);
      } else if (number < 1 || number > std::numeric_limits<int>::max()) {
        return InvalidField("parameters", absl::StrCat("\"fan_out\" is ", number, ", must be from 1 to ",
                                                       std::numeric_limits<int>::max()));
      } else {
        query.fan_out = static_cast<int>(number);
      }
    }
    return absl::OkStatus();
  }

  // The request's graphs: one, or those that "batch" or "graph_ptr" makes of its rows.
  absl::StatusOr<std::vector<GraphArrays>> Split(const InputTensors& inputs) const {
    const std::vector<int64_t>& edges = inputs.integers("edge_index");
    const size_t edge_count = edges.size() / 2;
    GraphArrays whole;
    whole.features.rows = inputs.shape("x")[0];
    whole.features.width = model_.feature_width();
    whole.features.values = inputs.floats("x");
    whole.sources.assign(edges.begin(), edges.begin() + static_cast<std::ptrdiff_t>(edge_count));
    whole.targets.assign(edges.begin() + static_cast<std::ptrdiff_t>(edge_count), edges.end());
    whole.edge_feature_width = model_.edge_feature_width();
    if (inputs.Has("edge_attr")) {
      if (inputs.shape("edge_attr")[0] != static_cast<int64_t>(edge_count)) {
        return InvalidField("inputs \"edge_attr\"", "has ", inputs.shape("edge_attr")[0], " rows, but edge_index has ",
                            edge_count, " edges");
      }
      whole.edge_feature_width = inputs.shape("edge_attr")[1];
      whole.edge_features = inputs.floats("edge_attr");
    } else if (const std::optional<float> value = model_.default_edge_feature()) {
      whole.edge_features.assign(edge_count * static_cast<size_t>(whole.edge_feature_width), *value);
    }
    if (inputs.Has("batch") && inputs.Has("graph_ptr")) {
      return InvalidField("inputs \"graph_ptr\"", "is there beside \"batch\"; one of them is enough");
    }
    std::vector<int64_t> starts;
    if (inputs.Has("batch")) {
      HEED_ASSIGN_OR_RETURN(starts, StartsOfBatch(inputs.integers("batch"), whole.features.rows));
    } else if (inputs.Has("graph_ptr")) {
      HEED_ASSIGN_OR_RETURN(starts, CheckedStarts(inputs.integers("graph_ptr"), whole.features.rows));
    } else {
      std::vector<GraphArrays> graphs;
      graphs.push_back(std::move(whole));
      return graphs;
    }
    return SplitAt(whole, starts);
  }

  // The row at which each graph begins, and the number of rows.
  absl::StatusOr<std::vector<int64_t>> StartsOfBatch(const std::vector<int64_t>& batch, int64_t rows) const {
    if (Size(batch) != rows) {
      return InvalidField("inputs \"batch\"", "has ", batch.size(), " elements, but x has ", rows, " rows");
    }
    std::vector<int64_t> starts;
    for (size_t row = 0; row < batch.size(); ++row) {
      const int64_t graph = batch[row], least = row == 0 ? 0 : batch[row - 1];
      if (graph < least) {
        return InvalidField("inputs \"batch\"", "element ", row, " is ", graph, ", must be at least ", least,
                            ": ascending from 0");
      }
      if (graph >= limits_.start.max_tasks) {
        return InvalidField("inputs \"batch\"", "element ", row, " is ", graph, ", but a request has at most ",
                            limits_.start.max_tasks, " graphs");
      }
      starts.resize(static_cast<size_t>(graph) + 1, static_cast<int64_t>(row));
    }
    starts.push_back(rows);
    return starts;
  }

  absl::StatusOr<std::vector<int64_t>> CheckedStarts(const std::vector<int64_t>& starts, int64_t rows) const {
    const auto wrong = [](size_t element, int64_t is, absl::string_view must) {
      return InvalidField("inputs \"graph_ptr\"", "element ", element, " is ", is, ", must be ", must);
    };
    if (starts.empty()) return InvalidField("inputs \"graph_ptr\"", "is empty, must hold at least a 0");
    HEED_RETURN_IF_ERROR(CheckCount("graph_ptr", Size(starts), limits_.start.max_tasks + 1));
    if (starts[0] != 0) return wrong(0, starts[0], "0");
    for (size_t i = 1; i < starts.size(); ++i) {
      if (starts[i] < starts[i - 1]) return wrong(i, starts[i], absl::StrCat("at least ", starts[i - 1]));
    }
    if (starts.back() != rows) {
      return wrong(starts.size() - 1, starts.back(), absl::StrCat(rows, ", the number of rows of x"));
    }
    return starts;
  }

  static absl::StatusOr<std::vector<GraphArrays>> SplitAt(const GraphArrays& whole,
                                                          const std::vector<int64_t>& starts) {
    std::vector<GraphArrays> graphs(starts.size() - 1);
    for (size_t graph = 0; graph < graphs.size(); ++graph) {
      FeatureArrays& features = graphs[graph].features;
      features.width = whole.features.width;
      features.rows = starts[graph + 1] - starts[graph];
      const auto begin = whole.features.values.begin();
      features.values.assign(begin + starts[graph] * features.width, begin + starts[graph + 1] * features.width);
      graphs[graph].edge_feature_width = whole.edge_feature_width;
    }
    // The last graph that begins at or before the row; those before it that begin there, too, have no rows.
    const auto graph_of = [&](int64_t row) {
      return static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), row) - starts.begin() - 1);
    };
    for (size_t edge = 0; edge < whole.sources.size(); ++edge) {
      const int64_t source = whole.sources[edge], target = whole.targets[edge];
      for (const int64_t row : {source, target}) {
        if (row >= 0 && row < whole.features.rows) continue;
        return InvalidField("inputs \"edge_index\"", "edge ", edge, " names row ", row, ", but x has ",
                            whole.features.rows, " rows");
      }
      const size_t graph = graph_of(source);
      if (graph_of(target) != graph) {
        return InvalidField("inputs \"edge_index\"", "edge ", edge, " leads from graph ", graph, " to graph ",
                            graph_of(target));
      }
      GraphArrays& part = graphs[graph];
      part.sources.push_back(source - starts[graph]);
      part.targets.push_back(target - starts[graph]);
      const auto begin = whole.edge_features.begin() + static_cast<std::ptrdiff_t>(edge) * whole.edge_feature_width;
      part.edge_features.insert(part.edge_features.end(), begin, begin + whole.edge_feature_width);
    }
    return graphs;
  }

  // What is asked of the graph: all, in the request's order, or what the request names. False: nothing.
  bool Ask(const InputTensors& inputs, int64_t nodes, std::vector<EdgeIds> edges, GraphQuery& query) const {
    const ModelKind kind = model_.kind();
    if (kind == ModelKind::kNodeClassifier) {
      if (inputs.Has("nodes")) {
        query.nodes = inputs.integers("nodes");
      } else {
        for (int64_t node = 0; node < nodes; ++node) query.nodes.push_back(node);
      }
      return !query.nodes.empty();
    }
    if (kind == ModelKind::kEdgeClassifier) {
      query.edges = std::move(edges);
      if (!inputs.Has("edge_label_index")) return !query.edges.empty();
      const std::vector<int64_t>& asked = inputs.integers("edge_label_index");
      query.edges.clear();
      for (size_t i = 0; i < asked.size() / 2; ++i) query.edges.emplace_back(asked[i], asked[asked.size() / 2 + i]);
      return !query.edges.empty();
    }
    return true;
  }

  const GraphClassifier& model_;
  const InferLimits limits_;
};

}  // namespace

ModelTensors GraphTensors(const Model& any) {
  const auto& model = ModelAs<GraphClassifier>(any);
  const ModelKind kind = model.kind();
  const int64_t classes = Size(model.labels());
  ModelTensors tensors;
  tensors.inputs = {{"x", TensorType::kFp32, {kAnySize, model.feature_width()}, false, "features of each node"},
                    {"edge_index", TensorType::kInt64, {2, kAnySize}, false, "sources, then targets: rows of x"}};
  std::vector<std::string> optional;
  if (model.edge_feature_width() > 0) {
    const bool has_default = model.default_edge_feature().has_value();
    tensors.inputs.push_back({"edge_attr",
                              TensorType::kFp32,
                              {kAnySize, model.edge_feature_width()},
                              has_default,
                              has_default
                                  ? absl::StrCat("features of each edge; without: ", *model.default_edge_feature())
                                  : "features of each edge"});
  }
  absl::string_view asked = "each node";
  if (kind == ModelKind::kNodeClassifier) {
    tensors.inputs.push_back(
        {"nodes", TensorType::kInt64, {kAnySize}, true, "rows of x that are asked about; without: all"});
  } else if (kind == ModelKind::kEdgeClassifier) {
    tensors.inputs.push_back({"edge_label_index",
                              TensorType::kInt64,
                              {2, kAnySize},
                              true,
                              "pairs of rows of x that are asked about; without: the edges"});
    asked = "each edge";
  } else {
    tensors.inputs.push_back({"batch",
                              TensorType::kInt64,
                              {kAnySize},
                              true,
                              "of several graphs: for each node, ascending, the graph that it is in; a number that is "
                              "left out is a graph without nodes; without: one graph"});
    tensors.inputs.push_back({"graph_ptr",
                              TensorType::kInt64,
                              {kAnySize},
                              true,
                              "in place of batch: the row at which each graph begins, and the number of rows; also of "
                              "graphs without nodes at the end"});
    asked = "each graph";
  }
  if (model.edge_feature_width() == 0) {
    tensors.unlisted_inputs = {{"edge_attr", TensorType::kFp32, {kAnySize, kAnySize}, true, ""}};
  }
  for (const TensorSpec& input : tensors.inputs) {
    if (input.optional) optional.push_back(input.name);
  }
  tensors.outputs = {{"probabilities", TensorType::kFp32, {kAnySize, classes}, false, absl::StrCat("of ", asked)},
                     {"class", TensorType::kInt64, {kAnySize}, false, absl::StrCat("the likeliest of ", asked)},
                     {"label", TensorType::kBytes, {kAnySize}, false, "that class's name"},
                     {"embedding", TensorType::kFp32, {kAnySize, kAnySize}, true, absl::StrCat("of ", asked)}};
  tensors.properties = {{"parameters", "fan_out: integer, seed: integer, ignore_edge_features: bool"},
                        {"optional_inputs", absl::StrJoin(optional, ", ")},
                        {"labels", absl::StrJoin(model.labels(), ", ")}};
  return tensors;
}

std::unique_ptr<InferFront> MakeGraphFront(const Model& model, const InferLimits& limits) {
  return std::make_unique<GraphFront>(ModelAs<GraphClassifier>(model), limits);
}

}  // namespace heed
