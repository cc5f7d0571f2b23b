// SPDX-License-Identifier: Apache-2.0
#include "server/graphs/graph_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/awaited_status.h"
#include "base/exception_barrier.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "files/graph_file.h"
#include "server/platform/locked_directory.h"
#include "server/scheduling/job_handle.h"
#include "server/telemetry/log.h"

namespace heed {
namespace {

constexpr size_t kLongestName = 128;
constexpr char kExtension[] = ".safetensors";
constexpr char kPartialExtension[] = ".safetensors.partial";  // what a writer leaves that was killed
// A file's metadata. A model is a directory's name, which holds no slash.
constexpr char kVersionKey[] = "version";
constexpr char kPrecomputeKey[] = "precompute";
constexpr char kModelSeparator[] = "/";
// A write that failed is tried again no sooner.
constexpr std::chrono::seconds kLeastRetry(1);

template <typename T>
int64_t Bytes(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

int64_t Bytes(const GraphArrays& arrays) {
  return Bytes(arrays.features.values) + Bytes(arrays.features.row_ends) + Bytes(arrays.features.columns) +
         Bytes(arrays.node_ids) + Bytes(arrays.sources) + Bytes(arrays.targets) + Bytes(arrays.edge_features);
}

absl::Status ShuttingDown() { return absl::UnavailableError("the server is shutting down"); }

absl::Status NoSuchGraph(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("there is no stored graph \"", Excerpt(name, kLongestName), "\""));
}

absl::Status Prefixed(absl::string_view prefix, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(prefix, ": ", status.message()));
}

absl::Status PrecomputeError(const Precomputed& one) {
  return Prefixed(absl::StrCat("precomputing \"", one.model_name, "\""), one.unavailable);
}

}  // namespace

int64_t StoredGraph::bytes() const {
  int64_t bytes = graph->bytes();
  for (const Precomputed& one : precomputed) bytes += one.bytes();
  return bytes;
}

const Precomputed* StoredGraph::Find(absl::string_view model_name) const {
  for (const Precomputed& one : precomputed) {
    if (one.model_name == model_name) return &one;
  }
  return nullptr;
}

std::shared_ptr<const GraphOutputs> StoredGraph::OutputsOf(const Model* model) const {
  for (const Precomputed& one : precomputed) {
    if (one.model.get() == model) return one.outputs;
  }
  return nullptr;
}

GraphRoom::~GraphRoom() {
  MutexLock lock(store_.mutex_);
  store_.room_bytes_ -= bytes_;
}

absl::Status GraphRoom::Add(const GraphArrays& part) { return Resize(bytes_ + Bytes(part)); }

absl::Status GraphRoom::Resize(int64_t bytes) {
  MutexLock lock(store_.mutex_);
  HEED_RETURN_IF_ERROR(store_.CheckRoom(bytes - bytes_));
  store_.room_bytes_ += bytes - bytes_;
  bytes_ = bytes;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GraphStore>> GraphStore::Open(const GraphStoreOptions& options, const Registry& registry,
                                                             Scheduler& scheduler, Metrics& metrics) {
  int directory = -1;
  if (!options.directory.empty()) {
    HEED_ASSIGN_OR_RETURN(directory, OpenLockedDirectory("--graphs", options.directory, 0777));
  }
  return std::unique_ptr<GraphStore>(new GraphStore(options, registry, scheduler, metrics, directory));
}

GraphStore::GraphStore(const GraphStoreOptions& options, const Registry& registry, Scheduler& scheduler,
                       Metrics& metrics, int directory)
    : options_(options),
      registry_(registry),
      scheduler_(scheduler),
      metrics_(metrics),
      directory_(directory),
      restored_(directory < 0) {
  if (directory_ >= 0) {
    for (const char* outcome : {"ok", "failed"}) metrics_.Add(Metric::kGraphSaves, {outcome}, 0);
  }
  {
    MutexLock lock(mutex_);
    PublishMetrics();
  }
  thread_ = std::thread([this] { Run(); });
}

GraphStore::~GraphStore() {
  Stop();
  if (directory_ >= 0) close(directory_);
}

bool GraphStore::Restore() {
  if (directory_ < 0) return true;
  auto outcome = std::make_shared<AwaitedStatus>();
  {
    MutexLock lock(mutex_);
    if (draining_ || stop_) return false;
    changes_.push_back([this, outcome](const absl::Status& refused) {
      outcome->Set(refused.ok() ? WithoutExceptions([&] { return CarryOutRestore(); }) : refused);
    });
  }
  work_.NotifyOne();
  return outcome->Wait().ok();
}

absl::Status GraphStore::Put(NewGraph graph, Done done) {
  auto shared = std::make_shared<NewGraph>(std::move(graph));
  return Enqueue([this, shared, done = std::move(done)](const absl::Status& refused) {
    const auto state = refused.ok() ? WithoutExceptions([&] { return CarryOut(*shared); }) : refused;
    if (state.ok()) metrics_.Add(Metric::kGraphUpdates, {"put"});
    shared->room.reset();
    done(state);
  });
}

absl::Status GraphStore::Update(std::string name, std::optional<int64_t> expected_version, GraphUpdate update,
                                Done done) {
  auto shared = std::make_shared<GraphUpdate>(std::move(update));
  return Enqueue(
      [this, name = std::move(name), expected_version, shared, done = std::move(done)](const absl::Status& refused) {
        const auto state =
            refused.ok() ? WithoutExceptions([&] { return CarryOut(name, expected_version, *shared); }) : refused;
        if (state.ok()) metrics_.Add(Metric::kGraphUpdates, {"update"});
        done(state);
      });
}

absl::Status GraphStore::Delete(std::string name, std::optional<int64_t> expected_version, Done done) {
  return Enqueue([this, name = std::move(name), expected_version, done = std::move(done)](const absl::Status& refused) {
    const auto state =
        refused.ok() ? WithoutExceptions([&] { return CarryOutDelete(name, expected_version); }) : refused;
    if (state.ok()) metrics_.Add(Metric::kGraphUpdates, {"delete"});
    done(state);
  });
}

absl::Status GraphStore::Precompute(std::shared_ptr<const GraphClassifier> model,
                                    std::function<void(const absl::Status&)> done) {
  return Enqueue([this, model = std::move(model), done = std::move(done)](const absl::Status& refused) {
    done(refused.ok() ? WithoutExceptions([&] { return CarryOutPrecompute(model); }) : refused);
  });
}

absl::Status GraphStore::Forget(std::string name) {
  return Enqueue([this, name = std::move(name)](const absl::Status& refused) {
    if (refused.ok()) CarryOutForget(name);
  });
}

absl::StatusOr<std::shared_ptr<const StoredGraph>> GraphStore::Find(absl::string_view name,
                                                                    std::optional<int64_t> expected_version) const {
  MutexLock lock(mutex_);
  HEED_ASSIGN_OR_RETURN(const auto place, Present(name));
  HEED_RETURN_IF_ERROR(CheckVersion(*place, expected_version));
  return place->second.version;
}

absl::StatusOr<StoredGraphState> GraphStore::Describe(absl::string_view name) const {
  MutexLock lock(mutex_);
  HEED_ASSIGN_OR_RETURN(const auto place, Present(name));
  return State(*place);
}

absl::StatusOr<std::vector<StoredGraphState>> GraphStore::List() const {
  MutexLock lock(mutex_);
  HEED_RETURN_IF_ERROR(CheckRestored());
  std::vector<StoredGraphState> states;
  for (const auto& place : entries_) states.push_back(State(place));
  return states;
}

absl::Status GraphStore::CheckName(absl::string_view name) {
  auto refused = [&](absl::string_view reason) {
    return InvalidField("name", "\"", Excerpt(name, kLongestName), "\" ", reason);
  };
  if (name.empty()) return refused("is empty");
  if (name.size() > kLongestName) {
    return refused(absl::StrCat("has ", name.size(), " bytes, at most ", kLongestName));
  }
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') {
      return InvalidField("name", "holds a character that is no letter, digit, '-', '_' or '.'");
    }
  }
  if (name.front() == '.') return refused("starts with '.'");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::shared_ptr<const GraphClassifier>>> GraphStore::FindModels(
    const std::vector<std::string>& names) const {
  std::vector<std::shared_ptr<const GraphClassifier>> models;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string place = absl::StrCat("precompute[", i, "]");
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      return InvalidField(place, "\"", names[i], "\" is named twice");
    }
    absl::StatusOr<std::shared_ptr<const GraphClassifier>> model = FindModel(names[i]);
    if (!model.ok()) return WithField(Prefixed(place, model.status()), place);
    models.push_back(*std::move(model));
  }
  return models;
}

absl::StatusOr<std::shared_ptr<const GraphClassifier>> GraphStore::FindModel(const std::string& name) const {
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, registry_.Find(name));
  auto classifier = std::dynamic_pointer_cast<const GraphClassifier>(model);
  if (classifier == nullptr) {
    return InvalidField("model", "\"", name, "\" is a ", KindName(model->kind()),
                        ", which computes nothing for graphs");
  }
  return classifier;
}

int64_t GraphStore::Drain(TimePoint deadline) {
  MutexLock lock(mutex_);
  draining_ = true;
  while ((busy_ || !changes_.empty()) && Clock::now() < deadline) settled_.WaitUntil(mutex_, deadline);
  return static_cast<int64_t>(changes_.size());
}

void GraphStore::Stop() {
  {
    MutexLock lock(mutex_);
    draining_ = true;
    stop_ = true;
  }
  work_.NotifyOne();
  if (thread_.joinable()) thread_.join();
}

int64_t GraphStore::refused_by_drain() const {
  MutexLock lock(mutex_);
  return refused_by_drain_;
}

absl::Status GraphStore::Enqueue(Change change) {
  {
    MutexLock lock(mutex_);
    if (draining_) {
      ++refused_by_drain_;
      metrics_.Add(Metric::kRejections, {"", "draining"});
      return ShuttingDown();
    }
    HEED_RETURN_IF_ERROR(CheckRestored());
    if (changes_.size() >= options_.max_queued_changes) {
      metrics_.Add(Metric::kRejections, {"", "queue_full"});
      return absl::ResourceExhaustedError(
          absl::StrCat("the queue is full: ", changes_.size(), " changes of stored graphs wait"));
    }
    changes_.push_back(std::move(change));
  }
  work_.NotifyOne();
  return absl::OkStatus();
}

absl::Status GraphStore::CheckRestored() const {
  return restored_ ? absl::OkStatus() : absl::UnavailableError("the stored graphs are loading");
}

absl::Status GraphStore::CheckRoom(int64_t more) const {
  const int64_t used = graph_bytes_ + room_bytes_;
  if (more <= 0 || used + more <= options_.max_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("stored graphs take ", used, " bytes; ", more,
                                                   " more would exceed --max_graph_bytes=", options_.max_bytes));
}

absl::StatusOr<GraphStore::Entries::const_iterator> GraphStore::Present(absl::string_view name) const {
  HEED_RETURN_IF_ERROR(CheckRestored());
  const auto place = entries_.find(name);
  if (place == entries_.end()) return NoSuchGraph(name);
  if (place->second.version == nullptr) return place->second.unavailable;
  return place;
}

absl::Status GraphStore::CheckVersion(const Entries::value_type& place, std::optional<int64_t> expected) {
  const int64_t present = place.second.version->version;
  if (!expected || *expected == present) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("version: ", *expected, " is expected, but \"", place.first, "\" has version ", present));
}

StoredGraphState GraphStore::State(const Entries::value_type& place) {
  return {place.first, place.second.version, place.second.unavailable, place.second.saved_version};
}

void GraphStore::Run() {
  while (true) {
    Change change;
    bool stop = false;
    {
      MutexLock lock(mutex_);
      busy_ = false;
      if (changes_.empty()) settled_.NotifyAll();
      while (!stop_ && changes_.empty() && NextSave() > Clock::now()) {
        const TimePoint wake = NextSave();
        if (wake == kNoDeadline) {
          work_.Wait(mutex_);
        } else {
          work_.WaitUntil(mutex_, wake);
        }
      }
      stop = stop_;
      // Files come first: however many changes come, their lag stays bounded.
      if (!stop && NextSave() > Clock::now()) {
        change = std::move(changes_.front());
        changes_.pop_front();
        busy_ = true;
      }
    }
    if (stop) break;
    if (change) {
      change(absl::OkStatus());
    } else {
      Save(Clock::now());
    }
  }
  std::deque<Change> left;
  {
    MutexLock lock(mutex_);
    left.swap(changes_);
    settled_.NotifyAll();
  }
  for (const Change& change : left) change(ShuttingDown());
  Save(kNoDeadline - Clock::duration(1));
}

absl::StatusOr<StoredGraphState> GraphStore::CarryOut(NewGraph& graph) {
  absl::StatusOr<std::shared_ptr<const Graph>> built = Graph::Build(std::move(graph.arrays), options_.max_nodes);
  if (!built.ok()) return WithinField("part", built.status());
  auto version = std::make_shared<StoredGraph>();
  version->graph = *std::move(built);
  HEED_RETURN_IF_ERROR(graph.room->Resize(version->bytes()));
  for (const auto& asked : graph.precompute) {
    // It may have been replaced since the graph's first part came.
    HEED_ASSIGN_OR_RETURN(const std::shared_ptr<const GraphClassifier> model, FindModel(asked->spec().name));
    version->precomputed.push_back(Compute(model, version->graph, nullptr, {}));
    const Precomputed& one = version->precomputed.back();
    if (!one.unavailable.ok()) return PrecomputeError(one);
    HEED_RETURN_IF_ERROR(graph.room->Resize(version->bytes()));
  }
  version->version = 1 + PresentVersion(graph.name);
  if (directory_ >= 0) {
    if (absl::Status status = WriteFile(graph.name, *version); !status.ok()) {
      return absl::UnavailableError(
          absl::StrCat("\"", graph.name, "\" is not stored, its file could not be written: ", status.message()));
    }
  }
  Entry entry;
  entry.saved_version = directory_ >= 0 ? version->version : 0;
  entry.version = std::move(version);
  return Publish(graph.name, std::move(entry), *graph.room);
}

absl::StatusOr<StoredGraphState> GraphStore::CarryOut(const std::string& name, std::optional<int64_t> expected_version,
                                                      const GraphUpdate& update) {
  Entry entry;
  HEED_ASSIGN_OR_RETURN(const std::shared_ptr<const StoredGraph> old, Find(name, expected_version));
  GraphChange change;
  absl::StatusOr<std::shared_ptr<const Graph>> graph = old->graph->Apply(update, &change, options_.max_nodes);
  if (!graph.ok()) return WithinField("update", graph.status());
  auto version = std::make_shared<StoredGraph>();
  version->version = old->version + 1;
  version->graph = *std::move(graph);
  for (const Precomputed& before : old->precomputed) {
    if (before.outputs == nullptr) {
      version->precomputed.push_back(before);
      continue;
    }
    version->precomputed.push_back(Compute(before.model, version->graph, before.outputs, change));
    const Precomputed& one = version->precomputed.back();
    if (!one.unavailable.ok()) return PrecomputeError(one);
  }
  GraphRoom room(*this);  // of what the new version takes more than the old one
  HEED_RETURN_IF_ERROR(room.Resize(std::max<int64_t>(0, version->bytes() - old->bytes())));
  for (Precomputed& one : version->precomputed) {
    if (one.outputs != nullptr) continue;
    // What stood in the way may be gone. If not, the graph is served without these outputs, as before.
    Precomputed anew = ComputeAnew(one, version->graph);
    Fit(anew, version->bytes() - old->bytes(), room);
    one = std::move(anew);
  }
  {
    MutexLock lock(mutex_);
    const Entry& present = entries_.find(name)->second;
    entry.saved_version = present.saved_version;
    if (directory_ >= 0) entry.save_at = std::min(present.save_at, Clock::now() + options_.save_interval);
  }
  entry.version = std::move(version);
  return Publish(name, std::move(entry), room);
}

absl::StatusOr<StoredGraphState> GraphStore::CarryOutDelete(const std::string& name,
                                                            std::optional<int64_t> expected_version) {
  StoredGraphState state;
  {
    MutexLock lock(mutex_);
    if (expected_version) {
      HEED_ASSIGN_OR_RETURN(const auto present, Present(name));
      HEED_RETURN_IF_ERROR(CheckVersion(*present, expected_version));
    }
    const auto place = entries_.find(name);
    if (place == entries_.end()) return NoSuchGraph(name);
    state = State(*place);
  }
  if (directory_ >= 0) {
    // Made lasting by the directory's own flush.
    if ((unlink(Path(name).c_str()) != 0 && errno != ENOENT) || fsync(directory_) != 0) {
      return absl::UnavailableError(
          absl::StrCat("\"", name, "\" is not deleted, its file could not be removed: ", std::strerror(errno)));
    }
  }
  MutexLock lock(mutex_);
  const auto place = entries_.find(name);
  graph_bytes_ -= BytesOf(place->second);
  entries_.erase(place);
  PublishMetrics();
  return state;
}

absl::Status GraphStore::CarryOutPrecompute(const std::shared_ptr<const GraphClassifier>& model) {
  const std::string& name = model->spec().name;
  std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> wanting = Wanting(name);
  GraphRoom room(*this);  // of the new outputs, beside the old ones
  int64_t bytes = 0;
  for (auto& [graph, version] : wanting) {
    auto next = std::make_shared<StoredGraph>(*version);
    Precomputed& one = next->precomputed[static_cast<size_t>(version->Find(name) - version->precomputed.data())];
    one = Compute(model, version->graph, nullptr, {});
    Fit(one, bytes, room);
    bytes += one.bytes();
    if (!one.unavailable.ok()) {
      LogError("graph", {{"name", graph}, {"precompute", name}, {"reason", one.unavailable.message()}});
    }
    version = std::move(next);
  }
  Replace(std::move(wanting));
  return absl::OkStatus();
}

void GraphStore::CarryOutForget(const std::string& name) {
  std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> wanting = Wanting(name);
  for (auto& [graph, version] : wanting) {
    auto next = std::make_shared<StoredGraph>(*version);
    Precomputed& one = next->precomputed[static_cast<size_t>(version->Find(name) - version->precomputed.data())];
    one = {};
    one.model_name = name;
    one.unavailable = absl::UnavailableError(absl::StrCat("model: \"", name, "\" is not loaded"));
    version = std::move(next);
  }
  Replace(std::move(wanting));
}

std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> GraphStore::Wanting(
    const std::string& name) const {
  std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> wanting;
  MutexLock lock(mutex_);
  for (const auto& [graph, entry] : entries_) {
    if (entry.version != nullptr && entry.version->Find(name) != nullptr) wanting.emplace_back(graph, entry.version);
  }
  return wanting;
}

void GraphStore::Replace(std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> versions) {
  MutexLock lock(mutex_);
  for (auto& [graph, version] : versions) {
    Entry& entry = entries_.find(graph)->second;
    graph_bytes_ += version->bytes() - entry.version->bytes();
    std::swap(entry.version, version);  // the old one goes with `versions`, after the lock
  }
  PublishMetrics();
}

absl::Status GraphStore::CarryOutRestore() {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator files(options_.directory, error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const std::string file = files->path().filename().string();
    if (absl::EndsWith(file, kPartialExtension)) {
      LogInfo("graph", {{"file", file}, {"state", "removed"}, {"reason", "its writer was killed"}});
      unlink(files->path().c_str());
      continue;
    }
    absl::string_view name = file;
    if (!absl::ConsumeSuffix(&name, kExtension)) continue;
    if (const absl::Status status = CheckName(name); !status.ok()) {
      LogWarn("graph", {{"file", file}, {"state", "ignored"}, {"reason", status.message()}});
      continue;
    }
    names.emplace_back(name);
  }
  if (error) LogError("graphs", {{"directory", options_.directory}, {"reason", error.message()}});
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    {
      MutexLock lock(mutex_);
      if (draining_) return ShuttingDown();
    }
    const TimePoint start = Clock::now();
    Entry entry;
    GraphRoom room(*this);
    absl::StatusOr<std::shared_ptr<const StoredGraph>> version = ReadFile(Path(name), room);
    if (version.ok()) {
      entry.version = *std::move(version);
      entry.saved_version = entry.version->version;
      LogInfo("graph", {{"name", name},
                        {"state", "ready"},
                        {"version", entry.version->version},
                        {"nodes", entry.version->graph->nodes()},
                        {"edges", entry.version->graph->edges()},
                        {"bytes", entry.version->bytes()},
                        {"seconds", ToSeconds(Clock::now() - start)}});
      for (const Precomputed& one : entry.version->precomputed) {
        if (one.unavailable.ok()) continue;
        LogError("graph", {{"name", name}, {"precompute", one.model_name}, {"reason", one.unavailable.message()}});
      }
    } else {
      entry.unavailable =
          absl::FailedPreconditionError(absl::StrCat("\"", name, "\" could not be read: ", version.status().message()));
      LogError("graph", {{"name", name}, {"state", "unavailable"}, {"reason", version.status().message()}});
    }
    Publish(name, std::move(entry), room);
  }
  MutexLock lock(mutex_);
  restored_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const StoredGraph>> GraphStore::ReadFile(const std::string& path, GraphRoom& room) {
  HEED_ASSIGN_OR_RETURN(GraphFile file, ReadGraphFile(path));
  if (file.graphs.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": graph_ptr: ", file.graphs.size(), " graphs, must be 1"));
  }
  auto version = std::make_shared<StoredGraph>();
  const std::string number = file.metadata.contains(kVersionKey) ? file.metadata[kVersionKey] : "1";
  if (!absl::SimpleAtoi(number, &version->version) || version->version < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": __metadata__: version is \"", number, "\", must be a number from 1"));
  }
  absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Build(std::move(file.graphs.front()), options_.max_nodes);
  if (!graph.ok()) return Prefixed(path, graph.status());
  version->graph = *std::move(graph);
  HEED_RETURN_IF_ERROR(room.Resize(version->bytes()));
  for (absl::string_view name : absl::StrSplit(file.metadata[kPrecomputeKey], kModelSeparator, absl::SkipEmpty())) {
    Precomputed wanted;
    wanted.model_name = std::string(name);
    Precomputed one = ComputeAnew(wanted, version->graph);
    Fit(one, version->bytes(), room);
    version->precomputed.push_back(std::move(one));
  }
  return version;
}

Precomputed GraphStore::ComputeAnew(const Precomputed& missing, const std::shared_ptr<const Graph>& graph) {
  if (missing.model != nullptr) return Compute(missing.model, graph, nullptr, {});
  const auto model = FindModel(missing.model_name);
  if (model.ok()) return Compute(*model, graph, nullptr, {});
  Precomputed result = missing;
  result.unavailable = model.status();
  return result;
}

void GraphStore::Fit(Precomputed& one, int64_t bytes, GraphRoom& room) {
  if (one.outputs == nullptr) return;
  absl::Status fits = room.Resize(std::max<int64_t>(0, bytes + one.bytes()));
  if (fits.ok()) return;
  one.outputs = nullptr;
  one.unavailable = std::move(fits);
}

Precomputed GraphStore::Compute(const std::shared_ptr<const GraphClassifier>& model,
                                const std::shared_ptr<const Graph>& graph,
                                const std::shared_ptr<const GraphOutputs>& previous, const GraphChange& change) {
  const TimePoint start = Clock::now();
  Precomputed result;
  result.model_name = model->spec().name;
  result.model = model;
  absl::StatusOr<std::unique_ptr<PrecomputeTask>> task = model->StartPrecompute(graph, previous, change);
  if (!task.ok()) {
    result.unavailable = task.status();
    return result;
  }
  const PrecomputeTask& computed = **task;
  auto job = std::make_shared<Job>();
  job->model = model;
  job->tasks.push_back(*std::move(task));
  job->internal = true;
  result.unavailable = RunJob(scheduler_, job);  // which keeps `computed`
  if (!result.unavailable.ok()) return result;
  result.outputs = computed.outputs();
  result.seconds = ToSeconds(Clock::now() - start);
  metrics_.Observe(Metric::kGraphPrecomputeSeconds, {result.model_name}, result.seconds);
  return result;
}

StoredGraphState GraphStore::Publish(const std::string& name, Entry entry, GraphRoom& room) {
  MutexLock lock(mutex_);
  const auto place = entries_.try_emplace(name).first;
  room_bytes_ -= std::exchange(room.bytes_, 0);
  graph_bytes_ += BytesOf(entry) - BytesOf(place->second);
  std::swap(place->second, entry);  // what was there goes with `entry`, after the lock
  PublishMetrics();
  return State(*place);
}

int64_t GraphStore::PresentVersion(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto place = entries_.find(name);
  return place == entries_.end() || place->second.version == nullptr ? 0 : place->second.version->version;
}

void GraphStore::Save(TimePoint now) {
  std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> due;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, entry] : entries_) {
      if (entry.save_at <= now) due.emplace_back(name, entry.version);
    }
  }
  for (const auto& [name, version] : due) {
    const absl::Status status =
        WithoutExceptions([&, &file = name, &graph = *version] { return WriteFile(file, graph); });
    MutexLock lock(mutex_);
    Entry& entry = entries_.find(name)->second;
    if (status.ok()) {
      entry.saved_version = version->version;
      entry.save_at = kNoDeadline;
    } else {
      entry.save_at = Clock::now() + std::max<Clock::duration>(options_.save_interval, kLeastRetry);
    }
  }
}

absl::Status GraphStore::WriteFile(const std::string& name, const StoredGraph& version) {
  std::vector<absl::string_view> models;
  for (const Precomputed& one : version.precomputed) models.push_back(one.model_name);
  const TimePoint start = Clock::now();
  const absl::Status status = WriteGraphFile(
      Path(name), version.graph->ToArrays(),
      {{kVersionKey, absl::StrCat(version.version)}, {kPrecomputeKey, absl::StrJoin(models, kModelSeparator)}});
  metrics_.Add(Metric::kGraphSaves, {status.ok() ? "ok" : "failed"});
  if (status.ok()) {
    LogDebug("graph", {{"name", name},
                       {"state", "saved"},
                       {"version", version.version},
                       {"seconds", ToSeconds(Clock::now() - start)}});
  } else {
    LogError("graph",
             {{"name", name}, {"state", "unsaved"}, {"version", version.version}, {"reason", status.message()}});
  }
  return status;
}

std::string GraphStore::Path(absl::string_view name) const {
  return absl::StrCat(options_.directory, "/", name, kExtension);
}

TimePoint GraphStore::NextSave() const {
  TimePoint next = kNoDeadline;
  for (const auto& [name, entry] : entries_) next = std::min(next, entry.save_at);
  return next;
}

int64_t GraphStore::BytesOf(const Entry& entry) { return entry.version == nullptr ? 0 : entry.version->bytes(); }

void GraphStore::PublishMetrics() {
  metrics_.Set(Metric::kStoredGraphs, {}, static_cast<double>(entries_.size()));
  metrics_.Set(Metric::kStoredGraphBytes, {}, static_cast<double>(graph_bytes_));
}

}  // namespace heed
