#include "client/cli/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heed::client {
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
      {{"--count"}, "--count needs a value: --count=N"},
      {{"--count=11"}, "--count: '11' is not a whole number from 1 to 10"},
      {{"--count=3.5"}, "--count: '3.5' is not a whole number"},
      {{"--beam", "many"}, "--beam: 'many' is not a whole number from 1 to 32"},
      {{"--rate=-1"}, "--rate: '-1' is not a number of at least 0"},
      {{"--rate=nan"}, "--rate: 'nan' is not a number"},
      {{"--mode=half"}, "--mode: 'half' is none of closed, open"},
      {{"--fast=maybe"}, "--fast: 'maybe' is neither true nor false"},
      {{"--some_list=1,,2"}, "--some_list: '1,,2' is not a whole number"},
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
  const std::string help = values.Table().Help();
  EXPECT_THAT(help, HasSubstr("  --count=N               A count. (default 4)\n"));
  EXPECT_THAT(help, HasSubstr("  --fast                  Fast.\n"));
  EXPECT_THAT(help, HasSubstr("  --mode=closed|open      A mode. (default closed)\n"));
  EXPECT_THAT(help, HasSubstr("A list. (default 1,8)\n"));
}

TEST(FlagTable, HelpWrapsLongTexts) {
  bool target = false;
  FlagTable flags;
  flags.AddBool("words", &target, std::string(40, 'a') + " " + std::string(40, 'b') + " c");
  EXPECT_EQ(flags.Help(), "  --words                 " + std::string(40, 'a') + "\n" + std::string(26, ' ') +
                              std::string(40, 'b') + " c\n");
}

TEST(FlagTable, HelpWinsOverErrorsAfterIt) {
  Values values;
  FlagTable flags = values.Table();
  ASSERT_TRUE(flags.Parse({"--help", "--nonsense"}).ok());
  EXPECT_TRUE(flags.help_wanted());
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

}  // namespace
}  // namespace heed::client
