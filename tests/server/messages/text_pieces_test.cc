// SPDX-License-Identifier: Apache-2.0
#include "server/messages/text_pieces.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace heed {
namespace {

TextPieces OfOneText(const std::vector<SentencePlace>& places) { return TextPieces(places, 1); }
TextPieces::Piece Next(TextPieces& pieces) {
  TextPieces::Piece piece;
  EXPECT_TRUE(pieces.Take(piece));
  return piece;
}
bool HasNone(TextPieces& pieces) {
  TextPieces::Piece piece;
  return !pieces.Take(piece);
}

TEST(TextPieces, WordsOfTheFirstSentenceComeAsTheyGrow) {
  TextPieces pieces = OfOneText({{0, 0, ""}, {0, 1, " "}});
  EXPECT_TRUE(HasNone(pieces));
  pieces.Grow(0, "One");
  EXPECT_EQ(Next(pieces).translation, "One");
  EXPECT_TRUE(HasNone(pieces));
  pieces.Grow(0, " two.");
  pieces.Finish(0);
  const TextPieces::Piece piece = Next(pieces);
  EXPECT_EQ(piece.translation, " two.");
  EXPECT_FALSE(piece.done);
}

TEST(TextPieces, SentencesThatAreFinishedEarlyWaitForThoseBeforeThem) {
  TextPieces pieces = OfOneText({{0, 0, ""}, {0, 1, " "}, {0, 2, "\n"}});
  pieces.Grow(2, "Three");
  pieces.Finish(2);
  pieces.Grow(1, "Two");
  EXPECT_TRUE(HasNone(pieces));
  pieces.Grow(0, "One");
  pieces.Finish(0);
  EXPECT_EQ(Next(pieces).translation, "One Two");
  pieces.Finish(1);
  const TextPieces::Piece piece = Next(pieces);
  EXPECT_EQ(piece.translation, "\nThree");
  EXPECT_TRUE(piece.done);
  EXPECT_EQ(pieces.Rest(0, "One Two\nThree  "), "  ");
}

TEST(TextPieces, WhiteSpaceComesWithTheWordsBehindIt) {
  TextPieces pieces = OfOneText({{0, 0, " "}, {0, 1, "  "}, {0, 2, "   "}});
  pieces.Grow(0, "One");
  EXPECT_EQ(Next(pieces).translation, " One");
  pieces.Finish(0);
  pieces.Finish(1);  // without words
  EXPECT_TRUE(HasNone(pieces));
  pieces.Grow(2, "Three");
  EXPECT_EQ(Next(pieces).translation, "     Three");
}

TEST(TextPieces, ABlankTextIsDoneWithoutWords) {
  TextPieces pieces = OfOneText({{0, 0, " \n"}});
  pieces.Finish(0);
  const TextPieces::Piece piece = Next(pieces);
  EXPECT_EQ(piece.translation, "");
  EXPECT_TRUE(piece.done);
  EXPECT_EQ(pieces.Rest(0, ""), "");
  EXPECT_TRUE(HasNone(pieces));
}

// Whatever the order in which sentences grow and whenever pieces are taken, each text is whole in the end.
TEST(TextPieces, PiecesMakeUpTheirTextsInAnyOrder) {
  std::mt19937 random(3);
  const auto pick = [&](size_t count) { return random() % count; };
  for (int round = 0; round < 300; ++round) {
    const size_t texts = 1 + pick(3);
    std::vector<SentencePlace> places;
    std::vector<std::string> words, whole(texts), got(texts);
    for (size_t text = 0; text < texts; ++text) {
      const size_t sentences = 1 + pick(4);
      for (size_t sentence = 0; sentence < sentences; ++sentence) {
        places.push_back({static_cast<int>(text), static_cast<int>(sentence), std::string(pick(3), ' ')});
        words.push_back(std::string(pick(4), static_cast<char>('a' + places.size())));
        whole[text] += places.back().separator + words.back();
      }
      whole[text] += std::string(pick(2), '\n');
    }
    TextPieces pieces(places, texts);
    std::vector<size_t> grown(places.size());
    std::vector<bool> finished(places.size());
    size_t left = places.size(), done = 0;
    while (left > 0) {
      const size_t task = pick(places.size());
      if (!finished[task]) {
        if (grown[task] < words[task].size()) {
          pieces.Grow(task, words[task].substr(grown[task]++, 1));
        } else {
          pieces.Finish(task);
          finished[task] = true;
          --left;
        }
      }
      TextPieces::Piece piece;
      while ((left == 0 || pick(2) == 0) && pieces.Take(piece)) {
        got[piece.text] += piece.translation;
        done += piece.done;
      }
    }
    EXPECT_EQ(done, texts);
    for (size_t text = 0; text < texts; ++text) EXPECT_EQ(got[text] + pieces.Rest(text, whole[text]), whole[text]);
  }
}

}  // namespace
}  // namespace heed
