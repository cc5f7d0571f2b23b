// SPDX-License-Identifier: Apache-2.0
// What transformers does with decoded text where `clean_up_tokenization_spaces` is true.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// No blank before full stops, commas, question marks, exclamation marks and English contractions.
std::string CleanUpSpaces(absl::string_view text);

}  // namespace heed
