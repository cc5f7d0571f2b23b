#include "server/registry.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/status_macros.h"
#include "server/excerpt.h"
#include "server/refusal.h"

namespace heed {
namespace {

// Of a name that is not known, in a message.
constexpr size_t kLongestEcho = 128;

absl::Status Loading(absl::string_view message) {
  return WithRetryDelay(absl::UnavailableError(message), kDefaultRetryDelay);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(const std::string& directory, LoadFunction load) {
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) {
    return absl::NotFoundError(absl::StrCat("--models=", directory, ": no such directory"));
  }
  std::vector<ModelStatus> models;
  std::filesystem::directory_iterator entries(directory, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;  // an entry that cannot be looked into is no model
    if (!std::filesystem::exists(entries->path() / "config.json", ignored)) continue;
    models.emplace_back().name = entries->path().filename().string();
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat("--models=", directory, ": ", error.message()));
  std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return std::unique_ptr<Registry>(new Registry(directory, std::move(load), std::move(models)));
}

Registry::Registry(std::string directory, LoadFunction load, std::vector<ModelStatus> models)
    : directory_(std::move(directory)), load_(std::move(load)), models_(std::move(models)) {}

// Loading returns its errors; what the standard library throws meanwhile (no memory, no permission) is one more.
absl::StatusOr<std::shared_ptr<const Model>> Registry::Load(const std::string& path) const try {
  return load_(path);
} catch (const std::exception& error) {
  return absl::InternalError(path + ": " + error.what());
}

void Registry::LoadAll(const Listener& listener) {
  const std::vector<ModelStatus> found = List();
  for (size_t i = 0; i < found.size(); ++i) {
    {
      MutexLock lock(mutex_);
      if (stop_) return;
    }
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<std::shared_ptr<const Model>> model =
        Load((std::filesystem::path(directory_) / found[i].name).string());
    ModelStatus status = found[i];
    status.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (model.ok()) {
      status.state = ModelState::kReady;
      status.model = *model;
    } else {
      status.state = ModelState::kUnavailable;
      status.reason = model.status();
    }
    {
      MutexLock lock(mutex_);
      models_[i] = status;
    }
    listener(status);
  }
}

void Registry::Stop() {
  MutexLock lock(mutex_);
  stop_ = true;
}

std::vector<ModelStatus> Registry::List() const {
  MutexLock lock(mutex_);
  return models_;
}

absl::StatusOr<std::shared_ptr<const Model>> Registry::Find(absl::string_view name, absl::string_view kind) const {
  MutexLock lock(mutex_);
  if (!name.empty()) {
    HEED_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, FindNamed(name));
    if (model->spec().kind != kind) {
      return absl::InvalidArgumentError(
          absl::StrCat("model: \"", name, "\" is a ", model->spec().kind, ", not a ", kind));
    }
    return model;
  }
  std::vector<std::string> names;
  std::shared_ptr<const Model> only;
  for (const ModelStatus& model : models_) {
    // A model that is not there yet may turn out to be the second.
    if (model.state == ModelState::kLoading) return Loading("the models are loading");
    if (model.state != ModelState::kReady || model.model->spec().kind != kind) continue;
    only = model.model;
    names.push_back(model.name);
  }
  if (names.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("model: is empty, and there are ", names.size(), " of kind ", kind,
                                                   ": ", absl::StrJoin(names, ", ")));
  }
  if (only == nullptr) return absl::NotFoundError(absl::StrCat("model: this server has no ", kind));
  return only;
}

absl::StatusOr<std::shared_ptr<const Model>> Registry::Find(absl::string_view name) const {
  MutexLock lock(mutex_);
  return FindNamed(name);
}

absl::StatusOr<std::shared_ptr<const Model>> Registry::FindNamed(absl::string_view name) const {
  auto it = std::find_if(models_.begin(), models_.end(), [&](const ModelStatus& model) { return model.name == name; });
  if (it == models_.end())
    return absl::NotFoundError(absl::StrCat("model: there is no \"", Excerpt(name, kLongestEcho), "\""));
  if (it->state == ModelState::kLoading) {
    return Loading(absl::StrCat("model: \"", name, "\" is loading"));
  }
  if (it->state == ModelState::kUnavailable) {
    return absl::UnavailableError(absl::StrCat("model: \"", name, "\" failed to load: ", it->reason.message()));
  }
  return it->model;
}

}  // namespace heed
