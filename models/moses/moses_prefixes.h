// SPDX-License-Identifier: Apache-2.0
// Words behind which a full stop belongs to the word ("Mr.", "z.B."), by language: the non-breaking prefixes of Moses'
// tokenizer. Data for models/moses/moses_tokenizer.h.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

struct MosesPrefixes {
  absl::string_view language;        // "en"
  absl::string_view words;           // between blanks, without the full stop
  absl::string_view before_numbers;  // of these a full stop is only part if a digit follows: "No"
};

// One entry for each language, in the order of their codes.
absl::Span<const MosesPrefixes> AllMosesPrefixes();

}  // namespace heed
