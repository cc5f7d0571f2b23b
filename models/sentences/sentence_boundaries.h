// SPDX-License-Identifier: Apache-2.0
// Where the sentences of a line begin: the rules over models/sentences/sentence_rules.h's tables.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/sentences/sentence_rules.h"

namespace heed {

// The offsets of every sentence but the first, ascending. White space before a sentence belongs to none; quotes and
// brackets that close, footnote marks ("[1]") and smileys belong to the sentence before, opening ones to the one
// behind. `line` is UTF-8 without line breaks and tabs. Takes linear time: every look back or ahead is bounded.
std::vector<int32_t> SentenceStarts(absl::string_view line, const SentenceRules& rules);

}  // namespace heed
