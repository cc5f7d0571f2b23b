// SPDX-License-Identifier: Apache-2.0
// The words and signs of a text: what tags are put around.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/translator.h"

namespace heed {

struct TextWord {
  uint32_t begin = 0, end = 0;  // bytes
  bool has_letters = false;     // or digits; otherwise it is a sign
};

// The words of `text`, which is UTF-8, in order; what is between them is white space. "don't", "well-known" and "3.5"
// are one word; each character of a script without spaces is one. `fixed`, which are in order and do not overlap, are
// one word each.
std::vector<TextWord> SplitWords(absl::string_view text, absl::Span<const TextRange> fixed);
// The same, but apostrophes and hyphens are signs between words.
std::vector<TextWord> SplitAtEverySign(absl::string_view text);

// No word goes across `at`.
bool IsBetweenWords(absl::string_view text, size_t at);

}  // namespace heed
