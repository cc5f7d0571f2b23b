// SPDX-License-Identifier: Apache-2.0
#include "models/language_text/clean_up_spaces.h"

#include <utility>

#include "absl/strings/str_replace.h"

namespace heed {

std::string CleanUpSpaces(absl::string_view text) {
  // One after another, as there: what one joins another may find.
  constexpr std::pair<absl::string_view, absl::string_view> kReplacements[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  std::string result(text);
  for (const auto& replacement : kReplacements) absl::StrReplaceAll({replacement}, &result);
  return result;
}

}  // namespace heed
