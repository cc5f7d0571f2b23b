// SPDX-License-Identifier: Apache-2.0
// A directory in memory for functions that read files by their path. Files are written anew for each input, without
// being made anew. One thread.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {

class InputFiles {
 public:
  // Empty, or with links to the files of a directory of tests/fixtures.
  InputFiles() {
    // tmpfs, where the machine has it; HEED_FUZZ_DIR: elsewhere, as for a fuzzer whose processes are killed.
    const char* wanted = std::getenv("HEED_FUZZ_DIR");
    const bool memory = access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent = wanted != nullptr ? wanted
                                         : memory          ? "/dev/shm"
                                                           : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "heed-fuzz-XXXXXX").string();
    HEED_FUZZ_EXPECT(mkdtemp(pattern.data()) != nullptr, "no directory for input files");
    path_ = pattern;
  }
  explicit InputFiles(const std::string& fixture) : InputFiles() {
    for (const auto& file :
         std::filesystem::directory_iterator(std::string(HEED_SOURCE_DIR) + "/tests/fixtures/" + fixture)) {
      std::filesystem::create_symlink(file.path(), path_ / file.path().filename());
    }
  }
  ~InputFiles() {
    for (const auto& [name, descriptor] : open_) close(descriptor);
    std::filesystem::remove_all(path_);
  }
  InputFiles(const InputFiles&) = delete;
  InputFiles& operator=(const InputFiles&) = delete;

  std::string path() const { return path_.string(); }
  std::string File(const std::string& name) const { return (path_ / name).string(); }

  // The file takes the place of a link of that name. Nobody may have it open.
  void Set(const std::string& name, absl::string_view bytes) {
    int& descriptor = open_.try_emplace(name, -1).first->second;
    if (descriptor < 0) {
      std::filesystem::remove(path_ / name);
      descriptor = open(File(name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    HEED_FUZZ_EXPECT(descriptor >= 0 && ftruncate(descriptor, static_cast<off_t>(bytes.size())) == 0 &&
                         pwrite(descriptor, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
                     "an input file cannot be written");
  }

 private:
  std::filesystem::path path_;
  std::map<std::string, int> open_;
};

}  // namespace heed
