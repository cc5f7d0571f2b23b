// SPDX-License-Identifier: Apache-2.0
#include "server/translation/forced_phrases.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ForcedPhrase Forced(size_t begin, size_t end, std::string target) { return {{begin, end}, std::move(target)}; }

absl::StatusOr<ForcedPhrases> Make(const v1::TranslateRequest& request) {
  return ForcedPhrases::Make(TranslationFields(request));
}

struct ForcedPhrasesTest : ::testing::Test {
  ForcedPhrases::Given given_;
};

TEST_F(ForcedPhrasesTest, GlossaryPhrasesBecomeTheirTargets) {
  v1::TranslateRequest request;
  v1::GlossaryEntry& entry = *request.add_glossary();
  entry.set_source("dog");
  entry.set_target("Köter");
  const auto phrases = Make(request);
  ASSERT_TRUE(phrases.ok());
  EXPECT_THAT(phrases->In("A Dog, a dogma.", {}, /*later_leg=*/false, given_), ElementsAre(Forced(2, 5, "Köter")));
  entry.set_ignore_case(false);
  EXPECT_THAT(Make(request)->In("A Dog.", {}, false, given_), ElementsAre());
}

TEST_F(ForcedPhrasesTest, OnALaterLegTheTargetsStay) {
  v1::TranslateRequest request;
  v1::GlossaryEntry& entry = *request.add_glossary();
  entry.set_source("dog");
  entry.set_target("Hund");
  request.mutable_do_not_translate()->add_phrases("Heed");
  const auto phrases = Make(request);
  ASSERT_TRUE(phrases.ok());
  phrases->In("a dog", {}, /*later_leg=*/false, given_);
  EXPECT_THAT(phrases->In("Heed has a dog: Hund, Hund", {}, /*later_leg=*/true, given_),
              ElementsAre(Forced(0, 4, "Heed"), Forced(16, 20, "Hund")));
}

TEST_F(ForcedPhrasesTest, KeptRangesGoFirstAndPlaceholdersNext) {
  v1::TranslateRequest request;
  request.mutable_do_not_translate()->set_placeholders(true);
  request.mutable_do_not_translate()->add_phrases("name");
  request.mutable_do_not_translate()->add_phrases("file");
  const auto phrases = Make(request);
  ASSERT_TRUE(phrases.ok());
  const std::vector<TextRange> kept = {{0, 4}};
  EXPECT_THAT(phrases->In("file {name} of %s, name", kept, false, given_),
              ElementsAre(Forced(0, 4, "file"), Forced(5, 11, "{name}"), Forced(15, 17, "%s"), Forced(19, 23, "name")));
}

TEST_F(ForcedPhrasesTest, EmptyEntriesAreRefusedByName) {
  v1::TranslateRequest request;
  request.add_glossary()->set_source("dog");
  EXPECT_THAT(Make(request).status().message(),
              HasSubstr("glossary[0].target is empty, but the entry has the source 'dog'"));
  request.clear_glossary();
  request.mutable_do_not_translate()->add_phrases("");
  EXPECT_THAT(Make(request).status().message(), HasSubstr("do_not_translate.phrases[0]"));
}

TEST_F(ForcedPhrasesTest, TooManyAreRefusedWithBothNumbers) {
  v1::TranslateRequest request;
  for (int i = 0; i <= kMaxForcedPhrases; ++i) request.mutable_do_not_translate()->add_phrases("a");
  EXPECT_THAT(Make(request).status().message(), HasSubstr("10001 do_not_translate.phrases, at most 10000"));
}

}  // namespace
}  // namespace heed
