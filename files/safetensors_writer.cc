// SPDX-License-Identifier: Apache-2.0
#include "files/safetensors_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"

namespace heed {
namespace {

constexpr size_t kMaxBytesAtOnce = size_t{1} << 30;  // write() takes no more than 2 GiB

absl::Status Failed(absl::string_view call, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": ", call));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// Waits for other writers. False: the file that this one was opened for has been moved away meanwhile, open it again.
absl::StatusOr<bool> Lock(const Descriptor& file, const std::string& path) {
  int result;
  do {
    result = flock(file.number(), LOCK_EX);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return Failed("flock", path);
  struct stat ours, there;
  if (fstat(file.number(), &ours) != 0) return Failed("fstat", path);
  return stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

absl::Status WriteAll(const Descriptor& file, const std::string& path, absl::Span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file.number(), bytes.data(), std::min(bytes.size(), kMaxBytesAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

std::string HeaderOf(absl::Span<const TensorToWrite> tensors, const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t begin = 0;
  for (const TensorToWrite& tensor : tensors) {
    size_t end = begin;
    for (const auto& piece : tensor.pieces) end += piece.size();
    header[tensor.name] = {
        {"dtype", std::string(DTypeName(tensor.dtype))}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  // Bytes that are no UTF-8 are replaced: JSON has no place for them.
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string prefix(sizeof(length), '\0');
  std::memcpy(prefix.data(), &length, sizeof(length));
  return prefix + text;
}

absl::Status WriteContent(const Descriptor& file, const std::string& path, absl::Span<const TensorToWrite> tensors,
                          const std::map<std::string, std::string>& metadata) {
  if (ftruncate(file.number(), 0) != 0) return Failed("ftruncate", path);
  const std::string header = HeaderOf(tensors, metadata);
  HEED_RETURN_IF_ERROR(WriteAll(file, path, {reinterpret_cast<const std::byte*>(header.data()), header.size()}));
  for (const TensorToWrite& tensor : tensors) {
    for (const auto& piece : tensor.pieces) HEED_RETURN_IF_ERROR(WriteAll(file, path, piece));
  }
  if (fsync(file.number()) != 0) return Failed("fsync", path);
  return absl::OkStatus();
}

// So that the name of the new file outlives a crash too.
absl::Status FlushDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, std::max(slash, size_t{1}));
  const Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.number() < 0) return Failed("open", directory);
  if (fsync(opened.number()) != 0) return Failed("fsync", directory);
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path, absl::Span<const TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata) {
  const std::string partial = absl::StrCat(path, ".partial");
  while (true) {
    const Descriptor file(open(partial.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    if (file.number() < 0) return Failed("open", partial);
    HEED_ASSIGN_OR_RETURN(const bool locked, Lock(file, partial));
    if (!locked) continue;
    absl::Status status = WriteContent(file, partial, tensors, metadata);
    if (status.ok() && rename(partial.c_str(), path.c_str()) != 0) status = Failed("rename", path);
    if (!status.ok()) {
      unlink(partial.c_str());
      return status;
    }
    return FlushDirectoryOf(path);
  }
}

}  // namespace heed
