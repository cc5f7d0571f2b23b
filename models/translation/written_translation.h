// SPDX-License-Identifier: Apache-2.0
// From the tokens of a translation to its text, in which forced phrases are to the byte, and each token's place there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/text/translation_tokenizer.h"

namespace heed {

// A forced phrase in a translation.
struct WrittenPhrase {
  size_t begin = 0;  // its tokens' first
  size_t count = 1;  // how many they are
  absl::string_view text;
  // The source beside what it translates. Whether there is a blank beside the phrase depends on both.
  absl::string_view before, behind;
  bool follows = true;  // as far as is known: the token before the phrase translates what is next to it in the source
};

struct WrittenTranslation {
  std::string text;
  std::vector<TokenSpan> spans;  // of each token, if wanted; all of a phrase is the first of its tokens'
};

// `spellings` as of TranslationTokenizer::Decode. `phrases` in order.
//
// Beside a phrase stands a blank where one stands in the source, unless an opening mark is there; none stands where the
// source has a letter ("file{name}s") that is translated there, or the same mark.
WrittenTranslation WriteTranslation(const TranslationTokenizer& tokenizer, absl::Span<const int32_t> tokens,
                                    absl::Span<const std::string> spellings, absl::Span<const WrittenPhrase> phrases,
                                    bool wants_spans);

}  // namespace heed
