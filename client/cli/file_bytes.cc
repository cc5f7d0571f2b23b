// SPDX-License-Identifier: Apache-2.0
#include "client/cli/file_bytes.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <vector>

namespace heed::client {

bool ReadFileBytes(const std::string& path, std::string& bytes) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> part(1 << 16);
  while (file.read(part.data(), static_cast<std::streamsize>(part.size())) || file.gcount() > 0) {
    bytes.append(part.data(), static_cast<size_t>(file.gcount()));
  }
  return file.eof();
}

bool WriteFileBytes(const std::string& path, const std::string& bytes) {
  const std::string partial = path + ".partial";
  errno = 0;
  {
    std::ofstream file(partial, std::ios::binary);
    if (file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
      file.close();
      if (file && std::rename(partial.c_str(), path.c_str()) == 0) return true;
    }
  }
  const int error = errno;
  std::remove(partial.c_str());
  errno = error;
  return false;
}

}  // namespace heed::client
