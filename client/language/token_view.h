// SPDX-License-Identifier: Apache-2.0
// Tokens for people: how surprising each was, and what it looked at.
#pragma once

#include <string>
#include <vector>

#include "client/cli/console.h"
#include "heed/v1/language_modeling.pb.h"

namespace heed::client {

using TokenScores = google::protobuf::RepeatedPtrField<v1::TokenScore>;

// Whether the output is a terminal that may get colors: not with NO_COLOR in the environment.
bool UsesColor(const Console& console);

// A token as people read it: SentencePiece's mark of a word's beginning (U+2581) is '_'.
std::string TokenName(const std::string& token);

// The text, each token on a background that is the redder the less likely the token was. Unknown words are underlined.
// Tokens without offsets (start = end) are spelled as the vocabulary has them.
std::string ColoredTokens(const std::string& text, const TokenScores& scores);

// A row for each token: log-probability, rank, a bar as long as the token was surprising (in bits), the token, and the
// likeliest ones with their probabilities.
std::string TokenTable(const TokenScores& scores);

// ColoredTokens where there are colors and no alternatives to show, below the first one what the colors mean; otherwise
// TokenTable.
class TokenView {
 public:
  // Borrows the console.
  explicit TokenView(const Console& console) : console_(console) {}

  std::string Of(const std::string& text, const TokenScores& scores);

 private:
  const Console& console_;
  bool explained_ = false;
};

// `rows` names the rows. The column of what was read before is left out if nothing looked at it. Empty if there is no
// attention or it has another number of rows.
std::string TextAttentionMap(const v1::TextAttention& attention, const std::vector<std::string>& rows, int width);
// The rows are tokens.
std::string TextAttentionMap(const v1::TextAttention& attention, const TokenScores& scores, int width);

// `text` on a colored background, or "text" as it is without colors.
std::string Highlighted(const std::string& text, bool color);

}  // namespace heed::client
