// SPDX-License-Identifier: Apache-2.0
#include "models/translation/written_translation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/code_points.h"

namespace heed {
namespace {

// Characters for private use, one of which stands for a phrase while the tokenizer makes a text of its neighbors. A
// translation that has one of them takes another.
constexpr UChar32 kFirstStandIn = 0xf8e0;
constexpr int kStandIns = 16;

std::string Utf8(UChar32 c) {
  char bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  return std::string(bytes, static_cast<size_t>(size));
}

bool IsWordCharacter(UChar32 c) { return c >= 0 && (u_isalnum(c) || IsCombiningMark(c)); }
// Of a script with blanks between words.
bool IsSpacedWordCharacter(UChar32 c) { return IsWordCharacter(c) && !IsWrittenWithoutBlanks(c); }
bool IsQuote(UChar32 c) {
  return c == '"' || c == '\'' || u_charType(c) == U_INITIAL_PUNCTUATION || u_charType(c) == U_FINAL_PUNCTUATION ||
         c == 0x201a || c == 0x201e;
}
bool IsDash(UChar32 c) { return u_charType(c) == U_DASH_PUNCTUATION; }

// Whether the last mark of `text` opens what follows. Quotes do both, in German even the same one.
bool EndsWithOpening(absl::string_view text) {
  int32_t at = static_cast<int32_t>(text.size());
  if (at == 0) return false;
  const UChar32 c = PreviousCodePoint(text, at);
  if (u_charType(c) == U_START_PUNCTUATION) return true;
  if (!IsQuote(c)) return false;
  const UChar32 before = CodePointBefore(text, at);
  return before < 0 || IsSpace(before) || u_charType(before) == U_START_PUNCTUATION;
}

// Whether a blank belongs between the text so far, which has none at its end, and a phrase.
bool HasBlankBefore(absl::string_view text, const WrittenPhrase& phrase) {
  if (text.empty() || EndsWithOpening(text)) return false;
  const UChar32 last = CodePointBefore(text, static_cast<int32_t>(text.size()));
  const UChar32 source = CodePointBefore(phrase.before, static_cast<int32_t>(phrase.before.size()));
  if (IsWordCharacter(last) && IsWrittenWithoutBlanks(last)) return false;
  if (source < 0 || IsSpace(source)) return true;
  if (IsWordCharacter(source)) {
    return IsWrittenWithoutBlanks(source) || !IsWordCharacter(last) || !phrase.follows;
  }
  const bool same = last == source || (IsQuote(last) && IsQuote(source)) || (IsDash(last) && IsDash(source));
  return !same;
}

// The word at the beginning of a text.
absl::string_view FirstWord(absl::string_view text) {
  int32_t end = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size()); end = i) {
    if (!IsSpacedWordCharacter(NextCodePoint(text, i))) break;
  }
  return text.substr(0, static_cast<size_t>(end));
}

// What a phrase leaves to do behind it: how many bytes of `text`, which follows it, make way for a blank or for none.
struct Joint {
  size_t dropped = 0;
  absl::string_view blank;
};
Joint JointBehind(absl::string_view text, absl::string_view behind) {
  const UChar32 next = CodePointAt(text, 0);
  const bool touches = IsSpacedWordCharacter(CodePointAt(behind, 0));
  if (next == ' ' && touches) {
    const absl::string_view word = FirstWord(behind);
    if (FirstWord(text.substr(1)) == word) return {1, ""};
  }
  if (IsSpacedWordCharacter(next) && !touches) return {0, " "};
  return {};
}

struct Decoded {
  std::string text;
  std::string stand_in;
  std::vector<std::string> spellings;  // of each token, as it is in the text
};

// The tokens' text, with a character in place of each phrase.
Decoded DecodeBeside(const TranslationTokenizer& tokenizer, absl::Span<const int32_t> tokens,
                     absl::Span<const std::string> spellings, absl::Span<const WrittenPhrase> phrases) {
  Decoded decoded;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool spelled = !spellings.empty() && !spellings[i].empty();
    decoded.spellings.push_back(spelled                          ? spellings[i]
                                : tokenizer.IsLeftOut(tokens[i]) ? std::string()
                                                                 : tokenizer.TargetPiece(tokens[i]));
  }
  if (phrases.empty()) {
    decoded.text = tokenizer.Decode(tokens, spellings);
    return decoded;
  }
  for (const WrittenPhrase& phrase : phrases) {
    std::fill_n(decoded.spellings.begin() + static_cast<int64_t>(phrase.begin), phrase.count, std::string());
  }
  for (int k = 0; k < kStandIns; ++k) {
    decoded.stand_in = Utf8(kFirstStandIn + k);
    const auto has_it = [&](const std::string& spelling) { return absl::StrContains(spelling, decoded.stand_in); };
    if (std::none_of(decoded.spellings.begin(), decoded.spellings.end(), has_it)) break;
  }
  const std::string spelled = absl::StrCat(tokenizer.style().marks_blanks ? "\xe2\x96\x81" : "", decoded.stand_in);
  std::vector<int32_t> ids;
  std::vector<std::string> shown;
  size_t next = 0;  // of the phrases
  for (size_t i = 0; i < tokens.size(); ++i) {
    ids.push_back(tokens[i]);
    if (next < phrases.size() && phrases[next].begin == i) {
      shown.push_back(spelled);
      decoded.spellings[i] = decoded.stand_in;
      i += phrases[next++].count - 1;
    } else {
      shown.push_back(spellings.empty() ? std::string() : spellings[i]);
    }
  }
  decoded.text = tokenizer.Decode(ids, shown);
  return decoded;
}

// The text with blanks where they belong beside the phrases.
std::string Spaced(const Decoded& decoded, absl::Span<const WrittenPhrase> phrases) {
  const absl::string_view text = decoded.text;
  std::string spaced;
  size_t at = 0;
  for (const WrittenPhrase& phrase : phrases) {
    const size_t found = text.find(decoded.stand_in, at);
    if (found == text.npos) break;
    absl::StrAppend(&spaced, text.substr(at, found - at));
    at = found + decoded.stand_in.size();
    if (absl::EndsWith(spaced, " ")) spaced.pop_back();
    if (HasBlankBefore(spaced, phrase)) spaced += ' ';
    const Joint joint = JointBehind(text.substr(at), phrase.behind);
    absl::StrAppend(&spaced, decoded.stand_in, joint.blank);
    at += joint.dropped;
  }
  absl::StrAppend(&spaced, text.substr(at));
  return spaced;
}

}  // namespace

WrittenTranslation WriteTranslation(const TranslationTokenizer& tokenizer, absl::Span<const int32_t> tokens,
                                    absl::Span<const std::string> spellings, absl::Span<const WrittenPhrase> phrases,
                                    bool wants_spans) {
  WrittenTranslation written;
  if (phrases.empty() && !wants_spans) {
    written.text = tokenizer.Decode(tokens, spellings);
    return written;
  }
  const Decoded decoded = DecodeBeside(tokenizer, tokens, spellings, phrases);
  const std::string spaced = phrases.empty() ? decoded.text : Spaced(decoded, phrases);
  if (wants_spans) written.spans = SpansOfTokens(spaced, decoded.spellings, tokenizer.style());
  // The phrases take their places, and what is behind them moves.
  size_t at = 0, next_span = 0;
  const auto move_spans = [&](size_t end, size_t from, size_t to) {  // of what begins before `end`
    for (; next_span < written.spans.size() && written.spans[next_span].begin < end; ++next_span) {
      written.spans[next_span].begin += to - from;
      written.spans[next_span].end += to - from;
    }
  };
  for (const WrittenPhrase& phrase : phrases) {
    const size_t found = spaced.find(decoded.stand_in, at);
    if (found == spaced.npos) break;
    move_spans(found, at, written.text.size());
    absl::StrAppend(&written.text, absl::string_view(spaced).substr(at, found - at));
    const size_t begin = written.text.size();
    absl::StrAppend(&written.text, phrase.text);
    at = found + decoded.stand_in.size();
    // What shows nothing may stand at its beginning, too.
    for (; next_span < written.spans.size() && written.spans[next_span].begin <= found; ++next_span) {
      TokenSpan& span = written.spans[next_span];
      span = {begin, span.begin == span.end ? begin : written.text.size()};
    }
  }
  move_spans(spaced.size() + 1, at, written.text.size());
  absl::StrAppend(&written.text, absl::string_view(spaced).substr(at));
  return written;
}

}  // namespace heed
