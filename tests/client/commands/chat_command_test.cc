// SPDX-License-Identifier: Apache-2.0
// heed chat as a script, and as a person, sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <future>
#include <sstream>

#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/client/terminal.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/unserved_address.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class ChatCommands : public testing::Test {
 protected:
  ChatCommands() { server_.AddModel("ntm-babi", v1::MODEL_STATE_READY, "question-answerer"); }

  HeedRun Run(const std::string& input, std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), {"chat", server_.flag()});
    return RunHeedWith(flags, input);
  }
  // On a terminal.
  HeedRun Type(const std::string& input) {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Console console{.in = in, .out = out, .err = err, .in_is_terminal = true, .err_is_terminal = true};
    const int code = RunHeed({"chat", server_.flag()}, console);
    return {code, out.str(), err.str()};
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeQuestions& questions_ = server_.questions();
};

TEST_F(ChatCommands, HelpNamesExitCodesAndWhatMayBeTyped) {
  const HeedRun run = RunHeedWith({"chat", "--help"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.out, StartsWith("Usage: heed chat"));
  for (const char* part : {"Exit codes:", "Examples:", ":question TEXT", ":fork"}) {
    EXPECT_THAT(run.out, HasSubstr(part));
  }
}

TEST_F(ChatCommands, WrongArgumentsAreUsageErrors) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"story.txt"}, "unexpected argument 'story.txt'"},
      {{"--session=a", "--load=b"}, "--session and --load exclude each other"},
      {{"--load=/no/such"}, "cannot read '/no/such': No such file"},
      {{"--load=/"}, "cannot read '/': Is a directory"},
      {{"--model=en-de"}, "model 'en-de' is of kind translator, not question-answerer"},
      {{"--session=s9"}, "session s9: NOT_FOUND: session 's9' is closed"},
  };
  for (const auto& [flags, message] : cases) {
    const HeedRun run = Run("Mary left.\n", flags);
    EXPECT_EQ(run.code, kExitUsage) << message;
    EXPECT_THAT(run.err, HasSubstr(message));
    EXPECT_EQ(run.out, "");
  }
}

TEST_F(ChatCommands, MissingServerIsNamed) {
  const UnservedAddress unserved;
  const std::string& address = unserved.text();
  const HeedRun run = RunHeedWith({"chat", "--server=" + address}, "Mary left.\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, HasSubstr("heed-server --listen=" + address));
}

TEST_F(ChatCommands, QuestionsPrintALineEachAndFactsNone) {
  const HeedRun run = Run("Mary went to the kitchen.\n\nWhere is Mary?\r\nJohn took the apple.\nWhat?\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "kitchen\napple\n");
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(questions_.closed, ElementsAre("s1"));
}

TEST_F(ChatCommands, LinesSayWhatTheyAreThemselves) {
  EXPECT_EQ(Run(":fact Is it late?\n:question tell me\n").out, "late?\n");
}

TEST_F(ChatCommands, UnknownWordsGoToStandardError) {
  const HeedRun run = Run("zzMary left zzearly.\nWhere is zzJohn?\n");
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "zzearly\n");
  EXPECT_EQ(run.err, "heed: the model does not know: zzMary, zzearly\nheed: the model does not know: zzJohn\n");
}

TEST_F(ChatCommands, WhyExplainsTheLastAnswer) {
  const HeedRun run = Run("Mary left.\nJohn came.\nWho?\n:why\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out,
            "came\n"
            "    0.75 ████████████████████ 1  John came.\n"
            "    0.25 ██████▋              0  Mary left.\n");
}

TEST_F(ChatCommands, WhyCountsTheFactsThatSayLittle) {
  questions_.edit = [](v1::QuestionAnswer& answer) {
    answer.clear_facts();
    for (int i = 0; i < 20; ++i) {
      v1::QuestionAnswer::FactWeight& fact = *answer.add_facts();
      fact.set_fact(i);
      fact.set_text("Mary left.");
      fact.set_weight(i < 2 ? 0.3f : 0.02f);
    }
  };
  EXPECT_EQ(Run("Who?\n:why\n").out,
            "nothing\n"
            "    0.30 ████████████████████ 0  Mary left.\n"
            "    0.30 ████████████████████ 1  Mary left.\n"
            "    0.36                      18 more facts\n");
}

TEST_F(ChatCommands, ReadsDrawsTheHeadsThatLookedHardest) {
  EXPECT_THAT(Run("Who?\n:reads\n").out, StartsWith("nothing\n"
                                                    "              slot 1\n"
                                                    "              │  slot 3\n"
                                                    "step 0 head 0 ▓▓ ▓▓\n"));
  questions_.edit = [](v1::QuestionAnswer& answer) {
    answer.clear_reads();
    for (int step = 0; step < 30; ++step) {
      v1::QuestionAnswer::Read& read = *answer.add_reads();
      read.set_step(step);
      read.add_weights(step % 2 == 0 ? 0.01f : 0.1f + 0.01f * static_cast<float>(step));
    }
  };
  const std::string out = Run("Who?\n:reads\n").out;
  EXPECT_THAT(out, HasSubstr("              slot 0\n step 7 head 0 "));
  EXPECT_THAT(out, EndsWith("    18 weaker reads are left out\n"));
}

TEST_F(ChatCommands, WhyWithoutAnAnswerAndUnknownCommandsAreRefused) {
  const HeedRun run = Run(":why\n:wy\n:save\n:fork now\nWho?\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "nothing\n");
  EXPECT_EQ(run.err,
            "heed: line 1: there is no answer yet\n"
            "heed: line 2: unknown command ':wy'; :help lists them, `:fact :wy` tells it as a fact\n"
            "heed: line 3: :save needs a FILE\n"
            "heed: line 4: :fork takes nothing behind it, got 'now'\n");
}

TEST_F(ChatCommands, HelpAndSessionAnswerInTheConversation) {
  const HeedRun run = Run(":help\nMary left.\n:session\n:quit\nWho?\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, StartsWith("  TEXT  "));
  EXPECT_THAT(run.out, EndsWith("  :quit            end, as the end of the input does\n"
                                "session s1, model ntm-babi, version 2, 1 facts, closed when not used for 3600 s\n"));
}

TEST_F(ChatCommands, ForkGoesOnInACopy) {
  const HeedRun run = Run("Mary left.\n:fork\nJohn came.\nWho?\n:session\n", {"--keep"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.out, StartsWith("came\nsession s2, "));
  EXPECT_EQ(run.err, "heed: now in session s2; session s1 stays as it is\n");
  EXPECT_THAT(questions_.facts("s1"), ElementsAre("Mary left."));
  EXPECT_THAT(questions_.facts("s2"), ElementsAre("Mary left.", "John came."));
}

TEST_F(ChatCommands, SavedSessionsAreLoaded) {
  const std::string file = directory_.File("kept session.heed");
  HeedRun run = Run("Mary left.\n:save " + file + "\nJohn came.\n:load " + file + "\nWho?\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "left\n");
  EXPECT_EQ(run.err, "heed: wrote 10 bytes to '" + file + "'\nheed: now in session s2, 1 facts\n");
  EXPECT_THAT(questions_.closed, ElementsAre("s1", "s2"));

  run = Run("Who?\n", {"--load=" + file});
  EXPECT_EQ(run.out, "left\n");
  EXPECT_EQ(run.code, kExitOk);
}

TEST_F(ChatCommands, FileThatCannotBeWrittenOrLoadedIsRefused) {
  questions_.import_status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "data: damaged");
  const std::string file = directory_.File("damaged");
  directory_.Write("damaged", "?");
  HeedRun run = Run(":save /no/such/file\n:load /no/such/file\n:load " + file + "\nWho?\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "nothing\n");
  EXPECT_EQ(run.err,
            "heed: line 1: cannot write '/no/such/file': No such file or directory\n"
            "heed: line 2: cannot read '/no/such/file': No such file or directory\n"
            "heed: line 3: INVALID_ARGUMENT: data: damaged\n");
  questions_.import_status = grpc::Status(grpc::StatusCode::NOT_FOUND, "no model 'x'");
  EXPECT_EQ(Run(":load " + file + "\nWho?\n").err, "heed: line 1: NOT_FOUND: no model 'x'\n");
  questions_.import_status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "data: damaged");
  run = Run("Who?\n", {"--load=" + file});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: '" + file + "': INVALID_ARGUMENT: data: damaged\n");
}

TEST_F(ChatCommands, SessionsThatAreNamedOrKeptStayOpen) {
  HeedRun run = Run("Mary left.\n", {"--keep"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "s1\n");
  run = Run("Who?\n", {"--session=s1"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_EQ(Run("Who?\n", {"--session=s1", "--model=ntm-babi"}).code, kExitOk);
  run = Run("Who?\n", {"--session=s1", "--model=other"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: session s1 is of model 'ntm-babi', not of 'other'\n");
  EXPECT_THAT(questions_.closed, IsEmpty());
}

TEST_F(ChatCommands, RefusedSentencesSayWhyAndTheConversationGoesOn) {
  questions_.check = [](const std::string& sentence) {
    return sentence.starts_with("bad") ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "too bad") : grpc::Status::OK;
  };
  const HeedRun run = Run("Mary left.\nbad.\nbad?\n\xff\nWho?\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "\nleft\n");  // a line for each question
  EXPECT_EQ(run.err,
            "heed: line 2: INVALID_ARGUMENT: too bad\n"
            "heed: line 3: INVALID_ARGUMENT: too bad\n"
            "heed: line 4: not UTF-8 at byte 1\n");
}

TEST_F(ChatCommands, CompressedInputIsNamedOnce) {
  const HeedRun run = Run("\x1f\x8b\x08zip\n\xff\xfe\n");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: standard input is gzip-compressed: unpack it first, as in `gunzip -c FILE | heed chat`\n");
}

TEST_F(ChatCommands, FullSessionRefusesFactsAndStillAnswers) {
  questions_.max_facts = 1;
  const HeedRun run = Run("Mary left.\nJohn came.\nWho?\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_EQ(run.err, "heed: line 2: RESOURCE_EXHAUSTED: session has 1 facts\n");
}

TEST_F(ChatCommands, APersonIsPromptedAndMayBeRefused) {
  const HeedRun run = Type("Mary left.\n:oops\nWho?\n");
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_THAT(run.err, StartsWith("Talking with ntm-babi. "));
  EXPECT_THAT(run.err, HasSubstr("\n> > heed: unknown command ':oops'"));
}

TEST_F(ChatCommands, SessionThatIsGoneEndsTheConversation) {
  questions_.check = [this](const std::string& sentence) {
    if (sentence == "late.") questions_.Lose("s1");
    return grpc::Status::OK;
  };
  const HeedRun run = Run("Mary left.\nWho?\nlate.\nWho?\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_EQ(run.err, "heed: the session s1 is gone (NOT_FOUND: session 's1' is closed)\n");
}

TEST_F(ChatCommands, ServerThatGoesAwayLeavesTheWayBack) {
  questions_.check = [](const std::string& sentence) {
    return sentence == "bye." ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down") : grpc::Status::OK;
  };
  const HeedRun run = Run("Mary left.\nWho?\nbye.\nWho?\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_THAT(run.err, HasSubstr("went away (UNAVAILABLE: shutting down); if it kept the session, heed chat "
                                 "--session=s1 goes on\n"));
  EXPECT_THAT(questions_.closed, IsEmpty());
}

TEST_F(ChatCommands, InterruptClosesTheSessionAndExitsWith130) {
  std::stop_source stop;
  questions_.check = [&](const std::string& sentence) {
    if (sentence == "stop.") stop.request_stop();
    return grpc::Status::OK;
  };
  const HeedRun run = RunHeedWith({"chat", server_.flag()}, "Mary left.\nWho?\nstop.\nWho?\n", stop.get_token());
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_EQ(run.err, "heed: interrupted\n");
  EXPECT_THAT(questions_.closed, ElementsAre("s1"));
}

TEST_F(ChatCommands, UnwritableOutputEndsTheConversation) {
  std::istringstream in("Who?\nWho?\n");
  std::ofstream out("/dev/full");
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err};
  EXPECT_EQ(RunHeed({"chat", server_.flag()}, console), kExitFailed);
  EXPECT_EQ(err.str(), "heed: cannot write the output\n");
  EXPECT_THAT(questions_.closed, SizeIs(1));
}

// As a person types, with the program itself.
class ChatOnATerminal : public ChatCommands {
 protected:
  Terminal Start(const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {"chat", server_.flag()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return Terminal(arguments, 80, 24, {"TERM=xterm", "XDG_STATE_HOME=" + directory_.path().string()});
  }
  std::string HistoryFile() const { return directory_.File("heed/chat_history"); }
  std::vector<std::string> Facts() { return questions_.facts(absl::StrCat("s", ++sessions_)); }

  int sessions_ = 0;
};

TEST_F(ChatOnATerminal, LinesCanBeEdited) {
  Terminal terminal = Start({"--keep"});
  terminal.ReadPrompt("> ");
  // To the left and delete; to the beginning; letters of several bytes, and one of them deleted.
  terminal.Press("Mary lefftx.\x1b[D\x7f\x1b[D\x1b[D\x7f\r");
  terminal.ReadPrompt("\n> ");
  terminal.Press("hn größßer \u65e5\u672c.\x01\x1b[C\x1b[Cj\x1b[D\x1b[D\x1b[D\x1b[3~J\r");
  terminal.ReadPrompt("\n> ");
  terminal.Press("\x04");
  EXPECT_EQ(terminal.WaitForExit(), kExitOk);
  EXPECT_TRUE(terminal.as_before());
  EXPECT_THAT(Facts(), ElementsAre("Mary left.", "Jnj größßer \u65e5\u672c."));
}

TEST_F(ChatOnATerminal, EarlierLinesComeBackAlsoInTheNextConversation) {
  {
    Terminal terminal = Start({"--keep"});
    terminal.ReadPrompt("> ");
    terminal.Press("Mary left.\r");
    terminal.ReadPrompt("\n> ");
    terminal.Press(" private.\r");
    terminal.ReadPrompt("\n> ");
    terminal.Press("\x1b[A\r");  // up
    terminal.ReadPrompt("\n> ");
    terminal.Press("\x04");
    EXPECT_EQ(terminal.WaitForExit(), kExitOk);
  }
  EXPECT_THAT(Facts(), ElementsAre("Mary left.", "private.", "Mary left."));
  struct stat information = {};
  ASSERT_EQ(stat(HistoryFile().c_str(), &information), 0);
  EXPECT_EQ(information.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(directory_.File("heed").c_str(), &information), 0);
  EXPECT_EQ(information.st_mode & 0777, 0700u);
  Terminal terminal = Start({"--keep", "--no_history"});
  terminal.ReadPrompt("> ");
  terminal.Press("\x1b[A\r\x04");
  EXPECT_EQ(terminal.WaitForExit(), kExitOk);
  EXPECT_THAT(Facts(), IsEmpty()) << "--no_history reads none";
  Terminal again = Start({"--keep"});
  again.ReadPrompt("> ");
  again.Press("\x1b[A\r");
  again.ReadPrompt("\n> ");
  again.Press("\x04");
  EXPECT_EQ(again.WaitForExit(), kExitOk);
  EXPECT_THAT(Facts(), ElementsAre("Mary left."));
}

TEST_F(ChatOnATerminal, AnInterruptEndsItAndGivesTheTerminalBack) {
  for (const bool key : {true, false}) {
    Terminal terminal = Start();
    terminal.ReadPrompt("> ");
    terminal.Press("half a line");
    terminal.ReadUntil("half a line");
    if (key) {
      terminal.Press("\x03");
    } else {
      terminal.Signal(SIGTERM);
    }
    terminal.ReadUntil("heed: interrupted");
    EXPECT_EQ(terminal.WaitForExit(), kExitInterrupted);
    EXPECT_TRUE(terminal.as_before());
  }
  EXPECT_THAT(questions_.closed, ElementsAre("s1", "s2"));
}

TEST_F(ChatOnATerminal, WhatIsTypedBeforeItReadsCountsToo) {
  std::promise<void> release;
  questions_.check = [&, released = release.get_future().share()](const std::string& sentence) {
    if (sentence == "Mary left.") released.wait();
    return grpc::Status::OK;
  };
  Terminal terminal = Start({"--keep"});
  terminal.ReadPrompt("> ");
  terminal.Press("Mary left.\r");
  terminal.ReadUntil("left.\r\n");
  terminal.Press("John left.\r\x04");  // while it waits for the server
  release.set_value();
  EXPECT_EQ(terminal.WaitForExit(), kExitOk);
  EXPECT_THAT(Facts(), ElementsAre("Mary left.", "John left."));
}

TEST_F(ChatOnATerminal, ADumbTerminalHasPlainLines) {
  Terminal terminal({"chat", server_.flag(), "--keep"}, 80, 24, {"TERM=dumb"});
  terminal.ReadUntil("> ");
  terminal.Press("Mary left.\n\x04");
  EXPECT_EQ(terminal.WaitForExit(), kExitOk);
  EXPECT_THAT(Facts(), ElementsAre("Mary left."));
}

}  // namespace
}  // namespace heed::client
