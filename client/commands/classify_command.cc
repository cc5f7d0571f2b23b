// SPDX-License-Identifier: Apache-2.0
// heed classify nodes, edges and graphs: one course for all three, which differ in what an item is.
#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/visible_text.h"
#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/item_list.h"
#include "client/commands/classify_flags.h"
#include "client/commands/graph_queries.h"
#include "client/lib/call_with_retry.h"
#include "client/lib/channel.h"
#include "client/lib/graph_message.h"
#include "client/lib/request_pipeline.h"
#include "client/render/attention_index.h"
#include "client/render/classification_json.h"
#include "client/render/classification_text.h"
#include "files/graph_file.h"

namespace heed::client {
namespace {

// Graphs of a file that go together in a request, and their bytes.
constexpr size_t kBatchGraphs = 64;
constexpr int64_t kBatchBytes = 4 << 20;
// What a request takes beside its queries.
constexpr int64_t kRequestBytes = 1 << 10;

struct ClassifySettings {
  ServerFlags server;
  GraphFlags graph;
  ComputeFlags compute;
  std::string model;
  std::optional<std::string> items;  // --nodes or --edges
  std::string unseen;
  int top = 1;
  bool attention = false;
  bool embeddings = false;
  bool json = false;
  int in_flight = 8;
  int max_message_bytes = 16 << 20;
};

// What a line of output is about.
struct Item {
  std::string name;
  nlohmann::ordered_json json;
  std::vector<int64_t> ends;  // the nodes whose attention belongs to it; none: the whole graph's
  const v1::GraphClassification* classification = nullptr;
};

struct Nodes {
  using Request = v1::ClassifyNodesRequest;
  using Response = v1::ClassifyNodesResponse;
  using Id = int64_t;
  static constexpr char kKind[] = "node-classifier";
  static constexpr char kItems[] = "nodes";
  static constexpr char kForm[] = "ID,ID,...|@FILE";
  static constexpr char kItemsHelp[] =
      "Nodes to classify: ids between commas, or a file with one id a line. @- is standard input. Defaults to all "
      "nodes.";
  static constexpr auto kRead = ReadNodeList;
  static constexpr auto kAsk = AskNodes;

  static CommandHelp Help() {
    return {
        "heed classify nodes (--graph=FILE | --stored=NAME) [flags]",
        "Classifies nodes of a graph and prints a line for each, in the order asked: its id, its most likely class\n"
        "and the probability of that class, between tabs. The id of a node is its node_id in the file, or its row in\n"
        "x. In a file of several graphs (graph_ptr), rows count over the whole file, and the lines of a graph that\n"
        "fails are empty.",
        "Exit codes:\n"
        "  0    every node was classified\n"
        "  1    the server refused the graph or what was asked; or some graphs of several\n"
        "  2    wrong flags, a file cannot be read, no such model or graph, or several models to choose from\n"
        "  3    no server, it went away, or no model that serves\n"
        "  130  interrupted\n"
        "\n"
        "Examples:\n"
        "  heed classify nodes --graph=cora.safetensors --nodes=0,5,9\n"
        "  heed classify nodes --stored=cora --model=gat-cora --nodes=@test.txt --json | jq -r .label\n"
        "  heed classify nodes --stored=cora --nodes=42 --attention\n"
        "  heed classify nodes --stored=cora --unseen=new.safetensors --nodes=9001\n"};
  }
  static void Ask(const std::vector<Id>& ids, Request::Query& query) {
    query.mutable_nodes()->Add(ids.begin(), ids.end());
  }
  static Item Named(Id id) { return {absl::StrCat(id), NodeJson(id), {id}}; }
  static std::vector<Item> Items(const Response::Answer& answer) {
    std::vector<Item> items;
    for (const Response::Node& node : answer.nodes()) {
      items.push_back(Named(node.id()));
      items.back().classification = &node.classification();
    }
    return items;
  }
};

struct Edges {
  using Request = v1::ClassifyEdgesRequest;
  using Response = v1::ClassifyEdgesResponse;
  using Id = v1::GraphEdgeId;
  static constexpr char kKind[] = "edge-classifier";
  static constexpr char kItems[] = "edges";
  static constexpr char kForm[] = "S:T,S:T,...|@FILE";
  static constexpr char kItemsHelp[] =
      "Edges, or any pairs of nodes, to classify: SOURCE:TARGET between commas, or a file with one a line. @- is "
      "standard input. Defaults to all edges.";
  static constexpr auto kRead = ReadEdgeList;
  static constexpr auto kAsk = AskEdges;

  static CommandHelp Help() {
    return {
        "heed classify edges (--graph=FILE | --stored=NAME) [flags]",
        "Classifies edges, or any pairs of nodes, and prints a line for each, in the order asked: SOURCE:TARGET, its\n"
        "most likely class and the probability of that class, between tabs. The id of a node is its node_id in the\n"
        "file, or its row in x. In a file of several graphs (graph_ptr), rows count over the whole file, and the\n"
        "lines of a graph that fails are empty.",
        "Exit codes:\n"
        "  0    every edge was classified\n"
        "  1    the server refused the graph or what was asked; or some graphs of several\n"
        "  2    wrong flags, a file cannot be read, no such model or graph, or several models to choose from\n"
        "  3    no server, it went away, or no model that serves\n"
        "  130  interrupted\n"
        "\n"
        "Examples:\n"
        "  heed classify edges --graph=cora.safetensors --edges=3:7,7:3\n"
        "  heed classify edges --stored=cora --edges=@pairs.txt | sort -t$'\\t' -k3nr | head\n"};
  }
  static void Ask(const std::vector<Id>& ids, Request::Query& query) {
    query.mutable_edges()->Add(ids.begin(), ids.end());
  }
  static Item Named(const Id& id) { return {EdgeName(id), EdgeJson(id), {id.source(), id.target()}}; }
  static std::vector<Item> Items(const Response::Answer& answer) {
    std::vector<Item> items;
    for (const Response::Edge& edge : answer.edges()) {
      items.push_back(Named(edge.id()));
      items.back().classification = &edge.classification();
    }
    return items;
  }
};

struct Graphs {
  using Request = v1::ClassifyGraphsRequest;
  using Response = v1::ClassifyGraphsResponse;
  using Id = size_t;
  static constexpr char kKind[] = "graph-classifier";
  static constexpr char kItems[] = "graphs";

  static CommandHelp Help() {
    return {
        "heed classify graphs (--graph=FILE | --stored=NAME) [flags]",
        "Classifies whole graphs and prints a line for each, in the order of the file: its number in the file, from\n"
        "0 (or the name of the stored graph), its most likely class and the probability of that class, between tabs.\n"
        "It sends many graphs at a time. For a graph that fails it prints an empty line; the number and the error go\n"
        "to standard error.",
        "Exit codes:\n"
        "  0    every graph was classified\n"
        "  1    the server refused some graphs\n"
        "  2    wrong flags, a file cannot be read, no such model or graph, or several models to choose from\n"
        "  3    no server, it went away, or no model that serves\n"
        "  130  interrupted\n"
        "\n"
        "Examples:\n"
        "  heed classify graphs --graph=mutag.safetensors --model=gat-mutag\n"
        "  heed classify graphs --graph=mutag.safetensors --top=2 --json\n"
        "  heed classify graphs --stored=molecule --attention\n"};
  }
  static void Ask(const std::vector<Id>&, Request::Query&) {}
  static std::vector<Item> Items(const Response::Answer& answer) {
    return {{.classification = &answer.classification()}};
  }
};

template <typename Task>
std::optional<int> ParseClassifySettings(const std::vector<std::string>& arguments, Console& console,
                                         ClassifySettings& settings) {
  FlagTable flags;
  flags.AddSection("Request");
  settings.server.AddTo(flags, "Maximum time for a request, with all its retries. 0 means no limit.");
  settings.server.AddPriorityTo(flags);
  settings.server.AddModelVersionTo(flags);
  flags.AddString("model", &settings.model, "NAME",
                  absl::StrCat("Name of the model. Defaults to the server's only ", Task::kKind, "."));
  settings.graph.AddTo(flags);
  if constexpr (!std::is_same_v<Task, Graphs>) {
    flags.AddString(Task::kItems, &settings.items, Task::kForm, Task::kItemsHelp);
  }
  flags.AddString("unseen", &settings.unseen, "FILE",
                  "Graph file with nodes that only this query sees. Its edge_index holds ids of stored and unseen "
                  "nodes. Needs --stored.");
  flags.AddSection("Output");
  flags.AddInt("top", &settings.top, 0, 1000000,
               "Add the next most likely classes and their probabilities, N classes in all. 0 adds every class.");
  flags.AddBool("attention", &settings.attention,
                std::is_same_v<Task, Graphs>
                    ? "Draw below each line which nodes weigh most in the mean of all nodes. With --json, add the "
                      "coefficients of all edges, by layer and head."
                    : "Draw below each line which neighbors the last layer attends to, as a mean over its heads. With "
                      "--json, add the coefficients of all edges to it, by layer and head.");
  flags.AddBool("json", &settings.json,
                "Print a JSON object for each line: id, class (its index), label, probability and what else is asked "
                "for (top, embedding, attention, present), or error.");
  flags.AddBool("embeddings", &settings.embeddings, "Add the input of the last layer. Needs --json.");
  settings.compute.AddTo(flags);
  flags.AddSection("Request");
  flags.AddInt("in_flight", &settings.in_flight, 1, 100000,
               "Maximum requests in progress at a time. A file of several graphs takes several requests.");
  flags.AddInt("max_message_bytes", &settings.max_message_bytes, 1 << 12, std::numeric_limits<int>::max(),
               "Maximum size of a request in bytes, as in the server's --max_message_bytes.");

  std::vector<std::string> others;
  if (const auto code = ParseCommand(Task::Help(), flags, arguments, 0, others, console)) return code;
  if (const absl::Status checked = settings.graph.Check(); !checked.ok()) {
    return Fail(console, kExitUsage, std::string(checked.message()));
  }
  if (!settings.unseen.empty() && settings.graph.stored.empty()) {
    return Fail(console, kExitUsage, "--unseen needs --stored");
  }
  if (settings.embeddings && !settings.json) return Fail(console, kExitUsage, "--embeddings needs --json");
  return std::nullopt;
}

// Lines that come in any order, each with its place, printed in order.
class LinesInOrder {
 public:
  explicit LinesInOrder(std::ostream& out) : out_(out) {}

  void Put(size_t place, std::string text) {
    waiting_.emplace(place, std::move(text));
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == printed_; first = waiting_.begin()) {
      out_ << first->second;
      waiting_.erase(first);
      ++printed_;
    }
  }
  size_t printed() const { return printed_; }

 private:
  std::ostream& out_;
  std::map<size_t, std::string> waiting_;
  size_t printed_ = 0;
};

// A request without queries, and the graphs that the queries are about.
template <typename Task>
struct Input {
  typename Task::Request prototype;
  std::vector<GraphArrays> graphs;       // none: a stored one
  typename Task::Request::Query stored;  // what is said of it
  std::vector<GraphQuery<typename Task::Id>> queries;
};

template <typename Task>
typename Task::Request::Query MakeQuery(const Input<Task>& input, const GraphQuery<typename Task::Id>& asked) {
  typename Task::Request::Query query = input.stored;
  if (!input.graphs.empty()) FillGraph(input.graphs[asked.graph], *query.mutable_graph());
  Task::Ask(asked.items, query);
  return query;
}

// Prints answers and remembers how it went. Used by one thread at a time.
template <typename Task>
class ClassificationPrinter {
 public:
  ClassificationPrinter(const ClassifySettings& settings, const Input<Task>& input, Console& console)
      : settings_(settings), input_(input), console_(console), lines_(console.out) {}

  void Print(size_t number, const typename Task::Response::Answer& answer) {
    const GraphQuery<typename Task::Id>& query = input_.queries[number];
    std::vector<Item> items = Task::Items(answer);
    if (!query.places.empty() && items.size() != query.places.size()) {
      return PrintFailure(
          number, grpc::Status(grpc::StatusCode::INTERNAL, absl::StrCat("the server answered about ", items.size(), " ",
                                                                        Task::kItems, " of ", query.places.size())));
    }
    const AttentionIndex attention(answer.attention());
    for (size_t i = 0; i < items.size(); ++i) {
      if constexpr (std::is_same_v<Task, Graphs>) Name(number, items[i]);
      lines_.Put(query.places.empty() ? lines_.printed() : query.places[i],
                 settings_.json ? Json(std::move(items[i]), answer.source(), attention) : Text(items[i], attention));
    }
    console_.out << std::flush;
  }

  void PrintFailure(size_t number, const grpc::Status& status) {
    if (input_.queries.size() == 1) {
      refused_ = status;
      return;
    }
    failed_ = true;
    const GraphQuery<typename Task::Id>& query = input_.queries[number];
    if constexpr (std::is_same_v<Task, Graphs>) {
      Item item;
      Name(number, item);
      lines_.Put(lines_.printed(), Failure(std::move(item), status));
    } else {
      for (size_t i = 0; i < query.places.size(); ++i) {
        lines_.Put(query.places[i], Failure(Task::Named(query.items[i]), status));
      }
    }
    console_.out << std::flush;
    Note(console_, absl::StrCat("graph ", query.graph, ": ", StatusText(status)));
  }

  size_t lines() const { return lines_.printed(); }
  bool failed() const { return failed_; }
  const grpc::Status& refused() const { return refused_; }  // of the only query

 private:
  void Name(size_t number, Item& item) {
    item.name = settings_.graph.stored;
    item.json["id"] = item.name;
    if (!item.name.empty()) return;
    item.name = absl::StrCat(number);
    item.json["id"] = number;
  }

  std::string Failure(Item item, const grpc::Status& status) {
    if (!settings_.json) return "\n";
    AddError(status, item.json);
    return JsonText(item.json) + "\n";
  }

  std::string Json(Item item, const v1::GraphQuerySource& source, const AttentionIndex& attention) {
    AddClassification(*item.classification, item.json);
    if (!settings_.graph.stored.empty()) {
      item.json["version"] = source.version();
      item.json["precomputed"] = source.precomputed();
    }
    if (settings_.attention) {
      std::vector<AttentionIndex::Entry> entries;
      if (item.ends.empty()) entries = attention.All();
      for (const int64_t end : item.ends) {
        entries.insert(entries.end(), attention.Into(end).begin(), attention.Into(end).end());
      }
      AddAttention(attention, entries, item.json);
    }
    return JsonText(item.json) + "\n";
  }

  std::string Text(const Item& item, const AttentionIndex& attention) {
    std::string out = ClassificationLine(item.name, *item.classification) + "\n";
    if (!settings_.attention) return out;
    if (item.ends.empty()) absl::StrAppend(&out, ShareBars(attention));
    for (const int64_t end : item.ends) {
      if (item.ends.size() > 1) absl::StrAppend(&out, "  ", end, ":\n");
      absl::StrAppend(&out, NeighborBars(attention, end));
    }
    return out;
  }

  const ClassifySettings& settings_;
  const Input<Task>& input_;
  Console& console_;
  LinesInOrder lines_;
  bool failed_ = false;
  grpc::Status refused_;
};

std::string TooLarge(const ClassifySettings& settings, int64_t bytes) {
  const std::string way_out = settings.graph.stored.empty()
                                  ? absl::StrCat("; store it with `heed graph put NAME --graph=", settings.graph.graph,
                                                 "` and ask with --stored=NAME")
                                  : "";
  return absl::StrCat("the request takes ", bytes, " bytes, more than --max_message_bytes=", settings.max_message_bytes,
                      way_out);
}

// The blocking form of the call, for one query.
template <typename Task>
grpc::Status CallAlone(const ClassifySettings& settings, const Input<Task>& input, size_t number,
                       const std::shared_ptr<grpc::Channel>& channel, const Console& console,
                       typename Task::Response& response) {
  using Call = UnaryCall<typename Task::Request>;
  typename Task::Request request = input.prototype;
  *request.add_queries() = MakeQuery(input, input.queries[number]);
  typename Call::Stub stub(channel);
  return CallWithRetry({.deadline = settings.server.deadline(), .stop = console.stop}, Repeat::kAlways,
                       [&](grpc::ClientContext& context) { return (stub.*Call::kCall)(&context, request, &response); });
}

// Sends an input's queries, several in a request, and prints the answers in order.
template <typename Task>
class Classification {
 public:
  Classification(const ClassifySettings& settings, const Input<Task>& input,
                 const std::shared_ptr<grpc::Channel>& channel, Console& console)
      : settings_(settings),
        input_(input),
        channel_(channel),
        console_(console),
        printer_(settings, input, console),
        request_(input.prototype),
        pipeline_(channel, Options(), [this](typename Pipeline::Result result) { Deliver(std::move(result)); }) {}

  // The exit code.
  int Run() {
    const std::stop_callback cancel(console_.stop, [this] { pipeline_.Cancel(); });
    bool open = true;
    for (size_t number = 0; open && number < input_.queries.size(); ++number) {
      typename Task::Request::Query query = MakeQuery(input_, input_.queries[number]);
      const auto bytes = static_cast<int64_t>(query.ByteSizeLong()) + kRequestBytes;
      if (bytes > settings_.max_message_bytes && input_.queries.size() == 1) {
        return Fail(console_, kExitUsage, TooLarge(settings_, bytes));
      }
      open = bytes > settings_.max_message_bytes ? SkipTooLarge(number, bytes) : Add(std::move(query), bytes);
    }
    if (open) Send();
    pipeline_.Finish();
    return ExitCode();
  }

 private:
  using Pipeline = RequestPipeline<typename Task::Request>;
  using Response = typename Task::Response;
  struct Batch {
    size_t first = 0;  // query
    size_t size = 0;
  };

  PipelineOptions Options() {
    PipelineOptions options;
    options.in_flight = settings_.in_flight;
    options.undelivered = 16 * settings_.in_flight;
    options.deadline = settings_.server.deadline();
    options.on_outage = [this](const grpc::Status& status) { NoteWaiting(console_, settings_.server.address, status); };
    return options;
  }

  // These return false once nothing more can be sent.
  bool Add(typename Task::Request::Query query, int64_t bytes) {
    bool open = true;
    if (bytes_ + bytes > std::min<int64_t>(kBatchBytes, settings_.max_message_bytes)) open = Send();
    *request_.add_queries() = std::move(query);
    bytes_ += bytes;
    if (++batch_.size == kBatchGraphs) open = Send();
    return open;
  }
  bool Send() {
    if (batch_.size == 0) return true;
    Expect(batch_);
    const bool open = pipeline_.Submit(std::exchange(request_, input_.prototype));
    batch_ = {batch_.first + batch_.size, 0};
    bytes_ = 0;
    return open;
  }
  bool SkipTooLarge(size_t number, int64_t bytes) {
    bool open = Send();
    Expect({number, 1});
    open = open && pipeline_.Reject(grpc::Status(grpc::StatusCode::OUT_OF_RANGE, TooLarge(settings_, bytes)));
    batch_ = {number + 1, 0};
    return open;
  }
  void Expect(const Batch& batch) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    batches_.push_back(batch);
  }

  // On the pipeline's thread.
  void Deliver(typename Pipeline::Result result) EXCLUDES(mutex_) {
    Batch batch;
    {
      MutexLock lock(mutex_);
      batch = batches_.front();
      batches_.pop_front();
    }
    if (result.status.error_code() == grpc::StatusCode::INVALID_ARGUMENT && batch.size > 1) {
      AskOneByOne(batch);
    } else if (result.status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      lost_ = result.status;
    } else {
      Print(batch, result.status, result.response);
    }
    if (!console_.out || !lost_.ok()) pipeline_.Cancel();
  }
  // One bad graph fails its whole request: the others deserve another one.
  void AskOneByOne(const Batch& batch) {
    for (size_t i = batch.first; i < batch.first + batch.size && !console_.stop.stop_requested(); ++i) {
      Response response;
      const grpc::Status status = CallAlone(settings_, input_, i, channel_, console_, response);
      if (console_.stop.stop_requested()) return;
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE) lost_ = status;
      if (!lost_.ok()) return;
      Print({i, 1}, status, response);
    }
  }
  void Print(const Batch& batch, const grpc::Status& status, const Response& response) {
    for (size_t i = 0; i < batch.size; ++i) {
      if (!status.ok()) {
        printer_.PrintFailure(batch.first + i, status);
      } else if (static_cast<size_t>(response.answers_size()) != batch.size) {
        printer_.PrintFailure(batch.first + i, grpc::Status(grpc::StatusCode::INTERNAL,
                                                            absl::StrCat("the server sent ", response.answers_size(),
                                                                         " answers to ", batch.size, " queries")));
      } else {
        printer_.Print(batch.first + i, response.answers(static_cast<int>(i)));
      }
    }
  }

  int ExitCode() {
    if (console_.stop.stop_requested()) {
      return Fail(console_, kExitInterrupted, absl::StrCat("interrupted after ", printer_.lines(), " lines"));
    }
    if (!console_.out) return FailOutput(console_);
    if (!lost_.ok()) return FailCall(console_, settings_.server, *channel_, lost_);
    if (!printer_.refused().ok()) return FailCall(console_, settings_.server, *channel_, printer_.refused());
    return printer_.failed() ? kExitFailed : kExitOk;
  }

  const ClassifySettings& settings_;
  const Input<Task>& input_;
  const std::shared_ptr<grpc::Channel> channel_;
  Console& console_;
  ClassificationPrinter<Task> printer_;

  // What is being filled.
  typename Task::Request request_;
  Batch batch_;
  int64_t bytes_ = 0;

  Mutex mutex_;
  std::deque<Batch> batches_ GUARDED_BY(mutex_);  // not yet delivered
  grpc::Status lost_;                             // the pipeline's thread writes it; read when that has finished
  Pipeline pipeline_;                             // the last: its thread uses the others
};

// Nodes that only the query sees.
absl::Status ReadUnseen(const std::string& path, v1::GraphUpdate& unseen) {
  absl::StatusOr<GraphFile> file = ReadGraphFile(path);
  if (!file.ok()) return file.status();
  if (file->graphs.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": holds ", file->graphs.size(), " graphs, must hold 1"));
  }
  const GraphArrays& graph = file->graphs[0];
  if (graph.node_ids.empty() && graph.features.rows > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has no node_id, the ids of its ", graph.features.rows, " unseen nodes"));
  }
  FillAdditions(graph, unseen);
  return absl::OkStatus();
}

template <typename Task>
absl::Status ReadInput(const ClassifySettings& settings, Console& console, Input<Task>& input) {
  v1::GraphQueryOptions& options = *input.prototype.mutable_options();
  if (const absl::Status filled = settings.compute.Fill(options); !filled.ok()) return filled;
  if (settings.top != 1) options.set_top_k(settings.top);
  options.set_return_attention(settings.attention);
  options.set_return_embeddings(settings.embeddings);

  if (!settings.graph.stored.empty()) {
    v1::StoredGraph& stored = *input.stored.mutable_stored();
    stored.set_name(settings.graph.stored);
    if (settings.graph.version) stored.set_expected_version(*settings.graph.version);
    if (!settings.unseen.empty()) {
      if (const absl::Status read = ReadUnseen(settings.unseen, *stored.mutable_unseen()); !read.ok()) return read;
    }
  } else {
    absl::StatusOr<GraphFile> file = ReadGraphFile(settings.graph.graph);
    if (!file.ok()) return file.status();
    input.graphs = std::move(file->graphs);
  }

  if constexpr (!std::is_same_v<Task, Graphs>) {
    NumberNodes(input.graphs);
    if (settings.items) {
      auto items = Task::kRead(*settings.items, console.in);
      if (!items.ok()) {
        return absl::Status(items.status().code(), absl::StrCat("--", Task::kItems, ": ", items.status().message()));
      }
      auto queries = Task::kAsk(input.graphs, *items);
      if (!queries.ok()) {
        return absl::Status(queries.status().code(),
                            absl::StrCat("--", Task::kItems, ": ", queries.status().message()));
      }
      input.queries = *std::move(queries);
      return absl::OkStatus();
    }
  }
  const size_t graphs = settings.graph.stored.empty() ? input.graphs.size() : 1;
  for (size_t graph = 0; graph < graphs; ++graph) input.queries.push_back({.graph = graph});
  return absl::OkStatus();
}

template <typename Task>
int Classify(const std::vector<std::string>& arguments, Console& console) {
  ClassifySettings settings;
  if (const auto code = ParseClassifySettings<Task>(arguments, console, settings)) return *code;
  Input<Task> input;
  if (const absl::Status read = ReadInput(settings, console, input); !read.ok()) {
    return Fail(console, kExitUsage, std::string(read.message()));
  }
  std::shared_ptr<grpc::Channel> channel;
  if (const auto code = Connect(settings.server, channel, console)) return *code;
  if (const auto code = ResolveModel(channel, settings.server, Task::kKind, settings.model,
                                     *input.prototype.mutable_model(), console)) {
    return *code;
  }
  input.prototype.set_model_version(settings.server.model_version);
  return Classification(settings, input, channel, console).Run();
}

}  // namespace

int ClassifyNodesCommand(const std::vector<std::string>& arguments, Console& console) {
  return Classify<Nodes>(arguments, console);
}

int ClassifyEdgesCommand(const std::vector<std::string>& arguments, Console& console) {
  return Classify<Edges>(arguments, console);
}

int ClassifyGraphsCommand(const std::vector<std::string>& arguments, Console& console) {
  return Classify<Graphs>(arguments, console);
}

}  // namespace heed::client
