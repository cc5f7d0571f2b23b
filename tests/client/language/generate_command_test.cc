// SPDX-License-Identifier: Apache-2.0
// heed generate as a script sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

class GenerateCommands : public testing::Test {
 protected:
  GenerateCommands() { server_.AddModel("wiki", v1::MODEL_STATE_READY, "language-model"); }

  HeedRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), {"generate", server_.flag()});
    return RunHeedWith(arguments, input);
  }

  TemporaryDirectory directory_;
  FakeServer server_;
  FakeTexts& texts_ = server_.texts();
};

TEST_F(GenerateCommands, HelpNamesExitCodesAndExamples) {
  const HeedRun run = RunHeedWith({"generate", "--help"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.out, StartsWith("Usage: heed generate"));
  for (const char* part : {"--server=HOST:PORT", "Exit codes:", "Examples:"}) EXPECT_THAT(run.out, HasSubstr(part));
}

TEST_F(GenerateCommands, GoesOnFromThePrompt) {
  const HeedRun run = Run({"Once upon a time"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(run.out, " more\nmore\n");
  EXPECT_EQ(run.err, "heed: the model does not know: xylo\n");
  EXPECT_EQ(texts_.last_generate.prompt(), "Once upon a time");
  EXPECT_EQ(texts_.last_generate.model(), "wiki");
  EXPECT_EQ(Run({"--echo", "Once"}).out, "Once more\nmore\n");
}

TEST_F(GenerateCommands, EachLineIsAPrompt) {
  EXPECT_EQ(Run({}, "a\nb\n").out, " more more\n more more\n");
  EXPECT_EQ(Run({"--join"}, "a\nb\n").out, " more\nmore\n");
  EXPECT_EQ(texts_.last_generate.prompt(), "a\nb");
  const HeedRun run = Run({"--json"}, "a\nbad\nb\n");
  EXPECT_EQ(run.code, kExitFailed);
  const std::vector<nlohmann::json> lines = JsonLines(run.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["text"], " more\nmore");
  EXPECT_EQ(lines[0]["texts"][0]["finish_reason"], "length");
  EXPECT_EQ(lines[0]["texts"][0]["log_probability"], -4);
  EXPECT_EQ(lines[0]["prompt_tokens"], 3);
  EXPECT_EQ(lines[1]["error"]["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(lines[2]["line"], 3);
}

TEST_F(GenerateCommands, OptionsAreSent) {
  Run({"--max_tokens=9", "--min_tokens=2", "--stop=.", "--stop=\n", "--keep_going", "--keep_loops", "--allow_unknown",
       "--n=3", "--repetition_penalty=1.5", "--no_repeat_ngram=4", "--temperature=0.5", "--top_k=7", "--top_p=0.9",
       "--seed=11", "--generation_mode=as-hugging-face", "--tokens", "--alternatives=2", "a"});
  const v1::GenerateOptions& options = texts_.last_generate.options();
  EXPECT_EQ(options.max_tokens(), 9);
  EXPECT_EQ(options.min_tokens(), 2);
  EXPECT_THAT(options.stop(), ElementsAre(".", "\n"));
  EXPECT_TRUE(options.has_stop_at_end());
  EXPECT_FALSE(options.stop_at_end());
  EXPECT_TRUE(options.has_stop_loops());
  EXPECT_FALSE(options.stop_loops());
  EXPECT_TRUE(options.has_ban_unknown());
  EXPECT_FALSE(options.ban_unknown());
  EXPECT_EQ(options.n(), 3);
  EXPECT_FLOAT_EQ(options.repetition_penalty(), 1.5f);
  EXPECT_EQ(options.no_repeat_ngram(), 4);
  EXPECT_FLOAT_EQ(options.sampling().temperature(), 0.5f);
  EXPECT_EQ(options.sampling().top_k(), 7);
  EXPECT_FLOAT_EQ(options.sampling().top_p(), 0.9f);
  EXPECT_EQ(options.sampling().seed(), 11u);
  EXPECT_EQ(options.mode(), v1::GenerateOptions::MODE_AS_HUGGING_FACE);
  EXPECT_TRUE(options.return_tokens());
  EXPECT_EQ(options.top_k_alternatives(), 2);
  Run({"a"});
  const v1::GenerateOptions& plain = texts_.last_generate.options();
  EXPECT_FALSE(plain.has_sampling());
  EXPECT_FALSE(plain.has_beam_size());
  EXPECT_FALSE(plain.has_stop_at_end());
  Run({"--greedy", "--beam=4", "--length_penalty=0.5", "--early_stopping=never", "--stop_at_end", "a"});
  const v1::GenerateOptions& search = texts_.last_generate.options();
  EXPECT_TRUE(search.greedy());
  EXPECT_EQ(search.beam_size(), 4);
  EXPECT_FLOAT_EQ(search.length_penalty(), 0.5f);
  EXPECT_EQ(search.early_stopping(), v1::GenerateOptions::EARLY_STOPPING_NEVER);
  EXPECT_TRUE(search.stop_at_end());
}

TEST_F(GenerateCommands, StreamsWordsAsTheyCome) {
  EXPECT_EQ(Run({"--stream", "--max_tokens=1", "a"}).out, " more\n");
  EXPECT_EQ(texts_.last_stream.prompt(), "a");
  EXPECT_EQ(texts_.last_stream.options().max_tokens(), 1);
  const HeedRun run = Run({"--stream"}, "a\nbad\nb\n");
  EXPECT_EQ(run.code, kExitFailed);
  EXPECT_EQ(run.out, " more more\n\n more more\n");
  EXPECT_THAT(run.err, HasSubstr("line 2: INVALID_ARGUMENT"));
}

TEST_F(GenerateCommands, ATerminalGetsTheTextAsItGrows) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err, .out_is_terminal = true};
  EXPECT_EQ(RunHeed({"generate", server_.flag(), "Once"}, console), kExitOk) << err.str();
  EXPECT_EQ(out.str(), " more\nmore\n");
  EXPECT_EQ(texts_.last_stream.prompt(), "Once");
}

TEST_F(GenerateCommands, ASessionNeedsNoPrompt) {
  const HeedRun run = Run({"--session=t1", "--commit", "--json"});
  EXPECT_EQ(run.code, kExitOk) << run.err;
  EXPECT_EQ(texts_.last_generate.session(), "t1");
  EXPECT_TRUE(texts_.last_generate.commit());
  EXPECT_THAT(texts_.last_generate.request_id(), StartsWith("heed-"));
  EXPECT_EQ(JsonLines(run.out).at(0)["session"]["version"], 1);
}

TEST_F(GenerateCommands, WrongArgumentsAreUsageErrors) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"a", "b"}, "unexpected argument 'b'"},
      {{"--input=/no/such"}, "cannot read '/no/such'"},
      {{"--commit", "a"}, "--commit needs --session"},
      {{"--stream", "--json", "a"}, "--stream excludes"},
      {{"--stream", "--n=2", "a"}, "--stream needs --n=1"},
      {{"--greedy", "--seed=2", "a"}, "--greedy and the flags of sampling exclude each other"},
      {{"--beam=2", "--sample", "a"}, "sampling needs --beam=1"},
      {{"--join", "a"}, "PROMPT excludes"},
      {{"--alternatives=2", "a"}, "--alternatives needs --tokens"},
      {{"--min_tokens=5", "--max_tokens=4", "a"}, "--min_tokens is more than --max_tokens"},
  };
  for (const auto& [flags, message] : cases) {
    const HeedRun run = Run(flags);
    EXPECT_EQ(run.code, kExitUsage) << message;
    EXPECT_THAT(run.err, HasSubstr(message));
  }
}

}  // namespace
}  // namespace heed::client
