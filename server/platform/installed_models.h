// SPDX-License-Identifier: Apache-2.0
// The models of an installation, which a server serves without --models.
#pragma once

#include <filesystem>
#include <string>

namespace heed {

// PREFIX/share/heed/models of a program PREFIX/bin/NAME. If there is no such directory, or `program` is empty: weights,
// in the working directory.
std::string ModelsOf(const std::filesystem::path& program);

// The file of this process's program, without symbolic links. Empty: the system does not say.
std::filesystem::path ThisProgram();

}  // namespace heed
