// SPDX-License-Identifier: Apache-2.0
// The weights of a model directory by name, whatever files hold them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "files/safetensors.h"
#include "files/torch_file.h"

namespace heed {

// Owns the files that the tensors are in. Immutable, thread-safe. The files must not be changed in place while it is
// open (replace them by a rename instead).
class Checkpoint {
 public:
  // Opens the first of these that `directory` holds, in the order of Hugging Face's transformers:
  //   model.safetensors
  //   model.safetensors.index.json, and the shards that it names
  //   pytorch_model.bin (files/torch_file.h)
  //   pytorch_model.bin.index.json, and the shards that it names
  // An index and its shards must agree: every tensor is in the shard that the index says and in no other, and shards
  // lie in the directory itself. Errors name the file and the tensor: NOT_FOUND, INVALID_ARGUMENT.
  static absl::StatusOr<Checkpoint> Open(const std::string& directory);
  // The tensors of one file.
  explicit Checkpoint(SafetensorsFile file);

  Checkpoint(Checkpoint&&) = default;
  Checkpoint& operator=(Checkpoint&&) = default;

  // Null if there is none of that name.
  const StoredTensor* Find(absl::string_view name) const;
  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  // The file that holds the tensor; if there is none of that name, the file that should have named it.
  const std::string& PathOf(absl::string_view name) const;
  // The file that was opened, and the shards if it is an index.
  const std::vector<std::string>& files() const { return paths_; }

 private:
  Checkpoint() = default;
  absl::Status OpenShards(const std::string& directory, const std::string& index);
  // A tensor that two files have is INVALID_ARGUMENT.
  absl::Status Add(const std::string& path, const std::map<std::string, StoredTensor, std::less<>>& tensors);
  absl::Status OpenFile(const std::string& path);

  std::vector<SafetensorsFile> safetensors_;
  std::vector<TorchFile> torch_;
  std::vector<std::string> paths_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::map<std::string, size_t, std::less<>> path_of_;  // index into paths_; of shards only
};

}  // namespace heed
