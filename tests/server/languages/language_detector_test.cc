// SPDX-License-Identifier: Apache-2.0
#include "server/languages/language_detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Lt;
using ::testing::SizeIs;

std::vector<LanguageTag> Tags(absl::string_view codes) {
  std::vector<LanguageTag> tags;
  for (absl::string_view code : absl::StrSplit(codes, ' ')) tags.push_back(*ParseLanguageTag(code));
  return tags;
}

std::vector<LanguageGuess> Detect(absl::string_view text, absl::string_view codes, bool is_html = false) {
  return DetectLanguage(text, Tags(codes), is_html);
}

std::string Best(absl::string_view text, absl::string_view codes, bool is_html = false) {
  const std::vector<LanguageGuess> guesses = Detect(text, codes, is_html);
  return guesses.empty() ? "" : guesses[0].language.ToString();
}

TEST(LanguageDetectorTest, SentencesAreSure) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"The house at the end of the road is green.", "en"},
      {"Das Haus am Ende der Straße ist grün.", "de"},
      {"La maison au bout de la rue est verte.", "fr"},
      {"Mi hermano vive en una casa muy grande cerca de la playa.", "es"},
      {"A casa no fim da rua é verde e não tem portas.", "pt"},
      {"Дом в конце улицы зелёный.", "ru"},
      {"Будинок у кінці вулиці зелений, і він дуже гарний.", "uk"},
      {"Το σπίτι είναι πράσινο.", "el"},
      {"通りの端にある家は緑色です。", "ja"},
      {"街道尽头的房子是绿色的。", "zh-Hans"},
      {"街道盡頭的房子是綠色的，這裡很漂亮。", "zh-Hant"},
      {"거리 끝에 있는 집은 녹색입니다.", "ko"},
      {"הבית בסוף הרחוב ירוק.", "he"},
  };
  for (const auto& [text, language] : cases) {
    const auto guesses = Detect(text, "de el en es fr he ja ko pt ru uk zh-Hans zh-Hant");
    ASSERT_THAT(guesses, SizeIs(Ge(1u))) << text;
    EXPECT_EQ(guesses[0].language.ToString(), language) << text;
    EXPECT_THAT(guesses[0].confidence, AllOf(Gt(0.9), Le(1))) << text;
  }
}

TEST(LanguageDetectorTest, SingleWordsAreGuessedAmongTheGivenLanguages) {
  EXPECT_EQ(Best("Haus", "de en"), "de");  // CLD2 alone finds Hmong
  EXPECT_EQ(Best("Guten Morgen", "de en"), "de");
  EXPECT_EQ(Best("hello", "de en"), "en");
  EXPECT_EQ(Best("Straße", "de en"), "de");
  EXPECT_EQ(Best("電腦", "zh-Hans zh-Hant ja"), "zh-Hant");
  EXPECT_THAT(Detect("Haus", "de en")[0].confidence, AllOf(Gt(0.5), Lt(0.99)));
}

TEST(LanguageDetectorTest, TheScriptDecides) {
  EXPECT_EQ(Best("α", "el en"), "el");
  EXPECT_EQ(Best("The angle α is small", "el en"), "en");
  EXPECT_EQ(Best("iPhoneのアプリ", "en ja"), "ja");
  EXPECT_THAT(Detect("Привет", "de en"), IsEmpty());
}

TEST(LanguageDetectorTest, WithoutWordsThereIsNoGuess) {
  EXPECT_THAT(Detect("", "de en"), IsEmpty());
  EXPECT_THAT(Detect("12:30, 99 % ...", "de en"), IsEmpty());
  EXPECT_THAT(DetectLanguage("Das Haus", {}), IsEmpty());
}

TEST(LanguageDetectorTest, WhereNothingTellsEnglishComesFirstWithoutConfidence) {
  const auto guesses = Detect("qqq", "de en fr");
  ASSERT_THAT(guesses, SizeIs(1));
  EXPECT_EQ(guesses[0].language.ToString(), "en");
  EXPECT_EQ(guesses[0].confidence, 0);
}

TEST(LanguageDetectorTest, ALanguageThatIsNotGivenLowersTheConfidence) {
  const auto guesses = Detect("Bonjour tout le monde, comment allez-vous aujourd'hui ?", "de en");
  ASSERT_THAT(guesses, SizeIs(Ge(1u)));
  EXPECT_LT(guesses[0].confidence, 0.1);
}

TEST(LanguageDetectorTest, WhatCannotBeToldApartIsOneLanguage) {
  const std::string text = "Meu irmão mora em uma casa muito grande perto da praia e não tem carro.";
  EXPECT_THAT(Detect(text, "en pt-BR pt"), SizeIs(1));
  EXPECT_EQ(Best(text, "en pt-BR pt"), "pt");
  EXPECT_EQ(Best(text, "en pt-BR"), "pt-BR");
  EXPECT_EQ(Best("街道尽头的房子是绿色的。", "en zh"), "zh");
}

TEST(LanguageDetectorTest, MarkupDoesNotCount) {
  const std::string page =
      "<!-- this is the comment that nobody should ever read --><p class=\"the and of with\">Das <b>Haus</b> ist "
      "sch&ouml;n<script>var the = that.is.the(and)</script></p>";
  EXPECT_EQ(Best(page, "de en", /*is_html=*/true), "de");
}

TEST(LanguageDetectorTest, OnlyTheBeginningOfALongTextCounts) {
  std::string text;
  while (text.size() < 4 * kMaxDetectedCharacters) text += "Das Haus am Ende der Straße ist grün. ";
  for (int i = 0; i < 100000; ++i) text += "the house is green and so is the other house ";
  EXPECT_EQ(Best(text, "de en"), "de");
  const std::string hostile(1000000, '<');
  EXPECT_THAT(Detect(hostile, "de en", /*is_html=*/true), IsEmpty());
}

TEST(LanguageDetectorTest, ThreadsDoNotDisturbEachOther) {
  const float alone = Detect("Das ist ein Haus", "de en fr")[0].confidence;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) EXPECT_EQ(Detect("Das ist ein Haus", "de en fr")[0].confidence, alone);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace heed
