// SPDX-License-Identifier: Apache-2.0
// Loads and unloads models while others serve: one change after the other, on a thread of its own. Once all models were
// loaded for the first time that has a low priority, so that traffic hardly notices.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "server/registry/registry.h"

namespace heed {

struct ModelLoaderOptions {
  Clock::duration poll_interval{0};  // how often changed directories are looked for; 0: never
  size_t max_queued_changes = 64;    // beyond it RESOURCE_EXHAUSTED
};

// Thread-safe.
class ModelLoader {
 public:
  using Done = std::function<void(const absl::Status&)>;

  // `registry` and `observer` outlive it; nobody else changes the registry meanwhile.
  ModelLoader(const ModelLoaderOptions& options, Registry& registry, ModelObserver& observer);
  ~ModelLoader();
  ModelLoader(const ModelLoader&) = delete;
  ModelLoader& operator=(const ModelLoader&) = delete;

  // Begins with all models; then calls `loaded`, on the thread, and goes on with what Load and Unload ask for. Call
  // once.
  void Start(std::function<void()> loaded);
  // Refuses what waits and what comes with UNAVAILABLE; the version being loaded is the last. Returns at once.
  void Stop() EXCLUDES(mutex_);
  // Waits for the thread to end, after Stop.
  void Join();

  // Registry::Load and Unload, later; `done` hears how it went, on the thread, or at once if it is refused.
  void Load(std::string name, std::vector<int64_t> versions, Done done) EXCLUDES(mutex_);
  void Unload(std::string name, Done done) EXCLUDES(mutex_);

 private:
  struct Change {
    std::function<absl::Status()> carry_out;
    Done done;
  };

  void Enqueue(Change change) EXCLUDES(mutex_);
  void Run(const std::function<void()>& loaded);
  // Waits for the next change; nothing to carry out: it is time to look after other things. False: stop.
  bool Next(TimePoint wake, Change& change) EXCLUDES(mutex_);
  void Poll();

  const ModelLoaderOptions options_;
  Registry& registry_;
  ModelObserver& observer_;

  Mutex mutex_;
  CondVar work_;
  std::deque<Change> changes_ GUARDED_BY(mutex_);
  bool stop_ GUARDED_BY(mutex_) = false;

  std::thread thread_;  // constant after Start until Join
};

}  // namespace heed
