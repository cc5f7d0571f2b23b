// SPDX-License-Identifier: Apache-2.0
// Byte pair encoding against subword-nmt's answers, which tests/quality/text_parity.py wrote, and against the plain
// loop.
#include "models/text/byte_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/support/temporary_directory.h"

namespace heed {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;

bool Anything(absl::string_view) { return true; }

class BytePairsTest : public testing::Test {
 protected:
  BytePairs Load(const std::string& codes) {
    directory_.Write("codes", codes);
    absl::StatusOr<BytePairs> pairs = BytePairs::Load(directory_.File("codes"));
    EXPECT_TRUE(pairs.ok()) << pairs.status();
    return pairs.ok() ? *std::move(pairs) : BytePairs();
  }
  std::string Error(const std::string& codes) {
    directory_.Write("codes", codes);
    return std::string(BytePairs::Load(directory_.File("codes")).status().message());
  }

  TemporaryDirectory directory_;
};

TEST_F(BytePairsTest, WordsBecomeThePiecesOfSubwordNmt) {
  const std::string gold = std::string(HEED_SOURCE_DIR) + "/tests/models/text/gold/";
  const absl::StatusOr<BytePairs> pairs = BytePairs::Load(gold + "codes.bpe");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  std::ifstream file(gold + "bpe.tsv");
  std::string line;
  std::getline(file, line);  // a comment
  std::getline(file, line);
  const std::set<std::string, std::less<>> known = absl::StrSplit(line, ' ');
  int sentences = 0;
  for (; std::getline(file, line); ++sentences) {
    const std::vector<std::string> columns = absl::StrSplit(line, '\t');
    ASSERT_THAT(columns, SizeIs(3)) << line;
    std::vector<std::string> free, restricted;
    for (absl::string_view word : absl::StrSplit(columns[0], ' ')) {
      for (std::string& piece : pairs->SplitWithin(word, "@@", Anything)) free.push_back(std::move(piece));
      const auto has = [&](absl::string_view piece) { return known.contains(piece); };
      for (std::string& piece : pairs->SplitWithin(word, "@@", has)) restricted.push_back(std::move(piece));
    }
    EXPECT_EQ(absl::StrJoin(free, " "), columns[1]);
    EXPECT_EQ(absl::StrJoin(restricted, " "), columns[2]);
  }
  EXPECT_GE(sentences, 30);
}

// The definition: while two neighbors merge, join those of the first such merge, everywhere from left to right.
std::vector<std::string> PlainLoop(const std::vector<std::pair<std::string, std::string>>& merges, std::string word) {
  std::vector<std::string> symbols;
  for (const char c : word) symbols.emplace_back(1, c);
  symbols.back() += "</w>";
  for (bool merged = true; merged;) {
    merged = false;
    for (const auto& [left, right] : merges) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] != left || symbols[i + 1] != right) continue;
        symbols[i] += right;
        symbols.erase(symbols.begin() + static_cast<int64_t>(i) + 1);
        merged = true;
      }
      if (merged) break;
    }
  }
  symbols.back().resize(symbols.back().size() - 4);
  return symbols;
}

// Merges of a file in any order: one may make another possible that is before it.
TEST_F(BytePairsTest, MergesInAnyOrderAreThoseOfThePlainLoop) {
  std::mt19937 random(7);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> symbols = {"a", "b", "c", "a</w>", "b</w>", "c</w>"};
    std::vector<std::pair<std::string, std::string>> merges;
    for (int i = 0; i < 12; ++i) {
      const std::string left = symbols[below(symbols.size())], right = symbols[below(symbols.size())];
      if (absl::EndsWith(left, "</w>")) continue;
      merges.emplace_back(left, right);
      symbols.push_back(left + right);
    }
    std::shuffle(merges.begin(), merges.end(), random);
    std::string codes = "#version: 0.2\n";
    for (const auto& [left, right] : merges) absl::StrAppend(&codes, left, " ", right, "\n");
    const BytePairs pairs = Load(codes);
    for (int i = 0; i < 20; ++i) {
      std::string word;
      for (size_t letters = 1 + below(20); letters > 0; --letters) word += static_cast<char>('a' + below(3));
      EXPECT_EQ(absl::StrJoin(pairs.Split(word), " "), absl::StrJoin(PlainLoop(merges, word), " ")) << codes << word;
    }
  }
}

TEST_F(BytePairsTest, TheEndOfTheWordIsMarked) {
  const BytePairs pairs = Load("#version: 0.2\na b\nb c</w>\n");
  EXPECT_THAT(pairs.Split("abc"), ElementsAre("ab", "c"));
  EXPECT_THAT(pairs.Split("bc"), ElementsAre("bc"));
  EXPECT_THAT(pairs.Split("bcb"), ElementsAre("b", "c", "b"));
  EXPECT_THAT(pairs.SplitWithin("xü", "@@", Anything), ElementsAre("x@@", "ü"));
  EXPECT_THAT(pairs.SplitWithin("x", "@@", Anything), ElementsAre("x"));
}

// Until version 0.2 the end was a symbol of its own, which merges like others.
TEST_F(BytePairsTest, FilesWithoutAVersionHaveAnEndOfTheirOwn) {
  const BytePairs pairs = Load("c </w>\nb c</w>\na b\n");
  EXPECT_THAT(pairs.Split("abc"), ElementsAre("a", "bc"));
  EXPECT_THAT(pairs.Split("ab"), ElementsAre("ab"));
  EXPECT_THAT(Load("#version: 0.1\nc </w>\nb c</w>\na b\n").Split("abc"), ElementsAre("a", "bc"));
}

TEST_F(BytePairsTest, CharactersAndMergesArePiecesOfWords) {
  const BytePairs pairs = Load("#version: 0.2\na b\nc d</w>\n");
  EXPECT_TRUE(pairs.CanMake("\xc3\xbc", false));
  EXPECT_TRUE(pairs.CanMake("ab", false));
  EXPECT_TRUE(pairs.CanMake("cd", true));
  EXPECT_FALSE(pairs.CanMake("ab", true));
  EXPECT_FALSE(pairs.CanMake("cd", false));
  EXPECT_FALSE(pairs.CanMake("", false));
  EXPECT_FALSE(pairs.CanMake("", true));
}

TEST_F(BytePairsTest, TheFirstOfTwoEqualMergesCounts) {
  EXPECT_THAT(Load("#version: 0.2\nb c\na b\nb c\n").Split("abcx"), ElementsAre("a", "bc", "x"));
}

TEST_F(BytePairsTest, LongWordsTakeLittleTime) {
  const BytePairs pairs = Load("#version: 0.2\na a\naa aa\naaaa aaaa\nb a\nab a\n");
  for (const char* part : {"a", "ab", "aab"}) {
    std::string word;
    for (int i = 0; i < 200000; ++i) word += part;
    EXPECT_EQ(absl::StrJoin(pairs.Split(word), ""), word);
  }
}

TEST_F(BytePairsTest, DamagedFilesAreRefused) {
  EXPECT_THAT(Error("#version: 0.2\na b\na b c\n"),
              EndsWith("codes:3: \"a b c\" is not two symbols with one blank between them"));
  EXPECT_THAT(Error("#version: 0.2\na b\nab\n"), HasSubstr("codes:3: \"ab\" is not two symbols"));
  EXPECT_THAT(Error("a b\n\na c\n"), HasSubstr("codes:2: \"\" is not two symbols"));
  EXPECT_THAT(Error("#version: 0.3\na b\n"), HasSubstr("codes:1: has version \"0.3\", known are 0.1 and 0.2"));
  EXPECT_THAT(Error("#version: 0.2\n"), HasSubstr("codes: has no merges"));
  EXPECT_THAT(Error(""), HasSubstr("codes: has no merges"));
  EXPECT_THAT(Error("a \xff\n"), HasSubstr("codes: is not UTF-8 at byte 2"));
  const absl::Status missing = BytePairs::Load(directory_.File("none")).status();
  EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
}

TEST_F(BytePairsTest, LinesMayEndAsInWindows) {
  EXPECT_THAT(Load("#version: 0.2\r\na b\r\n").Split("abc"), ElementsAre("ab", "c"));
}

}  // namespace
}  // namespace heed
