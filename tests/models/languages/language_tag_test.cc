// SPDX-License-Identifier: Apache-2.0
#include "models/languages/language_tag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace heed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Canonical(absl::string_view text) {
  const auto tag = ParseLanguageTag(text);
  return tag.ok() ? tag->ToString() : std::string(tag.status().message());
}

LanguageTag Tag(absl::string_view text) {
  auto tag = ParseLanguageTag(text);
  EXPECT_TRUE(tag.ok()) << tag.status();
  return tag.ok() ? *std::move(tag) : LanguageTag();
}

LanguageMatch Match(absl::string_view wanted, absl::string_view served) {
  return MatchLanguages(Tag(wanted), Tag(served));
}

TEST(LanguageTagTest, EveryWayToWriteALanguageHasOneForm) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      // ISO 639-1, 639-2/B, 639-2/T, 639-3, whatever their case.
      {"de", "de"},
      {"DE", "de"},
      {"deu", "de"},
      {"ger", "de"},
      {" de ", "de"},
      {"fre", "fr"},
      {"ell", "el"},
      {"dut", "nl"},
      {"gsw", "gsw"},
      {"xx", "xx"},
      // Codes that were replaced, and languages within one that has a code of its own.
      {"iw", "he"},
      {"in", "id"},
      {"mo", "ro"},
      {"pes", "fa"},
      {"arb", "ar"},
      {"lvs", "lv"},
      {"zsm", "ms"},
      {"hbs", "sr-Latn"},
      {"sh", "sr-Latn"},
      // Regions.
      {"pt-BR", "pt-BR"},
      {"pt_br", "pt-BR"},
      {"por_BR", "pt-BR"},
      {">>por_br<<", "pt-BR"},
      {"pob", "pt-BR"},
      {"en_UK", "en-GB"},
      {"es-419", "es-419"},
      {"de_AT.UTF-8", "de-AT"},
      {"de_DE@euro", "de-DE"},
      // Scripts: the usual one goes.
      {"eng_Latn", "en"},
      {"sr-Cyrl", "sr"},
      {"srp_Latn", "sr-Latn"},
      {"sr-Latn-ME", "sr-Latn-ME"},
      {"uzb_Cyrl", "uz-Cyrl"},
      // Chinese.
      {"zh", "zh"},
      {"cmn", "zh"},
      {"chi", "zh"},
      {"cn", "zh"},
      {"zh-Hans", "zh-Hans"},
      {"cmn_Hans", "zh-Hans"},
      {">>cmn_Hans<<", "zh-Hans"},
      {"zh-cn", "zh-Hans"},
      {"zh_SG", "zh-Hans-SG"},
      {"zh_TW", "zh-Hant"},
      {"zh-Hant-TW", "zh-Hant"},
      {"zh_HK", "zh-Hant-HK"},
      {"zhs", "zh-Hans"},
      {"zht", "zh-Hant"},
      {"zt", "zh-Hant"},
      {"zh-CHT", "zh-Hant"},
      {"yue", "yue"},
      {"zh_yue", "yue"},
      {"zh-classical", "lzh"},
      // Norwegian.
      {"no", "no"},
      {"nb", "nb"},
      {"nob", "nb"},
      {"nno", "nn"},
      // Variants, extensions.
      {"ca-valencia", "ca-valencia"},
      {"be_tarask", "be-tarask"},
      {"en-US-u-hc-h12", "en-US"},
  };
  for (const auto& [written, canonical] : cases) {
    EXPECT_EQ(Canonical(written), canonical) << written;
    EXPECT_EQ(Canonical(canonical), canonical);
  }
}

TEST(LanguageTagTest, ErrorsNameTheText) {
  EXPECT_THAT(Canonical(""), HasSubstr("\"\" is no language"));
  EXPECT_THAT(Canonical("d"), HasSubstr("\"d\" is no language"));
  EXPECT_THAT(Canonical("German"), AllOf(HasSubstr("\"German\" is no language"), HasSubstr("write \"de\"")));
  EXPECT_THAT(Canonical("klingon"), HasSubstr("\"klingon\" is no language"));
  EXPECT_THAT(Canonical("de-ZZ9"),
              AllOf(HasSubstr("\"de-ZZ9\""), HasSubstr("\"zz9\" is neither a script nor a region")));
  EXPECT_THAT(Canonical("de-xx"), HasSubstr("\"xx\" is neither"));
  EXPECT_THAT(Canonical("eng-deu"), HasSubstr("\"deu\" is neither"));
  EXPECT_THAT(Canonical("mul"), HasSubstr("\"mul\" is no language, but a group of languages"));
  EXPECT_THAT(Canonical("ROMANCE"), HasSubstr("is no language"));
  EXPECT_THAT(Canonical("de-x-formal"), HasSubstr("\"x\" is neither"));
  EXPECT_THAT(Canonical("日本語"), HasSubstr("\"日本語\" is no language"));
  EXPECT_THAT(Canonical(std::string(100, 'a')), HasSubstr("aaa...\" is no language"));
}

TEST(LanguageTagTest, ARegionDoesForTheLanguageAndTheOtherWayRound) {
  EXPECT_EQ(Match("pt-BR", "pt-BR"), LanguageMatch::kExact);
  EXPECT_EQ(Match("pt-BR", "pt"), LanguageMatch::kBroader);
  EXPECT_EQ(Match("pt", "pt-BR"), LanguageMatch::kNarrower);
  EXPECT_EQ(Match("pt-PT", "pt-BR"), LanguageMatch::kRelated);
  EXPECT_EQ(Match("pt", "es"), LanguageMatch::kNone);
  EXPECT_LT(Match("pt-BR", "pt-PT"), Match("pt-BR", "pt"));
  EXPECT_EQ(Match("nb", "no"), LanguageMatch::kBroader);
  EXPECT_EQ(Match("no", "nb"), LanguageMatch::kNarrower);
  EXPECT_EQ(Match("nb", "nn"), LanguageMatch::kNone);
}

TEST(LanguageTagTest, ScriptsDoNotDoForEachOther) {
  EXPECT_EQ(Match("zh-TW", "zh-Hant"), LanguageMatch::kExact);
  EXPECT_EQ(Match("zh-TW", "zh-Hans"), LanguageMatch::kNone);
  EXPECT_EQ(Match("zh-HK", "zh-Hant"), LanguageMatch::kBroader);
  EXPECT_EQ(Match("zh-CN", "zh"), LanguageMatch::kBroader);
  EXPECT_EQ(Match("zh-TW", "zh"), LanguageMatch::kRelated);
  EXPECT_EQ(Match("zh", "zh-Hans"), LanguageMatch::kNarrower);
  EXPECT_EQ(Match("zh", "zh-Hant"), LanguageMatch::kNarrower);
  EXPECT_EQ(Match("sr-Latn", "sr"), LanguageMatch::kNone);
  EXPECT_EQ(Match("sr-Cyrl", "srp"), LanguageMatch::kExact);
}

TEST(LanguageTagTest, LanguagesHaveNamesInEnglishAndInThemselves) {
  EXPECT_EQ(EnglishName(Tag("de")), "German");
  EXPECT_EQ(NativeName(Tag("de")), "Deutsch");
  EXPECT_EQ(EnglishName(Tag("pt-BR")), "Brazilian Portuguese");
  EXPECT_EQ(NativeName(Tag("pt-BR")), "português (Brasil)");
  EXPECT_EQ(EnglishName(Tag("zh-TW")), "Traditional Chinese");
  EXPECT_EQ(NativeName(Tag("zh-Hans")), "简体中文");
  EXPECT_EQ(EnglishName(Tag("lld")), "lld");
  EXPECT_EQ(NativeName(Tag("xx")), "xx");
}

}  // namespace
}  // namespace heed
