// SPDX-License-Identifier: Apache-2.0
#include "files/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "files/float16.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // as the format's own library

struct DTypeRow {
  absl::string_view name;
  DType dtype;
  size_t bytes;
};
constexpr DTypeRow kDTypes[] = {
    {"F64", DType::kF64, 8}, {"F32", DType::kF32, 4},   {"F16", DType::kF16, 2}, {"BF16", DType::kBF16, 2},
    {"I64", DType::kI64, 8}, {"I32", DType::kI32, 4},   {"I16", DType::kI16, 2}, {"I8", DType::kI8, 1},
    {"U8", DType::kU8, 1},   {"BOOL", DType::kBool, 1},
};

template <typename T>
T LoadUnaligned(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

// A non-negative integer, or nothing: JSON numbers may also be negative, fractional or beyond 64 bits.
bool ReadUnsigned(const nlohmann::json& json, uint64_t& value) {
  if (!json.is_number_unsigned()) return false;
  value = json.get<uint64_t>();
  return true;
}

}  // namespace

absl::string_view DTypeName(DType dtype) {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return row.name;
  }
  return "?";
}

size_t DTypeBytes(DType dtype) {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return row.bytes;
  }
  return 0;
}

std::string ShapeName(const std::vector<int64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

int64_t StoredTensor::size() const {
  int64_t size = 1;
  for (int64_t dimension : shape) size *= dimension;
  return size;
}

float StoredTensor::ValueAt(int64_t i) const {
  switch (dtype) {
    case DType::kF32:
      return LoadUnaligned<float>(data + i * 4);
    case DType::kF16:
      return F32FromF16(LoadUnaligned<uint16_t>(data + i * 2));
    case DType::kBF16:
      return F32FromBF16(LoadUnaligned<uint16_t>(data + i * 2));
    case DType::kF64:
      return static_cast<float>(LoadUnaligned<double>(data + i * 8));
    default:
      return 0;
  }
}

int64_t StoredTensor::IndexAt(int64_t i) const {
  return dtype == DType::kI32 ? LoadUnaligned<int32_t>(data + i * 4) : LoadUnaligned<int64_t>(data + i * 8);
}

namespace {

// The number of values that `shape` says, into `tensor` with the shape.
absl::StatusOr<uint64_t> ReadShape(const nlohmann::json& shape, uint64_t data_bytes, StoredTensor& tensor) {
  if (!shape.is_array()) return InvalidArgument("shape is not a list");
  uint64_t values = 1;
  for (const nlohmann::json& dimension : shape) {
    uint64_t length;
    if (!ReadUnsigned(dimension, length)) return InvalidArgument("shape is not a list of sizes");
    if (length > kMaxTensorValues || __builtin_mul_overflow(values, length, &values) || values > kMaxTensorValues) {
      return InvalidArgument("shape needs more bytes than the file has (", data_bytes, ")");
    }
    tensor.shape.push_back(static_cast<int64_t>(length));
  }
  return values;
}

absl::Status ReadMetadata(const nlohmann::json& entry, std::map<std::string, std::string>& metadata) {
  if (!entry.is_object()) return InvalidArgument("__metadata__ is not an object");
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) return InvalidArgument("__metadata__: '", key, "' is not a string");
    metadata.emplace(key, value.get<std::string>());
  }
  return absl::OkStatus();
}

// One entry of the header, whose bytes lie in `data`.
absl::StatusOr<StoredTensor> ReadTensor(const nlohmann::json& entry, absl::Span<const std::byte> data) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
    return InvalidArgument("needs dtype, shape and data_offsets");
  }
  if (!entry["dtype"].is_string()) return InvalidArgument("dtype is not a string");
  const std::string dtype_name = entry["dtype"].get<std::string>();
  const auto dtype =
      std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const DTypeRow& row) { return row.name == dtype_name; });
  if (dtype == std::end(kDTypes)) return InvalidArgument("dtype '", dtype_name, "' is not known");

  StoredTensor tensor;
  tensor.dtype = dtype->dtype;
  HEED_ASSIGN_OR_RETURN(const uint64_t values, ReadShape(entry["shape"], data.size(), tensor));
  const nlohmann::json& offsets = entry["data_offsets"];
  uint64_t begin, end;
  if (!offsets.is_array() || offsets.size() != 2 || !ReadUnsigned(offsets[0], begin) ||
      !ReadUnsigned(offsets[1], end)) {
    return InvalidArgument("data_offsets is not [begin, end]");
  }
  if (begin > end || end > data.size()) {
    return InvalidArgument("data_offsets [", begin, ", ", end, "] are not within the file's ", data.size(),
                           " bytes of data: truncated or damaged");
  }
  if (end - begin != values * dtype->bytes) {
    return InvalidArgument("data_offsets span ", end - begin, " bytes, but shape ", ShapeName(tensor.shape), " of ",
                           dtype_name, " needs ", values * dtype->bytes);
  }
  tensor.data = data.data() + begin;
  tensor.bytes = end - begin;
  return tensor;
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  SafetensorsFile file;
  file.path_ = path;
  HEED_ASSIGN_OR_RETURN(file.file_, MappedFile::Open(path));
  HEED_RETURN_IF_ERROR(file.Parse());
  return file;
}

absl::Status SafetensorsFile::Parse() {
  const std::byte* file = file_.data();
  const size_t size = file_.size();
  if (size < 8) return Damaged(size, " bytes, too short for a safetensors file (at least 8)");
  const uint64_t header_bytes = LoadUnaligned<uint64_t>(file);
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - 8) {
    return Damaged("the header's length is given as ", header_bytes, " bytes, but the file has ", size - 8,
                   " after it: truncated, or not a safetensors file");
  }
  const char* text = reinterpret_cast<const char*>(file + 8);
  const absl::StatusOr<nlohmann::json> header = ParseJson(text, text + header_bytes);
  if (!header.ok()) return Damaged("the header is not a JSON object: ", header.status().message());
  if (!header->is_object()) return Damaged("the header is not a JSON object");
  const absl::Span<const std::byte> data(file + 8 + header_bytes, size - 8 - header_bytes);
  for (const auto& [name, entry] : header->items()) {
    if (name == "__metadata__") {
      if (const absl::Status read = ReadMetadata(entry, metadata_); !read.ok()) return Damaged(read.message());
      continue;
    }
    absl::StatusOr<StoredTensor> tensor = ReadTensor(entry, data);
    if (!tensor.ok()) return Damaged("tensor '", name, "': ", tensor.status().message());
    tensors_.emplace(name, *std::move(tensor));
  }
  return CheckCoverage(data);
}

absl::Status SafetensorsFile::CheckCoverage(absl::Span<const std::byte> data) const {
  std::vector<std::tuple<uint64_t, uint64_t, absl::string_view>> ranges;  // begin, end, name
  for (const auto& [name, tensor] : tensors_) {
    const uint64_t begin = static_cast<uint64_t>(tensor.data - data.data());
    ranges.emplace_back(begin, begin + tensor.bytes, name);
  }
  std::sort(ranges.begin(), ranges.end());
  uint64_t covered = 0;
  absl::string_view previous;
  for (const auto& [begin, end, name] : ranges) {
    if (begin < covered) return Damaged("tensors '", previous, "' and '", name, "' overlap at byte ", begin);
    if (begin > covered) return Damaged("bytes ", covered, " to ", begin, " belong to no tensor");
    covered = end;
    previous = name;
  }
  if (covered == data.size()) return absl::OkStatus();
  return Damaged("the tensors end at byte ", covered, ", but there are ", data.size(), " bytes of data");
}

const StoredTensor* SafetensorsFile::Find(absl::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace heed
