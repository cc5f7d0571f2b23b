// SPDX-License-Identifier: Apache-2.0
#include "base/flags/flag_table.h"

#include <cstdlib>

#include "base/flags/help_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Values {
  bool fast = false;
  std::string name = "x";
  int count = 4;
  std::optional<int> beam;
  double rate = 1.5;
  std::string mode = "closed";
  std::vector<int> list = {1, 8};

  FlagTable Table() {
    FlagTable flags;
    flags.AddBool("fast", &fast, "Fast.");
    flags.AddString("name", &name, "NAME", "A name.");
    flags.AddInt("count", &count, 1, 10, "A count.");
    flags.AddInt("beam", &beam, 1, 32, "A beam.");
    flags.AddDouble("rate", &rate, 0, FlagTable::kNoLimit, "R", "A rate.");
    flags.AddChoice("mode", &mode, {"closed", "open"}, "A mode.");
    flags.AddIntList("some_list", &list, 1, 100, "A list.");
    return flags;
  }
};

TEST(FlagTable, ValueFollowsEqualsSignOrIsTheNextArgument) {
  Values values;
  const auto others = values.Table().Parse({"--count=7", "--name", "y", "file", "--fast", "--beam=2"});
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_THAT(*others, ElementsAre("file"));
  EXPECT_EQ(values.count, 7);
  EXPECT_EQ(values.name, "y");
  EXPECT_TRUE(values.fast);
  EXPECT_EQ(values.beam, 2);
  EXPECT_EQ(values.rate, 1.5);
}

TEST(FlagTable, DashesAndUnderscoresAreTheSameAndTheLastOneCounts) {
  Values values;
  ASSERT_TRUE(values.Table().Parse({"--some-list=1,2", "--some_list=3,64"}).ok());
  EXPECT_THAT(values.list, ElementsAre(3, 64));
}

TEST(FlagTable, BoolTakesAValueOnlyAfterAnEqualsSign) {
  Values values;
  values.fast = true;
  ASSERT_TRUE(values.Table().Parse({"--fast=false"}).ok());
  EXPECT_FALSE(values.fast);
  const auto others = values.Table().Parse({"--fast", "file"});
  ASSERT_TRUE(others.ok());
  EXPECT_THAT(*others, ElementsAre("file"));
  EXPECT_TRUE(values.fast);
  // It would be taken for the name of a file.
  EXPECT_THAT(Values().Table().Parse({"--fast", "false"}).status().message(), HasSubstr("--fast=false"));
}

TEST(FlagTable, AFlagIsNoValueOfTheOneBeforeIt) {
  Values values;
  EXPECT_THAT(values.Table().Parse({"--name", "--fast"}).status().message(), HasSubstr("--name needs a value"));
  ASSERT_TRUE(values.Table().Parse({"--name=--fast"}).ok());
  EXPECT_EQ(values.name, "--fast");
}

TEST(FlagTable, AnUnknownFlagGetsTheNearestOnesName) {
  const auto error = [](const std::string& flag) {
    return std::string(Values().Table().Parse({flag}).status().message());
  };
  EXPECT_EQ(error("--bean=4"), "unknown flag --bean; did you mean --beam?");
  EXPECT_EQ(error("--some-lits=4"), "unknown flag --some-lits; did you mean --some_list?");
  EXPECT_EQ(error("-count"), "unknown flag -count; did you mean --count?");
  EXPECT_EQ(error("--hepl"), "unknown flag --hepl; did you mean --help?");
  EXPECT_EQ(error("--quite_else"), "unknown flag --quite_else");
}

TEST(FlagTable, DoubleDashEndsTheFlagsAndASingleDashIsAnArgument) {
  Values values;
  const auto others = values.Table().Parse({"-", "--", "--fast"});
  ASSERT_TRUE(others.ok());
  EXPECT_THAT(*others, ElementsAre("-", "--fast"));
  EXPECT_FALSE(values.fast);
}

TEST(FlagTable, ErrorsNameTheFlagAndTheValue) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--what=1"}, "unknown flag --what"},
      {{"-x"}, "unknown flag -x"},
      {{"--count"}, "--count needs a value, as in --count=N"},
      {{"--count=11"}, "--count=11: must be a whole number from 1 to 10"},
      {{"--count=3.5"}, "--count=3.5: must be a whole number"},
      {{"--beam", "many"}, "--beam=many: must be a whole number from 1 to 32"},
      {{"--rate=-1"}, "--rate=-1: must be a number of at least 0"},
      {{"--rate=nan"}, "--rate=nan: must be a number"},
      {{"--mode=half"}, "--mode=half: must be one of closed, open"},
      {{"--fast=maybe"}, "--fast=maybe: must be true or false"},
      {{"--some_list=1,,2"}, "--some_list=1,,2: \"\" must be a whole number from 1 to 100"},
  };
  for (const auto& [arguments, message] : cases) {
    Values values;
    const auto parsed = values.Table().Parse(arguments);
    ASSERT_FALSE(parsed.ok()) << message;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(message));
    EXPECT_EQ(values.count, 4);
  }
}

TEST(FlagTable, HelpNamesEveryFlagWithItsDefault) {
  Values values;
  const std::string help = FlagHelp(values.Table().flags());
  EXPECT_THAT(help, HasSubstr("  --count=N               A count. (default 4)\n"));
  EXPECT_THAT(help, HasSubstr("  --fast                  Fast.\n"));
  EXPECT_THAT(help, HasSubstr("  --mode=closed|open      A mode. (default closed)\n"));
  EXPECT_THAT(help, HasSubstr("A list. (default 1,8)\n"));
}

TEST(FlagTable, HelpWrapsLongTexts) {
  bool target = false;
  FlagTable flags;
  flags.AddBool("words", &target, std::string(40, 'a') + " " + std::string(40, 'b') + " c");
  EXPECT_EQ(FlagHelp(flags.flags()), "  --words                 " + std::string(40, 'a') + "\n" + std::string(26, ' ') +
                                         std::string(40, 'b') + " c\n");
}

TEST(FlagTable, HelpWinsOverErrorsAfterIt) {
  Values values;
  FlagTable flags = values.Table();
  ASSERT_TRUE(flags.Parse({"--help", "--nonsense"}).ok());
  EXPECT_EQ(flags.action(), "help");
}

TEST(FlagTable, EachKeepsTheOrderOfTheArguments) {
  std::vector<std::pair<std::string, std::string>> sentences;
  FlagTable flags;
  flags.AddEach("fact", &sentences, "TEXT", "");
  flags.AddEach("question", &sentences, "TEXT", "");
  EXPECT_TRUE(flags.Parse({"--fact=a", "--question", "b", "--fact="}).ok());
  EXPECT_THAT(sentences, testing::ElementsAre(testing::Pair("fact", "a"), testing::Pair("question", "b"),
                                              testing::Pair("fact", "")));
}

TEST(FlagTable, ValuesArePassedOnAsTheyAre) {
  for (const std::string value : {"", "-1", "-", "--", "--fast", "[a,b]", "a b", "a=b", "{}", "%%", "\"a\"", "ä\n"}) {
    Values values;
    ASSERT_TRUE(values.Table().Parse({"--name=" + value}).ok());
    EXPECT_EQ(values.name, value);
  }
  Values values;
  const auto others = values.Table().Parse({"--name", "-1", "[a,b]", "--count", "3", "", "--", "--", "-x"});
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_THAT(*others, ElementsAre("[a,b]", "", "--", "-x"));
  EXPECT_EQ(values.name, "-1");
  EXPECT_EQ(values.count, 3);
}

TEST(FlagTable, ARepeatedFlagCanBeRefused) {
  int count = 0;
  FlagTable flags(FlagTable::Repeated::kRefused);
  flags.AddInt("some_count", &count, 0, 9, "");
  EXPECT_EQ(flags.Parse({"--some-count=1", "--some_count", "2"}).status().message(),
            "--some_count: is given twice, as 1 and 2");
}

TEST(FlagTable, TheEnvironmentHoldsADefault) {
  Values values;
  FlagTable flags = values.Table();
  flags.AddString("place", &values.name, "PLACE", "").environment = "HEED_TEST_PLACE";
  setenv("HEED_TEST_PLACE", "from outside", 1);
  ASSERT_TRUE(flags.Parse({}).ok());
  EXPECT_EQ(values.name, "from outside");
  Values others;
  FlagTable again = others.Table();
  again.AddString("place", &others.name, "PLACE", "").environment = "HEED_TEST_PLACE";
  ASSERT_TRUE(again.Parse({"--place=mine"}).ok());
  EXPECT_EQ(others.name, "mine");
  unsetenv("HEED_TEST_PLACE");
}

TEST(FlagTable, AConfigurationFileSetsWhatTheArgumentsDoNot) {
  Values values;
  FlagTable flags = values.Table();
  ASSERT_TRUE(flags.Parse({"--count=7"}).ok());
  const absl::Status status = flags.ParseConfig("f.toml",
                                                "# A comment.\n"
                                                "count = 3\n"
                                                "name = \"a, b = c; d\"  # another\n"
                                                "  fast = true\n"
                                                "mode = 'open'\n"
                                                "some-list = [2, 3]\n"
                                                "rate=-0\n");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(values.count, 7);
  EXPECT_EQ(values.name, "a, b = c; d");
  EXPECT_TRUE(values.fast);
  EXPECT_EQ(values.mode, "open");
  EXPECT_THAT(values.list, ElementsAre(2, 3));
}

TEST(FlagTable, ErrorsOfAConfigurationFileNameFileAndLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"# First.\n\nbean = 4\n", "f.toml:3: unknown flag bean; did you mean --beam?"},
      {"count = 11\n", "f.toml:1: --count=11: must be a whole number from 1 to 10"},
      {"count = 1\n\ncount = 2\n", "f.toml:3: count: is given twice"},
      {"count = 1\nsome_list = 1\ncount = 1\n", "f.toml:3: count: is given twice"},
      {"help = true\n", "f.toml:1: help is only for the command line"},
      {"[limits]\ncount = 1\n", "f.toml: has a section or a dotted name"},
      {"limits.count = 1\n", "f.toml: has a section or a dotted name, \"limits.count\""},
      {"name = \"a # b\"\n", "f.toml:1: name: has no closing quote"},
      {"\nx=\n", "f.toml:2: \"x=\" is not NAME = VALUE"},
      {"some words\n", "f.toml:1: unknown flag some words"},
  };
  for (const auto& [text, message] : cases) {
    Values values;
    FlagTable flags = values.Table();
    EXPECT_THAT(std::string(flags.ParseConfig("f.toml", text).message()), HasSubstr(message));
  }
  Values values;
  EXPECT_THAT(std::string(values.Table().ReadConfig("/no/such/file").message()), HasSubstr("/no/such/file"));
  EXPECT_THAT(std::string(values.Table().ReadConfig("/dev/null").message()), HasSubstr("is not a file"));
}

TEST(FlagTable, ActionsEndTheParsing) {
  FlagTable flags;
  flags.AddAction("version", 'v', "Print the version.");
  ASSERT_TRUE(flags.Parse({"-v", "--nonsense"}).ok());
  EXPECT_EQ(flags.action(), "version");
  EXPECT_THAT(std::string(flags.Parse({"--version=1"}).status().message()), HasSubstr("--version takes no value"));
}

}  // namespace
}  // namespace heed
