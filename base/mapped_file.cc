// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

// The first line of a file that git-lfs keeps elsewhere, up to the version; git-lfs' specification, "The pointer".
constexpr absl::string_view kLfsPointer = "version https://git-lfs";

// A descriptor that closes itself.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor() const { return descriptor_; }
  // The size of a regular file whose content is there.
  absl::StatusOr<size_t> Size(const std::string& path) const {
    const auto failed = [&](int error) {
      const absl::StatusCode code = error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kInvalidArgument;
      return absl::Status(code, absl::StrCat(path, ": ", std::strerror(error)));
    };
    if (descriptor_ < 0) return failed(errno);
    struct stat status;
    if (fstat(descriptor_, &status) != 0) return failed(errno);
    if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file"));
    char begin[kLfsPointer.size()];
    const ssize_t length = pread(descriptor_, begin, sizeof(begin), 0);
    if (length < 0) return failed(errno);
    if (absl::string_view(begin, static_cast<size_t>(length)) == kLfsPointer) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": is a git-lfs pointer, not the file itself; run `git lfs pull` in the repository it comes from"));
    }
    return static_cast<size_t>(status.st_size);
  }

 private:
  const int descriptor_;
};

}  // namespace

void MappedFile::Unmap::operator()(const std::byte* p) const { munmap(const_cast<std::byte*>(p), size); }

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const OpenFile opened(path);
  const absl::StatusOr<size_t> size = opened.Size(path);
  if (!size.ok()) return size.status();
  MappedFile file;
  if (*size == 0) return file;
  void* mapped = mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, opened.descriptor(), 0);
  if (mapped == MAP_FAILED) return absl::InvalidArgumentError(absl::StrCat(path, ": mmap: ", std::strerror(errno)));
  file.mapping_ = {static_cast<const std::byte*>(mapped), Unmap{*size}};
  file.size_ = *size;
  return file;
}

absl::Status CheckReadable(const std::string& path) { return OpenFile(path).Size(path).status(); }

}  // namespace heed
