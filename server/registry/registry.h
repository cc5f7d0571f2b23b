// SPDX-License-Identifier: Apache-2.0
// The models that this server serves, and their versions, as they lie below one directory
// (server/registry/model_directory.h).
//
// Loading happens beside what serves: a version is read, warmed up and checked before it takes over, in one moment. A
// request runs to its end on the version that it found. A version that fails takes nothing away: what served before
// goes on, and the failure is told.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/name_patterns.h"
#include "models/kinds/model.h"
#include "server/registry/model_directory.h"
#include "server/registry/model_precisions.h"
#include "server/registry/version_policy.h"

namespace heed {

enum class ModelState {
  kLoading,
  kReady,
  kUnavailable,  // failed to load
  kUnloaded,     // not wanted: its policy does not choose it, or Unload
};

// What is known of one version of a model at a time.
struct ModelStatus {
  std::string name;
  int64_t version = 1;
  ModelState state = ModelState::kLoading;
  // Why it is unavailable; of a version that is ready: why the last attempt to load it again failed.
  absl::Status reason;
  std::shared_ptr<const Model> model;  // set if ready
  double load_seconds = 0;             // of the last attempt to load; 0 while none has ended
  bool is_default = false;             // the highest that is ready: requests that name no version get it
};

// A model that was found for a request.
struct ServedModel {
  std::shared_ptr<const Model> model;
  int64_t version = 1;
};

// What happens to models while others serve. Called with no lock held, on the thread that loads or unloads.
class ModelObserver {
 public:
  virtual ~ModelObserver() = default;
  // Warms up and checks a model that is to serve, as the model's default version or beside it. Not OK: it fails.
  virtual absl::Status Prepare(const std::shared_ptr<const Model>& model, bool is_default);
  // A version was tried, or has left.
  virtual void OnChange(const ModelStatus& version) = 0;
};

struct RegistryOptions {
  VersionPolicies policies;
  ModelPrecisions precisions;
  std::string model_name;  // of the model that the directory is itself; empty: the directory's
  // How long a version that was replaced stays for the sessions that were opened with it, if no version that serves has
  // the same fingerprint.
  Clock::duration session_pin = std::chrono::seconds(600);
};

// Thread-safe; but of LoadAll, Load, Unload and Sweep one at a time. A model that was handed out stays alive for as
// long as somebody holds it.
class Registry {
 public:
  // models/probe.h's LoadProbedModel, or a test's own.
  using LoadFunction = std::function<absl::StatusOr<std::shared_ptr<const Model>>(
      const std::string& path, const std::string& name, Precision precision)>;

  // Finds the model directories below `directory`; loads none. A model that cannot be looked into is one that fails to
  // load. NOT_FOUND: `directory` does not exist. INVALID_ARGUMENT: it is not a directory or cannot be read.
  static absl::StatusOr<std::unique_ptr<Registry>> Open(const std::string& directory, LoadFunction load,
                                                        RegistryOptions options = {});

  // Loads every model that was found, one after the other, as Load does. A model that fails harms no other. Returns
  // early after Stop.
  void LoadAll(ModelObserver& observer);
  // LoadAll and Load load no further version.
  void Stop() EXCLUDES(mutex_);
  bool stopped() const EXCLUDES(mutex_);

  // Looks into the model's directory again and loads the versions that its policy chooses, those that serve again, too;
  // then the versions that it does not choose leave. With `versions`, those are its policy from now on, until the next
  // Load without; Reload keeps the policy that it has. FAILED_PRECONDITION: one failed, and why; then none leaves.
  // NOT_FOUND: there is no such model, or a version that is listed is not there: nothing changes. INVALID_ARGUMENT:
  // `name` is no directory's name. UNAVAILABLE: Stop.
  absl::Status Load(const std::string& name, const std::vector<int64_t>& versions, ModelObserver& observer);
  absl::Status Reload(const std::string& name, ModelObserver& observer);
  // All versions leave, those kept for sessions too. NOT_FOUND: there is no such model.
  absl::Status Unload(const std::string& name, ModelObserver& observer);
  // The models whose directories have versions that were not there when they were last loaded, have lost some, or have
  // files of another time or size; new ones included. By name; those that were unloaded aside.
  std::vector<std::string> Changed() const;

  // Lets go of replaced versions whose time for sessions is over at `now`, and destroys the models that left and that
  // no request holds any more, on this thread. Tells how many these were, and how many are still held.
  struct Swept {
    int destroyed = 0;
    int held = 0;
  };
  Swept Sweep(TimePoint now);

  // Why Open found no model, if it found none.
  std::string WhyNone() const { return directory_.WhyNone(); }
  // Every version that was found or serves, by name and version.
  std::vector<ModelStatus> List() const;
  // Grows with every change of what List tells, so that what is made of it can be kept.
  int64_t changes() const EXCLUDES(mutex_);

  // The default version of the model `name`; if it is empty, of the only one of `kind`. NOT_FOUND: there is none.
  // UNAVAILABLE: it is loading, failed to load and why, or was unloaded. INVALID_ARGUMENT: it is of another kind, or
  // `name` is empty and there are several.
  absl::StatusOr<std::shared_ptr<const Model>> Find(absl::string_view name, ModelKind kind) const;
  // The same as T, the interface of `kind`.
  template <typename T>
  absl::StatusOr<std::shared_ptr<const T>> Find(absl::string_view name, ModelKind kind) const {
    absl::StatusOr<std::shared_ptr<const Model>> model = Find(name, kind);
    if (!model.ok()) return model.status();
    return ModelAs<T>(*std::move(model));
  }
  // The same of the version `version`; 0: the default one, which is said in the answer. INVALID_ARGUMENT: it is
  // negative, or `name` is empty. If `name` is empty, the only one of `kind` among `allowed`; null: among all.
  absl::StatusOr<ServedModel> FindServed(absl::string_view name, int64_t version, ModelKind kind,
                                         const NamePatterns* allowed = nullptr) const;
  // The model `name`, of whatever kind.
  absl::StatusOr<std::shared_ptr<const Model>> Find(absl::string_view name) const;
  // The version `version` of it; if that is empty, the default one. INVALID_ARGUMENT: `version` is no number.
  absl::StatusOr<ServedModel> FindVersion(absl::string_view name, absl::string_view version) const;
  // A version of the model with this fingerprint: one that serves, or one that is kept for sessions. Null: none.
  std::shared_ptr<const Model> FindFingerprint(absl::string_view name, absl::string_view fingerprint) const;
  // The number of the version that FindFingerprint finds. 0: it finds none, or one that is only kept for sessions.
  int64_t VersionOf(absl::string_view name, absl::string_view fingerprint) const;

 private:
  struct Version {
    ModelState state = ModelState::kUnloaded;
    absl::Status reason;
    std::shared_ptr<const Model> model;
    double load_seconds = 0;
    std::string stamp;  // of its files when it was last tried
  };
  // Replaced, and kept for sessions.
  struct Pinned {
    std::shared_ptr<const Model> model;
    TimePoint until;
  };
  struct Entry {
    std::map<int64_t, Version> versions;
    std::vector<int64_t> listed;  // the policy that the last Load gave; none: that of the options
    std::vector<Pinned> pinned;
    bool unloaded = false;

    // The highest that is ready; null: none is.
    const std::pair<const int64_t, Version>* Default() const;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  Registry(std::string directory, LoadFunction load, RegistryOptions options, Entries entries)
      : directory_(std::move(directory), options.model_name),
        load_(std::move(load)),
        options_(std::move(options)),
        entries_(std::move(entries)) {}

  // The versions that are to serve of those that were found: what `listed` says, or else the model's policy.
  absl::StatusOr<std::vector<int64_t>> Choose(const std::string& name, const FoundVersions& found,
                                              const std::vector<int64_t>& listed) const;
  // Notes what is about to be loaded.
  void BeginLoad(const std::string& name, const FoundVersions& found, const std::vector<int64_t>& listed,
                 const std::vector<int64_t>& chosen) EXCLUDES(mutex_);
  // Loads one version and puts it in the place of the one that serves. FAILED_PRECONDITION: it failed; nothing changes.
  absl::Status LoadVersion(const std::string& name, int64_t number, const FoundVersion& found, bool is_default,
                           ModelObserver& observer) EXCLUDES(mutex_);
  // The versions that are not chosen leave.
  void RetireUnwanted(const std::string& name, const FoundVersions& found, const std::vector<int64_t>& chosen,
                      ModelObserver& observer) EXCLUDES(mutex_);
  absl::StatusOr<std::shared_ptr<const Model>> LoadBeside(const FoundVersion& found, const std::string& name,
                                                          bool is_default, ModelObserver& observer) const;
  // The highest version that serves and has the fingerprint; its number is 0 if there is none.
  ServedModel FindServing(absl::string_view name, absl::string_view fingerprint) const REQUIRES(mutex_);
  absl::StatusOr<ServedModel> FindNamed(absl::string_view name, std::optional<int64_t> version) const REQUIRES(mutex_);
  // Those are kept for sessions no more.
  void Unpin(Entry& entry, const std::function<bool(const Pinned&)>& which) REQUIRES(mutex_);
  // The model leaves `entry`: kept for sessions if it may be, or as long as requests hold it.
  void Retire(std::shared_ptr<const Model> model, Entry& entry) REQUIRES(mutex_);
  std::vector<ModelStatus> StatusOf(absl::string_view name) const REQUIRES(mutex_);

  const ModelDirectory directory_;
  const LoadFunction load_;
  const RegistryOptions options_;

  mutable Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const Model>> leaving_ GUARDED_BY(mutex_);  // until only this holds them
  bool stop_ GUARDED_BY(mutex_) = false;
  int64_t changes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace heed
