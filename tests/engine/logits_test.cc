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

TEST(Logits, BestCandidatesKeepTheBestInOrder) {
  for (int capacity : {1, 2, 5, 64}) {
    const std::vector<float> logits = naive::RandomHalves(300, 7);  // with ties
    std::vector<Candidate> kept(static_cast<size_t>(capacity));
    BestCandidates best = {kept.data(), capacity, 0};
    ReduceLogits(logits.data(), 150, 0, best);
    ReduceLogits(logits.data() + 150, 150, 150, best);
    std::vector<Candidate> all;
    for (size_t i = 0; i < logits.size(); ++i) all.push_back({logits[i], static_cast<int32_t>(i)});
    std::sort(all.begin(), all.end(), Better);
    ASSERT_EQ(best.count, capacity);
    for (int i = 0; i < capacity; ++i) EXPECT_EQ(kept[static_cast<size_t>(i)].id, all[static_cast<size_t>(i)].id);
  }
}

TEST(Logits, ReduceLogitsPassesOverTokensThatCannotBe) {
  std::vector<float> logits(37, -kInfinity);
  Candidate kept[3];
  BestCandidates best = {kept, 3, 0};
  const ExpSum none = ReduceLogits(logits.data(), 37, 0, best);
  EXPECT_EQ(best.count, 0);
  EXPECT_EQ(none.sum, 0);
  logits[20] = 2;
  logits[36] = 1;
  const ExpSum two = ReduceLogits(logits.data(), 37, 100, best);
  ASSERT_EQ(best.count, 2);
  EXPECT_EQ(kept[0].id, 120);
  EXPECT_EQ(kept[1].id, 136);
  EXPECT_NEAR(two.max + std::log(two.sum), std::log(std::exp(2.0) + std::exp(1.0)), 1e-6);
}

}  // namespace
}  // namespace heed
