// SPDX-License-Identifier: Apache-2.0
// The precision in which a model's linear layers are computed, chosen when it is loaded.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace heed {

enum class Precision {
  kF32,   // weights as they are, sums in f32
  kBf16,  // weights and activations rounded to bfloat16, sums in f32: where the machine multiplies bfloat16
  kInt8,  // weights and activations in 8 bits, sums exact: the same bits on every machine
};

// "f32", "bf16", "int8"
absl::string_view PrecisionName(Precision precision);
// The one of that name.
std::optional<Precision> PrecisionNamed(absl::string_view name);

// What `wanted` becomes on this machine: kBf16 becomes kF32 where nothing multiplies bfloat16 faster than f32.
Precision PrecisionHere(Precision wanted);

// What multiplies in this precision here, for logs and answers: InstructionSetName of the largest one it uses.
// `precision` as PrecisionHere gives it.
absl::string_view KernelName(Precision precision);

}  // namespace heed
