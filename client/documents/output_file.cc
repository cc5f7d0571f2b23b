// SPDX-License-Identifier: Apache-2.0
#include "client/documents/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace heed::client {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 16;

}  // namespace

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Open(const std::string& path) {
  std::string target = path;
  if (char* const resolved = realpath(path.c_str(), nullptr)) {
    target = resolved;
    std::free(resolved);
  }
  struct stat information = {};
  const bool exists = stat(target.c_str(), &information) == 0;
  if (exists && !S_ISREG(information.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("--output=", path, ": is no file"));
  }
  const std::string partial = target + ".partial";
  const int descriptor = open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", partial, "'"));
  std::unique_ptr<OutputFile> file(new OutputFile(target, partial, descriptor));
  if (exists && fchmod(descriptor, information.st_mode & 07777) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", partial, "'"));
  }
  return file;
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(partial_.c_str());
}

absl::Status OutputFile::Flush() {
  absl::string_view bytes = buffer_;
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", partial_, "'"));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status OutputFile::Write(absl::string_view bytes) {
  absl::StrAppend(&buffer_, bytes);
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status OutputFile::Commit() {
  HEED_RETURN_IF_ERROR(Flush());
  if (fsync(descriptor_) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write '", partial_, "'"));
  close(descriptor_);
  descriptor_ = -1;
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(partial_.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("cannot write '", path_, "'"));
  }
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  if (const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
  return absl::OkStatus();
}

}  // namespace heed::client
