// SPDX-License-Identifier: Apache-2.0
#include "base/name_patterns.h"

#include <string>

#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(NamePatternsTest, WithoutAPatternEveryNameMatches) {
  EXPECT_TRUE(NamePatterns().match_all());
  EXPECT_TRUE(NamePatterns().Match("any"));
  EXPECT_EQ(NamePatterns().ToString(), "");
}

TEST(NamePatternsTest, APatternIsANameOrItsBeginning) {
  const auto patterns = NamePatterns::Parse("en-de,gat-*");
  ASSERT_TRUE(patterns.ok()) << patterns.status();
  for (const char* name : {"en-de", "gat-", "gat-cora"}) EXPECT_TRUE(patterns->Match(name)) << name;
  for (const char* name : {"", "en-d", "en-de2", "gat", "a-gat-cora", "en-de,gat-*"}) {
    EXPECT_FALSE(patterns->Match(name)) << name;
  }
  EXPECT_EQ(patterns->ToString(), "en-de,gat-*");
  EXPECT_TRUE(NamePatterns::Parse("*")->Match("any"));
}

TEST(NamePatternsTest, WhatIsNoPatternIsAnError) {
  for (const char* text : {"", ",", "a,", ",a", "a,,b"}) {
    EXPECT_EQ(NamePatterns::Parse(text).status().message(), "a name is empty") << text;
  }
  for (const char* text : {"*a", "a*b", "a**", "a,b*c"}) {
    EXPECT_EQ(NamePatterns::Parse(text).status().message(), "a name has a * before its end") << text;
  }
}

}  // namespace
}  // namespace heed
