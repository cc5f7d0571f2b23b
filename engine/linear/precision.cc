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

Precision PrecisionHere(Precision wanted) {
  if (wanted != Precision::kBf16) return wanted;
  bool pays = UsedInstructionSet() >= InstructionSet::kAmx;
#if defined(__x86_64__)
  // Zen 4's vectors multiply it at twice the speed of f32 (236 against 118 GFLOP/s a core), Intel's at less than that
  // of f32 (84 against 166).
  pays = pays || (UsedInstructionSet() >= InstructionSet::kAvx512Bf16 && __builtin_cpu_is("amd"));
#endif
  return pays ? Precision::kBf16 : Precision::kF32;
}

absl::string_view KernelName(Precision precision) {
  InstructionSet used = UsedInstructionSet();
  if (precision == Precision::kF32) used = std::min(used, InstructionSet::kAvx512);
  // 8 bits have nothing of their own between AVX2 and VNNI, and between VNNI and AMX.
  if (precision == Precision::kInt8 && used == InstructionSet::kAvx512) used = InstructionSet::kAvx2;
  if (precision == Precision::kInt8 && used == InstructionSet::kAvx512Bf16) used = InstructionSet::kAvx512Vnni;
  return InstructionSetName(used);
}

}  // namespace heed
