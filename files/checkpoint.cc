// SPDX-License-Identifier: Apache-2.0
#include "files/checkpoint.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

constexpr absl::string_view kIndexEnd = ".index.json";
// In the order in which they are looked for.
constexpr const char* kNames[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                  "pytorch_model.bin.index.json"};

// A link that leads nowhere is there: opening it says so.
bool IsThere(const std::string& path) {
  struct stat ignored;
  return lstat(path.c_str(), &ignored) == 0 || errno != ENOENT;
}

// A file of the directory itself.
bool IsFileName(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

}  // namespace

Checkpoint::Checkpoint(SafetensorsFile file) : paths_{file.path()}, tensors_(file.tensors()) {
  safetensors_.push_back(std::move(file));
}

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::string& directory) {
  for (const char* name : kNames) {
    const std::string path = absl::StrCat(directory, "/", name);
    if (!IsThere(path)) continue;
    Checkpoint checkpoint;
    if (absl::EndsWith(name, kIndexEnd)) {
      HEED_RETURN_IF_ERROR(checkpoint.OpenShards(directory, path));
    } else {
      HEED_RETURN_IF_ERROR(checkpoint.OpenFile(path));
    }
    return checkpoint;
  }
  return absl::NotFoundError(absl::StrCat(directory, ": has no weights: neither ", kNames[0], ", ", kNames[1], ", ",
                                          kNames[2], " nor ", kNames[3], " is there"));
}

absl::Status Checkpoint::OpenFile(const std::string& path) {
  paths_.push_back(path);
  if (absl::EndsWith(path, ".safetensors")) {
    HEED_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
    safetensors_.push_back(std::move(file));
    return Add(path, safetensors_.back().tensors());
  }
  HEED_ASSIGN_OR_RETURN(TorchFile file, TorchFile::Open(path));
  torch_.push_back(std::move(file));
  return Add(path, torch_.back().tensors());
}

absl::Status Checkpoint::Add(const std::string& path, const std::map<std::string, StoredTensor, std::less<>>& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (tensors_.emplace(name, tensor).second) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": tensor '", Escaped(name), "' is in ", PathOf(name), " too"));
  }
  if (paths_.size() == 1) return absl::OkStatus();
  for (const auto& [name, tensor] : tensors) path_of_[name] = paths_.size() - 1;
  return absl::OkStatus();
}

// {"metadata": {...}, "weight_map": {"tensor": "file", ...}}
absl::Status Checkpoint::OpenShards(const std::string& directory, const std::string& index) {
  paths_.push_back(index);
  const auto wrong = [&index](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat(index, ": ", what...));
  };
  HEED_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(index));
  const absl::StatusOr<nlohmann::json> json = ParseJson(file.bytes().begin(), file.bytes().end());
  if (!json.ok()) return wrong(json.status().message());
  const auto found = json->is_object() ? json->find("weight_map") : json->end();
  if (found == json->end() || !found->is_object()) return wrong("has no object weight_map");
  // Shards hold what the file without ".index.json" would.
  const absl::string_view kind =
      absl::EndsWith(index, absl::StrCat(".safetensors", kIndexEnd)) ? ".safetensors" : ".bin";
  std::set<std::string> shards;
  for (const auto& [name, shard] : found->items()) {
    if (!shard.is_string()) return wrong("weight_map: the file of tensor '", Escaped(name), "' is not a string");
    const std::string& shard_name = shard.get_ref<const std::string&>();
    if (!IsFileName(shard_name) || !absl::EndsWith(shard_name, kind)) {
      return wrong("weight_map: tensor '", Escaped(name), "' is in '", Escaped(shard_name), "', which is no *", kind,
                   " file of this directory");
    }
    shards.insert(shard_name);
  }
  if (shards.empty()) return wrong("weight_map names no tensor");
  for (const std::string& shard : shards) {
    const absl::Status status = OpenFile(absl::StrCat(directory, "/", shard));
    if (!status.ok()) return wrong("shard ", status.message());
  }
  for (const auto& [name, shard] : found->items()) {
    const std::string path = absl::StrCat(directory, "/", shard.get_ref<const std::string&>());
    if (Find(name) == nullptr) return wrong("weight_map: tensor '", Escaped(name), "' is not in ", path);
    if (PathOf(name) != path) {
      return wrong("weight_map: tensor '", Escaped(name), "' is said to be in ", path, ", but is in ", PathOf(name));
    }
  }
  for (const auto& [name, tensor] : tensors_) {
    if (found->contains(name)) continue;
    return wrong("weight_map: tensor '", Escaped(name), "' of ", PathOf(name), " is not named");
  }
  return absl::OkStatus();
}

const StoredTensor* Checkpoint::Find(absl::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const std::string& Checkpoint::PathOf(absl::string_view name) const {
  const auto found = path_of_.find(name);
  return paths_[found == path_of_.end() ? 0 : found->second];
}

}  // namespace heed
