// SPDX-License-Identifier: Apache-2.0
#include "server/translation_api/request_fields.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/excerpt.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "server/translation_api/request_body.h"

namespace heed {

absl::StatusOr<RequestFields> RequestFields::Read(absl::string_view content_type, absl::string_view body,
                                                  absl::Span<const std::pair<std::string, std::string>> query) {
  RequestFields fields;
  for (const auto& [name, value] : query) HEED_RETURN_IF_ERROR(fields.Add(name, value));
  RequestFields from_body;
  const std::string type =
      absl::AsciiStrToLower(absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';'))));
  const absl::string_view content = absl::StripLeadingAsciiWhitespace(body);
  if (content.empty()) return fields;
  if (type == "application/json" || absl::EndsWith(type, "+json")) {
    HEED_RETURN_IF_ERROR(ReadJsonBody(body, from_body));
  } else if (type == "multipart/form-data") {
    HEED_RETURN_IF_ERROR(ReadMultipartBody(content_type, body, from_body));
  } else if (type == "application/x-www-form-urlencoded" || !absl::StartsWith(content, "{")) {
    HEED_RETURN_IF_ERROR(ReadFormBody(body, from_body));
  } else {
    HEED_RETURN_IF_ERROR(ReadJsonBody(body, from_body));
  }
  for (auto& [name, field] : from_body.fields_) fields.fields_[name] = std::move(field);
  return fields;
}

const RequestFields::Field* RequestFields::Find(absl::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? nullptr : &found->second;
}

bool RequestFields::Has(absl::string_view name) const {
  const Field* field = Find(name);
  return field != nullptr && (field->is_nested || field->is_list || !field->values.empty());
}

bool RequestFields::IsList(absl::string_view name) const {
  const Field* field = Find(name);
  return field != nullptr && (field->is_list || field->values.size() > 1);
}

absl::StatusOr<std::string> RequestFields::Text(absl::string_view name) const {
  const Field* field = Find(name);
  if (field == nullptr || !Has(name)) return std::string();
  if (field->is_nested) return InvalidField(name, "is an object or a list of lists, must be a text");
  if (field->values.size() != 1) {
    return InvalidField(name, "is a list of ", field->values.size(), " values, must be one text");
  }
  return field->values[0];
}

absl::StatusOr<std::vector<std::string>> RequestFields::Texts(absl::string_view name) const {
  const Field* field = Find(name);
  if (field == nullptr) return std::vector<std::string>();
  if (field->is_nested) return InvalidField(name, "holds an object, a list or null, must be a text or a list of texts");
  return field->values;
}

absl::StatusOr<std::vector<std::string>> RequestFields::Names(absl::string_view name) const {
  HEED_ASSIGN_OR_RETURN(const std::vector<std::string> values, Texts(name));
  std::vector<std::string> names;
  for (const std::string& value : values) {
    for (const absl::string_view part : absl::StrSplit(value, ',')) {
      const absl::string_view word = absl::StripAsciiWhitespace(part);
      if (word.empty()) continue;
      if (names.size() == kMaxFieldValues) return InvalidField(name, "has more than ", kMaxFieldValues, " names");
      names.emplace_back(word);
    }
  }
  return names;
}

absl::StatusOr<bool> RequestFields::Flag(absl::string_view name, bool fallback) const {
  HEED_ASSIGN_OR_RETURN(const std::string text, Text(name));
  if (text.empty()) return fallback;
  if (text == "1" || absl::EqualsIgnoreCase(text, "true")) return true;
  if (text == "0" || absl::EqualsIgnoreCase(text, "false")) return false;
  return InvalidField(name, Quoted(text), ", must be 0 or 1");
}

absl::StatusOr<int64_t> RequestFields::Number(absl::string_view name, int64_t fallback, int64_t min,
                                              int64_t max) const {
  HEED_ASSIGN_OR_RETURN(const std::string text, Text(name));
  if (text.empty()) return fallback;
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < min || number > max) {
    return InvalidField(name, Quoted(text), ", must be a whole number from ", min, " to ", max);
  }
  return number;
}

absl::Status RequestFields::Add(absl::string_view name, std::string value) {
  if (value_count_ == kMaxFieldValues) {
    return InvalidArgument("the request has more than ", kMaxFieldValues, " values");
  }
  if (const std::optional<size_t> offset = FirstInvalidUtf8(name)) {
    return InvalidArgument("the name of a field is not UTF-8 at its byte ", *offset);
  }
  const bool is_list = absl::ConsumeSuffix(&name, "[]");
  if (const std::optional<size_t> offset = FirstInvalidUtf8(value)) {
    return InvalidField(Excerpt(name, 64), "is not UTF-8 at byte ", *offset);
  }
  ++value_count_;
  auto found = fields_.find(name);
  if (found == fields_.end()) found = fields_.try_emplace(std::string(name)).first;
  found->second.values.push_back(std::move(value));
  found->second.is_list = found->second.is_list || is_list;
  return absl::OkStatus();
}

void RequestFields::Reset(absl::string_view name, bool is_list) {
  Field& field = fields_[std::string(name)];
  value_count_ -= field.values.size();
  field = Field{{}, is_list, false};
}

void RequestFields::SetNested(absl::string_view name) { fields_[std::string(name)].is_nested = true; }

}  // namespace heed
