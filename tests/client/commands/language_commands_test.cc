// SPDX-License-Identifier: Apache-2.0
// heed languages, heed detect, and heed translate by languages, against a server that computes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "client/cli/exit_code.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"

namespace heed::client {
namespace {

using testing::HasSubstr;

void AddPair(v1::ListLanguagesResponse& list, const std::string& source, const std::string& target,
             const std::vector<std::string>& models) {
  v1::LanguagePair& pair = *list.add_pairs();
  pair.set_source_language(source);
  pair.set_target_language(target);
  for (const std::string& model : models) pair.add_models(model);
}

TEST(LanguagesCommand, TablesOfLanguagesAndPairsAndJson) {
  FakeServer server;
  v1::Language& language = *server.languages().add_languages();
  language.set_language("pt-BR");
  language.set_name("Brazilian Portuguese");
  language.set_native_name("português (Brasil)");
  AddPair(server.languages(), "de", "pt-BR", {"de-en", "en-pt"});
  const HeedRun run = RunHeedWith({"languages", server.flag()});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("pt-BR     Brazilian Portuguese  português (Brasil)"));
  EXPECT_THAT(run.out, HasSubstr("de    pt-BR  de-en > en-pt"));

  const nlohmann::json json = nlohmann::json::parse(RunHeedWith({"languages", "--json", server.flag()}).out);
  EXPECT_EQ(json["languages"][0]["native_name"], "português (Brasil)");
  EXPECT_EQ(json["pairs"][0]["models"], std::vector<std::string>({"de-en", "en-pt"}));
}

TEST(LanguagesCommand, AServerWithoutTranslatorsSaysSo) {
  FakeServer server;
  const HeedRun run = RunHeedWith({"languages", server.flag()});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.err, HasSubstr("no languages"));
}

TEST(DetectCommand, GuessesLinesATextOrAFile) {
  FakeServer server;
  EXPECT_EQ(RunHeedWith({"detect", server.flag()}, "de\n\nfr\n").out, "de 0.750\n-\nfr 0.750\n");
  EXPECT_EQ(RunHeedWith({"detect", "en", server.flag()}).out, "en 0.750\n");
  const std::string path = testing::TempDir() + "/detect.txt";
  std::ofstream(path) << "it\n";
  EXPECT_EQ(RunHeedWith({"detect", path, server.flag()}).out, "it 0.750\n");
}

TEST(DetectCommand, JsonHasAllGuesses) {
  FakeServer server;
  const HeedRun run = RunHeedWith({"detect", "--json", "--languages=de,fr", "en", server.flag()});
  const auto lines = JsonLines(run.out);
  ASSERT_EQ(lines.size(), 1u) << run.err;
  EXPECT_EQ(lines[0]["line"], 1);
  ASSERT_EQ(lines[0]["guesses"].size(), 3u);
  EXPECT_EQ(lines[0]["guesses"][0]["confidence"], 0.75);
  EXPECT_EQ(lines[0]["guesses"][2]["language"], "fr");
}

TEST(DetectCommand, ManyLinesTakeSeveralRequestsAndTheWholeInputOne) {
  FakeServer server;
  std::string input, expected;
  for (int i = 0; i < 2500; ++i) {
    input += "de\n";
    expected += "de 0.750\n";
  }
  EXPECT_EQ(RunHeedWith({"detect", server.flag()}, input).out, expected);
  EXPECT_THAT(RunHeedWith({"detect", "--whole", server.flag()}, "d\ne\n").out, HasSubstr(" 0.750\n"));
}

TEST(TranslateByLanguages, LanguagesGoToTheServerWhichChoosesTheModel) {
  FakeServer server;
  server.AddModel("one", v1::MODEL_STATE_READY);
  server.AddModel("two", v1::MODEL_STATE_READY);
  const HeedRun run = RunHeedWith({"translate", "--from=de", "--to=pt_br", server.flag()}, "ja\n");
  EXPECT_EQ(run.out, "[ja]\n") << run.err;
  EXPECT_EQ(server.last_request().model(), "");
  EXPECT_EQ(server.last_request().source_language(), "de");
  EXPECT_EQ(server.last_request().target_language(), "pt_br");
  RunHeedWith({"translate", "--to=fr", "--model=two", server.flag()}, "ja\n");
  EXPECT_EQ(server.last_request().model(), "two");
  EXPECT_EQ(server.last_request().target_language(), "fr");
  EXPECT_EQ(RunHeedWith({"translate", "--to=fr", "--model_version=2", server.flag()}, "ja\n").code, kExitUsage);
}

TEST(TranslateByLanguages, JsonHasTheLanguageAndTheRoute) {
  FakeServer server;
  server.AddModel("one", v1::MODEL_STATE_READY);
  server.SetEdit([](v1::TranslatedText& answer) {
    answer.set_source_language("de");
    answer.set_detection_confidence(0.5F);
    v1::TranslationLeg& leg = *answer.add_route();
    leg.set_model("de-en");
    leg.set_model_version(3);
    leg.set_source_language("de");
    leg.set_target_language("en");
  });
  const auto lines =
      JsonLines(RunHeedWith({"translate", "--json", "--from=auto", "--to=en", server.flag()}, "ja\n").out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["source_language"], "de");
  EXPECT_EQ(lines[0]["detection_confidence"], 0.5);
  EXPECT_EQ(lines[0]["route"][0]["model"], "de-en");
  EXPECT_EQ(lines[0]["route"][0]["target_language"], "en");
}

}  // namespace
}  // namespace heed::client
