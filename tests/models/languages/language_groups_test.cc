// SPDX-License-Identifier: Apache-2.0
#include "models/languages/language_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

std::string Languages(absl::string_view text) {
  const auto languages = ParseLanguages(text);
  if (!languages.ok()) return std::string(languages.status().message());
  return absl::StrJoin(*languages, " ", [](std::string* out, const LanguageTag& tag) { out->append(tag.ToString()); });
}

TEST(LanguageGroupsTest, GroupsHaveMembers) {
  EXPECT_THAT(*FindLanguageGroup("ROMANCE"),
              AllOf(Contains("fr"), Contains("it"), Contains("la"), Not(Contains("de"))));
  EXPECT_THAT(*FindLanguageGroup("gmw"), AllOf(Contains("de"), Contains("nl"), Not(Contains("sv"))));
  EXPECT_THAT(*FindLanguageGroup("gem"), AllOf(Contains("de"), Contains("sv")));
  EXPECT_THAT(*FindLanguageGroup("mul"), AllOf(Contains("de"), Contains("zh"), Contains("sw"), Contains("ja")));
  EXPECT_FALSE(FindLanguageGroup("de"));
}

TEST(LanguageGroupsTest, EveryMemberIsALanguageInItsCanonicalForm) {
  const std::vector<std::string> members = *FindLanguageGroup("mul");
  for (const std::string& code : members) {
    const auto tag = ParseLanguageTag(code);
    ASSERT_TRUE(tag.ok()) << tag.status();
    EXPECT_EQ(tag->ToString(), code);
  }
}

TEST(LanguageGroupsTest, OneLanguageAGroupOrAList) {
  EXPECT_EQ(Languages("deu"), "de");
  EXPECT_EQ(Languages("CELTIC"), "br cy ga gd gv kw");
  EXPECT_EQ(Languages("fi_nb_no_nn_ru_sv_en"), "fi nb no nn ru sv en");
  EXPECT_EQ(Languages("cat+oci+spa"), "ca oc es");
  EXPECT_EQ(Languages("deu_eng_fra_por_spa"), "de en fr pt es");
  EXPECT_EQ(Languages("de, en"), "de en");
  EXPECT_EQ(Languages("norway+sv"), "nb nn no sv");
  EXPECT_EQ(Languages("de+deu"), "de");
}

TEST(LanguageGroupsTest, ARegionInSmallLettersIsOneUnlessItIsAWidespreadLanguage) {
  EXPECT_EQ(Languages("pt_br"), "pt-BR");
  EXPECT_EQ(Languages("zh_cn"), "zh-Hans");
  EXPECT_EQ(Languages("fr_ca"), "fr-CA");
  EXPECT_EQ(Languages("de_de"), "de-DE");
  EXPECT_EQ(Languages("es_ES"), "es-ES");
  EXPECT_EQ(Languages("de_fr"), "de fr");
  EXPECT_EQ(Languages("en_de"), "en de");
  EXPECT_EQ(Languages("de-AT"), "de-AT");
}

TEST(LanguageGroupsTest, WhatIsNoLanguageIsNamed) {
  EXPECT_THAT(Languages("de+gibberish"), HasSubstr("\"gibberish\" is no language"));
  EXPECT_THAT(Languages(""), HasSubstr("\"\" is no language"));
}

TEST(LanguageGroupsTest, OnlyLanguagesHaveNames) {
  EXPECT_TRUE(IsNamedLanguage(*ParseLanguageTag("de")));
  EXPECT_TRUE(IsNamedLanguage(*ParseLanguageTag("pt-BR")));
  EXPECT_FALSE(IsNamedLanguage(*ParseLanguageTag("rnn")));
  EXPECT_FALSE(IsNamedLanguage(*ParseLanguageTag("xx")));
}

}  // namespace
}  // namespace heed
