#include "models/sentences.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heed {
namespace {

std::string Joined(const SplitText& split) {
  std::string text;
  for (const SentenceSpan& span : split.sentences) text += span.separator + span.text;
  return text + split.trailing;
}

std::vector<std::string> Texts(const SplitText& split) {
  std::vector<std::string> texts;
  for (const SentenceSpan& span : split.sentences) texts.push_back(span.text);
  return texts;
}

TEST(SplitSentences, SplitsWhereSentencesEnd) {
  EXPECT_EQ(Texts(SplitSentences("It rains. Is it cold? Yes!", "en")),
            (std::vector<std::string>{"It rains.", "Is it cold?", "Yes!"}));
  EXPECT_EQ(Texts(SplitSentences("It costs 3.50 euros today.", "en")),
            (std::vector<std::string>{"It costs 3.50 euros today."}));
  EXPECT_EQ(Texts(SplitSentences("one line\nanother line", "en")),
            (std::vector<std::string>{"one line", "another line"}));
}

TEST(SplitSentences, LosesNoByte) {
  for (const char* text :
       {"", " ", "\n\n", "a", " a ", "A.  B.\n\n  C. ", "\tOne.\r\nTwo\n", "Straße. Ähm … ja.  ", "。あ。い"}) {
    EXPECT_EQ(Joined(SplitSentences(text, "en")), text);
    EXPECT_EQ(Joined(SplitSentences(text, "")), text);
    EXPECT_EQ(Joined(WholeText(text)), text);
  }
}

TEST(SplitSentences, SentencesHaveNoSpaceAtTheirEnds) {
  const SplitText split = SplitSentences("  One.   Two. \n", "en");
  EXPECT_EQ(Texts(split), (std::vector<std::string>{"One.", "Two."}));
  EXPECT_EQ(split.sentences[0].separator, "  ");
  EXPECT_EQ(split.sentences[1].separator, "   ");
  EXPECT_EQ(split.trailing, " \n");
}

TEST(SplitSentences, ABlankTextIsOneEmptySentence) {
  const SplitText split = SplitSentences(" \n ", "en");
  EXPECT_EQ(Texts(split), (std::vector<std::string>{""}));
  EXPECT_EQ(Joined(split), " \n ");
}

TEST(Halve, PrefersPunctuationThenWordsThenCharacters) {
  const auto halves = [](const std::string& text) {
    const std::vector<SentenceSpan> spans = Halve({"_", text});
    EXPECT_EQ(spans.size(), 2u);
    EXPECT_EQ(spans[0].separator, "_");
    EXPECT_EQ(spans[0].text + spans[1].separator + spans[1].text, text);
    return spans[0].text;
  };
  EXPECT_EQ(halves("one two three, four five six"), "one two three,");
  EXPECT_EQ(halves("a, two three four five six seven"), "a, two three four");
  EXPECT_EQ(halves("abcdef"), "abc");
  EXPECT_EQ(halves("ääää"), "ää");
  EXPECT_EQ(halves("ab"), "a");
}

TEST(FirstInvalidUtf8, FindsTheByte) {
  EXPECT_EQ(FirstInvalidUtf8("Grüße"), -1);
  EXPECT_EQ(FirstInvalidUtf8(""), -1);
  EXPECT_EQ(FirstInvalidUtf8("ab\xff"), 2);
  EXPECT_EQ(FirstInvalidUtf8("\xc3"), 0);
  EXPECT_EQ(FirstInvalidUtf8("a\xed\xa0\x80"), 1);  // half of a surrogate pair
}

}  // namespace
}  // namespace heed
