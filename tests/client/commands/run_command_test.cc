// SPDX-License-Identifier: Apache-2.0
// heed run as a script sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
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
using testing::StartsWith;

class RunCommands : public testing::Test {
 protected:
  RunCommands() { server_.AddModel("ntm-copy", v1::MODEL_STATE_READY, "sequence-model"); }

  HeedRun Run(const std::string& input, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"run", server_.flag()});
    return RunHeedWith(arguments, input);
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeSequences& sequences_ = server_.sequences();
};

TEST_F(RunCommands, HelpNamesExitCodesAndExamples) {
  const HeedRun run = RunHeedWith({"run", "--help"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.out, StartsWith("Usage: heed run"));
  for (const char* part : {"--server=HOST:PORT", "Exit codes:", "Examples:"}) EXPECT_THAT(run.out, HasSubstr(part));
}

TEST_F(RunCommands, WrongArgumentsAndInputAreUsageErrors) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"a", "b"}, "unexpected argument 'b'"},
      {{"--repeats=0"}, "--repeats=0: must be"},
      {{"/no/such"}, "cannot read '/no/such': No such file"},
      {{"/"}, "cannot read / after line 0"},
      {{"--model=en-de"}, "model 'en-de' is of kind translator, not sequence-model"},
  };
  for (const auto& [flags, message] : cases) {
    const HeedRun run = Run("1 2\n", flags);
    EXPECT_EQ(run.code, kExitUsage) << message;
    EXPECT_THAT(run.err, HasSubstr(message));
  }
  const std::vector<std::pair<std::string, std::string>> inputs = {
      {"1 2\n3 x\n", "line 2: 'x' is not a finite number"},  {"1 nan\n", "line 1: 'nan' is not a finite number"},
      {"1 1e50\n", "line 1: '1e50' is not a finite number"}, {"\n1 2\n3\n", "line 3: has 1 numbers, line 2 has 2"},
      {"01\n011\n", "line 2: has 3 numbers, line 1 has 2"},  {", ,\n", "line 1: has 0 numbers, line 1 has 0"},
  };
  for (const auto& [input, message] : inputs) {
    const HeedRun run = Run(input);
    EXPECT_EQ(run.code, kExitUsage) << message;
    EXPECT_EQ(run.err, "heed: standard input, " + message + "\n");
    EXPECT_EQ(run.out, "");
  }
  for (const char* empty : {"", "\n \n"}) {
    EXPECT_EQ(Run(empty).code, kExitUsage);
    EXPECT_EQ(Run(empty).err, "heed: there is no row in standard input\n");
  }
  EXPECT_EQ(Run("\x1f\x8b\x08zip").err,
            "heed: standard input is gzip-compressed: unpack it first, as in `gunzip -c FILE | heed run`\n");
  EXPECT_EQ(Run("1\n\xff\n").err, "heed: standard input, line 2: not UTF-8 at byte 1\n");
  EXPECT_EQ(Run("1 " + std::string(100, 'x')).err,
            "heed: standard input, line 1: '" + std::string(40, 'x') + "' is not a finite number\n");
  EXPECT_THAT(sequences_.requests, IsEmpty());
}

TEST_F(RunCommands, MissingServerIsNamed) {
  const UnservedAddress unserved;
  const std::string& address = unserved.text();
  const HeedRun run = RunHeedWith({"run", "--server=" + address}, "1\n");
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_THAT(run.err, HasSubstr("heed-server --listen=" + address));
}

TEST_F(RunCommands, RowsComeBackWithTheFewestDigitsThatAreExact) {
  const HeedRun run = Run("0.1 2\n-3,\t4e-7\n");
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, "-3 4e-07\n0.1 2\n");
  EXPECT_EQ(run.err, "");
  const v1::RunSequenceRequest& request = sequences_.requests.at(0);
  EXPECT_EQ(request.model(), "ntm-copy");
  EXPECT_EQ(request.width(), 2);
  EXPECT_THAT(request.values(), ElementsAre(0.1f, 2, -3, 4e-7f));
  EXPECT_FALSE(request.has_repeat_count());
  EXPECT_FALSE(request.has_answer_row_count());
}

TEST_F(RunCommands, LinesOfNothingButBitsAreRowsOfBits) {
  EXPECT_EQ(Run("0110\r\n1000\n").out, "1 0 0 0\n0 1 1 0\n");
  EXPECT_EQ(Run("10\n12\n").out, "12\n10\n");  // rows of one number
  EXPECT_EQ(Run("10 0\n11 0\n").out, "11 0\n10 0\n");
  EXPECT_EQ(sequences_.requests.at(0).width(), 4);
}

TEST_F(RunCommands, BlankLinesSeparateSequences) {
  const HeedRun run = Run("\n1 2\n3 4\n \n\n5\n");
  EXPECT_EQ(run.out, "3 4\n1 2\n\n5\n");
}

TEST_F(RunCommands, ManySequencesComeInOrder) {
  std::string input;
  std::string expected;
  for (int i = 10; i < 500; ++i) {
    absl::StrAppend(&input, i, " 1\n\n");
    absl::StrAppend(&expected, i > 10 ? "\n" : "", i, " 1\n");
  }
  EXPECT_EQ(Run(input, {"--in_flight=16"}).out, expected);
}

TEST_F(RunCommands, ReadsAFileAndPassesFlagsOn) {
  directory_.Write("rows", "1 0\n");
  const HeedRun run = Run("", {directory_.File("rows"), "--repeats=2", "--answer_rows=3"});
  EXPECT_EQ(run.out, "1 0\n1 0\n") << run.err;
  EXPECT_EQ(sequences_.requests.at(0).repeat_count(), 2);
  EXPECT_EQ(sequences_.requests.at(0).answer_row_count(), 3);
  EXPECT_EQ(Run("2 0\n", {"-"}).out, "2 0\n");
}

TEST_F(RunCommands, RoundPrintsBits) {
  EXPECT_EQ(Run("0.5 0.49\n-1 2\n", {"--round"}).out, "0 1\n1 0\n");
  EXPECT_EQ(Run("0.5 0.49\n", {"--round", "--json"}).out, "{\"sequence\":1,\"model\":\"ntm-copy\",\"rows\":[[1,0]]}\n");
}

TEST_F(RunCommands, JsonIsOneObjectForEachSequence) {
  const HeedRun run = Run("0.1 2\n3 4\n\n9 1\n", {"--json"});
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out,
            "{\"sequence\":1,\"model\":\"ntm-copy\",\"rows\":[[3.0,4.0],[0.1,2.0]]}\n"
            "{\"sequence\":2,\"error\":{\"code\":\"INVALID_ARGUMENT\",\"message\":\"values[0] is 9\"}}\n");
}

TEST_F(RunCommands, FailedSequencesAreNamedAndMakeTheExitCodeOne) {
  const HeedRun run = Run("1 2\n\n9 1\n\n3 4\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, "1 2\n\n\n3 4\n");
  EXPECT_EQ(run.err, "heed: standard input, line 3: INVALID_ARGUMENT: values[0] is 9\n");
}

TEST_F(RunCommands, ServerThatSaysItCannotEndsTheRun) {
  sequences_.failure = grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down");
  const HeedRun run = Run("1 2\n\n9 1\n\n3 4\n", {"--deadline=0.3", "--in_flight=1"});
  EXPECT_EQ(run.code, kExitUnavailable);
  EXPECT_EQ(run.out, "1 2\n");
  EXPECT_THAT(run.err, HasSubstr("UNAVAILABLE: shutting down"));
}

TEST_F(RunCommands, InterruptExitsWith130) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(RunHeedWith({"run", server_.flag()}, "1 2\n", stop.get_token()).code, kExitInterrupted);
}

TEST_F(RunCommands, UnwritableOutputEndsTheRun) {
  std::istringstream in("1 2\n");
  std::ofstream out("/dev/full");
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err};
  EXPECT_EQ(RunHeed({"run", server_.flag()}, console), kExitFailed);
  EXPECT_EQ(err.str(), "heed: cannot write the output\n");
}

}  // namespace
}  // namespace heed::client
