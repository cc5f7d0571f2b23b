// SPDX-License-Identifier: Apache-2.0
// Moses' tokenizer and detokenizer against sacremoses' answers, which tests/quality/text_parity.py wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "models/moses/moses_detokenizer.h"
#include "models/moses/moses_tokenizer.h"

namespace heed {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string Tokens(const MosesTokenizer& tokenizer, absl::string_view text) {
  return absl::StrJoin(tokenizer.Tokenize(text), " ");
}

std::vector<std::string> Words(absl::string_view text) { return absl::StrSplit(text, ' ', absl::SkipEmpty()); }

TEST(Moses, SentencesBecomeTheTokensAndTextOfSacremoses) {
  std::ifstream file(std::string(HEED_SOURCE_DIR) + "/tests/models/text/gold/moses.tsv");
  int sentences = 0;
  for (std::string line; std::getline(file, line);) {
    if (line[0] == '#') continue;
    const std::vector<std::string> columns = absl::StrSplit(line, '\t');
    ASSERT_THAT(columns, SizeIs(5)) << line;
    const std::string& language = columns[0];
    ASSERT_TRUE(HasMosesRules(language));
    EXPECT_EQ(Tokens(MosesTokenizer(language, {}), columns[1]), columns[2]);
    EXPECT_EQ(Tokens(MosesTokenizer(language, {.escape = false, .aggressive_hyphens = true}), columns[1]), columns[3]);
    EXPECT_EQ(MosesDetokenizer(language).Detokenize(Words(columns[2])), columns[4]);
    ++sentences;
  }
  EXPECT_GE(sentences, 30);
}

TEST(Moses, LanguagesWithoutRulesAreKnown) {
  EXPECT_EQ(MosesLanguages(), "de, en, es, fr, it, nl, pt");
  EXPECT_FALSE(HasMosesRules("tlh"));
  EXPECT_FALSE(HasMosesRules(""));
}

TEST(Moses, BlankTextHasNoTokens) {
  const MosesTokenizer tokenizer("en", {});
  EXPECT_THAT(tokenizer.Tokenize(""), IsEmpty());
  EXPECT_THAT(tokenizer.Tokenize(" \t\xc2\xa0\x01\xe3\x80\x80"), IsEmpty());
  EXPECT_EQ(MosesDetokenizer("en").Detokenize({}), "");
}

TEST(Moses, ControlCharactersAreLeftOut) {
  EXPECT_THAT(MosesTokenizer("en", {}).Tokenize("bre\x01"
                                                "ad\x1f"
                                                "butter"),
              ElementsAre("bread", "butter"));
}

// sacremoses takes this for a full stop.
TEST(Moses, MarksOfTheReferenceAreText) {
  EXPECT_EQ(Tokens(MosesTokenizer("en", {}), "DOTDOTMULTI THISISPROTECTED000"), "DOTDOTMULTI THISISPROTECTED000");
}

TEST(Moses, EscapesAreUndone) {
  EXPECT_EQ(MosesDetokenizer("en").Detokenize({"&amp;lt;", "&#91;", "a", "&#93;", "&bar;"}), "&lt; [a] |");
}

// Would take hours if a rule looked back or ahead without a bound.
TEST(Moses, LongTextsTakeLinearTime) {
  constexpr int kTimes = 100000;
  for (const char* part : {"'", "a'", ".", ". ", ",", "1,", "a-", "\"", "'' ", "``", "@-@ ", "&amp;", "x.'"}) {
    std::string text;
    for (int i = 0; i < kTimes; ++i) text += part;
    const MosesTokenizer tokenizer("en", {.aggressive_hyphens = true});
    const std::vector<std::string> tokens = tokenizer.Tokenize(text);
    EXPECT_THAT(tokens, testing::Not(IsEmpty())) << part;
    EXPECT_NE(MosesDetokenizer("fr").Detokenize(tokens), "") << part;
  }
}

}  // namespace
}  // namespace heed
