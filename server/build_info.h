// SPDX-License-Identifier: Apache-2.0
// What this program was built of and runs on.
#pragma once

#include <string>

namespace heed {

// A JSON object: version, compiler, instruction_set (of the kernels that this machine chose), precisions (what each one
// that --precision takes is computed in here: precision, kernel), libraries (name: version).
std::string BuildInfoJson();

}  // namespace heed
