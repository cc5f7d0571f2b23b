// SPDX-License-Identifier: Apache-2.0
// How many forms a language has for counted things, as gettext's header says it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed::client {

class PluralForms {
 public:
  // "nplurals=2; plural=(n != 1);", C's operators over n. INVALID_ARGUMENT: it is none.
  static absl::StatusOr<PluralForms> Parse(absl::string_view header);
  // The header of a language: "de", "pt_BR", "zh-Hans". Empty: not known.
  static std::string HeaderOf(absl::string_view language);

  size_t count() const { return covered_.size(); }
  // The form of the number 1.
  size_t singular() const { return singular_; }
  // Whether a form is of one number only.
  bool IsOfOneNumber(size_t form) const { return covered_[form] == 1; }

 private:
  std::vector<int> covered_;  // of each form: of how many numbers up to 200
  size_t singular_ = 0;
};

}  // namespace heed::client
