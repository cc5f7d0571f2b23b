// SPDX-License-Identifier: Apache-2.0
#include "models/moses/moses_characters.h"

#include <unicode/uniset.h>

#include "base/check.h"
#include "base/code_points.h"

namespace heed {
namespace {

// An ICU pattern's characters, frozen: safe to read from several threads, and fast.
const icu::UnicodeSet* NewSet(const std::string& pattern) {
  UErrorCode error = U_ZERO_ERROR;
  auto* set = new icu::UnicodeSet(icu::UnicodeString::fromUTF8(pattern), error);
  HEED_CHECK(U_SUCCESS(error));
  set->freeze();
  return set;
}

// What is a letter or number of Unicode 7.0's Basic Multilingual Plane; the Unicode data of that time listed Han and
// Hangul characters as ranges, which the lists of sacremoses do not have.
std::string OfListedPlane(const std::string& properties) {
  return "[" + properties + "&[:age=7.0:]&[\\u0000-\\uffff]-[:Script=Han:]-[\\uac00-\\ud7a3]]";
}

// Characters whose property has changed since then, and U+25CC, by which the lists show marks.
constexpr char kNotLetters[] =
    "[\\u0f82\\u0f83\\u1063\\u1064\\u1069-\\u106d\\u1087-\\u108d\\u108f\\u109a\\u109b\\u1c36\\ua802\\ua80b\\ua9e5"
    "\\uaa7b-\\uaa7d]";
constexpr char kMoreLetters[] = "[\\u135f\\u25cc]";
// sacremoses' lists of viramas and nuktas.
constexpr char kViramasAndNuktas[] =
    "[\\u093c\\u094d\\u09bc\\u09cd\\u0a3c\\u0a4d\\u0abc\\u0acd\\u0afd-\\u0aff\\u0b3c\\u0b4d\\u0bcd\\u0c4d\\u0cbc\\u0ccd"
    "\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0eba\\u1039\\u1714\\u1bab\\u1c37\\ua8c4\\ua953\\uaaf6\\U00010a3f\\U00011046"
    "\\U000110b9\\U000110ba\\U00011133\\U00011173\\U000111c0\\U000111ca\\U00011235\\U00011236\\U000112e9\\U000112ea"
    "\\U0001133c\\U0001134d\\U00011442\\U00011446\\U000114c2\\U000114c3\\U000115bf\\U000115c0\\U0001163f\\U000116b6"
    "\\U000116b7\\U00011839\\U0001183a\\U000119e0\\U00011a34\\U00011c3f\\U00011d42\\U00011d45\\U00011d97\\U0001e94a]";

std::string BaseLetters(const std::string& properties) {
  return "[[" + OfListedPlane(properties) + "-" + kNotLetters + "]" + kMoreLetters + "]";
}

std::string Letters(const std::string& properties) { return "[" + BaseLetters(properties) + kViramasAndNuktas + "]"; }

}  // namespace

bool IsMosesLetter(UChar32 c) {
  static const icu::UnicodeSet& letters = *NewSet(Letters("[:Alphabetic:]"));
  return letters.contains(c);
}

bool IsMosesBaseLetter(UChar32 c) {
  static const icu::UnicodeSet& letters = *NewSet(BaseLetters("[:Alphabetic:]"));
  return letters.contains(c);
}

bool IsMosesAlphanumeric(UChar32 c) {
  static const icu::UnicodeSet& alphanumerics = *NewSet(Letters("[[:Alphabetic:][:Nd:]]"));
  return alphanumerics.contains(c);
}

bool IsMosesNumber(UChar32 c) {
  static const icu::UnicodeSet& numbers = *NewSet(OfListedPlane("[:N:]"));
  return numbers.contains(c);
}

bool IsMosesLower(UChar32 c) {
  // Georgian letters became lower case when they got capitals.
  static const icu::UnicodeSet& lower =
      *NewSet("[[[:Lowercase:]&[:age=9.0:]-[\\u10d0-\\u10fa\\u10fc-\\u10ff]]\\u25cc]");
  return lower.contains(c);
}

bool IsMosesCurrency(UChar32 c) {
  static const icu::UnicodeSet& currencies = *NewSet("[[:Sc:]&[:age=7.0:]]");
  return currencies.contains(c);
}

bool IsPythonSpace(UChar32 c) { return IsSpace(c) || (c >= 0x1c && c <= 0x1f); }

std::vector<absl::string_view> SplitAtPythonSpace(absl::string_view text) {
  std::vector<absl::string_view> words;
  int32_t begin = -1;  // of the word under way
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    const int32_t at = i;
    const bool space = IsPythonSpace(NextCodePoint(text, i));
    if (space && begin >= 0) words.push_back(text.substr(static_cast<size_t>(begin), static_cast<size_t>(at - begin)));
    if (space) {
      begin = -1;
    } else if (begin < 0) {
      begin = at;
    }
  }
  if (begin >= 0) words.push_back(text.substr(static_cast<size_t>(begin)));
  return words;
}

}  // namespace heed
