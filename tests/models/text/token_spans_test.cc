// SPDX-License-Identifier: Apache-2.0
#include "models/text/token_spans.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"

namespace heed {
namespace {

const SpellingStyle kPieces = {true, "", false};
const SpellingStyle kBytePairStyle = {false, "@@", true};
const SpellingStyle kWords;

// What the tokens stand for, with '|' between them. Fails where ranges are not in order.
std::string Shown(const std::string& text, const std::vector<std::string>& tokens, const SpellingStyle& style) {
  std::vector<std::string> shown;
  size_t at = 0;
  for (const TokenSpan& span : SpansOfTokens(text, tokens, style)) {
    EXPECT_LE(at, span.begin) << text;
    EXPECT_LE(span.begin, span.end) << text;
    EXPECT_LE(span.end, text.size()) << text;
    at = span.end;
    shown.push_back(text.substr(span.begin, span.end - span.begin));
  }
  return absl::StrJoin(shown, "|");
}

TEST(TokenSpans, OfPiecesWithMarkedBlanks) {
  EXPECT_EQ(Shown("The  cat's here.", {"▁The", "▁cat", "'", "s", "▁", "here", "."}, kPieces), "The|cat|'|s||here|.");
  EXPECT_EQ(Shown("Zürich ist groß", {"▁Zü", "rich", "▁ist", "▁groß"}, kPieces), "Zü|rich|ist|groß");
}

TEST(TokenSpans, OfBytePairs) {
  EXPECT_EQ(Shown("Zürich liegt", {"Zü@@", "ri@@", "ch", "liegt"}, kBytePairStyle), "Zü|ri|ch|liegt");
}

TEST(TokenSpans, OfMosesTokensWithEntities) {
  EXPECT_EQ(
      Shown("AT&T's well-known \"x[1]\"",
            {"AT", "&amp;", "T", "&apos;s", "well", "@-@", "known", "&quot;", "x", "&#91;", "1", "&#93;", "&quot;"},
            kBytePairStyle),
      "AT|&|T|'s|well|-|known|\"|x|[|1|]|\"");
}

TEST(TokenSpans, OfLowerCasedAndNormalizedText) {
  EXPECT_EQ(Shown("ÄPFEL sind", {"äpfel", "sind"}, kWords), "ÄPFEL|sind");
  // U+FB01, U+2460 and U+FF21 in NFKC, and a decomposed ü.
  EXPECT_EQ(Shown("\xef\xac\x81n \xe2\x91\xa0 \xef\xbc\xa1 u\xcc\x88", {"▁fin", "▁1", "▁A", "▁ü"}, kPieces),
            "\xef\xac\x81n|\xe2\x91\xa0|\xef\xbc\xa1|u\xcc\x88");
  // Half of an fi belongs to the token that begins it.
  EXPECT_EQ(Shown("\xef\xac\x81n", {"▁f", "in"}, kPieces), "\xef\xac\x81|n");
}

TEST(TokenSpans, OfBytesThatMakeACharacter) {
  EXPECT_EQ(Shown("a \xe2\x82\xac!", {"▁a", "▁", "<0xE2>", "<0x82>", "<0xAC>", "!"}, kPieces), "a||\xe2\x82\xac|||!");
}

TEST(TokenSpans, InvisibleCharactersAreNobodys) {
  EXPECT_EQ(Shown("\xef\xbb\xbfso\xc2\xad"
                  "ft \xe2\x80\x8b",
                  {"▁soft", ""}, kPieces),
            "so\xc2\xad"
            "ft|");
}

TEST(TokenSpans, BothGoOnWhereTheyNextAgree) {
  // A token that the text lacks, a word without a token, and one that is another in the text.
  EXPECT_EQ(Shown("the cat sleeps", {"the", "black", "cat", "sleeps"}, kWords), "the||cat|sleeps");
  EXPECT_EQ(Shown("the black cat sleeps", {"the", "cat", "sleeps"}, kWords), "the|cat|sleeps");
  EXPECT_EQ(Shown("the horse sleeps well", {"the", "<unk>", "sleeps", "well"}, kWords), "the|horse|sleeps|well");
  EXPECT_EQ(Shown("", {"a", "b"}, kWords), "|");
  EXPECT_EQ(Shown("text", {}, kWords), "");
}

TEST(TokenSpans, TakesLinearTimeWhereNothingAgrees) {
  const std::vector<std::string> tokens(20000, "ab");
  EXPECT_EQ(SpansOfTokens(std::string(40000, 'c'), tokens, kWords).size(), tokens.size());
  EXPECT_EQ(SpansOfTokens(std::string(40000, 'a'), tokens, kWords).size(), tokens.size());
}

TEST(TokenSpans, APieceContinuesAWordUnlessItBeginsOneOrIsNone) {
  EXPECT_TRUE(ContinuesWord("ing", kPieces));
  EXPECT_TRUE(ContinuesWord("<0xE2>", kPieces));
  EXPECT_FALSE(ContinuesWord("▁the", kPieces));
  EXPECT_FALSE(ContinuesWord(".", kPieces));
  EXPECT_FALSE(ContinuesWord("世", kPieces));  // words have no blanks between them
  EXPECT_FALSE(ContinuesWord("word", kWords));
}

}  // namespace
}  // namespace heed
