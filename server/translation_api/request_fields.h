// SPDX-License-Identifier: Apache-2.0
// The parameters of a request to another server's API, in whichever way its client sent them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

// Values of all fields together. More than any client sends; a request of many tiny values must not cost much more
// memory than it has bytes.
inline constexpr size_t kMaxFieldValues = 10'000;

// Fields by name, each with its values. All are valid UTF-8. Numbers are text, true and false are "true" and "false".
//
// Errors are INVALID_ARGUMENT and name the field and its value.
class RequestFields {
 public:
  // Reads a body of the content type: "application/json", "application/x-www-form-urlencoded" or "multipart/form-data".
  // Of any other, or none: JSON if the body begins with "{", else a form. Fields of the body replace those of `query`,
  // the decoded parameters of the address. Unknown fields are kept and do no harm.
  //
  // INVALID_ARGUMENT: the body is not what its type says, is not UTF-8, or has more than kMaxFieldValues values.
  static absl::StatusOr<RequestFields> Read(absl::string_view content_type, absl::string_view body,
                                            absl::Span<const std::pair<std::string, std::string>> query);

  // Whether the field is there, and is not null.
  bool Has(absl::string_view name) const;
  // Whether its values are a list: JSON's, or a form's field that is there more than once or is called "name[]".
  bool IsList(absl::string_view name) const;
  // One value. Empty: the field is not there.
  absl::StatusOr<std::string> Text(absl::string_view name) const;
  // All values.
  absl::StatusOr<std::vector<std::string>> Texts(absl::string_view name) const;
  // The parts between the commas of all values, without white space around them and without empty ones.
  absl::StatusOr<std::vector<std::string>> Names(absl::string_view name) const;
  // "1" or "true", "0" or "false".
  absl::StatusOr<bool> Flag(absl::string_view name, bool fallback) const;
  absl::StatusOr<int64_t> Number(absl::string_view name, int64_t fallback, int64_t min, int64_t max) const;

  // For readers of bodies: one more value. INVALID_ARGUMENT beyond kMaxFieldValues, or if it is not UTF-8.
  absl::Status Add(absl::string_view name, std::string value);
  // Begins the field again, without values.
  void Reset(absl::string_view name, bool is_list);
  // The field holds what is no text: a list within a list, or an object.
  void SetNested(absl::string_view name);

 private:
  struct Field {
    std::vector<std::string> values;
    bool is_list = false;
    bool is_nested = false;
  };
  const Field* Find(absl::string_view name) const;

  std::map<std::string, Field, std::less<>> fields_;
  size_t value_count_ = 0;
};

}  // namespace heed
