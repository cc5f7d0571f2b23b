// SPDX-License-Identifier: Apache-2.0
// Reading UTF-8 text by code points, with Unicode's properties from ICU. Only for sources of models/.
//
// Offsets are bytes. Texts are UTF-8 unless a function says otherwise.
#pragma once

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace heed {

// The code point that begins at byte i, which moves behind it; negative if it is not UTF-8.
inline UChar32 NextCodePoint(absl::string_view text, int32_t& i) {
  UChar32 c;
  U8_NEXT(text.data(), i, static_cast<int32_t>(text.size()), c);
  return c;
}

// The code point that ends before byte i, which moves to its beginning. i is greater than 0.
inline UChar32 PreviousCodePoint(absl::string_view text, int32_t& i) {
  UChar32 c;
  U8_PREV(text.data(), 0, i, c);
  return c;
}

// The code point that begins at byte i, or that ends there; negative if there is none.
inline UChar32 CodePointAt(absl::string_view text, int32_t i) {
  return i < static_cast<int32_t>(text.size()) ? NextCodePoint(text, i) : -1;
}
inline UChar32 CodePointBefore(absl::string_view text, int32_t i) { return i > 0 ? PreviousCodePoint(text, i) : -1; }

inline bool IsSpace(UChar32 c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return u_isUWhiteSpace(c);
}

// Nothing that a reader sees: white space, format characters (a byte order mark, U+200B), controls, and what by default
// has no glyph.
inline bool IsInvisible(UChar32 c) {
  if (c < 0x80) return c <= ' ' || c == 0x7f;
  return u_isUWhiteSpace(c) || u_charType(c) == U_FORMAT_CHAR || u_charType(c) == U_CONTROL_CHAR ||
         u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

inline bool IsCombiningMark(UChar32 c) {
  return c >= 0x300 && (U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_ME_MASK | U_GC_MC_MASK)) != 0;
}

inline bool IsLetter(UChar32 c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return u_isalpha(c) && !u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

// A letter of a script that has no blanks between words: Chinese, Japanese, Thai.
inline bool IsWrittenWithoutBlanks(UChar32 c) {
  if (c < 0x80) return false;
  const int32_t line_break = u_getIntPropertyValue(c, UCHAR_LINE_BREAK);
  return u_isalpha(c) && (line_break == U_LB_IDEOGRAPHIC || line_break == U_LB_COMPLEX_CONTEXT ||
                          line_break == U_LB_CONDITIONAL_JAPANESE_STARTER);
}

// Appends c in lower case.
inline void AppendLower(UChar32 c, std::string& text) {
  char bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, u_tolower(c));
  text.append(bytes, static_cast<size_t>(size));
}

}  // namespace heed
