// SPDX-License-Identifier: Apache-2.0
// All datatypes of the Open Inference Protocol; our own models' tensors have some of them (infer_tensors.h).
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace heed {

enum class Datatype {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFp16,
  kBf16,
  kFp32,
  kFp64,
  kBytes
};

struct DatatypeInfo {
  Datatype datatype;
  absl::string_view name;
  int64_t element_bytes;  // 0: they vary
};

inline constexpr DatatypeInfo kDatatypes[] = {
    {Datatype::kBool, "BOOL", 1},     {Datatype::kInt8, "INT8", 1},     {Datatype::kInt16, "INT16", 2},
    {Datatype::kInt32, "INT32", 4},   {Datatype::kInt64, "INT64", 8},   {Datatype::kUint8, "UINT8", 1},
    {Datatype::kUint16, "UINT16", 2}, {Datatype::kUint32, "UINT32", 4}, {Datatype::kUint64, "UINT64", 8},
    {Datatype::kFp16, "FP16", 2},     {Datatype::kBf16, "BF16", 2},     {Datatype::kFp32, "FP32", 4},
    {Datatype::kFp64, "FP64", 8},     {Datatype::kBytes, "BYTES", 0},
};

// Null: there is no such datatype.
inline const DatatypeInfo* FindDatatype(absl::string_view name) {
  for (const DatatypeInfo& info : kDatatypes) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

}  // namespace heed
