// SPDX-License-Identifier: Apache-2.0
#include "models/language_text/moses_words.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_replace.h"
#include "base/check.h"
#include "base/code_points.h"
#include "models/moses/moses_characters.h"
#include "models/moses/moses_normalizer.h"

namespace heed {
namespace {

// What stands for a whole word while the rules are applied: it begins with a letter and ends with a digit, as
// sacremoses' own "THISISPROTECTED000" does.
constexpr std::u32string_view kPlaceholder = U"T0";

bool IsDigit(char32_t c) { return u_isdigit(static_cast<UChar32>(c)); }

char32_t Folded(char32_t c) { return static_cast<char32_t>(u_foldCase(static_cast<UChar32>(c), U_FOLD_CASE_DEFAULT)); }

// White space is blanks, and control characters are gone.
AlignedText Cleaned(const AlignedText& text) {
  AlignedText cleaned;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (IsPythonSpace(static_cast<UChar32>(c))) {
      cleaned.Append(U' ', text.origin(i));
    } else if (c >= 0x20) {
      cleaned.Append(c, text.origin(i));
    }
  }
  return cleaned;
}

// The length of the longest of `words` that is at `at`, in capitals or not; 0 if there is none.
size_t LengthOfWholeAt(const AlignedText& text, size_t at, const std::vector<std::u32string>& words) {
  size_t length = 0;
  for (const std::u32string& word : words) {
    if (word.size() <= length || word.size() > text.size() - at) continue;
    const bool equal = std::equal(word.begin(), word.end(), text.characters().begin() + static_cast<std::ptrdiff_t>(at),
                                  [](char32_t a, char32_t b) { return a == b || Folded(a) == Folded(b); });
    if (equal) length = word.size();
  }
  return length;
}

// A text for the tokenizer, in which placeholders replace whole words, and these words.
struct Protected {
  AlignedText text;
  struct Whole {
    size_t at = 0;  // of the placeholder
    AlignedText word;
  };
  std::vector<Whole> wholes;  // ascending
};

Protected Protect(const AlignedText& text, const std::vector<std::u32string>& words) {
  Protected result;
  for (size_t i = 0; i < text.size();) {
    const size_t length = LengthOfWholeAt(text, i, words);
    if (length == 0) {
      result.text.Append(text[i], text.origin(i));
      ++i;
      continue;
    }
    result.wholes.push_back({result.text.size(), text.Part(i, i + length)});
    for (const char32_t c : kPlaceholder) result.text.Append(c, text.OriginOf(i, i + length));
    i += length;
  }
  return result;
}

// Gives the tokenizer's tokens, which are the characters of its text in their order, the places of these characters.
class Aligner {
 public:
  explicit Aligner(const Protected& source) : source_(source) {}

  AlignedText Align(absl::string_view token) {
    AlignedText aligned;
    if (token == "@-@") {  // of "-" between letters; no other token has "@" and anything else
      const TextOrigin origin = source_.text.origin(Next(U'-'));
      for (const char32_t c : {U'@', U'-', U'@'}) aligned.Append(c, origin);
      return aligned;
    }
    for (int32_t i = 0; i < static_cast<int32_t>(token.size());) {
      const auto c = static_cast<char32_t>(NextCodePoint(token, i));
      const size_t at = Next(c);
      if (whole_ < source_.wholes.size() && source_.wholes[whole_].at == at) {
        const AlignedText& word = source_.wholes[whole_++].word;
        aligned.Append(word, 0, word.size());
        for (size_t skipped = 1; skipped < kPlaceholder.size(); ++skipped) {
          Next(static_cast<char32_t>(NextCodePoint(token, i)));
        }
      } else {
        aligned.Append(c, source_.text.origin(at));
      }
    }
    return aligned;
  }

 private:
  // Where the next character, which is `c`, is.
  size_t Next(char32_t c) {
    while (source_.text[at_] == U' ') ++at_;
    HEED_CHECK(at_ < source_.text.size());
    HEED_DCHECK(source_.text[at_] == c);
    return at_++;
  }

  const Protected& source_;
  size_t at_ = 0;
  size_t whole_ = 0;
};

void AppendWord(const AlignedText& text, size_t begin, size_t end, std::vector<AlignedWord>& words) {
  if (begin < end) words.push_back({text.Part(begin, end).Utf8(), text.OriginOf(begin, end)});
}

// "5,300" to "5", "@,@", "300".
void AppendSplitAtNumberMarks(const AlignedText& token, std::vector<AlignedWord>& words) {
  size_t begin = 0;
  for (size_t i = 1; i + 1 < token.size(); ++i) {
    const bool mark = (token[i] == U',' || token[i] == U'.') && IsDigit(token[i - 1]) && IsDigit(token[i + 1]);
    if (!mark) continue;
    AppendWord(token, begin, i, words);
    words.push_back({token[i] == U',' ? "@,@" : "@.@", token.origin(i)});
    begin = i + 1;
  }
  AppendWord(token, begin, token.size(), words);
}

}  // namespace

MosesWords::MosesWords(absl::string_view language)
    : language_(language),
      tokenizer_(language, {.escape = false, .aggressive_hyphens = true}),
      detokenizer_(language) {}

std::vector<AlignedWord> MosesWords::Split(AlignedText text, const std::vector<std::u32string>& whole) const {
  NormalizePunctuation(language_, text);
  const Protected source = Protect(Cleaned(text), whole);
  Aligner aligner(source);
  std::vector<AlignedWord> words;
  for (const std::string& token : tokenizer_.Tokenize(source.text.Utf8())) {
    AppendSplitAtNumberMarks(aligner.Align(token), words);
  }
  return words;
}

std::string MosesWords::Join(const std::vector<std::string>& words) const {
  return absl::StrReplaceAll(detokenizer_.Detokenize(words), {{" @,@ ", ","}, {" @.@ ", "."}});
}

}  // namespace heed
