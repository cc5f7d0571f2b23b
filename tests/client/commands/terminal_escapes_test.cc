// SPDX-License-Identifier: Apache-2.0
// Nothing that a server sends, and nothing in a file or a flag, reaches the terminal as a command: every place where
// the client prints text for people, one after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/visible_text.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "tests/client/fake_metrics.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/support/temporary_directory.h"

namespace heed::client {
namespace {

using testing::HasSubstr;

// An escape sequence, the same in one character, a bell, a line of one's own, and text that runs backwards.
constexpr char kEvil[] = "\x1b[31m\u009b1m\a\nheed: \u202eevil";
constexpr char kVisible[] = "\\x1b[31m\\x9b1m\\x07 heed: \\u202eevil";

class TerminalEscapes : public testing::Test {
 protected:
  TerminalEscapes() {
    server_.AddModel("ntm-babi", v1::MODEL_STATE_READY, "question-answerer");
    server_.AddModel("gat", v1::MODEL_STATE_READY, "node-classifier");
    server_.AddModel("wiki", v1::MODEL_STATE_READY, "language-model");
  }

  HeedRun Run(std::vector<std::string> arguments, const std::string& input = "", bool terminal = false) {
    if (arguments[0] != "top") arguments.push_back(server_.flag());
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Console console{.in = in, .out = out, .err = err, .out_is_terminal = terminal};
    const int code = RunHeed(arguments, console);
    return {code, out.str(), err.str()};
  }

  // That it was printed, visibly, and nothing else was.
  void ExpectVisible(const std::string& printed, const std::string& visible = kVisible) {
    EXPECT_THAT(printed, HasSubstr(visible));
    EXPECT_EQ(VisibleLines(printed), printed);
  }

  TemporaryDirectory directory_;
  FakeServer server_;
};

TEST_F(TerminalEscapes, Models) {
  v1::ModelInfo& model = server_.AddModel(absl::StrCat("n", kEvil), v1::MODEL_STATE_UNAVAILABLE);
  model.set_reason(absl::StrCat("r", kEvil));
  model.set_architecture(absl::StrCat("a", kEvil));
  model.set_source_language(absl::StrCat("l", kEvil));
  const std::string table = Run({"models"}).out;
  for (const char* column : {"n", "r", "a", "l"}) ExpectVisible(table, absl::StrCat(column, kVisible));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 6);  // the titles and five models
  ExpectVisible(Run({"models", "--json"}).out, "r\\u001b[31m\\u009b1m\\u0007\\nheed: \\u202eevil");
}

TEST_F(TerminalEscapes, ReasonsWhyThereIsNoModel) {
  server_.ClearModels();
  server_.AddModel("broken", v1::MODEL_STATE_UNAVAILABLE).set_reason(kEvil);
  ExpectVisible(Run({"translate"}).err);
  ExpectVisible(Run({"translate", "--model=broken"}).err);
  ExpectVisible(Run({"translate", absl::StrCat("--model=", kEvil)}).err, "\\x1b[31m\\x9b1m\\x07");
}

TEST_F(TerminalEscapes, NamesOfModelsToChooseFrom) {
  server_.AddModel(kEvil, v1::MODEL_STATE_READY);
  ExpectVisible(Run({"translate"}).err, "\\x1b[31m\\x9b1m\\x07");
  server_.ClearModels();
  server_.AddModel(kEvil, v1::MODEL_STATE_READY);
  ExpectVisible(Run({"bench", "translate", "--duration=0.01", "--warmup=0", "--concurrency=1"}).out);
}

TEST_F(TerminalEscapes, ErrorsOfLines) {
  FakeServer refusing([](const std::string&, int) { return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, kEvil); });
  ExpectVisible(RunHeedWith({"translate", refusing.flag()}, "a\n").err);
  ExpectVisible(RunHeedWith({"translate", refusing.flag(), "--json"}, "a\n").out, "\\u001b[31m\\u009b1m\\u0007\\n");
}

TEST_F(TerminalEscapes, ErrorsOfCommands) {
  server_.graphs().stored_status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, kEvil);
  ExpectVisible(Run({"graph", "delete", "g"}).err);
}

TEST_F(TerminalEscapes, TranslationsOnATerminalAlone) {
  server_.SetEdit([](v1::TranslatedText& text) { text.set_text(kEvil); });
  ExpectVisible(Run({"translate"}, "a\n", /*terminal=*/true).out);
  // To the byte, but for the line's end, where a file or a program reads it.
  EXPECT_EQ(Run({"translate"}, "a\n").out, "\x1b[31m\u009b1m\a heed: \u202eevil\n");
  v1::TranslateStreamResponse event;
  event.mutable_sentence()->add_hypotheses()->set_text(kEvil);
  event.mutable_sentence()->set_separator("\x1b[1m");
  server_.SetEvents({event});
  ExpectVisible(Run({"translate", "--stream"}, "a\n", /*terminal=*/true).out, absl::StrCat("\\x1b[1m", kVisible));
}

TEST_F(TerminalEscapes, TokensOfAHeatMap) {
  server_.SetEdit([](v1::TranslatedText& text) {
    v1::TranslatedSentence& sentence = *text.add_sentences();
    sentence.add_source_tokens(absl::StrCat("s", kEvil));
    v1::TranslationHypothesis& hypothesis = *sentence.add_hypotheses();
    hypothesis.add_tokens(absl::StrCat("t", kEvil));
    hypothesis.mutable_attention()->set_row_count(1);
    hypothesis.mutable_attention()->set_column_count(1);
    hypothesis.mutable_attention()->add_weights(1);
  });
  const std::string map = Run({"translate", "--attention"}, "a\n").out;
  ExpectVisible(map, absl::StrCat("s", kVisible));
  ExpectVisible(map, absl::StrCat("t", kVisible));
}

TEST_F(TerminalEscapes, LabelsOfClasses) {
  server_.graphs().edit = [](v1::GraphClassification& classification) { classification.set_label(kEvil); };
  ExpectVisible(Run({"classify", "nodes", "--stored=g", "--nodes=1"}).out);
}

TEST_F(TerminalEscapes, StoredGraphs) {
  v1::GraphInfo info;
  info.set_name(absl::StrCat("n", kEvil));
  v1::PrecomputedGraphOutputs& precomputed = *info.add_precomputed();
  precomputed.set_model(absl::StrCat("m", kEvil));
  server_.graphs().info = info;
  precomputed.set_unavailable(absl::StrCat("u", kEvil));
  server_.graphs().stored = {info, server_.graphs().info};
  info.set_unavailable(absl::StrCat("g", kEvil));
  server_.graphs().stored.push_back(info);
  const std::string table = Run({"graph", "describe"}).out;
  for (const char* text : {"n", "m", "u", "g"}) ExpectVisible(table, absl::StrCat(text, kVisible));
  ExpectVisible(Run({"graph", "describe", "--json"}).out, "u\\u001b[31m");
  server_.graphs().info = server_.graphs().stored[0];
  const HeedRun update = Run({"graph", "update", "g", "--remove_nodes=1"});
  ExpectVisible(update.out, absl::StrCat("n", kVisible));
  ExpectVisible(update.err, absl::StrCat("u", kVisible));
}

TEST_F(TerminalEscapes, AnswersFactsAndUnknownWords) {
  server_.questions().edit = [](v1::QuestionAnswer& answer) {
    answer.set_text(absl::StrCat("a", kEvil));
    answer.clear_candidates();
    answer.add_candidates()->set_text(absl::StrCat("c", kEvil));
    answer.add_unknown_words(absl::StrCat("w", kEvil));
    if (answer.facts_size() > 0) answer.mutable_facts(0)->set_text(absl::StrCat("f", kEvil));
  };
  const HeedRun ask = Run({"ask", "--fact=Mary left.", "--question=Who?", "--top=0", "--why"});
  for (const char* text : {"a", "c", "f"}) ExpectVisible(ask.out, absl::StrCat(text, kVisible));
  ExpectVisible(ask.err, absl::StrCat("w", kVisible));
  ExpectVisible(Run({"ask", "--fact=Mary left.", "--question=Who?", "--json", "--why"}).out, "f\\u001b[31m");
  const HeedRun chat = Run({"chat"}, "Mary left.\nWho?\n:why\n:reads\n");
  ExpectVisible(chat.out, absl::StrCat("a", kVisible));
  ExpectVisible(chat.out, absl::StrCat("f", kVisible));
  ExpectVisible(chat.err, absl::StrCat("w", kVisible));
}

TEST_F(TerminalEscapes, RefusedSentences) {
  server_.questions().check = [](const std::string&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, kEvil);
  };
  ExpectVisible(Run({"chat"}, "Mary left.\n").err);
  ExpectVisible(Run({"ask"}, "Mary left.\nWho?\n").err);
}

TEST_F(TerminalEscapes, TextsThatAreScored) {
  server_.texts().edit_score = [](v1::TextScore& score) {
    score.add_unknown_words(absl::StrCat("w", kEvil));
    v1::TokenScore& token = *score.add_token_scores();
    token.set_token(absl::StrCat("t", kEvil));
    token.add_top()->set_token(absl::StrCat("a", kEvil));
  };
  const HeedRun score = Run({"score", "--tokens", "--top_k=1"}, "e\x1b[31m\a\n");
  ExpectVisible(score.out, "e\\x1b[31m\\x07");
  for (const char* text : {"t", "a"}) ExpectVisible(score.out, absl::StrCat(text, kVisible));
  ExpectVisible(score.err, absl::StrCat("w", kVisible));
  ExpectVisible(Run({"score", "--json", "--tokens"}, "a\n").out, "t\\u001b[31m");
  ExpectVisible(Run({"find", "answers", directory_.File("\x1b[31mfile"), "--question=a"}).err, "\\x1b[31mfile");
}

TEST_F(TerminalEscapes, TextsThatAreGeneratedOnATerminalAlone) {
  server_.texts().edit_generated = [](v1::GeneratedText& text) { text.set_text(kEvil); };
  // A text has lines of its own.
  const std::string visible = "\\x1b[31m\\x9b1m\\x07\nheed: \\u202eevil\n";
  EXPECT_EQ(Run({"generate", "a"}, "", /*terminal=*/true).out, visible);
  EXPECT_EQ(Run({"generate", "--n=1", "--max_tokens=1"}, "a\n", /*terminal=*/true).out, absl::StrCat(kVisible, "\n"));
  EXPECT_EQ(Run({"generate", "a"}).out, absl::StrCat(kEvil, "\n"));
}

TEST_F(TerminalEscapes, LabelsWordsAndAnswersOfTexts) {
  server_.texts().label = absl::StrCat("l", kEvil);
  ExpectVisible(Run({"tag"}, "a\n").out, absl::StrCat("l", kVisible));
  ExpectVisible(Run({"classify", "texts", "--top=0"}, "a\n").out, absl::StrCat("l", kVisible));
  ExpectVisible(Run({"classify", "texts", "--top=0"}, "a\n", /*terminal=*/true).out, absl::StrCat("l", kVisible));
  ExpectVisible(Run({"fill"}, "a <mask> \x1b[31m\n").out, "a cat \\x1b[31m");
  const std::string path = directory_.File("text");
  std::ofstream(path) << "\x1b[31mBerlin is a city.\n";
  ExpectVisible(Run({"find", "answers", path, "--question=Where?"}).out, "\\x1b[31mBerlin");
}

TEST_F(TerminalEscapes, FlagsAndFilesOfTheUser) {
  ExpectVisible(Run({"translate", directory_.File("\x1b[31mfile")}).err, "\\x1b[31mfile");
  ExpectVisible(Run({"translate", "--\x1b[31m=1"}).err, "\\x1b[31m");
  ExpectVisible(RunHeedWith({"models", "--server=\x1b[31m:1"}).err, "\\x1b[31m");
  ExpectVisible(Run({"\x1b[31m"}).err, "\\x1b[31m");
  ExpectVisible(Run({"chat"}, ":\x1b[31m\n").err, "\\x1b[31m");
}

TEST_F(TerminalEscapes, Top) {
  FakeMetrics metrics;
  const std::string name = "m\x1b[31m\u009b1m\a\u202eevil";
  const std::string visible = "m\\x1b[31m\\x9b1m\\x07\\u202eevil";
  metrics.AddModel(name);
  std::vector<std::string> pages;
  for (int i = 0; i < 2; ++i) {
    pages.push_back(metrics.Text());
    metrics.Serve("Translate", name, 10, 0.002);
  }
  {
    FakeMetricsServer server(pages);
    ExpectVisible(Run({"top", server.flag(), "--interval=0.1", "--count=1"}).out, visible);
  }
  FakeMetricsServer server(pages);
  ExpectVisible(Run({"top", server.flag(), "--interval=0.1", "--count=1", "--json"}).out, "m\\u001b[31m\\u009b1m");
}

}  // namespace
}  // namespace heed::client
