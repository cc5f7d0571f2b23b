// SPDX-License-Identifier: Apache-2.0
// Weights as text.
#pragma once

#include <string>
#include <vector>

#include "heed/v1/translation.pb.h"

namespace heed::client {

// Rows of weights below a staircase of the columns' names, in five shades with a legend. Columns are 3, 2 or 1
// characters wide, as the `width` of the terminal allows; what still does not fit goes into further panels below. Names
// are shown as VisibleLine shows them. Empty
// if there are no weights, or not one for each row and column.
std::string HeatMap(std::vector<std::string> rows, std::vector<std::string> columns, const std::vector<float>& weights,
                    int width);

// A translation's attention: target tokens in rows, source tokens in columns. SentencePiece's mark of a word's
// beginning (U+2581) is shown as '_'. Empty as above.
std::string HeatMap(const v1::TranslatedSentence& sentence, const v1::TranslationHypothesis& hypothesis, int width);

}  // namespace heed::client
