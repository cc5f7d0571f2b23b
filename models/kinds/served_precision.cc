// SPDX-License-Identifier: Apache-2.0
#include "models/kinds/served_precision.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

// Fingerprints are hexadecimal digits; these are none.
std::string SuffixOf(Precision precision) { return absl::StrCat("-", PrecisionName(precision)); }

void Note(Precision served, ModelSpec& spec) {
  spec.precision = served;
  spec.kernel = std::string(KernelName(served));
  if (served != Precision::kF32 && !spec.fingerprint.empty()) spec.fingerprint += SuffixOf(served);
}

}  // namespace

void NotePrecision(Precision asked, ModelSpec& spec) {
  const Precision served = PrecisionHere(asked);
  if (served != asked) {
    spec.warnings.push_back(absl::StrCat(PrecisionName(asked), " was asked for; this machine does not multiply it ",
                                         "faster than f32, so the model is computed in ", PrecisionName(served)));
  }
  Note(served, spec);
}

void NoteOnlyF32(Precision asked, absl::string_view what, ModelSpec& spec) {
  if (asked != Precision::kF32) {
    spec.warnings.push_back(absl::StrCat(PrecisionName(asked), " was asked for; ", what, " is computed in f32"));
  }
  Note(Precision::kF32, spec);
}

FingerprintParts::FingerprintParts(absl::string_view fingerprint)
    : weights(fingerprint), precision(PrecisionName(Precision::kF32)) {
  const size_t dash = fingerprint.rfind('-');
  if (dash == fingerprint.npos) return;
  if (const std::optional<Precision> named = PrecisionNamed(fingerprint.substr(dash + 1))) {
    weights = fingerprint.substr(0, dash);
    precision = PrecisionName(*named);
  }
}

}  // namespace heed
