// SPDX-License-Identifier: Apache-2.0
#include "files/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
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

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  SafetensorsFile file;
  file.path_ = path;
  HEED_ASSIGN_OR_RETURN(file.file_, MappedFile::Open(path));
  HEED_RETURN_IF_ERROR(file.Parse());
  return file;
}

absl::Status SafetensorsFile::Parse() {
  const auto damaged = [this](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what...));
  };
  const std::byte* file = file_.data();
  const size_t size = file_.size();
  if (size < 8) return damaged(size, " bytes, too short for a safetensors file (at least 8)");
  const uint64_t header_bytes = LoadUnaligned<uint64_t>(file);
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - 8) {
    return damaged("the header's length is given as ", header_bytes, " bytes, but the file has ", size - 8,
                   " after it: truncated, or not a safetensors file");
  }
  const char* text = reinterpret_cast<const char*>(file + 8);
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(text, text + header_bytes);
  if (!parsed.ok()) return damaged("the header is not a JSON object: ", parsed.status().message());
  const nlohmann::json& header = *parsed;
  if (!header.is_object()) return damaged("the header is not a JSON object");
  const std::byte* data = file + 8 + header_bytes;
  const uint64_t data_bytes = size - 8 - header_bytes;

  std::vector<std::pair<uint64_t, std::pair<uint64_t, std::string>>> ranges;  // begin, end, name
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return damaged("__metadata__ is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) return damaged("__metadata__: '", key, "' is not a string");
        metadata_.emplace(key, value.get<std::string>());
      }
      continue;
    }
    const auto wrong = [&, &tensor_name = name](const auto&... what) {
      return damaged("tensor '", tensor_name, "': ", what...);
    };
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
      return wrong("needs dtype, shape and data_offsets");
    }
    if (!entry["dtype"].is_string()) return wrong("dtype is not a string");
    const std::string dtype_name = entry["dtype"].get<std::string>();
    const auto dtype = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                    [&](const DTypeRow& row) { return row.name == dtype_name; });
    if (dtype == std::end(kDTypes)) return wrong("dtype '", dtype_name, "' is not known");

    StoredTensor tensor;
    tensor.dtype = dtype->dtype;
    if (!entry["shape"].is_array()) return wrong("shape is not a list");
    uint64_t values = 1;
    for (const nlohmann::json& dimension : entry["shape"]) {
      uint64_t length;
      if (!ReadUnsigned(dimension, length)) return wrong("shape is not a list of sizes");
      if (length > kMaxTensorValues || __builtin_mul_overflow(values, length, &values) || values > kMaxTensorValues) {
        return wrong("shape needs more bytes than the file has (", size, ")");
      }
      tensor.shape.push_back(static_cast<int64_t>(length));
    }
    const nlohmann::json& offsets = entry["data_offsets"];
    uint64_t begin, end;
    if (!offsets.is_array() || offsets.size() != 2 || !ReadUnsigned(offsets[0], begin) ||
        !ReadUnsigned(offsets[1], end)) {
      return wrong("data_offsets is not [begin, end]");
    }
    if (begin > end || end > data_bytes) {
      return wrong("data_offsets [", begin, ", ", end, "] are not within the file's ", data_bytes,
                   " bytes of data: truncated or damaged");
    }
    if (end - begin != values * dtype->bytes) {
      return wrong("data_offsets span ", end - begin, " bytes, but shape ", ShapeName(tensor.shape), " of ", dtype_name,
                   " needs ", values * dtype->bytes);
    }
    tensor.data = data + begin;
    tensor.bytes = end - begin;
    ranges.push_back({begin, {end, name}});
    tensors_.emplace(name, std::move(tensor));
  }
  std::sort(ranges.begin(), ranges.end());
  uint64_t covered = 0;
  const std::string* previous = nullptr;
  for (const auto& [begin, rest] : ranges) {
    if (begin < covered) return damaged("tensors '", *previous, "' and '", rest.second, "' overlap at byte ", begin);
    if (begin > covered) return damaged("bytes ", covered, " to ", begin, " belong to no tensor");
    covered = rest.first;
    previous = &rest.second;
  }
  if (covered != data_bytes) {
    return damaged("the tensors end at byte ", covered, ", but there are ", data_bytes, " bytes of data");
  }
  return absl::OkStatus();
}

const StoredTensor* SafetensorsFile::Find(absl::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace heed
