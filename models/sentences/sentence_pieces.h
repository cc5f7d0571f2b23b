// SPDX-License-Identifier: Apache-2.0
// Cuts sentences that are too long for a model, without losing a byte of them.
#pragma once

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "models/sentences/sentence_rules.h"
#include "models/sentences/sentences.h"

namespace heed {

// How good a place has to be to cut there.
enum class Cut {
  kClause,     // behind a semicolon, colon or comma, or before a conjunction
  kWord,       // between words
  kCharacter,  // anywhere
};

// `sentence` in two, near its middle at the best place that `worst` allows; as it is if there is none, or if one part
// would hold nothing visible, whose bytes are then part of a separator. Commas before conjunctions are better than
// other commas. Takes linear time.
SplitText CutSentence(absl::string_view sentence, const SentenceRules& rules, Cut worst);
// The same where `may_cut` before the character at a byte of the sentence.
SplitText CutSentence(absl::string_view sentence, const SentenceRules& rules, Cut worst,
                      absl::FunctionRef<bool(size_t at)> may_cut);

}  // namespace heed
