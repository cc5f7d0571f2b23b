// SPDX-License-Identifier: Apache-2.0
// Moses' normalize-punctuation.perl as sacremoses 0.2.0 does it (MosesPunctNormalizer): one kind of quotation marks, no
// blanks inside parentheses, "1 000" with a no-break space is "1.000".
#pragma once

#include "absl/strings/string_view.h"
#include "models/moses/aligned_text.h"

namespace heed {

// `language`: a code of two letters; rules are for a language of models/moses/moses_tokenizer.h. Takes linear time.
void NormalizePunctuation(absl::string_view language, AlignedText& text);

}  // namespace heed
