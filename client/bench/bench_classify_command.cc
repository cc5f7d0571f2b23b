// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/bench/bench_run.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/item_list.h"
#include "client/commands/classify_flags.h"
#include "client/lib/graph_client.h"
#include "client/lib/graph_message.h"
#include "client/lib/model_kind.h"
#include "client/lib/translation_client.h"
#include "files/graph_file.h"

namespace heed::client {
namespace {

struct BenchClassifySettings {
  ServerFlags server;
  LoadFlags load;
  GraphFlags graph;
  ComputeFlags compute;
  std::string model;
  std::optional<std::string> nodes;
  int nodes_per_request = 1;
  bool attention = false;
  bool json = false;
};

CommandHelp BenchClassifyHelp() {
  return {
      "heed bench classify --model=NAME (--graph=FILE | --stored=NAME) [flags]",
      "Measures a server under load. The model's kind decides what a request asks for: nodes, drawn at random;\n"
      "edges, with both ends drawn; or the class of a whole graph. The graphs of a file are sent one per request,\n"
      "in turn.\n"
      "In the closed loop a fixed number of requests is in progress at any time, with a row of results for each\n"
      "number. In the open loop requests arrive at random times (Poisson) at a mean rate, whether or not the server\n"
      "keeps up, and latency counts from the time when each was due. Refused requests are errors and are not\n"
      "retried. Percentiles are exact, over all requests.",
      "Exit codes:\n"
      "  0    every request was answered\n"
      "  1    some requests failed, or none was answered in time\n"
      "  2    wrong flags, a file cannot be read, or no such model or graph\n"
      "  3    no server, it went away, or no model that serves\n"
      "  130  interrupted\n"
      "\n"
      "Examples:\n"
      "  # Single nodes of a large stored graph, precomputed and computed.\n"
      "  tests/bench/make_power_law_graph.py --out=large.safetensors\n"
      "  heed graph put large --graph=large.safetensors --precompute=gat-large\n"
      "  heed bench classify --model=gat-large --stored=large --concurrency=1\n"
      "  heed bench classify --model=gat-large --stored=large --concurrency=1 --compute\n"
      "  # 64 concurrent graphs of 30 nodes.\n"
      "  tests/bench/make_power_law_graph.py --graphs=1000 --nodes=30 --edges=66 --features=11 "
      "--out=small.safetensors\n"
      "  heed bench classify --model=gat-mutag --graph=small.safetensors --concurrency=64\n"};
}

std::optional<int> ParseBenchClassifySettings(const std::vector<std::string>& arguments, Console& console,
                                              BenchClassifySettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a request. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME", "Name of the model. Required.");
  settings.graph.AddTo(flags);
  flags.AddString("nodes", &settings.nodes, "ID,ID,...|@FILE",
                  "Ids to draw from. Defaults to all nodes: 0 up to their number, or the ids in the graph file.");
  flags.AddInt("nodes_per_request", &settings.nodes_per_request, 1, 1000000,
               "Number of nodes, or edges, that a request asks about.");
  settings.load.AddTo(flags);
  flags.AddSection("Output");
  flags.AddBool("attention", &settings.attention, "Ask for the attention too.");
  flags.AddBool("json", &settings.json, "Print a JSON object for each row.");
  settings.compute.AddTo(flags);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(BenchClassifyHelp(), flags, arguments, 0, others, console)) return code;
  if (settings.model.empty()) return Fail(console, kExitUsage, "--model is needed");
  if (const absl::Status checked = settings.graph.Check(); !checked.ok()) {
    return Fail(console, kExitUsage, std::string(checked.message()));
  }
  return settings.load.Check(console);
}

// What requests are made of.
struct Material {
  std::vector<GraphArrays> graphs;  // none: a stored one
  std::vector<v1::Graph> messages;  // of `graphs`
  v1::StoredGraph stored;
  int64_t stored_nodes = 0;
  std::vector<int64_t> ids;  // to draw from; none: all nodes
  int nodes_per_request = 1;
  std::mt19937_64 random{1};  // every run draws the same nodes
};

// Puts the graph of the `number`-th request into a query of any kind.
template <typename Query>
void FillGraphOf(size_t number, const Material& material, Query& query) {
  if (material.graphs.empty()) {
    *query.mutable_stored() = material.stored;
  } else {
    *query.mutable_graph() = material.messages[number % material.messages.size()];
  }
}

// A node of that graph.
int64_t DrawNode(size_t number, Material& material) {
  static const std::vector<int64_t> kRows;
  const GraphArrays* const graph =
      material.graphs.empty() ? nullptr : &material.graphs[number % material.graphs.size()];
  const std::vector<int64_t>& ids = !material.ids.empty() ? material.ids : graph != nullptr ? graph->node_ids : kRows;
  const int64_t rows = graph != nullptr ? graph->features.rows : material.stored_nodes;
  const int64_t count = ids.empty() ? rows : static_cast<int64_t>(ids.size());
  const int64_t drawn = std::uniform_int_distribution<int64_t>(0, count - 1)(material.random);
  return ids.empty() ? drawn : ids[static_cast<size_t>(drawn)];
}

void FillQuery(size_t number, Material& material, v1::ClassifyNodesRequest::Query& query) {
  FillGraphOf(number, material, query);
  for (int i = 0; i < material.nodes_per_request; ++i) query.add_nodes(DrawNode(number, material));
}

void FillQuery(size_t number, Material& material, v1::ClassifyEdgesRequest::Query& query) {
  FillGraphOf(number, material, query);
  for (int i = 0; i < material.nodes_per_request; ++i) {
    v1::GraphEdgeId& edge = *query.add_edges();
    edge.set_source(DrawNode(number, material));
    edge.set_target(DrawNode(number, material));
  }
}

void FillQuery(size_t number, Material& material, v1::ClassifyGraphsRequest::Query& query) {
  FillGraphOf(number, material, query);
}

int64_t Items(const v1::ClassifyNodesResponse::Answer& answer) { return answer.nodes_size(); }
int64_t Items(const v1::ClassifyEdgesResponse::Answer& answer) { return answer.edges_size(); }
int64_t Items(const v1::ClassifyGraphsResponse::Answer&) { return 1; }

template <typename Request>
SendCall MakeLoad(const BenchClassifySettings& settings, const v1::GraphQueryOptions& options,
                  const std::vector<std::shared_ptr<grpc::Channel>>& channels, Material& material) {
  Request prototype;
  prototype.set_model(settings.model);
  prototype.set_model_version(settings.server.model_version);
  *prototype.mutable_options() = options;
  return SendUnaryCalls<Request>(
      channels,
      [prototype, &material](size_t number) {
        Request request = prototype;
        FillQuery(number, material, *request.add_queries());
        return request;
      },
      [](const typename UnaryCall<Request>::Response& response) {
        AnswerCounts counts;
        for (const auto& answer : response.answers()) counts.items += Items(answer);
        return counts;
      });
}

// Reads or asks for what the requests need. An exit code after a message on console.err, or none.
std::optional<int> Gather(const BenchClassifySettings& settings, const std::shared_ptr<grpc::Channel>& channel,
                          Console& console, Material& material) {
  material.nodes_per_request = settings.nodes_per_request;
  if (settings.nodes) {
    absl::StatusOr<std::vector<int64_t>> ids = ReadNodeList(*settings.nodes, console.in);
    if (!ids.ok()) return Fail(console, kExitUsage, absl::StrCat("--nodes: ", ids.status().message()));
    if (ids->empty()) return Fail(console, kExitUsage, "--nodes names no node");
    material.ids = *std::move(ids);
  }
  if (!settings.graph.stored.empty()) {
    material.stored.set_name(settings.graph.stored);
    if (settings.graph.version) material.stored.set_expected_version(*settings.graph.version);
    const GraphClient client(channel, {.deadline = std::chrono::seconds(10), .stop = console.stop});
    v1::GraphInfo graph;
    const grpc::Status status = client.Get(settings.graph.stored, graph);
    if (!status.ok()) return FailCall(console, settings.server, *channel, status);
    if (!graph.unavailable().empty()) {
      return Fail(console, kExitUnavailable,
                  absl::StrCat("graph '", settings.graph.stored, "' is unavailable: ", graph.unavailable()));
    }
    material.stored_nodes = graph.node_count();
    if (material.stored_nodes > 0) return std::nullopt;
    return Fail(console, kExitUsage, absl::StrCat("graph '", settings.graph.stored, "' has no nodes"));
  }
  absl::StatusOr<GraphFile> file = ReadGraphFile(settings.graph.graph);
  if (!file.ok()) return Fail(console, kExitUsage, std::string(file.status().message()));
  material.graphs = std::move(file->graphs);
  if (material.graphs.empty()) return Fail(console, kExitUsage, absl::StrCat(settings.graph.graph, ": has no graphs"));
  for (size_t i = 0; i < material.graphs.size(); ++i) {
    if (material.graphs[i].features.rows == 0) {
      return Fail(console, kExitUsage, absl::StrCat(settings.graph.graph, ": graph ", i, " has no nodes"));
    }
    FillGraph(material.graphs[i], material.messages.emplace_back());
  }
  return std::nullopt;
}

// The kind of the model. Empty if the server does not tell.
std::optional<int> FindKind(const BenchClassifySettings& settings, const std::shared_ptr<grpc::Channel>& channel,
                            Console& console, std::string& kind) {
  const TranslationClient client(channel, {.deadline = std::chrono::seconds(10), .stop = console.stop});
  v1::ListModelsResponse models;
  const grpc::Status listed = client.ListModels(models);
  if (!listed.ok()) return FailCall(console, settings.server, *channel, listed);
  for (const v1::ModelInfo& model : models.models()) {
    if (model.name() == settings.model) kind = KindName(model.kind());
  }
  return std::nullopt;
}

}  // namespace

int BenchClassifyCommand(const std::vector<std::string>& arguments, Console& console) {
  BenchClassifySettings settings;
  if (const auto code = ParseBenchClassifySettings(arguments, console, settings)) return *code;
  v1::GraphQueryOptions options;
  if (const absl::Status filled = settings.compute.Fill(options); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  options.set_return_attention(settings.attention);

  std::vector<std::shared_ptr<grpc::Channel>> channels;
  if (const auto code = Connect(settings.server, settings.load.connections, channels, console)) return *code;
  std::string kind;
  if (const auto code = FindKind(settings, channels[0], console, kind)) return *code;
  const bool edges = kind == "edge-classifier";
  const bool graphs = kind == "graph-classifier";
  if (!edges && !graphs) kind = "node-classifier";  // or no model for graphs, which this then says:
  std::string model;
  if (const auto code = ResolveModel(channels[0], settings.server, kind, settings.model, model, console)) {
    return *code;
  }
  Material material;
  if (const auto code = Gather(settings, channels[0], console, material)) return *code;

  const SendCall send = edges    ? MakeLoad<v1::ClassifyEdgesRequest>(settings, options, channels, material)
                        : graphs ? MakeLoad<v1::ClassifyGraphsRequest>(settings, options, channels, material)
                                 : MakeLoad<v1::ClassifyNodesRequest>(settings, options, channels, material);
  const std::string items = edges ? "edges" : graphs ? "graphs" : "nodes";
  const BenchRun run = {
      .model = settings.model,
      .asked = graphs ? "a graph per request" : absl::StrCat(settings.nodes_per_request, " ", items, " per request"),
      .input = settings.graph.stored.empty() ? absl::StrCat(material.graphs.size(), " graphs")
               : settings.compute.compute    ? absl::StrCat("stored graph ", settings.graph.stored, ", computed")
                                             : absl::StrCat("stored graph ", settings.graph.stored),
      .rates = {{"requests/s", "requests_per_second", 10, 1, [](const LoadReport& report) { return report.requests; }},
                {items + "/s", items + "_per_second", 10, 1,
                 [](const LoadReport& report) { return report.counts.items; }}},
      .latency_decimals = 2,
      .json = settings.json};
  return RunBench(run, settings.load, settings.server, channels, send, console);
}

}  // namespace heed::client
