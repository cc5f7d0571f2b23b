// SPDX-License-Identifier: Apache-2.0
#include "engine/linear/precision.h"

#include <algorithm>

#include "engine/kernels/instruction_set.h"

namespace heed {

absl::string_view PrecisionName(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
    case Precision::kF32:
      break;
  }
  return "f32";
}

std::optional<Precision> PrecisionNamed(absl::string_view name) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kInt8}) {
    if (PrecisionName(precision) == name) return precision;
  }
  return std::nullopt;
}

Precision PrecisionHere(Precision wanted) { return wanted == Precision::kBf16 ? Precision::kF32 : wanted; }

absl::string_view KernelName(Precision precision) {
  const InstructionSet largest = precision == Precision::kF32 ? InstructionSet::kAvx512 : InstructionSet::kAmx;
  return InstructionSetName(std::min(UsedInstructionSet(), largest));
}

}  // namespace heed
