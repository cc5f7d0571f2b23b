// SPDX-License-Identifier: Apache-2.0
// The graphs that the server keeps: their names and versions, what models computed for them, their files.
//
// A graph's present version is immutable and whole: queries take it (Find) and keep it for as long as they run. Every
// change (Put, Update, Delete, Precompute) waits in one bounded queue for one thread of the store's own, which carries
// them out in order: it makes the new version, lets the wanted models compute their outputs for it, and only then puts
// it in the old one's place. What fails on the way leaves everything as it was. So whoever calls never waits, and a
// version and its outputs are always of one piece.
//
// Files: with a directory, each graph has one file there, NAME.safetensors (files/graph_file.h), whose metadata holds
// the version and the models to precompute.
//  - Put writes it before it succeeds: a disk that fails refuses the Put, with UNAVAILABLE.
//  - Update is accepted when it is in memory. Its version is written save_interval later at the latest and when the
//    store stops; while that fails it is tried again and again, saved_version tells how far the file lags, and a crash
//    goes back to it.
//  - Delete removes it before it succeeds.
//  - Restore reads them all. One that cannot be read, or does not fit into memory, stays as it is, and what is asked of
//    its graph is answered with FAILED_PRECONDITION and the reason, as trying again does not help; Put replaces it,
//    Delete removes it.
// A crash at any moment leaves the file that was there or the new one, never a part. One store at a time has a
// directory.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "engine/graph/graph.h"
#include "files/graph_arrays.h"
#include "models/kinds/graph_classifier.h"
#include "server/registry/registry.h"
#include "server/scheduling/scheduler.h"
#include "server/telemetry/metrics.h"

namespace heed {

struct GraphStoreOptions {
  std::string directory;  // empty: graphs live in memory alone
  Clock::duration save_interval = std::chrono::seconds(5);
  // Of all present versions and their outputs, and of the parts of graphs that arrive. Not counted: versions that
  // queries still hold, and, while a graph is made, its pages beside its arrays.
  int64_t max_bytes = int64_t{4} << 30;
  int64_t max_nodes = kMaxGraphNodes;  // of one graph
  size_t max_queued_changes = 64;      // beyond it RESOURCE_EXHAUSTED
};

// What one model computed for a version, or why it did not.
struct Precomputed {
  std::string model_name;
  std::shared_ptr<const GraphClassifier> model;  // that the outputs are of
  std::shared_ptr<const GraphOutputs> outputs;   // null: none
  double seconds = 0;
  absl::Status unavailable;  // OK if there are outputs

  int64_t bytes() const { return outputs == nullptr ? 0 : outputs->bytes(); }
};

// One version of a stored graph. Immutable.
struct StoredGraph {
  int64_t version = 0;
  std::shared_ptr<const Graph> graph;
  std::vector<Precomputed> precomputed;  // as Put asked for them

  int64_t bytes() const;  // of the graph and the outputs
  // Null: the model of this name is not wanted.
  const Precomputed* Find(absl::string_view model_name) const;
  // What `model` computed for this version; null: nothing.
  std::shared_ptr<const GraphOutputs> OutputsOf(const Model* model) const;
};

// What is known of one name at a time.
struct StoredGraphState {
  std::string name;
  std::shared_ptr<const StoredGraph> version;  // null: not served
  absl::Status unavailable;                    // why it is not served
  int64_t saved_version = 0;                   // in the file; 0: none
};

class GraphStore;

// Memory that a graph takes while it arrives, counted in the store's. Of one thread at a time.
class GraphRoom {
 public:
  explicit GraphRoom(GraphStore& store) : store_(store) {}
  ~GraphRoom();
  GraphRoom(const GraphRoom&) = delete;
  GraphRoom& operator=(const GraphRoom&) = delete;

  // RESOURCE_EXHAUSTED: the store has not that much room; nothing changes.
  absl::Status Add(const GraphArrays& part);
  absl::Status Resize(int64_t bytes);

 private:
  friend class GraphStore;

  GraphStore& store_;
  int64_t bytes_ = 0;
};

// A graph to store.
struct NewGraph {
  std::string name;
  std::vector<std::shared_ptr<const GraphClassifier>> precompute;
  GraphArrays arrays;
  std::unique_ptr<GraphRoom> room;  // of the arrays
};

// Thread-safe.
class GraphStore {
 public:
  // Called once, on the store's thread with no lock held: the state after the change, or why there was none.
  using Done = std::function<void(const absl::StatusOr<StoredGraphState>&)>;

  // Takes the directory, making it if it is not there, and starts the thread. What it is given outlives it.
  // INVALID_ARGUMENT: the directory cannot be used, or another server uses it.
  static absl::StatusOr<std::unique_ptr<GraphStore>> Open(const GraphStoreOptions& options, const Registry& registry,
                                                          Scheduler& scheduler, Metrics& metrics);
  // Stops.
  ~GraphStore();
  GraphStore(const GraphStore&) = delete;
  GraphStore& operator=(const GraphStore&) = delete;

  // Reads the directory and computes what its graphs want; returns when that is done, or given up because of Drain or
  // Stop: false. Once, when the models have loaded. Until then the store, if it has a directory, answers UNAVAILABLE.
  bool Restore() EXCLUDES(mutex_);

  // The functions below answer at once; an error means that the change was refused and that `done` is never called.
  // RESOURCE_EXHAUSTED: the queue is full, try again later. UNAVAILABLE: Restore has not returned, or Drain was called.
  // Nobody can take back a change that was accepted.

  // Stores the graph, in place of the one of that name: both take memory until the new one is there.
  absl::Status Put(NewGraph graph, Done done) EXCLUDES(mutex_);
  // Outputs that the present version lacks are tried for again.
  // `expected_version`: absent: any; ABORTED if it is not the present one. `done`'s errors: NOT_FOUND no such graph;
  // INVALID_ARGUMENT Graph::Apply's or a model's; RESOURCE_EXHAUSTED the memory.
  absl::Status Update(std::string name, std::optional<int64_t> expected_version, GraphUpdate update, Done done)
      EXCLUDES(mutex_);
  // `done`'s errors: NOT_FOUND; ABORTED as in Update; FAILED_PRECONDITION if a version is expected of a graph whose
  // file is damaged; UNAVAILABLE if its file cannot be removed.
  absl::Status Delete(std::string name, std::optional<int64_t> expected_version, Done done) EXCLUDES(mutex_);
  // For a model that is to take the place of the one of its name: computes its outputs for every graph that wants them,
  // then puts them all in the old ones' place and calls `done`, which lets the model take over. In between queries to
  // either model are right, and compute.
  absl::Status Precompute(std::shared_ptr<const GraphClassifier> model, std::function<void(const absl::Status&)> done)
      EXCLUDES(mutex_);

  // The model `name` serves no more: graphs lose its outputs, which take memory, and keep wanting them: the next
  // update, or Precompute, brings them back. UNAVAILABLE, RESOURCE_EXHAUSTED: as above.
  absl::Status Forget(std::string name) EXCLUDES(mutex_);

  // The present version. NOT_FOUND: there is none. ABORTED: its number is not the expected one; absent: any.
  // UNAVAILABLE: Restore has not returned. FAILED_PRECONDITION: the graph's file could not be read.
  absl::StatusOr<std::shared_ptr<const StoredGraph>> Find(absl::string_view name,
                                                          std::optional<int64_t> expected_version = std::nullopt) const
      EXCLUDES(mutex_);
  absl::StatusOr<StoredGraphState> Describe(absl::string_view name) const EXCLUDES(mutex_);
  // By name; those that are not served too.
  absl::StatusOr<std::vector<StoredGraphState>> List() const EXCLUDES(mutex_);

  // INVALID_ARGUMENT: not a name that a stored graph can have.
  static absl::Status CheckName(absl::string_view name);
  // The models of a Put. INVALID_ARGUMENT: one of no graph classifier, or named twice; NOT_FOUND, UNAVAILABLE as
  // Registry::Find.
  absl::StatusOr<std::vector<std::shared_ptr<const GraphClassifier>>> FindModels(
      const std::vector<std::string>& names) const;
  int64_t max_nodes() const { return options_.max_nodes; }

  // From now on refuses changes. Waits until those that were accepted are carried out, or until `deadline`; returns how
  // many still wait.
  int64_t Drain(TimePoint deadline) EXCLUDES(mutex_);
  // Refuses the changes that wait with UNAVAILABLE, writes what is not saved, and ends the thread, after the change
  // under way: its jobs end with the scheduler's Drain.
  void Stop() EXCLUDES(mutex_);
  // How many changes were refused because of Drain.
  int64_t refused_by_drain() const EXCLUDES(mutex_);

 private:
  friend class GraphRoom;

  struct Entry {
    std::shared_ptr<const StoredGraph> version;  // null: unavailable
    absl::Status unavailable;
    int64_t saved_version = 0;
    TimePoint save_at = kNoDeadline;  // when the version is to be written
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  // Carries the change out, if `refused` is OK, and tells whoever asked.
  using Change = std::function<void(const absl::Status& refused)>;

  GraphStore(const GraphStoreOptions& options, const Registry& registry, Scheduler& scheduler, Metrics& metrics,
             int directory);

  absl::Status Enqueue(Change change) EXCLUDES(mutex_);
  absl::Status CheckRestored() const REQUIRES(mutex_);
  absl::Status CheckRoom(int64_t more) const REQUIRES(mutex_);
  absl::StatusOr<Entries::const_iterator> Present(absl::string_view name) const REQUIRES(mutex_);
  absl::StatusOr<std::shared_ptr<const GraphClassifier>> FindModel(const std::string& name) const;
  static absl::Status CheckVersion(const Entries::value_type& place, std::optional<int64_t> expected);
  static StoredGraphState State(const Entries::value_type& place);
  static int64_t BytesOf(const Entry& entry);

  // The rest runs on the store's thread alone.
  void Run() EXCLUDES(mutex_);
  absl::StatusOr<StoredGraphState> CarryOut(NewGraph& graph) EXCLUDES(mutex_);
  absl::StatusOr<StoredGraphState> CarryOut(const std::string& name, std::optional<int64_t> expected_version,
                                            const GraphUpdate& update) EXCLUDES(mutex_);
  absl::StatusOr<StoredGraphState> CarryOutDelete(const std::string& name, std::optional<int64_t> expected_version)
      EXCLUDES(mutex_);
  absl::Status CarryOutPrecompute(const std::shared_ptr<const GraphClassifier>& model) EXCLUDES(mutex_);
  void CarryOutForget(const std::string& name) EXCLUDES(mutex_);
  // Those that are served and want the outputs of the model `name`, with their names.
  std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> Wanting(const std::string& name) const
      EXCLUDES(mutex_);
  // Puts the versions in the present ones' place.
  void Replace(std::vector<std::pair<std::string, std::shared_ptr<const StoredGraph>>> versions) EXCLUDES(mutex_);
  absl::Status CarryOutRestore() EXCLUDES(mutex_);
  absl::StatusOr<std::shared_ptr<const StoredGraph>> ReadFile(const std::string& path, GraphRoom& room)
      EXCLUDES(mutex_);
  // Lets the model compute its outputs for the graph, all of them or, with `previous`, what changed; waits for them.
  Precomputed Compute(const std::shared_ptr<const GraphClassifier>& model, const std::shared_ptr<const Graph>& graph,
                      const std::shared_ptr<const GraphOutputs>& previous, const GraphChange& change);
  // Outputs that are missing, of the whole graph; or why there are none still.
  Precomputed ComputeAnew(const Precomputed& missing, const std::shared_ptr<const Graph>& graph);
  // Lets the outputs go, with the reason, if `room` has none for them beside `bytes`.
  static void Fit(Precomputed& one, int64_t bytes, GraphRoom& room);
  // Puts the version in its place, in the room that was made for it. The one before goes with no lock held.
  StoredGraphState Publish(const std::string& name, Entry entry, GraphRoom& room) EXCLUDES(mutex_);
  int64_t PresentVersion(const std::string& name) const EXCLUDES(mutex_);  // 0: none
  // Writes what is due at `now`.
  void Save(TimePoint now) EXCLUDES(mutex_);
  absl::Status WriteFile(const std::string& name, const StoredGraph& version);
  std::string Path(absl::string_view name) const;
  TimePoint NextSave() const REQUIRES(mutex_);
  void PublishMetrics() REQUIRES(mutex_);

  const GraphStoreOptions options_;
  const Registry& registry_;
  Scheduler& scheduler_;
  Metrics& metrics_;
  const int directory_;  // open and locked; -1: none

  mutable Mutex mutex_;
  CondVar work_;     // there may be something for the thread
  CondVar settled_;  // no change waits or is under way
  Entries entries_ GUARDED_BY(mutex_);
  std::deque<Change> changes_ GUARDED_BY(mutex_);
  bool busy_ GUARDED_BY(mutex_) = false;        // a change is under way
  int64_t graph_bytes_ GUARDED_BY(mutex_) = 0;  // of the present versions
  int64_t room_bytes_ GUARDED_BY(mutex_) = 0;   // of GraphRooms
  bool restored_ GUARDED_BY(mutex_) = false;
  bool draining_ GUARDED_BY(mutex_) = false;
  bool stop_ GUARDED_BY(mutex_) = false;
  mutable int64_t refused_by_drain_ GUARDED_BY(mutex_) = 0;

  std::thread thread_;  // constant after construction until Stop
};

}  // namespace heed
