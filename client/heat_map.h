// A translation's attention as text.
#pragma once

#include <string>

#include "heed/v1/translation.pb.h"

namespace heed::client {

// Target tokens in rows, source tokens in columns under a staircase of their names, weights in five shades with a
// legend. Columns are 3, 2 or 1 characters wide, as `columns` allows; what still does not fit goes into further panels
// below. SentencePiece's mark of a word's beginning (U+2581) is shown as '_'. Empty if there are no weights, or not one
// for each pair of tokens.
std::string HeatMap(const v1::Sentence& sentence, const v1::Hypothesis& hypothesis, int columns);

}  // namespace heed::client
