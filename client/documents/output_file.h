// SPDX-License-Identifier: Apache-2.0
// A file that is there as a whole, or as it was before.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed::client {

// Writes beside the file, and takes its place in the end. A link stays one: what it points to is replaced. Not
// thread-safe.
class OutputFile {
 public:
  // Errors name the file.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Open(const std::string& path);
  ~OutputFile();  // without Commit(): nothing was written
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(absl::string_view bytes);
  // Everything is on the disk when the file appears, with the permissions of the one that it replaces.
  absl::Status Commit();

 private:
  OutputFile(std::string path, std::string partial, int descriptor)
      : path_(std::move(path)), partial_(std::move(partial)), descriptor_(descriptor) {}
  absl::Status Flush();

  const std::string path_;
  const std::string partial_;
  int descriptor_;
  std::string buffer_;
};

}  // namespace heed::client
