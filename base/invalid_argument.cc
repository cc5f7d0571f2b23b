// SPDX-License-Identifier: Apache-2.0
#include "base/invalid_argument.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace heed {
namespace {

constexpr char kField[] = "heed/field";

}  // namespace

absl::Status WithField(absl::Status status, absl::string_view field) {
  status.SetPayload(kField, absl::Cord(field));
  return status;
}

std::string FieldOf(const absl::Status& status) {
  const auto field = status.GetPayload(kField);
  return field ? std::string(*field) : std::string();
}

std::string FieldDescription(const absl::Status& status) {
  absl::string_view text = status.message();
  const std::string field = FieldOf(status);
  const size_t place = field.empty() ? absl::string_view::npos : text.find(field);
  if (place == absl::string_view::npos) return std::string(text);
  text.remove_prefix(place + field.size());
  if (!absl::ConsumePrefix(&text, ": ")) absl::ConsumePrefix(&text, " ");
  return std::string(text);
}

absl::Status WithinField(absl::string_view outer, const absl::Status& status) {
  const std::string field = FieldOf(status);
  absl::string_view rest = status.message();
  std::string path(outer);
  if (field.empty() || !absl::ConsumePrefix(&rest, field)) {
    return WithField(absl::Status(status.code(), absl::StrCat(outer, ": ", status.message())), path);
  }
  absl::StrAppend(&path, absl::StartsWith(field, "[") ? "" : ".", field);
  return WithField(absl::Status(status.code(), absl::StrCat(path, rest)), path);
}

}  // namespace heed
