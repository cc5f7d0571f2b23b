// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/instruction_set.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "hwy/highway.h"
#include "hwy/targets.h"

namespace heed {
namespace {

constexpr InstructionSet kAll[] = {InstructionSet::kPortable,   InstructionSet::kAvx2,       InstructionSet::kAvx512,
                                   InstructionSet::kAvx512Vnni, InstructionSet::kAvx512Bf16, InstructionSet::kAmx};

#if defined(__x86_64__)
// Linux saves the tiles of a process only after it has asked for them.
bool MayUseTiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool Has(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPortable:
      return true;
    case InstructionSet::kAvx2:
      return (hwy::SupportedTargets() & HWY_AVX2) != 0;
    case InstructionSet::kAvx512:
      return (hwy::SupportedTargets() & HWY_AVX3) != 0;
    case InstructionSet::kAvx512Vnni:
      return __builtin_cpu_supports("avx512vnni");
    case InstructionSet::kAvx512Bf16:
      return __builtin_cpu_supports("avx512bf16");
    case InstructionSet::kAmx:
      return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8") &&
             __builtin_cpu_supports("amx-bf16") && MayUseTiles();
  }
  return false;
}
#else
bool Has(InstructionSet set) { return set == InstructionSet::kPortable; }
#endif

InstructionSet LargestOfMachine() {
  InstructionSet largest = InstructionSet::kPortable;
  for (const InstructionSet set : kAll) {
    if (!Has(set)) break;
    largest = set;
  }
  return largest;
}

// Highway chooses its own kernels: not above `set` either.
void LimitHighway(InstructionSet set) {
#if defined(__x86_64__)
  int64_t above = 0;  // at once: a second call would take the first one's back
  if (set < InstructionSet::kAvx512) above |= HWY_AVX3 | HWY_AVX3_DL;
  if (set < InstructionSet::kAvx2) above |= HWY_AVX2;
  hwy::DisableTargets(above);
#else
  (void)set;
#endif
}

InstructionSet Choose() {
  const InstructionSet largest = LargestOfMachine();
  const char* const wanted = std::getenv("HEED_INSTRUCTION_SET");
  if (wanted == nullptr || *wanted == '\0') return largest;
  const std::optional<InstructionSet> named = InstructionSetNamed(wanted);
  if (!named || *named > largest) {
    std::fprintf(stderr, "HEED_INSTRUCTION_SET is \"%s\", but this machine has %s at most\n", wanted,
                 std::string(InstructionSetName(largest)).c_str());
    std::exit(2);
  }
  LimitHighway(*named);
  return *named;
}

// Before main, and so before Highway's first choice.
const InstructionSet kUsed = Choose();

}  // namespace

absl::string_view InstructionSetName(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPortable:
      return "portable";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx512Vnni:
      return "avx512-vnni";
    case InstructionSet::kAvx512Bf16:
      return "avx512-bf16";
    case InstructionSet::kAmx:
      return "amx";
  }
  return "";
}

std::optional<InstructionSet> InstructionSetNamed(absl::string_view name) {
  for (const InstructionSet set : kAll) {
    if (InstructionSetName(set) == name) return set;
  }
  return std::nullopt;
}

InstructionSet UsedInstructionSet() { return kUsed; }

std::vector<InstructionSet> UsableInstructionSets() {
  std::vector<InstructionSet> usable;
  for (const InstructionSet set : kAll) {
    if (set <= kUsed) usable.push_back(set);
  }
  return usable;
}

}  // namespace heed
