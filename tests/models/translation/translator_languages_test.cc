// SPDX-License-Identifier: Apache-2.0
#include "models/translation/translator_languages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Pairs(const TranslatorLanguages& languages) {
  return absl::StrJoin(languages.pairs, ", ", [](std::string* out, const LanguagePair& pair) {
    absl::StrAppend(out, pair.source, ">", pair.target, pair.code);
  });
}

TEST(TranslatorLanguagesTest, FilesSayOnePair) {
  const TranslatorLanguages languages = FindTranslatorLanguages("anything", "eng", "deu", {});
  EXPECT_EQ(Pairs(languages), "en>de");
  EXPECT_THAT(languages.warnings, IsEmpty());
}

TEST(TranslatorLanguagesTest, EachCodeIsATarget) {
  const std::vector<std::string> codes = {">>fr<<", ">>pob<<", ">>por<<", ">>ze_zh<<"};
  const TranslatorLanguages languages = FindTranslatorLanguages("m", "en", "ROMANCE", codes);
  EXPECT_EQ(Pairs(languages), "en>fr>>fr<<, en>pt-BR>>pob<<, en>pt>>por<<");
  EXPECT_THAT(languages.warnings, IsEmpty());
}

TEST(TranslatorLanguagesTest, OfTwoCodesForOneLanguageTheFirstCounts) {
  EXPECT_EQ(Pairs(FindTranslatorLanguages("m", "en", "", {">>pt_BR<<", ">>pt_br<<"})), "en>pt-BR>>pt_BR<<");
}

TEST(TranslatorLanguagesTest, AGroupOfSourcesMeansItsMembers) {
  EXPECT_EQ(Pairs(FindTranslatorLanguages("m", "CELTIC", "en", {})), "br>en, cy>en, ga>en, gd>en, gv>en, kw>en");
}

TEST(TranslatorLanguagesTest, NoLanguageIsPairedWithItself) {
  EXPECT_EQ(Pairs(FindTranslatorLanguages("m", "de+en", "de+en", {">>de<<", ">>en<<"})), "de>en>>en<<, en>de>>de<<");
  // Unless the model is for that alone.
  EXPECT_EQ(Pairs(FindTranslatorLanguages("m", "en", "en", {})), "en>en");
}

TEST(TranslatorLanguagesTest, TheNameSaysWhatTheFilesDoNot) {
  const auto of_name = [](const std::string& name, const std::vector<std::string>& codes = {}) {
    const TranslatorLanguages languages = FindTranslatorLanguages(name, "", "", codes);
    EXPECT_THAT(languages.warnings, ElementsAre(HasSubstr("its name does"))) << name;
    return Pairs(languages);
  };
  EXPECT_EQ(of_name("opus-mt-en-de"), "en>de");
  EXPECT_EQ(of_name("opus-mt-mt-en"), "mt>en");
  EXPECT_EQ(of_name("translator-en-de-rnn"), "en>de");
  EXPECT_EQ(of_name("translator-en-de-new"), "en>de");  // Newari is "new"
  EXPECT_EQ(of_name("opus-mt-tc-big-en-pt_br"), "en>pt-BR");
  EXPECT_EQ(of_name("wmt19-en-de"), "en>de");
  EXPECT_EQ(of_name("opus-mt-bcl-en"), "bik>en");
  EXPECT_EQ(of_name("opus-mt-en-ROMANCE", {">>fr<<", ">>it<<"}), "en>fr>>fr<<, en>it>>it<<");
  EXPECT_EQ(of_name("opus-mt-NORWAY-en"), "nb>en, nn>en, no>en");
  EXPECT_EQ(of_name("opus-mt-de_fr-en"), "de>en, fr>en");
}

TEST(TranslatorLanguagesTest, WhatNobodySaysIsNotGuessed) {
  const TranslatorLanguages nothing = FindTranslatorLanguages("my-model", "", "", {});
  EXPECT_THAT(nothing.pairs, IsEmpty());
  EXPECT_THAT(nothing.warnings, ElementsAre(HasSubstr("neither its files nor its name say which language it writes")));
  EXPECT_THAT(FindTranslatorLanguages("opus-mt-en", "", "", {}).pairs, IsEmpty());

  const TranslatorLanguages no_source = FindTranslatorLanguages("my-model", "", "", {">>fr<<"});
  EXPECT_EQ(Pairs(no_source), ">fr>>fr<<");
  EXPECT_THAT(no_source.warnings, ElementsAre(HasSubstr("which language it reads")));

  const TranslatorLanguages no_codes = FindTranslatorLanguages("m", "en", "ROMANCE", {});
  EXPECT_THAT(no_codes.pairs, IsEmpty());
  EXPECT_THAT(no_codes.warnings, ElementsAre(HasSubstr("several languages")));
}

TEST(TranslatorLanguagesTest, AWrongFieldIsNamedAndTheNameAsked) {
  const TranslatorLanguages languages = FindTranslatorLanguages("tiny-en-de", "Englisch", "de", {});
  EXPECT_EQ(Pairs(languages), "en>de");
  EXPECT_THAT(languages.warnings,
              ElementsAre(HasSubstr("source language: \"Englisch\" is no language"), HasSubstr("its name does")));
}

}  // namespace
}  // namespace heed
