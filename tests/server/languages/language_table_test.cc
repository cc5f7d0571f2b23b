// SPDX-License-Identifier: Apache-2.0
#include "server/languages/language_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/invalid_argument.h"
#include "tests/support/fake_translator.h"
#include "tests/support/recording_observer.h"

namespace heed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct FakeModel {
  std::vector<LanguagePair> pairs;
  int64_t weights = 1000;
};

// Tables over registries whose models have the pairs that a test gives them.
class LanguageTableTest : public ::testing::Test {
 protected:
  LanguageTableTest() {
    root_ =
        std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
  }
  ~LanguageTableTest() override { std::filesystem::remove_all(root_); }

  // One pair: "de>en"; with a code: "en>pt-BR>>pob<<".
  static LanguagePair Pair(const std::string& text) {
    const size_t target = text.find('>');
    const size_t code = text.find(">>", target + 1);
    return {text.substr(0, target), text.substr(target + 1, code - target - 1),
            code == std::string::npos ? "" : text.substr(code)};
  }
  void Add(const std::string& name, const std::vector<std::string>& pairs, int64_t weights = 1000) {
    FakeModel& model = models_[name];
    for (const std::string& pair : pairs) model.pairs.push_back(Pair(pair));
    model.weights = weights;
    std::filesystem::create_directories(root_ / name);
    std::ofstream(root_ / name / "config.json") << "{}";
  }
  void Open() {
    auto registry = Registry::Open(root_.string(), [this](const std::string&, const std::string& name, Precision) {
      auto model = std::make_shared<FakeTranslator>(name);
      model->set_language_pairs(models_[name].pairs);
      model->set_weights(models_[name].weights);
      if (name.find("rnn") != std::string::npos) model->set_architecture("rnn-seq2seq");
      return absl::StatusOr<std::shared_ptr<const Model>>(std::move(model));
    });
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
    table_ = std::make_unique<LanguageTable>(*registry_);
  }
  void Load() {
    Open();
    registry_->LoadAll(observer_);
  }

  // "de-en (de > en), en-fr (en > fr >>fr<<)", or the error.
  std::string Find(const RouteQuery& query) {
    const auto route = table_->FindRoute(query);
    if (!route.ok())
      return absl::StrCat(absl::StatusCodeToString(route.status().code()), " ", route.status().message());
    return absl::StrJoin(route->legs, ", ", [](std::string* out, const RouteLeg& leg) {
      EXPECT_EQ(leg.served.model->spec().name, leg.model);
      absl::StrAppend(out, leg.model, " (", leg.pair.source, " > ", leg.pair.target, leg.pair.code.empty() ? "" : " ",
                      leg.pair.code, ")");
    });
  }
  std::string Find(const std::string& source, const std::string& target) {
    return Find({.source_language = source, .target_language = target});
  }
  std::string ToDetect(const RouteQuery& query) {
    const auto sources = table_->SourcesToDetect(query);
    if (!sources.ok()) return std::string(sources.status().message());
    return absl::StrJoin(*sources, " ", [](std::string* out, const LanguageTag& tag) { out->append(tag.ToString()); });
  }

  std::filesystem::path root_;
  std::map<std::string, FakeModel> models_;
  RecordingObserver observer_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<LanguageTable> table_;
};

TEST_F(LanguageTableTest, TheDirectModelIsFoundHoweverLanguagesAreWritten) {
  Add("one", {"de>en"});
  Add("two", {"en>pt-BR>>pob<<", "en>fr>>fra<<"});
  Load();
  EXPECT_EQ(Find("ger", "EN"), "one (de > en)");
  EXPECT_EQ(Find("en_US", "pt_br"), "two (en > pt-BR >>pob<<)");
  EXPECT_EQ(Find("eng", "pt"), "two (en > pt-BR >>pob<<)");
  const auto route = table_->FindRoute({.source_language = "eng", .target_language = "por"});
  ASSERT_TRUE(route.ok());
  EXPECT_EQ(route->source_language, "en");
  EXPECT_EQ(route->target_language, "pt");
}

TEST_F(LanguageTableTest, OfSeveralModelsTheFitCountsThenTheNetworkTheWeightsTheFewerPairsTheName) {
  Add("a-general", {"en>pt"}, 9000);
  Add("b-region", {"en>pt-BR"}, 10);
  Add("c-small", {"en>de"}, 10);
  Add("d-large", {"en>de"}, 20);
  Add("d-rnn", {"en>de"}, 9000);
  Add("e-many", {"en>fr", "en>it"}, 10);
  Add("f-one", {"en>fr"}, 10);
  Add("g-one", {"en>fr"}, 10);
  Load();
  EXPECT_EQ(Find("en", "pt-BR"), "b-region (en > pt-BR)");
  EXPECT_EQ(Find("en", "pt"), "a-general (en > pt)");
  EXPECT_EQ(Find("en", "pt-PT"), "a-general (en > pt)");
  EXPECT_EQ(Find("en", "de"), "d-large (en > de)");
  EXPECT_EQ(Find("en", "fr"), "f-one (en > fr)");
}

TEST_F(LanguageTableTest, WhereNoModelHasThePairTwoDoByWayOfEnglishFirst) {
  Add("de-cs", {"de>cs"});
  Add("cs-fr", {"cs>fr"});
  Add("de-en", {"de>en"});
  Add("en-fr", {"en>fr>>fr<<"});
  Add("cs-it", {"cs>it"});
  Load();
  EXPECT_EQ(Find("de", "fr"), "de-en (de > en), en-fr (en > fr >>fr<<)");
  EXPECT_EQ(Find("de", "it"), "de-cs (de > cs), cs-it (cs > it)");
}

TEST_F(LanguageTableTest, TextsInTheTargetLanguageNeedNoModel) {
  Add("de-en", {"de>en"});
  Load();
  EXPECT_EQ(Find("en", "en"), "");
  EXPECT_EQ(Find("en", "en-GB"), "");
  EXPECT_EQ(Find("en-GB", "en"), "");
  EXPECT_THAT(Find("zh-Hans", "zh-Hant"), HasSubstr("no model, and no two"));
}

TEST_F(LanguageTableTest, ScriptsAndRegionsOfTargetsAreNotExchanged) {
  Add("en-zh", {"en>zh-Hans", "zh>en"});
  Add("en-pt", {"en>pt-BR"});
  Load();
  EXPECT_EQ(Find("en", "zh"), "en-zh (en > zh-Hans)");
  EXPECT_THAT(Find("en", "zh-TW"), AllOf(HasSubstr("NOT_FOUND"), HasSubstr("from \"en\" to zh-Hans, pt-BR")));
  EXPECT_EQ(Find("zh-TW", "en"), "en-zh (zh > en)");
  EXPECT_THAT(Find("en", "pt-PT"), HasSubstr("to pt-BR, zh-Hans"));
}

TEST_F(LanguageTableTest, ErrorsNameBothLanguagesAndWhatIsServed) {
  Add("de-en", {"de>en"});
  Load();
  EXPECT_EQ(Find("de", "fr"),
            "NOT_FOUND target_language: no model, and no two, translate from \"de\" to \"fr\": from \"de\" to en; to "
            "\"fr\" from nothing");
  const auto wrong = table_->FindRoute({.source_language = "German", .target_language = "en"});
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(wrong.status()), "source_language");
  EXPECT_THAT(std::string(wrong.status().message()), HasSubstr("\"German\" is no language: write \"de\""));
}

TEST_F(LanguageTableTest, ALanguageThatIsNotGivenHasToBeTheOnlyOne) {
  Add("de-en", {"de>en"});
  Add("fr-en", {"fr>en"});
  Add("en-de", {"en>de"});
  Load();
  EXPECT_EQ(Find("", "de"), "en-de (en > de)");
  EXPECT_THAT(Find("", "en"), AllOf(HasSubstr("INVALID_ARGUMENT source_language: is missing"), HasSubstr("de, fr")));
  EXPECT_EQ(Find("fr", ""), "fr-en (fr > en)");
  EXPECT_THAT(Find("", "it"), HasSubstr("NOT_FOUND target_language: no model translates to \"it\", but to de, en"));
  EXPECT_THAT(Find("it", ""), HasSubstr("NOT_FOUND source_language: no model translates from \"it\", but from"));
  EXPECT_THAT(Find("", ""), HasSubstr("INVALID_ARGUMENT"));
}

TEST_F(LanguageTableTest, ANamedModelHasToHaveThePair) {
  Add("many", {"en>fr>>fr<<", "en>it>>it<<", "en>pt-BR>>pob<<"});
  Add("one", {"en>fr"}, 1000000);
  Load();
  EXPECT_EQ(Find({.model = "many", .source_language = "en", .target_language = "fr"}), "many (en > fr >>fr<<)");
  EXPECT_EQ(Find({.model = "many", .target_language = "pt"}), "many (en > pt-BR >>pob<<)");
  EXPECT_EQ(Find({.model = "one"}), "one (en > fr)");
  EXPECT_EQ(Find({.model = "many"}), "many (en > )");
  EXPECT_THAT(Find({.model = "many", .source_language = "en"}), HasSubstr("target_language: is missing"));
  EXPECT_THAT(Find({.model = "many", .source_language = "de", .target_language = "fr"}),
              AllOf(HasSubstr("INVALID_ARGUMENT source_language: \"de\""), HasSubstr("translates from en")));
  EXPECT_THAT(Find({.model = "many", .target_language = "es"}),
              AllOf(HasSubstr("INVALID_ARGUMENT target_language: \"es\""), HasSubstr("translates to fr, it, pt-BR")));
  EXPECT_THAT(Find({.model = "none", .target_language = "es"}), HasSubstr("NOT_FOUND model: there is no \"none\""));
}

TEST_F(LanguageTableTest, ANamedModelThatSaysNothingIsBelievedTheQuery) {
  Add("silent", {});
  Load();
  EXPECT_EQ(Find({.model = "silent", .source_language = "deu", .target_language = "en"}), "silent (de > en)");
  EXPECT_THAT(Find("de", "en"), HasSubstr("NOT_FOUND"));
}

TEST_F(LanguageTableTest, ANamedModelWithCodesAndNoSourceTakesAny) {
  Add("codes", {">fr>>fr<<"});
  Load();
  EXPECT_EQ(Find({.model = "codes", .source_language = "de", .target_language = "fr"}), "codes ( > fr >>fr<<)");
  EXPECT_THAT(Find("de", "fr"), HasSubstr("NOT_FOUND"));
}

TEST_F(LanguageTableTest, WhatIsToBeDetectedAndAmongWhich) {
  Add("de-en", {"de>en"});
  Add("fr-en", {"fr>en"});
  Add("en-it", {"en>it"});
  Load();
  EXPECT_TRUE(*table_->NeedsDetection({.source_language = "AUTO", .target_language = "it"}));
  EXPECT_TRUE(*table_->NeedsDetection({.target_language = "en"}));
  EXPECT_FALSE(*table_->NeedsDetection({.target_language = "it"}));
  EXPECT_FALSE(*table_->NeedsDetection({.source_language = "de", .target_language = "en"}));
  EXPECT_FALSE(*table_->NeedsDetection({.model = "de-en", .target_language = "en"}));
  EXPECT_EQ(ToDetect({.target_language = "en"}), "de en fr");
  EXPECT_EQ(ToDetect({.target_language = "it"}), "de en fr it");
  EXPECT_EQ(ToDetect({.target_language = "en-GB"}), "de en-GB fr");
  EXPECT_EQ(ToDetect({}), "de en fr");
  EXPECT_EQ(ToDetect({.model = "de-en", .target_language = "en"}), "de");
  EXPECT_THAT(ToDetect({.target_language = "es"}), HasSubstr("no model translates to \"es\""));
}

TEST_F(LanguageTableTest, TheTableFollowsWhatIsLoadedAndUnloaded) {
  Add("de-en", {"de>en"});
  Open();
  EXPECT_THAT(Find("de", "en"), AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("still loading: de-en")));
  registry_->LoadAll(observer_);
  EXPECT_EQ(Find("de", "en"), "de-en (de > en)");
  Add("en-fr", {"en>fr"});
  ASSERT_TRUE(registry_->Load("en-fr", {}, observer_).ok());
  EXPECT_EQ(Find("de", "fr"), "de-en (de > en), en-fr (en > fr)");
  ASSERT_TRUE(registry_->Unload("de-en", observer_).ok());
  EXPECT_THAT(Find("de", "fr"), HasSubstr("NOT_FOUND"));
  // The table keeps no model alive.
  EXPECT_EQ(registry_->Sweep(Clock::now()).destroyed, 1);
}

TEST_F(LanguageTableTest, LanguagesAndPairsThatAreServed) {
  Add("de-en", {"de>en"});
  Add("en-pt", {"en>pt-BR>>pob<<"});
  Load();
  const auto served = table_->Served();
  ASSERT_EQ(served->languages.size(), 3u);
  EXPECT_EQ(served->languages[2].code, "pt-BR");
  EXPECT_EQ(served->languages[2].name, "Brazilian Portuguese");
  EXPECT_EQ(served->languages[0].native_name, "Deutsch");
  std::vector<std::string> pairs;
  for (const ServedPair& pair : served->pairs) {
    pairs.push_back(absl::StrCat(pair.source, ">", pair.target, " ", absl::StrJoin(pair.models, "+")));
  }
  EXPECT_THAT(pairs, ElementsAre("de>en de-en", "de>pt-BR de-en+en-pt", "en>pt-BR en-pt"));
  EXPECT_EQ(table_->Served(), served);
}

}  // namespace
}  // namespace heed
