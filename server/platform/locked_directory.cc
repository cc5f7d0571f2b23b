// SPDX-License-Identifier: Apache-2.0
#include "server/platform/locked_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace heed {

absl::StatusOr<int> OpenLockedDirectory(absl::string_view flag, const std::string& path, mode_t mode) {
  auto refused = [&](absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat(flag, "=", path, ": ", reason));
  };
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return refused(std::strerror(errno));
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return refused(std::strerror(errno));
  absl::Status status;
  if (access(path.c_str(), W_OK) != 0) {
    status = refused(std::strerror(errno));
  } else if (flock(directory, LOCK_EX | LOCK_NB) != 0) {
    status = refused(errno == EWOULDBLOCK ? "another server uses it" : std::strerror(errno));
  }
  if (status.ok()) return directory;
  close(directory);
  return status;
}

}  // namespace heed
