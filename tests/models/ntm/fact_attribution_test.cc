// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/fact_attribution.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heed {
namespace {

using Scores = absl::flat_hash_map<int64_t, float>;

Scores Read(const FactAttribution& attribution, const std::vector<float>& weights) {
  Scores scores;
  attribution.AddScores(weights.data(), 1, scores);
  return scores;
}

TEST(FactAttribution, ASlotHoldsWhatWasWrittenToIt) {
  FactAttribution attribution(3);
  const std::vector<float> first = {1, 0, 0}, second = {0, 0.75f, 0.25f};
  attribution.Write(0, first.data(), 1);
  attribution.Write(1, second.data(), 1);
  EXPECT_EQ(Read(attribution, {1, 0, 0}), (Scores{{0, 1.0f}}));
  EXPECT_EQ(Read(attribution, {0, 0.5f, 0.5f})[1], 0.5f);
}

TEST(FactAttribution, WhatIsErasedFades) {
  FactAttribution attribution(1);
  const std::vector<float> whole = {1}, half = {0.5f};
  attribution.Write(0, whole.data(), 1);
  attribution.Write(1, half.data(), 0.5f);
  const Scores scores = Read(attribution, {1});
  // 1 (1 - 0.5 0.5) = 0.75 and 0.5, which are more than the slot: shared out.
  EXPECT_FLOAT_EQ(scores.at(0), 0.75f / 1.25f);
  EXPECT_FLOAT_EQ(scores.at(1), 0.5f / 1.25f);
  attribution.Write(2, whole.data(), 1);
  EXPECT_EQ(Read(attribution, {1}), (Scores{{2, 1.0f}}));
}

TEST(FactAttribution, OnlyTheStrongestFactsOfASlotAreKept) {
  FactAttribution attribution(1);
  for (int64_t fact = 0; fact < 2 * kFactsPerSlot; ++fact) {
    const float weight = 0.01f * static_cast<float>(fact + 1);
    attribution.Write(fact, &weight, 0);
  }
  const Scores scores = Read(attribution, {1});
  EXPECT_EQ(scores.size(), static_cast<size_t>(kFactsPerSlot));
  for (int64_t fact = kFactsPerSlot; fact < 2 * kFactsPerSlot; ++fact) EXPECT_TRUE(scores.contains(fact)) << fact;
}

TEST(FactAttribution, TheSameFactOfTwoHeadsAddsUp) {
  FactAttribution attribution(1);
  const float weight = 0.25f;
  attribution.Write(3, &weight, 0);
  attribution.Write(3, &weight, 0);
  EXPECT_EQ(Read(attribution, {1}), (Scores{{3, 0.5f}}));
}

TEST(FactAttribution, ComesBackFromItsBytes) {
  FactAttribution attribution(2), back(2);
  const std::vector<float> weights = {0.5f, 0.25f};
  attribution.Write(0, weights.data(), 0.5f);
  attribution.Write(1, weights.data(), 0.5f);
  std::string bytes;
  attribution.Serialize(bytes);
  absl::string_view rest = bytes;
  ASSERT_TRUE(back.Parse(rest, 2));
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(Read(back, {0.5f, 0.5f}), Read(attribution, {0.5f, 0.5f}));
  rest = bytes;
  EXPECT_FALSE(back.Parse(rest, 1)) << "it names a fact that was not told";
}

}  // namespace
}  // namespace heed
