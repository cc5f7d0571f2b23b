// SPDX-License-Identifier: Apache-2.0
// Target languages as multilingual checkpoints take them: a code ">>deu<<" at the beginning of a text or of a line.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace heed {

// A part of a text in one target language. `leading`, then code and white space where the part has its own, then `body`
// make up the part.
struct LanguageStretch {
  absl::string_view leading;  // invisible characters before its own code
  absl::string_view code;     // that holds for it, ">>deu<<"; empty: none does
  absl::string_view prefix;   // that code with the white space behind it, from where it is in the text
  absl::string_view body;
};

// Cuts `text` where its language changes. A code counts at the beginning of a line, behind white space and other
// invisible characters (a byte order mark), and holds until the line's end; a line without one has the code with which
// the text begins. Elsewhere ">>deu<<" is text. `codes` are the ones that the model has, sorted; without any,
// everything is text.
//
// INVALID_ARGUMENT, which names `codes` and of the text only the code: a line begins with one that the model does not
// have. Only letters, digits, '_' and '-' between ">>" and "<<", 16 at most and not followed by punctuation, are taken
// for such a one: ">>Hello<<, he said" is text. The stretches refer to `text`. Takes linear time.
absl::StatusOr<std::vector<LanguageStretch>> SplitAtLanguageCodes(absl::string_view text,
                                                                  const std::vector<std::string>& codes);

}  // namespace heed
