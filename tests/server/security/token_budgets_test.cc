// SPDX-License-Identifier: Apache-2.0
#include "server/security/token_budgets.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

class TokenBudgetsTest : public ::testing::Test {
 protected:
  absl::Status Take(const TokenUse& use, const std::string& holder = "ann") {
    return budgets_.Take(holder, limits_, use, now_);
  }
  // How many requests of so many are taken.
  int TakeMany(int requests, const std::string& holder = "ann") {
    int taken = 0;
    for (int i = 0; i < requests; ++i) taken += Take({.requests = 1}, holder).ok();
    return taken;
  }

  TokenLimits limits_{.requests_per_minute = 600, .characters_per_minute = 1000};
  TokenBudgets budgets_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
};

TEST_F(TokenBudgetsTest, AMinutesAmountMayComeAtOnceAndThenAsMuchAsComesBack) {
  EXPECT_EQ(TakeMany(700), 600);
  now_ += seconds(1);
  EXPECT_EQ(TakeMany(20), 10);
  now_ += seconds(60);
  EXPECT_EQ(TakeMany(700), 600);
  now_ += std::chrono::hours(1000);
  EXPECT_EQ(TakeMany(700), 600) << "no more than a minute's amount is saved";
}

TEST_F(TokenBudgetsTest, WhatIsGivenBackMayBeTakenAgainAndNoMore) {
  ASSERT_TRUE(Take({.requests = 1, .characters = 1000}).ok());
  ASSERT_FALSE(Take({.characters = 1}).ok());
  budgets_.GiveBack("ann", limits_, {.requests = 1, .characters = 1000});
  EXPECT_FALSE(Take({.characters = 1001}).ok());
  EXPECT_TRUE(Take({.characters = 1000}).ok());
  EXPECT_EQ(TakeMany(700), 600);
  now_ += seconds(30);
  budgets_.GiveBack("ann", limits_, {.requests = 600, .characters = 1000});
  EXPECT_EQ(TakeMany(700), 600) << "the bucket was half full already";
  budgets_.GiveBack("nobody", limits_, {.requests = 1});
  EXPECT_EQ(budgets_.size(), 1u);
}

TEST_F(TokenBudgetsTest, TheDelayIsTheTimeUntilThereIsRoom) {
  for (const int64_t limit : {1, 7, 600, 1'000'000'007}) {
    limits_.characters_per_minute = limit;
    const std::string holder = absl::StrCat("of ", limit);
    ASSERT_TRUE(Take({.characters = limit}, holder).ok()) << limit;
    const int64_t more = (limit + 2) / 3;
    const absl::Status refused = Take({.characters = more}, holder);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(refused), "token_limit");
    const milliseconds delay = RetryDelayOf(refused);
    EXPECT_NEAR(static_cast<double>(delay.count()), 60'000. * static_cast<double>(more) / static_cast<double>(limit),
                1);
    now_ += delay - milliseconds(2);
    EXPECT_FALSE(Take({.characters = more}, holder).ok()) << limit;
    now_ += milliseconds(2);
    EXPECT_TRUE(Take({.characters = more}, holder).ok()) << limit;
  }
}

TEST_F(TokenBudgetsTest, WhatIsRefusedTakesNothing) {
  ASSERT_TRUE(Take({.requests = 1, .characters = 900}).ok());
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(Take({.requests = 1, .characters = 101}).ok());
  EXPECT_TRUE(Take({.requests = 1, .characters = 100}).ok());
  EXPECT_EQ(TakeMany(700), 598);
}

TEST_F(TokenBudgetsTest, MoreThanAMinutesAmountIsNeverTaken) {
  const absl::Status status = Take({.requests = 1, .characters = 1001});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("1001 characters"), HasSubstr("ann may send characters_per_minute=1000")));
  EXPECT_EQ(TakeMany(700), 600) << "and takes nothing";
}

TEST_F(TokenBudgetsTest, HoldersDoNotCountAgainstEachOther) {
  EXPECT_EQ(TakeMany(700), 600);
  EXPECT_EQ(TakeMany(700, "bob"), 600);
}

TEST_F(TokenBudgetsTest, CheckTakesNothing) {
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(budgets_.Check("ann", limits_, {.requests = 1}, now_).ok());
  EXPECT_EQ(TakeMany(700), 600);
  EXPECT_FALSE(budgets_.Check("ann", limits_, {.requests = 1}, now_).ok());
  EXPECT_EQ(budgets_.size(), 1u);
}

TEST_F(TokenBudgetsTest, ALimitThatChangesLeavesTheShareThatIsUsed) {
  EXPECT_EQ(TakeMany(300), 300);
  limits_.requests_per_minute = 60;
  EXPECT_EQ(TakeMany(700), 30);
  limits_.requests_per_minute = 0;
  EXPECT_EQ(TakeMany(700), 700);
}

TEST_F(TokenBudgetsTest, WithoutLimitsNothingIsHeld) {
  limits_ = {};
  EXPECT_EQ(TakeMany(700), 700);
  EXPECT_EQ(budgets_.size(), 0u);
}

TEST_F(TokenBudgetsTest, OnlyTheFilesHoldersStay) {
  EXPECT_EQ(TakeMany(600), 600);
  EXPECT_EQ(TakeMany(600, "bob"), 600);
  budgets_.Keep([](absl::string_view name) { return name == "ann"; });
  EXPECT_EQ(budgets_.size(), 1u);
  EXPECT_EQ(TakeMany(1), 0) << "ann's goes on";
}

}  // namespace
}  // namespace heed
