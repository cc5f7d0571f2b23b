// SPDX-License-Identifier: Apache-2.0
#include "models/translation/forced_ranges.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/code_points.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "models/sentences/sentences.h"

namespace heed {
namespace {

TextRange WithoutSpace(absl::string_view text) {
  TextRange range = {0, text.size()};
  for (int32_t i = 0; i < static_cast<int32_t>(text.size()); range.begin = static_cast<size_t>(i)) {
    if (!IsSpace(NextCodePoint(text, i))) break;
  }
  for (int32_t i = static_cast<int32_t>(text.size()); i > static_cast<int32_t>(range.begin);) {
    range.end = static_cast<size_t>(i);
    if (!IsSpace(PreviousCodePoint(text, i))) break;
  }
  if (range.begin == text.size()) range.end = range.begin;
  return range;
}

bool IsInsideCharacter(absl::string_view text, size_t at) {
  return at < text.size() && U8_IS_TRAIL(static_cast<uint8_t>(text[at]));
}

absl::Status Check(absl::string_view text, const ForcedPhrase& phrase, size_t index, size_t end_before) {
  const auto [begin, end] = phrase.source;
  const auto wrong = [&](const auto&... what) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the forced phrase ", index, " at bytes ", begin, " to ", end, ", ", what...));
  };
  if (begin >= end || end > text.size()) return wrong("but has ", text.size(), " bytes");
  if (begin < end_before) return wrong("but the phrase before it ends at ", end_before);
  if (IsInsideCharacter(text, begin) || IsInsideCharacter(text, end)) return wrong("which cuts a character");
  if (const auto at = FirstInvalidUtf8(phrase.target)) return wrong("whose target is not UTF-8 at byte ", *at);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ForcedPhrase>> ReadForcedPhrases(const SourceText& text) {
  std::vector<ForcedPhrase> phrases;
  bool last_stays = false;
  size_t end_before = 0;
  for (size_t i = 0; i < text.forced.size(); ++i) {
    const ForcedPhrase& given = text.forced[i];
    HEED_RETURN_IF_ERROR(Check(text.text, given, i, end_before));
    end_before = given.source.end;
    const absl::string_view whole = text.text;
    const absl::string_view source = whole.substr(given.source.begin, given.source.end - given.source.begin);
    const TextRange visible = WithoutSpace(source), written = WithoutSpace(given.target);
    if (visible.begin == visible.end) continue;
    if (written.begin == written.end) {
      return absl::InvalidArgumentError(absl::StrCat("has the forced phrase ", i, " at bytes ", given.source.begin,
                                                     " to ", given.source.end, ", whose target is blank"));
    }
    ForcedPhrase phrase;
    phrase.source = {given.source.begin + visible.begin, given.source.begin + visible.end};
    phrase.target = given.target.substr(written.begin, written.end - written.begin);
    const bool stays = phrase.target == source.substr(visible.begin, visible.end - visible.begin);
    if (stays && last_stays && phrases.back().source.end == phrase.source.begin) {
      phrases.back().source.end = phrase.source.end;
      phrases.back().target += phrase.target;
    } else {
      phrases.push_back(std::move(phrase));
    }
    last_stays = stays;
  }
  return phrases;
}

absl::Span<const ForcedPhrase> PhrasesIn(absl::Span<const ForcedPhrase> phrases, size_t begin, size_t end) {
  const auto first = std::partition_point(phrases.begin(), phrases.end(),
                                          [&](const ForcedPhrase& phrase) { return phrase.source.end <= begin; });
  const auto last =
      std::partition_point(first, phrases.end(), [&](const ForcedPhrase& phrase) { return phrase.source.begin < end; });
  return phrases.subspan(static_cast<size_t>(first - phrases.begin()), static_cast<size_t>(last - first));
}

bool IsWithinPhrase(absl::Span<const ForcedPhrase> phrases, size_t at) {
  const absl::Span<const ForcedPhrase> around = PhrasesIn(phrases, at, at + 1);
  return !around.empty() && around[0].source.begin < at;
}

ReplacedText ReplacePhrases(absl::string_view sentence, size_t begin, absl::Span<const ForcedPhrase> phrases) {
  ReplacedText replaced;
  size_t at = 0;
  const auto keep = [&](size_t end) {
    const absl::string_view part = sentence.substr(at, end - at);
    replaced.has_letters |= HasLetters(part);
    for (size_t word = 0; word < part.size();) {
      const size_t first = part.find_first_not_of(" \t\n\r", word);
      if (first == part.npos) break;
      word = std::min(part.find_first_of(" \t\n\r", first), part.size());
      const size_t moved = replaced.text.size();
      replaced.words.push_back({{moved + first, moved + word}, {at + first, at + word}});
    }
    absl::StrAppend(&replaced.text, part);
    at = end;
  };
  for (const ForcedPhrase& phrase : phrases) {
    keep(phrase.source.begin - begin);
    const TextRange source = {at, phrase.source.end - begin};
    replaced.words.push_back({{replaced.text.size(), replaced.text.size() + phrase.target.size()}, source});
    absl::StrAppend(&replaced.text, phrase.target);
    at = source.end;
  }
  keep(sentence.size());
  return replaced;
}

}  // namespace heed
