// SPDX-License-Identifier: Apache-2.0
#include "server/memory_trimmer.h"

#include <gtest/gtest.h>

namespace heed {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr std::chrono::seconds kSecond(1);

class TrimPolicyTest : public testing::Test {
 protected:
  // As after the first trim of a server, which has 67 MiB then.
  TrimPolicyTest() { policy_.Trimmed(now_, 67 * kMiB); }

  // After a second.
  bool Ask(int64_t in_flight, int64_t mebibytes) {
    now_ += kSecond;
    return policy_.IsDue(now_, in_flight, mebibytes * kMiB);
  }

  TrimPolicy policy_;
  TimePoint now_;
};

TEST_F(TrimPolicyTest, TrimsAPeakOnceTheServerIsIdle) {
  EXPECT_FALSE(Ask(0, 67));
  EXPECT_FALSE(Ask(1, 200));
  EXPECT_FALSE(Ask(0, 200));  // idle from here on
  EXPECT_FALSE(Ask(0, 200));
  EXPECT_TRUE(Ask(0, 200));
  policy_.Trimmed(now_, 70 * kMiB);
  EXPECT_FALSE(Ask(0, 70));
  EXPECT_FALSE(Ask(0, 85));  // not worth it
  EXPECT_TRUE(Ask(0, 86));
}

TEST_F(TrimPolicyTest, DoesNotTrimAgainWhatCouldNotBeReturned) {
  Ask(0, 67);
  Ask(1, 500);
  for (int i = 0; i < 2; ++i) Ask(0, 500);
  EXPECT_TRUE(Ask(0, 500));
  policy_.Trimmed(now_, 490 * kMiB);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(Ask(0, 490));
}

TEST_F(TrimPolicyTest, TrimsUnderLoadSeldomAndOnlyLargePeaks) {
  now_ += 30 * kSecond;
  EXPECT_FALSE(Ask(1, 67 + 255));
  EXPECT_TRUE(Ask(1, 67 + 256));
  policy_.Trimmed(now_, 100 * kMiB);
  for (int i = 1; i < 30; ++i) EXPECT_FALSE(Ask(1, 1000));
  EXPECT_TRUE(Ask(1, 1000));
}

TEST_F(TrimPolicyTest, TrimsOnceWhenTheServerHasNeverBeen) {
  TrimPolicy fresh;
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(fresh.IsDue(now_ += kSecond, 0, 300 * kMiB));
  EXPECT_TRUE(fresh.IsDue(now_ += kSecond, 0, 300 * kMiB));
}

TEST_F(TrimPolicyTest, MeasuresGrowthFromTheLeastSince) {
  policy_.Trimmed(now_, 300 * kMiB);
  // Memory that went by itself does not hide a later peak.
  Ask(0, 300);
  Ask(0, 80);
  Ask(1, 200);
  Ask(0, 200);
  Ask(0, 200);
  EXPECT_TRUE(Ask(0, 200));
}

}  // namespace
}  // namespace heed
