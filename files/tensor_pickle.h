// SPDX-License-Identifier: Apache-2.0
// Reads the pickles inside PyTorch's files, as far as tensors need it. Nothing that a pickle asks for is ever called or
// imported: what it may ask for is a table of names (tensor_pickle.cc), each with a meaning here; anything else is
// refused by its name.
//
// Opcodes: those that Python's protocols 2 to 5 write for dictionaries, lists, tuples, strings and numbers (Python's
// pickletools documents them), and persistent ids, which PyTorch uses for the storages that hold tensors' bytes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "files/safetensors.h"

namespace heed {

// Values of one type that tensors share. Named by a key; its bytes are elsewhere in the file.
struct PickledStorage {
  std::string key;
  DType dtype = DType::kF32;
  uint64_t values = 0;
  uint64_t first = 0;  // a view of the storage of this key (old files): begins at this value of it
};

// A view of a storage. Not checked against the storage's size.
struct PickledTensor {
  size_t storage = 0;  // index into TensorPickle::storages()
  uint64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in values, as many as shape
};

// One value. Those that hold others are indices into the TensorPickle that read them.
struct PickledValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kBigInt,  // beyond 64 bits: its bytes as a text
    kFloat,
    kText,
    kTuple,
    kList,
    kDict,
    kGlobal,
    kStorage,
    kTensor,
    kMark,
  };
  Kind kind = Kind::kNone;
  int64_t number = 0;  // of kBool and kInt; otherwise an index
};
absl::string_view KindName(PickledValue::Kind kind);

// Memory is at most some hundred bytes for each byte of the pickles, and for at most kMaxOperations of them.
class TensorPickle {
 public:
  static constexpr int64_t kMaxOperations = 2'000'000;  // some 60,000 tensors

  // The texts of what is read point into the pickle's bytes, which must outlive this object.
  TensorPickle() = default;

  // Reads the pickle at the beginning of `bytes` and removes it from there, so that several that follow each other can
  // be read, by calls one after the other. INVALID_ARGUMENT says what it asks for that tensors do not need, or where it
  // is damaged.
  absl::StatusOr<PickledValue> Read(absl::string_view& bytes);

  // The contents of a value that has been read.
  absl::string_view Text(PickledValue value) const { return texts_[static_cast<size_t>(value.number)]; }
  const std::vector<PickledValue>& Items(PickledValue value) const {  // of a tuple or list
    return lists_[static_cast<size_t>(value.number)];
  }
  const std::vector<std::pair<PickledValue, PickledValue>>& Entries(PickledValue value) const {  // in order, as set
    return dicts_[static_cast<size_t>(value.number)];
  }
  const PickledTensor& Tensor(PickledValue value) const { return tensors_[static_cast<size_t>(value.number)]; }
  const std::vector<PickledStorage>& storages() const { return storages_; }

 private:
  class Machine;

  std::vector<absl::string_view> texts_;
  std::vector<std::vector<PickledValue>> lists_;
  std::vector<std::vector<std::pair<PickledValue, PickledValue>>> dicts_;
  std::vector<PickledTensor> tensors_;
  std::vector<PickledStorage> storages_;
  int64_t operations_ = 0;
};

}  // namespace heed
