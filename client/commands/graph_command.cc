// SPDX-License-Identifier: Apache-2.0
// heed graph put, update, describe and delete: the graphs that a server keeps.
#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/visible_text.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/item_list.h"
#include "client/lib/graph_client.h"
#include "client/lib/graph_message.h"
#include "client/render/classification_json.h"
#include "client/render/graph_info.h"
#include "client/render/progress_bar.h"
#include "files/graph_file.h"

namespace heed::client {
namespace {

constexpr int64_t kPartBytes = 2 << 20;

constexpr char kExitCodes[] =
    "Exit codes:\n"
    "  0    done\n"
    "  1    the server refused; a model that was asked for is not precomputed; or a described graph is unavailable\n"
    "  2    wrong flags, a file cannot be read, no such graph, or what the server calls invalid\n"
    "  3    no server, or it says that it or the graph is unavailable\n"
    "  130  interrupted\n"
    "\n"
    "Examples:\n";

GraphClient Client(const std::shared_ptr<grpc::Channel>& channel, const ServerFlags& server, const Console& console) {
  return GraphClient(channel, {.deadline = server.deadline(), .stop = console.stop});
}

// The only graph of a file.
absl::StatusOr<GraphArrays> ReadOneGraph(const std::string& path) {
  absl::StatusOr<GraphFile> file = ReadGraphFile(path);
  if (!file.ok()) return file.status();
  if (file->graphs.size() == 1) return std::move(file->graphs[0]);
  return absl::InvalidArgumentError(absl::StrCat(path, ": holds ", file->graphs.size(), " graphs, must hold 1"));
}

// Of a put or an update that the server has made.
int PrintInfo(const v1::GraphInfo& info, bool json, Console& console) {
  console.out << (json ? JsonText(GraphJson(info)) + "\n" : GraphText(info)) << std::flush;
  if (!console.out) return FailOutput(console);
  int code = kExitOk;
  for (const v1::PrecomputedGraphOutputs& precomputed : info.precomputed()) {
    if (precomputed.unavailable().empty()) continue;
    code = Fail(console, kExitFailed,
                VisibleLine(absl::StrCat(precomputed.model(), " is not precomputed: ", precomputed.unavailable())));
  }
  return code;
}

void AddExpectedVersion(FlagTable& flags, int* version) {
  flags.AddInt("expected_version", version, 0, std::numeric_limits<int>::max(),
               "Version that the graph must have. Another one is an error. 0 accepts any version.");
}

struct PutSettings {
  ServerFlags server;
  std::string graph;
  std::string precompute;
  bool json = false;
};

CommandHelp PutHelp() {
  return {"heed graph put NAME --graph=FILE [flags]",
          "Stores the graph of FILE on the server as NAME, and replaces the graph of that name if there is one. The\n"
          "graph may be of any size: it is sent in parts of 2 MiB. Prints the graph's new version.",
          absl::StrCat(kExitCodes,
                       "  heed graph put cora --graph=cora.safetensors\n"
                       "  heed graph put cora --graph=cora.safetensors --precompute=gat-cora,gcn-cora\n")};
}

struct UpdateSettings {
  ServerFlags server;
  std::string add;
  std::string change;
  std::optional<std::string> remove_nodes;
  std::optional<std::string> remove_edges;
  int expected_version = 0;
  bool json = false;
};

CommandHelp UpdateHelp() {
  return {
      "heed graph update NAME [flags]",
      "Changes a stored graph. The server makes all changes or none, in one new version, in this order: it removes\n"
      "edges, removes nodes with their edges, adds nodes, changes features, adds edges. The files are graph files\n"
      "in which node_id names the rows of x, and edge_index holds ids, also of nodes that the server already has.\n"
      "Prints the new version.",
      absl::StrCat(kExitCodes,
                   "  heed graph update cora --add=new.safetensors\n"
                   "  heed graph update cora --remove_nodes=17,18 --remove_edges=3:7,7:3\n"
                   "  heed graph update cora --change=features.safetensors --expected_version=4\n")};
}

absl::Status FillUpdate(const UpdateSettings& settings, std::istream& in, v1::GraphUpdate& update) {
  if (settings.remove_edges) {
    const auto edges = ReadEdgeList(*settings.remove_edges, in);
    if (!edges.ok()) return absl::InvalidArgumentError(absl::StrCat("--remove_edges: ", edges.status().message()));
    update.mutable_remove_edges()->Add(edges->begin(), edges->end());
  }
  if (settings.remove_nodes) {
    const auto nodes = ReadNodeList(*settings.remove_nodes, in);
    if (!nodes.ok()) return absl::InvalidArgumentError(absl::StrCat("--remove_nodes: ", nodes.status().message()));
    update.mutable_remove_nodes()->Add(nodes->begin(), nodes->end());
  }
  const auto without_ids = [](const std::string& path, const GraphArrays& graph) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has no node_id, the ids of its ", graph.features.rows, " nodes"));
  };
  if (!settings.add.empty()) {
    const absl::StatusOr<GraphArrays> graph = ReadOneGraph(settings.add);
    if (!graph.ok()) return graph.status();
    if (graph->node_ids.empty() && graph->features.rows > 0) return without_ids(settings.add, *graph);
    FillAdditions(*graph, update);
  }
  if (!settings.change.empty()) {
    const absl::StatusOr<GraphArrays> graph = ReadOneGraph(settings.change);
    if (!graph.ok()) return graph.status();
    if (graph->node_ids.empty()) return without_ids(settings.change, *graph);
    if (!graph->sources.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(settings.change, ": edge_index has ", graph->sources.size(),
                                                     " edges; --change takes features alone, edges are --add's"));
    }
    update.mutable_change_nodes()->Add(graph->node_ids.begin(), graph->node_ids.end());
    FillFeatures(graph->features, *update.mutable_change_features());
  }
  return absl::OkStatus();
}

}  // namespace

int GraphPutCommand(const std::vector<std::string>& arguments, Console& console) {
  PutSettings settings;
  FlagTable flags;
  settings.server.AddTo(flags, "Maximum time until the graph is stored. 0 means no limit.");
  flags.AddString("graph", &settings.graph, "FILE", "Graph file to store. Required.");
  flags.AddString("precompute", &settings.precompute, "MODEL,...",
                  "Models whose outputs for every node the server computes now and keeps up to date.");
  flags.AddBool("json", &settings.json, "Print JSON.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(PutHelp(), flags, arguments, 1, others, console)) return *code;
  if (others.empty()) return Fail(console, kExitUsage, "the graph's NAME is needed");
  if (settings.graph.empty()) return Fail(console, kExitUsage, "--graph is needed");
  const absl::StatusOr<GraphArrays> graph = ReadOneGraph(settings.graph);
  if (!graph.ok()) return Fail(console, kExitUsage, std::string(graph.status().message()));

  ProgressBar bar(console.err_is_terminal ? &console.err : nullptr, console.columns, std::chrono::steady_clock::now());
  Progress progress;
  progress.unit = "nodes and edges";
  progress.total_bytes = graph->features.rows + static_cast<int64_t>(graph->sources.size());
  v1::GraphInfo info;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  const grpc::Status status =
      Client(channel, settings.server, console)
          .Put(
              others[0], absl::StrSplit(settings.precompute, ',', absl::SkipEmpty()), *graph, kPartBytes,
              [&](int64_t rows, int64_t edges) {
                progress.lines = progress.bytes = rows + edges;
                bar.Update(progress, std::chrono::steady_clock::now());
              },
              info);
  bar.Clear();
  if (!status.ok()) return FailCall(console, settings.server, *channel, status);
  return PrintInfo(info, settings.json, console);
}

int GraphUpdateCommand(const std::vector<std::string>& arguments, Console& console) {
  UpdateSettings settings;
  FlagTable flags;
  settings.server.AddTo(flags, "Maximum time until the update is made. 0 means no limit.");
  flags.AddString("add", &settings.add, "FILE",
                  "Graph file of nodes and edges to add. Without nodes (rows of x) it needs no node_id.");
  flags.AddString("change", &settings.change, "FILE", "Graph file with new features of nodes.");
  flags.AddString("remove_nodes", &settings.remove_nodes, "ID,ID,...|@FILE",
                  "Nodes to remove: ids between commas, or a file with one id a line. @- is standard input.");
  flags.AddString("remove_edges", &settings.remove_edges, "S:T,S:T,...|@FILE",
                  "Edges to remove, each SOURCE:TARGET. All edges between the two nodes are removed.");
  AddExpectedVersion(flags, &settings.expected_version);
  flags.AddBool("json", &settings.json, "Print JSON.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(UpdateHelp(), flags, arguments, 1, others, console)) return *code;
  if (others.empty()) return Fail(console, kExitUsage, "the graph's NAME is needed");
  if (settings.add.empty() && settings.change.empty() && !settings.remove_nodes && !settings.remove_edges) {
    return Fail(console, kExitUsage, "one of --add, --change, --remove_nodes and --remove_edges is needed");
  }
  v1::UpdateGraphRequest request;
  request.set_name(others[0]);
  if (settings.expected_version > 0) request.set_expected_version(settings.expected_version);
  if (const absl::Status filled = FillUpdate(settings, console.in, *request.mutable_update()); !filled.ok()) {
    return Fail(console, kExitUsage, std::string(filled.message()));
  }
  v1::GraphInfo info;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  const grpc::Status status = Client(channel, settings.server, console).Update(request, info);
  if (!status.ok()) return FailCall(console, settings.server, *channel, status);
  return PrintInfo(info, settings.json, console);
}

int GraphDescribeCommand(const std::vector<std::string>& arguments, Console& console) {
  const CommandHelp help = {
      "heed graph describe [NAME] [flags]",
      "Describes a stored graph, or all of them: sizes, version, memory, the version in the server's files, the\n"
      "models whose outputs are precomputed, and why a graph is unavailable.",
      absl::StrCat(kExitCodes,
                   "  heed graph describe\n"
                   "  heed graph describe cora --json | jq '.[0].version'\n")};
  ServerFlags server{.deadline_seconds = 10};
  bool json = false;
  FlagTable flags;
  server.AddTo(flags, "Maximum time to wait for the answer. 0 means no limit.");
  flags.AddBool("json", &json, "Print JSON.");
  std::vector<std::string> others;
  if (const auto code = ParseCommand(help, flags, arguments, 1, others, console)) return *code;
  std::vector<v1::GraphInfo> graphs;
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const GraphClient client = Client(channel, server, console);
  const grpc::Status status = others.empty() ? client.List(graphs) : client.Get(others[0], graphs.emplace_back());
  if (!status.ok()) return FailCall(console, server, *channel, status);
  if (!json && graphs.empty()) return Fail(console, kExitOk, "the server keeps no graphs");
  if (json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const v1::GraphInfo& graph : graphs) list.push_back(GraphJson(graph));
    console.out << JsonText(list, 2) << "\n";
  } else {
    console.out << GraphTable(graphs);
  }
  console.out << std::flush;
  const bool unavailable = std::any_of(graphs.begin(), graphs.end(),
                                       [](const v1::GraphInfo& graph) { return !graph.unavailable().empty(); });
  return unavailable ? kExitFailed : kExitOk;
}

int GraphDeleteCommand(const std::vector<std::string>& arguments, Console& console) {
  const CommandHelp help = {
      "heed graph delete NAME [flags]",
      "Deletes a stored graph, also from the server's files. Queries in progress are still answered.",
      absl::StrCat(kExitCodes,
                   "  heed graph delete cora\n"
                   "  heed graph delete cora --expected_version=4\n")};
  ServerFlags server{.deadline_seconds = 10};
  int expected_version = 0;
  FlagTable flags;
  server.AddTo(flags, "Maximum time to wait for the answer. 0 means no limit.");
  AddExpectedVersion(flags, &expected_version);
  std::vector<std::string> others;
  if (const auto code = ParseCommand(help, flags, arguments, 1, others, console)) return *code;
  if (others.empty()) return Fail(console, kExitUsage, "the graph's NAME is needed");
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(server, channel, console)) return *code;
  const std::optional<int64_t> expected =
      expected_version > 0 ? std::optional<int64_t>(expected_version) : std::nullopt;
  const grpc::Status status = Client(channel, server, console).Delete(others[0], expected);
  if (!status.ok()) return FailCall(console, server, *channel, status);
  return kExitOk;
}

}  // namespace heed::client
