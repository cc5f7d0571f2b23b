// SPDX-License-Identifier: Apache-2.0
#include "server/platform/installed_models.h"

#include <system_error>

namespace heed {

std::string ModelsOf(const std::filesystem::path& program) {
  std::error_code error;
  if (!program.empty()) {
    const std::filesystem::path installed = program.parent_path().parent_path() / "share/heed/models";
    if (std::filesystem::is_directory(installed, error)) return installed.string();
  }
  return "weights";
}

std::filesystem::path ThisProgram() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

}  // namespace heed
