// SPDX-License-Identifier: Apache-2.0
#include "models/markup/words.h"

#include "base/code_points.h"

namespace heed {
namespace {

enum class Shape { kSpace, kWord, kAlone, kSign, kExtends };

constexpr UChar32 kJoiner = 0x200d;

Shape ShapeOf(UChar32 c) {
  if (IsSpace(c)) return Shape::kSpace;
  if (c < 0x80) return IsLetter(c) || (c >= '0' && c <= '9') || c == '_' ? Shape::kWord : Shape::kSign;
  if (IsCombiningMark(c) || u_charType(c) == U_FORMAT_CHAR || (c >= 0x1f3fb && c <= 0x1f3ff)) return Shape::kExtends;
  if (!u_isalnum(c)) return Shape::kSign;
  switch (u_getIntPropertyValue(c, UCHAR_LINE_BREAK)) {
    case U_LB_IDEOGRAPHIC:
    case U_LB_CONDITIONAL_JAPANESE_STARTER:
    case U_LB_COMPLEX_CONTEXT:
    case U_LB_NONSTARTER:
      return Shape::kAlone;
    default:
      return Shape::kWord;
  }
}

bool IsDigit(UChar32 c) { return c >= 0 && u_isdigit(c); }

// `c` between two words makes one of them.
bool Connects(UChar32 c, UChar32 before, UChar32 behind, bool compounds) {
  if (compounds && (c == '\'' || c == 0x2019 || c == '-' || c == 0x2010 || c == 0x2011)) return true;
  return (c == '.' || c == ',') && IsDigit(before) && IsDigit(behind);
}

// `compounds`: apostrophes and hyphens make one word of two.
std::vector<TextWord> Split(absl::string_view text, absl::Span<const TextRange> fixed, bool compounds) {
  std::vector<TextWord> words;
  size_t next_fixed = 0;
  bool open = false;    // the last word may go on
  bool joined = false;  // it does, whatever comes
  UChar32 before = -1;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    const auto begin = static_cast<uint32_t>(i);
    if (next_fixed < fixed.size() && fixed[next_fixed].begin <= begin) {
      if (fixed[next_fixed].end > begin) {
        words.push_back({begin, static_cast<uint32_t>(fixed[next_fixed].end), true});
        i = static_cast<int32_t>(fixed[next_fixed].end);
        open = joined = false;
        before = -1;
      }
      ++next_fixed;
      continue;
    }
    const size_t limit = next_fixed < fixed.size() ? fixed[next_fixed].begin : text.size();
    const UChar32 c = NextCodePoint(text, i);
    const auto end = static_cast<uint32_t>(i);
    Shape shape = ShapeOf(c);
    if (shape == Shape::kSign && open && end < limit && Connects(c, before, CodePointAt(text, i), compounds) &&
        ShapeOf(CodePointAt(text, i)) == Shape::kWord) {
      shape = Shape::kWord;
    }
    const bool adjacent = !words.empty() && words.back().end == begin;
    const bool extends =
        adjacent && (joined || (shape == Shape::kExtends && before >= 0) || (open && shape == Shape::kWord));
    joined = c == kJoiner && adjacent;
    before = c;
    if (shape == Shape::kSpace) {
      open = joined = false;
      before = -1;
      continue;
    }
    if (extends) {
      words.back().end = end;
      words.back().has_letters |= shape == Shape::kWord || shape == Shape::kAlone;
    } else {
      words.push_back({begin, end, shape == Shape::kWord || shape == Shape::kAlone});
      open = shape == Shape::kWord;
    }
  }
  return words;
}

}  // namespace

std::vector<TextWord> SplitWords(absl::string_view text, absl::Span<const TextRange> fixed) {
  return Split(text, fixed, /*compounds=*/true);
}

std::vector<TextWord> SplitAtEverySign(absl::string_view text) { return Split(text, {}, /*compounds=*/false); }

bool IsBetweenWords(absl::string_view text, size_t at) {
  if (at == 0 || at >= text.size()) return true;
  const Shape before = ShapeOf(CodePointBefore(text, static_cast<int32_t>(at)));
  const Shape behind = ShapeOf(CodePointAt(text, static_cast<int32_t>(at)));
  return behind != Shape::kExtends && (behind != Shape::kWord || (before != Shape::kWord && before != Shape::kExtends));
}

}  // namespace heed
