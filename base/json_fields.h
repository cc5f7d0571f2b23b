// SPDX-License-Identifier: Apache-2.0
// Reads the fields of a model directory's JSON files, so that a wrong one is named with its file and value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace heed {

// A name that a field may hold, and what it stands for.
template <typename Meaning>
struct Choice {
  const char* name;
  Meaning value;
};

// One JSON object of a file. Reading goes on after an error and returns the default; status() then holds the first one.
class JsonFields {
 public:
  // The file must hold an object. NOT_FOUND if there is no such file, INVALID_ARGUMENT if it is no JSON object.
  static absl::StatusOr<JsonFields> Read(const std::string& path);

  bool Has(absl::string_view name) const;  // and is not null
  // A whole number within [least, most].
  int64_t Int(absl::string_view name, int64_t fallback, int64_t least = std::numeric_limits<int64_t>::min(),
              int64_t most = std::numeric_limits<int64_t>::max());
  // The same for a field that must be there.
  int64_t RequiredInt(absl::string_view name, int64_t least, int64_t most);
  // A number within [least, most].
  double Number(absl::string_view name, double fallback, double least = std::numeric_limits<double>::lowest(),
                double most = std::numeric_limits<double>::max());
  bool Bool(absl::string_view name, bool fallback);
  std::string String(absl::string_view name, const std::string& fallback);

  // What the name stands for that the field holds, or `fallback`, one of the names, if it is not there; an empty
  // fallback: it must be there.
  template <typename Meaning, size_t N>
  Meaning OneOf(absl::string_view name, const Choice<Meaning> (&choices)[N], const char* fallback);
  // Records the first field that is none of these.
  void Only(std::initializer_list<absl::string_view> known);

  // For fields of other kinds; null if it is not there.
  const nlohmann::json& Value(absl::string_view name) const;
  // A field's value for a message: short, whatever it holds.
  std::string Shown(absl::string_view name) const;
  // Records that a field is wrong: "<file>: <name> is <value>, <what>".
  void Wrong(absl::string_view name, absl::string_view what);
  // Records that a field that must be there is not.
  void Missing(absl::string_view name);

  // The object that a field holds, or item `index` of the list that it holds; its path says where it stands in the
  // file, and its status is its own.
  JsonFields Inner(absl::string_view name) const;
  JsonFields Inner(absl::string_view name, size_t index) const;

  const std::string& path() const { return path_; }
  const nlohmann::json& object() const { return object_; }
  const absl::Status& status() const { return status_; }

 private:
  std::string path_;
  nlohmann::json object_;
  absl::Status status_;
};

template <typename Meaning, size_t N>
Meaning JsonFields::OneOf(absl::string_view name, const Choice<Meaning> (&choices)[N], const char* fallback) {
  const std::string given = String(name, fallback);
  for (const Choice<Meaning>& choice : choices) {
    if (given == choice.name) return choice.value;
  }
  if (Has(name)) {
    const auto names = absl::StrJoin(
        choices, ", ", [](std::string* out, const Choice<Meaning>& choice) { absl::StrAppend(out, choice.name); });
    Wrong(name, absl::StrCat("which is none of ", names));
  } else if (*fallback == '\0') {
    Missing(name);
  }
  return choices[0].value;
}

}  // namespace heed
