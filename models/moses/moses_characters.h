// SPDX-License-Identifier: Apache-2.0
// Sets of characters as sacremoses' rules have them, for models/moses/moses_tokenizer.h and moses_detokenizer.h.
//
// They are Unicode 7.0's properties without Han and Hangul characters and those above U+FFFF, which are neither letters
// nor numbers.
#pragma once

#include <unicode/utypes.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace heed {

bool IsMosesLetter(UChar32 c);        // IsAlpha of the tokenizer: also the Indic viramas and nuktas
bool IsMosesBaseLetter(UChar32 c);    // IsAlpha of the detokenizer: without those
bool IsMosesAlphanumeric(UChar32 c);  // IsAlnum: a letter of the tokenizer, or a decimal digit
bool IsMosesNumber(UChar32 c);        // IsN: also fractions, superscripts, Roman numerals
bool IsMosesLower(UChar32 c);         // IsLower
bool IsMosesCurrency(UChar32 c);      // IsSc

// White space as Python's str.split() and \s have it: Unicode's, and the separators U+001C to U+001F.
bool IsPythonSpace(UChar32 c);
// The words between white space, as Python's str.split() finds them. They refer to `text`, which is UTF-8.
std::vector<absl::string_view> SplitAtPythonSpace(absl::string_view text);

}  // namespace heed
