// SPDX-License-Identifier: Apache-2.0
// The commands as a script sees them: output, messages, exit codes.
#include "client/cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/flags/help_text.h"
#include "client/cli/exit_code.h"
#include "client/cli/interruptible_input.h"
#include "client/command_table.h"
#include "tests/client/fake_metrics.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/support/unserved_address.h"

namespace heed::client {
namespace {

using grpc::health::v1::HealthCheckResponse;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Heed, HelpListsTheCommandsAndEveryCommandHasItsOwn) {
  const HeedRun help = RunHeedWith({"--help"});
  EXPECT_EQ(help.code, kExitOk);
  for (const std::string command : {"translate", "models", "health", "bench translate"}) {
    EXPECT_THAT(help.out, HasSubstr("\n  " + command));
    std::vector<std::string> arguments = absl::StrSplit(command, ' ');
    arguments.push_back("--help");
    const HeedRun own = RunHeedWith(arguments);
    EXPECT_EQ(own.code, kExitOk);
    EXPECT_THAT(own.out, StartsWith("Usage: heed " + command));
    EXPECT_THAT(own.out, HasSubstr("--server=HOST:PORT"));
    EXPECT_THAT(own.out, HasSubstr("127.0.0.1:50051"));
    EXPECT_THAT(own.out, HasSubstr("Exit codes:"));
    EXPECT_THAT(own.out, HasSubstr("Examples:"));
    EXPECT_EQ(own.err, "");
  }
}

TEST(Heed, VersionIsPrinted) {
  for (const char* word : {"--version", "version", "-v"}) {
    const HeedRun run = RunHeedWith({word});
    EXPECT_EQ(run.code, kExitOk);
    EXPECT_THAT(run.out, StartsWith("heed 0."));
  }
}

TEST(Heed, HelpOfACommandAndOfAGroup) {
  EXPECT_EQ(RunHeedWith({"help", "translate"}).out, RunHeedWith({"translate", "--help"}).out);
  EXPECT_EQ(RunHeedWith({"help", "bench", "ask"}).out, RunHeedWith({"bench", "ask", "-h"}).out);
  EXPECT_EQ(RunHeedWith({"help"}).out, RunHeedWith({"--help"}).out);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"help", "classify"}, {"classify", "--help"}, {"classify", "-h"}}) {
    const HeedRun run = RunHeedWith(arguments);
    EXPECT_EQ(run.code, kExitOk);
    EXPECT_THAT(run.out, StartsWith("Usage: heed classify COMMAND"));
    EXPECT_THAT(run.out, HasSubstr("\n  classify edges"));
    EXPECT_THAT(run.out, Not(HasSubstr("bench ask")));
  }
  EXPECT_EQ(RunHeedWith({"help", "transalte"}).code, kExitUsage);
}

TEST(Heed, WhatWasMeantByAWrongCommand) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"transalte", "a.txt"}, "heed: unknown command 'transalte'; did you mean heed translate?"},
      {{"mdoels"}, "heed: unknown command 'mdoels'; did you mean heed models?"},
      {{"trans"}, "heed: unknown command 'trans'; did you mean heed translate?"},
      {{"clasify", "nodes"}, "heed: unknown command 'clasify'; did you mean heed classify nodes?"},
      {{"classify", "node", "--model=x"}, "heed: unknown command 'classify node'; did you mean heed classify nodes?"},
      {{"models", "laod", "x"}, "heed: unknown command 'models laod'; did you mean heed models load?"},
      {{"verison"}, "heed: unknown command 'verison'; did you mean heed version?"},
      {{"graph"}, "heed: 'graph' is half a command; there are: graph put, graph update, graph describe, graph delete"},
      {{"bench", "--model=x"},
       "heed: 'bench' is half a command; there are: bench translate, bench classify, bench ask"},
      {{"classify", "elephants"},
       "heed: unknown command 'classify elephants'; there are: classify nodes, classify edges, classify graphs"},
      {{"quite_else"}, "heed: unknown command 'quite_else'\nSee heed --help"},
      {{"--quite_else"}, "heed: unknown command '--quite_else'\nSee heed --help"},
  };
  for (const auto& [arguments, message] : cases) {
    const HeedRun run = RunHeedWith(arguments);
    EXPECT_EQ(run.code, kExitUsage);
    EXPECT_THAT(run.err, StartsWith(message));
  }
}

TEST(Heed, CompletionKnowsEveryCommandAndFlag) {
  const HeedRun run = RunHeedWith({"completion", "bash"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.out, HasSubstr("\n    \"classify nodes\"*) flags=\"--help "));
  EXPECT_THAT(run.out, HasSubstr(" --json "));
  EXPECT_THAT(run.out, HasSubstr("\"translate\"*:__early_stopping) values=\"heuristic first never\" ;;"));
  EXPECT_THAT(RunHeedWith({"completion", "zsh"}).out, StartsWith("#compdef heed\n"));
  EXPECT_EQ(RunHeedWith({"completion"}).code, kExitUsage);
  EXPECT_THAT(RunHeedWith({"completion", "tcsh"}).err, HasSubstr("no completion for 'tcsh'"));
}

TEST(Heed, TheManualPageHasEveryCommand) {
  const HeedRun run = RunHeedWith({"man"});
  EXPECT_EQ(run.code, kExitOk);
  for (const std::string command : {"translate", "classify nodes", "man"}) {
    EXPECT_THAT(run.out, HasSubstr("\n.SS \"heed " + command));
  }
  EXPECT_THAT(run.out, HasSubstr("\n.B \\-\\-server=HOST:PORT\n"));
}

TEST(Heed, EveryHelpIsPlainEnglishOfModestWidth) {
  for (const CommandPage& page : HeedProgram().commands) {
    for (const FlagInfo& flag : page.flags) {
      if (flag.help.empty()) continue;
      EXPECT_LE(flag.help.size(), 220u) << page.name << " --" << flag.name;
      EXPECT_EQ(flag.help.back(), '.') << page.name << " --" << flag.name;
      EXPECT_TRUE(absl::ascii_isupper(static_cast<unsigned char>(flag.help[0]))) << page.name << " --" << flag.name;
    }
    for (const absl::string_view line : absl::StrSplit(HelpText(page), '\n')) EXPECT_LE(line.size(), 112u) << line;
  }
}

std::string OutputOf(const std::string& command) {
  std::FILE* const shell = popen(command.c_str(), "r");
  std::string out;
  for (int c = 0; (c = std::fgetc(shell)) != EOF;) out += static_cast<char>(c);
  pclose(shell);
  return out;
}

// What bash completes `line` to.
std::string Completed(const std::string& line) {
  const std::string command = absl::StrCat(
      "bash -c 'source <(" HEED_BINARY_DIR "/bin/heed completion bash); COMP_WORDBREAKS=\" =\"; COMP_WORDS=(", line,
      "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); compopt() { :; }; _heed; echo \"${COMPREPLY[@]}\"'");
  return OutputOf(command);
}

TEST(Heed, BashCompletesCommandsFlagsAndValues) {
  EXPECT_EQ(Completed("heed tran"), "translate\n");
  EXPECT_EQ(Completed("heed classify \"\""), "nodes edges graphs texts\n");
  EXPECT_EQ(Completed("heed models l"), "load\n");
  EXPECT_EQ(Completed("heed help hea"), "health\n");
  EXPECT_EQ(Completed("heed translate --len"), "--length_penalty=\n");
  EXPECT_EQ(Completed("heed classify nodes --model x --att"), "--attention\n");
  EXPECT_EQ(Completed("heed models --js"), "--json\n");
  EXPECT_EQ(Completed("heed translate --early_stopping = fi"), "first\n");
  EXPECT_EQ(Completed("heed translate --early_stopping ="), "heuristic first never\n");
  EXPECT_EQ(Completed("heed translate --early-stopping fi"), "first\n");
  EXPECT_EQ(Completed("heed completion \"\""), "bash zsh\n");
  EXPECT_EQ(Completed("heed translate no_such_f"), "\n") << "files are the shell's";
}

TEST(Heed, WrongArgumentsAreUsageErrors) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "Usage: heed COMMAND"},
      {{"transalte"}, "unknown command 'transalte'"},
      {{"bench"}, "'bench' is half a command"},
      {{"translate", "--bean=4"}, "unknown flag --bean"},
      {{"translate", "a", "b"}, "unexpected argument 'b'"},
      {{"translate", "--beam=33"}, "--beam=33: must be"},
      {{"translate", "--n_best=2"}, "--tokens and --n_best need --json"},
      {{"translate", "--stream", "--json"}, "exclude each other"},
      {{"translate", "--seed=1"}, "need --sample"},
      {{"translate", "--sample", "--beam=2"}, "--sample needs --beam=1"},
      {{"translate", "--min_tokens=9", "--max_tokens=3"}, "--min_tokens is more than --max_tokens"},
      {{"translate", "/no/such/file"}, "cannot read '/no/such/file': No such file"},
      {{"models", "x"}, "unexpected argument 'x'"},
      {{"models", "--server="}, "--server: is empty; it takes HOST:PORT"},
      {{"translate", "--server=localhost"}, "--server: 'localhost' has no port, as in 127.0.0.1:50051"},
      {{"health", "--server=:50051"}, "--server: ':50051' has no host"},
      {{"models", "--server=http://localhost:50051"}, "is a URL; it takes HOST:PORT"},
      {{"models", "--server=localhost:99999"}, "'99999' is no port from 1 to 65535"},
      {{"models", "--server=::1:50051"}, "an IPv6 address stands in brackets, as in [::1]:50051"},
      {{"models", "--server=a b:1"}, "'a b' is no host"},
      {{"models", "--server=127.0.0.1:1,127.0.0.1"}, "'127.0.0.1' has no port"},
      {{"models", "--server=dns:///heed.example"}, "'heed.example' has no port"},
      {{"health", "--watch", "--wait"}, "exclude each other"},
      {{"bench", "translate", "--rate=3"}, "need --mode=open"},
      {{"bench", "translate", "--mode=open"}, "--mode=open needs --rate"},
      {{"bench", "translate", "--mode=open", "--rate=1", "--concurrency=2"}, "--concurrency needs --mode=closed"},
      {{"bench", "translate", "--input=/no/such/file"}, "cannot read '/no/such/file'"},
  };
  for (const auto& [arguments, message] : cases) {
    const HeedRun run = RunHeedWith(arguments);
    EXPECT_EQ(run.code, kExitUsage) << message;
    EXPECT_THAT(run.err, HasSubstr(message));
    EXPECT_EQ(run.out, "");
  }
}

TEST(Heed, MissingServerIsNamedWithTheWayToStartOne) {
  const UnservedAddress unserved;
  const std::string& address = unserved.text();
  const std::vector<std::vector<std::string>> commands = {
      {"translate"}, {"models"}, {"health"}, {"bench", "translate"}};
  for (std::vector<std::string> command : commands) {
    command.push_back("--server=" + address);
    if (command[0] != "health") command.push_back("--connect_timeout=0");
    const HeedRun run = RunHeedWith(command, "a line\n");
    EXPECT_EQ(run.code, kExitUnavailable) << command[0];
    EXPECT_THAT(run.err, HasSubstr(address));
    EXPECT_THAT(run.err, HasSubstr("heed-server --listen=" + address));
  }
}

TEST(Translate, PrintsOneLineForEachInOrder) {
  FakeServer server;
  std::string input;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    absl::StrAppend(&input, "line ", i, "\n");
    absl::StrAppend(&expected, "[line ", i, "]\n");
  }
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--in_flight=32"}, input);
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, expected);
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(server.last_request().model(), "en-de");
  EXPECT_LE(server.max_running(), 32);
}

TEST(Translate, EmptyLinesCarriageReturnsAndAMissingLastNewlineKeepTheLineCount) {
  FakeServer server;
  const HeedRun run = RunHeedWith({"translate", server.flag()}, "a\r\n\nb");
  EXPECT_EQ(run.out, "[a]\n\n[b]\n");
  EXPECT_EQ(RunHeedWith({"translate", server.flag()}, "").out, "");
}

TEST(Translate, ReadsAFile) {
  FakeServer server;
  const std::string path = testing::TempDir() + "/heed_translate_input.txt";
  std::ofstream(path) << "one\ntwo\n";
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), path}).out, "[one]\n[two]\n");
  EXPECT_EQ(RunHeedWith({"translate", server.flag(), "-"}, "three\n").out, "[three]\n");
  std::remove(path.c_str());
}

TEST(Translate, FailedLinesAreEmptyNamedAndMakeTheExitCodeOne) {
  FakeServer server([](const std::string& text, int) {
    return text == "bad" ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "texts[0]: too bad") : grpc::Status::OK;
  });
  const HeedRun run = RunHeedWith({"translate", server.flag()}, "a\nbad\nb\n\xff\xfe\nc\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "[a]\n\n[b]\n\n[c]\n");
  EXPECT_EQ(run.err,
            "heed: line 2: INVALID_ARGUMENT: texts[0]: too bad\n"
            "heed: line 4: INVALID_ARGUMENT: not UTF-8 at byte 1\n");
}

TEST(Translate, OverloadLosesNoLine) {
  FakeServer server([](const std::string& text, int attempt) {
    return attempt <= static_cast<int>(text.size() % 3) ? QueueFull() : grpc::Status::OK;
  });
  const HeedRun run = RunHeedWith({"translate", server.flag()}, "a\nbb\nccc\ndddd\n");
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "[a]\n[bb]\n[ccc]\n[dddd]\n");
}

TEST(Translate, NewlinesWithinATranslationBecomeBlanks) {
  FakeServer server;
  server.SetEdit([](v1::TranslatedText& text) { text.set_text("eins\nzwei\r\ndrei"); });
  EXPECT_EQ(RunHeedWith({"translate", server.flag()}, "x\n").out, "eins zwei drei\n");
}

TEST(Translate, FlagsBecomeOptions) {
  FakeServer server;
  RunHeedWith({"translate", server.flag(), "--beam=4", "--length_penalty=0.8", "--early_stopping=never", "--json",
               "--n_best=2", "--min_tokens=1", "--max_tokens=50", "--no_repeat_ngram=3", "--prefix=Ja,", "--no_split",
               "--keep_loops", "--tokens", "--attention"},
              "x\n");
  const v1::TranslateOptions options = server.last_request().options();
  EXPECT_EQ(options.beam_size(), 4);
  EXPECT_FLOAT_EQ(options.length_penalty(), 0.8f);
  EXPECT_EQ(options.early_stopping(), v1::TranslateOptions::EARLY_STOPPING_NEVER);
  EXPECT_EQ(options.n_best(), 2);
  EXPECT_EQ(options.min_tokens(), 1);
  EXPECT_EQ(options.max_tokens(), 50);
  EXPECT_EQ(options.no_repeat_ngram(), 3);
  EXPECT_EQ(options.target_prefix(), "Ja,");
  EXPECT_FALSE(options.split_sentences());
  EXPECT_FALSE(options.stop_loops());
  EXPECT_TRUE(options.return_tokens());
  EXPECT_TRUE(options.return_sentences());
  EXPECT_TRUE(options.return_attention());
  EXPECT_TRUE(options.return_scores());

  RunHeedWith({"translate", server.flag(), "--sample", "--temperature=0.5", "--top_k=10", "--top_p=0.9", "--seed=7"},
              "y\n");
  const v1::TranslateOptions::Sampling sampling = server.last_request().options().sampling();
  EXPECT_EQ(server.last_request().options().beam_size(), 1);
  EXPECT_FALSE(server.last_request().options().return_scores());  // it prints none
  EXPECT_FLOAT_EQ(sampling.temperature(), 0.5f);
  EXPECT_EQ(sampling.top_k(), 10);
  EXPECT_FLOAT_EQ(sampling.top_p(), 0.9f);
  EXPECT_EQ(sampling.seed(), 7u);
}

TEST(Translate, AbsentFlagsLeaveTheOptionsToTheModel) {
  FakeServer server;
  RunHeedWith({"translate", server.flag()}, "x\n");
  v1::TranslateOptions options = server.last_request().options();
  EXPECT_FALSE(options.return_scores());  // none are printed
  options.clear_return_scores();
  EXPECT_EQ(options.ByteSizeLong(), 0u);
}

void AddAttention(v1::TranslatedText& text) {
  v1::TranslatedSentence& sentence = *text.add_sentences();
  sentence.set_source("x");
  sentence.add_source_tokens("▁x");
  v1::TranslationHypothesis& hypothesis = *sentence.add_hypotheses();
  hypothesis.set_text("y");
  hypothesis.set_score(-0.1f);
  hypothesis.set_finish_reason(v1::TRANSLATION_FINISH_REASON_LENGTH);
  hypothesis.add_tokens("▁y");
  hypothesis.mutable_attention()->set_row_count(1);
  hypothesis.mutable_attention()->set_column_count(1);
  hypothesis.mutable_attention()->add_weights(1);
}

TEST(Translate, AttentionIsDrawnBelowTheLine) {
  FakeServer server;
  server.SetEdit(AddAttention);
  EXPECT_THAT(RunHeedWith({"translate", server.flag(), "--attention"}, "x\n").out, StartsWith("[x]\n   _x\n_y ██\n"));
}

TEST(Translate, JsonHasOneObjectForEachLine) {
  FakeServer server([](const std::string& text, int) {
    return text == "bad" ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no") : grpc::Status::OK;
  });
  server.SetEdit(AddAttention);
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--json", "--attention"}, "x\nbad\n");
  EXPECT_EQ(run.code, kExitFailed);
  const auto lines = JsonLines(run.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["line"], 1);
  EXPECT_EQ(lines[0]["text"], "[x]");
  EXPECT_EQ(lines[0]["finish_reason"], "eos");
  EXPECT_EQ(lines[0]["source_tokens"], 3);
  EXPECT_EQ(lines[0]["target_tokens"], 4);
  const nlohmann::json& sentence = lines[0]["sentences"][0];
  EXPECT_EQ(sentence["source"], "x");
  EXPECT_EQ(sentence["text"], "y");
  const nlohmann::json& hypothesis = sentence["hypotheses"][0];
  EXPECT_EQ(hypothesis["text"], "y");
  EXPECT_EQ(hypothesis["finish_reason"], "length");
  EXPECT_EQ(hypothesis["tokens"], nlohmann::json::array({"▁y"}));
  EXPECT_EQ(hypothesis["attention"], nlohmann::json::array({nlohmann::json::array({1.0})}));
  EXPECT_THAT(run.out, HasSubstr("\"score\":-0.1,"));
  EXPECT_EQ(lines[1], nlohmann::json::parse(R"({"line":2,"error":{"code":"INVALID_ARGUMENT","message":"no"}})"));
}

v1::TranslateStreamResponse Delta(int sentence, const std::string& text) {
  v1::TranslateStreamResponse event;
  event.set_sentence_index(sentence);
  event.set_delta(text);
  return event;
}

v1::TranslateStreamResponse Done(int sentence, const std::string& separator, const std::string& text) {
  v1::TranslateStreamResponse event;
  event.set_sentence_index(sentence);
  event.mutable_sentence()->set_separator(separator);
  event.mutable_sentence()->add_hypotheses()->set_text(text);
  return event;
}

TEST(Translate, StreamPrintsSentencesInOrderWhateverTheOrderOfEvents) {
  FakeServer server;
  server.SetEvents({Delta(1, "Zwei"), Delta(0, "Ein"), Delta(0, "s."), Done(1, " ", "Zwei."), Done(2, "  ", "Drei."),
                    Done(0, "", "Eins.")});
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--stream"}, "x\ny\n");
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "Eins. Zwei.  Drei.\nEins. Zwei.  Drei.\n");
}

TEST(Translate, StreamReportsFailedLines) {
  FakeServer server([](const std::string& text, int) {
    return text == "bad" ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no") : grpc::Status::OK;
  });
  server.SetEvents({Done(0, "", "Eins.")});
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--stream"}, "bad\nx\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "\nEins.\n");
  EXPECT_EQ(run.err, "heed: line 1: INVALID_ARGUMENT: no\n");
}

TEST(Translate, TheModelHasToBeClear) {
  FakeServer server;
  server.AddModel("en-fr", v1::MODEL_STATE_READY);
  server.AddModel("en-xx", v1::MODEL_STATE_UNAVAILABLE).set_reason("model.safetensors: truncated");
  HeedRun run = RunHeedWith({"translate", server.flag()}, "x\n");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("2 translators; name one with --model: en-de, en-fr"));
  run = RunHeedWith({"translate", server.flag(), "--model=en-es"}, "x\n");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("no model named 'en-es'; the server's translators: en-de, en-fr"));
  run = RunHeedWith({"translate", server.flag(), "--model=en-xx"}, "x\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, HasSubstr("model 'en-xx' is unavailable: model.safetensors: truncated"));
  run = RunHeedWith({"translate", server.flag(), "--model=en-fr"}, "x\n");
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(server.last_request().model(), "en-fr");
  server.ClearModels();
  run = RunHeedWith({"translate", server.flag()}, "x\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, HasSubstr("no translator that serves"));
}

TEST(Translate, AModelThatLoadsIsWaitedForAndSaidToBe) {
  for (const std::string flag : {"--model=en-de", "--connect_timeout=0"}) {
    FakeServer server;
    server.ClearModels();
    server.AddModel("en-de", v1::MODEL_STATE_LOADING, /*kind=*/"");
    server.AddModel("broken", v1::MODEL_STATE_UNAVAILABLE);
    int lists = 0;
    server.OnList([&lists](v1::ListModelsResponse& models) {
      if (++lists < 3) return;
      models.mutable_models(0)->set_state(v1::MODEL_STATE_READY);
      models.mutable_models(0)->set_kind(v1::MODEL_KIND_TRANSLATOR);
    });
    const HeedRun run = RunHeedWith({"translate", server.flag(), flag}, "x\n");
    EXPECT_EQ(run.code, kExitOk);
    EXPECT_EQ(run.out, "[x]\n");
    EXPECT_THAT(run.err, StartsWith("heed: waiting for the server at " + server.address() + " ("));
    EXPECT_THAT(run.err, HasSubstr("en-de"));
    EXPECT_THAT(run.err, HasSubstr(" is loading)\n"));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1);
    EXPECT_EQ(lists, 3);
  }
}

TEST(Translate, TheOnlyTranslatorIsNotChosenWhileAnotherMayLoad) {
  FakeServer server;
  server.AddModel("en-fr", v1::MODEL_STATE_LOADING, /*kind=*/"");
  server.AddModel("gat", v1::MODEL_STATE_LOADING, "node-classifier");
  server.OnList([lists = 0](v1::ListModelsResponse& models) mutable {
    if (++lists < 2) return;
    models.mutable_models(1)->set_state(v1::MODEL_STATE_READY);
    models.mutable_models(1)->set_kind(v1::MODEL_KIND_TRANSLATOR);
  });
  const HeedRun run = RunHeedWith({"translate", server.flag()}, "x\n");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_THAT(run.err, HasSubstr("2 translators; name one with --model: en-de, en-fr"));
}

TEST(Translate, ALoadingModelIsNotWaitedForBeyondTheDeadline) {
  FakeServer server;
  server.ClearModels();
  server.AddModel("en-de", v1::MODEL_STATE_LOADING, "translator");
  const HeedRun run = RunHeedWith({"translate", server.flag(), "--deadline=0.01"}, "x\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, HasSubstr("heed: en-de is loading still; `heed health --wait` waits for it\n"));
}

TEST(Translate, WhatNeverFitsIsNotTriedAgain) {
  FakeServer server([](const std::string&, int) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "texts[0] has more tokens than the queue takes");
  });
  for (const std::vector<std::string>& flags : {std::vector<std::string>{}, {"--stream"}}) {
    std::vector<std::string> arguments = {"translate", server.flag()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    EXPECT_EQ(RunHeedWith(arguments, flags.empty() ? "a\n" : "b\n").code, kExitFailed);
    EXPECT_EQ(server.attempts(flags.empty() ? "a" : "b"), 1);
  }
}

TEST(Translate, InterruptCancelsWhatIsOnItsWayAndExitsWith130) {
  std::stop_source stop;
  FakeServer server([&](const std::string& text, int) {
    if (text == "second") stop.request_stop();
    return grpc::Status::OK;
  });
  const HeedRun run =
      RunHeedWith({"translate", server.flag(), "--in_flight=1"}, "first\nsecond\nthird\n", stop.get_token());
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_THAT(run.out, StartsWith("[first]\n"));
  EXPECT_THAT(run.out, Not(HasSubstr("third")));
  EXPECT_THAT(run.err, HasSubstr("interrupted after"));
}

TEST(Translate, UnwritableOutputEndsTheRun) {
  FakeServer server;
  std::string input;
  for (int i = 0; i < 10000; ++i) input += "x\n";
  std::istringstream in(input);
  std::ofstream out("/dev/full");
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err};
  EXPECT_EQ(RunHeed({"translate", server.flag()}, console), kExitFailed);
  EXPECT_THAT(err.str(), HasSubstr("cannot write the output"));
  EXPECT_LT(server.attempts("x"), 10000);
}

// An output whose reader is gone after some bytes.
class ClosingOutput : public std::streambuf {
 public:
  explicit ClosingOutput(int room) : room_(room) {}
  bool closed() const { return room_ == 0; }

 protected:
  int_type overflow(int_type c) override {
    if (room_ == 0) return traits_type::eof();
    --room_;
    return c;
  }

 private:
  int room_;
};

TEST(Heed, EndsSilentlyWhenNobodyReadsItsOutput) {
  FakeServer server;
  server.AddModel("ntm-babi", v1::MODEL_STATE_READY, "question-answerer");
  server.AddModel("gat", v1::MODEL_STATE_READY, "node-classifier");
  const std::vector<std::vector<std::string>> commands = {
      {"translate", server.flag()},
      {"translate", server.flag(), "--stream"},
      {"ask", server.flag(), "--fact=Mary left.", "--question=Who?"},
      {"chat", server.flag()},
      {"classify", "nodes", server.flag(), "--stored=g", "--nodes=0,1,2"},
      {"models", server.flag()},
      {"health", server.flag(), "--watch"},
      {"help"},
      {"translate", "--help"},
      {"completion", "bash"},
  };
  server.SetHealth("", {HealthCheckResponse::SERVING, HealthCheckResponse::NOT_SERVING});
  for (const std::vector<std::string>& command : commands) {
    ClosingOutput buffer(1);
    std::ostream out(&buffer);
    std::istringstream in("Mary left?\nWho?\n");
    std::ostringstream err;
    Console console{.in = in, .out = out, .err = err, .out_closed = [&buffer] { return buffer.closed(); }};
    EXPECT_EQ(RunHeed(command, console), kExitOutputClosed) << command[0];
    EXPECT_EQ(err.str(), "") << command[0];
  }
}

TEST(Heed, AsAProgramItEndsAsSigpipeWould) {
  FakeServer server;
  const std::string command =
      absl::StrCat("bash -c 'exec 3>&1; yes | head -n 100000 | " HEED_BINARY_DIR "/bin/heed translate ", server.flag(),
                   " 2>&3 | head -n 2; echo ${PIPESTATUS[2]}'");
  EXPECT_EQ(OutputOf(command), "[y]\n[y]\n141\n");
  EXPECT_LT(server.attempts("y"), 100000);
}

TEST(Translate, InputThatCannotBeReadToItsEndIsAnError) {
  FakeServer server;
  for (const std::vector<std::string>& flags : {std::vector<std::string>{}, {"--stream"}}) {
    std::vector<std::string> arguments = {"translate", server.flag(), "/"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const HeedRun run = RunHeedWith(arguments);
    EXPECT_EQ(run.code, kExitUsage);
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(run.err, "heed: cannot read the input after line 0\n");
  }
}

TEST(InterruptibleInput, StopEndsAReadThatWaits) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "one\ntw", 6), 6);
  std::stop_source stop;
  InterruptibleInput input(ends[0], stop.get_token());
  std::istream in(&input);
  EXPECT_EQ(input.size(), -1);
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  EXPECT_EQ(line, "one");
  std::thread interrupt([&] { stop.request_stop(); });
  std::getline(in, line);
  EXPECT_TRUE(in.eof());
  interrupt.join();
  close(ends[0]);
  close(ends[1]);
}

TEST(Models, TableAndJson) {
  FakeServer server;
  v1::ModelInfo& model = server.AddModel("big", v1::MODEL_STATE_READY);
  model.set_architecture("marian");
  model.set_source_language("en");
  model.set_target_language("de");
  model.set_weight_count(74410000);
  model.set_resident_bytes(100 << 20);
  model.mutable_load_duration()->set_nanos(250'000'000);
  model.set_version(12);
  model.set_is_default(true);
  model.set_precision(v1::PRECISION_INT8);
  model.set_kernel("avx512-vnni");
  server.AddModel("broken", v1::MODEL_STATE_UNAVAILABLE).set_reason("config.json: no such file");
  const HeedRun table = RunHeedWith({"models", server.flag()});
  EXPECT_EQ(table.code, kExitOk);
  const std::vector<std::string> lines = absl::StrSplit(table.out, '\n');
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0], StartsWith("NAME    VERSION  KIND        ARCHITECTURE  LANGUAGES  STATE"));
  EXPECT_THAT(lines[2],
              StartsWith("big         12*  translator  marian        en > de    ready         74.4 M  100.0 MiB  "
                         "int8       avx512-vnni     0.25 s"));
  EXPECT_THAT(lines[3], HasSubstr("unavailable"));
  EXPECT_THAT(lines[3], testing::EndsWith("  config.json: no such file"));

  model.set_weight_count(275);
  EXPECT_THAT(RunHeedWith({"models", server.flag()}).out, HasSubstr("  ready            275  "));

  model.set_weight_count(74410000);
  const HeedRun run = RunHeedWith({"models", server.flag(), "--json"});
  const nlohmann::json json = nlohmann::json::parse(run.out);
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[1]["name"], "big");
  EXPECT_EQ(json[1]["state"], "ready");
  EXPECT_EQ(json[1]["weights"], 74410000);
  EXPECT_EQ(json[1]["precision"], "int8");
  EXPECT_EQ(json[1]["kernel"], "avx512-vnni");
  EXPECT_EQ(json[2]["precision"], "");
  EXPECT_EQ(json[2]["reason"], "config.json: no such file");
}

TEST(Models, LoadAndUnloadSayWhatTheyDid) {
  FakeServer server;
  server.AddModel("en-fr", v1::MODEL_STATE_READY).set_version(3);
  HeedRun run = RunHeedWith({"models", "load", "en-fr", "--versions=3,1", server.flag()});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("en-fr       3   translator"));
  EXPECT_EQ(server.last_load().model(), "en-fr");
  ASSERT_EQ(server.last_load().versions_size(), 2);
  EXPECT_EQ(server.last_load().versions(0), 3);
  run = RunHeedWith({"models", "load", "en-fr", "--json", server.flag()});
  EXPECT_EQ(nlohmann::json::parse(run.out).at(0)["version"], 3);
  EXPECT_EQ(server.last_load().versions_size(), 0);
  run = RunHeedWith({"models", "load", "broken", server.flag()});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_THAT(run.err, HasSubstr("no config.json"));
  EXPECT_EQ(RunHeedWith({"models", "load", "none", server.flag()}).code, kExitUsage);
  EXPECT_EQ(RunHeedWith({"models", "load", server.flag()}).code, kExitUsage);
  EXPECT_EQ(RunHeedWith({"models", "unload", server.flag()}).code, kExitUsage);
  EXPECT_EQ(RunHeedWith({"models", "unload", "none", server.flag()}).code, kExitUsage);
  run = RunHeedWith({"models", "unload", "en-fr", server.flag()});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "en-fr is unloaded\n");
  run = RunHeedWith({"translate", "--model=en-fr", server.flag()}, "text\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, HasSubstr("model 'en-fr' is not loaded"));
  EXPECT_EQ(RunHeedWith({"translate", server.flag()}, "text\n").out, "[text]\n");  // the only one that serves
}

TEST(Models, OfSeveralVersionsTheDefaultCounts) {
  FakeServer server;
  server.ClearModels();
  for (const int version : {1, 2, 3}) {
    v1::ModelInfo& model = server.AddModel("en-de", version == 3 ? v1::MODEL_STATE_UNAVAILABLE : v1::MODEL_STATE_READY);
    model.set_version(version);
    model.set_is_default(version == 2);
  }
  EXPECT_EQ(RunHeedWith({"translate", server.flag()}, "text\n").out, "[text]\n");
  EXPECT_EQ(RunHeedWith({"translate", "--model=en-de", server.flag()}, "text\n").out, "[text]\n");
}

TEST(Health, ExitsWithZeroOnlyWhenServing) {
  FakeServer server;
  server.SetHealth("", {HealthCheckResponse::SERVING});
  server.SetHealth("en-de", {HealthCheckResponse::NOT_SERVING});
  HeedRun run = RunHeedWith({"health", server.flag()});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "SERVING\n");
  run = RunHeedWith({"health", server.flag(), "--model=en-de"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "NOT_SERVING\n");
  run = RunHeedWith({"health", server.flag(), "--model=other"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "SERVICE_UNKNOWN\n");
}

TEST(Health, HttpTellsOfTheWholeServer) {
  std::string address;
  {
    FakeMetricsServer server({"ready\n", ""}, "/readyz");
    address = server.address();
    HeedRun run = RunHeedWith({"health", "--http=" + address});
    EXPECT_EQ(run.code, kExitOk);
    EXPECT_EQ(run.out, "SERVING\n");
    run = RunHeedWith({"health", "--http=" + address});
    EXPECT_EQ(run.code, kExitFailed);
    EXPECT_EQ(run.out, "NOT_SERVING\n");
    EXPECT_EQ(RunHeedWith({"health", "--http=" + address, "--watch"}).code, kExitUsage);
    EXPECT_EQ(RunHeedWith({"health", "--http=" + address, "--model=en-de"}).code, kExitUsage);
  }
  const HeedRun run = RunHeedWith({"health", "--http=" + address, "--deadline=5"});
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, HasSubstr(address));
  EXPECT_THAT(RunHeedWith({"health", "--http=here"}).err, HasSubstr("'here' is no HOST:PORT"));
}

TEST(Health, WatchPrintsEveryChangeUntilTheServerGoes) {
  FakeServer server;
  server.SetHealth("", {HealthCheckResponse::NOT_SERVING, HealthCheckResponse::SERVING});
  const HeedRun run = RunHeedWith({"health", server.flag(), "--watch"});
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_EQ(run.out, "NOT_SERVING\nSERVING\n");
  EXPECT_EQ(run.err, "heed: UNAVAILABLE: shutting down\n");
}

TEST(Health, WaitReturnsWithTheFirstServing) {
  FakeServer server;
  server.SetHealth("",
                   {HealthCheckResponse::NOT_SERVING, HealthCheckResponse::SERVING, HealthCheckResponse::NOT_SERVING});
  const HeedRun run = RunHeedWith({"health", server.flag(), "--wait"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "NOT_SERVING\nSERVING\n");
}

TEST(Health, WaitSaysThatItWaitedInVain) {
  FakeServer server;
  server.SetHealth("", {HealthCheckResponse::NOT_SERVING});
  server.HoldWatches();
  const HeedRun run = RunHeedWith({"health", server.flag(), "--wait", "--deadline=0.5"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "NOT_SERVING\n");
  EXPECT_EQ(run.err, "heed: not SERVING within the --deadline of 0.5 s\n");
}

TEST(Health, WaitForAMissingServerEndsWithTheDeadline) {
  const UnservedAddress unserved;
  const HeedRun run = RunHeedWith({"health", "--server=" + unserved.text(), "--wait", "--deadline=0.05"});
  EXPECT_EQ(run.code, kExitUnavailable);
}

TEST(Bench, ClosedLoopPrintsARowForEachConcurrency) {
  FakeServer server;
  const HeedRun run = RunHeedWith(
      {"bench", "translate", server.flag(), "--concurrency=1,4", "--duration=0.5", "--warmup=0", "--connections=2"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<std::string> lines = absl::StrSplit(run.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "en-de, the model's beam, closed loop, 40 texts, 0.5 s after 0 s of warm-up");
  for (const char* column : {"in flight", "requests", "errors", "sentences/s", "p50 ms", "p99 ms", "max ms"}) {
    EXPECT_THAT(lines[1], HasSubstr(column));
  }
  EXPECT_THAT(lines[2], StartsWith("        1  "));
  EXPECT_THAT(lines[3], StartsWith("        4  "));
}

TEST(Bench, OpenLoopAsJson) {
  FakeServer server;
  const HeedRun run = RunHeedWith({"bench", "translate", server.flag(), "--mode=open", "--rate=200", "--duration=0.5",
                                   "--warmup=0", "--json", "--beam=2"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const auto lines = JsonLines(run.out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["mode"], "open");
  EXPECT_EQ(lines[0]["rate"], 200);
  EXPECT_GT(lines[0]["requests"], 0);
  EXPECT_EQ(lines[0]["errors"], 0);
  EXPECT_LE(lines[0]["p50_ms"], lines[0]["p99_ms"]);
  EXPECT_EQ(server.last_request().options().beam_size(), 2);
}

TEST(Bench, ErrorsAreCountedAndMakeTheExitCodeOne) {
  FakeServer server([](const std::string&, int) { return QueueFull(); });
  const HeedRun run =
      RunHeedWith({"bench", "translate", server.flag(), "--concurrency=2", "--duration=0.5", "--warmup=0", "--json"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_GT(JsonLines(run.out)[0]["errors"], 0);
  EXPECT_THAT(run.err, HasSubstr("first error: RESOURCE_EXHAUSTED: queue full"));
}

}  // namespace
}  // namespace heed::client
