// SPDX-License-Identifier: Apache-2.0
// Names that nobody can guess, and that no two ever share.
#pragma once

#include <cstddef>
#include <string>

namespace heed {

// So many bytes of the kernel's random numbers, in hexadecimal digits of lower case.
std::string RandomName(size_t bytes);

}  // namespace heed
