// SPDX-License-Identifier: Apache-2.0
// The version of this build, from the root CMakeLists.txt.
#pragma once

namespace heed {

inline constexpr char kHeedVersion[] = HEED_VERSION;

}  // namespace heed
