// SPDX-License-Identifier: Apache-2.0
// Lower case as trainers of translators apply it to their texts.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// The text, which is UTF-8, in lower case by Unicode's full mappings, of no particular language: the same as Python's
// str.lower(). Moses' lowercase.perl differs in one character: a capital sigma at the end of a Greek word is "σ" there
// and "ς" here.
std::string LowerCase(absl::string_view text);

}  // namespace heed
