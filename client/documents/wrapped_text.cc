// SPDX-License-Identifier: Apache-2.0
#include "client/documents/wrapped_text.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/code_points.h"
#include "client/render/text_width.h"

namespace heed::client {
namespace {

// Han, kana: written without blanks.
bool StandsAlone(UChar32 c) {
  return (c >= 0x2e80 && c <= 0x2fff) || (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

bool IsBlankByte(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool EndsClause(absl::string_view text) {
  if (text.empty()) return false;
  auto i = static_cast<int32_t>(text.size());
  const UChar32 c = PreviousCodePoint(text, i);
  return c == ',' || c == ';' || c == ':' || c == '.' || c == '?' || c == '!' || c == 0x2026 || c == 0x2014 ||
         c == 0x3001 || c == 0x3002 || c == 0xff0c;
}

// Every place between two characters.
std::vector<TextCut> CharacterCuts(absl::string_view text) {
  std::vector<TextCut> cuts;
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    const auto begin = static_cast<size_t>(i);
    const UChar32 c = NextCodePoint(text, i);
    if (begin > 0 && !IsCombiningMark(c) && !IsSpace(c) && !IsBlankByte(text[begin - 1]))
      cuts.push_back({begin, begin});
  }
  for (const TextCut& cut : CutsOf(text)) {
    if (cut.end != cut.begin) cuts.push_back(cut);
  }
  std::sort(cuts.begin(), cuts.end(), [](const TextCut& a, const TextCut& b) { return a.begin < b.begin; });
  return cuts;
}

}  // namespace

int ColumnsOf(absl::string_view text) { return DisplayWidth({text.data(), text.size()}); }

std::vector<TextCut> CutsOf(absl::string_view text) {
  std::vector<TextCut> cuts;
  const auto size = static_cast<int32_t>(text.size());
  UChar32 last = 0;
  bool words = false;  // there was one
  size_t word_end = 0;
  for (int32_t i = 0; i < size;) {
    const auto begin = static_cast<size_t>(i);
    const UChar32 c = NextCodePoint(text, i);
    if (c >= 0 && c < 0x80 && IsBlankByte(static_cast<char>(c))) continue;
    if (words && word_end < begin) {
      cuts.push_back({word_end, begin});
    } else if (words && StandsAlone(last) && (StandsAlone(c) || (c >= 0 && u_isalnum(c)))) {
      cuts.push_back({begin, begin});
    } else if (words && StandsAlone(c) && last >= 0 && !u_ispunct(last)) {
      cuts.push_back({begin, begin});
    }
    words = true;
    last = c;
    word_end = static_cast<size_t>(i);
  }
  return cuts;
}

std::vector<TextCut> DivideText(absl::string_view text, const std::vector<double>& weights) {
  const size_t parts = weights.size();
  std::vector<TextCut> chosen;
  if (parts < 2) return chosen;
  std::vector<TextCut> cuts = CutsOf(text);
  if (cuts.size() + 1 < parts) cuts = CharacterCuts(text);
  if (cuts.size() + 1 < parts) return chosen;
  std::vector<double> columns(cuts.size());
  double column = 0;
  size_t done = 0;
  for (size_t i = 0; i < cuts.size(); ++i) {
    column += ColumnsOf(text.substr(done, cuts[i].end - done));
    columns[i] = column;
    done = cuts[i].end;
  }
  const double all = column + ColumnsOf(text.substr(done));
  const double sum = std::max(std::accumulate(weights.begin(), weights.end(), 0.0), 1e-9);
  double share = 0;
  size_t next = 0;  // the first cut that may be taken
  for (size_t part = 0; part + 1 < parts; ++part) {
    share += weights[part];
    const double wanted = all * share / sum;
    const size_t last = cuts.size() - (parts - 2 - part);  // leaves a cut for each part behind it
    const auto above = std::lower_bound(columns.begin() + static_cast<std::ptrdiff_t>(next),
                                        columns.begin() + static_cast<std::ptrdiff_t>(last), wanted);
    const auto middle = static_cast<size_t>(above - columns.begin());
    size_t best = std::min(middle, last - 1);
    double best_cost = std::numeric_limits<double>::max();
    // A mark of punctuation is worth a way of a few characters.
    for (size_t i = middle > next + 4 ? middle - 4 : next; i < std::min(last, middle + 4); ++i) {
      const double cost = std::abs(columns[i] - wanted) - (EndsClause(text.substr(0, cuts[i].end)) ? 6 : 0);
      if (cost < best_cost) {
        best_cost = cost;
        best = i;
      }
    }
    chosen.push_back(cuts[best]);
    next = best + 1;
  }
  return chosen;
}

std::vector<TextCut> WrapText(absl::string_view text, int width, bool balanced) {
  std::vector<TextCut> cuts = CutsOf(text);
  if (!balanced) {
    cuts.erase(std::remove_if(cuts.begin(), cuts.end(), [](const TextCut& cut) { return cut.end == cut.begin; }),
               cuts.end());
  }
  // The end of each word, and its width with the blank before it.
  std::vector<int> widths;
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i].end : text.size();
    widths.push_back(ColumnsOf(text.substr(begin, end - begin)));
    if (i < cuts.size()) begin = cuts[i].begin;
  }
  const auto wrap = [&](int limit) {
    std::vector<TextCut> lines;
    int line = 0;
    for (size_t i = 0; i < widths.size(); ++i) {
      const int blanks = i == 0 ? 0 : static_cast<int>(cuts[i - 1].begin - cuts[i - 1].end > 0);
      if (i > 0 && line + blanks + widths[i] > limit) {
        lines.push_back(cuts[i - 1]);
        line = widths[i];
      } else {
        line += blanks + widths[i];
      }
    }
    return lines;
  };
  std::vector<TextCut> lines = wrap(width);
  if (!balanced || lines.empty()) return lines;
  // The narrowest width that needs no more lines.
  int low = 1;
  int high = width;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (wrap(middle).size() <= lines.size()) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return wrap(high);
}

bool EndsSentence(absl::string_view text) {
  auto i = static_cast<int32_t>(text.size());
  bool bracket = false;
  while (i > 0) {
    const UChar32 c = PreviousCodePoint(text, i);
    if (IsSpace(c) || c == '"' || c == '\'' || c == 0x201d || c == 0x201c || c == 0x2019 || c == 0xbb || c == 0xab ||
        c == 0x300d) {
      continue;
    }
    if (c == ')' || c == ']' || c == '*') {
      bracket = true;
      continue;
    }
    if (c == '.' || c == '?' || c == '!' || c == 0x2026 || c == 0x3002 || c == 0xff1f || c == 0xff01 || c == 0x61f ||
        c == 0x964 || c == 0x6d4 || c == ':' || c == 0x266a || c == 0x266b || c == '#') {
      return true;
    }
    return bracket;
  }
  return bracket;
}

bool BeginsSmall(absl::string_view text) {
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    const UChar32 c = NextCodePoint(text, i);
    if (IsLetter(c)) return u_islower(c);
    if (c >= 0 && u_isdigit(c)) return false;
  }
  return false;
}

}  // namespace heed::client
