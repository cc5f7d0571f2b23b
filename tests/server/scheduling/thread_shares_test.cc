// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/thread_shares.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

namespace heed {
namespace {

using Load = ThreadShares::Load;
using Share = ThreadShares::Share;
constexpr int64_t kRows = ThreadShares::kRowsOfSmallModel;

// Of a small model.
Load Small(int64_t tasks, int64_t rows) { return ThreadShares::LoadOf(tasks, rows, 1000); }

TEST(ThreadShares, LittleWorkGetsAllThreads) {
  ThreadShares shares(4, 0);
  const std::optional<Share> share = shares.Offer(Small(1, 1));
  ASSERT_TRUE(share);
  EXPECT_EQ(share->threads, 4);
  shares.Begin(*share, Small(1, 1));
  EXPECT_FALSE(shares.Offer(Small(1, 1)));
  shares.End(*share, Small(1, 1));
  // Many rows of one task are one step's, too: a large graph.
  EXPECT_EQ(shares.Offer(Small(1, 10'000))->threads, 4);
}

TEST(ThreadShares, MuchWorkIsSharedOutEvenly) {
  ThreadShares shares(4, 0);
  Load ready = Small(100, 100 * kRows);
  std::vector<int64_t> taken;
  while (ready.tasks > 0) {
    const std::optional<Share> share = shares.Offer(ready);
    ASSERT_TRUE(share);
    EXPECT_EQ(share->steps, 4);
    EXPECT_EQ(share->threads, 1);
    const Load load = Small(share->rows / kRows, share->rows);
    shares.Begin(*share, load);
    ready -= load;
    taken.push_back(load.tasks);
  }
  EXPECT_EQ(taken, std::vector<int64_t>(4, 25));
  EXPECT_EQ(shares.threads_in_use(), 4);
  EXPECT_FALSE(shares.Offer(Small(1, 1)));
}

TEST(ThreadShares, StepsOfALargeModelNeedMoreRows) {
  const ThreadShares shares(2, 0);
  constexpr int64_t kLarge = 2 * ThreadShares::kSmallModelBytes;
  EXPECT_EQ(shares.Offer(ThreadShares::LoadOf(8, 2 * kRows, kLarge))->steps, 1);
  EXPECT_EQ(shares.Offer(ThreadShares::LoadOf(8, 2 * ThreadShares::kRowsOfLargeModel, kLarge))->steps, 2);
  // Of both kinds.
  Load both = ThreadShares::LoadOf(1, ThreadShares::kRowsOfLargeModel, kLarge);
  both += Small(1, kRows);
  EXPECT_EQ(shares.Offer(both)->steps, 2);
}

TEST(ThreadShares, StepsHalveTheThreadsOrTakeOneEach) {
  ThreadShares shares(6, 0);
  const std::pair<int64_t, int> wanted[] = {{1, 1}, {2, 2}, {3, 2}, {4, 2}, {5, 2}, {6, 6}, {60, 6}};
  for (const auto& [tasks, steps] : wanted) {
    const std::optional<Share> share = shares.Offer(Small(tasks, tasks * kRows));
    ASSERT_TRUE(share);
    EXPECT_EQ(share->steps, steps) << tasks;
    EXPECT_EQ(share->threads, 6 / steps);
  }
}

TEST(ThreadShares, AWiderStepWaitsForThoseUnderWay) {
  ThreadShares shares(2, 0);
  const Load load = Small(4, 2 * kRows);
  const Share first = *shares.Offer(Small(8, 4 * kRows));
  shares.Begin(first, load);
  const Share second = *shares.Offer(load);
  shares.Begin(second, load);
  EXPECT_EQ(second.threads, 1);
  shares.End(first, load);
  // Much is still under way: a step beside it.
  EXPECT_EQ(shares.Offer(Small(1, 1))->threads, 1);
  const Load small = Small(1, 1);
  shares.Begin(*shares.Offer(small), small);
  shares.End(second, load);
  // Little is: the next step takes all, once it has ended.
  EXPECT_FALSE(shares.Offer(small));
  shares.End(first, small);
  EXPECT_EQ(shares.Offer(Small(2, 2))->threads, 2);
}

TEST(ThreadShares, TheNumberOfStepsDoesNotSwing) {
  ThreadShares shares(2, 0);
  const Load enough = Small(4, 2 * kRows), a_little_less = Small(4, 2 * kRows - kRows / 2),
             less = Small(4, 2 * kRows - kRows / 2 - 1);
  EXPECT_EQ(shares.Offer(a_little_less)->steps, 1);
  const Share share = *shares.Offer(enough);
  EXPECT_EQ(share.steps, 2);
  shares.Begin(share, enough);
  shares.End(share, enough);
  EXPECT_EQ(shares.Offer(a_little_less)->steps, 2);
  EXPECT_EQ(shares.Offer(less)->steps, 1);
}

TEST(ThreadShares, ALargeTaskKeepsItsThreadsWhateverIsBesideIt) {
  // A sentence of 512 tokens beside 7 tasks of a row each: by rows alone it would have one of 8 threads.
  ThreadShares shares(8, 0);
  EXPECT_EQ(shares.Offer(ThreadShares::LoadOf(8, 519, 1000, 512))->threads, 8);
  EXPECT_EQ(shares.Offer(ThreadShares::LoadOf(8, 519, 1000, 64))->threads, 1);
  EXPECT_EQ(shares.Offer(ThreadShares::LoadOf(8, 519, 1000, 100))->threads, 2);
  // Small ones do not matter: a first step of 13 tokens beside few others.
  EXPECT_EQ(ThreadShares(2, 0).Offer(ThreadShares::LoadOf(8, 20, 1000, 13))->threads, 1);
}

TEST(ThreadShares, ThreadsAreHalvedOrTakenOneByOne) {
  for (const auto& [threads, sizes] :
       {std::pair<int, std::vector<int>>{12, {12, 6, 3, 1}}, {64, {64, 32, 16, 8, 4, 2, 1}}, {3, {3, 1}}, {1, {1}}}) {
    EXPECT_EQ(ThreadShares::TeamSizes(threads, 0, 0), sizes);
  }
}

TEST(ThreadShares, AFixedNumberOfStepsSharesOutAllThreads) {
  ThreadShares shares(5, 2);
  const Share first = *shares.Offer(Small(1, 1));
  EXPECT_EQ(first.threads, 3);
  shares.Begin(first, Small(1, 1));
  const Share second = *shares.Offer(Small(1, 1));
  EXPECT_EQ(second.threads, 2);
  shares.Begin(second, Small(1, 1));
  EXPECT_FALSE(shares.Offer(Small(1, 1)));
  shares.End(first, Small(1, 1));
  EXPECT_EQ(shares.Offer(Small(1000, 1000))->threads, 3);
  EXPECT_EQ(shares.Offer(Small(1000, 1000))->rows, 501);
}

TEST(ThreadShares, EveryShareHasATeam) {
  for (const int threads : {1, 2, 3, 5, 6, 12}) {
    for (int fixed = 0; fixed <= threads; ++fixed) {
      std::map<int, int> teams;
      const int executors = fixed > 0 ? fixed : threads;
      for (int i = 0; i < executors; ++i) {
        for (const int size : ThreadShares::TeamSizes(threads, fixed, i)) ++teams[size];
      }
      for (const int64_t tasks : {1, 2, 3, 4, 5, 6, 12}) {
        ThreadShares shares(threads, fixed);
        std::map<int, int> used;
        while (const std::optional<Share> share = shares.Offer(Small(tasks, tasks * kRows))) {
          shares.Begin(*share, {});
          ++used[share->threads];
        }
        for (const auto& [size, count] : used) EXPECT_LE(count, teams[size]) << threads << " " << fixed;
      }
    }
  }
}

// Whatever comes, no more threads run than there are, and whoever waits, waits for a step under way.
TEST(ThreadShares, TheBudgetHoldsAndNothingIsStuck) {
  std::mt19937 random(1);
  for (const int threads : {1, 2, 3, 4, 6, 16}) {
    for (const int steps : {0, 1, threads}) {
      ThreadShares shares(threads, steps);
      std::vector<std::pair<Share, Load>> under_way;
      for (int i = 0; i < 2000; ++i) {
        const Load ready = ThreadShares::LoadOf(1 + static_cast<int64_t>(random() % 64),
                                                64 + static_cast<int64_t>(random() % 640), random());
        const Load load = ThreadShares::LoadOf(1, 1 + static_cast<int64_t>(random() % 40), random());
        const std::optional<Share> share = shares.Offer(random() % 2 == 0 ? ready : load);
        if (share) {
          EXPECT_GE(share->threads, 1);
          EXPECT_GE(share->rows, 1);
          shares.Begin(*share, load);
          under_way.emplace_back(*share, load);
        } else {
          ASSERT_FALSE(under_way.empty());
        }
        int in_use = 0;
        for (const auto& [taken, unused] : under_way) in_use += taken.threads;
        EXPECT_EQ(shares.threads_in_use(), in_use);
        EXPECT_LE(in_use, threads);
        if (share && random() % 2 == 0) continue;
        const size_t ending = random() % under_way.size();
        shares.End(under_way[ending].first, under_way[ending].second);
        under_way.erase(under_way.begin() + static_cast<int64_t>(ending));
      }
    }
  }
}

}  // namespace
}  // namespace heed
