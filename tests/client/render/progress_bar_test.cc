// SPDX-License-Identifier: Apache-2.0
#include "client/render/progress_bar.h"

#include <gtest/gtest.h>

#include <sstream>

namespace heed::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ProgressText, ShowsShareRateAndTimeLeft) {
  EXPECT_EQ(ProgressText({.lines = 50, .bytes = 250, .total_bytes = 1000}, seconds(25), 60),
            "[=====>              ]  25%  50 lines  2 lines/s  1:15 left");
}

TEST(ProgressText, WithoutAKnownSizeThereIsNoBar) {
  EXPECT_EQ(ProgressText({.lines = 50, .bytes = 250}, seconds(25), 60), "50 lines  2 lines/s");
}

TEST(ProgressText, NeverWiderThanTheTerminal) {
  for (int columns = 1; columns < 120; ++columns) {
    EXPECT_LE(ProgressText({.lines = 50, .bytes = 250, .total_bytes = 1000}, seconds(25), columns).size(),
              static_cast<size_t>(columns));
  }
}

TEST(ProgressText, HasWhatElseThereIsToSay) {
  EXPECT_EQ(ProgressText({.lines = 50, .unit = "tokens", .note = "perplexity 23.41"}, seconds(10), 80),
            "50 tokens  5 tokens/s  perplexity 23.41");
}

TEST(ProgressBar, AppearsAfterASecondAndIsDrawnTenTimesASecond) {
  std::ostringstream out;
  const ProgressBar::TimePoint start;
  ProgressBar bar(&out, 80, start);
  bar.Update({.lines = 1}, start + milliseconds(999));
  EXPECT_EQ(out.str(), "");
  bar.Clear();
  EXPECT_EQ(out.str(), "");
  bar.Update({.lines = 5}, start + milliseconds(1000));
  EXPECT_EQ(out.str(), "\r5 lines  5 lines/s\x1b[K");
  bar.Update({.lines = 6}, start + milliseconds(1099));
  EXPECT_EQ(out.str(), "\r5 lines  5 lines/s\x1b[K");
  bar.Clear();
  EXPECT_EQ(out.str(), "\r5 lines  5 lines/s\x1b[K\r\x1b[K");
}

TEST(ProgressBar, DrawsNothingWithoutATerminal) {
  ProgressBar bar(nullptr, 80, {});
  bar.Update({.lines = 1}, ProgressBar::TimePoint(seconds(5)));
  bar.Clear();
}

}  // namespace
}  // namespace heed::client
