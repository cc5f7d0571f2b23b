// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/priority.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

TEST(PriorityTest, LevelsAreWrittenAsNumbers) {
  EXPECT_EQ(*ParsePriority("heed-priority", "1"), Priority::kHigh);
  EXPECT_EQ(*ParsePriority("heed-priority", "2"), kDefaultPriority);
  EXPECT_EQ(*ParsePriority("heed-priority", "3"), Priority::kLow);
  EXPECT_EQ(*ToPriority("priority", 3), Priority::kLow);
}

TEST(PriorityTest, AnythingElseIsRefusedWithTheKnownLevels) {
  for (const std::string text : {"", "0", "4", "9", "-1", "10", "1.0", " 1", "high"}) {
    const absl::Status status = ParsePriority("heed-priority", text).status();
    EXPECT_EQ(status, absl::InvalidArgumentError("heed-priority: \"" + text + "\", known are 1 (first) to 3 (last)"));
  }
  EXPECT_EQ(ToPriority("priority", -1).status().message(), "priority: \"-1\", known are 1 (first) to 3 (last)");
  EXPECT_FALSE(ToPriority("priority", 4).ok());
  EXPECT_LT(ParsePriority("heed-priority", std::string(100'000, 'x')).status().message().size(), 200u);
}

}  // namespace
}  // namespace heed
