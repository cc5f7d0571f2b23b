// SPDX-License-Identifier: Apache-2.0
// Reads the safetensors format: tensors of a checkpoint by name, straight from the mapped file.
//
// Layout: 8 bytes little-endian header length N, N bytes of JSON {"name": {"dtype", "shape", "data_offsets": [begin,
// end)}, "__metadata__": {"key": "value"}}, then the tensors' bytes; offsets count from the end of the header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/invalid_argument.h"
#include "base/mapped_file.h"

namespace heed {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

// "F16"
absl::string_view DTypeName(DType dtype);
// The size of one value.
size_t DTypeBytes(DType dtype);
// "[512, 64]"
std::string ShapeName(const std::vector<int64_t>& shape);

// The maximum number of values of a tensor. More could not be counted in bytes.
inline constexpr uint64_t kMaxTensorValues = uint64_t{1} << 60;

// One tensor of a file: row-major bytes, owned by the file. They need not be aligned for their type.
struct StoredTensor {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;
  size_t bytes = 0;

  int64_t size() const;  // number of values
  // Value i, for the floating-point types.
  float ValueAt(int64_t i) const;
  // Value i, for I64 and I32.
  int64_t IndexAt(int64_t i) const;
};

// Immutable, thread-safe. The file must not be changed in place while it is open (replace it by a rename instead).
class SafetensorsFile {
 public:
  // Maps the file and checks all of it that can lie: the header's length and JSON, dtypes, shapes, offsets within the
  // file, byte ranges that match shape and dtype, that no two tensors overlap and no bytes are left over. Errors name
  // the file and the tensor: NOT_FOUND, INVALID_ARGUMENT.
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  const std::string& path() const { return path_; }
  // Null if there is none of that name.
  const StoredTensor* Find(absl::string_view name) const;
  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  SafetensorsFile() = default;
  absl::Status Parse();
  // Every byte of `data` belongs to exactly one tensor.
  absl::Status CheckCoverage(absl::Span<const std::byte> data) const;

  template <typename... Parts>
  absl::Status Damaged(const Parts&... what) const {
    return InvalidArgument(path_, ": ", what...);
  }

  std::string path_;
  MappedFile file_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace heed
