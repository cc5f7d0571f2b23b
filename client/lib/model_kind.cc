// SPDX-License-Identifier: Apache-2.0
#include "client/lib/model_kind.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace heed::client {

std::string KindName(v1::ModelKind kind) {
  if (kind == v1::MODEL_KIND_UNSPECIFIED) return "";
  if (!v1::ModelKind_IsValid(kind)) return absl::StrCat("kind ", static_cast<int>(kind));  // of a newer server
  const std::string& name = v1::ModelKind_Name(kind);
  return absl::AsciiStrToLower(absl::StrReplaceAll(absl::StripPrefix(name, "MODEL_KIND_"), {{"_", "-"}}));
}

std::string PrecisionName(v1::Precision precision) {
  if (precision == v1::PRECISION_UNSPECIFIED) return "";
  if (!v1::Precision_IsValid(precision)) return absl::StrCat("precision ", static_cast<int>(precision));  // likewise
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Precision_Name(precision), "PRECISION_"));
}

}  // namespace heed::client
