// SPDX-License-Identifier: Apache-2.0
#include "models/text/token_spans.h"

#include <unicode/unorm2.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "base/code_points.h"

namespace heed {
namespace {

constexpr UChar32 kBlankMark = 0x2581;
// How many characters must agree for both sequences to go on from there, and how many may be passed over to that end.
constexpr size_t kAgreeing = 4;
constexpr size_t kMaxPassedOver = 48;
// Where they agree nowhere near, this many of each are taken for the same.
constexpr size_t kTakenForSame = 16;

constexpr size_t kNobody = std::numeric_limits<size_t>::max();

// A character of a text or of a token, folded.
struct Unit {
  UChar32 c;
  size_t begin, end;  // of the character's bytes in the text; of a token's: its index
};

// Appends what a character shows: nothing for a blank.
void Fold(UChar32 c, size_t begin, size_t end, std::vector<Unit>& units) {
  if (c < 0 || IsInvisible(c)) return;
  if (c < 0x80) {
    units.push_back({c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c, begin, end});
    return;
  }
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2* const normalizer = unorm2_getNFKDInstance(&error);
  constexpr int32_t kLongest = 18;  // of any character's decomposition, in UTF-16
  UChar parts[kLongest];
  const int32_t count = U_FAILURE(error) ? -1 : unorm2_getDecomposition(normalizer, c, parts, kLongest, &error);
  if (count < 0 || U_FAILURE(error)) {
    units.push_back({u_foldCase(c, U_FOLD_CASE_DEFAULT), begin, end});
    return;
  }
  for (int32_t i = 0; i < count;) {
    UChar32 part;
    U16_NEXT(parts, i, count, part);
    if (!IsInvisible(part)) units.push_back({u_foldCase(part, U_FOLD_CASE_DEFAULT), begin, end});
  }
}

std::vector<Unit> UnitsOfText(absl::string_view text, bool marks_blanks) {
  std::vector<Unit> units;
  units.reserve(text.size());
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    const int32_t begin = i;
    const UChar32 c = NextCodePoint(text, i);
    if (marks_blanks && c == kBlankMark) continue;
    Fold(c, static_cast<size_t>(begin), static_cast<size_t>(i), units);
  }
  return units;
}

// What Moses writes for some signs.
struct Entity {
  absl::string_view name;
  UChar32 sign;
};
constexpr Entity kEntities[] = {{"&amp;", '&'},   {"&#124;", '|'}, {"&lt;", '<'},  {"&gt;", '>'},
                                {"&apos;", '\''}, {"&quot;", '"'}, {"&#91;", '['}, {"&#93;", ']'}};

// The byte of a piece "<0xE2>".
std::optional<char> ByteOf(absl::string_view piece) {
  if (piece.size() != 6 || !absl::StartsWith(piece, "<0x") || piece.back() != '>') return std::nullopt;
  int value = 0;
  for (const char digit : piece.substr(3, 2)) {
    value *= 16;
    if (digit >= '0' && digit <= '9') {
      value += digit - '0';
    } else if (digit >= 'A' && digit <= 'F') {
      value += digit - 'A' + 10;
    } else {
      return std::nullopt;
    }
  }
  return static_cast<char>(value);
}

// The characters of all tokens, one token behind the other.
class UnitsOfTokens {
 public:
  UnitsOfTokens(absl::Span<const std::string> spellings, const SpellingStyle& style) : style_(style) {
    for (size_t i = 0; i < spellings.size(); ++i) Add(spellings[i], i);
  }
  std::vector<Unit> Take() { return std::move(units_); }

 private:
  void Add(absl::string_view spelling, size_t token) {
    if (style_.marks_blanks) {
      if (const std::optional<char> byte = ByteOf(spelling)) return AddByte(*byte, token);
      bytes_.clear();
    }
    if (!style_.continuation.empty() && spelling != style_.continuation) {
      absl::ConsumeSuffix(&spelling, style_.continuation);
    }
    if (style_.entities && spelling == "@-@") spelling = "-";
    for (int32_t i = 0; i < static_cast<int32_t>(spelling.size());) {
      if (style_.entities && spelling[static_cast<size_t>(i)] == '&') {
        const absl::string_view rest = spelling.substr(static_cast<size_t>(i));
        const auto entity = std::find_if(std::begin(kEntities), std::end(kEntities),
                                         [&](const Entity& one) { return absl::StartsWith(rest, one.name); });
        if (entity != std::end(kEntities)) {
          Fold(entity->sign, token, token, units_);
          i += static_cast<int32_t>(entity->name.size());
          continue;
        }
      }
      const UChar32 c = NextCodePoint(spelling, i);
      if (style_.marks_blanks && c == kBlankMark) continue;
      Fold(c, token, token, units_);
    }
  }

  // A character of several tokens is the first one's.
  void AddByte(char byte, size_t token) {
    if (bytes_.empty()) first_byte_ = token;
    bytes_ += byte;
    int32_t i = 0;
    const UChar32 c = NextCodePoint(bytes_, i);
    if (c >= 0) {
      Fold(c, first_byte_, first_byte_, units_);
      bytes_.clear();
    } else if (bytes_.size() >= U8_MAX_LENGTH) {
      bytes_.clear();
    }
  }

  const SpellingStyle& style_;
  std::vector<Unit> units_;
  std::string bytes_;  // of a character that is not complete
  size_t first_byte_ = 0;
};

// Whether what follows is the same, for some characters or to both ends.
bool Agree(absl::Span<const Unit> a, absl::Span<const Unit> b) {
  const size_t count = std::min({kAgreeing, a.size(), b.size()});
  if (count == 0) return a.size() == b.size();
  for (size_t i = 0; i < count; ++i) {
    if (a[i].c != b[i].c) return false;
  }
  return count == kAgreeing || a.size() == b.size();
}

// How many of both to pass over so that they agree: as few as can be.
std::pair<size_t, size_t> PassOver(absl::Span<const Unit> text, absl::Span<const Unit> tokens) {
  for (size_t both = 1; both <= kMaxPassedOver; ++both) {
    for (size_t of_text = 0; of_text <= both; ++of_text) {
      const size_t of_tokens = both - of_text;
      if (of_text > text.size() || of_tokens > tokens.size()) continue;
      if (Agree(text.subspan(of_text), tokens.subspan(of_tokens))) return {of_text, of_tokens};
    }
  }
  return {std::min(kTakenForSame, text.size()), std::min(kTakenForSame, tokens.size())};
}

// For each character of the text, the token that it belongs to: ascending, but for kNobody.
std::vector<size_t> Owners(absl::Span<const Unit> text, absl::Span<const Unit> tokens) {
  std::vector<size_t> owners(text.size(), kNobody);
  size_t i = 0, j = 0;
  while (i < text.size() && j < tokens.size()) {
    if (text[i].c == tokens[j].c) {
      owners[i++] = tokens[j++].begin;
      continue;
    }
    const auto [of_text, of_tokens] = PassOver(text.subspan(i), tokens.subspan(j));
    for (size_t k = 0; k < of_text && of_tokens > 0; ++k) owners[i + k] = tokens[j + k * of_tokens / of_text].begin;
    i += of_text;
    j += of_tokens;
  }
  return owners;
}

}  // namespace

std::vector<TokenSpan> SpansOfTokens(absl::string_view text, absl::Span<const std::string> spellings,
                                     const SpellingStyle& style) {
  const std::vector<Unit> of_text = UnitsOfText(text, style.marks_blanks);
  const std::vector<size_t> owners = Owners(of_text, UnitsOfTokens(spellings, style).Take());
  std::vector<TokenSpan> spans(spellings.size());
  size_t taken = 0;  // bytes of the text that have a token
  for (size_t i = 0; i < of_text.size(); ++i) {
    if (owners[i] == kNobody || of_text[i].begin < taken) continue;
    TokenSpan& span = spans[owners[i]];
    if (span.begin == span.end) span.begin = of_text[i].begin;
    span.end = taken = of_text[i].end;
  }
  size_t at = 0;
  for (TokenSpan& span : spans) {
    if (span.begin == span.end) span = {at, at};
    at = span.end;
  }
  return spans;
}

bool ContinuesWord(absl::string_view piece, const SpellingStyle& style) {
  if (!style.marks_blanks || piece.empty()) return false;
  if (ByteOf(piece)) return true;
  const UChar32 first = CodePointAt(piece, 0);
  if (IsWrittenWithoutBlanks(first)) return false;
  return first != kBlankMark && (u_isalnum(first) || IsCombiningMark(first));
}

}  // namespace heed
