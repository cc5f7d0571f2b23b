// SPDX-License-Identifier: Apache-2.0
// heed score as a script sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/support/temporary_directory.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ScoreCommands : public testing::Test {
 protected:
  ScoreCommands() { server_.AddModel("wiki", v1::MODEL_STATE_READY, "language-model"); }

  HeedRun Run(const std::string& input, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"score", server_.flag()});
    return RunHeedWith(arguments, input);
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeTexts& texts_ = server_.texts();
};

TEST_F(ScoreCommands, HelpNamesExitCodesAndExamples) {
  const HeedRun run = RunHeedWith({"score", "--help"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.out, StartsWith("Usage: heed score"));
  for (const char* part : {"--server=HOST:PORT", "Exit codes:", "Examples:"}) EXPECT_THAT(run.out, HasSubstr(part));
}

TEST_F(ScoreCommands, EveryLineHasAnObject) {
  const HeedRun run = Run("a bb ccc\n\nxy dd\n", {"--json", "--model=wiki"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<nlohmann::json> lines = JsonLines(run.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["log_probability"], -5);
  EXPECT_EQ(lines[0]["tokens"], 2);
  EXPECT_EQ(lines[0]["words"], 3);
  EXPECT_NEAR(lines[0]["perplexity"].get<double>(), std::exp(2.5), 1e-9);
  EXPECT_EQ(lines[0]["unknown_words"], nlohmann::json::array());
  EXPECT_EQ(lines[1]["tokens"], 0);
  EXPECT_EQ(lines[1]["words"], 0);
  EXPECT_EQ(lines[1]["log_probability"], 0);
  EXPECT_EQ(lines[2]["unknown_words"], nlohmann::json({"xy"}));
  EXPECT_EQ(run.err, "");
}

TEST_F(ScoreCommands, JoinedInputIsOneText) {
  const std::string path = directory_.File("text");
  std::ofstream(path) << "a bb\nccc\n\n";
  const HeedRun run = Run("", {"--json", "--join", path});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<nlohmann::json> lines = JsonLines(run.out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["tokens"], 2);
  EXPECT_EQ(texts_.last_score.items(0).text(), "a bb\nccc\n");
}

TEST_F(ScoreCommands, EmptyJoinedInputIsOneEmptyText) {
  const HeedRun run = Run("", {"--json", "--join"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(JsonLines(run.out).size(), 1u);
  EXPECT_EQ(Run("", {"--json"}).out, "");
}

TEST_F(ScoreCommands, OptionsAreSent) {
  Run("a\n",
      {"--tokenization=whitespace", "--line-end", "--special_tokens", "--begin=end-of-text", "--order=all-context",
       "--segment_tokens=64", "--tokens", "--top_k=3", "--context=before ", "--session=t7", "--expected_version=2"});
  const v1::ScoreRequest& request = texts_.last_score;
  EXPECT_EQ(request.model(), "");  // the session's
  EXPECT_EQ(request.session(), "t7");
  EXPECT_EQ(request.expected_version(), 2);
  EXPECT_EQ(request.items(0).context(), "before ");
  EXPECT_EQ(request.options().text().tokenization(), v1::TextOptions::TOKENIZATION_WHITESPACE);
  EXPECT_TRUE(request.options().text().append_line_end());
  EXPECT_TRUE(request.options().text().special_tokens());
  EXPECT_EQ(request.options().begin(), v1::ScoreOptions::BEGIN_END_OF_TEXT);
  EXPECT_EQ(request.options().order(), v1::ScoreOptions::ORDER_ALL_CONTEXT);
  EXPECT_EQ(request.options().segment_tokens(), 64);
  EXPECT_EQ(request.options().top_k(), 3);
  EXPECT_TRUE(request.options().return_tokens());
  Run("a\n");
  EXPECT_EQ(texts_.last_score.model(), "wiki");
  EXPECT_EQ(texts_.last_score.options().SerializeAsString(),
            [] {
              v1::ScoreOptions options;
              options.mutable_text();
              return options;
            }()
                .SerializeAsString());
}

TEST_F(ScoreCommands, LinesForPeopleAndTheirSum) {
  const HeedRun run = Run("a bb ccc\nxy dd\n");
  EXPECT_EQ(run.out, "-5.0000\t12.1825\t2\ta bb ccc\n-2.0000\t7.3891\t1\txy dd\n");
  EXPECT_EQ(run.err,
            "heed: 2 lines, 3 tokens, 5 words: log-probability -7.0000, perplexity 10.31, 0.777 bits per byte\n"
            "the model does not know 1 token: xy\n");
}

TEST_F(ScoreCommands, PairsAndIds) {
  EXPECT_EQ(Run("the cat\t sat\n", {"--pairs"}).code, kExitOk);
  EXPECT_EQ(texts_.last_score.items(0).context(), "the cat");
  EXPECT_EQ(texts_.last_score.items(0).text(), " sat");
  const HeedRun without = Run("no tab\n", {"--pairs"});
  EXPECT_EQ(without.code, kExitFailed);
  EXPECT_THAT(without.err, HasSubstr("line 1: INVALID_ARGUMENT: has 0 tabs, but --pairs needs 1"));
  EXPECT_EQ(Run("3 17,4\n", {"--ids"}).code, kExitOk);
  EXPECT_THAT(texts_.last_score.items(0).tokens().ids(), ElementsAre(3, 17, 4));
  EXPECT_THAT(Run("3 x\n", {"--ids"}).err, HasSubstr("'x' is not the id of a token"));
}

TEST_F(ScoreCommands, TokensHaveARowEach) {
  const HeedRun run = Run("a bb xy\n", {"--tokens", "--top_k=2"});
  EXPECT_THAT(run.out, HasSubstr("LOG-PROB  RANK  SURPRISE  TOKEN          LIKELIEST"));
  EXPECT_THAT(run.out, HasSubstr(" -2.0000     2  ███       _bb            _w0 0.607  _w1 0.607"));
  EXPECT_THAT(run.out, HasSubstr("_xy (unknown)"));
  const std::vector<nlohmann::json> lines = JsonLines(Run("a bb\n", {"--tokens", "--json"}).out);
  ASSERT_EQ(lines.at(0)["token_scores"].size(), 2u);
  EXPECT_TRUE(lines[0]["token_scores"][0]["log_probability"].is_null());
  EXPECT_EQ(lines[0]["token_scores"][1]["token"], "\u2581bb");
  EXPECT_EQ(lines[0]["token_scores"][1]["start"], 2);
}

TEST_F(ScoreCommands, ATerminalGetsColors) {
  std::istringstream in("a bb xy cccccccc\n");
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err, .out_is_terminal = true};
  EXPECT_EQ(RunHeed({"score", server_.flag(), "--tokens"}, console), kExitOk) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("a \x1b[38;5;16;48;5;230mbb\x1b[0m \x1b[4;38;5;16;48;5;230mxy\x1b[0m "
                                   "\x1b[38;5;16;48;5;203mcccccccc\x1b[0m\n"));
  EXPECT_THAT(out.str(), HasSubstr("p>=0.5"));
}

TEST_F(ScoreCommands, AttentionIsDrawn) {
  const HeedRun run = Run("a bb\n", {"--attention"});
  EXPECT_THAT(run.out, HasSubstr("_bb ·· ██"));
  EXPECT_THAT(run.out, Not(HasSubstr("(before)")));
  const std::vector<nlohmann::json> lines = JsonLines(Run("a bb\n", {"--attention", "--tokens", "--json"}).out);
  EXPECT_EQ(lines.at(0)["attention"]["columns"], nlohmann::json({"\u2581a", "\u2581bb"}));
  EXPECT_EQ(lines[0]["attention"]["weights"][1], nlohmann::json({0.0, 0.0, 1.0}));
}

TEST_F(ScoreCommands, ABadLineDoesNotEndTheRun) {
  const HeedRun run = Run("a b\nbad\n\xff\nc d\n", {"--json"});
  EXPECT_EQ(run.code, kExitFailed);
  const std::vector<nlohmann::json> lines = JsonLines(run.out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[1], nlohmann::json::parse(
                          R"({"line":2,"error":{"code":"INVALID_ARGUMENT","message":"items[0].text is bad"}})"));
  EXPECT_EQ(lines[2]["error"]["message"], "not UTF-8 at byte 1");
  EXPECT_EQ(lines[3]["line"], 4);
  EXPECT_THAT(run.err, HasSubstr("line 2: INVALID_ARGUMENT: items[0].text is bad"));
}

TEST_F(ScoreCommands, WhatFailsEveryLineEndsTheRun) {
  texts_.refusal = grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "model 'wiki' cannot score; it can embed texts");
  HeedRun run = Run("a\nb\nc\n");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: UNIMPLEMENTED: model 'wiki' cannot score; it can embed texts\n");
  EXPECT_EQ(run.out, "");
  texts_.refusal = grpc::Status(grpc::StatusCode::NOT_FOUND, "no session 't9'");
  run = Run("a\n", {"--session=t9"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: NOT_FOUND: no session 't9'\n");
}

TEST_F(ScoreCommands, ManyLinesComeInOrder) {
  std::string input;
  for (int i = 0; i < 500; ++i) absl::StrAppend(&input, "w ", i, "\n");
  const std::vector<nlohmann::json> lines = JsonLines(Run(input, {"--json", "--in_flight=16"}).out);
  ASSERT_EQ(lines.size(), 500u);
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(lines[static_cast<size_t>(i)]["line"], i + 1);
    EXPECT_EQ(lines[static_cast<size_t>(i)]["log_probability"], -static_cast<int>(absl::StrCat(i).size()));
  }
}

TEST_F(ScoreCommands, LoadIsMeasured) {
  for (const char* what : {"score", "generate"}) {
    const HeedRun run =
        RunHeedWith({"bench", what, server_.flag(), "--duration=0.05", "--warmup=0", "--concurrency=2", "--json"});
    EXPECT_EQ(run.code, kExitOk) << run.err;
    const nlohmann::json row = JsonLines(run.out).at(0);
    EXPECT_GT(row["texts_per_second"], 0);
    EXPECT_GT(row["tokens_per_second"], 0);
  }
}

TEST_F(ScoreCommands, WrongArgumentsAreUsageErrors) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"a", "b"}, "unexpected argument 'b'"},
      {{"/no/such"}, "cannot read '/no/such': No such file"},
      {{"--model=en-de"}, "model 'en-de' is of kind translator, not language-model"},
      {{"--top_k=3"}, "--top_k needs --tokens"},
      {{"--join", "--pairs"}, "--join, --pairs and --ids exclude each other"},
      {{"--expected_version=2"}, "--expected_version needs --session"},
      {{"--begin=end"}, "--begin=end: must be one of nothing, end-of-text"},
  };
  for (const auto& [flags, message] : cases) {
    const HeedRun run = Run("a\n", flags);
    EXPECT_EQ(run.code, kExitUsage) << message;
    EXPECT_THAT(run.err, HasSubstr(message));
  }
  EXPECT_EQ(Run("\x1f\x8b\x08zip").err,
            "heed: standard input is gzip-compressed: unpack it first, as in `gunzip -c FILE | heed score`\n");
}

}  // namespace
}  // namespace heed::client
