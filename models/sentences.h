// Splits text into sentences (Unicode's rules, by ICU) without losing a byte of it.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace heed {

struct SentenceSpan {
  std::string separator;  // the white space before it
  std::string text;       // neither begins nor ends with white space; empty only if the whole text is blank
};

struct SplitText {
  std::vector<SentenceSpan> sentences;  // at least one
  std::string trailing;                 // the white space after the last
};

// The spans in order, with `trailing` at the end, make up `text` exactly. A line break always ends a sentence.
// `language`
// ("en", or empty) picks ICU's rules. `text` is UTF-8. Thread-safe.
SplitText SplitSentences(absl::string_view text, const std::string& language);
// The whole text as one sentence, its surrounding white space apart.
SplitText WholeText(absl::string_view text);

// Cuts a sentence in two near its middle: behind punctuation if there is some, else between words, else between
// characters. The second part's separator is the white space between them. Needs at least two characters.
std::vector<SentenceSpan> Halve(const SentenceSpan& sentence);

// True if the sentence has two characters to be cut between.
bool CanHalve(absl::string_view sentence);

// The offset of the first byte that is not UTF-8, or -1.
int64_t FirstInvalidUtf8(absl::string_view text);

}  // namespace heed
