// SPDX-License-Identifier: Apache-2.0
#include "models/moses/aligned_text.h"

#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include <utility>

#include "base/code_points.h"
#include "models/moses/moses_characters.h"

namespace heed {
namespace {

constexpr char32_t kCapitalSigma = 0x3a3, kSigma = 0x3c3, kFinalSigma = 0x3c2;
constexpr char32_t kCapitalIWithDot = 0x130;  // the only character whose lower case is two
constexpr char32_t kCombiningDotAbove = 0x307;

bool IsCased(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED); }
bool IsCaseIgnorable(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASE_IGNORABLE); }

// Unicode's condition Final_Sigma for the character at `at`.
bool IsFinal(std::u32string_view text, size_t at) {
  size_t before = at;
  while (before > 0 && IsCaseIgnorable(text[before - 1])) --before;
  if (before == 0 || !IsCased(text[before - 1])) return false;
  size_t behind = at + 1;
  while (behind < text.size() && IsCaseIgnorable(text[behind])) ++behind;
  return behind == text.size() || !IsCased(text[behind]);
}

}  // namespace

AlignedText::AlignedText(absl::string_view text, TextOrigin part) {
  text = text.substr(0, static_cast<size_t>(part.end));
  characters_.reserve(static_cast<size_t>(part.end - part.begin));
  origins_.reserve(static_cast<size_t>(part.end - part.begin));
  for (int32_t i = part.begin; i < part.end;) {
    const int32_t begin = i;
    const UChar32 c = NextCodePoint(text, i);
    Append(c < 0 ? char32_t{0xfffd} : static_cast<char32_t>(c), {begin, i});
  }
}

void AlignedText::Append(char32_t c, TextOrigin origin) {
  characters_.push_back(c);
  origins_.push_back(origin);
}

void AlignedText::Append(const AlignedText& text, size_t begin, size_t end) {
  const auto offset = [](size_t i) { return static_cast<std::ptrdiff_t>(i); };
  characters_.append(text.characters_, begin, end - begin);
  origins_.insert(origins_.end(), text.origins_.begin() + offset(begin), text.origins_.begin() + offset(end));
}

AlignedText AlignedText::Part(size_t begin, size_t end) const {
  AlignedText part;
  part.Append(*this, begin, end);
  return part;
}

void AlignedText::Replace(std::u32string_view pattern, std::u32string_view replacement) {
  size_t found = characters_.find(pattern);
  if (found == characters_.npos) return;
  AlignedText result;
  size_t at = 0;
  for (; found != characters_.npos; found = characters_.find(pattern, at)) {
    result.Append(*this, at, found);
    at = found + pattern.size();
    for (const char32_t c : replacement) result.Append(c, OriginOf(found, at));
  }
  result.Append(*this, at, size());
  *this = std::move(result);
}

void AlignedText::Strip() {
  StripRight();
  StripLeft();
}

void AlignedText::StripLeft() {
  size_t begin = 0;
  while (begin < size() && IsPythonSpace(static_cast<UChar32>(characters_[begin]))) ++begin;
  if (begin > 0) *this = Part(begin, size());
}

void AlignedText::StripRight() {
  while (size() > 0 && IsPythonSpace(static_cast<UChar32>(characters_.back()))) {
    characters_.pop_back();
    origins_.pop_back();
  }
}

void AlignedText::LowerCase() {
  std::vector<size_t> final_sigmas;
  for (size_t i = characters_.find(kCapitalSigma); i != characters_.npos; i = characters_.find(kCapitalSigma, i + 1)) {
    if (IsFinal(characters_, i)) final_sigmas.push_back(i);
  }
  for (const size_t i : final_sigmas) characters_[i] = kFinalSigma;
  LowerCaseEach();
}

void AlignedText::LowerCaseEach() {
  Replace({&kCapitalIWithDot, 1}, std::u32string{U'i', kCombiningDotAbove});
  for (char32_t& c : characters_) {
    c = c == kCapitalSigma ? kSigma : static_cast<char32_t>(u_tolower(static_cast<UChar32>(c)));
  }
}

std::string AlignedText::Utf8() const {
  std::string utf8;
  utf8.reserve(size());
  for (const char32_t c : characters_) AppendUtf8(c, utf8);
  return utf8;
}

void AppendUtf8(char32_t c, std::string& utf8) {
  char bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, static_cast<UChar32>(c));
  utf8.append(bytes, static_cast<size_t>(size));
}

TextOrigin WithoutSpaces(absl::string_view text, TextOrigin origin) {
  TextOrigin inner = origin;
  for (int32_t next = inner.begin; inner.begin < inner.end && IsPythonSpace(NextCodePoint(text, next));) {
    inner.begin = next;
  }
  for (int32_t next = inner.end; inner.begin < inner.end && IsPythonSpace(PreviousCodePoint(text, next));) {
    inner.end = next;
  }
  return inner.begin < inner.end ? inner : origin;
}

}  // namespace heed
