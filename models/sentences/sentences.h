// SPDX-License-Identifier: Apache-2.0
// Splits text into sentences without losing a byte of it.
//
// Where a sentence may end is Unicode's business (UAX #29's terminators, closing and continuing characters, from ICU's
// data). Whether it does end there, UAX #29's rules cannot say: they know no words, so that they end a sentence behind
// "Mr." and never end one before a digit or a small letter. That is decided here, by
// models/sentences/sentence_rules.h's tables.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/sentences/sentence_rules.h"

namespace heed {

struct SentenceSpan {
  std::string separator;  // what is between it and the sentence before: white space and other invisible characters
  std::string text;       // neither begins nor ends with white space; empty only if the whole text is blank
};

struct SplitText {
  std::vector<SentenceSpan> sentences;  // at least one
  std::string trailing;                 // what is behind the last one, as a separator
};

// The spans in order, with `trailing` at the end, make up `text` exactly. A line break or a tab always ends a sentence.
// What holds nothing visible is no sentence. `text` is UTF-8. Takes time linear in the text's length. Thread-safe.
SplitText SplitSentences(absl::string_view text, const SentenceRules& rules);
// The whole text as one sentence, its surrounding white space apart.
SplitText WholeText(absl::string_view text);

// Only white space.
bool IsWhiteSpace(absl::string_view text);
// Something that can be translated; numbers and signs are the same in every language.
bool HasLetters(absl::string_view text);

}  // namespace heed
