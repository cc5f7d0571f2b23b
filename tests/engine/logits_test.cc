// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/naive.h"

namespace heed {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const int64_t kLogitCounts[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 255, 256, 257, 1000, 6001};

// All that can be, best first.
std::vector<Candidate> Sorted(const std::vector<float>& logits, int32_t first_id) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -kInfinity) all.push_back({logits[i], first_id + static_cast<int32_t>(i)});
  }
  std::sort(all.begin(), all.end(), Better);
  return all;
}

void ExpectBest(const BestCandidates& best, const std::vector<Candidate>& sorted) {
  ASSERT_EQ(best.count, std::min<int64_t>(best.capacity, static_cast<int64_t>(sorted.size())));
  for (int i = 0; i < best.count; ++i) {
    EXPECT_EQ(best.best[i].id, sorted[static_cast<size_t>(i)].id);
    EXPECT_EQ(best.best[i].logit, sorted[static_cast<size_t>(i)].logit);
  }
}

double LogOf(const ExpSum& sum) { return sum.max + std::log(static_cast<double>(sum.sum)); }

double LogOfExponentials(const std::vector<float>& logits) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  return std::log(sum);
}

TEST(Logits, BestAndSumAgreeWithTheNaiveOnes) {
  for (const int64_t count : kLogitCounts) {
    for (const bool has_ties : {false, true}) {
      std::vector<float> logits = has_ties ? naive::RandomHalves(count, 7) : naive::RandomFloats(count, 7);
      for (float& logit : logits) logit *= 12;
      for (size_t i = 5; i < logits.size(); i += 11) logits[i] = -kInfinity;
      const std::vector<Candidate> sorted = Sorted(logits, 100);
      for (const int capacity : {0, 1, 2, 5, 8, 24, 64, 70}) {
        for (const bool sums : {false, true}) {
          std::vector<Candidate> room(static_cast<size_t>(capacity));
          BestCandidates best = {room.data(), capacity, 0};
          const ExpSum sum = sums ? ReduceLogits(logits.data(), count, 100, -kInfinity, best)
                                  : OfferLogits(logits.data(), count, 100, best);
          ExpectBest(best, sorted);
          EXPECT_EQ(sum.max, sorted.front().logit);
          if (sums) {
            EXPECT_NEAR(LogOf(sum), LogOfExponentials(logits), 4e-7);  // 3e-7 with fused multiply-add
          } else {
            EXPECT_EQ(sum.sum, 0);
          }
        }
      }
    }
  }
}

TEST(Logits, PiecesMayComeInAnyOrderAndWithAFloor) {
  const std::vector<float> logits = naive::RandomHalves(3000, 7);  // with ties
  const std::vector<Candidate> sorted = Sorted(logits, 0);
  for (const int capacity : {1, 2, 5, 64, 1500}) {
    for (const bool forwards : {true, false}) {
      std::vector<Candidate> room(static_cast<size_t>(capacity));
      BestCandidates best = {room.data(), capacity, 0};
      const float floor = sorted[static_cast<size_t>(capacity - 1)].logit;
      std::vector<ExpSum> sums(10);
      for (int i = 0; i < 10; ++i) {
        const int piece = forwards ? i : 9 - i;
        sums[static_cast<size_t>(piece)] =
            ReduceLogits(logits.data() + 300 * piece, 300, 300 * piece, i % 2 == 0 ? -kInfinity : floor, best);
      }
      ExpectBest(best, sorted);
      EXPECT_NEAR(LogOf(SumOfSums(sums.data(), 10)), LogOfExponentials(logits), 3e-7);
    }
  }
}

TEST(Logits, EqualsAreTakenInTheOrderOfIds) {
  const std::vector<float> logits(1000, -0.25f);
  Candidate kept[20];
  BestCandidates best = {kept, 20, 0};
  const ExpSum sum = ReduceLogits(logits.data(), 1000, 7, -kInfinity, best);
  ExpectBest(best, Sorted(logits, 7));
  EXPECT_EQ(sum.max, -0.25f);
  EXPECT_EQ(sum.sum, 1000);
}

TEST(Logits, TokensThatCannotBeAddNothing) {
  std::vector<float> logits(37, -kInfinity);
  Candidate kept[3];
  BestCandidates best = {kept, 3, 0};
  const ExpSum none = ReduceLogits(logits.data(), 37, 0, -kInfinity, best);
  EXPECT_EQ(best.count, 0);
  EXPECT_EQ(none.sum, 0);
  EXPECT_EQ(none.max, -kInfinity);
  logits[20] = 2;
  logits[36] = 1;
  const ExpSum two = ReduceLogits(logits.data(), 37, 100, -kInfinity, best);
  ASSERT_EQ(best.count, 2);
  EXPECT_EQ(kept[0].id, 120);
  EXPECT_EQ(kept[1].id, 136);
  EXPECT_NEAR(LogOf(two), std::log(std::exp(2.0) + std::exp(1.0)), 1e-6);
  const ExpSum both[] = {none, two, {-kInfinity, 0}};
  EXPECT_EQ(LogOf(SumOfSums(both, 3)), LogOf(two));
  EXPECT_EQ(SumOfSums(&none, 1).sum, 0);
  EXPECT_EQ(SumOfSums(&none, 1).max, -kInfinity);
}

TEST(Logits, LogitsFarBelowTheLargestAddNothing) {
  const std::vector<float> logits = {-3e38f, 90, -90, 3.2f, 88, -200};
  Candidate kept[1];
  BestCandidates best = {kept, 1, 0};
  const ExpSum sum = ReduceLogits(logits.data(), 6, 0, -kInfinity, best);
  EXPECT_EQ(sum.max, 90);
  EXPECT_NEAR(sum.sum, 1 + std::exp(-2.0), 2e-7);
}

TEST(Logits, WhatIsNotANumberIsReported) {
  for (const int64_t count : kLogitCounts) {
    for (const int64_t at : {int64_t{0}, count / 2, count - 1}) {
      for (const float bad : {std::nanf(""), -std::nanf(""), kInfinity}) {
        std::vector<float> logits = naive::RandomFloats(count, 3);
        logits[static_cast<size_t>(at)] = bad;
        Candidate kept[2];
        BestCandidates best = {kept, 2, 0};
        const ExpSum sum = ReduceLogits(logits.data(), count, 0, -kInfinity, best);
        EXPECT_TRUE(std::isnan(sum.sum));
        best.count = 0;
        const ExpSum offered = OfferLogits(logits.data(), count, 0, best);
        EXPECT_TRUE(std::isnan(offered.sum));
        // The numbers beside it are still candidates.
        if (std::isnan(bad)) ExpectBest(best, Sorted(logits, 0));
        const ExpSum sums[] = {{1, 1}, sum, {2, 1}};
        EXPECT_TRUE(std::isnan(SumOfSums(sums, 3).sum));
      }
    }
  }
  for (const float bad : {std::nanf(""), kInfinity}) {
    const ExpSum sums[] = {{1, 1}, {bad, 1}};
    EXPECT_TRUE(std::isnan(SumOfSums(sums, 2).sum));
  }
}

TEST(Logits, SumsOfSumsAgree) {
  for (const int64_t count : kLogitCounts) {
    const std::vector<float> maxima = naive::RandomFloats(count, 5), parts = naive::RandomFloats(count, 6);
    std::vector<ExpSum> sums;
    double expected = 0;
    for (size_t i = 0; i < maxima.size(); ++i) {
      sums.push_back({30 * maxima[i], 2 + parts[i]});
      expected += static_cast<double>(sums[i].sum) * std::exp(static_cast<double>(sums[i].max));
    }
    EXPECT_NEAR(LogOf(SumOfSums(sums.data(), count)), std::log(expected), 3e-7);
  }
}

}  // namespace
}  // namespace heed
