// SPDX-License-Identifier: Apache-2.0
#include "models/text/language_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kCodes = {">>deu<<", ">>fra<<"};

// Code and body of each stretch. The bytes in order have to make up the text.
std::vector<std::pair<std::string, std::string>> Stretches(const std::string& text) {
  const auto stretches = SplitAtLanguageCodes(text, kCodes);
  EXPECT_TRUE(stretches.ok()) << stretches.status();
  std::vector<std::pair<std::string, std::string>> found;
  std::string joined;
  for (const LanguageStretch& stretch : *stretches) {
    found.push_back({std::string(stretch.code), std::string(stretch.body)});
    const bool own = stretch.prefix.data() == text.data() + joined.size() + stretch.leading.size();
    absl::StrAppend(&joined, stretch.leading, own ? stretch.prefix : "", stretch.body);
  }
  EXPECT_EQ(joined, text);
  return found;
}

std::string ErrorOf(const std::string& text) {
  const auto stretches = SplitAtLanguageCodes(text, kCodes);
  EXPECT_EQ(stretches.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(stretches.status().message());
}

using Found = std::vector<std::pair<std::string, std::string>>;

TEST(LanguageCodes, OneHoldsForTheWholeText) {
  EXPECT_EQ(Stretches(">>deu<< A dog. A cat."), (Found{{">>deu<<", "A dog. A cat."}}));
  EXPECT_EQ(Stretches(">>deu<<A dog."), (Found{{">>deu<<", "A dog."}}));
  EXPECT_EQ(Stretches(">>deu<< A dog.\nA cat.\n"), (Found{{">>deu<<", "A dog.\nA cat.\n"}}));
  EXPECT_EQ(Stretches("A dog."), (Found{{"", "A dog."}}));
  EXPECT_EQ(Stretches(""), (Found{{"", ""}}));
}

TEST(LanguageCodes, InvisibleCharactersMayBeBeforeIt) {
  for (const char* before : {" ", "\n", "\ufeff", " \n\t", "\u200b \ufeff"}) {
    EXPECT_EQ(Stretches(absl::StrCat(before, ">>deu<< A dog. A cat.")), (Found{{">>deu<<", "A dog. A cat."}}))
        << before;
  }
}

TEST(LanguageCodes, OneOfALineHoldsForThatLine) {
  EXPECT_EQ(Stretches(">>deu<< A dog.\n>>fra<< A cat. A man.\nA bird."),
            (Found{{">>deu<<", "A dog.\n"}, {">>fra<<", "A cat. A man.\n"}, {">>deu<<", "A bird."}}));
  EXPECT_EQ(Stretches("A dog.\n  >>fra<< A cat. A man.\r\nA bird.\n\nA cow."),
            (Found{{"", "A dog.\n"}, {">>fra<<", "A cat. A man.\r\n"}, {"", "A bird.\n\nA cow."}}));
  EXPECT_EQ(Stretches(">>deu<< A dog.\n>>deu<< A cat."), (Found{{">>deu<<", "A dog.\n"}, {">>deu<<", "A cat."}}));
  EXPECT_EQ(Stretches(">>fra<<\nA dog."), (Found{{">>fra<<", "\nA dog."}}));
  EXPECT_EQ(Stretches(">>deu<<\u2028\ufeff>>fra<< A dog."), (Found{{">>deu<<", "\u2028"}, {">>fra<<", "A dog."}}));
}

TEST(LanguageCodes, WithinALineItIsText) {
  EXPECT_EQ(Stretches("A dog. >>deu<< A cat."), (Found{{"", "A dog. >>deu<< A cat."}}));
  EXPECT_EQ(Stretches(">>deu<< >>fra<< A cat."), (Found{{">>deu<<", ">>fra<< A cat."}}));
}

TEST(LanguageCodes, AQuotedTextIsText) {
  for (const char* text : {">> A whole quoted sentence that is not lost <<", ">> quoted << A dog.",
                           ">>Hello<<, said the man.", ">><< A dog.", ">>A-very-long-word-of-letters<< A dog.",
                           ">> A mail's line", "> >deu<< A dog.", ">>grüße<< A dog.", ">>Hello<<.", ">>deu< A dog."}) {
    EXPECT_EQ(Stretches(text), (Found{{"", text}})) << text;
  }
}

TEST(LanguageCodes, OneThatTheModelLacksIsRefusedAndNothingElseShown) {
  EXPECT_EQ(ErrorOf(">>xx<< my secret text"), "begins with >>xx<<, but this model's languages are >>deu<< >>fra<<");
  EXPECT_THAT(ErrorOf(">>Hello<<"), HasSubstr("begins with >>Hello<<"));
  EXPECT_THAT(ErrorOf(">>DEU<< x"), HasSubstr(">>DEU<<"));
  EXPECT_THAT(ErrorOf(" \ufeff>>zh_Hans<< \u200b"), HasSubstr(">>zh_Hans<<"));
  EXPECT_THAT(ErrorOf(">>xx<<secret"), testing::AllOf(HasSubstr(">>xx<<"), Not(HasSubstr("secret"))));
  EXPECT_THAT(ErrorOf("A dog.\n>>xx<< my secret"),
              testing::AllOf(HasSubstr("has a line that begins with >>xx<<"), Not(HasSubstr("secret"))));
}

TEST(LanguageCodes, AModelWithoutCodesHasNone) {
  const auto stretches = SplitAtLanguageCodes(">>xx<< A dog.", {});
  ASSERT_TRUE(stretches.ok());
  ASSERT_EQ(stretches->size(), 1u);
  EXPECT_EQ(stretches->front().code, "");
  EXPECT_EQ(stretches->front().body, ">>xx<< A dog.");
}

}  // namespace
}  // namespace heed
