// SPDX-License-Identifier: Apache-2.0
#include "files/torch_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "files/zip_entries.h"

namespace heed {
namespace {

using Kind = PickledValue::Kind;

constexpr absl::string_view kLegacyMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);  // little-endian
constexpr int64_t kLegacyProtocol = 1001;

// The product of a shape; false: there is no such number of values.
bool CountValues(const std::vector<int64_t>& shape, uint64_t& values) {
  values = 1;
  for (const int64_t length : shape) {
    if (length == 0) {
      values = 0;
      return true;
    }
  }
  for (const int64_t length : shape) {
    if (__builtin_mul_overflow(values, static_cast<uint64_t>(length), &values) || values > kMaxTensorValues)
      return false;
  }
  return true;
}

// One more than the furthest value that a view reaches; false: it is beyond any storage.
bool Reach(const PickledTensor& tensor, uint64_t& reach) {
  reach = tensor.offset;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    uint64_t step;
    if (__builtin_mul_overflow(static_cast<uint64_t>(tensor.shape[i] - 1), static_cast<uint64_t>(tensor.strides[i]),
                               &step) ||
        __builtin_add_overflow(reach, step, &reach)) {
      return false;
    }
  }
  return !__builtin_add_overflow(reach, 1, &reach);
}

// Whether the values lie one after the other, as the shape orders them.
bool IsRowMajor(const PickledTensor& tensor) {
  uint64_t stride = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && static_cast<uint64_t>(tensor.strides[i]) != stride) return false;
    stride *= static_cast<uint64_t>(tensor.shape[i]);
  }
  return true;
}

// The view's values one after the other.
void CopyRowMajor(const PickledTensor& tensor, const char* storage, size_t width, uint64_t values, bool swap,
                  std::byte* to) {
  std::vector<int64_t> place(tensor.shape.size());
  uint64_t from = tensor.offset;
  for (uint64_t i = 0; i < values; ++i, to += width) {
    std::memcpy(to, storage + from * width, width);
    if (swap) std::reverse(to, to + width);
    for (size_t d = place.size(); d-- > 0;) {
      from += static_cast<uint64_t>(tensor.strides[d]);
      if (++place[d] < tensor.shape[d]) break;
      from -= static_cast<uint64_t>(tensor.shape[d]) * static_cast<uint64_t>(tensor.strides[d]);
      place[d] = 0;
    }
  }
}

}  // namespace

absl::StatusOr<TorchFile> TorchFile::Open(const std::string& path) {
  TorchFile file;
  HEED_ASSIGN_OR_RETURN(file.file_, MappedFile::Open(path));
  const absl::Status status = absl::StartsWith(file.file_.bytes(), "PK") ? file.ReadZip() : file.ReadLegacy();
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  return file;
}

absl::Status TorchFile::ReadZip() {
  HEED_ASSIGN_OR_RETURN(const ZipEntries zip, ZipEntries::Read(file_.bytes()));
  constexpr absl::string_view kPickle = "/data.pkl";
  std::string name;  // of the folder that everything is in
  for (const auto& [entry, ignored] : zip.entries()) {
    if (absl::EndsWith(entry, "/constants.pkl")) {
      return InvalidArgument("is a TorchScript program, but only tensors are read; save model.state_dict()");
    }
    if (!absl::EndsWith(entry, kPickle) || entry.find('/') != entry.size() - kPickle.size()) continue;
    if (!name.empty()) return InvalidArgument("has two pickles, ", Escaped(name), kPickle, " and ", Escaped(entry));
    name = entry.substr(0, entry.size() - kPickle.size());
  }
  if (name.empty()) return InvalidArgument("is a zip file without the data.pkl of PyTorch's");
  bool little_endian = true;
  if (const std::string entry = name + "/byteorder"; zip.Has(entry)) {
    HEED_ASSIGN_OR_RETURN(const absl::string_view order, zip.Find(entry));
    little_endian = order == "little";
    if (!little_endian && order != "big") return InvalidArgument("its byte order is '", Escaped(order), "'");
  }
  HEED_ASSIGN_OR_RETURN(absl::string_view bytes, zip.Find(name + std::string(kPickle)));
  TensorPickle pickle;
  HEED_ASSIGN_OR_RETURN(const PickledValue dictionary, pickle.Read(bytes));
  Storages storages;
  for (const PickledStorage& storage : pickle.storages()) {
    if (storages.contains(storage.key)) continue;
    HEED_ASSIGN_OR_RETURN(const absl::string_view found, zip.Find(absl::StrCat(name, "/data/", storage.key)));
    storages.emplace(storage.key, found);
  }
  return TakeTensors(pickle, dictionary, storages, little_endian);
}

absl::Status TorchFile::ReadLegacy() {
  absl::string_view bytes = file_.bytes();
  TensorPickle pickle;
  const absl::StatusOr<PickledValue> magic = pickle.Read(bytes);
  if (!magic.ok() || magic->kind != Kind::kBigInt || pickle.Text(*magic) != kLegacyMagic) {
    // A pickle that asks for something says so: it may be one that torch.save did not write.
    if (absl::StartsWith(file_.bytes(), "\x80") && !magic.ok()) return magic.status();
    return InvalidArgument("is not a file that PyTorch's torch.save writes");
  }
  HEED_ASSIGN_OR_RETURN(const PickledValue protocol, pickle.Read(bytes));
  if (protocol.kind != Kind::kInt || protocol.number != kLegacyProtocol) {
    return InvalidArgument("is of another protocol than ", kLegacyProtocol);
  }
  HEED_ASSIGN_OR_RETURN(const PickledValue system, pickle.Read(bytes));
  bool little_endian = true;
  if (system.kind != Kind::kDict) return InvalidArgument("says nothing of the system that wrote it");
  for (const auto& [key, value] : pickle.Entries(system)) {
    if (key.kind == Kind::kText && pickle.Text(key) == "little_endian" && value.kind == Kind::kBool) {
      little_endian = value.number != 0;
    }
  }
  HEED_ASSIGN_OR_RETURN(const PickledValue dictionary, pickle.Read(bytes));
  std::map<absl::string_view, const PickledStorage*> by_key;
  for (const PickledStorage& storage : pickle.storages()) by_key.emplace(storage.key, &storage);
  HEED_ASSIGN_OR_RETURN(const PickledValue keys, pickle.Read(bytes));
  if (keys.kind != Kind::kList) return InvalidArgument("has no list of its storages");
  Storages storages;
  for (const PickledValue key : pickle.Items(keys)) {
    if (key.kind != Kind::kText) return InvalidArgument("has a storage whose name is ", KindName(key.kind));
    const std::string name(pickle.Text(key));
    const auto storage = by_key.find(name);
    if (storage == by_key.end()) return InvalidArgument("has a storage '", Escaped(name), "' that no tensor names");
    uint64_t values = 0;
    if (bytes.size() < sizeof(values)) return InvalidArgument("ends before storage '", Escaped(name), "': truncated");
    std::memcpy(&values, bytes.data(), sizeof(values));
    if (!little_endian) std::reverse(reinterpret_cast<char*>(&values), reinterpret_cast<char*>(&values + 1));
    bytes.remove_prefix(sizeof(values));
    const size_t width = DTypeBytes(storage->second->dtype);
    if (values > bytes.size() / width) {
      return InvalidArgument("storage '", Escaped(name), "' has ", values, " values of ", width,
                             " bytes, but the file ends after ", bytes.size(), " bytes: truncated");
    }
    if (!storages.emplace(name, bytes.substr(0, values * width)).second) {
      return InvalidArgument("has storage '", Escaped(name), "' twice");
    }
    bytes.remove_prefix(values * width);
  }
  return TakeTensors(pickle, dictionary, storages, little_endian);
}

absl::Status TorchFile::TakeTensors(const TensorPickle& pickle, PickledValue dictionary, const Storages& storages,
                                    bool little_endian) {
  if (dictionary.kind != Kind::kDict) {
    return InvalidArgument("holds ", KindName(dictionary.kind),
                           ", but a dictionary of tensors is read; save model.state_dict()");
  }
  for (const auto& [key, value] : pickle.Entries(dictionary)) {
    if (key.kind != Kind::kText) return InvalidArgument("has an entry whose name is ", KindName(key.kind));
    const absl::string_view name = pickle.Text(key);
    if (value.kind != Kind::kTensor) {
      return InvalidArgument("entry '", Escaped(name), "' is ", KindName(value.kind),
                             ", not a tensor; save model.state_dict() by itself");
    }
    const PickledTensor& tensor = pickle.Tensor(value);
    const PickledStorage& storage = pickle.storages()[tensor.storage];
    const auto bytes = storages.find(storage.key);
    absl::StatusOr<StoredTensor> located = bytes == storages.end()
                                               ? InvalidArgument("its storage '", Escaped(storage.key), "' is missing")
                                               : Locate(tensor, storage, bytes->second, little_endian);
    if (!located.ok()) return InvalidArgument("tensor '", Escaped(name), "': ", located.status().message());
    tensors_.insert_or_assign(std::string(name), *std::move(located));  // the last of a name counts, as in Python
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredTensor> TorchFile::Locate(const PickledTensor& tensor, const PickledStorage& storage,
                                               absl::string_view bytes, bool little_endian) {
  const size_t width = DTypeBytes(storage.dtype);
  const uint64_t there = bytes.size() / width;
  if (storage.first > there || storage.values > there - storage.first) {
    return InvalidArgument("its storage '", Escaped(storage.key), "' has ", storage.values,
                           " values, but the file holds ", bytes.size(), " bytes of it");
  }
  StoredTensor stored;
  stored.dtype = storage.dtype;
  stored.shape = tensor.shape;
  uint64_t values = 0, reach = 0;
  if (!CountValues(tensor.shape, values))
    return InvalidArgument("shape ", ShapeName(tensor.shape), " is beyond any file");
  const char* begin = bytes.data() + storage.first * width;
  if (values == 0) {
    stored.data = file_.data();
    return stored;
  }
  if (!Reach(tensor, reach) || reach > storage.values) {
    return InvalidArgument("shape ", ShapeName(tensor.shape), " with strides ", ShapeName(tensor.strides), " from ",
                           tensor.offset, " goes beyond its storage's ", storage.values, " values");
  }
  stored.bytes = values * width;
  const bool swap = !little_endian && width > 1;
  if (IsRowMajor(tensor) && !swap) {
    stored.data = reinterpret_cast<const std::byte*>(begin + tensor.offset * width);
    return stored;
  }
  if (stored.bytes > file_.size() - copied_bytes_) {
    return InvalidArgument("it and others are views that need more memory than the file's ", file_.size(), " bytes");
  }
  copied_bytes_ += stored.bytes;
  copies_.push_back(std::make_unique_for_overwrite<std::byte[]>(stored.bytes));
  CopyRowMajor(tensor, begin, width, values, swap, copies_.back().get());
  stored.data = copies_.back().get();
  return stored;
}

}  // namespace heed
