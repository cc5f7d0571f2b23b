// SPDX-License-Identifier: Apache-2.0
#include "models/sentences/sentence_pieces.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/code_points.h"

namespace heed {
namespace {

// A part shorter than this share of the sentence is not worth a cut, unless nothing better is allowed.
constexpr double kSmallestPart = 1.0 / 8;
// A place at a quarter of the sentence is as good as one at its middle that is a level lower.
constexpr double kLevelsPerLength = 4;

// From the worst place to the best.
enum Level {
  kBeforeCombiningMark,
  kBetweenCharacters,
  kBetweenWords,
  kConjunction,
  kComma,
  kCommaAndConjunction,
  kSemicolon
};

std::string FirstWord(absl::string_view text) {
  constexpr size_t kLongestConjunction = 24;
  std::string word;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size()) && word.size() < kLongestConjunction;) {
    const UChar32 c = NextCodePoint(text, i);
    if (IsSpace(c) && word.empty()) continue;
    if (!IsLetter(c)) break;
    AppendLower(c, word);
  }
  return word;
}

// Of the place between the characters `before` and `next`, with which `rest` begins.
Level LevelOf(UChar32 before, UChar32 next, absl::string_view rest, const SentenceRules& rules) {
  if (IsCombiningMark(next)) return kBeforeCombiningMark;
  if (before == 0xff1b || before == 0xff1a) return kSemicolon;  // ；：
  if (before == 0xff0c || before == 0x3001) return kComma;      // ，、
  if (!IsSpace(next) || IsSpace(before)) return kBetweenCharacters;
  switch (before) {
    case ';':
    case ':':
    case 0x2013:
    case 0x2014:
      return kSemicolon;
    case ',':
    case 0x60c:  // Arabic's comma
      return rules.IsConjunction(FirstWord(rest)) ? kCommaAndConjunction : kComma;
    default:
      return rules.IsConjunction(FirstWord(rest)) ? kConjunction : kBetweenWords;
  }
}

Level Least(Cut worst) {
  switch (worst) {
    case Cut::kClause:
      return kConjunction;
    case Cut::kWord:
      return kBetweenWords;
    case Cut::kCharacter:
      break;
  }
  return kBeforeCombiningMark;
}

}  // namespace

SplitText CutSentence(absl::string_view sentence, const SentenceRules& rules, Cut worst) {
  return CutSentence(sentence, rules, worst, [](size_t) { return true; });
}

SplitText CutSentence(absl::string_view sentence, const SentenceRules& rules, Cut worst,
                      absl::FunctionRef<bool(size_t at)> may_cut) {
  const int32_t size = static_cast<int32_t>(sentence.size());
  const Level least = Least(worst);
  int32_t best = -1;
  double best_score = -std::numeric_limits<double>::infinity();
  UChar32 before = 0;
  for (int32_t i = 0, at = 0; i < size; at = i) {
    const UChar32 c = NextCodePoint(sentence, i);
    if (at > 0) {
      const Level level = LevelOf(before, c, sentence.substr(static_cast<size_t>(at)), rules);
      const double share = static_cast<double>(at) / size;
      const bool counts = level <= kBetweenCharacters || (share >= kSmallestPart && share <= 1 - kSmallestPart);
      const double score = static_cast<int>(level) - kLevelsPerLength * std::abs(share - 0.5);
      if (counts && level >= least && score > best_score && may_cut(static_cast<size_t>(at))) {
        best = at;
        best_score = score;
      }
    }
    before = c;
  }
  if (best < 0) return WholeText(sentence);
  SplitText parts = WholeText(sentence.substr(0, static_cast<size_t>(best)));
  SplitText second = WholeText(sentence.substr(static_cast<size_t>(best)));
  if (parts.sentences[0].text.empty()) {
    second.sentences[0].separator.insert(0, parts.trailing);
    return second;
  }
  if (second.sentences[0].text.empty()) {
    absl::StrAppend(&parts.trailing, second.trailing);
    return parts;
  }
  second.sentences[0].separator.insert(0, parts.trailing);
  parts.sentences.push_back(std::move(second.sentences[0]));
  parts.trailing = std::move(second.trailing);
  return parts;
}

}  // namespace heed
