// SPDX-License-Identifier: Apache-2.0
#include "server/registry/model_directory.h"

#include <climits>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/registry/version_policy.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

constexpr char kConfig[] = "config.json";
constexpr absl::string_view kCachePrefix = "models--";
constexpr size_t kMaxRevision = 64;  // characters of a commit's name
// What a directory that lacks config.json should not hold.
constexpr const char* kWeights[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                    "pytorch_model.bin.index.json"};

absl::Status Failed(const fs::path& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(path.string(), ": ", why));
}

enum class Presence { kThere, kNotThere, kUnknown };

// Whether a file is there; kUnknown: it cannot be told, and why.
Presence Look(const fs::path& path, absl::Status& status) {
  std::error_code error;
  const fs::file_status found = fs::status(path, error);
  if (fs::exists(found)) return Presence::kThere;
  if (found.type() == fs::file_type::not_found) return Presence::kNotThere;
  status = Failed(path, error.message());
  return Presence::kUnknown;
}

// The entries of a directory by name; `status`: why there may be more.
std::vector<fs::path> EntriesOf(const fs::path& path, absl::Status& status) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::directory_iterator entries(path, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) found.push_back(entries->path());
  if (error) status = Failed(path, error.message());
  return found;
}

// The model or the versions in one directory; none: it is no model.
FoundVersions FindVersions(const fs::path& path) {
  absl::Status status;
  switch (Look(path / kConfig, status)) {
    case Presence::kThere:
      return {{1, {path.string(), absl::OkStatus()}}};
    case Presence::kUnknown:
      return {{1, {path.string(), status}}};
    case Presence::kNotThere:
      break;
  }
  FoundVersions versions;
  for (const fs::path& entry : EntriesOf(path, status)) {
    const absl::StatusOr<int64_t> version = ParseVersion(entry.filename().string());
    absl::Status unknown;
    if (!version.ok() || Look(entry / kConfig, unknown) == Presence::kNotThere) continue;
    versions[*version] = {entry.string(), unknown};
  }
  if (!status.ok()) return {{1, {path.string(), status}}};
  if (!versions.empty()) return versions;
  for (const char* weights : kWeights) {
    if (Look(path / weights, status) != Presence::kThere) continue;
    return {{1,
             {path.string(),
              absl::NotFoundError(absl::StrCat((path / kConfig).string(), ": is missing beside ", weights))}}};
  }
  return {};
}

// {"org", "name"} of models--org--name, or {"", "name"} of models--name.
std::pair<std::string, std::string> CacheName(absl::string_view directory) {
  directory.remove_prefix(kCachePrefix.size());
  const size_t dashes = directory.find("--");
  if (dashes == directory.npos) return {"", std::string(directory)};
  return {std::string(directory.substr(0, dashes)), std::string(directory.substr(dashes + 2))};
}

bool IsCached(const fs::path& path) {
  absl::Status ignored;
  return absl::StartsWith(path.filename().string(), kCachePrefix) &&
         Look(path / "snapshots", ignored) != Presence::kNotThere;
}

// The snapshot that refs/main names; none: it is of something else than a model, as repositories of data are.
FoundVersions FindCached(const fs::path& path) {
  const fs::path main = path / "refs" / "main";
  absl::Status status;
  if (Look(main, status) == Presence::kUnknown) return {{1, {path.string(), status}}};
  std::string revision;
  std::ifstream file(main);
  if (!file) return {{1, {path.string(), Failed(main, "cannot be read, but names the snapshot to serve")}}};
  std::getline(file, revision);
  revision = std::string(absl::StripAsciiWhitespace(revision));
  if (!IsModelName(revision) || revision.size() > kMaxRevision) {
    return {{1,
             {path.string(),
              Failed(main, absl::StrCat("holds ", Quoted(revision, kMaxRevision), ", which is no snapshot's name"))}}};
  }
  const fs::path snapshot = path / "snapshots" / revision;
  switch (Look(snapshot / kConfig, status)) {
    case Presence::kThere:
      return {{1, {snapshot.string(), absl::OkStatus()}}};
    case Presence::kUnknown:
      return {{1, {snapshot.string(), status}}};
    case Presence::kNotThere:
      break;
  }
  if (Look(snapshot, status) != Presence::kThere) {
    return {
        {1, {snapshot.string(), Failed(snapshot, "is not there, but refs/main names it: download the model again")}}};
  }
  std::error_code ignored;
  if (fs::is_symlink(snapshot / kConfig, ignored)) {
    return {{1, {snapshot.string(), Failed(snapshot / kConfig, "its blob is missing: download the model again")}}};
  }
  return {};
}

// The name of the model that `path` itself is.
std::string OwnName(const std::string& path) {
  std::error_code error;
  fs::path whole = fs::absolute(path, error).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  const std::string above = whole.parent_path().parent_path().filename().string();
  if (whole.parent_path().filename() == "snapshots" && absl::StartsWith(above, kCachePrefix)) {
    return CacheName(above).second;
  }
  if (absl::StartsWith(whole.filename().string(), kCachePrefix)) return CacheName(whole.filename().string()).second;
  return IsModelName(whole.filename().string()) ? whole.filename().string() : "model";
}

absl::Status CheckDirectory(const fs::path& root) {
  std::error_code error;
  const fs::file_status status = fs::status(root, error);
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat("--models=", root.string(), ": no such directory"));
  }
  if (!fs::exists(status)) return InvalidArgument("--models=", root.string(), ": ", error.message());
  if (!fs::is_directory(status)) return InvalidArgument("--models=", root.string(), ": not a directory");
  return absl::OkStatus();
}

// The versions of a directory of versions, or of one model. None: it is no model.
FoundVersions FindEntry(const fs::path& entry) {
  std::error_code error;
  const fs::file_status target = fs::status(entry, error);
  if (fs::is_directory(target)) return FindVersions(entry);
  if (fs::exists(target)) return {};
  const fs::path to = fs::read_symlink(entry, error);
  return {{1, {entry.string(), Failed(entry, absl::StrCat("is a link to ", to.string(), ", which is not there"))}}};
}

// The models of a directory that holds models.
absl::StatusOr<FoundModels> FindWithin(const fs::path& root) {
  absl::Status failure;
  const std::vector<fs::path> entries = EntriesOf(root, failure);
  if (!failure.ok()) return InvalidArgument("--models=", failure.message());
  FoundModels models;
  std::map<std::string, std::vector<fs::path>> cached;  // by name
  for (const fs::path& entry : entries) {
    const std::string name = entry.filename().string();
    if (!IsModelName(name) || name == "lost+found") continue;
    if (IsCached(entry)) {
      cached[CacheName(name).second].push_back(entry);
      continue;
    }
    if (FoundVersions versions = FindEntry(entry); !versions.empty()) models.emplace(name, std::move(versions));
  }
  for (const auto& [name, paths] : cached) {
    const bool is_only = paths.size() == 1 && IsModelName(name) && !models.contains(name);
    for (const fs::path& path : paths) {
      FoundVersions versions = FindCached(path);
      if (versions.empty()) continue;
      const std::string whole = path.filename().string().substr(kCachePrefix.size());
      models.emplace(is_only ? name : whole, std::move(versions));
    }
  }
  return models;
}

}  // namespace

bool IsModelName(absl::string_view name) {
  return !name.empty() && name.size() <= NAME_MAX && name[0] != '.' && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

ModelDirectory::ModelDirectory(std::string path, std::string name) : path_(std::move(path)), name_(std::move(name)) {}

absl::StatusOr<FoundModels> ModelDirectory::Find() const {
  const fs::path root(path_);
  HEED_RETURN_IF_ERROR(CheckDirectory(root));
  const std::string own_name = name_.empty() ? OwnName(path_) : name_;
  absl::Status failure;
  if (Look(root / kConfig, failure) == Presence::kThere)
    return FoundModels{{own_name, {{1, {path_, absl::OkStatus()}}}}};
  std::error_code error;
  fs::path named = fs::absolute(root, error).lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  if (IsCached(named)) {
    FoundVersions versions = FindCached(named);
    return versions.empty() ? FoundModels() : FoundModels{{own_name, std::move(versions)}};
  }
  if (!name_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--model_name=", name_, ": --models=", path_,
                     " is no model itself (it has no config.json), so it has no one name"));
  }
  return FindWithin(root);
}

std::string ModelDirectory::WhyNone() const {
  std::string why = absl::StrCat("no model: neither ", kConfig, ", NAME/", kConfig, ", NAME/VERSION/", kConfig,
                                 " nor models--ORG--NAME/refs/main is there");
  absl::Status ignored;
  for (const fs::path& entry : EntriesOf(path_, ignored)) {
    for (const fs::path& inner : EntriesOf(entry, ignored)) {
      if (!IsCached(inner) && Look(inner / kConfig, ignored) != Presence::kThere) continue;
      return absl::StrCat(why, "; ", entry.string(), " holds models: give it instead");
    }
  }
  return why;
}

}  // namespace heed
