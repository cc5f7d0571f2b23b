#include "models/sentences.h"

#include <unicode/brkiter.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

// The code point that begins at byte i, which moves behind it; negative if it is not UTF-8.
UChar32 NextCodePoint(absl::string_view text, int32_t& i) {
  UChar32 c;
  U8_NEXT(text.data(), i, static_cast<int32_t>(text.size()), c);
  return c;
}

bool IsSpace(UChar32 c) { return c >= 0 && u_isUWhiteSpace(c); }

bool IsPunctuation(UChar32 c) {
  return c == ',' || c == ';' || c == ':' || (c >= 0 && u_hasBinaryProperty(c, UCHAR_TERMINAL_PUNCTUATION));
}

// Bytes of white space at the beginning and at the end of text.
int32_t LeadingSpace(absl::string_view text) {
  for (int32_t i = 0, before = 0; i < static_cast<int32_t>(text.size()); before = i) {
    if (!IsSpace(NextCodePoint(text, i))) return before;
  }
  return static_cast<int32_t>(text.size());
}

int32_t TrailingSpace(absl::string_view text) {
  int32_t end = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size());) {
    if (!IsSpace(NextCodePoint(text, i))) end = i;
  }
  return static_cast<int32_t>(text.size()) - end;
}

// Appends what stands between two boundaries; blank stretches go to the separator of what follows.
void Append(absl::string_view piece, SplitText& split) {
  const int32_t leading = LeadingSpace(piece);
  absl::StrAppend(&split.trailing, piece.substr(0, static_cast<size_t>(leading)));
  piece.remove_prefix(static_cast<size_t>(leading));
  if (piece.empty()) return;
  const int32_t trailing = TrailingSpace(piece);
  const absl::string_view text = piece.substr(0, piece.size() - static_cast<size_t>(trailing));
  split.sentences.push_back({std::move(split.trailing), std::string(text)});
  split.trailing = std::string(piece.substr(text.size()));
}

void EnsureOne(SplitText& split) {
  if (split.sentences.empty()) split.sentences.push_back({"", ""});
}

}  // namespace

SplitText SplitSentences(absl::string_view text, const std::string& language) {
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createSentenceInstance(icu::Locale(language.c_str()), status));
  UText* utext =
      U_SUCCESS(status) ? utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status) : nullptr;
  if (utext == nullptr || U_FAILURE(status)) return WholeText(text);  // ICU without its data: sentences stay together
  breaks->setText(utext, status);
  SplitText split;
  const auto append_lines = [&](absl::string_view piece) {
    for (size_t line; (line = piece.find('\n')) != absl::string_view::npos; piece.remove_prefix(line + 1)) {
      Append(piece.substr(0, line + 1), split);
    }
    Append(piece, split);
  };
  int32_t begin = breaks->first();
  for (int32_t end = breaks->next(); end != icu::BreakIterator::DONE; begin = end, end = breaks->next()) {
    append_lines(text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
  }
  utext_close(utext);
  EnsureOne(split);
  return split;
}

SplitText WholeText(absl::string_view text) {
  SplitText split;
  Append(text, split);
  EnsureOne(split);
  return split;
}

std::vector<SentenceSpan> Halve(const SentenceSpan& sentence) {
  const absl::string_view text = sentence.text;
  const int32_t size = static_cast<int32_t>(text.size());
  const int32_t middle = size / 2;
  // Of the cuts of the best kind, the one nearest to the middle; one far off it is no better than none.
  int32_t best = -1, best_kind = -1;
  UChar32 previous = 0;
  for (int32_t i = 0, before = 0; i < size; before = i) {
    const UChar32 c = NextCodePoint(text, i);
    if (before > 0) {
      const int32_t kind = !IsSpace(c) ? 0 : IsPunctuation(previous) ? 2 : 1;
      const bool near = std::abs(before - middle) <= size / 4;
      const int32_t rank = kind == 0 || near ? kind : -1;
      if (rank > best_kind || (rank == best_kind && std::abs(before - middle) < std::abs(best - middle))) {
        best = before;
        best_kind = rank;
      }
    }
    previous = c;
  }
  SplitText first = WholeText(text.substr(0, static_cast<size_t>(best)));
  SplitText second = WholeText(text.substr(static_cast<size_t>(best)));
  return {{sentence.separator, first.sentences[0].text},
          {first.trailing + second.sentences[0].separator, second.sentences[0].text}};
}

bool CanHalve(absl::string_view sentence) {
  int32_t i = 0;
  if (!sentence.empty()) NextCodePoint(sentence, i);
  return i < static_cast<int32_t>(sentence.size());
}

int64_t FirstInvalidUtf8(absl::string_view text) {
  for (int32_t i = 0, before = 0; i < static_cast<int32_t>(text.size()); before = i) {
    if (NextCodePoint(text, i) < 0) return before;
  }
  return -1;
}

}  // namespace heed
