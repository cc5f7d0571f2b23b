// SPDX-License-Identifier: Apache-2.0
#include "server/options/flags.h"

#include <fstream>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/flags/help_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<CommandLine> Parse(std::vector<absl::string_view> arguments) { return ParseCommandLine(arguments); }

std::string ErrorOf(std::vector<absl::string_view> arguments) {
  const auto command_line = Parse(std::move(arguments));
  EXPECT_EQ(command_line.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(command_line.status().message());
}

TEST(FlagsTest, NoFlagsMeansTheDefaults) {
  const auto command_line = Parse({});
  ASSERT_TRUE(command_line.ok());
  EXPECT_EQ(command_line->action, CommandLine::Action::kServe);
  EXPECT_EQ(command_line->options.models, "");
  EXPECT_EQ(command_line->options.listen, "127.0.0.1:50051");
  EXPECT_EQ(command_line->options.metrics_listen, "127.0.0.1:8002");
}

TEST(FlagsTest, ValuesReachTheOptions) {
  const auto command_line =
      Parse({"--models=/m", "--listen=0.0.0.0:0", "--metrics_listen=", "--threads=4", "--executors=2",
             "--max_queued_requests=5", "--max_batch_rows=7", "--drain_timeout_s=1.5", "--log_level=debug",
             "--management", "--tls_cert=c", "--tls_key=k", "--tls_client_ca=a"});
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  const ServerOptions& options = command_line->options;
  EXPECT_EQ(options.models, "/m");
  EXPECT_EQ(options.listen, "0.0.0.0:0");
  EXPECT_EQ(options.metrics_listen, "");
  EXPECT_EQ(options.threads, 4);
  EXPECT_EQ(options.executors, 2);
  EXPECT_EQ(options.max_queued_requests, 5);
  EXPECT_EQ(options.max_batch_rows, 7);
  EXPECT_EQ(options.drain_timeout_s, 1.5);
  EXPECT_EQ(options.log_level, "debug");
  EXPECT_TRUE(options.management);
  EXPECT_EQ(options.tls_cert, "c");
  EXPECT_EQ(options.tls_key, "k");
  EXPECT_EQ(options.tls_client_ca, "a");
}

TEST(FlagsTest, AValueMayBeTheNextArgument) {
  const auto command_line = Parse({"--models", "/m", "--management", "--threads", "4", "--metrics_listen", ""});
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  EXPECT_EQ(command_line->options.models, "/m");
  EXPECT_TRUE(command_line->options.management);
  EXPECT_EQ(command_line->options.threads, 4);
  EXPECT_EQ(command_line->options.metrics_listen, "");
  EXPECT_THAT(ErrorOf({"--models", "--listen=127.0.0.1:1"}), HasSubstr("--models needs a value"));
  EXPECT_THAT(ErrorOf({"--threads", "x"}), HasSubstr("--threads=x: must be a whole number"));
  EXPECT_THAT(ErrorOf({"--models", "a", "b"}), HasSubstr("\"b\" is not a flag"));
}

TEST(FlagsTest, NamesAreWrittenWithDashesOrUnderscores) {
  EXPECT_EQ(Parse({"--metrics-listen=127.0.0.1:1"})->options.metrics_listen, "127.0.0.1:1");
  EXPECT_THAT(ErrorOf({"--metrics-listen=a:1", "--metrics_listen=b:1"}), HasSubstr("--metrics_listen: is given twice"));
}

TEST(FlagsTest, AnUnknownFlagGetsTheNearestOnesName) {
  EXPECT_EQ(ErrorOf({"--model=weights"}), "unknown flag --model; did you mean --models?");
  EXPECT_EQ(ErrorOf({"--lisen", "127.0.0.1:1"}), "unknown flag --lisen; did you mean --listen?");
  EXPECT_EQ(ErrorOf({"--nope"}), "unknown flag --nope");
}

TEST(FlagsTest, HelpAndVersionHaveShortNames) {
  EXPECT_EQ(Parse({"-h"})->text, HelpText());
  EXPECT_EQ(Parse({"-v"})->text, Parse({"--version"})->text);
}

TEST(FlagsTest, ABoolNeedsNoValueAndTakesOne) {
  EXPECT_THAT(ErrorOf({"--management", "false"}), HasSubstr("--management=false"));
  EXPECT_TRUE(Parse({"--management"})->options.management);
  EXPECT_TRUE(Parse({"--management=true"})->options.management);
  EXPECT_FALSE(Parse({"--management=false"})->options.management);
  EXPECT_FALSE(Parse({})->options.management);
}

TEST(FlagsTest, LimitsOfAModelStandInForTheGeneralOnes) {
  const auto command_line =
      Parse({"--model_limits=en-de:max_queued_requests=64,max_batch_rows=256;a:b:max_queued_rows=9",
             "--max_queued_requests=5", "--max_running_tasks=7"});
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  const ServerOptions en_de = OptionsOf("en-de", command_line->options);
  EXPECT_EQ(en_de.max_queued_requests, 64);
  EXPECT_EQ(en_de.max_batch_rows, 256);
  EXPECT_EQ(en_de.max_running_tasks, 7) << "it is not among the model's own";
  EXPECT_EQ(OptionsOf("a:b", command_line->options).max_queued_rows, 9);
  const ServerOptions other = OptionsOf("other", command_line->options);
  EXPECT_EQ(other.max_queued_requests, 5);
  EXPECT_EQ(other.max_batch_rows, 512);
}

TEST(FlagsTest, ErrorsOfModelLimitsNameModelLimitAndValues) {
  EXPECT_EQ(ErrorOf({"--model_limits=a:max_batch_rows=0"}),
            "--model_limits=a:max_batch_rows=0: model \"a\": max_batch_rows=0: must be a whole number from 1 to "
            "1099511627776");
  EXPECT_THAT(ErrorOf({"--model_limits=a:max_batch_rows=1,max_bach=2"}),
              HasSubstr("model \"a\": \"max_bach\" is no limit of a model; known are max_queued_requests, "
                        "max_queued_tasks, max_queued_rows, max_batch_rows, max_running_tasks, max_cache_bytes"));
  EXPECT_THAT(ErrorOf({"--model_limits=a:threads=1"}), HasSubstr("\"threads\" is no limit of a model"));
  EXPECT_THAT(ErrorOf({"--model_limits=a:max_batch_rows"}), HasSubstr("model \"a\": max_batch_rows needs a value"));
  EXPECT_THAT(ErrorOf({"--model_limits=a:max_batch_rows=1,max_batch_rows=2"}),
              HasSubstr("model \"a\": max_batch_rows: is given twice, as 1 and 2"));
  EXPECT_THAT(ErrorOf({"--model_limits=a:max_batch_rows=1;a:max_batch_rows=2"}),
              HasSubstr("model \"a\" is named twice"));
  EXPECT_THAT(ErrorOf({"--model_limits=max_batch_rows=1"}), HasSubstr("\"max_batch_rows=1\" is not MODEL:LIMIT=VALUE"));
  EXPECT_THAT(ErrorOf({"--model_limits=:max_batch_rows=1"}), HasSubstr("is not MODEL:LIMIT=VALUE"));
  EXPECT_THAT(ErrorOf({"--model_limits=a:"}), HasSubstr("model \"a\": \"\" is no limit"));
}

TEST(FlagsTest, PrecisionsOfAllModelsAndOfOne) {
  EXPECT_EQ(Parse({})->options.precision, "f32");
  const auto command_line = Parse({"--precision=int8", "--model_precision=en-de=bf16,books=f32"});
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  EXPECT_EQ(command_line->options.precision, "int8");
  EXPECT_EQ(command_line->options.model_precision, "en-de=bf16,books=f32");
  EXPECT_EQ(ErrorOf({"--precision=fp16"}), "--precision=fp16: must be one of f32, bf16, int8");
  EXPECT_EQ(ErrorOf({"--model_precision=m=int4"}),
            "--model_precision=m=int4: model \"m\": \"int4\" is no precision, must be one of f32, bf16, int8");
  EXPECT_EQ(ErrorOf({"--model_precision=int8"}),
            "--model_precision=int8: \"int8\" is not NAME=PRECISION, as in NAME=int8");
}

TEST(FlagsTest, EveryDefaultIsAllowed) {
  ServerOptions options;
  FlagTable flags;
  AddServerFlags(options, flags);
  for (const FlagInfo& flag : flags.flags()) {
    EXPECT_TRUE(flag.action || flags.Set(flag.name, flag.default_value).ok()) << flag.name;
  }
}

TEST(FlagsTest, HelpNamesEachFlagWithItsUnitAndDefault) {
  const std::string help = HelpText();
  // A default may be on the next line.
  const std::string words = absl::StrJoin(absl::StrSplit(help, absl::ByAnyChar(" \n"), absl::SkipEmpty()), " ");
  std::set<absl::string_view> names;
  const ProgramPage page = ServerPage();
  for (const FlagInfo& flag : page.program.flags) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name << " is twice in the table";
    if (flag.help.empty()) continue;
    EXPECT_THAT(help, HasSubstr(FlagForm(flag)));
    EXPECT_THAT(words, HasSubstr(MeaningAndDefault(flag)));
    EXPECT_LE(flag.help.size(), 180u) << flag.name << ": its help is too long";
    EXPECT_EQ(flag.help.back(), '.') << flag.name;
    EXPECT_TRUE(absl::ascii_isupper(static_cast<unsigned char>(flag.help[0]))) << flag.name;
  }
  for (const absl::string_view line : absl::StrSplit(help, '\n')) EXPECT_LE(line.size(), kHelpColumns) << line;
}

TEST(FlagsTest, HelpAndVersionAreActions) {
  EXPECT_EQ(Parse({"--help"})->action, CommandLine::Action::kPrint);
  EXPECT_EQ(Parse({"--help"})->text, HelpText());
  EXPECT_THAT(Parse({"--listen=x:1", "--version"})->text, StartsWith("heed-server 0."));
  EXPECT_EQ(Parse({"--help", "--nonsense"})->text, HelpText());
}

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/heed_flags_test_" + name;
  std::ofstream(path) << text;
  return path;
}

TEST(FlagsTest, AConfigurationFileSetsFlagsAndTheCommandLineWins) {
  const std::string path = WriteFile("good.toml",
                                     "models = \"/m\"\n"
                                     "threads = 4\n"
                                     "executors = 3\n"
                                     "management = true\n"
                                     "model_limits = \"a:max_batch_rows=7,max_queued_rows=8;b:max_batch_rows=9\"\n");
  const auto command_line = Parse({"--config", path, "--threads=6"});
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  EXPECT_EQ(command_line->options.models, "/m");
  EXPECT_EQ(command_line->options.threads, 6);
  EXPECT_EQ(command_line->options.executors, 3);
  EXPECT_TRUE(command_line->options.management);
  EXPECT_EQ(OptionsOf("a", command_line->options).max_queued_rows, 8);
  EXPECT_THAT(ErrorOf({"--config", path, "--threads=2"}), HasSubstr("--executors=3: must be at most --threads=2"));
}

TEST(FlagsTest, ErrorsOfAConfigurationFileNameTheLine) {
  const std::string path = WriteFile("bad.toml", "# mine\nmax_bach_rows = 7\n");
  EXPECT_EQ(
      ErrorOf({"--config=" + path}),
      absl::StrCat("--config=", path, ": ", path, ":2: unknown flag max_bach_rows; did you mean --max_batch_rows?"));
  EXPECT_THAT(ErrorOf({"--config=/no/such/file"}), HasSubstr("--config=/no/such/file"));
  EXPECT_THAT(ErrorOf({"--config=" + WriteFile("self.toml", "config = \"x\"\n")}),
              HasSubstr("only for the command line"));
}

TEST(FlagsTest, ThePrintedConfigurationHoldsEveryDefault) {
  const std::string text = Parse({"--print_config"})->text;
  ServerOptions options;
  FlagTable flags;
  AddServerFlags(options, flags);
  EXPECT_TRUE(flags.ParseConfig("as it is", text).ok());
  // Every setting without its "#".
  std::string settings;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StrContains(line, " = ") && flags.Find(line.substr(2, line.find(' ', 2) - 2)) != nullptr) {
      absl::StrAppend(&settings, line.substr(2), "\n");
    }
  }
  const absl::Status status = flags.ParseConfig("settings", settings);
  EXPECT_TRUE(status.ok()) << status;
  for (const FlagInfo& flag : flags.flags()) {
    EXPECT_TRUE(flag.action || absl::StrContains(settings, absl::StrCat(flag.name, " = "))) << flag.name;
  }
}

TEST(FlagsTest, ErrorsNameTheFlag) {
  EXPECT_THAT(ErrorOf({"--nope=1"}), HasSubstr("unknown flag --nope"));
  EXPECT_THAT(ErrorOf({"weights"}), HasSubstr("\"weights\" is not a flag"));
  EXPECT_THAT(ErrorOf({"--listen"}), HasSubstr("--listen needs a value"));
  EXPECT_THAT(ErrorOf({"--threads=many"}), HasSubstr("--threads=many: must be a whole number from 0 to 1024"));
  EXPECT_THAT(ErrorOf({"--max_batch_rows=0"}), HasSubstr("--max_batch_rows=0: must be"));
  EXPECT_THAT(ErrorOf({"--drain_timeout_s=-1"}), HasSubstr("--drain_timeout_s=-1: must be"));
  EXPECT_THAT(ErrorOf({"--drain_timeout_s=nan"}), HasSubstr("--drain_timeout_s=nan: must be"));
  EXPECT_THAT(ErrorOf({"--log_level=loud"}), HasSubstr("must be one of debug, info, warn, error"));
  EXPECT_THAT(ErrorOf({"--management=yes"}), HasSubstr("--management=yes: must be true or false"));
  EXPECT_THAT(ErrorOf({"--tls_cert=c"}), HasSubstr("--tls_cert=c, --tls_key=: one is of no use without the other"));
  EXPECT_THAT(ErrorOf({"--tls_key=k"}), HasSubstr("--tls_cert=, --tls_key=k: one is of no use without the other"));
  EXPECT_THAT(ErrorOf({"--trace_ca=a"}), HasSubstr("--trace_ca=a: is of no use without --trace_endpoint=https://"));
  EXPECT_THAT(ErrorOf({"--trace_ca=a", "--trace_endpoint=collector:4317"}), HasSubstr("is of no use without"));
  EXPECT_THAT(ErrorOf({"--tls_client_ca=a"}), HasSubstr("--tls_client_ca=a: is of no use without --tls_cert"));
  EXPECT_THAT(ErrorOf({"--threads=1", "--threads=2"}), HasSubstr("--threads: is given twice"));
  EXPECT_THAT(ErrorOf({"--threads=2", "--executors=3"}), HasSubstr("--executors=3: must be at most --threads=2"));
}

}  // namespace
}  // namespace heed
