// SPDX-License-Identifier: Apache-2.0
// How a model says in which precision it is served. Thread-safe.
#pragma once

#include "absl/strings/string_view.h"
#include "engine/linear/precision.h"
#include "models/kinds/model.h"

namespace heed {

// Notes in `spec` that its model is computed in what `asked` becomes on this machine (PrecisionHere), with a warning
// where that is another. A precision other than f32 is a part of the fingerprint, which must be there: states that
// were made in one precision do not go on in another.
void NotePrecision(Precision asked, ModelSpec& spec);

// The same of a model that is computed in f32 whatever is asked. `what`: "a Neural Turing Machine".
void NoteOnlyF32(Precision asked, absl::string_view what, ModelSpec& spec);

// What a fingerprint is of.
struct FingerprintParts {
  absl::string_view weights;    // the same for the same configuration and weights
  absl::string_view precision;  // "f32", "bf16", "int8"

  explicit FingerprintParts(absl::string_view fingerprint);
};

}  // namespace heed
