// SPDX-License-Identifier: Apache-2.0
#include "base/json_fields.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr size_t kMaxShown = 80;  // characters of a wrong value in a message

// Lists and objects by their kind alone: they may be of any size.
std::string ShownValue(const nlohmann::json& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

}  // namespace

absl::StatusOr<JsonFields> JsonFields::Read(const std::string& path) {
  HEED_RETURN_IF_ERROR(CheckReadable(path));
  std::ifstream file(path, std::ios::binary);
  JsonFields fields;
  fields.path_ = path;
  absl::StatusOr<nlohmann::json> object = ParseJson(file);
  if (!object.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", object.status().message()));
  fields.object_ = *std::move(object);
  if (!fields.object_.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  return fields;
}

const nlohmann::json& JsonFields::Value(absl::string_view name) const {
  static const nlohmann::json null;
  const auto found = object_.find(std::string(name));
  return found == object_.end() ? null : *found;
}

bool JsonFields::Has(absl::string_view name) const { return !Value(name).is_null(); }

std::string JsonFields::Shown(absl::string_view name) const { return ShownValue(Value(name)); }

void JsonFields::Wrong(absl::string_view name, absl::string_view what) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat(path_, ": ", name, " is ", Shown(name), ", ", what));
}

void JsonFields::Missing(absl::string_view name) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(path_, ": ", name, " is missing"));
}

JsonFields JsonFields::Inner(absl::string_view name) const {
  JsonFields inner;
  inner.path_ = absl::StrCat(path_, ": ", name);
  inner.object_ = Value(name);
  return inner;
}

JsonFields JsonFields::Inner(absl::string_view name, size_t index) const {
  JsonFields inner;
  inner.path_ = absl::StrCat(path_, ": ", name, "[", index, "]");
  inner.object_ = Value(name)[index];
  return inner;
}

int64_t JsonFields::Int(absl::string_view name, int64_t fallback, int64_t least, int64_t most) {
  const nlohmann::json& value = Value(name);
  if (value.is_null()) return fallback;
  const bool fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
  if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most) {
    Wrong(name, absl::StrCat("which is not a whole number from ", least, " to ", most));
    return fallback;
  }
  return value.get<int64_t>();
}

int64_t JsonFields::RequiredInt(absl::string_view name, int64_t least, int64_t most) {
  if (!Has(name)) {
    Missing(name);
    return least;
  }
  return Int(name, least, least, most);
}

double JsonFields::Number(absl::string_view name, double fallback, double least, double most) {
  const nlohmann::json& value = Value(name);
  if (value.is_null()) return fallback;
  if (!value.is_number()) {
    Wrong(name, "which is not a number");
    return fallback;
  }
  const double number = value.get<double>();
  if (!(number >= least && number <= most)) {
    Wrong(name, absl::StrCat("which is not from ", least, " to ", most));
    return fallback;
  }
  return number;
}

bool JsonFields::Bool(absl::string_view name, bool fallback) {
  const nlohmann::json& value = Value(name);
  if (value.is_null()) return fallback;
  if (!value.is_boolean()) {
    Wrong(name, "which is neither true nor false");
    return fallback;
  }
  return value.get<bool>();
}

std::string JsonFields::String(absl::string_view name, const std::string& fallback) {
  const nlohmann::json& value = Value(name);
  if (value.is_null()) return fallback;
  if (!value.is_string()) {
    Wrong(name, "which is not a string");
    return fallback;
  }
  return value.get<std::string>();
}

void JsonFields::Only(std::initializer_list<absl::string_view> known) {
  for (const auto& [name, value] : object_.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      Wrong(name, absl::StrCat("but there is no such field; there are: ", absl::StrJoin(known, ", ")));
      return;
    }
  }
}

}  // namespace heed
