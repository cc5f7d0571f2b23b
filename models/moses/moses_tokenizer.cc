// SPDX-License-Identifier: Apache-2.0
// sacremoses substitutes regular expressions one after another. Each of the functions here is one of these, or several
// that follow each other, as a loop over code points: a match begins behind the one before it, so that the characters
// of a match are not looked at again. The result depends on that.
#include "models/moses/moses_tokenizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/code_points.h"
#include "models/moses/moses_characters.h"
#include "models/moses/moses_prefixes.h"

namespace heed {
namespace {

// Stands for a full stop of a run of several ("..."), which no rule splits or joins. Not a code point of Unicode.
constexpr char32_t kFullStopOfRun = 0x110000;

const MosesPrefixes* FindPrefixes(absl::string_view language) {
  for (const MosesPrefixes& prefixes : AllMosesPrefixes()) {
    if (prefixes.language == language) return &prefixes;
  }
  return nullptr;
}

// The text's code points: each run of white space is one blank, and control characters are gone.
std::u32string Cleaned(absl::string_view text) {
  std::u32string cleaned;
  bool after_space = false;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    const UChar32 c = NextCodePoint(text, i);
    const bool space = IsPythonSpace(c);
    if (space && !after_space) cleaned.push_back(U' ');
    if (!space && c >= 0x20) cleaned.push_back(static_cast<char32_t>(c));
    after_space = space;
  }
  const size_t begin = std::min(cleaned.find_first_not_of(U' '), cleaned.size());
  const size_t end = cleaned.find_last_not_of(U' ');
  return end == cleaned.npos ? std::u32string() : cleaned.substr(begin, end + 1 - begin);
}

// Blanks around each character that is not part of words and has no rule of its own.
std::u32string WithMarksApart(const std::u32string& text) {
  std::u32string result;
  for (const char32_t c : text) {
    const bool stays =
        c == U' ' || c == U'.' || c == U'\'' || c == U'`' || c == U',' || c == U'-' || IsMosesAlphanumeric(c);
    if (!stays) result.push_back(U' ');
    result.push_back(c);
    if (!stays) result.push_back(U' ');
  }
  return result;
}

// "well-known" to "well @-@ known".
std::u32string WithHyphensApart(const std::u32string& text) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool between = text[i] == U'-' && i > 0 && i + 1 < text.size() && IsMosesAlphanumeric(text[i - 1]) &&
                         IsMosesAlphanumeric(text[i + 1]);
    if (between) {
      result += U" @-@ ";
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

// Runs of full stops apart, and out of the way of the rules for one full stop.
std::u32string WithRunsOfFullStopsApart(const std::u32string& text) {
  std::u32string result;
  for (size_t i = 0; i < text.size();) {
    const size_t end = std::min(text.find_first_not_of(U'.', i), text.size());
    if (end < i + 2) {
      result.push_back(text[i++]);
      continue;
    }
    result.push_back(U' ');
    result.append(end - i, kFullStopOfRun);
    if (end < text.size()) result.push_back(U' ');
    i = end;
  }
  return result;
}

// Commas apart, except between numbers ("5,300").
std::u32string WithCommasApart(const std::u32string& text) {
  std::u32string behind;  // other characters than numbers
  for (size_t i = 0; i < text.size(); ++i) {
    behind.push_back(text[i]);
    if (i + 1 == text.size() || IsMosesNumber(text[i]) || text[i + 1] != U',') continue;
    behind += U" , ";
    ++i;
  }
  std::u32string before;  // other characters than numbers
  for (size_t i = 0; i < behind.size(); ++i) {
    if (behind[i] == U',' && i + 1 < behind.size() && !IsMosesNumber(behind[i + 1])) {
      before += U" , ";
      before.push_back(behind[++i]);
    } else {
      before.push_back(behind[i]);
    }
  }
  if (before.size() > 1 && before.back() == U',' && IsMosesNumber(before[before.size() - 2])) {
    before.replace(before.size() - 1, 1, U" , ");
  }
  return before;
}

// Writes `apart` in place of each apostrophe that is between characters of these kinds.
template <typename Left, typename Right>
void ReplaceApostrophes(std::u32string& text, Left left, Right right, std::u32string_view apart) {
  std::u32string result;
  for (size_t i = 0; i < text.size();) {
    result.push_back(text[i]);
    if (i + 2 < text.size() && text[i + 1] == U'\'' && left(text[i]) && right(text[i + 2])) {
      result.append(apart);
      result.push_back(text[i + 2]);
      i += 3;
    } else {
      ++i;
    }
  }
  text = std::move(result);
}

void AppendUtf8(std::u32string_view text, std::string& utf8) {
  for (const char32_t c : text) {
    char bytes[U8_MAX_LENGTH];
    int32_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, c == kFullStopOfRun ? U'.' : c);
    utf8.append(bytes, static_cast<size_t>(size));
  }
}

void AppendEscaped(std::u32string_view text, std::string& utf8) {
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case U'&':
        utf8 += "&amp;";
        break;
      case U'|':
        utf8 += "&#124;";
        break;
      case U'<':
        utf8 += "&lt;";
        break;
      case U'>':
        utf8 += "&gt;";
        break;
      case U'\'':
        utf8 += "&apos;";
        break;
      case U'"':
        utf8 += "&quot;";
        break;
      case U'[':
        utf8 += "&#91;";
        break;
      case U']':
        utf8 += "&#93;";
        break;
      default:
        AppendUtf8(text.substr(i, 1), utf8);
    }
  }
}

std::vector<std::u32string_view> Words(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  for (size_t begin = 0; (begin = text.find_first_not_of(U' ', begin)) != text.npos;) {
    const size_t end = std::min(text.find(U' ', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

}  // namespace

bool HasMosesRules(absl::string_view language) { return FindPrefixes(language) != nullptr; }

std::string MosesLanguages() {
  const auto name = [](std::string* out, const MosesPrefixes& prefixes) { absl::StrAppend(out, prefixes.language); };
  return absl::StrJoin(AllMosesPrefixes(), ", ", name);
}

MosesTokenizer::MosesTokenizer(absl::string_view language, const Options& options)
    : apostrophes_(language == "en"                       ? Apostrophes::kWithNextWord
                   : language == "fr" || language == "it" ? Apostrophes::kWithPreviousWord
                                                          : Apostrophes::kAlone),
      options_(options) {
  const MosesPrefixes* prefixes = FindPrefixes(language);
  HEED_CHECK(prefixes != nullptr);
  for (absl::string_view word : absl::StrSplit(prefixes->words, ' ')) prefixes_[word] = FullStop::kNeverSplit;
  for (absl::string_view word : absl::StrSplit(prefixes->before_numbers, ' ', absl::SkipEmpty())) {
    prefixes_[word] = FullStop::kSplitBeforeWord;
  }
}

void MosesTokenizer::SplitApostrophes(std::u32string& text) const {
  const auto letter = [](char32_t c) { return IsMosesLetter(c); };
  const auto number = [](char32_t c) { return IsMosesNumber(c); };
  const auto no_letter = [](char32_t c) { return !IsMosesLetter(c); };
  const auto neither = [](char32_t c) { return !IsMosesLetter(c) && !IsMosesNumber(c); };
  switch (apostrophes_) {
    case Apostrophes::kWithNextWord:
      ReplaceApostrophes(text, no_letter, no_letter, U" ' ");
      ReplaceApostrophes(text, neither, letter, U" ' ");
      ReplaceApostrophes(text, letter, no_letter, U" ' ");
      ReplaceApostrophes(text, letter, letter, U" '");
      ReplaceApostrophes(
          text, number, [](char32_t c) { return c == U's'; }, U" '");
      break;
    case Apostrophes::kWithPreviousWord:
      ReplaceApostrophes(text, no_letter, no_letter, U" ' ");
      ReplaceApostrophes(text, no_letter, letter, U" ' ");
      ReplaceApostrophes(text, letter, no_letter, U" ' ");
      ReplaceApostrophes(text, letter, letter, U"' ");
      break;
    case Apostrophes::kAlone: {
      std::u32string result;
      for (const char32_t c : text) {
        if (c == U'\'') {
          result += U" ' ";
        } else {
          result.push_back(c);
        }
      }
      text = std::move(result);
    }
  }
}

bool MosesTokenizer::KeepsFullStop(std::u32string_view word, std::u32string_view next) const {
  const std::u32string_view prefix = word.substr(0, word.size() - 1);
  if (prefix.find(U'.') != prefix.npos && std::any_of(prefix.begin(), prefix.end(), IsMosesLetter))
    return true;  // "U.S."
  if (!next.empty() && IsMosesLower(next[0])) return true;
  std::string utf8;
  AppendUtf8(prefix, utf8);
  const auto found = prefixes_.find(utf8);
  if (found == prefixes_.end()) return false;
  return found->second == FullStop::kNeverSplit || (!next.empty() && next[0] >= U'0' && next[0] <= U'9');
}

std::vector<std::string> MosesTokenizer::Tokenize(absl::string_view text) const {
  std::u32string apart = WithMarksApart(Cleaned(text));
  if (options_.aggressive_hyphens) apart = WithHyphensApart(apart);
  apart = WithCommasApart(WithRunsOfFullStopsApart(apart));
  SplitApostrophes(apart);

  std::vector<std::string> tokens;
  const auto append = [&](std::u32string_view token) {
    if (token.empty()) return;
    std::string& utf8 = tokens.emplace_back();
    if (options_.escape) {
      AppendEscaped(token, utf8);
    } else {
      AppendUtf8(token, utf8);
    }
  };
  const std::vector<std::u32string_view> words = Words(apart);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::u32string_view word = words[i];
    const bool last = i + 1 == words.size();
    size_t end = word.size();  // of what is in front of marks to split off
    if (word.size() > 1 && word.back() == U'.' && !KeepsFullStop(word, last ? std::u32string_view() : words[i + 1])) {
      end = word.size() - 1;
    } else if (last && word.size() > 1 && word.substr(word.size() - 2) == U".'") {
      end = word.size() - 2;
    }
    append(word.substr(0, end));
    for (size_t mark = end; mark < word.size(); ++mark) append(word.substr(mark, 1));
  }
  return tokens;
}

}  // namespace heed
