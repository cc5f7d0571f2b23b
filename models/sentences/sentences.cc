// SPDX-License-Identifier: Apache-2.0
#include "models/sentences/sentences.h"

#include "absl/strings/str_cat.h"
#include "base/code_points.h"
#include "models/sentences/sentence_boundaries.h"

namespace heed {
namespace {

// The end of the white space at the beginning of text.
size_t LeadingSpace(absl::string_view text) {
  for (int32_t i = 0, before = 0; i < static_cast<int32_t>(text.size()); before = i) {
    if (!IsSpace(NextCodePoint(text, i))) return static_cast<size_t>(before);
  }
  return text.size();
}

// The beginning of the white space at the end of text.
size_t TrailingSpace(absl::string_view text) {
  int32_t begin = static_cast<int32_t>(text.size());
  for (int32_t before = begin; begin > 0; begin = before) {
    if (!IsSpace(PreviousCodePoint(text, before))) break;
  }
  return static_cast<size_t>(begin);
}

// Combining marks that stand alone are nothing to read either.
bool IsBlank(absl::string_view text) {
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    const UChar32 c = NextCodePoint(text, i);
    if (!IsInvisible(c) && !IsCombiningMark(c)) return false;
  }
  return true;
}

// Appends what is between two boundaries; blank stretches go to the separator of what follows.
void Append(absl::string_view piece, SplitText& split) {
  if (IsBlank(piece)) {
    absl::StrAppend(&split.trailing, piece);
    return;
  }
  const size_t begin = LeadingSpace(piece), end = TrailingSpace(piece);
  absl::StrAppend(&split.trailing, piece.substr(0, begin));
  split.sentences.push_back({std::move(split.trailing), std::string(piece.substr(begin, end - begin))});
  split.trailing = std::string(piece.substr(end));
}

void EnsureOne(SplitText& split) {
  if (split.sentences.empty()) split.sentences.push_back({"", ""});
}

// What ends a sentence whatever is beside it: a line's or a paragraph's end, a table's cell.
bool EndsSegment(UChar32 c) { return c == '\n' || c == '\r' || c == '\t' || c == 0x85 || c == 0x2028 || c == 0x2029; }

}  // namespace

SplitText SplitSentences(absl::string_view text, const SentenceRules& rules) {
  SplitText split;
  int32_t begin = 0;
  for (int32_t i = 0; begin < static_cast<int32_t>(text.size()); begin = i) {
    int32_t end = i;
    for (bool line_ends = false; !line_ends && i < static_cast<int32_t>(text.size());) {
      line_ends = EndsSegment(NextCodePoint(text, i));
      if (!line_ends) end = i;
    }
    const absl::string_view line = text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    size_t sentence = 0;
    for (int32_t start : SentenceStarts(line, rules)) {
      Append(line.substr(sentence, static_cast<size_t>(start) - sentence), split);
      sentence = static_cast<size_t>(start);
    }
    Append(line.substr(sentence), split);
    absl::StrAppend(&split.trailing, text.substr(static_cast<size_t>(end), static_cast<size_t>(i - end)));
  }
  EnsureOne(split);
  return split;
}

SplitText WholeText(absl::string_view text) {
  SplitText split;
  Append(text, split);
  EnsureOne(split);
  return split;
}

bool IsWhiteSpace(absl::string_view text) { return LeadingSpace(text) == text.size(); }

bool HasLetters(absl::string_view text) {
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    if (IsLetter(NextCodePoint(text, i))) return true;
  }
  return false;
}

}  // namespace heed
