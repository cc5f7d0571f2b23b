// SPDX-License-Identifier: Apache-2.0
// Writes the safetensors format (files/safetensors.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "files/safetensors.h"

namespace heed {

// A tensor to write, whose values the caller keeps: row-major, in one piece or in several that follow each other.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::vector<absl::Span<const std::byte>> pieces;  // together as many bytes as dtype and shape need
};

template <typename T>
absl::Span<const std::byte> BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
}

// Writes the tensors in this order; wide types first keep the narrow ones aligned. `path` gets the whole file at once:
// it is written beside it, as PATH.partial, flushed to disk and then moved, so that a crash at any moment leaves the
// file that was there, or the new one. Several writers of one path wait for each other. Error: what the system says of
// it.
absl::Status WriteSafetensors(const std::string& path, absl::Span<const TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata);

}  // namespace heed
