// SPDX-License-Identifier: Apache-2.0
// Guesses the language of a text among given ones, with CLD2's tables of letters that follow each other.
//
// CLD2 itself chooses among all languages that it knows, and leaves short texts alone. Here its tables score the given
// languages only, and short texts are read more closely; docs/languages.md tells how, and how often that is right.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/languages/language_tag.h"

namespace heed {

struct LanguageGuess {
  LanguageTag language;  // one of the given ones
  // From 0 to 1: about how often such a guess is right, of texts in one of the given languages; less if a language that
  // is not given fits better. 0: nothing in the text tells, but its script; English, if that is given, else the first.
  float confidence = 0;
};

// What of a text counts, in characters that are letters.
inline constexpr size_t kMaxDetectedCharacters = 10000;

// The guesses, likeliest first; none has less than 1 % of the first one's confidence. Of given languages that cannot be
// told apart ("pt" and "pt-BR") the most general stands for all. Empty: the text has no letters, or only such of
// scripts that none of the languages is written in; or `languages` is empty.
//
// `text` is valid UTF-8; of HTML, tags, comments and scripts do not count, and entities are what they stand for.
// Thread-safe. Linear time; about 250 KiB of memory.
std::vector<LanguageGuess> DetectLanguage(absl::string_view text, absl::Span<const LanguageTag> languages,
                                          bool is_html = false);

}  // namespace heed
