// SPDX-License-Identifier: Apache-2.0
#include "models/markup/phrase_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The occurrences as "number:text".
std::vector<std::string> Found(const std::vector<Phrase>& phrases, const std::string& text) {
  std::vector<std::string> found;
  for (const PhraseOccurrence& one : PhraseFinder(phrases).Find(text)) {
    found.push_back(absl::StrCat(one.phrase, ":", text.substr(one.range.begin, one.range.end - one.range.begin)));
  }
  return found;
}

TEST(PhraseFinderTest, WholeWordsAreFound) {
  EXPECT_THAT(Found({{"art"}, {"state of the art"}}, "Art, art, party: a state of the  art."),
              ElementsAre("0:art", "1:state of the  art"));
  EXPECT_THAT(Found({{"Heed"}, {"C++"}}, "Heed's C++ (Heed-server), Heeds"), ElementsAre("0:Heed", "1:C++", "0:Heed"));
}

TEST(PhraseFinderTest, TheFirstAndLongestCounts) {
  EXPECT_THAT(Found({{"b c"}, {"a b"}, {"a b c d"}, {"c"}}, "a b c"), ElementsAre("1:a b", "3:c"));
  EXPECT_THAT(Found({{"a"}, {"a a a b"}}, "a a a a b"), ElementsAre("0:a", "1:a a a b"));
  EXPECT_THAT(Found({{"x"}, {"x"}}, "x"), ElementsAre("0:x"));
}

TEST(PhraseFinderTest, CaseIsFoldedAsUnicodeDoesIfAsked) {
  EXPECT_THAT(Found({{"stra\xc3\x9f"
                      "e",
                      true}},
                    "STRASSE Strasse stra\xc3\x9f"
                    "e"),
              ElementsAre("0:STRASSE", "0:Strasse",
                          "0:stra\xc3\x9f"
                          "e"));
  EXPECT_THAT(Found({{"Apple"}, {"apple", true}}, "Apple apple"), ElementsAre("0:Apple", "1:apple"));
}

TEST(PhraseFinderTest, ComposedAndDecomposedLettersAreTheSame) {
  EXPECT_THAT(Found({{"caf\xc3\xa9"}}, "cafe\xcc\x81"), ElementsAre("0:cafe\xcc\x81"));
}

TEST(PhraseFinderTest, CharactersOfScriptsWithoutSpacesAreWords) {
  EXPECT_THAT(Found({{"\xe6\x9d\xb1\xe4\xba\xac"}}, "\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd"),
              ElementsAre("0:\xe6\x9d\xb1\xe4\xba\xac"));
}

TEST(PhraseFinderTest, SpacesMatterBetweenSigns) {
  EXPECT_THAT(Found({{"e-mail"}}, "e-mail e mail e - mail"), ElementsAre("0:e-mail"));
  EXPECT_THAT(Found({{""}, {" "}}, "a b"), IsEmpty());
}

TEST(PhraseFinderTest, ThousandsOfPhrasesTakeLinearTime) {
  std::vector<Phrase> phrases = {{"b"}};
  std::string phrase = "b";
  for (int i = 0; i < 2'000; ++i) {
    phrase = absl::StrCat("a ", phrase);
    phrases.push_back({phrase, i % 2 == 0});
  }
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "a ";
  EXPECT_THAT(PhraseFinder(phrases).Find(text), IsEmpty());
  EXPECT_EQ(PhraseFinder(phrases).Find(text + "b").size(), 1u);
}

}  // namespace
}  // namespace heed
