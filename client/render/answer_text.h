// SPDX-License-Identifier: Apache-2.0
// Answers for people and for `cut`, and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "heed/v1/questions.pb.h"

namespace heed::client {

struct AnswerColumns {
  bool candidates = false;
  bool facts = false;
};

// "kitchen", or with candidates "kitchen<TAB>kitchen<TAB>0.9134<TAB>garden<TAB>0.0512", and behind them for each fact
// its number, text and weight: "<TAB>4<TAB>Mary went to the kitchen.<TAB>0.8312". Without newline.
std::string AnswerLine(const v1::QuestionAnswer& answer, const AnswerColumns& columns);

// Adds "answer", "candidates" ({"text","probability"}), "unknown_words" of the question and, where the answer has them,
// "facts" ({"fact","text","weight"}).
void AddAnswer(const v1::QuestionAnswer& answer, nlohmann::ordered_json& json);

// The facts that an answer came from, strongest first, with bars in proportion to it; those that say little are counted
// on one last line:
//     0.83 ████████████████████ 4  Mary went to the kitchen.
//     0.04                      7 more facts
std::string FactBars(const v1::QuestionAnswer& answer, int width);

// The slots of the memory that the read heads looked at, as a heat map of at most `width` columns: the heads and steps
// that looked hardest, and how many there are besides.
std::string ReadsMap(const v1::QuestionAnswer& answer, int width);

}  // namespace heed::client
