// SPDX-License-Identifier: Apache-2.0
// Where tokens are in their text.
//
// Tokenizers change texts: they mark blanks and words that go on, write signs as entities, lower the case, and
// decompose or drop characters. So tokens and text are compared by what they show, without blanks and case and in
// Unicode's compatibility decomposition, as two sequences that are mostly the same. Where they differ, both go on from
// where they next agree, and what lies between is shared out evenly.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace heed {

// How a tokenizer spells tokens.
struct SpellingStyle {
  bool marks_blanks = false;  // SentencePiece: U+2581 for a blank, "<0xE2>" for a byte
  std::string continuation;   // at the end of a piece whose word goes on: "@@"; empty: no token is a piece
  bool entities = false;      // Moses: "&amp;" for "&", "@-@" for "-"
};

// Bytes of a text.
struct TokenSpan {
  size_t begin = 0;
  size_t end = 0;

  bool operator==(const TokenSpan&) const = default;
};

// For each token, the bytes of `text`, which is UTF-8, that it stands for: in order, without overlaps, and beginning
// and ending with something visible. Empty for a token that shows nothing, for one that the text lacks, and for all but
// the first of several that are parts of one character. Takes linear time.
std::vector<TokenSpan> SpansOfTokens(absl::string_view text, absl::Span<const std::string> spellings,
                                     const SpellingStyle& style);

// Whether a token is a part of the word before it, whatever that is: "ing", but not "▁the", "." or "世". Only where
// blanks are marked.
bool ContinuesWord(absl::string_view piece, const SpellingStyle& style);

}  // namespace heed
