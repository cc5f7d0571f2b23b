// SPDX-License-Identifier: Apache-2.0
#include "server/telemetry/request_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LineBudgetTest, SaysOfTheLinesThatItLeftOut) {
  LineBudget budget(3);
  const TimePoint start = Clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(budget.Take(start), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(budget.Take(start + milliseconds(999)), std::nullopt);
  EXPECT_EQ(budget.Take(start + seconds(1)), 5);
  EXPECT_EQ(budget.Take(start + seconds(1)), 0);
}

TEST(RequestLogTest, TellsSlowOnesFromFaults) {
  Metrics metrics;
  const RequestLog log(milliseconds(100), metrics);
  EXPECT_FALSE(log.InterestIn(milliseconds(99), false).any());
  EXPECT_TRUE(log.InterestIn(milliseconds(100), false).is_slow);
  EXPECT_FALSE(log.InterestIn(milliseconds(100), false).is_fault);
  EXPECT_TRUE(log.InterestIn(milliseconds(1), true).is_fault);
  EXPECT_FALSE(log.InterestIn(milliseconds(1), true).is_slow);
  EXPECT_TRUE(log.InterestIn(milliseconds(100), true).is_slow) << "a fault may be slow, too";
}

TEST(RequestLogTest, WithoutALimitNothingIsSlow) {
  Metrics metrics;
  EXPECT_FALSE(RequestLog(Clock::duration::zero(), metrics).InterestIn(seconds(100), false).any());
}

TEST(RequestLogTest, SlowOnesAreCountedWhetherOrNotTheirLineIsWritten) {
  Metrics metrics;
  RequestLog log(milliseconds(1), metrics);
  FinishedRequest record;
  record.method = "Translate";
  record.model = "en-de";
  record.code = "OK";
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) log.Write({.is_slow = true}, record);
  const std::string lines = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(metrics.Text(), HasSubstr("heed_slow_requests_total{method=\"Translate\",model=\"en-de\"} 1000"));
  const auto written = std::count(lines.begin(), lines.end(), '\n');
  EXPECT_GE(written, kMaxRequestLines);
  EXPECT_LT(written, 500) << "of a thousand within moments";
}

}  // namespace
}  // namespace heed
