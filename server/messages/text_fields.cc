// SPDX-License-Identifier: Apache-2.0
#include "server/messages/text_fields.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"

namespace heed {

absl::StatusOr<TextOptions> ToTextOptions(absl::string_view field, const v1::TextOptions& options) {
  TextOptions result;
  switch (options.tokenization()) {
    case v1::TextOptions::TOKENIZATION_UNSPECIFIED:
      break;
    case v1::TextOptions::TOKENIZATION_MOSES:
      result.tokenization = Tokenization::kMoses;
      break;
    case v1::TextOptions::TOKENIZATION_WHITESPACE:
      result.tokenization = Tokenization::kWhitespace;
      break;
    default:
      return InvalidField(absl::StrCat(field, ".tokenization"), static_cast<int>(options.tokenization()),
                          ", known are 0 to ", static_cast<int>(v1::TextOptions::Tokenization_MAX));
  }
  result.append_line_end = options.append_line_end();
  result.special_tokens = options.special_tokens();
  return result;
}

absl::StatusOr<Overlong> ToOverlong(absl::string_view field, v1::OverlongText overlong, Overlong by_default) {
  switch (overlong) {
    case v1::OVERLONG_TEXT_UNSPECIFIED:
      return by_default;
    case v1::OVERLONG_TEXT_REFUSE:
      return Overlong::kRefuse;
    case v1::OVERLONG_TEXT_TRUNCATE:
      return Overlong::kTruncate;
    case v1::OVERLONG_TEXT_WINDOWS:
      return Overlong::kWindows;
    default:
      return InvalidField(field, static_cast<int>(overlong), ", known are 0 to ",
                          static_cast<int>(v1::OverlongText_MAX));
  }
}

absl::Status CheckRange(absl::string_view field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return InvalidField(field, value, ", must be ", least, " to ", most);
}

absl::Status CheckTextCount(absl::string_view field, int64_t count, int64_t most) {
  if (count < 1) return InvalidField(field, "is empty, at least one");
  if (count > most) return InvalidField(field, count, " in one request, at most ", most);
  return absl::OkStatus();
}

absl::Status AboutItem(const absl::Status& status, absl::string_view item,
                       std::initializer_list<absl::string_view> common, ItemFieldNames names) {
  if (!absl::IsInvalidArgument(status)) return status;
  const std::string field = FieldOf(status);
  for (const absl::string_view own : common) {
    if (absl::StartsWith(field, own)) return status;
  }
  for (const auto& [name, own] : names) {
    if (!absl::StartsWith(field, name)) continue;
    const std::string path = absl::StrCat(item, own.empty() ? "" : ".", own, field.substr(name.size()));
    return InvalidField(path, FieldDescription(status));
  }
  return WithinField(item, status);
}

void FillAttention(const TextAttention& attention, const std::vector<std::string>& columns, v1::TextAttention& to) {
  to.set_row_count(static_cast<int32_t>(attention.rows));
  to.set_column_count(static_cast<int32_t>(attention.columns));
  to.mutable_weights()->Assign(attention.weights.begin(), attention.weights.end());
  to.mutable_column_tokens()->Assign(columns.begin(), columns.end());
}

}  // namespace heed
