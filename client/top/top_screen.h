// SPDX-License-Identifier: Apache-2.0
// What `heed top` shows, as lines of text of a given size.
#pragma once

#include <string>
#include <vector>

#include "client/top/top_view.h"

namespace heed::client {

enum class TextStyle { kPlain, kDim, kBold, kReverse, kGood, kWarning, kBad };

struct StyledText {
  std::string text;
  TextStyle style = TextStyle::kPlain;
};

using StyledLine = std::vector<StyledText>;

// The words alone, without blanks at the end.
std::string PlainText(const StyledLine& line);
// With the terminal's sequences; `colors`: otherwise only bold, dim and reverse.
std::string AnsiText(const StyledLine& line, bool colors);

// By which the models are sorted: the name, or a number of which the largest comes first.
enum class TopSort { kName, kRequests, kP99, kQueued, kBusy };
inline constexpr int kTopSorts = 5;

struct TopLayout {
  int width = 80;
  int height = 24;  // 0: as many lines as there are, and no line about keys
  TopSort sort = TopSort::kName;
  bool reversed = false;
  int scroll = 0;  // models that stand above the first one shown
  bool paused = false;
  bool help = false;
  std::string clock;  // when the pages were read: "12:03:44"
  double interval_seconds = 0;
};

// Lines of at most layout.width columns, at most layout.height of them. Columns and facts that have no room are left
// out, the least important first; then the methods; then models, which layout.scroll moves through.
std::vector<StyledLine> TopLines(const TopView& view, const TopLayout& layout);

// The largest layout.scroll that shows something new.
int MostScroll(const TopView& view, const TopLayout& layout);

}  // namespace heed::client
