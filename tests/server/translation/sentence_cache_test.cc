// SPDX-License-Identifier: Apache-2.0
#include "server/translation/sentence_cache.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_translator.h"

namespace heed {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Kind = SentenceCache::Claim::Kind;

class RecordingFollower : public SentenceCache::Follower {
 public:
  void OnSentence(size_t index, SentenceCache::Sentence sentence) override {
    heard.emplace_back(index, sentence == nullptr ? "given up" : sentence->hypotheses[0].text);
  }
  std::vector<std::pair<size_t, std::string>> heard;
};

class SentenceCacheTest : public ::testing::Test {
 protected:
  SentenceKey KeyOf(std::string source) const {
    SentenceKey key;
    key.model = model_.get();
    key.source = std::move(source);
    return key;
  }
  static SentenceCache::Sentence Translated(std::string text) {
    SentenceResult result;
    result.hypotheses.emplace_back().text = std::move(text);
    return std::make_shared<const SentenceResult>(std::move(result));
  }
  SentenceCache::Claim Take(const SentenceKey& key, std::shared_ptr<RecordingFollower> follower = nullptr,
                            size_t index = 0, Priority priority = kDefaultPriority) {
    return cache_.Take(key, model_, priority, follower, index);
  }
  void Put(const SentenceKey& key, std::string text) {
    cache_.Put(key, model_, kDefaultPriority, Translated(std::move(text)));
  }

  Metrics metrics_{true};
  SentenceCache cache_{100'000, metrics_};
  std::shared_ptr<const Model> model_ = std::make_shared<FakeTranslator>("fake");
  const std::shared_ptr<RecordingFollower> first_ = std::make_shared<RecordingFollower>();
  const std::shared_ptr<RecordingFollower> second_ = std::make_shared<RecordingFollower>();
};

TEST_F(SentenceCacheTest, ASentenceIsFoundWithTheSameOptionsOnly) {
  SentenceKey key = KeyOf("A dog.");
  EXPECT_EQ(Take(key).kind, Kind::kLeads);
  Put(key, "Ein Hund.");
  const SentenceCache::Claim claim = Take(key);
  ASSERT_EQ(claim.kind, Kind::kFound);
  EXPECT_EQ(claim.sentence->hypotheses[0].text, "Ein Hund.");
  EXPECT_EQ(Take(KeyOf("A dog")).kind, Kind::kLeads);
  key.options.length_penalty = 0.5;
  EXPECT_EQ(Take(key).kind, Kind::kLeads);
  key = KeyOf("A dog.");
  key.forced = {{{2, 5}, "Köter"}};
  EXPECT_EQ(Take(key).kind, Kind::kLeads);
  EXPECT_THAT(metrics_.Text(), HasSubstr("heed_translation_cache_sentences_total{model=\"fake\",outcome=\"hit\"} 1"));
}

TEST_F(SentenceCacheTest, TheLeastRecentlyUsedSentenceLeavesFirst) {
  const std::string long_text(30'000, 'a');
  Put(KeyOf("1"), long_text);
  Put(KeyOf("2"), long_text);
  Put(KeyOf("3"), long_text);
  EXPECT_EQ(Take(KeyOf("1")).kind, Kind::kFound);
  Put(KeyOf("4"), long_text);
  EXPECT_EQ(Take(KeyOf("1")).kind, Kind::kFound);
  EXPECT_EQ(Take(KeyOf("2")).kind, Kind::kLeads);
  Put(KeyOf("5"), std::string(200'000, 'a'));  // larger than the cache
  EXPECT_EQ(Take(KeyOf("5")).kind, Kind::kLeads);
  EXPECT_EQ(Take(KeyOf("4")).kind, Kind::kFound);
}

TEST_F(SentenceCacheTest, AnotherModelAtTheSameAddressHasNothing) {
  const SentenceKey key = KeyOf("A dog.");
  Put(key, "Ein Hund.");
  const auto other = std::make_shared<FakeTranslator>("fake");
  EXPECT_EQ(cache_.Take(key, other, kDefaultPriority, nullptr, 0).kind, Kind::kLeads);
}

TEST_F(SentenceCacheTest, ThoseWhoAskMeanwhileGetTheSentenceOfTheFirst) {
  const SentenceKey key = KeyOf("A dog.");
  EXPECT_EQ(Take(key, first_, 3).kind, Kind::kLeads);
  EXPECT_EQ(Take(key, second_, 4).kind, Kind::kFollows);
  EXPECT_EQ(Take(key, second_, 5).kind, Kind::kFollows);
  Put(key, "Ein Hund.");
  EXPECT_THAT(second_->heard, testing::ElementsAre(std::pair(4, "Ein Hund."), std::pair(5, "Ein Hund.")));
  EXPECT_TRUE(first_->heard.empty());
  EXPECT_THAT(metrics_.Text(), HasSubstr("outcome=\"shared\"} 2"));
}

TEST_F(SentenceCacheTest, WhenTheFirstGivesUpTheNextLeads) {
  const SentenceKey key = KeyOf("A dog.");
  EXPECT_EQ(Take(key, first_).kind, Kind::kLeads);
  EXPECT_EQ(Take(key, first_, 1).kind, Kind::kFollows);
  EXPECT_EQ(Take(key, second_, 2).kind, Kind::kFollows);
  cache_.GiveUp(key, kDefaultPriority);
  EXPECT_THAT(first_->heard, testing::ElementsAre(std::pair(1, "given up")));
  EXPECT_TRUE(second_->heard.empty());
  Put(key, "Ein Hund.");
  EXPECT_THAT(second_->heard, testing::ElementsAre(std::pair(2, "Ein Hund.")));
  cache_.GiveUp(key, kDefaultPriority);  // nobody is left
}

TEST_F(SentenceCacheTest, WhoLeavesHearsNothing) {
  const SentenceKey key = KeyOf("A dog.");
  EXPECT_EQ(Take(key, first_).kind, Kind::kLeads);
  EXPECT_EQ(Take(key, second_, 2).kind, Kind::kFollows);
  EXPECT_FALSE(cache_.Leave(key, kDefaultPriority, *second_, 1));
  EXPECT_TRUE(cache_.Leave(key, kDefaultPriority, *second_, 2));
  Put(key, "Ein Hund.");
  EXPECT_TRUE(second_->heard.empty());
}

TEST_F(SentenceCacheTest, NobodyFollowsARequestOfAnotherPriority) {
  const SentenceKey key = KeyOf("A dog.");
  EXPECT_EQ(Take(key, first_, 0, Priority::kLow).kind, Kind::kLeads);
  EXPECT_EQ(Take(key, second_, 0, Priority::kHigh).kind, Kind::kLeads);
}

}  // namespace
}  // namespace heed
