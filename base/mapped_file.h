// SPDX-License-Identifier: Apache-2.0
// A file of weights, mapped into memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// Immutable, thread-safe. The file must not be changed in place while it is open (replace it by a rename instead).
class MappedFile {
 public:
  // NOT_FOUND: there is no such file. INVALID_ARGUMENT: it is not a regular file, cannot be read, or holds a git-lfs
  // pointer instead of its content. Errors begin with the path.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  // A file of no bytes.
  MappedFile() = default;
  MappedFile(MappedFile&&) = default;
  MappedFile& operator=(MappedFile&&) = default;

  absl::string_view bytes() const { return {reinterpret_cast<const char*>(mapping_.get()), size_}; }
  const std::byte* data() const { return mapping_.get(); }
  size_t size() const { return size_; }

 private:
  struct Unmap {
    size_t size;
    void operator()(const std::byte* p) const;
  };

  std::unique_ptr<const std::byte, Unmap> mapping_{nullptr, Unmap{0}};
  size_t size_ = 0;
};

// Whether a file can be read and holds its content: errors as MappedFile::Open's. For files that a library reads.
absl::Status CheckReadable(const std::string& path);

}  // namespace heed
