// SPDX-License-Identifier: Apache-2.0
// heed ask and heed bench ask as a script sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "tests/client/fake_server.h"
#include "tests/client/heed_run.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/unserved_address.h"

namespace heed::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr char kStory[] =
    "Mary went to the kitchen.\n"
    "Where is Mary?\n"
    "John took the apple.\n"
    "What has John?\n";

constexpr char kBabi[] =
    "1 Mary went to the kitchen.\n"
    "2 John took the apple.\n"
    "3 What has John? \tapple\t2\n"
    "4 Where is Mary? \tkitchen\t1\n"
    "1 Sandra left.\n"
    "2 What did Sandra?\tleft\t1\n";

class QuestionCommands : public testing::Test {
 protected:
  QuestionCommands() { server_.AddModel("ntm-babi", v1::MODEL_STATE_READY, "question-answerer"); }

  HeedRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back(server_.flag());
    return RunHeedWith(arguments, input);
  }
  std::string Write(const std::string& name, const std::string& text) {
    directory_.Write(name, text);
    return directory_.File(name);
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeQuestions& questions_ = server_.questions();
};

TEST_F(QuestionCommands, HelpNamesExitCodesAndExamples) {
  for (const std::string command : {"ask", "bench ask"}) {
    std::vector<std::string> arguments = absl::StrSplit(command, ' ');
    arguments.push_back("--help");
    const HeedRun run = RunHeedWith(arguments);
    EXPECT_EQ(run.code, kExitOk);
    EXPECT_THAT(run.out, StartsWith("Usage: heed " + command));
    for (const char* part : {"--server=HOST:PORT", "Exit codes:", "Examples:"}) EXPECT_THAT(run.out, HasSubstr(part));
    EXPECT_THAT(RunHeedWith({"--help"}).out, HasSubstr("\n  " + command));
  }
}

TEST_F(QuestionCommands, WrongArgumentsAreUsageErrors) {
  const std::string facts = Write("facts.txt", "Mary left.\n");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"ask", "story.txt"}, "unexpected argument 'story.txt'"},
      {{"ask", "--story=a", "--babi=b"}, "exclude each other"},
      {{"ask", "--story=a", "--question=b?"}, "exclude each other"},
      {{"ask", "--story=/no/such"}, "cannot read '/no/such': No such file"},
      {{"ask", "--top=-1"}, "--top=-1: must be"},
      {{"ask", "--story=" + facts}, "there is no question"},
      {{"ask", "--fact=Mary left."}, "there is no question"},
      {{"bench", "ask", "--answer", "--tell"}, "--answer has no sessions"},
      {{"bench", "ask", "--tell", "--mode=open", "--rate=1"}, "--tell needs --mode=closed"},
      {{"bench", "ask", "--tell", "--sessions=2", "--concurrency=1,4"}, "--sessions=2, --concurrency=4"},
      {{"bench", "ask", "--tell", "--session_facts=8"}, "the story has 8 facts, --session_facts=8"},
      {{"bench", "ask", "--story=" + facts}, "has 1 facts and 0 questions"},
  };
  for (const auto& [arguments, message] : cases) {
    const HeedRun run = Run(arguments);
    EXPECT_EQ(run.code, kExitUsage) << message << run.out;
    EXPECT_THAT(run.err, HasSubstr(message));
    EXPECT_EQ(run.out, "");
  }
}

TEST_F(QuestionCommands, MissingServerIsNamed) {
  const UnservedAddress unserved;
  const std::string& address = unserved.text();
  for (std::vector<std::string> command : {std::vector<std::string>{"ask"}, {"bench", "ask"}}) {
    command.push_back("--server=" + address);
    const HeedRun run = RunHeedWith(command, kStory);
    EXPECT_EQ(run.code, kExitUnavailable);
    EXPECT_THAT(run.err, HasSubstr("heed-server --listen=" + address));
  }
}

TEST_F(QuestionCommands, ModelOfAnotherKindIsAUsageError) {
  const HeedRun run = Run({"ask", "--model=en-de"}, kStory);
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: model 'en-de' is of kind translator, not question-answerer\n");
}

TEST_F(QuestionCommands, EachQuestionIsOneLineAboutTheFactsBeforeIt) {
  const HeedRun run = Run({"ask", "--story=" + Write("story.txt", kStory)});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "kitchen\napple\n");
  EXPECT_EQ(run.err, "");
  ASSERT_THAT(questions_.answer_requests, SizeIs(1));
  const v1::AnswerRequest& request = questions_.answer_requests[0];
  EXPECT_EQ(request.model(), "ntm-babi");
  EXPECT_THAT(request.facts(), ElementsAre("Mary went to the kitchen.", "John took the apple."));
  EXPECT_EQ(request.questions(0).after_fact_count(), 1);
  EXPECT_FALSE(request.questions(1).has_after_fact_count());
  EXPECT_EQ(request.options().ByteSizeLong(), 0u);
}

TEST_F(QuestionCommands, StandardInputIsAStoryToo) {
  EXPECT_EQ(Run({"ask"}, kStory).out, "kitchen\napple\n");
  EXPECT_EQ(Run({"ask", "--story=-"}, kStory).out, "kitchen\napple\n");
  EXPECT_EQ(Run({"ask", "--babi=-"}, kBabi).out, "apple\napple\nleft\n");
}

TEST_F(QuestionCommands, BlankLinesBeginStoriesAnew) {
  const HeedRun run = Run({"ask"}, "\nMary left.\r\nWhere?\n\n \nWho is here?\nJohn came.\nWho?");
  EXPECT_EQ(run.out, "left\nnothing\ncame\n");
  EXPECT_THAT(questions_.answer_requests, SizeIs(2));
}

TEST_F(QuestionCommands, LinesSayWhatTheyAreThemselves) {
  const HeedRun run = Run({"ask"}, ":fact Is it late?\n:question tell me\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const v1::AnswerRequest& request = questions_.answer_requests.at(0);
  EXPECT_THAT(request.facts(), ElementsAre("Is it late?"));
  EXPECT_EQ(request.questions(0).text(), "tell me");
}

TEST_F(QuestionCommands, FlagsTellAStoryInTheirOrder) {
  const HeedRun run = Run({"ask", "--fact=Mary left.", "--question", "Where?", "--fact=Is it John?", "--question=Who"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "left\nJohn?\n");
  EXPECT_EQ(questions_.answer_requests.at(0).questions(0).after_fact_count(), 1);
}

TEST_F(QuestionCommands, TopAndWhyAddColumns) {
  EXPECT_EQ(Run({"ask", "--top=2"}, kStory).out,
            "kitchen\tkitchen\t0.7500\tnothing\t0.2500\n"
            "apple\tapple\t0.7500\tnothing\t0.2500\n");
  EXPECT_EQ(questions_.answer_requests.at(0).options().top_k(), 2);
  EXPECT_FALSE(questions_.answer_requests.at(0).options().return_attribution());
  EXPECT_EQ(Run({"ask", "--why"}, kStory).out,
            "kitchen\t0\tMary went to the kitchen.\t0.7500\n"
            "apple\t1\tJohn took the apple.\t0.7500\t0\tMary went to the kitchen.\t0.2500\n");
  EXPECT_EQ(Run({"ask", "--why", "--top=1"}, "Mary left.\nWhere?\n").out,
            "left\tleft\t0.7500\t0\tMary left.\t0.7500\n");
}

TEST_F(QuestionCommands, AnswersWithTabsAndNewlinesStayOneColumn) {
  questions_.edit = [](v1::QuestionAnswer& answer) { answer.set_text("a\tb\nc"); };
  EXPECT_EQ(Run({"ask"}, "Who?\n").out, "a b c\n");
}

TEST_F(QuestionCommands, JsonIsOneObjectALine) {
  const HeedRun run = Run({"ask", "--json", "--why", "--top=2"}, "zzJohn left.\nWhere is zzMary?\n");
  EXPECT_EQ(run.out,
            "{\"story\":1,\"line\":2,\"question\":\"Where is zzMary?\",\"answer\":\"left\",\"candidates\":"
            "[{\"text\":\"left\",\"probability\":0.75},{\"text\":\"nothing\",\"probability\":0.25}],"
            "\"unknown_words\":[\"zzMary\"],\"facts\":[{\"fact\":0,\"text\":\"zzJohn left.\",\"weight\":0.75}],"
            "\"unknown_words_of_facts\":[\"zzJohn\"]}\n");
  const auto lines = JsonLines(Run({"ask", "--json", "--babi=-"}, kBabi).out);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[1]["expected"], "kitchen");
  EXPECT_EQ(lines[1]["right"], false);
  EXPECT_EQ(lines[1]["supporting"], nlohmann::json::array({0}));
  EXPECT_EQ(lines[2]["story"], 2);
  EXPECT_EQ(lines[2]["right"], true);
}

TEST_F(QuestionCommands, StoriesWithoutQuestionsAreCounted) {
  EXPECT_EQ(JsonLines(Run({"ask", "--json"}, "Mary left.\n\nWho?\n").out).at(0)["story"], 2);
  EXPECT_THAT(questions_.answer_requests, SizeIs(1));
}

TEST_F(QuestionCommands, UnknownWordsAreToldOnce) {
  const HeedRun run = Run({"ask"}, "zzJohn left.\nWhere is zzMary?\nWhere is zzmary?\n\nzzJohn came.\nWho?\n");
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.err,
            "heed: the model does not know the word 'zzJohn'\nheed: the model does not know the word 'zzMary'\n");
}

TEST_F(QuestionCommands, BabiCountsWhatIsRightAndWhichFactsSupport) {
  const std::string file = Write("qa.txt", kBabi);
  HeedRun run = Run({"ask", "--babi=" + file});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_EQ(run.out, "apple\napple\nleft\n");
  EXPECT_EQ(run.err, "heed: 3 questions, 2 right, error 33.3 %\n");
  run = Run({"ask", "--babi=" + file, "--why"});
  EXPECT_EQ(run.err,
            "heed: 3 questions, 2 right, error 33.3 %; the strongest fact is a supporting one for 66.7 % (hit@1)\n");
  EXPECT_THAT(questions_.answer_requests, SizeIs(4));
}

TEST_F(QuestionCommands, SupportingIdsCountQuestionsToo) {
  const auto lines = JsonLines(Run({"ask", "--json", "--babi=-"}, "1 A.\n2 Who?\tA\t1\n3 B.\n4 Who?\tB\t3 1\n").out);
  EXPECT_EQ(lines.at(1)["supporting"], nlohmann::json::array({1, 0}));
}

TEST_F(QuestionCommands, MalformedInputIsNamedWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> babi = {
      {"1 A.\nno id\n", ", line 2: 'no' is not an ID, a whole number of at least 1"},
      {"1 A.\n3 B.\n2 C.\n", ", line 3: the ID 2 comes after 3"},
      {"1 A.\n2 \n", ", line 2: the ID 2 has no text"},
      {"1 A.\n2 Who?\t\t1\n", ", line 2: the question has no answer"},
      {"1 A.\n2 Who?\tA\t5\n", ", line 2: the supporting ID '5' is no fact of the story so far"},
      {"1 A.\n2 Who?\tA\t1\tB\n", ", line 2: 4 fields between tabs, at most 3"},
      {"1 A.\n2 \xff?\tA\t1\n", ", line 2: not UTF-8 at byte 3"},
      {"\x1f\x8b\x08zip", " is gzip-compressed: unpack it first, as in `gunzip -c FILE | heed ask --babi=-`"},
  };
  for (const auto& [text, message] : babi) {
    const std::string file = Write("qa.txt", text);
    const HeedRun run = Run({"ask", "--babi=" + file});
    EXPECT_EQ(run.code, kExitUsage) << message;
    EXPECT_EQ(run.err, "heed: " + file + message + "\n");
    EXPECT_EQ(run.out, "");
  }
  EXPECT_EQ(Run({"ask"}, "Mary left.\n:fact\n").err, "heed: standard input, line 2: ':fact' has no text\n");
}

TEST_F(QuestionCommands, StoriesBeforeAMalformedLineAreAnswered) {
  const HeedRun run = Run({"ask"}, "Mary left.\nWhere?\n\n\xff\n");
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_EQ(run.err, "heed: standard input, line 4: not UTF-8 at byte 1\n");
}

TEST_F(QuestionCommands, InputThatCannotBeReadToItsEndIsAnError) {
  const HeedRun run = Run({"ask", "--story=/"});
  EXPECT_EQ(run.code, kExitUsage);
  EXPECT_EQ(run.err, "heed: cannot read / after line 0\n");
}

TEST_F(QuestionCommands, ManyStoriesComeInOrder) {
  std::string input;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&input, "Mary went to place", i, ".\nWhere?\nTo place", i, "b.\nWhere now?\n\n");
    absl::StrAppend(&expected, "place", i, "\nplace", i, "b\n");
  }
  const HeedRun run = Run({"ask", "--in_flight=16"}, input);
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, expected);
  EXPECT_THAT(questions_.answer_requests, SizeIs(300));
}

TEST_F(QuestionCommands, OneBadSentenceFailsTheQuestionsThatSeeIt) {
  questions_.check = [](const std::string& sentence) {
    return sentence == "bad." || sentence == "bad?" ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "is too bad")
                                                    : grpc::Status::OK;
  };
  HeedRun run = Run({"ask"}, "Mary left.\nbad?\nWhere?\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "\nleft\n");
  EXPECT_EQ(run.err, "heed: standard input, line 2: INVALID_ARGUMENT: questions[0] is too bad\n");

  run = Run({"ask"}, "Mary left.\nWhere?\nbad.\nWho?\nWhat?\n\nWho?\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "left\n\n\nnothing\n");
  EXPECT_EQ(run.err, "heed: standard input, line 3: INVALID_ARGUMENT: facts[1] is too bad\n");

  run = Run({"ask", "--json"}, "bad?\n");
  EXPECT_EQ(JsonLines(run.out).at(0)["error"],
            nlohmann::json::parse(R"({"code":"INVALID_ARGUMENT","message":"questions[0] is too bad"})"));
}

TEST_F(QuestionCommands, ServerThatGoesAwayEndsTheRun) {
  questions_.check = [](const std::string& sentence) {
    return sentence == "bye." ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down") : grpc::Status::OK;
  };
  const HeedRun run = Run({"ask", "--in_flight=1", "--deadline=0.3"}, "Mary left.\nWhere?\n\nbye.\nWho?\n\nWho?\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_EQ(run.out, "left\n");
  EXPECT_THAT(run.err, HasSubstr("went away at question 2; the answers before it are printed (UNAVAILABLE: facts[0] "
                                 "shutting down)"));
}

TEST_F(QuestionCommands, InterruptExitsWith130) {
  std::stop_source stop;
  questions_.check = [&](const std::string& sentence) {
    if (sentence == "stop.") stop.request_stop();
    return grpc::Status::OK;
  };
  const HeedRun run =
      RunHeedWith({"ask", server_.flag(), "--in_flight=1"}, "Mary left.\nWhere?\n\nstop.\nWho?\n", stop.get_token());
  EXPECT_EQ(run.code, kExitInterrupted);
  EXPECT_THAT(run.err, HasSubstr("interrupted after 1 questions"));
}

TEST_F(QuestionCommands, UnwritableOutputEndsTheRun) {
  std::string input;
  for (int i = 0; i < 10000; ++i) input += "Who?\n\n";
  std::istringstream in(input);
  std::ofstream out("/dev/full");
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err};
  EXPECT_EQ(RunHeed({"ask", server_.flag()}, console), kExitFailed);
  EXPECT_EQ(err.str(), "heed: cannot write the output\n");
  server_.Stop();
  EXPECT_LT(questions_.answer_requests.size(), 10000u);
}

TEST_F(QuestionCommands, BenchAsksSessionsInTurnAndClosesThem) {
  const HeedRun run = Run({"bench", "ask", "--concurrency=1,4", "--duration=0.3", "--warmup=0", "--connections=2"});
  server_.Stop();
  EXPECT_EQ(run.code, kExitOk) << run.err;
  const std::vector<std::string> lines = absl::StrSplit(run.out, '\n', absl::SkipEmpty());
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_EQ(lines[0],
            "ntm-babi, a question per request, closed loop, 4 sessions of 8 facts, 5 questions, 0.3 s after 0 s of "
            "warm-up");
  EXPECT_EQ(lines[1], "in flight  requests  errors  requests/s   answers/s    p50 ms    p90 ms    p99 ms    max ms");
  std::set<std::string> sessions;
  std::set<std::string> asked;
  for (const v1::AskRequest& request : questions_.ask_requests) {
    sessions.insert(request.session());
    asked.insert(request.questions(0));
  }
  EXPECT_THAT(sessions, SizeIs(4));
  EXPECT_THAT(asked, SizeIs(4));  // one comes twice
  EXPECT_THAT(questions_.tell_requests, SizeIs(1));
  EXPECT_THAT(questions_.closed, SizeIs(4));
}

TEST_F(QuestionCommands, BenchTellsAndAsksEachSessionInTurn) {
  const HeedRun run = Run(
      {"bench", "ask", "--tell", "--concurrency=3", "--duration=0.5", "--warmup=0", "--json", "--session_facts=10"});
  server_.Stop();
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(JsonLines(run.out).at(0)["errors"], 0);
  EXPECT_GT(JsonLines(run.out).at(0)["answers_per_second"], 0);
  std::map<std::string, int> told;
  for (const v1::TellRequest& request : questions_.tell_requests) ++told[request.session()];
  for (const auto& [session, facts] : told) EXPECT_LE(facts, 2) << session;  // 8 of the story, at most 10
  EXPECT_GT(told.size(), 4u);                                                // fresh copies took over
  EXPECT_THAT(questions_.sessions, IsEmpty());
}

// The run ends while a copy is being made: that one is closed as the others are.
TEST_F(QuestionCommands, BenchClosesCopiesThatAreMadeAtItsEnd) {
  std::stop_source stop;
  std::atomic<int> forks = 0;
  std::atomic<bool> ended = false;
  questions_.before_fork = [&](const grpc::ServerContext&) {
    if (++forks == 3) ended.wait(false);  // the first of the run, after the two that it begins with
  };
  // The other session's question is on its way meanwhile, and cancelled at the end.
  questions_.before_ask = [&](const grpc::ServerContext& context) {
    if (forks <= 2) return;
    stop.request_stop();
    while (!context.IsCancelled()) std::this_thread::yield();
    ended = true;
    ended.notify_all();
  };
  const HeedRun run = RunHeedWith({"bench", "ask", "--tell", "--concurrency=2", "--duration=1000", "--warmup=0",
                                   "--session_facts=9", server_.flag()},
                                  "", stop.get_token());
  EXPECT_EQ(run.code, kExitInterrupted) << run.err;
  EXPECT_GT(forks, 2);
  EXPECT_THAT(questions_.sessions, IsEmpty());
}

TEST_F(QuestionCommands, BenchAnswersWholeStories) {
  const HeedRun run = Run(
      {"bench", "ask", "--answer", "--story=-", "--concurrency=2", "--duration=0.2", "--warmup=0", "--why"}, kStory);
  server_.Stop();
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_THAT(run.out, StartsWith("ntm-babi, a story per request, closed loop, 2 facts, 2 questions, 0.2 s"));
  ASSERT_GE(questions_.answer_requests.size(), 2u);
  // Two are on their way at a time and may come in either order.
  std::set<int> facts;
  for (const v1::AnswerRequest& request : questions_.answer_requests) {
    EXPECT_TRUE(request.options().return_attribution());
    facts.insert(request.facts_size());
  }
  EXPECT_THAT(facts, ElementsAre(1, 2));
  EXPECT_THAT(questions_.ask_requests, IsEmpty());
  EXPECT_EQ(questions_.sessions.size() + questions_.closed.size(), 0u);
}

}  // namespace
}  // namespace heed::client
