// SPDX-License-Identifier: Apache-2.0
#include "base/excerpt.h"

#include <string>

#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(ExcerptTest, ShortTextsStayWhole) {
  EXPECT_EQ(Excerpt("", 0), "");
  EXPECT_EQ(Excerpt("abc", 3), "abc");
}

TEST(ExcerptTest, LongTextsAreCut) {
  EXPECT_EQ(Excerpt("abcd", 3), "abc...");
  EXPECT_EQ(Excerpt("abcd", 0), "...");
}

TEST(ExcerptTest, CharactersStayWhole) {
  const std::string text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";  // of 1, 2, 3, 4 and 1 bytes
  const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
  for (size_t most = 0; most < text.size(); ++most) {
    EXPECT_EQ(Excerpt(text, most), text.substr(0, ends[most]) + "...") << most;
  }
  EXPECT_EQ(Excerpt(std::string(9, '\x80'), 5), "...") << "no UTF-8 at all";
}

TEST(QuotedTest, ShowsTheBeginningBetweenMarks) {
  EXPECT_EQ(Quoted("abc"), "\"abc\"");
  EXPECT_EQ(Quoted("abcd", 3), "\"abc...\"");
}

TEST(EscapedTest, WritesOutControlsAndMarks) {
  EXPECT_EQ(Escaped("Gr\xc3\xbc\n\x01\""), "Gr\xc3\xbc\\n\\x01\\\"");
  EXPECT_EQ(Escaped("abcd", 3), "abc");
}

}  // namespace
}  // namespace heed
