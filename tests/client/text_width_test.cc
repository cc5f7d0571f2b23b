#include "client/text_width.h"

#include <gtest/gtest.h>

namespace heed::client {
namespace {

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("Haus"), 4);
  EXPECT_EQ(DisplayWidth("Tür"), 3);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("你好"), 4);
  EXPECT_EQ(DisplayWidth("█░"), 2);
  EXPECT_EQ(DisplayWidth("\xff"), 1);
}

TEST(Pad, FillsUpToTheWidthAndNeverCuts) {
  EXPECT_EQ(PadRight("ü", 3), "ü  ");
  EXPECT_EQ(PadLeft("你", 3), " 你");
  EXPECT_EQ(PadRight("long", 2), "long");
}

TEST(FirstInvalidUtf8, FindsTheFirstBadByte) {
  EXPECT_FALSE(FirstInvalidUtf8("Tür 你好 \xf0\x9f\x98\x80").has_value());
  EXPECT_FALSE(FirstInvalidUtf8(std::string("a\0b", 3)).has_value());
  EXPECT_EQ(FirstInvalidUtf8("ab\xff"), 2u);
  EXPECT_EQ(FirstInvalidUtf8("T\xc3"), 1u);         // cut off
  EXPECT_EQ(FirstInvalidUtf8("\xed\xa0\x80"), 0u);  // surrogate
  EXPECT_EQ(FirstInvalidUtf8("x\xc0\x80"), 1u);     // overlong
}

}  // namespace
}  // namespace heed::client
