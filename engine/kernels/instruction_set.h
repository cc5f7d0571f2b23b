// SPDX-License-Identifier: Apache-2.0
// The instruction set that kernels use in this process.
#pragma once

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"

namespace heed {

// Each holds those before it.
enum class InstructionSet {
  kPortable,    // whatever the compiler targets
  kAvx2,        // with fused multiply-add and f16 conversion
  kAvx512,      // F, BW, CD, DQ, VL
  kAvx512Vnni,  // sums of products of 8-bit integers
  kAvx512Bf16,  // sums of products of bfloat16
  kAmx,         // tiles, of 8-bit integers and of bfloat16; the kernel lets this process use them
};

// "portable", "avx2", "avx512", "avx512-vnni", "avx512-bf16", "amx"
absl::string_view InstructionSetName(InstructionSet set);
std::optional<InstructionSet> InstructionSetNamed(absl::string_view name);

// The largest that the machine has. Tests can lower it, for the whole process: by the environment variable
// HEED_INSTRUCTION_SET, the name of one. A name that is none, or more than the machine has, ends the process with an
// error.
InstructionSet UsedInstructionSet();

// kPortable and up to UsedInstructionSet().
std::vector<InstructionSet> UsableInstructionSets();

}  // namespace heed
