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

}  // namespace
}  // namespace heed::client
