// SPDX-License-Identifier: Apache-2.0
#include "models/moses/moses_detokenizer.h"

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/code_points.h"
#include "models/moses/moses_characters.h"

namespace heed {
namespace {

// Blocks of East Asian scripts, between whose words sacremoses writes no blanks.
constexpr struct {
  UChar32 first, last;
} kWithoutBlanks[] = {{0x1100, 0x11ff},   {0x2e80, 0xa4cf},   {0xa840, 0xa87f},  {0xac00, 0xd7af},
                      {0xf900, 0xfaff},   {0xfe30, 0xfe4f},   {0xff65, 0xffdc},  {0x17000, 0x18aff},
                      {0x1b000, 0x1b12f}, {0x1b170, 0x1b2ff}, {0x20000, 0x2ffff}};

bool JoinsWithoutBlanks(UChar32 c) {
  for (const auto& block : kWithoutBlanks) {
    if (c <= block.last) return c >= block.first;
  }
  return false;
}

UChar32 FirstOf(absl::string_view token) { return CodePointAt(token, 0); }
UChar32 LastOf(absl::string_view token) { return CodePointBefore(token, static_cast<int32_t>(token.size())); }

// Whether all characters of the token are of one kind; a token is not empty.
template <typename Kind>
bool ConsistsOf(absl::string_view token, Kind kind) {
  for (int32_t i = 0; i < static_cast<int32_t>(token.size());) {
    if (!kind(NextCodePoint(token, i))) return false;
  }
  return true;
}

// "(", "$": no blank behind it.
bool OpensOrIsCurrency(absl::string_view token) {
  return ConsistsOf(token, [](UChar32 c) {
    return c == '(' || c == '[' || c == '{' || c == 0xbf || c == 0xa1 || IsMosesCurrency(c);
  });
}

// ".", ")", "%": no blank before it.
bool IsClosing(absl::string_view token) { return token.find_first_not_of(",.?!:;\\%}])") == token.npos; }

bool IsDoubleQuote(UChar32 c) { return c == 0x201e || c == 0x201c || c == 0x201d; }  // „ “ ”

bool IsQuote(absl::string_view token) {
  return ConsistsOf(token, [](UChar32 c) { return c == '\'' || c == '"' || c == '`' || c == 0x201e || c == 0x201c; });
}

std::string Unescaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&bar;", "|"},
                                    {"&#124;", "|"},
                                    {"&lt;", "<"},
                                    {"&gt;", ">"},
                                    {"&bra;", "["},
                                    {"&ket;", "]"},
                                    {"&quot;", "\""},
                                    {"&apos;", "'"},
                                    {"&#91;", "["},
                                    {"&#93;", "]"},
                                    {"&amp;", "&"}});
}

// Text under way. A token goes behind what is there with a blank between them, unless one of both says otherwise.
class Joined {
 public:
  void Append(absl::string_view token) { AppendWith(blank_ ? " " : "", token, true); }
  void AppendWithoutBlankBefore(absl::string_view token) { AppendWith("", token, true); }
  void AppendWithoutBlankBehind(absl::string_view token) { AppendWith(blank_ ? " " : "", token, false); }
  void AppendBlank() { text_ += ' '; }

  // Blanks collapse, and there are none at the ends.
  std::string Text() const {
    std::string text;
    for (const char c : text_) {
      if (c != ' ' || (!text.empty() && text.back() != ' ')) text += c;
    }
    return std::string(absl::StripSuffix(text, " "));
  }

 private:
  void AppendWith(absl::string_view blank, absl::string_view token, bool blank_behind) {
    absl::StrAppend(&text_, blank, token);
    blank_ = blank_behind;
  }

  std::string text_;
  bool blank_ = true;
};

}  // namespace

bool MosesDetokenizer::IsElided(absl::string_view token, absl::string_view next) const {
  if (language_ != "fr" && language_ != "it") return false;
  if (next.empty() || !absl::ConsumeSuffix(&token, "'") || token.empty()) return false;
  return IsMosesBaseLetter(LastOf(token)) && IsMosesBaseLetter(FirstOf(next));
}

std::string MosesDetokenizer::Detokenize(absl::Span<const std::string> tokens) const {
  const std::string line = Unescaped(absl::StrReplaceAll(absl::StrCat(" ", absl::StrJoin(tokens, " "), " "),  //
                                                         {{" @-@ ", "-"}}));
  const std::vector<absl::string_view> words = SplitAtPythonSpace(line);
  absl::flat_hash_map<std::string, int> quotes;  // how many of each so far
  Joined text;
  for (size_t i = 0; i < words.size(); ++i) {
    const absl::string_view word = words[i];
    const absl::string_view before = i > 0 ? words[i - 1] : "";
    if (JoinsWithoutBlanks(FirstOf(word))) {
      if (JoinsWithoutBlanks(LastOf(before))) {
        text.AppendWithoutBlankBefore(word);
      } else {
        text.Append(word);
      }
    } else if (OpensOrIsCurrency(word)) {
      text.AppendWithoutBlankBehind(word);
    } else if (IsClosing(word)) {
      if (language_ == "fr" && word.size() == 1 && word.find_first_of("?!:;\\%") == 0) text.AppendBlank();
      text.AppendWithoutBlankBefore(word);
    } else if (language_ == "en" && i > 0 && word[0] == '\'' && IsMosesBaseLetter(FirstOf(word.substr(1)))) {
      text.AppendWithoutBlankBefore(word);  // "it" + "'s"
    } else if (IsElided(word, i + 1 < words.size() ? words[i + 1] : "")) {
      text.AppendWithoutBlankBehind(word);
    } else if (IsQuote(word)) {
      int& count = quotes[ConsistsOf(word, IsDoubleQuote) ? "\"" : std::string(word)];
      const bool possessive = language_ == "en" && word == "'" && absl::EndsWith(before, "s");  // "the Jones' house"
      if (count % 2 != 0) {
        text.AppendWithoutBlankBefore(word);
        ++count;
      } else if (possessive) {
        text.AppendWithoutBlankBefore(word);
      } else {
        text.AppendWithoutBlankBehind(word);
        ++count;
      }
    } else {
      text.Append(word);
    }
  }
  return text.Text();
}

}  // namespace heed
