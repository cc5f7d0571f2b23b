// SPDX-License-Identifier: Apache-2.0
// Guesses the language of a text among given ones, with CLD2's tables and the scripts of its letters.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/languages/language_tag.h"

namespace heed {

struct LanguageGuess {
  LanguageTag language;  // one of the given ones
  // From 0 to 1: about how often such a guess is right, of texts in one of the given languages (docs/languages.md has
  // the measurement). 0: nothing in the text tells; the first of the given languages that its script allows.
  float confidence = 0;
};

// What of a text counts, in characters.
inline constexpr size_t kMaxDetectedCharacters = 10000;

// The guesses, likeliest first; none has less than 1 % of the confidence of the first. Empty: the text has no letters,
// or only such of scripts that none of the languages is written in; or `languages` is empty. `text` is valid UTF-8; of
// HTML, tags, comments, scripts and entities do not count. Thread-safe; linear time, bounded memory.
std::vector<LanguageGuess> DetectLanguage(absl::string_view text, absl::Span<const LanguageTag> languages,
                                          bool is_html = false);

}  // namespace heed
