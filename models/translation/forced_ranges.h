// SPDX-License-Identifier: Apache-2.0
// The forced phrases of a text, as the sentences of the text need them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "models/kinds/translator.h"

namespace heed {

// The text's forced phrases in order, without the white space around them. Phrases that stay as they are and touch each
// other are one. Those of white space alone are left out. INVALID_ARGUMENT names the phrase and what is wrong: a range
// that is not in the text, cuts a character or overlaps the one before it; a target that is blank or not UTF-8.
absl::StatusOr<std::vector<ForcedPhrase>> ReadForcedPhrases(const SourceText& text);

// Those that reach into the bytes [begin, end) of the text, in time proportional to the logarithm of their number.
absl::Span<const ForcedPhrase> PhrasesIn(absl::Span<const ForcedPhrase> phrases, size_t begin, size_t end);

// Whether a byte of the text is within a phrase, and not at its ends.
bool IsWithinPhrase(absl::Span<const ForcedPhrase> phrases, size_t at);

// A sentence, which begins at byte `begin` of its text, with each phrase in it replaced by its target, and the words of
// the sentence that these are now.
struct ReplacedText {
  std::string text;
  std::vector<AlignedToken> words;
  bool has_letters = false;  // beside the phrases
};
ReplacedText ReplacePhrases(absl::string_view sentence, size_t begin, absl::Span<const ForcedPhrase> phrases);

}  // namespace heed
