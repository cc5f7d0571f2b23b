// SPDX-License-Identifier: Apache-2.0
#include "models/search/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>
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

// A network of 4 tokens and an end, whose probabilities depend on the last two tokens.
class ForcedSearchTest : public testing::Test {
 protected:
  static constexpr int32_t kEnd = 0, kStart = 5, kVocabulary = 5;

  static std::vector<float> Next(int32_t before, int32_t last) {
    std::vector<float> logits;
    for (int32_t id = 0; id < kVocabulary; ++id) {
      logits.push_back(static_cast<float>(2 * std::sin(5.1 * (before + 3) + 2.7 * (last + 1) * (id + 1.3))));
    }
    return logits;
  }
  static float LogProbability(const Tokens& tokens, size_t i) {
    const int32_t last = i == 0 ? kStart : tokens[i - 1], before = i < 2 ? -1 : tokens[i - 2];
    const std::vector<float> logits = Next(before, last);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    return logits[static_cast<size_t>(tokens[i])] - static_cast<float>(std::log(sum));
  }

  ForcedSearchTest() {
    rules_.start = kStart;
    rules_.eos = kEnd;
    options_.max_tokens = 7;
    options_.beam_size = 6000;  // as wide as everything
    options_.early_stopping = EarlyStopping::kNever;
    options_.stop_loops = false;
  }

  std::vector<FoundHypothesis> Run(ForcedTokens forced) {
    Search search(rules_, options_, {}, kVocabulary, 1, false, {}, std::move(forced));
    while (!search.done()) {
      std::vector<SearchRow> rows;
      std::vector<VocabularyQuery> queries;
      search.AppendRows(rows, queries);
      std::vector<VocabularyAnswer> answers(rows.size());
      std::vector<std::pair<int32_t, int32_t>> lasts;
      for (size_t i = 0; i < rows.size(); ++i) {
        const int32_t position = rows[i].position;
        const int32_t before = position < 2 ? -1 : before_[{position, rows[i].history[position - 1]}];
        lasts.emplace_back(rows[i].slot, rows[i].token);
        const std::vector<float> logits = Next(before, rows[i].token);
        double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
        answers[i].log_normalizer = static_cast<float>(std::log(sum));
        for (int32_t id = 0; id < kVocabulary; ++id) {
          if (!std::binary_search(queries[i].banned.begin(), queries[i].banned.end(), id)) {
            answers[i].best.push_back({logits[static_cast<size_t>(id)], id});
          }
        }
        std::sort(answers[i].best.begin(), answers[i].best.end(), Better);
        if (answers[i].best.size() > static_cast<size_t>(queries[i].top)) {
          answers[i].best.resize(static_cast<size_t>(queries[i].top));
        }
        for (const int32_t id : queries[i].wanted) {
          answers[i].wanted_logits.push_back(logits[static_cast<size_t>(id)]);
        }
      }
      for (const auto& [slot, token] : lasts) before_[{rows[0].position + 1, slot}] = token;
      search.Advance(answers);
    }
    return search.TakeResults();
  }

  // The largest number of occurrences that do not overlap, of phrases that are given more than once as of the others.
  static bool Holds(const Tokens& tokens, const std::vector<Tokens>& phrases, size_t from = 0, uint32_t met = 0) {
    if (met + 1 == 1u << phrases.size()) return true;
    for (size_t at = from; at < tokens.size(); ++at) {
      for (size_t p = 0; p < phrases.size(); ++p) {
        if ((met >> p & 1) != 0 || at + phrases[p].size() > tokens.size()) continue;
        if (!std::equal(phrases[p].begin(), phrases[p].end(), tokens.begin() + static_cast<int64_t>(at))) continue;
        if (Holds(tokens, phrases, at + phrases[p].size(), met | 1u << p)) return true;
      }
    }
    return false;
  }

  // By trying all sequences: the best mean log-probability of one that ends and holds the phrases.
  double BestOfAll(const std::vector<Tokens>& phrases, Tokens& best_tokens) const {
    double best = -1e9;
    Tokens tokens;
    const std::function<void(double)> extend = [&](double sum) {
      for (int32_t id = 0; id < kVocabulary; ++id) {
        tokens.push_back(id);
        const double own = sum + static_cast<double>(LogProbability(tokens, tokens.size() - 1));
        const bool ends = id == kEnd || static_cast<int64_t>(tokens.size()) == options_.max_tokens;
        if (!ends) {
          extend(own);
        } else if (own > best && Holds(tokens, phrases)) {
          best = own;
          best_tokens = tokens;
        }
        tokens.pop_back();
      }
    };
    extend(0);
    return best;
  }

  SearchRules rules_;
  SearchOptions options_;
  std::map<std::pair<int32_t, int32_t>, int32_t> before_;  // by position and slot: the token that was read there
};

TEST_F(ForcedSearchTest, ABeamAsWideAsEverythingFindsTheBestThatHoldsThePhrases) {
  options_.length_penalty = 0;  // sums are compared, of the phrases as of the others
  const std::vector<std::vector<Tokens>> cases = {{{3}},      {{4, 4}},         {{1, 2, 3}},       {{2}, {3}},
                                                  {{1}, {1}}, {{2, 3}, {3, 2}}, {{1}, {2, 1}, {4}}};
  for (const std::vector<Tokens>& phrases : cases) {
    ForcedTokens forced;
    forced.phrases = phrases;
    Tokens expected;
    const double best = BestOfAll(phrases, expected);
    before_.clear();
    const auto found = Run(forced);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found[0].tokens, expected);
    EXPECT_NEAR(found[0].score, best, 1e-5);
    ASSERT_EQ(found[0].placed.size(), phrases.size());
    for (const PlacedPhrase& placed : found[0].placed) {
      const Tokens& phrase = phrases[static_cast<size_t>(placed.phrase)];
      EXPECT_TRUE(std::equal(phrase.begin(), phrase.end(), found[0].tokens.begin() + placed.begin));
    }
  }
}

TEST_F(ForcedSearchTest, ANarrowBeamHoldsAllPhrasesInEveryResult) {
  options_.early_stopping = EarlyStopping::kHeuristic;
  rules_.force_eos = true;
  for (const int beam : {2, 3, 8}) {
    for (const int max_tokens : {5, 6, 12}) {
      options_.beam_size = beam;
      options_.n_best = beam;
      options_.max_tokens = max_tokens;
      ForcedTokens forced;
      forced.phrases = {{4, 1}, {3}, {2}};
      forced.enough = static_cast<size_t>(beam);
      before_.clear();
      const auto found = Run(forced);
      ASSERT_FALSE(found.empty());
      for (const FoundHypothesis& hypothesis : found) {
        EXPECT_TRUE(Holds(hypothesis.tokens, forced.phrases));
        EXPECT_EQ(hypothesis.placed.size(), 3u);
        EXPECT_EQ(hypothesis.tokens.back(), kEnd);
        EXPECT_LE(hypothesis.tokens.size(), static_cast<size_t>(max_tokens));
      }
      for (size_t i = 1; i < found.size(); ++i) EXPECT_NE(found[i].tokens, found[i - 1].tokens);
    }
  }
}

TEST_F(ForcedSearchTest, WhatGoesOnWithAWordDoesNotFollowAPhrase) {
  options_.beam_size = 8;
  options_.n_best = 8;
  std::vector<bool> continuing = {false, true, true, false, false};
  ForcedTokens forced;
  forced.phrases = {{3}};
  forced.continuing = &continuing;
  forced.enough = 8;
  for (const FoundHypothesis& hypothesis : Run(forced)) {
    const size_t behind = static_cast<size_t>(hypothesis.placed[0].begin) + 1;
    if (behind == hypothesis.tokens.size()) continue;
    EXPECT_FALSE(continuing[static_cast<size_t>(hypothesis.tokens[behind])]);
  }
}

TEST_F(ForcedSearchTest, BannedTokensMayBeForced) {
  options_.beam_size = 4;
  rules_.banned = {3};
  ForcedTokens forced;
  forced.phrases = {{3}};
  const auto found = Run(forced);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(std::count(found[0].tokens.begin(), found[0].tokens.end(), 3), 1);
}

}  // namespace
}  // namespace heed
