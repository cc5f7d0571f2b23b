// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(FirstInvalidUtf8, FindsTheFirstBadByte) {
  EXPECT_EQ(FirstInvalidUtf8("Grüße 你好 \xf0\x9f\x98\x80"), std::nullopt);
  EXPECT_EQ(FirstInvalidUtf8(""), std::nullopt);
  EXPECT_EQ(FirstInvalidUtf8(std::string("a\0b", 3)), std::nullopt);
  EXPECT_EQ(FirstInvalidUtf8("ab\xff"), 2u);
  EXPECT_EQ(FirstInvalidUtf8("\xc3"), 0u);
  EXPECT_EQ(FirstInvalidUtf8("T\xc3"), 1u);          // cut off
  EXPECT_EQ(FirstInvalidUtf8("a\xed\xa0\x80"), 1u);  // half of a surrogate pair
}

}  // namespace
}  // namespace heed
