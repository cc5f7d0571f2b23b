// SPDX-License-Identifier: Apache-2.0
#include "client/render/text_width.h"

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

}  // namespace
}  // namespace heed::client
