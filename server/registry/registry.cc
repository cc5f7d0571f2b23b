// SPDX-License-Identifier: Apache-2.0
#include "server/registry/registry.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// Changes when a file of the version comes, goes or is written, or when its directory is another.
std::string StampOf(const FoundVersion& found) {
  const std::string& path = found.path;
  std::vector<std::string> files = {absl::StrCat(path, " ", found.status.message())};
  std::error_code error;
  std::filesystem::directory_iterator entries(path, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;
    if (!entries->is_regular_file(ignored)) continue;
    files.push_back(absl::StrCat(entries->path().filename().string(), " ", entries->file_size(ignored), " ",
                                 entries->last_write_time(ignored).time_since_epoch().count()));
  }
  std::sort(files.begin(), files.end());
  return absl::StrJoin(files, "\n");
}

absl::Status CheckName(absl::string_view name) {
  if (IsModelName(name)) return absl::OkStatus();
  return InvalidField("model", Quoted(name), " is not the name of a directory");
}

absl::Status NoSuchModel(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("model: there is no ", Quoted(name)));
}

absl::Status Loading(absl::string_view message) {
  return WithRetryDelay(absl::UnavailableError(message), kDefaultRetryDelay);
}

std::vector<int64_t> NumbersOf(const FoundVersions& found) {
  std::vector<int64_t> numbers;
  for (const auto& [number, version] : found) numbers.push_back(number);
  return numbers;
}

}  // namespace

absl::Status ModelObserver::Prepare(const std::shared_ptr<const Model>&, bool) { return absl::OkStatus(); }

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(const std::string& directory, LoadFunction load,
                                                         RegistryOptions options) {
  Entries found;
  HEED_ASSIGN_OR_RETURN(const auto models, ModelDirectory(directory, options.model_name).Find());
  for (const auto& [name, paths] : models) {
    Entry& entry = found[name];
    for (const auto& [version, path] : paths) entry.versions[version];
    const std::vector<int64_t> versions = NumbersOf(paths);
    const absl::StatusOr<std::vector<int64_t>> chosen = options.policies.Of(name).Choose(versions);
    // LoadAll tells why none is chosen.
    for (const int64_t version : chosen.ok() ? *chosen : versions) {
      entry.versions[version].state = ModelState::kLoading;
    }
  }
  return std::unique_ptr<Registry>(new Registry(directory, std::move(load), std::move(options), std::move(found)));
}

const std::pair<const int64_t, Registry::Version>* Registry::Entry::Default() const {
  const auto found =
      std::find_if(versions.rbegin(), versions.rend(), [](const auto& item) { return item.second.model != nullptr; });
  return found == versions.rend() ? nullptr : &*found;
}

int64_t Registry::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

bool Registry::stopped() const {
  MutexLock lock(mutex_);
  return stop_;
}

void Registry::LoadAll(ModelObserver& observer) {
  std::vector<std::string> names;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, entry] : entries_) names.push_back(name);
  }
  for (const std::string& name : names) {
    const absl::Status status = Load(name, {}, observer);
    if (!absl::IsNotFound(status)) continue;
    // Nothing that the policy wants is there.
    std::vector<ModelStatus> changed;
    {
      MutexLock lock(mutex_);
      ++changes_;
      for (auto& [number, version] : entries_.find(name)->second.versions) {
        version.state = ModelState::kUnavailable;
        version.reason = status;
      }
      changed = StatusOf(name);
    }
    for (const ModelStatus& one : changed) observer.OnChange(one);
  }
}

void Registry::Stop() {
  MutexLock lock(mutex_);
  stop_ = true;
}

// Loading returns its errors; what the standard library throws meanwhile (no memory, no permission) is one more.
absl::StatusOr<std::shared_ptr<const Model>> Registry::LoadBeside(const FoundVersion& found, const std::string& name,
                                                                  bool is_default, ModelObserver& observer) const try {
  HEED_RETURN_IF_ERROR(found.status);
  HEED_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, load_(found.path, name, options_.precisions.Of(name)));
  HEED_RETURN_IF_ERROR(observer.Prepare(model, is_default));
  return model;
} catch (const std::exception& error) {
  return absl::InternalError(found.path + ": " + error.what());
}

absl::StatusOr<std::vector<int64_t>> Registry::Choose(const std::string& name, const FoundVersions& found,
                                                      const std::vector<int64_t>& listed) const {
  VersionPolicy policy = options_.policies.Of(name);
  if (!listed.empty()) {
    policy.listed = listed;
    std::sort(policy.listed.begin(), policy.listed.end());
    policy.listed.erase(std::unique(policy.listed.begin(), policy.listed.end()), policy.listed.end());
  }
  absl::StatusOr<std::vector<int64_t>> chosen = policy.Choose(NumbersOf(found));
  if (chosen.ok()) return chosen;
  return absl::Status(chosen.status().code(), absl::StrCat("model: \"", name, "\": ", chosen.status().message()));
}

void Registry::BeginLoad(const std::string& name, const FoundVersions& found, const std::vector<int64_t>& listed,
                         const std::vector<int64_t>& chosen) {
  MutexLock lock(mutex_);
  ++changes_;
  Entry& entry = entries_[name];
  entry.listed = listed;
  entry.unloaded = false;
  for (const auto& [number, path] : found) entry.versions[number];
  for (auto& [number, version] : entry.versions) {
    if (version.model != nullptr) continue;
    const bool wanted = std::binary_search(chosen.begin(), chosen.end(), number);
    version.state = wanted ? ModelState::kLoading : ModelState::kUnloaded;
  }
}

absl::Status Registry::Load(const std::string& name, const std::vector<int64_t>& versions, ModelObserver& observer) {
  HEED_RETURN_IF_ERROR(CheckName(name));
  HEED_ASSIGN_OR_RETURN(const auto models, directory_.Find());
  const auto there = models.find(name);
  if (there == models.end()) return NoSuchModel(name);
  const FoundVersions& found = there->second;
  HEED_ASSIGN_OR_RETURN(const std::vector<int64_t> chosen, Choose(name, found, versions));
  BeginLoad(name, found, versions, chosen);
  absl::Status failure;
  // The highest first: what takes over does so before others take time.
  for (auto number = chosen.rbegin(); number != chosen.rend(); ++number) {
    if (stopped()) return absl::UnavailableError("the server is shutting down");
    failure.Update(LoadVersion(name, *number, found.at(*number), /*is_default=*/number == chosen.rbegin(), observer));
  }
  HEED_RETURN_IF_ERROR(failure);
  RetireUnwanted(name, found, chosen, observer);
  return absl::OkStatus();
}

absl::Status Registry::LoadVersion(const std::string& name, int64_t number, const FoundVersion& found, bool is_default,
                                   ModelObserver& observer) {
  const std::string stamp = StampOf(found);
  const TimePoint start = Clock::now();
  absl::StatusOr<std::shared_ptr<const Model>> model = LoadBeside(found, name, is_default, observer);
  absl::Status failure;
  if (!model.ok()) {
    failure = absl::FailedPreconditionError(
        absl::StrCat("model: \"", name, "\" version ", number, " failed to load: ", model.status().message()));
  }
  ModelStatus changed;
  {
    MutexLock lock(mutex_);
    ++changes_;
    Entry& entry = entries_.find(name)->second;
    Version& version = entry.versions[number];
    version.load_seconds = ToSeconds(Clock::now() - start);
    version.stamp = stamp;
    version.reason = model.status();
    if (model.ok()) {
      version.state = ModelState::kReady;
      std::shared_ptr<const Model> old = std::exchange(version.model, *std::move(model));
      if (old != nullptr) Retire(std::move(old), entry);
    } else if (version.model == nullptr) {
      version.state = ModelState::kUnavailable;
    }
    for (ModelStatus& status : StatusOf(name)) {
      if (status.version == number) changed = std::move(status);
    }
  }
  observer.OnChange(changed);
  return failure;
}

void Registry::RetireUnwanted(const std::string& name, const FoundVersions& found, const std::vector<int64_t>& chosen,
                              ModelObserver& observer) {
  std::vector<ModelStatus> changed;
  {
    MutexLock lock(mutex_);
    ++changes_;
    Entry& entry = entries_.find(name)->second;
    std::vector<std::shared_ptr<const Model>> left;
    std::vector<int64_t> numbers;
    for (auto it = entry.versions.begin(); it != entry.versions.end();) {
      auto& [number, version] = *it;
      if (std::binary_search(chosen.begin(), chosen.end(), number)) {
        ++it;
        continue;
      }
      if (version.model != nullptr) {
        left.push_back(std::move(version.model));
        numbers.push_back(number);
      }
      version = {};
      const bool remains = found.contains(number);
      if (!remains) changed.push_back({.name = name, .version = number, .state = ModelState::kUnloaded});
      it = remains ? std::next(it) : entry.versions.erase(it);
    }
    for (std::shared_ptr<const Model>& model : left) Retire(std::move(model), entry);
    for (ModelStatus& status : StatusOf(name)) {
      if (std::find(numbers.begin(), numbers.end(), status.version) != numbers.end()) changed.push_back(status);
    }
  }
  for (const ModelStatus& status : changed) observer.OnChange(status);
}

absl::Status Registry::Reload(const std::string& name, ModelObserver& observer) {
  std::vector<int64_t> listed;
  {
    MutexLock lock(mutex_);
    if (const auto found = entries_.find(name); found != entries_.end()) listed = found->second.listed;
  }
  return Load(name, listed, observer);
}

absl::Status Registry::Unload(const std::string& name, ModelObserver& observer) {
  std::vector<ModelStatus> changed;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return NoSuchModel(name);
    ++changes_;
    Entry& entry = found->second;
    entry.unloaded = true;
    entry.listed.clear();
    Unpin(entry, [](const Pinned&) { return true; });
    for (auto& [number, version] : entry.versions) {
      if (version.model != nullptr) leaving_.push_back(std::move(version.model));
      version = {};
    }
    changed = StatusOf(name);
  }
  for (const ModelStatus& status : changed) observer.OnChange(status);
  return absl::OkStatus();
}

void Registry::Unpin(Entry& entry, const std::function<bool(const Pinned&)>& which) {
  const auto first =
      std::stable_partition(entry.pinned.begin(), entry.pinned.end(), [&](const Pinned& one) { return !which(one); });
  for (auto pinned = first; pinned != entry.pinned.end(); ++pinned) leaving_.push_back(std::move(pinned->model));
  entry.pinned.erase(first, entry.pinned.end());
}

void Registry::Retire(std::shared_ptr<const Model> model, Entry& entry) {
  const std::string& fingerprint = model->spec().fingerprint;
  const auto serves = [&](const std::string& wanted) {
    return std::any_of(entry.versions.begin(), entry.versions.end(), [&](const auto& item) {
      return item.second.model != nullptr && item.second.model->spec().fingerprint == wanted;
    });
  };
  // One for each fingerprint that does not serve.
  Unpin(entry, [&](const Pinned& pinned) {
    const std::string& other = pinned.model->spec().fingerprint;
    return other == fingerprint || serves(other);
  });
  if (fingerprint.empty() || serves(fingerprint)) {
    leaving_.push_back(std::move(model));
  } else {
    entry.pinned.push_back({std::move(model), Clock::now() + options_.session_pin});
  }
}

Registry::Swept Registry::Sweep(TimePoint now) {
  std::vector<std::shared_ptr<const Model>> gone;  // destroyed without the lock
  Swept swept;
  MutexLock lock(mutex_);
  for (auto& [name, entry] : entries_) {
    Unpin(entry, [now](const Pinned& pinned) { return pinned.until <= now; });
    swept.held += static_cast<int>(entry.pinned.size());
  }
  // Nobody can find these any more, so what is held here alone stays so.
  std::erase_if(leaving_, [&](std::shared_ptr<const Model>& model) {
    if (model.use_count() > 1) return false;
    gone.push_back(std::move(model));
    return true;
  });
  swept.destroyed = static_cast<int>(gone.size());
  swept.held += static_cast<int>(leaving_.size());
  return swept;
}

std::vector<std::string> Registry::Changed() const {
  std::map<std::string, std::map<int64_t, std::string>> stamps;  // of what is there
  const auto models = directory_.Find();
  if (!models.ok()) return {};
  for (const auto& [name, versions] : *models) {
    for (const auto& [version, found] : versions) stamps[name][version] = StampOf(found);
  }
  std::vector<std::string> names;
  MutexLock lock(mutex_);
  for (const auto& [name, versions] : stamps) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      names.push_back(name);
      continue;
    }
    const Entry& entry = found->second;
    if (entry.unloaded) continue;
    bool changed = entry.versions.size() != versions.size();
    for (const auto& [number, version] : entry.versions) {
      const auto there = versions.find(number);
      changed |= there == versions.end() || (!version.stamp.empty() && version.stamp != there->second);
    }
    if (changed) names.push_back(name);
  }
  return names;
}

std::vector<ModelStatus> Registry::StatusOf(absl::string_view name) const {
  const auto found = entries_.find(name);
  std::vector<ModelStatus> statuses;
  const auto* const best = found->second.Default();
  for (const auto& [number, version] : found->second.versions) {
    // A status of its own: copies would count their references across threads, which the thread sanitizer cannot follow
    // into Abseil's library.
    const absl::Status reason(version.reason.code(), version.reason.message());
    statuses.push_back({found->first, number, version.state, reason, version.model, version.load_seconds,
                        best != nullptr && best->first == number});
  }
  return statuses;
}

std::vector<ModelStatus> Registry::List() const {
  MutexLock lock(mutex_);
  std::vector<ModelStatus> all;
  for (const auto& [name, entry] : entries_) {
    for (ModelStatus& status : StatusOf(name)) all.push_back(std::move(status));
  }
  return all;
}

absl::StatusOr<std::shared_ptr<const Model>> Registry::Find(absl::string_view name, ModelKind kind) const {
  HEED_ASSIGN_OR_RETURN(ServedModel served, FindServed(name, 0, kind));
  return std::move(served.model);
}

absl::StatusOr<ServedModel> Registry::FindServed(absl::string_view name, int64_t version, ModelKind kind,
                                                 const NamePatterns* allowed) const {
  if (version < 0) return InvalidField("model_version", version, ", must be at least 1, or 0 for the default version");
  if (version > 0 && name.empty()) return InvalidField("model_version", version, ", but model is empty");
  MutexLock lock(mutex_);
  if (!name.empty()) {
    HEED_ASSIGN_OR_RETURN(ServedModel served,
                          FindNamed(name, version > 0 ? std::optional<int64_t>(version) : std::nullopt));
    if (served.model->kind() != kind) {
      return InvalidField("model", "\"", name, "\" is a ", KindName(served.model->kind()), ", not a ", KindName(kind));
    }
    return served;
  }
  std::vector<std::string> names;
  ServedModel only;
  for (const auto& [model_name, entry] : entries_) {
    if (allowed != nullptr && !allowed->Match(model_name)) continue;
    const auto* const best = entry.Default();
    if (best == nullptr) {
      // A model that is not there yet may turn out to be the second.
      const bool loading = std::any_of(entry.versions.begin(), entry.versions.end(),
                                       [](const auto& item) { return item.second.state == ModelState::kLoading; });
      if (loading) return Loading("the models are loading");
      continue;
    }
    if (best->second.model->kind() != kind) continue;
    only = {best->second.model, best->first};
    names.push_back(model_name);
  }
  if (names.size() > 1) {
    return InvalidField("model", "is empty, and there are ", names.size(), " of kind ", KindName(kind), ": ",
                        absl::StrJoin(names, ", "));
  }
  if (only.model == nullptr) return absl::NotFoundError(absl::StrCat("model: this server has no ", KindName(kind)));
  return only;
}

absl::StatusOr<std::shared_ptr<const Model>> Registry::Find(absl::string_view name) const {
  MutexLock lock(mutex_);
  HEED_ASSIGN_OR_RETURN(ServedModel served, FindNamed(name, std::nullopt));
  return std::move(served.model);
}

absl::StatusOr<ServedModel> Registry::FindVersion(absl::string_view name, absl::string_view version) const {
  std::optional<int64_t> number;
  if (!version.empty()) {
    absl::StatusOr<int64_t> parsed = ParseVersion(version);
    if (!parsed.ok()) {
      return InvalidField("model_version", parsed.status().message());
    }
    number = *parsed;
  }
  MutexLock lock(mutex_);
  return FindNamed(name, number);
}

std::shared_ptr<const Model> Registry::FindFingerprint(absl::string_view name, absl::string_view fingerprint) const {
  MutexLock lock(mutex_);
  if (ServedModel served = FindServing(name, fingerprint); served.model != nullptr) return std::move(served.model);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  for (const Pinned& pinned : found->second.pinned) {
    if (pinned.model->spec().fingerprint == fingerprint && Clock::now() < pinned.until) return pinned.model;
  }
  return nullptr;
}

int64_t Registry::VersionOf(absl::string_view name, absl::string_view fingerprint) const {
  MutexLock lock(mutex_);
  return FindServing(name, fingerprint).version;
}

ServedModel Registry::FindServing(absl::string_view name, absl::string_view fingerprint) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return {nullptr, 0};
  const auto& versions = found->second.versions;
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    const std::shared_ptr<const Model>& model = version->second.model;
    if (model != nullptr && model->spec().fingerprint == fingerprint) return {model, version->first};
  }
  return {nullptr, 0};
}

absl::StatusOr<ServedModel> Registry::FindNamed(absl::string_view name, std::optional<int64_t> version) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return NoSuchModel(name);
  const Entry& entry = found->second;
  const std::pair<const int64_t, Version>* one = entry.Default();
  std::string which = absl::StrCat("model: \"", name, "\"");
  if (version) {
    const auto numbered = entry.versions.find(*version);
    if (numbered == entry.versions.end()) {
      std::vector<int64_t> numbers;
      for (const auto& [number, ignored] : entry.versions) numbers.push_back(number);
      return absl::NotFoundError(absl::StrCat("model_version: \"", name, "\" has no version ", *version,
                                              "; these are there: ", absl::StrJoin(numbers, ", ")));
    }
    one = &*numbered;
    absl::StrAppend(&which, " version ", *version);
  } else if (one == nullptr) {
    // What is being tried, or was, tells more than what is not wanted.
    const auto tried = std::find_if(entry.versions.rbegin(), entry.versions.rend(),
                                    [](const auto& item) { return item.second.state != ModelState::kUnloaded; });
    if (tried == entry.versions.rend()) return absl::UnavailableError(absl::StrCat(which, " is not loaded"));
    one = &*tried;
  }
  switch (one->second.state) {
    case ModelState::kReady:
      return ServedModel{one->second.model, one->first};
    case ModelState::kLoading:
      return Loading(absl::StrCat(which, " is loading"));
    case ModelState::kUnavailable:
      return absl::UnavailableError(absl::StrCat(which, " failed to load: ", one->second.reason.message()));
    case ModelState::kUnloaded:
      break;
  }
  return absl::UnavailableError(absl::StrCat(which, " is not loaded"));
}

}  // namespace heed
