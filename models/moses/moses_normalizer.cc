// SPDX-License-Identifier: Apache-2.0
// sacremoses substitutes regular expressions one after another. Each step here is one of these, in their order; those
// that can change nothing behind the ones before them are left out.
#include "models/moses/moses_normalizer.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "models/moses/moses_characters.h"

namespace heed {
namespace {

struct Replacement {
  std::u32string_view pattern, replacement;
};

constexpr Replacement kParentheses[] = {{U"\r", U""}, {U"(", U" ("}, {U")", U") "}};
constexpr Replacement kBeforePercent[] = {{U"( ", U"("}, {U" )", U")"}};
constexpr Replacement kMarks[] = {
    {U" :", U":"},
    {U" ;", U";"},
    {U"`", U"'"},
    {U"''", U" \" "},  // as the Penn Treebank writes
                       // quotation marks
    {U"\u201e", U"\""},
    {U"\u201c", U"\""},
    {U"\u201d", U"\""},
    {U"\u2013", U"-"},
    {U"\u2014", U" - "},
};
constexpr Replacement kQuotes[] = {
    {U"\u00b4", U"'"},
    {U"\u2018", U"'"},
    {U"\u201a", U"'"},
    {U"\u2019", U"'"},
    {U"''", U"\""},
    {U"\u2026", U"..."},
    {U"\u00a0\u00ab\u00a0", U"\""},
    {U"\u00ab\u00a0", U"\""},
    {U"\u00ab", U"\""},
    {U"\u00a0\u00bb\u00a0", U"\""},
    {U"\u00a0\u00bb", U"\""},
    {U"\u00bb", U"\""},
    {U"\u00a0%", U"%"},
    {U"n\u00ba\u00a0", U"n\u00ba "},
    {U"\u00a0:", U":"},
    {U"\u00a0\u00baC", U" \u00baC"},
    {U"\u00a0cm", U" cm"},
    {U"\u00a0?", U"?"},
    {U"\u00a0!", U"!"},
    {U"\u00a0;", U";"},
    {U",\u00a0", U", "},
};

template <size_t N>
void ReplaceAll(const Replacement (&replacements)[N], AlignedText& text) {
  for (const Replacement& replacement : replacements) text.Replace(replacement.pattern, replacement.replacement);
}

bool IsDigit(char32_t c) { return u_isdigit(static_cast<UChar32>(c)); }

// One blank of each run of them, from all of the run.
void CollapseBlanks(AlignedText& text) {
  if (text.characters().find(U"  ") == std::u32string::npos) return;
  AlignedText result;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    while (text[i] == U' ' && end < text.size() && text[end] == U' ') ++end;
    result.Append(text[i], text.OriginOf(i, end));
    i = end;
  }
  text = std::move(result);
}

// "a ) ." to "a ).": no blank between a parenthesis and the mark behind it.
void JoinMarksToParentheses(AlignedText& text) {
  AlignedText result;
  for (size_t i = 0; i < text.size(); ++i) {
    result.Append(text[i], text.origin(i));
    const bool join = text[i] == U')' && i + 2 < text.size() && text[i + 1] == U' ' &&
                      std::u32string_view(U".!:?;,").find(text[i + 2]) != std::u32string_view::npos;
    if (!join) continue;
    i += 2;
    result.Append(text[i], text.origin(i));
  }
  text = std::move(result);
}

// "5 %" to "5%".
void JoinPercentToNumbers(AlignedText& text) {
  if (text.characters().find(U" %") == std::u32string::npos) return;
  AlignedText result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool drop = text[i] == U' ' && i > 0 && IsDigit(text[i - 1]) && i + 1 < text.size() && text[i + 1] == U'%';
    if (!drop) result.Append(text[i], text.origin(i));
  }
  text = std::move(result);
}

// `word",` to `word,"`: commas and full stops before a quotation mark, where they stood behind it. Each of them comes
// from all that changed places.
void MoveQuotesBehindMarks(AlignedText& text) {
  if (text.characters().find(U'"') == std::u32string::npos) return;
  AlignedText result;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    while (text[i] == U'"' && end < text.size() && (text[end] == U',' || text[end] == U'.')) ++end;
    const TextOrigin origin = text.OriginOf(i, end);
    for (size_t mark = i + 1; mark < end; ++mark) result.Append(text[mark], origin);
    result.Append(text[i], origin);
    i = end;
  }
  text = std::move(result);
}

// `word,"` to `word",`: commas and full stops behind a quotation mark, where they stood before it, as German has them;
// a full stop at the end of the text stays. Each mark comes from all that changed places.
void MoveMarksBehindQuotes(AlignedText& text) {
  if (text.characters().find(U'"') == std::u32string::npos) return;
  AlignedText commas;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == U',' && i + 1 < text.size() && text[i + 1] == U'"') {
      const TextOrigin origin = text.OriginOf(i, i + 2);
      commas.Append(U'"', origin);
      commas.Append(U',', origin);
      ++i;
    } else {
      commas.Append(text[i], text.origin(i));
    }
  }
  AlignedText result;
  for (size_t i = 0; i < commas.size();) {
    size_t quote = i;
    while (quote < commas.size() && commas[quote] == U'.') ++quote;
    const bool moves = quote > i && quote + 1 < commas.size() && commas[quote] == U'"' && commas[quote + 1] != U'<';
    if (!moves) {
      const size_t end = std::max(quote, i + 1);
      result.Append(commas, i, end);
      i = end;
      continue;
    }
    const TextOrigin origin = commas.OriginOf(i, quote + 1);
    result.Append(U'"', origin);
    for (; i < quote; ++i) result.Append(U'.', origin);
    // White space and a character behind it belong to the match, so that they begin no other.
    size_t end = quote + 1;
    while (end < commas.size() && IsPythonSpace(static_cast<UChar32>(commas[end]))) ++end;
    if (end < commas.size() && commas[end] != U'<') ++end;
    result.Append(commas, quote + 1, end);
    i = end;
  }
  text = std::move(result);
}

// "1 000" to "1.000", where the space is one that does not break. A digit is looked at once.
void JoinNumbers(char32_t mark, AlignedText& text) {
  if (text.characters().find(U'\u00a0') == std::u32string::npos) return;
  AlignedText result;
  for (size_t i = 0; i < text.size(); ++i) {
    result.Append(text[i], text.origin(i));
    if (i + 2 >= text.size() || !IsDigit(text[i]) || text[i + 1] != U'\u00a0' || !IsDigit(text[i + 2])) continue;
    result.Append(mark, text.origin(i + 1));
    i += 2;
    result.Append(text[i], text.origin(i));
  }
  text = std::move(result);
}

}  // namespace

void NormalizePunctuation(absl::string_view language, AlignedText& text) {
  ReplaceAll(kParentheses, text);
  CollapseBlanks(text);
  JoinMarksToParentheses(text);
  ReplaceAll(kBeforePercent, text);
  JoinPercentToNumbers(text);
  ReplaceAll(kMarks, text);
  CollapseBlanks(text);
  ReplaceAll(kQuotes, text);
  CollapseBlanks(text);
  const bool as_german = language == "de" || language == "es" || language == "fr";
  if (language == "en") MoveQuotesBehindMarks(text);
  if (as_german) MoveMarksBehindQuotes(text);
  JoinNumbers(as_german ? U',' : U'.', text);
  text.Strip();
}

}  // namespace heed
