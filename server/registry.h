// The models that this server serves: one for each sub-directory of a directory that has a config.json.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/mutex.h"
#include "models/task.h"

namespace heed {

enum class ModelState { kLoading, kReady, kUnavailable };

// What is known of one model at a time.
struct ModelStatus {
  std::string name;
  ModelState state = ModelState::kLoading;
  absl::Status reason;                 // why it is unavailable; OK otherwise
  std::shared_ptr<const Model> model;  // set if ready
  double load_seconds = 0;             // of the attempt to load; 0 while it has not ended
};

// Thread-safe. A model that was handed out stays alive for as long as somebody holds it.
class Registry {
 public:
  // models/architectures.h's LoadModel, or a test's own.
  using LoadFunction = std::function<absl::StatusOr<std::shared_ptr<const Model>>(const std::string& path)>;
  // Called with no lock held, on the thread that calls LoadAll.
  using Listener = std::function<void(const ModelStatus&)>;

  // Finds the model directories below `directory`; loads none. NOT_FOUND: `directory` does not exist. INVALID_ARGUMENT:
  // it is not a directory or cannot be read.
  static absl::StatusOr<std::unique_ptr<Registry>> Open(const std::string& directory, LoadFunction load);

  // Tries each model once, one after the other; `listener` hears of each when its state has changed. A model that fails
  // is unavailable and harms no other. Returns early after Stop. Call once.
  void LoadAll(const Listener& listener);
  // LoadAll loads no further model.
  void Stop();

  // Every model that was found, by name.
  std::vector<ModelStatus> List() const;

  // The model `name`; if it is empty, the only one of `kind`. NOT_FOUND: there is none. UNAVAILABLE: it is loading, or
  // failed to load and why. INVALID_ARGUMENT: it is of another kind, or `name` is empty and there are several.
  absl::StatusOr<std::shared_ptr<const Model>> Find(absl::string_view name, absl::string_view kind) const;
  // The model `name`, of whatever kind.
  absl::StatusOr<std::shared_ptr<const Model>> Find(absl::string_view name) const;

 private:
  Registry(std::string directory, LoadFunction load, std::vector<ModelStatus> models);
  absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& path) const;
  absl::StatusOr<std::shared_ptr<const Model>> FindNamed(absl::string_view name) const REQUIRES(mutex_);

  const std::string directory_;
  const LoadFunction load_;

  mutable Mutex mutex_;
  std::vector<ModelStatus> models_ GUARDED_BY(mutex_);  // sorted by name; their number and names are constant
  bool stop_ GUARDED_BY(mutex_) = false;
};

}  // namespace heed
