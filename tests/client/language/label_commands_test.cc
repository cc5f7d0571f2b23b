// SPDX-License-Identifier: Apache-2.0
// heed fill, tag, embed, classify texts and find answers as a script sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/support/temporary_directory.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class LabelCommands : public testing::Test {
 protected:
  LabelCommands() { server_.AddModel("xlnet", v1::MODEL_STATE_READY, "language-model"); }

  HeedRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back(server_.flag());
    return RunHeedWith(arguments, input);
  }
  // On a terminal with colors.
  std::string Shown(std::vector<std::string> arguments, const std::string& input) {
    arguments.push_back(server_.flag());
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Console console{.in = in, .out = out, .err = err, .out_is_terminal = true};
    EXPECT_EQ(RunHeed(arguments, console), kExitOk) << err.str();
    return out.str();
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeTexts& texts_ = server_.texts();
};

TEST_F(LabelCommands, HelpNamesExitCodesAndExamples) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"fill"}, {"tag"}, {"embed"}, {"classify", "texts"}, {"find", "answers"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    const HeedRun run = RunHeedWith(arguments);
    EXPECT_EQ(run.code, kExitOk);
    EXPECT_THAT(run.out, StartsWith("Usage: heed " + command[0]));
    for (const char* part : {"--server=HOST:PORT", "Exit codes:", "Examples:"}) EXPECT_THAT(run.out, HasSubstr(part));
  }
}

TEST_F(LabelCommands, GapsAreFilled) {
  const HeedRun run = Run({"fill"}, "The <mask> sat.\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "The cat sat.\n    0.75 ████████████████████ cat\n    0.25 ██████▋              dog\n");
  EXPECT_THAT(Run({"fill"}, "A <mask> and a <mask>.\n").out, HasSubstr("  gap 2\n"));
  EXPECT_THAT(Shown({"fill"}, "The <mask> sat.\n"), StartsWith("The \x1b[1;38;5;16;48;5;222mcat\x1b[0m sat.\n"));
  const nlohmann::json json = JsonLines(Run({"fill", "--json"}, "The <mask> sat.\n").out).at(0);
  EXPECT_EQ(json["text"], "The cat sat.");
  EXPECT_EQ(json["gaps"][0][1]["text"], "dog");
  EXPECT_NEAR(json["log_probability"].get<double>(), std::log(0.75), 1e-6);
}

TEST_F(LabelCommands, FillOptionsAreSent) {
  Run({"fill", "--marker=___", "--candidates=go,goes", "--order=most-certain-first", "--top_k=3", "--context=Before."},
      "He ___.\n");
  const v1::FillInRequest& request = texts_.last_fill;
  EXPECT_EQ(request.model(), "xlnet");
  EXPECT_EQ(request.marker(), "___");
  EXPECT_EQ(request.order(), v1::FillInRequest::ORDER_MOST_CERTAIN_FIRST);
  EXPECT_EQ(request.top_k(), 3);
  EXPECT_EQ(request.context(), "Before.");
  EXPECT_EQ(request.texts(0).text(), "He ___.");
  EXPECT_THAT(request.texts(0).candidates(), ElementsAre("go", "goes"));
  Run({"fill", "--pieces=2"}, "He <mask>.\n");
  EXPECT_EQ(texts_.last_fill.texts(0).pieces(), 2);
  EXPECT_FALSE(texts_.last_fill.has_top_k());
  const HeedRun without = Run({"fill"}, "no gap\n");
  EXPECT_EQ(without.code, kExitFailed);
  EXPECT_EQ(without.err, "heed: line 1: INVALID_ARGUMENT: has no gap: '<mask>' does not occur\n");
  EXPECT_THAT(Run({"fill", "--pieces=2", "--candidates=a"}).err, HasSubstr("exclude each other"));
}

TEST_F(LabelCommands, WordsAreTagged) {
  const HeedRun run = Run({"tag"}, "Ann lives\n\nhere\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "Ann\tNAME\t0.5000\nlives\tO\t0.5000\n\n\nhere\tO\t0.5000\n\n");
  EXPECT_EQ(Shown({"tag"}, "So Ann lives.\n"),
            "\x1b[38;5;16;48;5;222mSo NAME\x1b[0m \x1b[38;5;16;48;5;222mAnn NAME\x1b[0m lives.\n");
  const nlohmann::json json =
      JsonLines(Run({"tag", "--json", "--overlong=windows", "--max_tokens=64"}, "é Ann\n").out).at(0);
  EXPECT_EQ(json["words"][1]["word"], "Ann");
  EXPECT_EQ(json["words"][1]["start"], 3);
  EXPECT_EQ(texts_.last_tag.overlong(), v1::OVERLONG_TEXT_WINDOWS);
  EXPECT_EQ(texts_.last_tag.max_tokens(), 64);
}

TEST_F(LabelCommands, TextsHaveVectors) {
  EXPECT_EQ(Run({"embed"}, "ab\nabc\n").out, "2\t0.5\n3\t0.5\n");
  const nlohmann::json json = JsonLines(Run({"embed", "--json", "--normalize", "--layer=-2"}, "ab\n").out).at(0);
  EXPECT_EQ(json["vector"], nlohmann::json({2.0, 0.5}));
  EXPECT_TRUE(texts_.last_embed.normalize());
  EXPECT_EQ(texts_.last_embed.layer(), -2);
  EXPECT_EQ(Run({"embed", "--pooling=tokens"}, "ab\n").out, "\u2581t0\t2\t0.5\n\u2581t1\t2\t0.5\n\n");
  EXPECT_EQ(texts_.last_embed.pooling(), v1::EmbedTextsRequest::POOLING_TOKENS);
  EXPECT_EQ(JsonLines(Run({"embed", "--pooling=tokens", "--json"}, "ab\n").out).at(0)["tokens"][1]["token"],
            "\u2581t1");
  EXPECT_THAT(Run({"embed", "--attention"}).err, HasSubstr("--attention needs --json"));
}

TEST_F(LabelCommands, TextsAreClassified) {
  const HeedRun run = Run({"classify", "texts"}, "a good film\nbad\nawful\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "positive\t0.7500\n\nnegative\t0.7500\n");
  EXPECT_EQ(Run({"classify", "texts", "--top=0"}, "good\n").out, "positive\t0.7500\tnegative\t0.2500\n");
  EXPECT_EQ(Shown({"classify", "texts", "--top=2"}, "good\n"),
            "positive\t0.7500\n    0.75 ████████████████████ positive\n    0.25 ██████▋              negative\n");
  const nlohmann::json json = JsonLines(Run({"classify", "texts", "--json", "--top=2"}, "good\n").out).at(0);
  EXPECT_EQ(json["label"], "positive");
  EXPECT_EQ(json["top"][1]["label"], "negative");
}

TEST_F(LabelCommands, PairsAndChoicesAreSent) {
  Run({"classify", "texts"}, "one\ttwo\n");
  EXPECT_EQ(texts_.last_classify.items(0).text(), "one");
  EXPECT_EQ(texts_.last_classify.items(0).pair(), "two");
  Run({"classify", "texts", "--pair=two", "--function=sigmoid"}, "one\n");
  EXPECT_EQ(texts_.last_classify.items(0).pair(), "two");
  EXPECT_EQ(texts_.last_classify.function(), v1::ClassifyTextsRequest::FUNCTION_SIGMOID);
  Run({"classify", "texts", "--choices"}, "one\ttwo\tthree\n");
  EXPECT_THAT(texts_.last_classify.items(0).choices(), ElementsAre("two", "three"));
  EXPECT_THAT(Run({"classify", "texts"}, "a\tb\tc\n").err, HasSubstr("has 2 tabs, but a pair has 1"));
  EXPECT_THAT(Run({"classify", "texts", "--choices"}, "a\n").err, HasSubstr("has no tab"));
  EXPECT_THAT(Run({"classify", "texts", "--pair=x"}, "a\tb\n").err, HasSubstr("has a tab, but --pair"));
}

TEST_F(LabelCommands, AnswersAreFound) {
  const std::string path = directory_.File("text");
  std::ofstream(path) << "Berlin is a city. It is old.\n";
  const HeedRun run = Run({"find", "answers", path, "--allow_no_answer"}, "Where?\nnothing?\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "Berlin\t0.5000\n\n");
  EXPECT_EQ(texts_.last_answer.context(), "Berlin is a city. It is old.");
  EXPECT_TRUE(texts_.last_answer.allow_no_answer());
  const HeedRun flags = Run({"find", "answers", path, "--question=Where?", "--question=Who?", "--json", "--top=3"});
  const std::vector<nlohmann::json> lines = JsonLines(flags.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["question"], "Who?");
  EXPECT_EQ(lines[1]["answer"], "Berlin");
  EXPECT_EQ(lines[1]["answers"][0]["end"], 6);
  EXPECT_EQ(lines[1]["no_answer_score"], 0.25);
  EXPECT_EQ(texts_.last_answer.top_k(), 3);
  EXPECT_EQ(Shown({"find", "answers", path}, "Where?\n"),
            "Where?\n  0.50  \x1b[1;38;5;16;48;5;222mBerlin\x1b[0m is a city. It is old.\n");
  EXPECT_THAT(Run({"find", "answers"}).err, HasSubstr("needs the FILE of a text"));
  EXPECT_THAT(Run({"find", "answers", "-"}, "a\n").err, HasSubstr("cannot both be standard input"));
}

TEST_F(LabelCommands, WhatAModelCannotDoIsSaidOnce) {
  texts_.refusal = grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "model 'xlnet' cannot tag; it can score texts");
  const HeedRun run = Run({"tag"}, "a\nb\n");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: UNIMPLEMENTED: model 'xlnet' cannot tag; it can score texts\n");
}

}  // namespace
}  // namespace heed::client
