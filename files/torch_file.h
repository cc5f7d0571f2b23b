// SPDX-License-Identifier: Apache-2.0
// Reads PyTorch's own files of tensors (torch.save of a state_dict; pytorch_model.bin), without PyTorch, and without
// running anything that is in them.
//
// Layouts: a zip file of stored entries, NAME/data.pkl, the pickle of the dictionary, and NAME/data/KEY, the bytes of
// each storage (PyTorch 1.6 and newer); or pickles one after the other (a magic number, the protocol, the system, the
// dictionary, the storages' keys) and behind them each storage, its length before it (older, or by choice).
// torch/serialization.py of PyTorch 2.5.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mapped_file.h"
#include "files/safetensors.h"
#include "files/tensor_pickle.h"

namespace heed {

// Immutable, thread-safe. The file must not be changed in place while it is open (replace it by a rename instead).
class TorchFile {
 public:
  // Maps the file and checks that its dictionary holds tensors by name and nothing else, and that each lies within its
  // storage. Tensors are read from where they are in the file; those that do not lie there row by row, or in this
  // machine's byte order, are copied, together at most as many bytes as the file has. Errors name the file and the
  // tensor: NOT_FOUND, INVALID_ARGUMENT.
  static absl::StatusOr<TorchFile> Open(const std::string& path);

  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }

 private:
  // A storage's bytes in the file.
  using Storages = std::map<std::string, absl::string_view, std::less<>>;

  TorchFile() = default;
  absl::Status ReadZip();
  absl::Status ReadLegacy();
  absl::Status TakeTensors(const TensorPickle& pickle, PickledValue dictionary, const Storages& storages,
                           bool little_endian);
  absl::StatusOr<StoredTensor> Locate(const PickledTensor& tensor, const PickledStorage& storage,
                                      absl::string_view bytes, bool little_endian);

  MappedFile file_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;
  size_t copied_bytes_ = 0;
};

}  // namespace heed
