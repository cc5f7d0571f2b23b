// SPDX-License-Identifier: Apache-2.0
#include "models/search/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace heed {
namespace {

using Tokens = std::vector<int32_t>;

TEST(Repetition, IsWhatRepeatsTheTokensBeforeIt) {
  EXPECT_EQ(TokensBeforeRepetition(Tokens{}), 0);
  EXPECT_EQ(TokensBeforeRepetition(Tokens{1, 2, 3}), 3);
  EXPECT_EQ(TokensBeforeRepetition(Tokens{1, 2, 2}), 2);
  EXPECT_EQ(TokensBeforeRepetition(Tokens{1, 2, 3, 2, 3, 2, 3}), 3);
  EXPECT_EQ(TokensBeforeRepetition(Tokens{1, 2, 3, 1}), 3);  // it may just have begun
  EXPECT_EQ(TokensBeforeRepetition(Tokens{5, 5, 5, 1}), 4);  // it is over
}

TEST(Repetition, IsALoopOnceItIsLongAndOften) {
  EXPECT_FALSE(EndsInLoop(Tokens(15, 7)));
  EXPECT_TRUE(EndsInLoop(Tokens(16, 7)));
  Tokens thrice, four_times;
  for (int i = 0; i < 30; ++i) thrice.push_back(i % 10);
  EXPECT_FALSE(EndsInLoop(thrice));
  for (int i = 0; i < 40; ++i) four_times.push_back(i % 10);
  EXPECT_TRUE(EndsInLoop(four_times));
  four_times.push_back(99);
  EXPECT_FALSE(EndsInLoop(four_times));
}

// A network by table: the log-probabilities of what follows the last token.
class TableSearch {
 public:
  static constexpr int32_t kStart = 9, kEos = 0;
  std::map<int32_t, std::vector<Candidate>> next;  // best first

  std::vector<FoundHypothesis> Run(const SearchOptions& options, const SearchRules& rules, Tokens prefix = {}) {
    Search search(rules, options, std::move(prefix), 10, 1, false);
    while (!search.done()) {
      std::vector<SearchRow> rows;
      std::vector<VocabularyQuery> queries;
      search.AppendRows(rows, queries);
      max_rows_ = std::max(max_rows_, rows.size());
      std::vector<VocabularyAnswer> answers(rows.size());
      for (size_t i = 0; i < rows.size(); ++i) {
        for (const Candidate& candidate : next[rows[i].token]) {
          const bool banned = std::binary_search(queries[i].banned.begin(), queries[i].banned.end(), candidate.id);
          if (!banned && answers[i].best.size() < static_cast<size_t>(queries[i].top))
            answers[i].best.push_back(candidate);
        }
      }
      search.Advance(answers);
    }
    return search.TakeResults();
  }
  size_t max_rows_ = 0;
};

class SearchTest : public testing::Test {
 protected:
  SearchTest() {
    rules_.start = TableSearch::kStart;
    rules_.eos = TableSearch::kEos;
    options_.max_tokens = 6;
    // Greedy takes 1, whose best end is poor; 2 is second best and ends well.
    table_.next[9] = {{-0.5f, 1}, {-0.9f, 2}};
    table_.next[1] = {{-1.5f, 3}, {-2.0f, 0}};
    table_.next[2] = {{-0.1f, 0}, {-3.0f, 3}};
    table_.next[3] = {{-0.2f, 0}, {-2.5f, 1}};
  }
  SearchRules rules_;
  SearchOptions options_;
  TableSearch table_;
};

TEST_F(SearchTest, GreedyTakesTheBestTokenEachTime) {
  const auto found = table_.Run(options_, rules_);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tokens, (Tokens{1, 3, 0}));
  EXPECT_NEAR(found[0].score, (-0.5 - 1.5 - 0.2) / 3, 1e-6);
  EXPECT_EQ(found[0].reason, FinishReason::kEos);
}

TEST_F(SearchTest, ProbabilitiesAreAskedForOnlyWhereTheyMatter) {
  rules_.force_eos = true;
  options_.max_tokens = 4;
  const Tokens prefix = {1};
  const auto asked = [&] {
    Search search(rules_, options_, prefix, 10, 1, false);
    std::vector<bool> normalizers;
    while (!search.done()) {
      std::vector<SearchRow> rows;
      std::vector<VocabularyQuery> queries;
      search.AppendRows(rows, queries);
      normalizers.push_back(queries[0].normalizer);
      std::vector<VocabularyAnswer> answers(rows.size());
      for (VocabularyAnswer& answer : answers) answer.best = {{1, 4}, {0, 5}};
      search.Advance(answers);
    }
    return normalizers;
  };
  // The prefix, two tokens, the end that is forced.
  EXPECT_EQ(asked(), (std::vector<bool>{false, true, true, false}));
  options_.beam_size = 2;
  options_.scores = false;
  EXPECT_EQ(asked(), (std::vector<bool>{false, true, true, false}));
  options_.beam_size = 1;
  EXPECT_EQ(asked(), std::vector<bool>(4, false));
}

TEST_F(SearchTest, WithoutScoresGreedyFindsTheSame) {
  const auto with = table_.Run(options_, rules_);
  options_.scores = false;
  const auto without = table_.Run(options_, rules_);
  ASSERT_EQ(without.size(), 1u);
  EXPECT_EQ(without[0].tokens, with[0].tokens);
  EXPECT_EQ(without[0].reason, with[0].reason);
  EXPECT_EQ(without[0].score, 0);
}

TEST_F(SearchTest, ABeamFindsTheBetterSentence) {
  options_.beam_size = 2;
  options_.n_best = 2;
  const auto found = table_.Run(options_, rules_);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].tokens, (Tokens{2, 0}));
  EXPECT_NEAR(found[0].score, (-0.9 - 0.1) / 2, 1e-6);
  EXPECT_EQ(found[1].tokens, (Tokens{1, 3, 0}));
  EXPECT_EQ(table_.max_rows_, 2u);
}

TEST_F(SearchTest, HistoriesFollowTheHypothesesThroughReordering) {
  options_.beam_size = 2;
  options_.n_best = 2;
  const auto found = table_.Run(options_, rules_);
  // 2 ran in slot 1 once 1 and 2 were running; its end came from there.
  EXPECT_EQ(found[0].slots, (Tokens{0, 1}));
  EXPECT_EQ(found[1].slots.size(), found[1].tokens.size());
}

TEST_F(SearchTest, TheEndIsForcedOnlyIfTheModelSaysSo) {
  options_.max_tokens = 2;
  EXPECT_EQ(table_.Run(options_, rules_)[0].tokens, (Tokens{1, 3}));
  rules_.force_eos = true;
  const auto found = table_.Run(options_, rules_);
  EXPECT_EQ(found[0].tokens, (Tokens{1, 0}));
  EXPECT_EQ(found[0].reason, FinishReason::kLength);
  EXPECT_NEAR(found[0].score, -0.5 / 2, 1e-6);
}

TEST_F(SearchTest, BannedTokensAndPhrasesAreNotProduced) {
  rules_.banned = {1};
  EXPECT_EQ(table_.Run(options_, rules_)[0].tokens, (Tokens{2, 0}));
  rules_.banned = {};
  rules_.banned_phrases = {{1, 3}};
  EXPECT_EQ(table_.Run(options_, rules_)[0].tokens, (Tokens{1, 0}));
}

TEST_F(SearchTest, MinimumLengthCountsThePrefix) {
  options_.min_tokens = 2;
  EXPECT_EQ(table_.Run(options_, rules_, {2})[0].tokens, (Tokens{2, 3, 0}));
  EXPECT_EQ(table_.Run(options_, rules_, {2, 2})[0].tokens, (Tokens{2, 2, 0}));
}

TEST_F(SearchTest, ALoopIsCutBehindItsFirstTurn) {
  options_.max_tokens = 100;
  for (int beam : {1, 2}) {
    options_.beam_size = beam;
    table_.next[2] = {{-0.01f, 3}};
    table_.next[3] = {{-0.01f, 4}};
    table_.next[4] = {{-0.01f, 3}};
    const auto found = table_.Run(options_, rules_, {2});
    EXPECT_EQ(found[0].tokens, (Tokens{2, 3, 4}));
    EXPECT_EQ(found[0].reason, FinishReason::kLoop);
    EXPECT_EQ(found[0].slots.size(), 3u);
  }
  options_.stop_loops = false;
  EXPECT_EQ(table_.Run(options_, rules_, {2})[0].reason, FinishReason::kLength);
}

TEST_F(SearchTest, ASentenceIsBetterThanALoopHoweverLikely) {
  options_.max_tokens = 100;
  options_.beam_size = 2;
  table_.next[9] = {{-0.01f, 3}, {-5.0f, 2}};
  table_.next[3] = {{-0.001f, 4}};
  table_.next[4] = {{-0.001f, 3}, {-9.0f, 0}};
  const auto found = table_.Run(options_, rules_);
  EXPECT_EQ(found[0].reason, FinishReason::kEos);
}

TEST_F(SearchTest, ALoopingPrefixStays) {
  options_.max_tokens = 100;
  const Tokens prefix(20, 2);
  const auto found = table_.Run(options_, rules_, prefix);
  EXPECT_EQ(found[0].reason, FinishReason::kEos);
  EXPECT_TRUE(std::equal(prefix.begin(), prefix.end(), found[0].tokens.begin()));
}

TEST_F(SearchTest, ANetworkWithNothingToSayEnds) {
  table_.next.clear();
  for (int beam : {1, 3}) {
    options_.beam_size = beam;
    const auto found = table_.Run(options_, rules_);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_TRUE(std::isfinite(found[0].score));
    EXPECT_EQ(found[0].reason, FinishReason::kLength);
  }
}

}  // namespace
}  // namespace heed
