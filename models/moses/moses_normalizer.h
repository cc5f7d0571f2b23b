// SPDX-License-Identifier: Apache-2.0
// Moses' normalize-punctuation.perl as sacremoses 0.2.0 does it for English (MosesPunctNormalizer("en")): one kind of
// quotation marks, no blanks inside parentheses, "1 000" with a no-break space is "1.000".
#pragma once

#include "models/moses/aligned_text.h"

namespace heed {

// Takes linear time.
void NormalizePunctuation(AlignedText& text);

}  // namespace heed
