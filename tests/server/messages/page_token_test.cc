// SPDX-License-Identifier: Apache-2.0
#include "server/messages/page_token.h"

#include <string>

#include "base/invalid_argument.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(PageTokens, ATokenGivesTheKeyBack) {
  for (const std::string& key : {std::string("cora"), std::string("a\0b", 3), std::string(200, '\xff')}) {
    const auto page = ReadPageRequest(7, MakePageToken(key, "graphs"), "graphs");
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->after, key);
    EXPECT_EQ(page->size, 7);
  }
}

TEST(PageTokens, TheSizeIsBounded) {
  EXPECT_EQ(ReadPageRequest(0, "", "graphs")->size, kDefaultPageSize);
  EXPECT_EQ(ReadPageRequest(1'000'000, "", "graphs")->size, kMaxPageSize);
  EXPECT_TRUE(ReadPageRequest(0, "", "graphs")->after.empty());
  const absl::Status negative = ReadPageRequest(-1, "", "graphs").status();
  EXPECT_EQ(negative.message(), "page_size: -1, must be at least 0");
  EXPECT_EQ(FieldOf(negative), "page_size");
}

TEST(PageTokens, WhatIsNoTokenOfTheListIsRefused) {
  for (const std::string& token : {std::string("cora"), std::string("!"), MakePageToken("cora", "models"),
                                   MakePageToken("", "graphs"), MakePageToken("cora", "graphs") + "!"}) {
    const absl::Status status = ReadPageRequest(0, token, "graphs").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << token;
    EXPECT_EQ(FieldOf(status), "page_token");
  }
}

}  // namespace
}  // namespace heed
