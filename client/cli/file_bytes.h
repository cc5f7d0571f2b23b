// SPDX-License-Identifier: Apache-2.0
// Whole files.
#pragma once

#include <string>

namespace heed::client {

// Both return false on an error, which errno names.
bool ReadFileBytes(const std::string& path, std::string& bytes);
// Writes beside the file that may be there and then moves: a full disk does not cost that one.
bool WriteFileBytes(const std::string& path, const std::string& bytes);

}  // namespace heed::client
