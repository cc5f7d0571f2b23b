// SPDX-License-Identifier: Apache-2.0
#include "models/sentences/sentences.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/sentences/sentence_pieces.h"

namespace heed {
namespace {

const SentenceRules kEnglish = SentenceRules::For("en");

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
  EXPECT_EQ(Texts(SplitSentences("It rains. Is it cold? Yes!", kEnglish)),
            (std::vector<std::string>{"It rains.", "Is it cold?", "Yes!"}));
  EXPECT_EQ(Texts(SplitSentences("It costs 3.50 euros today.", kEnglish)),
            (std::vector<std::string>{"It costs 3.50 euros today."}));
  EXPECT_EQ(Texts(SplitSentences("one line\nanother line", kEnglish)),
            (std::vector<std::string>{"one line", "another line"}));
}

TEST(SplitSentences, LosesNoByte) {
  for (const char* text :
       {"", " ", "\n\n", "a", " a ", "A.  B.\n\n  C. ", "\tOne.\r\nTwo\n", "Straße. Ähm … ja.  ", "。あ。い"}) {
    EXPECT_EQ(Joined(SplitSentences(text, kEnglish)), text);
    EXPECT_EQ(Joined(SplitSentences(text, SentenceRules::For(""))), text);
    EXPECT_EQ(Joined(WholeText(text)), text);
  }
}

TEST(SplitSentences, SentencesHaveNoSpaceAtTheirEnds) {
  const SplitText split = SplitSentences("  One.   Two. \n", kEnglish);
  EXPECT_EQ(Texts(split), (std::vector<std::string>{"One.", "Two."}));
  EXPECT_EQ(split.sentences[0].separator, "  ");
  EXPECT_EQ(split.sentences[1].separator, "   ");
  EXPECT_EQ(split.trailing, " \n");
}

TEST(SplitSentences, ABlankTextIsOneEmptySentence) {
  const SplitText split = SplitSentences(" \n ", kEnglish);
  EXPECT_EQ(Texts(split), (std::vector<std::string>{""}));
  EXPECT_EQ(Joined(split), " \n ");
}

TEST(SplitSentences, WhatHoldsNothingVisibleIsASeparator) {
  for (const char* invisible :
       {"\u200b", "\ufeff", "\u200e", "\x07", "\u0301\u0301", "\u00ad", "\u3164", "\u2060 \u200b"}) {
    EXPECT_EQ(Texts(SplitSentences(invisible, kEnglish)), (std::vector<std::string>{""})) << invisible;
    EXPECT_EQ(Joined(SplitSentences(invisible, kEnglish)), invisible);
    EXPECT_EQ(Joined(WholeText(invisible)), invisible);
    const std::string text = std::string("A dog.\n") + invisible + "\nA cat.";
    EXPECT_EQ(Texts(SplitSentences(text, kEnglish)), (std::vector<std::string>{"A dog.", "A cat."})) << invisible;
    EXPECT_EQ(Joined(SplitSentences(text, kEnglish)), text);
  }
}

TEST(SplitSentences, LineBreaksAndTabsEndSentences) {
  for (const char* text : {"a dog\ta cat", "a dog\r\na cat", "a dog\ra cat", "a dog\u0085a cat", "a dog\u2028a cat",
                           "a dog \t\t a cat", "a dog\u2029\na cat"}) {
    EXPECT_EQ(Texts(SplitSentences(text, kEnglish)), (std::vector<std::string>{"a dog", "a cat"})) << text;
    EXPECT_EQ(Joined(SplitSentences(text, kEnglish)), text);
  }
}

// Every look around a full stop is bounded: these took time by the square of their length otherwise.
TEST(SplitSentences, AMegabyteOfOneKindLosesNoByte) {
  for (const char* piece : {"a",  ".", ". ", "a.",       "a. ",  "?",   "\"", ".\"", "[",  ".[",          "(",
                            ".)", " ", "\n", "\xcc\x81", "a. B", "1. ", "<!", "。",  ".-", "\xe2\x80\xa6"}) {
    std::string text;
    while (text.size() < 1000000) text += piece;
    EXPECT_TRUE(Joined(SplitSentences(text, kEnglish)) == text) << piece;
  }
}

std::vector<std::string> Cut(const std::string& text, heed::Cut worst) {
  const SplitText parts = CutSentence(text, kEnglish, worst);
  EXPECT_EQ(Joined(parts), text);
  return Texts(parts);
}

TEST(CutSentence, PrefersClausesThenWordsThenCharacters) {
  const auto first = [](const std::string& text) { return Cut(text, heed::Cut::kCharacter)[0]; };
  EXPECT_EQ(first("one two three, four five six"), "one two three,");
  EXPECT_EQ(first("a, two three four five six seven"), "a, two three four");
  EXPECT_EQ(first("abcdef"), "abc");
  EXPECT_EQ(first("ääää"), "ää");
  EXPECT_EQ(first("ab"), "a");
  EXPECT_EQ(first("a dog runs and a cat sits on the mat"), "a dog runs");
  EXPECT_EQ(first("a dog runs, jumps, and barks, while a cat sits"), "a dog runs, jumps,");
  EXPECT_EQ(first("a dog runs, jumps; a cat sits, sleeps, eats"), "a dog runs, jumps;");
  EXPECT_EQ(first("他很老，他走了"), "他很老，");
}

TEST(CutSentence, CutsNowhereElseThanAllowed) {
  EXPECT_EQ(Cut("one two three four", heed::Cut::kClause).size(), 1u);
  EXPECT_EQ(Cut("one two three four", heed::Cut::kWord).size(), 2u);
  EXPECT_EQ(Cut("onetwothreefour", heed::Cut::kWord).size(), 1u);
  EXPECT_EQ(Cut("it cost 1,000,000 euros at 10:30", heed::Cut::kClause).size(), 1u);
  EXPECT_EQ(Cut("x", heed::Cut::kCharacter).size(), 1u);
  // Combining marks that stand alone are no part.
  EXPECT_EQ(Cut("e\u0301\u0301\u0301", heed::Cut::kCharacter).size(), 1u);
}

TEST(HasLetters, OfAnyScript) {
  for (const char* text : {"a", "5 m", "世", "д", "\u0301a", "№ б"}) EXPECT_TRUE(HasLetters(text)) << text;
  for (const char* text : {"", "-", "...", "5", "3.50 €", "★ ★ ★", "😀", "\u0301", "\u200b", "???"}) {
    EXPECT_FALSE(HasLetters(text)) << text;
  }
}

TEST(SentenceRules, TellTheirLanguage) {
  EXPECT_TRUE(SentenceRules::For("deu").IsStarter("der"));
  EXPECT_FALSE(SentenceRules::For("deu").IsStarter("the"));
  EXPECT_TRUE(SentenceRules::For("pt_BR").IsStarter("ele"));
  EXPECT_TRUE(SentenceRules::For("ROMANCE").IsStarter("il"));
  EXPECT_FALSE(SentenceRules::For("ROMANCE").IsStarter("the"));
  EXPECT_TRUE(SentenceRules::For("mul").IsStarter("the"));
  EXPECT_TRUE(SentenceRules::For("").IsStarter("он"));
  EXPECT_TRUE(SentenceRules::For("en_de").IsStarter("the"));
  EXPECT_TRUE(SentenceRules::For("en_de").IsStarter("der"));
  EXPECT_FALSE(SentenceRules::For("cs").has_words());
  EXPECT_EQ(SentenceRules::SourceLanguageOfName("opus-mt-de-en"), "de");
  EXPECT_EQ(SentenceRules::SourceLanguageOfName("opus-mt-ROMANCE-en"), "romance");
  EXPECT_EQ(SentenceRules::SourceLanguageOfName("my-translator"), "");
  EXPECT_EQ(SentenceRules::SourceLanguageOfName("translator"), "");
}

}  // namespace
}  // namespace heed
